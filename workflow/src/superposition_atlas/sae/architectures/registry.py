"""Which SAE architectures there are: those of this package, and those that a user adds.

A user's architecture is a file with an `ARCHITECTURE`, as the files beside this one are. Within one process,
`register` adds it. For the workflow, whose every job is a process of its own, the environment variable
SUPERPOSITION_ATLAS_ARCHITECTURES names the files, separated as in PATH.
"""

import os
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from superposition_atlas.errors import TrainingError
from superposition_atlas.sae.architecture import Architecture
from superposition_atlas.sae.settings import EXTERNAL

FILES_VARIABLE = "SUPERPOSITION_ATLAS_ARCHITECTURES"

_added: dict[str, Architecture] = {}


@cache
def _of_this_package() -> dict[str, Architecture]:
    """Architectures in the order of tables and figures. No torch or numba is imported here."""
    from superposition_atlas.sae.architectures import (
        batch_topk,
        frozen,
        gated,
        jumprelu,
        matryoshka,
        pca,
        random,
        relu,
        topk,
    )

    modules = (relu, gated, jumprelu, topk, batch_topk, matryoshka, random, frozen, pca)
    return {module.ARCHITECTURE.name: module.ARCHITECTURE for module in modules}


def all_architectures() -> dict[str, Architecture]:
    """Every architecture by name: those of this package, then those that were added, in that order.

    Raises:
        TrainingError: if a file that the environment variable names holds no architecture.
    """
    from_files: dict[str, Architecture] = {}
    for path in filter(None, os.environ.get(FILES_VARIABLE, "").split(os.pathsep)):
        architecture = _in_file(Path(path))
        _refuse_taken(architecture, from_files)
        from_files[architecture.name] = architecture
    return {**_of_this_package(), **from_files, **_added}


def external() -> Architecture:
    """The architecture of SAEs from elsewhere, which are imported and never trained: not among the others."""
    from superposition_atlas.sae.architectures import external as imported

    return imported.ARCHITECTURE


def names() -> tuple[str, ...]:
    """Names of all architectures."""
    return tuple(all_architectures())


def by_name(name: str) -> Architecture:
    """The architecture of that name.

    Raises:
        TrainingError: if there is none.
    """
    architectures = all_architectures()
    if name == EXTERNAL:
        return external()
    if name not in architectures:
        raise TrainingError(f"architecture is {name!r}: must be {', '.join(architectures)}")
    return architectures[name]


def register(architecture: Architecture) -> None:
    """Adds an architecture to those of this process; one that was registered before makes room.

    Raises:
        TrainingError: if this is no architecture, or one of this package has its name.
    """
    if not isinstance(architecture, Architecture):
        raise TrainingError(f"architecture is {architecture!r:.60}: must be an Architecture")
    _refuse_taken(architecture)
    _added[architecture.name] = architecture


def unregister(name: str) -> None:
    """Takes back what `register` added; does nothing if there is nothing of that name."""
    _added.pop(name, None)


def _refuse_taken(architecture: Architecture, others: dict[str, Architecture] | None = None) -> None:
    taken = {**_of_this_package(), **(others or {}), EXTERNAL: external()}
    if architecture.name in taken:
        raise TrainingError(
            f"architecture is named {architecture.name!r}: must have another name than {', '.join(taken)}"
        )


@cache
def _in_file(path: Path) -> Architecture:
    """The `ARCHITECTURE` of a user's file."""
    where = f"{FILES_VARIABLE} names {path}"
    spec = spec_from_file_location(f"superposition_atlas_user_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise TrainingError(f"{where}: must be a Python file that exists")
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        line = str(error).partition("\n")[0]
        raise TrainingError(f"{where}: it can't be imported ({type(error).__name__}: {line})") from error
    architecture = getattr(module, "ARCHITECTURE", None)
    if not isinstance(architecture, Architecture):
        raise TrainingError(f"{where}: it must define ARCHITECTURE, an Architecture")
    return architecture
