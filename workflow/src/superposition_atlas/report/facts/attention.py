"""Slide 3: in how many seeds the planted rule of one layer of attention is recovered."""

from dataclasses import dataclass

import pandas as pd

from superposition_atlas.report.facts.toy_models import Share, share
from superposition_atlas.report.ledger import Ledger
from superposition_atlas.storage import layout

_MODELS = (
    "setting",
    "n_heads",
    "seed",
    "dictionary",
    "n_rows",
    "n_read",
    "n_read_by_score",
    "n_read_by_attention",
)
_RULES = ("setting", "n_heads", "dictionary", "query_probability", "read")


@dataclass(frozen=True)
class LayerFacts:
    """Layers with one number of heads in one setting."""

    setting: str
    title: str
    n_features: int
    n_hidden: int
    n_heads: int
    seeds_true: Share
    """Seeds in which every row of the rule has the largest path, by the true directions."""
    seeds_sae: Share
    rows_true: Share
    rows_sae: Share
    rows_by_score: Share
    """Rows recovered by the score alone, from the true directions."""
    rows_by_attention: Share
    rows_rare: float | None
    """Share of rows recovered among the rarest third of the query features; None where all are alike."""
    rows_frequent: float | None


def layers(ledger: Ledger) -> list[LayerFacts]:
    """All layers in the configuration's order; none where slide 3 is left out.

    Raises:
        ArtefactError: if a table is missing, damaged, or lacks a column.
    """
    settings = ledger.sources.config.attention
    if not settings:
        return []
    path = layout.attention_table("models")
    models = ledger.read(path, _MODELS)
    rules = ledger.read(layout.attention_table("rules"), _RULES)
    found = []
    for setting in settings.values():
        for n_heads in setting.heads:
            own = models[(models["setting"] == setting.name) & (models["n_heads"] == n_heads)]
            rows = rules[(rules["setting"] == setting.name) & (rules["n_heads"] == n_heads)]
            true, sae = (own[own["dictionary"] == name] for name in ("true", "sae"))
            rare, frequent = _thirds(rows[rows["dictionary"] == "true"])
            facts = LayerFacts(
                setting.name,
                setting.title,
                setting.n_features,
                setting.n_hidden,
                n_heads,
                _seeds(true),
                _seeds(sae),
                _rows(true, "n_read"),
                _rows(sae, "n_read"),
                _rows(true, "n_read_by_score"),
                _rows(true, "n_read_by_attention"),
                rare,
                frequent,
            )
            found.append(ledger.note(path, f"{setting.name}.{n_heads}", facts))
    return found


def _seeds(models: pd.DataFrame) -> Share:
    return share(int((models["n_read"] == models["n_rows"]).sum()), len(models))


def _rows(models: pd.DataFrame, column: str) -> Share:
    return share(int(models[column].sum()), int(models["n_rows"].sum()))


def _thirds(rows: pd.DataFrame) -> tuple[float | None, float | None]:
    values = sorted(set(rows["query_probability"]))
    if len(values) == 1:
        return None, None
    third = max(1, len(values) // 3)
    parts = (rows[rows["query_probability"].isin(chosen)] for chosen in (values[:third], values[-third:]))
    rare, frequent = (float(part["read"].mean()) for part in parts)
    return rare, frequent
