"""The report's numbers of slide 3: how the planted rule is read off, and what rare features lose."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from superposition_atlas.config.configuration import AttentionSetting
from superposition_atlas.metrics.intervals import exact_interval
from superposition_atlas.report.sae_tables import interval
from superposition_atlas.report.shared_tables import span
from superposition_atlas.report.sources import Sources
from superposition_atlas.storage import layout
from superposition_atlas.storage.parquet import read_table

Row = dict[str, Any]

_MODEL = ("setting", "n_heads", "seed", "dictionary")
_COUNTS = ("n_read", "n_read_by_score", "n_read_by_attention")
_AGREEMENTS = ("agreement", "attention_agreement", "output_agreement", "same_key")
_MODEL_COLUMNS = (*_MODEL, "loss", "n_rows", *_COUNTS, "max_deviation", "error_share", *_AGREEMENTS)
_RULE_COLUMNS = (
    *(*_MODEL, "query", "key", "query_probability", "tied_key", "query_represented", "query_recovered"),
    *("read", "read_by_score", "attention", "pivot_share"),
)


def settings(sources: Sources) -> list[Row]:
    """One entry a setting of the configuration, in its order; none where slide 3 is left out.

    Raises:
        ArtefactError: if a table is missing, damaged, or lacks a column.
    """
    if not sources.config.attention:
        return []
    models, rules = (
        read_table(sources.locate(layout.attention_table(table)), columns)
        for table, columns in (("models", _MODEL_COLUMNS), ("rules", _RULE_COLUMNS))
    )
    return [
        _setting(setting, models[models["setting"] == name], rules[rules["setting"] == name])
        for name, setting in sources.config.attention.items()
    ]


def _setting(setting: AttentionSetting, models: pd.DataFrame, rules: pd.DataFrame) -> Row:
    return {
        "name": setting.name,
        "title": setting.title,
        "n_features": setting.n_features,
        "n_hidden": setting.n_hidden,
        "n_seeds": len(setting.seeds),
        "probability": span(setting.probability),
        "mean_probability": float(setting.probability.mean()),
        "training": dict(setting.training),
        "toy_model": {name: getattr(setting.toy_model, name) for name in ("steps", "batch_size")},
        "sae": {name: setting.sae[name] for name in ("architecture", "n_latents", "steps", "batch_size")},
        "layers": [
            _layer(n_heads, models[models["n_heads"] == n_heads], rules[rules["n_heads"] == n_heads])
            for n_heads in setting.heads
        ],
        "groups": _groups(setting, rules),
    }


def _layer(n_heads: int, models: pd.DataFrame, rules: pd.DataFrame) -> Row:
    of_true, of_sae = (models[models["dictionary"] == name] for name in ("true", "sae"))
    by_true = rules[rules["dictionary"] == "true"]
    tied = by_true["tied_key"] >= 0
    largest = float(models["max_deviation"].max())
    return {
        "n_heads": n_heads,
        "loss": interval(of_true["loss"].to_numpy()),
        "read": {
            name: {count: _seeds_and_rows(own, count) for count in _COUNTS}
            for name, own in (("true", of_true), ("sae", of_sae))
        },
        # The power of ten that no deviation reaches.
        "deviation_exponent": math.floor(math.log10(largest)) + 1 if largest > 0 else None,
        "error_share": interval(of_sae["error_share"].to_numpy()),
        **{name: interval(of_sae[name].to_numpy()) for name in _AGREEMENTS},
        "by_score": {
            "tied": _share(by_true.loc[tied, "read_by_score"]),
            "free": _share(by_true.loc[~tied, "read_by_score"]),
        },
        "by_path": {
            "tied": _share(by_true.loc[tied, "read"]),
            "free": _share(by_true.loc[~tied, "read"]),
        },
    }


def _seeds_and_rows(models: pd.DataFrame, count: str) -> Row:
    """Seeds in which every row is read off, and rows over all seeds."""
    whole = models[count] == models["n_rows"]
    n_rows, n_read = int(models["n_rows"].sum()), int(models[count].sum())
    low, high = exact_interval(n_read, n_rows)
    return {"seeds": _share(whole), "rows": {"n": n_rows, "share": n_read / n_rows, "low": low, "high": high}}


def _share(holds: "pd.Series[bool]") -> Row:
    n, n_holding = len(holds), int(holds.sum())
    if n == 0:
        return {"n": 0, "n_holding": 0, "share": None, "low": None, "high": None}
    low, high = exact_interval(n_holding, n)
    return {"n": n, "n_holding": n_holding, "share": n_holding / n, "low": low, "high": high}


def _groups(setting: AttentionSetting, rules: pd.DataFrame) -> list[Row]:
    """The rarest and the commonest third of the features; one group where all are equally frequent."""
    values = sorted(set(rules["query_probability"]))
    if len(values) == 1:
        return [_group("all", setting.heads, rules)]
    third = max(1, len(values) // 3)
    return [
        _group(name, setting.heads, rules[rules["query_probability"].isin(chosen)])
        for name, chosen in (("rarest", values[:third]), ("commonest", values[-third:]))
    ]


def _group(name: str, heads: Sequence[int], rules: pd.DataFrame) -> Row:
    by_true, by_sae = (rules[rules["dictionary"] == dictionary] for dictionary in ("true", "sae"))
    once = [own[own["n_heads"] == heads[0]] for own in (by_true, by_sae)]
    return {
        "name": name,
        "probability": span(rules["query_probability"].to_numpy()),
        "represented": _share(once[0]["query_represented"]),
        "recovered": _share(once[1]["query_recovered"]),
        "layers": [
            {
                "n_heads": n_heads,
                "read": _share(by_true.loc[by_true["n_heads"] == n_heads, "read"]),
                "read_by_sae": _share(by_sae.loc[by_sae["n_heads"] == n_heads, "read"]),
                "attention": interval(by_true.loc[by_true["n_heads"] == n_heads, "attention"].to_numpy()),
                "pivot_share": interval(
                    by_true.loc[by_true["n_heads"] == n_heads].groupby("seed")["pivot_share"].sum().to_numpy()
                ),
            }
            for n_heads in heads
        ],
    }
