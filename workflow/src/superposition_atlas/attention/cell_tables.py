"""The pivot tables of layers of attention, and how well the planted rule is read off them.

Each head's table has a cell for each query feature i and key feature j:

    mean_attention: over the pairs of a query with i and an earlier token with j. weight: B_ij. contribution:
    B_ij times the mean activities of i and j, what the pair adds to a score. pivot: mean over queries of
    Σ_tokens attention · a_i c_j B_ij, which also counts how often that is. output_effect: of j on the output
    on which it is largest, E_oj times the mean activity of j. path: contribution, where it is above 0, times
    output_effect.

and of every key feature and output there is the output effect. The rule is read off by the paths: that of a
query feature is the largest over heads, keys and outputs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Integer

from superposition_atlas.attention import pivot, sequences
from superposition_atlas.attention.heads import AttentionModels, Scores, attend
from superposition_atlas.attention.pivot import Dictionary
from superposition_atlas.metrics.features import represented
from superposition_atlas.metrics.recovery import RECOVERED_COSINE
from superposition_atlas.sae.ensemble import SAEs
from superposition_atlas.sampling import stream
from superposition_atlas.toy_model import ToyModels

N_SEQUENCES = 2048
"""Fresh sequences of each seed, on which everything is measured."""

PerPair = Float[np.ndarray, "instance head query_feature key_feature"]
PerRow = Integer[np.ndarray, "instance query_feature"]


@dataclass(frozen=True)
class Cells:
    """The tables of an ensemble, with one dictionary."""

    dictionary: Dictionary
    n_pairs: Integer[np.ndarray, "instance query_feature key_feature"]
    mean_attention: PerPair
    """NaN where no pair was seen."""
    weight: PerPair
    contribution: PerPair
    """0 where a feature was never active."""
    pivot: PerPair
    effect: Float[np.ndarray, "instance head output key_feature"]

    @property
    def path(self) -> PerPair:
        """Contribution, where it is above 0, times the largest output effect."""
        return np.maximum(self.contribution, 0.0) * self.effect.max(axis=2)[:, :, None, :]


@dataclass(frozen=True)
class Measured:
    """Layers of attention with one number of heads, on the same fresh sequences as others."""

    models: ToyModels
    attention: AttentionModels
    rule: sequences.Rule
    scores: Scores
    loss: Float[np.ndarray, " instance"]
    """Squared error over that of always answering 0."""
    cells: Mapping[str, Cells]
    """Cells by dictionary: `true`, and `sae` if there are SAEs."""
    errors: Mapping[str, Scores]
    """Score minus the sum of its cells, by dictionary."""
    deviation: Mapping[str, Float[np.ndarray, " instance"]]
    """Largest |cells + error - score|, by dictionary."""


def measure(
    models: ToyModels, attention: AttentionModels, saes: SAEs | None = None, n_sequences: int = N_SEQUENCES
) -> Measured:
    """Splits the scores of fresh sequences.

    Args:
        models: the toy models.
        attention: trained on them, in their order.
        saes: trained on them, in their order, with at least as many latents as features.
        n_sequences: sequences for each.
    """
    purpose = stream.Purpose.EVALUATION
    x = sequences.sample_tokens(models, 0, n_sequences, attention.settings.n_keys, purpose)
    h = sequences.hidden(models, x)
    rule = sequences.planted_rule(models.seeds, models.n_features)
    scores = attention.scores(h)
    weights = attend(scores)
    target = sequences.targets(x, rule).astype(np.float64)
    squared = ((attention.written(weights, h) - target) ** 2).sum(axis=(1, 2))
    dictionaries = [pivot.true_dictionary(models, x)]
    if saes is not None:
        dictionaries.append(pivot.sae_dictionary(models, saes, h))
    errors = {own.name: pivot.score_errors(attention, own, h) for own in dictionaries}
    return Measured(
        models=models,
        attention=attention,
        rule=rule,
        scores=scores,
        loss=squared / (target**2).sum(axis=(1, 2)),
        cells={own.name: _cells(attention, own, weights) for own in dictionaries},
        errors=errors,
        deviation={
            own.name: np.abs(pivot.cell_sums(attention, own) + errors[own.name] - scores).max(axis=(1, 2, 3))
            for own in dictionaries
        },
    )


def _cells(attention: AttentionModels, dictionary: Dictionary, weights: Scores) -> Cells:
    a, c = dictionary.query_activity, dictionary.key_activity
    has_a, has_c = (a > 0).astype(np.float64), (c > 0).astype(np.float64)
    n_pairs = has_a.swapaxes(1, 2) @ has_c.sum(axis=2)
    attended = _summed(weights, has_a, has_c)
    mean_attention = np.full(attended.shape, np.nan)
    np.divide(attended, n_pairs[:, None], out=mean_attention, where=n_pairs[:, None] > 0)
    B = pivot.score_weights(attention, dictionary.directions)
    mean = np.nan_to_num(dictionary.mean_activity)
    return Cells(
        dictionary=dictionary,
        n_pairs=n_pairs.astype(np.int64),
        mean_attention=mean_attention,
        weight=B,
        contribution=B * mean[:, None, :, None] * mean[:, None, None, :],
        pivot=B * _summed(weights, a, c) / a.shape[1],
        effect=pivot.output_effects(attention, dictionary.directions) * mean[:, None, None, :],
    )


def _summed(
    weights: Scores,
    query: Float[np.ndarray, "instance sequence feature"],
    keys: Float[np.ndarray, "instance sequence key feature"],
) -> PerPair:
    """Σ over sequences and keys of weight · query_i · key_j."""
    read = np.einsum("ihsk,iskb->ihsb", weights, keys, optimize=True)
    return np.asarray(np.einsum("isa,ihsb->ihab", query, read, optimize=True))


# --- reading the rule off ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reading:
    """The rule that the tables of an ensemble give: the key and the output of each query feature."""

    key: PerRow
    output: PerRow
    """Output of the largest path."""
    head: PerRow
    key_by_score: PerRow
    """Key of the largest contribution of any head, whatever is written."""
    key_by_attention: PerRow
    """Key of the largest mean attention of any head."""


def read_off(cells: Cells) -> Reading:
    """Largest cells of each row, -1 where nothing is above 0."""
    head, key, exists = _largest(cells.path)
    instance = np.arange(len(key))[:, None]
    output = cells.effect[instance, head, :, key].argmax(axis=2)
    _, by_score, has_score = _largest(cells.contribution)
    _, by_attention, has_attention = _largest(np.nan_to_num(cells.mean_attention))
    return Reading(
        key=np.where(exists, key, -1),
        output=np.where(exists, output, -1),
        head=np.where(exists, head, -1),
        key_by_score=np.where(has_score, by_score, -1),
        key_by_attention=np.where(has_attention, by_attention, -1),
    )


def _largest(table: PerPair) -> tuple[PerRow, PerRow, Bool[np.ndarray, "instance query_feature"]]:
    """Head and key of each row's largest cell, and whether it is above 0."""
    n_instances, _, n_queries, n_keys = table.shape
    rows = table.swapaxes(1, 2).reshape(n_instances, n_queries, -1)
    place = rows.argmax(axis=2)
    return place // n_keys, place % n_keys, rows.max(axis=2) > 0


# --- tables ------------------------------------------------------------------------------------------------


def cell_table(measured: Measured) -> pd.DataFrame:
    """One row a cell of each head, columns as the module says.

    seed: of toy model, SAE, rule and attention. head: index. query, key: features i and j. planted: whether
    the rule has this pair. tied: whether the geometry forces this cell to compete with it
    (`pivot.forced_ties`). n_pairs: pairs of a query with i and a token with j. output: where key feature j
    writes most.
    """
    frames = []
    for name, cells in measured.cells.items():
        instance, head, query, key = np.indices(cells.weight.shape)
        columns = {
            "seed": measured.models.seeds[instance],
            "head": head,
            "query": query,
            "key": key,
            "planted": measured.rule.key_of[instance, query] == key,
            "tied": _ties(measured)[instance, query] == key,
            "n_pairs": cells.n_pairs[instance, query, key],
            "mean_attention": cells.mean_attention,
            "weight": cells.weight,
            "contribution": cells.contribution,
            "pivot": cells.pivot,
            "output": cells.effect.argmax(axis=2)[instance, head, key],
            "output_effect": cells.effect.max(axis=2)[instance, head, key],
            "path": cells.path,
        }
        frames.append(_frame(measured, name, columns))
    return pd.concat(frames, ignore_index=True)


def output_table(measured: Measured) -> pd.DataFrame:
    """One row an output and key feature of each head.

    seed: of toy model, SAE, rule and attention. head: index. output: the output. key: the key feature j.
    planted: whether the rule has it. output_effect: E_oj times the mean activity of j.
    """
    writes = np.empty_like(measured.rule.key_of)
    np.put_along_axis(writes, measured.rule.key_of, measured.rule.output_of, axis=1)
    frames = []
    for name, cells in measured.cells.items():
        instance, head, output, key = np.indices(cells.effect.shape)
        columns = {
            "seed": measured.models.seeds[instance],
            "head": head,
            "output": output,
            "key": key,
            "planted": writes[instance, key] == output,
            "output_effect": cells.effect,
        }
        frames.append(_frame(measured, name, columns))
    return pd.concat(frames, ignore_index=True)


def rule_table(measured: Measured) -> pd.DataFrame:
    """One row a row of the rule, a query feature, with what each table says of it.

    seed: of toy model, SAE, rule and attention. query: the query feature. key, output: planted.
    query_probability, key_probability: how often they are active. query_represented, represented: the query
    feature, or both, have a norm above 0.5 in the toy model. query_recovered, recovered: they have a latent
    with a cosine above 0.9 (with the true directions always). tied_key: -1 or the key that geometry ties with
    the planted one. found_key, found_output, found_head: of the largest path, -1 where none is above 0. read:
    found key and output are planted. read_by_score, read_by_attention: the key of the largest contribution,
    or mean attention, is. attention, contribution: of the planted cell, in the head where they are largest,
    attention NaN where no pair was seen. pivot_share: of the sum of all |pivot| of all heads, by the planted
    cell. n_pairs: pairs of the planted cell. n_keys: tokens before the query.
    """
    rule, models = measured.rule, measured.models
    n_instances, n_features = rule.key_of.shape
    instance, query = np.indices((n_instances, n_features))
    there = represented(models.W)
    frames = []
    for name, cells in measured.cells.items():
        reading = read_off(cells)
        found = cells.dictionary.cosine > RECOVERED_COSINE
        planted = (instance, slice(None), query, rule.key_of)
        mass = np.abs(cells.pivot)
        total = mass.sum(axis=(1, 2, 3))[:, None]
        share = np.zeros((n_instances, n_features))
        np.divide(mass[planted].sum(axis=2), total, out=share, where=total > 0)
        columns = {
            "seed": models.seeds[instance],
            "query": query,
            "key": rule.key_of,
            "output": rule.output_of,
            "query_probability": models.probability[instance, query],
            "key_probability": models.probability[instance, rule.key_of],
            "query_represented": there,
            "represented": there & there[instance, rule.key_of],
            "query_recovered": found,
            "recovered": found & found[instance, rule.key_of],
            "tied_key": _ties(measured),
            "found_key": reading.key,
            "found_output": reading.output,
            "found_head": reading.head,
            "read": (reading.key == rule.key_of) & (reading.output == rule.output_of),
            "read_by_score": reading.key_by_score == rule.key_of,
            "read_by_attention": reading.key_by_attention == rule.key_of,
            "attention": cells.mean_attention[planted].max(axis=2),
            "contribution": cells.contribution[planted].max(axis=2),
            "pivot_share": share,
            "n_pairs": cells.n_pairs[instance, query, rule.key_of],
            "n_keys": np.full(rule.key_of.shape, measured.attention.settings.n_keys),
        }
        frames.append(_frame(measured, name, columns))
    return pd.concat(frames, ignore_index=True)


def attention_model_table(measured: Measured) -> pd.DataFrame:
    """One row a layer of attention.

    seed: of toy model, SAE, rule and attention. loss: squared error over that of always answering 0. n_keys:
    tokens before the query. n_rows: rows of the rule. n_read, n_read_by_score, n_read_by_attention: those
    read off. max_deviation: largest |cells + error - score|. error_share: squares of the errors over those of
    the scores. agreement, attention_agreement, output_agreement: Pearson's correlation of all cells
    (contributions, mean attentions, output effects) with those of the true directions, NaN where all are
    equal. same_key: share of the rows with the same found key as by the true directions.
    """
    truth = measured.cells["true"]
    frames = []
    for name, cells in measured.cells.items():
        error = measured.errors[name]
        own, true = read_off(cells), read_off(truth)
        keys, outputs = measured.rule.key_of, measured.rule.output_of
        columns = {
            "seed": measured.models.seeds,
            "loss": measured.loss,
            "n_keys": np.full(len(keys), measured.attention.settings.n_keys),
            "n_rows": np.full(len(keys), keys.shape[1]),
            "n_read": ((own.key == keys) & (own.output == outputs)).sum(axis=1),
            "n_read_by_score": (own.key_by_score == keys).sum(axis=1),
            "n_read_by_attention": (own.key_by_attention == keys).sum(axis=1),
            "max_deviation": measured.deviation[name],
            "error_share": (error**2).sum(axis=(1, 2, 3)) / (measured.scores**2).sum(axis=(1, 2, 3)),
            "agreement": _correlation(cells.contribution, truth.contribution),
            "attention_agreement": _correlation(cells.mean_attention, truth.mean_attention),
            "output_agreement": _correlation(cells.effect, truth.effect),
            "same_key": (own.key == true.key).mean(axis=1),
        }
        frames.append(_frame(measured, name, columns))
    return pd.concat(frames, ignore_index=True)


def _ties(measured: Measured) -> PerRow:
    return pivot.forced_ties(measured.models.W, measured.rule.key_of)


def _frame(measured: Measured, dictionary: str, columns: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """The columns. n_heads: heads of the layer. dictionary: true directions, or the SAE's."""
    frame = pd.DataFrame({name: np.asarray(values).reshape(-1) for name, values in columns.items()})
    frame.insert(0, "n_heads", measured.attention.settings.n_heads)
    frame.insert(2, "dictionary", dictionary)
    return frame


def _correlation(one: np.ndarray, other: np.ndarray) -> Float[np.ndarray, " instance"]:
    """Correlation over all cells of an instance that both have."""
    result = np.full(len(one), np.nan)
    for instance, (a, b) in enumerate(
        zip(one.reshape(len(one), -1), other.reshape(len(one), -1), strict=True)
    ):
        both = np.isfinite(a) & np.isfinite(b)
        if both.sum() > 1 and np.ptp(a[both]) > 0 and np.ptp(b[both]) > 0:
            result[instance] = np.corrcoef(a[both], b[both])[0, 1]
    return result
