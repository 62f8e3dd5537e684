"""Slide 3: pivot tables of attention, and what rare features lose."""

from collections.abc import Iterator

from superposition_atlas.config import Config
from superposition_atlas.figures.catalogue.figure_target import FigureTarget
from superposition_atlas.storage.layout import attention_table


def pivot_tables(config: Config) -> Iterator[FigureTarget]:
    """Tables of the first setting, and what rare features lose where features are not equally frequent."""
    if not config.attention:
        return
    first = next(iter(config.attention.values()))
    yield FigureTarget(
        "slide03_pivot_tables",
        "pivot_tables",
        {table: attention_table(table) for table in ("cells", "outputs", "rules")},
        "Attention",
        "Tables of query features by key features from the true directions and from an SAE's decoder: mean "
        "attention, score contribution, output effect, and path; below, their cells against one another.",
        {"setting": first.name},
        {"setting": first.name, "title": first.title},
    )
    level = [own.name for own in config.attention.values() if len(set(own.probability)) == 1]
    for setting in config.attention.values():
        if setting.name not in level:
            yield FigureTarget(
                f"attention_{setting.name}_features",
                "attention_rare",
                {"rules": attention_table("rules")},
                "Attention",
                "By feature probability: the share of features that are represented and recovered, the share "
                "of the rule's rows that are read off, and the attention to planted keys.",
                {"setting": setting.name, **({"control": level[0]} if level else {})},
                {"setting": setting.name, "title": setting.title, "control": level[0] if level else ""},
                named_after=f"attention.{setting.name}",
            )
