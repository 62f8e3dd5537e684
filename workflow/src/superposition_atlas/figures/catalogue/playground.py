"""Slide 4: small networks on data in the plane."""

from collections.abc import Iterator

from superposition_atlas.config import Config
from superposition_atlas.figures.catalogue.figure_target import FigureTarget
from superposition_atlas.storage.layout import playground_table

_MOST_DATA_SETS = 12  # that fit on a page


def networks(config: Config) -> Iterator[FigureTarget]:
    """One network with its neurons, and the decision surfaces of all data sets."""
    trained = list(config.playground.values())
    if not trained:
        return
    drawn = next((own for own in trained if own.settings.data_set == "spiral"), trained[0])
    yield FigureTarget(
        "slide04_playground",
        "playground",
        {table: playground_table(table) for table in ("units", "weights", "points", "curves", "runs")},
        "Setup",
        "A small network: on the left input features and hidden neurons as small pictures of their "
        "responses, lines for weights between them, on the right losses and the decision surface with data.",
        {"network": drawn.name, "title": drawn.title},
        {"network": drawn.name, "title": drawn.title},
    )
    for start in range(0, len(trained), _MOST_DATA_SETS):
        part = trained[start : start + _MOST_DATA_SETS]
        yield FigureTarget(
            "slide04_data_sets" + (f"_{start // _MOST_DATA_SETS + 1}" if start else ""),
            "playground_data_sets",
            {table: playground_table(table) for table in ("runs", "units", "points")},
            "Setup",
            "For each data set, the decision surface of one network with the data, and below it the test "
            "errors of all seeds.",
            {"titles": {own.name: own.title for own in part}},
        )
