"""The norms that the post published, as figures read them."""

from pathlib import Path

import pandas as pd

from superposition_atlas.errors import ArtefactError


def published_norms(path: Path) -> dict[str, float]:
    """The published norm ‖W‖_F by case.

    Raises:
        ArtefactError: if the file is no such table.
    """
    try:
        table = pd.read_csv(path)
        return dict(zip(table["case"], table["published_norm"].astype(float), strict=True))
    except OSError as error:
        raise ArtefactError(f"{path}: can't be read ({error.strerror})") from None
    except (KeyError, ValueError) as error:
        raise ArtefactError(f"{path}: is no CSV of case and published_norm ({error})") from None
