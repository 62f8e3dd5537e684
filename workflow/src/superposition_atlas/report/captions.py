"""Captions of the figures: the files that Snakemake's own report takes, rendered the same way."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

from jinja2 import TemplateError
from jinja2.sandbox import SandboxedEnvironment

from superposition_atlas.errors import ArtefactError


def render(path: Path, labels: Mapping[str, str]) -> str:
    """The caption in `path` as one paragraph of plain text.

    Args:
        path: text with jinja placeholders such as `{{ snakemake.params.labels.title }}`.
        labels: the figure's labels; one that is missing renders as nothing.

    Raises:
        ArtefactError: if the file can't be read or is no jinja template.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ArtefactError(f"{path}: caption can't be read ({error})") from None
    snakemake = SimpleNamespace(params=SimpleNamespace(labels=dict(labels)))
    try:
        rendered = SandboxedEnvironment().from_string(text).render(snakemake=snakemake)
    except TemplateError as error:
        raise ArtefactError(f"{path}: caption can't be rendered ({error})") from None
    return " ".join(rendered.split())
