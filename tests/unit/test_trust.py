"""Nothing that a user or a stranger hands in is ever run: not by the package, not by the workflow's rules."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from superposition_atlas.report import markup

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "workflow" / "src" / "superposition_atlas"
PACKAGE = sorted(SOURCE.rglob("*.py"))
RULES = [ROOT / "Snakefile", *sorted((ROOT / "workflow" / "rules").glob("*.smk"))]
TEMPLATES = sorted((ROOT / "workflow" / "report").glob("*.typ"))

UNTRUSTED_FORMATS = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "shelve",
    "yte",
}
PROCESSES = {"subprocess", "pty", "commands", "multiprocessing"}
NETWORK = {
    *("socket", "ssl", "http", "urllib", "ftplib", "smtplib", "requests", "httpx", "aiohttp", "fsspec"),
    *("huggingface_hub", "datasets", "wandb"),
}
MAY_IMPORT = {
    # Machine code as numba itself stores it, read from the user's own cache folder after a checksum.
    "backends/numba_cache.py": {"pickle"},
    "explorer/notebook.py": {"urllib.parse.parse_qs"},
    "backends/gpu_failures.py": {"subprocess.CalledProcessError"},
    # Sockets between processes of one user; see below.
    "cli/fork_request.py": {"socket"},
    "cli/fork_server.py": {"socket"},
    "plan/forks.py": {"socket", "subprocess"},
    # git, which says which commit the report was made from.
    "report/citation.py": {"subprocess"},
}
MAY_CALL = {
    # A file that the user names as code of their own.
    "sae/architectures/registry.py": ["spec.loader.exec_module"],
}
EXECUTES = {"eval", "exec", "compile", "__import__", "execfile"}
METHODS = {
    *("system", "popen", "spawnl", "spawnv", "execv", "execve", "execl", "execlp", "execvp", "posix_spawn"),
    *("read_pickle", "to_pickle", "unsafe_load", "full_load", "load_module", "exec_module"),
}


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def imported(tree: ast.AST) -> set[str]:
    """Full names: `urllib.parse.parse_qs` of `from urllib.parse import parse_qs`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def untrusted(tree: ast.AST) -> set[str]:
    """What a module imports that could run what it reads, start a process or reach a network."""
    return {name for name in imported(tree) if name.split(".")[0] in UNTRUSTED_FORMATS | PROCESSES | NETWORK}


def what_runs_things(tree: ast.AST) -> list[str]:
    """Calls that could run what they are given, by their names."""
    found = []
    for call in calls(tree):
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        if isinstance(call.func, ast.Name) and call.func.id in EXECUTES:
            found.append(call.func.id)
        if isinstance(call.func, ast.Attribute):
            owner = ast.unparse(call.func.value)
            name = call.func.attr
            if (name in METHODS and owner != "platform") or f"{owner}.{name}" in (
                "torch.load",
                "np.load",
                "numpy.load",
                "yaml.load_all",
            ):
                found.append(f"{owner}.{name}")
            if f"{owner}.{name}" == "yaml.load" and "Loader" not in keywords:
                found.append("yaml.load")
        for name in ("shell", "allow_pickle"):
            value = keywords.get(name)
            if value is not None and not (isinstance(value, ast.Constant) and value.value is False):
                found.append(f"{name}=")
    return found


@pytest.mark.parametrize(
    "hostile",
    [
        "eval(text)",
        "exec(text)",
        "import os; os.system(text)",
        "subprocess.run(text, shell=True)",
        "np.load(path, allow_pickle=True)",
        "torch.load(path)",
        "yaml.load(text)",
        "__import__(name)",
    ],
)
def test_what_runs_things_is_found(hostile: str) -> None:
    assert what_runs_things(ast.parse(hostile))


@pytest.mark.parametrize("name", ["import pickle", "from pickle import loads", "import urllib.request"])
def test_imports_are_found(name: str) -> None:
    assert untrusted(ast.parse(name))


def test_the_package_runs_nothing_it_is_given_and_speaks_to_nobody() -> None:
    assert len(PACKAGE) > 100
    for path in PACKAGE:
        tree = ast.parse(path.read_bytes())
        place = path.relative_to(SOURCE).as_posix()
        assert untrusted(tree) == MAY_IMPORT.get(place, set()), path
        assert what_runs_things(tree) == MAY_CALL.get(place, []), path


def test_yaml_is_read_as_data_alone() -> None:
    """The one loader there is: YAML's safe subset, with no constructor of its own but one for mappings."""
    loaders = [
        ast.unparse(keyword.value)
        for path in PACKAGE
        for call in calls(ast.parse(path.read_bytes()))
        if ast.unparse(call.func) == "yaml.load"
        for keyword in call.keywords
    ]
    assert loaders == ["_Loader"]
    import yaml
    from superposition_atlas.config.yaml_file import _Loader

    assert issubclass(_Loader, yaml.SafeLoader)
    assert _Loader.yaml_constructors.keys() == yaml.SafeLoader.yaml_constructors.keys()
    assert _Loader.yaml_multi_constructors == yaml.SafeLoader.yaml_multi_constructors


def test_sockets_reach_no_network() -> None:
    made = {
        ast.unparse(call)
        for path in PACKAGE
        for call in calls(ast.parse(path.read_bytes()))
        if ast.unparse(call.func) in ("socket.socket", "socket.create_connection", "socket.create_server")
    }
    assert made == {"socket.socket(socket.AF_UNIX)", "socket.socket(fileno=descriptor)"}


def test_modules_that_are_imported_by_name_are_the_packages_own() -> None:
    named = {
        (path.name, ast.unparse(call.args[0]))
        for path in PACKAGE
        for call in calls(ast.parse(path.read_bytes()))
        if ast.unparse(call.func).endswith("import_module")
    }
    # The module with an architecture's gradient, which the kernel's maker hands on.
    named.remove(("fused_form.py", "self.gradient"))
    # A module of the user's that an environment variable names.
    named.remove(("external_saes.py", "module_name"))
    # What forks of the very process have imported.
    named.remove(("fork_server.py", "module"))
    assert named
    for file, argument in named:
        assert re.match(r"""f?['"](superposition_atlas\.|\{__name__\}\.)""", argument), (file, argument)


def test_rules_run_no_python_of_their_own_and_quote_what_they_pass_on() -> None:
    """Every value in a shell command is quoted (:q), or is a number or a name that a pattern has checked."""
    plain = {
        "threads",
        "params.engine",
        "params.device",
        "params.module",
        "params.shards",
        "params.n_starts",
        "params.shown_seeds",
        "params.part",
        "params.schedules",
        "params.points",  # these three are paths of shards, which bash is to write out
        "params.weights",
        "params.solutions",
        "wildcards.experiment",
        "wildcards.shard",
        "wildcards.paper",
    }
    # What `braces` gives is quoted already, where it needs to be.
    in_braces = {
        f"params.{name}"
        for path in RULES
        for name in re.findall(r"(\w+)=braces\.input_in_braces\(", path.read_text(encoding="utf-8"))
    }
    for path in RULES:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(run|script|notebook|wrapper|configfile):", text, re.MULTILINE), path
        assert not re.search(r"\b(eval|exec|os\.system|pickle|subprocess)\b", text), path
        for command in re.findall(r"^ +shell:\n((?: +[#\"].*\n)+)", text, re.MULTILINE):
            for field in re.findall(r"(?<!\{)\{([^{}]+)\}", command):
                assert field.endswith(":q") or field in plain | in_braces, (path, field)


def test_the_reports_template_evaluates_formulas_alone() -> None:
    """Its one eval is in maths mode, of formulas that the package has; see the next test."""
    for path in TEMPLATES:
        text = path.read_text(encoding="utf-8").replace('eval(run.typst, mode: "math")', "")
        assert not re.search(r"\beval\(|\bplugin\(", text), path


@given(st.text(alphabet="$*`[]<>\\\n@#ab", max_size=12))
def test_a_users_text_is_no_formula(text: str) -> None:
    assert {run["kind"] for run in markup.runs(markup.literal(text))} <= {"text"}
    assert markup.plain(markup.literal(text)) == text


def test_the_report_runs_git_alone() -> None:
    tree = ast.parse((SOURCE / "report/citation.py").read_bytes())
    processes = [call for call in calls(tree) if ast.unparse(call.func).startswith("subprocess.")]
    assert [ast.unparse(call.func) for call in processes] == ["subprocess.run"]
    command = processes[0].args[0]
    assert isinstance(command, ast.List)
    assert ast.unparse(command.elts[0]) == "'git'"
    assert "shell" not in {keyword.arg for keyword in processes[0].keywords}
