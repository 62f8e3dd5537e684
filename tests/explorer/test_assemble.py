"""Putting the page together: modules, policy, data."""

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from superposition_atlas.explorer import assemble
from superposition_atlas.explorer.notebook import data_of

from tests.explorer.conftest import HOSTILE, small_data


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(assemble, "page_folder", lambda: tmp_path)
    return tmp_path


def test_the_policy_admits_the_one_script_and_the_one_style() -> None:
    html = assemble.page(small_data(HOSTILE))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)[1]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "'unsafe-eval'" not in policy
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert len(re.findall(r"<script", html)) == 3  # the program, its workers' and the data
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", html.split("<script")[0])


def test_data_come_back_whatever_they_say(tmp_path: Path) -> None:
    data = small_data(HOSTILE)
    path = tmp_path / "explorer.html"
    path.write_text(assemble.page(data), "utf-8")
    assert data_of(path) == json.loads(json.dumps(data))


def test_the_same_data_give_the_same_bytes() -> None:
    assert assemble.page(small_data()) == assemble.page(small_data())


def test_a_page_that_is_too_large_is_refused() -> None:
    with pytest.raises(assemble.PageError, match=r"must have 8,388,608 at most"):
        assemble.page(small_data("x" * 5_000_000))


def test_modules_stand_after_what_they_need_and_once(folder: Path) -> None:
    (folder / "parts").mkdir()
    (folder / "main.js").write_text(
        'import { one as first } from "./parts/a.js";\nimport { two } from "./parts/b.js";\nfirst(two);\n'
    )
    (folder / "parts/a.js").write_text(
        'import { two } from "./b.js";\nexport function one() { return two; }\n'
    )
    (folder / "parts/b.js").write_text("export const two = 2, three = 3;\n")
    script = assemble.bundle("main.js")
    assert re.findall("^// (.+)$", script, re.MULTILINE) == ["parts/b.js", "parts/a.js", "main.js"]
    assert "const { one: first } = m1;" in script
    assert "return { one };" in script


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("export default 1;\n", "no import or export of an allowed form"),
        ('import x from "./a.js";\n', "no import or export of an allowed form"),
        ('import { x } from "./main.js";\n', "its imports lead back to it"),
        ("// </script>\n", "would end early"),
    ],
)
def test_modules_of_another_form_are_refused(folder: Path, source: str, message: str) -> None:
    (folder / "main.js").write_text(source)
    with pytest.raises(assemble.PageError, match=message):
        assemble.bundle("main.js")


def test_files_are_small() -> None:
    for name in assemble.page_files():
        assert len((assemble.page_folder() / name).read_text("utf-8").splitlines()) <= 400, name
