"""Packages that the library works without, and the one line that says how to get a missing one."""

from importlib.util import find_spec

from superposition_atlas.errors import AtlasError

EXTRAS = {
    "anywidget": "notebook",
    "jinja2": "workflow",
    "matplotlib": "workflow",
    "seaborn": "workflow",
    "snakemake": "workflow",
    "torch": "torch",
    "triton": "gpu",
    "typst": "workflow",
}
"""The extra of pip that installs each package."""


def missing(package: str) -> str | None:
    """Half a sentence that says how to install a package that is not installed; None if it is."""
    return None if find_spec(package) is not None else _line(package)


def require(package: str, purpose: str, extra: str | None = None) -> None:
    """Checks that a package can be imported.

    Args:
        package: name of the package, as it is imported.
        purpose: what needs it, as the subject of a sentence: "the page's palette".
        extra: the smallest extra that brings it for this purpose; by default that of EXTRAS.

    Raises:
        AtlasError: if it is not installed; with the command that installs it.
    """
    if find_spec(package) is None:
        raise AtlasError(f"{purpose} needs a package: {_line(package, extra)}")


def explained(error: ModuleNotFoundError) -> str | None:
    """The same half sentence for an import that failed; None if the module is not one of an extra."""
    package = (error.name or "").partition(".")[0]
    return _line(package) if package in EXTRAS else None


def _line(package: str, extra: str | None = None) -> str:
    return f"{package} is not installed (pip install 'superposition-atlas[{extra or EXTRAS[package]}]')"
