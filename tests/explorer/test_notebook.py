"""sa.explore(): the page in a frame, and the way back to a Schedule."""

import json
from html import unescape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import superposition_atlas as sa
from superposition_atlas.errors import AtlasError
from superposition_atlas.explorer import assemble, notebook
from superposition_atlas.explorer.notebook import Explorer, fragment_of, schedule_of

from tests.explorer.browser import in_chromium, opened
from tests.explorer.conftest import small_data

SCHEDULE = sa.schedules.geometric(4, 0.7, 0.0123456789, importance=0.9)


@pytest.fixture
def without_anywidget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "anywidget", None)


def chromium_only(test: Any) -> Any:
    for mark in in_chromium:
        test = mark(test)
    return test


def test_a_schedule_comes_back_from_its_link_exactly() -> None:
    fragment = fragment_of(SCHEDULE, 2)
    for link in (fragment, f"file:///explorer.html#{fragment}&steps=10", f"about:srcdoc#{fragment}"):
        back = schedule_of(link)
        assert np.array_equal(back.importance, SCHEDULE.importance)
        assert np.array_equal(back.probability, SCHEDULE.probability)


@pytest.mark.parametrize("link", ["", "file:///x.html", "#I=1,1&p=0,2", "#I=1&p=a", "#I=1,1"])
def test_a_link_without_a_schedule_is_refused_in_a_line(link: str) -> None:
    with pytest.raises(AtlasError, match="holds no schedule"):
        schedule_of(link)


def test_a_schedule_that_the_page_can_t_hold_is_refused() -> None:
    with pytest.raises(AtlasError, match="must have 2 to 12"):
        sa.explore(sa.schedules.uniform(13, 0.1))
    with pytest.raises(AtlasError, match="n_hidden is 4"):
        sa.explore(SCHEDULE, n_hidden=4)
    with pytest.raises(AtlasError, match="differs between instances"):
        sa.explore(sa.schedules.explicit(np.ones((2, 3)), [[0.1, 0.1, 0.1], [0.2, 0.2, 0.2]]))


def test_results_must_be_a_page_of_the_explorer(tmp_path: Path) -> None:
    with pytest.raises(AtlasError, match="No such file"):
        sa.explore(results=tmp_path / "none.html")
    (tmp_path / "other.html").write_text("<p>")
    with pytest.raises(AtlasError, match="is no page of the explorer"):
        sa.explore(results=tmp_path / "other.html")


@pytest.mark.usefixtures("without_anywidget")
def test_without_anywidget_the_page_is_shown_in_a_frame(tmp_path: Path) -> None:
    (tmp_path / "explorer.html").write_text(assemble.page(small_data()), "utf-8")
    shown = sa.explore(SCHEDULE, n_hidden=1, results=tmp_path / "explorer.html", height=500)
    assert isinstance(shown, Explorer)
    frame = shown._repr_html_()
    assert unescape(frame.split('srcdoc="')[1].split('" title=')[0]) == shown.html
    assert "height: 500px" in frame
    shown.save(tmp_path / "again.html")
    data = notebook.data_of(tmp_path / "again.html")
    assert data["fragment"] == fragment_of(SCHEDULE, 1)
    assert data["atlas"]["title"] == "A title"


@chromium_only
@pytest.mark.usefixtures("without_anywidget")
def test_the_frame_is_set_to_the_schedule_and_trains(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><body>{sa.explore(SCHEDULE)._repr_html_()}", "utf-8")
    with opened(browser, path) as tab:
        frame = next(frame for frame in tab.page.frames if frame != tab.page.main_frame)
        frame.wait_for_selector("[data-ready=true]")
        assert frame.evaluate("() => explorer.store.values.probability") == SCHEDULE.probability.tolist()
        frame.click("#step")
        frame.wait_for_selector("#step-count:has-text('1 of')")
        assert not [message for message in tab.messages if message.startswith("error")]


@chromium_only
def test_the_widget_tells_its_notebook_what_is_set(browser: Any, tmp_path: Path) -> None:
    html = assemble.page({**small_data(), "fragment": fragment_of(SCHEDULE, 2), "listener": "a token"})
    module = (assemble.page_folder() / "widget.js").read_text("utf-8")
    widget = module.replace("export default", "const widget =")
    text = json.dumps(html).replace("<", "\\u003c")
    path = tmp_path / "widget.html"
    path.write_text(
        f"""<!doctype html><body><script>{widget}
        window.values = {{html: {text}, height: 700, listener: "a token", fragment: ""}};
        window.saved = 0;
        const model = {{
          get: (name) => values[name], set: (name, value) => {{ values[name] = value; }},
          save_changes: () => {{ saved += 1; }},
        }};
        widget.render({{model, el: document.body}});
        </script>""",
        "utf-8",
    )
    with opened(browser, path) as tab:
        tab.until("() => window.saved > 0")
        assert np.array_equal(schedule_of(tab.run("() => values.fragment")).probability, SCHEDULE.probability)
        frame = next(frame for frame in tab.page.frames if frame != tab.page.main_frame)
        frame.click("#reverse")
        tab.until("() => window.saved > 1")
        now = schedule_of(tab.run("() => values.fragment")).probability
        assert np.array_equal(now, SCHEDULE.probability[::-1])
        # What others say is not heard.
        tab.run("() => window.postMessage({listener: 'a token', fragment: 'no'}, '*')")
        frame.evaluate("() => parent.postMessage({listener: 'another', fragment: 'no'}, '*')")
        frame.click("#reverse")
        tab.until("() => window.saved > 2")
        assert tab.run("() => window.saved") == 3


@pytest.mark.skipif(find_spec("anywidget") is None, reason="anywidget (the extra `notebook`) is missing")
def test_the_widget_s_schedule_follows_the_page() -> None:
    widget = sa.explore(SCHEDULE, n_hidden=2)
    assert np.array_equal(widget.schedule.probability, SCHEDULE.probability)
    widget.fragment = fragment_of(sa.schedules.uniform(3, 0.25), 1)
    assert widget.schedule.probability.tolist() == [0.25] * 3
    assert widget.listener in widget.html
