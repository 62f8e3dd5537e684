"""Compiled (numba) kernels: their settings, and the machine code that is kept on disk between processes.

numba's cache notices when a kernel's file changes, not when a file does whose functions the kernel calls;
where its folder cannot be written it falls back to another one; and two processes that compile two variants
of one kernel at the same time can swap their machine code. So kernels have a cache apart from numba's. An
entry is one file, named after what it was compiled from, and never seen half-written:

- the code digest of the kernel's module and of modules that it closes over, which covers every module that
  these import, at any depth;
- the kernel's bytecode and the constants that it closes over, the types of its arguments;
- the processor, and the versions of Python, numba and numpy.

A process that needs what another one compiles waits for it.

An entry that is damaged is compiled again. Where the folder cannot be used, one warning names it, and kernels
are compiled in each process; no other folder is taken. Functions that are compiled elsewhere, a user's with
`numba.njit(cache=True)`, keep numba's cache.
"""

import contextlib
import hashlib
import logging
import pickle
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import IO, Any
from uuid import uuid4

import numba
import numpy as np
from numba.core.compiler import CompileResult
from numba.core.dispatcher import Dispatcher
from numba.core.registry import cpu_target
from numba.core.serialize import dumps

from superposition_atlas.backends.progress import notice
from superposition_atlas.errors import DeviceError
from superposition_atlas.storage.code_digest import PACKAGE, cache_root, changed_since, code_digest

logger = logging.getLogger(__name__)

# Sums may be reordered into vector lanes, the same way in every run of the same machine code. NaN and
# infinity keep their meaning: training must notice them.
FAST_MATH = {"reassoc", "contract", "arcp", "nsz"}

# For code that allocates nothing. Else numba counts references to each array that is passed on, atomically.
UNCOUNTED = {"_nrt": False}

_LOADED_NS = time.time_ns()
_PATIENCE = 60.0  # seconds to wait for a process that compiles: none takes as long
_GLANCE = 0.05
_CHECKSUM_BYTES = hashlib.sha256().digest_size


def compile_kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` with what all kernels want: cached machine code, the GIL released, no error model.

    Args:
        options: of `numba.njit`, in place of these.
    """
    settings: dict[str, Any] = {"nogil": True, "fastmath": FAST_MATH, "no_cpython_wrapper": False}

    def compile_it(function: Callable[..., Any]) -> Any:
        dispatcher = compile_function(**(settings | options))(function)
        # A module outside the package (a test's) has no code digest, and its kernels no entry on disk.
        if function.__module__.startswith(f"{PACKAGE}."):
            dispatcher._cache = KernelCache(function)
        return dispatcher

    return compile_it


def compile_function(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` without a cache, for functions that only kernels call: no error model, not for Python.

    numba's wrappers, in which Python or C would call a function, take as long to compile as a short function.

    Args:
        options: of `numba.njit`, in place of these.

    Raises:
        DeviceError: under NUMBA_DISABLE_JIT, which is for debugging one's own functions: much of what kernels
            call exists as machine code only.
    """
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]  # numba makes it at run time
        raise DeviceError("NUMBA_DISABLE_JIT is set: must be 0 or left out, as kernels are machine code only")
    settings: dict[str, Any] = {
        "error_model": "numpy",
        "no_cpython_wrapper": True,
        "no_cfunc_wrapper": True,
    }
    decorator: Callable[[Callable[..., Any]], Any] = numba.njit(**(settings | options))
    return decorator


def prepare_to_load() -> None:
    """Does what numba does before it loads machine code for the first time, a tenth of a second's work."""
    cpu_target.target_context.refresh()


def compile_part(function: Callable[..., Any]) -> Any:
    """`numba.njit` for a part of a kernel: compiled by itself, with the constants that it closes over.

    It allocates nothing. LLVM inlines it into the kernel, so there is one machine code of it, and bits do not
    depend on whether a process compiled the kernel or loaded it.
    """
    return compile_function(forceinline=True, fastmath=FAST_MATH, **UNCOUNTED)(function)


class KernelCache:
    """The entries of one kernel, in the form in which numba's dispatcher calls a cache."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._turns: dict[Path, IO[bytes] | None] = {}
        """Entries that this process compiles; given up at the latest when it ends."""

    @property
    def cache_path(self) -> str | None:
        """The folder of the entries, None where there is none."""
        folder = cache_folder()
        return None if folder is None else str(folder)

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        """The machine code for a signature; None where it is to be compiled.

        Waits for another process that compiles the same.
        """
        target_context.refresh()
        path, key = self._entry(signature, target_context.codegen())
        found = None
        if path is not None:
            found = self._loaded(path, key, target_context)
            if found is None:
                turn = _turn_to_compile(path)
                found = self._loaded(path, key, target_context)
                if found is None:
                    self._turns[path] = turn
                else:
                    _end_turn(path, turn)
        if found is None:
            _say_that_it_compiles()
        return found

    def _loaded(self, path: Path, key: Any, target_context: Any) -> Any:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            _warn_once(path.parent, error)
            return None
        checksum, body = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
        if hashlib.sha256(body).digest() != checksum:
            return None
        try:
            stored_key, reduced = pickle.loads(body)
            if stored_key != key:
                return None
            return CompileResult._rebuild(target_context, *reduced)  # type: ignore[no-untyped-call]
        except Exception as error:  # numba's or pickle's, of any kind: what can't be read is compiled again
            logger.debug("%s: %s: %s", path, type(error).__name__, error)
            return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keeps the machine code for a signature, if that is possible."""
        if compiled.library.has_dynamic_globals or any(not loop.can_cache for loop in compiled.lifted):
            return
        path, key = self._entry(signature, compiled.codegen)
        if path is None:
            return
        body = dumps((key, compiled._reduce()))  # type: ignore[no-untyped-call]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with _new_file(path) as file:
                file.write(hashlib.sha256(body).digest() + body)
        except OSError as error:
            _warn_once(path.parent, error)
        _end_turn(path, self._turns.pop(path, None))

    def enable(self) -> None:
        """Does nothing: the cache is always on."""

    def disable(self) -> None:
        """Does nothing: the cache is always on."""

    def flush(self) -> None:
        """Do nothing: an entry is named after all code that it was compiled from, and never goes stale."""

    def _entry(self, signature: Any, codegen: Any) -> tuple[Path | None, Any]:
        """The file of an entry, None where there is none, and all that it was compiled from."""
        folder = cache_folder()
        values, modules = _closed_over(self._function)
        if not all(name.startswith(f"{PACKAGE}.") for name in modules):
            return None, None
        digest = _digest_of_loaded(*modules)
        if folder is None or digest is None:
            return None, None
        constants = dumps(values)  # type: ignore[no-untyped-call]
        code = self._function.__code__
        key = (
            digest,
            self._function.__qualname__,
            code.co_firstlineno,
            hashlib.sha256(code.co_code).hexdigest(),
            hashlib.sha256(constants).hexdigest(),
            signature,
            codegen.magic_tuple(),
            (sys.version, numba.__version__, np.__version__),
        )
        name = hashlib.sha256(str(key).encode()).hexdigest()[:32]
        return folder / f"{self._function.__name__}-{name}.nbc", key


def _closed_over(function: Any) -> tuple[tuple[Any, ...], list[str]]:
    """What a kernel closes over, parts as what they are made from, and the modules that code is from."""
    values: list[Any] = []
    modules = [function.__module__]
    for cell in function.__closure__ or ():
        value = cell.cell_contents
        if isinstance(value, ModuleType):
            modules.append(value.__name__)
        elif isinstance(value, Dispatcher):
            part = value.py_func
            its_values, its_modules = _closed_over(part)
            value = (part.__qualname__, part.__code__.co_firstlineno, part.__code__.co_code, its_values)
            modules += its_modules
        values.append(value)
    return tuple(values), list(dict.fromkeys(modules))


def _turn_to_compile(path: Path) -> IO[bytes] | None:
    """A lock on an entry, once no other process has it; None where there are no locks, or after long enough.

    It only saves work: an entry that two processes write is whole all the same.
    """
    try:
        import fcntl

        path.parent.mkdir(parents=True, exist_ok=True)
        turn = path.with_suffix(".lock").open("ab")
    except (ImportError, OSError):
        return None
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return turn
        except BlockingIOError:
            if time.monotonic() < end:  # a lock can't be waited for with a limit
                time.sleep(_GLANCE)
                continue
        except OSError:
            pass
        turn.close()
        return None


def _end_turn(path: Path, turn: IO[bytes] | None) -> None:
    if turn is not None:
        with contextlib.suppress(OSError):
            path.with_suffix(".lock").unlink()
        turn.close()


def cache_folder() -> Path | None:
    """Where machine code is kept: below NUMBA_CACHE_DIR, else XDG_CACHE_HOME, else ~/.cache.

    None, with a warning, where there is no home folder.
    """
    try:
        return cache_root() / "kernels"
    except RuntimeError as error:
        _warn_once(Path("~/.cache"), error)
        return None


@cache
def _digest_of_loaded(*modules: str) -> str | None:
    """Code digest of modules and of all that they import; None if a file has changed since it was loaded."""
    if changed_since(_LOADED_NS, *modules):
        return None
    return code_digest(*modules)


@cache
def _say_that_it_compiles() -> None:
    """One line a process: compiling takes some seconds, in which nothing else is shown."""
    folder = cache_folder()
    kept = "in each process" if folder is None else f"once, and keeps it in {folder}"
    notice(logger, f"compiles machine code for this processor, some seconds, {kept}")


_warned: set[Path] = set()


def _warn_once(folder: Path, error: Exception) -> None:
    if folder in _warned:
        return
    _warned.add(folder)
    logger.warning(
        "%s: machine code cannot be kept there (%s), so it is compiled again in each process; "
        "name a folder that can be written in NUMBA_CACHE_DIR",
        folder,
        getattr(error, "strerror", None) or error,
    )


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[Any]:
    """A file to write, which takes its place when it is whole."""
    new = path.with_name(f"{path.name}.{uuid4().hex}")
    try:
        with new.open("xb") as file:
            yield file
        new.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise
