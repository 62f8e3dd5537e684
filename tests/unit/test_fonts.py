"""Titles in any script: from the machine's fonts where the figures' lacks them, or the log names the lack."""

import logging
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from superposition_atlas.figures.parts import fonts, style


def titled(title: str) -> Figure:
    figure = Figure()
    figure.suptitle(title)
    return figure


def saved(figure: Figure, path: Path) -> bytes:
    with style.applied():
        style.save(figure, path, {})
    return path.read_bytes()


def title_families(figure: Figure) -> list[str]:
    (title,) = [text for text in figure.findobj(Text) if text.get_text() == figure.get_suptitle()]
    return list(title.get_fontfamily())


def test_what_the_font_has_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    figure = titled("Sparsity, σ × κ, Ж\n$\\alpha$")
    before = title_families(figure)
    fonts.complete(figure, tmp_path / "a.svg")
    assert title_families(figure) == before
    assert caplog.text == ""


def test_characters_that_no_font_has_are_named_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "_families", lambda: ())
    caplog.set_level(logging.WARNING)
    saved(titled("稀疏"), tmp_path / "a.svg")
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{tmp_path / 'a.svg'}: no font on this machine has 疏稀")


def test_a_font_of_the_machine_is_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two families stand in for those of a machine: only the second has the character."""
    has = {fonts.FAMILY: set(map(ord, "ab")), "First": set(map(ord, "x")), "Second": set(map(ord, "疏"))}
    monkeypatch.setattr(fonts, "_families", lambda: ("First", "Second"))
    monkeypatch.setattr(fonts, "_characters", has.__getitem__)
    figure = titled("a疏")
    fonts.complete(figure, tmp_path / "a.svg")
    assert title_families(figure) == [fonts.FAMILY, "Second"]
    assert caplog.text == ""
