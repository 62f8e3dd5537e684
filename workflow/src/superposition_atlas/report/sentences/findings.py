"""The finding that opens a figure's caption, where the data have one."""

from collections.abc import Sequence

from superposition_atlas.report.facts.sae_recovery_facts import ComparisonFacts
from superposition_atlas.report.facts.toy_models import CaseFacts, pooled, unequal
from superposition_atlas.report.phrases import of, percent, spelled
from superposition_atlas.report.sentences import all_schedules
from superposition_atlas.report.sentences.opening import Findings


def matching(found: Findings) -> str:
    """Finding of figure 1."""
    if not found.matched:
        return ""
    n_features = found.matched[0].n_features
    return f"Two formulas predict which of {n_features} features a toy model keeps, without training."


def all_cases(found: Findings) -> str:
    """Finding of the figure with eight seeds of every case."""
    cases = unequal(found.five)
    full = pooled(cases).get(found.n_five, 0.0) if cases else 0.0
    if not full:
        return ""
    return (
        f"{percent(full)} of the toy models represent all {spelled(found.n_five)} features; eight seeds a "
        "case show few of them or none."
    )


def excess(cases: Sequence[CaseFacts]) -> str:
    """Finding of the figure of excess losses."""
    known = [case.keeps_best for case in cases if case.keeps_best]
    if not known:
        return ""
    n_most = sum(share.share > 0.5 for share in known)
    return f"Most toy models represent the best solution's features in {of(n_most, len(known))} cases."


def atlas(found: Findings) -> str:
    """Finding of the atlas."""
    if found.atlas is None or not found.atlas.n_all_unequal:
        return ""
    return all_schedules.all_pay(found.atlas)


def perturbation() -> str:
    """Finding of the figure of competing structures: what its drawing is about, whatever the data."""
    return "One feature's density decides between structures."


def sae_levels(facts: ComparisonFacts) -> str:
    """Finding of the figure of recall and unexplained variance over levels."""
    trained = [sae for sae in facts.saes if not sae.is_baseline]
    if not trained:
        return ""
    best = max(trained, key=lambda sae: sae.recall.mean)
    return (
        f"On held-out toy models {best.label} recovers {percent(best.recall.mean)} "
        "of the represented features."
    )


def predictor(found: Findings) -> str:
    """Finding of the figure of predictions."""
    if found.predictor is None:
        return ""
    share = percent(found.predictor.full.share)
    return f"The full predictor names the best solution's features on {share} of random schedules."
