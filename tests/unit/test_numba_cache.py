"""Machine code on disk: it is that of the code that runs, or there is none."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import superposition_atlas

SOURCE = Path(superposition_atlas.__file__).parent
KERNEL = """
from superposition_atlas.backends.numba_cache import compile_kernel
from superposition_atlas.helper import FACTOR, twice

@compile_kernel()
def kernel(x):
    return twice(x) * FACTOR
"""
HELPER = """
from superposition_atlas.backends.numba_cache import compile_function
from superposition_atlas.constants import FACTOR

@compile_function()
def twice(x):
    return x * 2
"""
CALL = (
    "from superposition_atlas.kernel import kernel; print(kernel(1), sum(kernel.stats.cache_hits.values()))"
)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of one kernel, the function that it calls, and a constant of a third module."""
    package = tmp_path / "superposition_atlas"
    for name in ("backends/numba_cache.py", "backends/progress.py", "storage/code_digest.py", "errors.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SOURCE / name, package / name)
    for folder in (package, package / "backends", package / "storage"):
        (folder / "__init__.py").touch()
    (package / "kernel.py").write_text(KERNEL)
    (package / "helper.py").write_text(HELPER)
    (package / "constants.py").write_text("FACTOR = 1\n")
    return package


def run(package: Path, code: str, cache: Path | str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A process that imports the package of a folder, and keeps machine code in another."""
    variables = {"PYTHONPATH": str(package.parent), "NUMBA_CACHE_DIR": str(cache)} | environment
    return subprocess.run(
        [sys.executable, "-c", code],
        env={k: v for k, v in (os.environ | variables).items() if v != "unset"},
        capture_output=True,
        text=True,
        check=False,
    )


def printed(package: Path, cache: Path | str) -> list[str]:
    """The kernel's result, and how often its machine code was found on disk."""
    done = run(package, CALL, cache)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.split()


def machine_code(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix in (".nbi", ".nbc")]


def test_what_a_kernel_calls_is_part_of_its_key(package: Path, tmp_path: Path) -> None:
    """At any depth, constants included, and back again: each state of the code has its own entry."""
    cache = tmp_path / "cache"
    assert printed(package, cache) == ["2", "0"]
    assert printed(package, cache) == ["2", "1"]
    (package / "helper.py").write_text(HELPER.replace("x * 2", "x * 3"))
    assert printed(package, cache) == ["3", "0"]
    (package / "constants.py").write_text("FACTOR = 7\n")
    assert printed(package, cache) == ["21", "0"]
    (package / "constants.py").write_text("FACTOR = 1\n")
    (package / "helper.py").write_text("# no other code\n" + HELPER.replace("x * 2", "x * 3"))
    assert printed(package, cache) == ["3", "1"]


def test_processes_that_need_the_same_compile_it_once(package: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: printed(package, tmp_path / "cache"), range(4)))
    assert sorted(results) == [["2", "0"], ["2", "1"], ["2", "1"], ["2", "1"]]
    assert len(machine_code(tmp_path / "cache")) == 1
    assert list((tmp_path / "cache").rglob("*.lock")) == []


def test_a_process_that_compiles_and_does_not_end_holds_nobody_up_for_ever(
    package: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    assert printed(package, cache) == ["2", "0"]
    (entry,) = machine_code(cache)
    entry.unlink()
    impatient = "from superposition_atlas.backends import numba_cache; numba_cache._PATIENCE = 0.5; "
    with entry.with_suffix(".lock").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        done = run(package, impatient + CALL, cache)
    assert (done.stdout, done.stderr) == ("2 0\n", "")
    assert machine_code(cache) == [entry]


def test_compiling_is_said_once_and_only_where_it_happens(package: Path, tmp_path: Path) -> None:
    """It takes seconds in which a notebook would show nothing."""
    (package / "kernel.py").write_text(
        KERNEL + KERNEL[KERNEL.index("@") :].replace("def kernel", "def other")
    )
    log = "import logging; logging.basicConfig(level=logging.INFO, format='%(message)s'); "
    call = "from superposition_atlas.kernel import kernel, other; kernel(1); kernel(1.0); other(1)"
    line = "compiles machine code for this processor, some seconds, once, and keeps it in "
    first = run(package, log + call, tmp_path / "machine")
    assert first.stderr.count("compiles machine code") == 1
    assert f"{line}{tmp_path / 'machine'}" in first.stderr
    assert run(package, log + call, tmp_path / "machine").stderr == ""
    # Nobody watches a file, and nobody asked for a log.
    assert run(package, call, tmp_path / "elsewhere").stderr == ""


def test_no_other_folder_is_taken(package: Path) -> None:
    done = run(package, CALL, "/dev/null/x")
    assert done.stdout.split() == ["2", "0"]
    assert len(done.stderr.splitlines()) == 1
    assert "/dev/null/x" in done.stderr
    assert "NUMBA_CACHE_DIR" in done.stderr
    assert machine_code(package.parent) == []


def test_the_exact_loss_follows_the_arithmetic_of_its_moments(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    package = Path(shutil.copytree(SOURCE, tmp_path / "superposition_atlas", ignore=ignored))
    code = "import superposition_atlas as sa; print(sa.exact_loss([[1.]], [.2], [1.], [.5])[0])"
    # From the cache of whoever runs the tests, where other tests have put it.
    before = run(package, code, "unset")
    moments = package / "theory/moments.py"
    text = moments.read_text()
    assert "mean * mean + variance" in text
    moments.write_text(text.replace("mean * mean + variance", "mean * mean + variance + variance"))
    after = run(package, code, tmp_path / "cache")
    assert float(before.stdout) == pytest.approx(0.04)
    assert float(after.stdout) != pytest.approx(0.04)
    assert machine_code(package) == []


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "truncated": lambda content: content[:-100],
    "changed": lambda content: content[:200] + b"?" + content[201:],
}


def test_a_damaged_entry_is_compiled_again(package: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert printed(package, cache) == ["2", "0"]
    (entry,) = machine_code(cache)
    for name, damage in DAMAGE.items():
        damaged = damage(entry.read_bytes())
        entry.write_bytes(damaged)
        assert printed(package, cache) == ["2", "0"], name
        assert entry.read_bytes() != damaged, name
    assert printed(package, cache) == ["2", "1"]


def test_a_full_disk_costs_a_warning(package: Path, tmp_path: Path) -> None:
    full = (
        "from superposition_atlas.backends import numba_cache\n"
        "from pathlib import Path\n"
        "def no_room(*a, **k): raise OSError(28, 'No space left on device')\n"
        "Path.replace = no_room\n"
    )
    done = run(package, full + CALL, tmp_path / "cache")
    assert done.stdout.split() == ["2", "0"]
    assert len(done.stderr.splitlines()) == 1
    assert "No space left on device" in done.stderr
    assert str(tmp_path / "cache") in done.stderr
    assert list((tmp_path / "cache").rglob("*.nbc*")) == []


def test_without_a_home_kernels_are_compiled_all_the_same(package: Path) -> None:
    code = "from pathlib import Path\ndef home(): raise RuntimeError('Could not determine home directory.')\n"
    code += f"Path.home = home\n{CALL}"
    done = run(package, code, "unset", HOME="unset", XDG_CACHE_HOME="unset")
    assert done.stdout.split() == ["2", "0"]
    assert "home directory" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_file_that_changed_after_it_was_loaded_is_no_key(package: Path, tmp_path: Path) -> None:
    """Else the machine code of the old file would be kept under the digest of the new one."""
    change = (
        "from superposition_atlas.kernel import kernel\nfrom pathlib import Path\n"
        f"path = Path({str(package / 'helper.py')!r})\n"
        "path.write_text(path.read_text().replace('x * 2', 'x * 3'))\nprint(kernel(1))\n"
    )
    assert run(package, change, tmp_path / "cache").stdout.split() == ["2"]
    assert printed(package, tmp_path / "cache") == ["3", "0"]


def test_functions_of_others_keep_the_cache_of_numba(package: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs.py").write_text(
        "import numba\n@numba.njit(cache=True)\ndef mine(x):\n    return x + 1\n"
        "print(mine(1), mine.stats.cache_path)\n"
    )
    code = "import superposition_atlas.kernel, theirs, numba; print(repr(numba.config.CACHE_DIR))"
    number, where, configured = run(package, code, "unset").stdout.split()
    assert (number, Path(where).name, configured) == ("2", "__pycache__", "''")


def test_disabled_compilation_is_one_line(package: Path, tmp_path: Path) -> None:
    done = run(package, CALL, tmp_path / "cache", NUMBA_DISABLE_JIT="1")
    assert done.returncode != 0
    assert "DeviceError: NUMBA_DISABLE_JIT is set: must be 0" in done.stderr.splitlines()[-1]


def test_machine_code_is_keyed_by_the_parts_of_a_kernel(package: Path, tmp_path: Path) -> None:
    """By what they are made from: another constant, or an edit of their module, is another kernel."""
    part = """
from superposition_atlas.backends.numba_cache import compile_part

def scaled_by(factor):
    @compile_part
    def scaled(x):
        return x * factor
    return scaled
"""
    (package / "part.py").write_text(part)
    (package / "kernel.py").write_text(
        """
from superposition_atlas.backends.numba_cache import compile_kernel
from superposition_atlas.part import scaled_by

def made_for(factor):
    scaled = scaled_by(factor)
    @compile_kernel()
    def kernel(x):
        return scaled(x)
    return kernel
"""
    )

    def answer(factor: int) -> str:
        code = (
            f"from superposition_atlas.kernel import made_for; kernel = made_for({factor}); "
            "print(kernel(1), sum(kernel.stats.cache_hits.values()))"
        )
        return run(package, code, tmp_path / "cache").stdout.strip()

    assert [answer(2), answer(3), answer(2)] == ["2 0", "3 0", "2 1"]
    (package / "part.py").write_text(part.replace("x * factor", "x * factor + 1"))
    assert [answer(2), answer(2)] == ["3 0", "3 1"]
