"""The page as somebody uses it: every control, in one tab. Messages and requests are looked at in the end."""

import re
from pathlib import Path
from typing import Any

import pytest
from superposition_atlas.explorer.assemble import page
from superposition_atlas.explorer.notebook import schedule_of

from tests.explorer.browser import Tab, in_chromium, opened
from tests.explorer.conftest import HOSTILE, small_data

pytestmark = in_chromium

VALUES = "() => structuredClone(explorer.store.values)"
STEP = "() => explorer.training.ensemble.step"
DRIVEN = {
    "tour-start", "theme", "preset", "n-features", "n-hidden", "reverse", "shuffle", "flatten", "initScale",
    "learningRate", "batchSize", "steps", "seeds", "firstSeed", "copy-link", "copy-python", "play", "step",
    "step-many", "reset", "speed", "turn", "map-layer", "map-family", "map-ratio", "sae-play", "sae-step",
    "sae-reset", "sae-speed", "sae-architecture", "sae-latents", "sae-lambda", "sae-k", "sae-resampling",
    "sae-steps", "tour-close", "tour-back", "tour-next", "copy-text",
}  # fmt: skip
"""By id: the controls that some test here uses. Those without an id are made from data."""


@pytest.fixture(autouse=True)
def small_and_fast(tab: Tab) -> None:
    """Each test begins with the schedule of the link, untrained."""
    tab.run(
        """() => {
          explorer.store.set({
            importance: [1, .9, .81, .729, .6561], probability: [.5, .3, .2, .1, .05], m: 2, initScale: .2,
            learningRate: .01, batchSize: 64, steps: 300, seeds: 8, firstSeed: 0, chosen: 0,
          });
          explorer.training.setPace("most");
          explorer.training.reset();
        }"""
    )
    tab.until("() => explorer.training.ensemble.ready")


def click(tab: Tab, control: str) -> None:
    tab.page.click(f"#{control}")


def test_no_control_is_left_out(tab: Tab) -> None:
    ids = tab.run(
        """() => [...document.querySelectorAll("button, input, select, textarea, a, [role=slider], summary")]
          .map((control) => control.id || (control.closest("[id]") ?? {id: ""}).id)"""
    )
    made_from_data = {
        "importance-bars", "probability-bars", "seeds-grid", "excess", "borders", "map-panels", "tour-dots",
        "training-settings", "copy-dialog",
    }  # fmt: skip
    assert {name for name in ids if name} - made_from_data == DRIVEN


def test_play_trains_to_the_end_pauses_and_begins_again(tab: Tab) -> None:
    click(tab, "play")
    tab.until("() => explorer.training.ensemble.finished")
    tab.until("() => document.getElementById('play').textContent === 'Again'")
    assert tab.page.inner_text("#step-count") == "300 of 300 steps"
    assert tab.page.is_disabled("#step")
    assert re.search(r"represented: \d in \d seeds?", tab.page.inner_text("#kept-summary"))
    tab.page.select_option("#speed", "1")
    click(tab, "play")
    tab.until("() => explorer.training.ensemble.step > 2")
    assert tab.page.inner_text("#play") == "Pause"
    click(tab, "play")
    tab.until("() => !explorer.training.ensemble.playing")
    stopped = tab.run(STEP)
    assert 2 < stopped < 300
    tab.page.select_option("#speed", "50")
    click(tab, "reset")
    tab.until("() => explorer.training.ensemble.ready && explorer.training.ensemble.step === 0")


def test_single_steps_are_single_steps(tab: Tab) -> None:
    click(tab, "step")
    tab.until("() => explorer.training.ensemble.step === 1")
    click(tab, "step-many")
    tab.until("() => explorer.training.ensemble.step === 101")
    weights = tab.run("() => explorer.training.ensemble.models.map(({W}) => Array.from(W))")
    assert len({tuple(values) for values in weights}) == 8
    # The same steps in one go: a pause changes nothing.
    again = tab.run(
        """() => {
          const {importance, probability, m, batchSize, learningRate, initScale} = explorer.store.values;
          const settings = {importance, probability, m, batchSize, learningRate, initScale};
          const model = new explorer.ToyModel(3, settings);
          for (let k = 0; k < 101; k += 1) model.advance();
          return Array.from(model.W);
        }"""
    )
    assert again == weights[3]


def test_a_chosen_seed_is_shown_closely(tab: Tab) -> None:
    tab.page.click("#seeds-grid button:nth-child(4)")
    tab.until("() => document.getElementById('close-title').textContent === 'Seed 3'")
    assert tab.page.get_attribute("#seeds-grid button:nth-child(4)", "aria-pressed") == "true"
    click(tab, "step-many")
    tab.until("() => document.querySelectorAll('#excess .excess-dot').length === 8")
    tab.page.click("#excess .excess-dot >> nth=6")
    tab.until("() => document.getElementById('close-title').textContent === 'Seed 6'")
    assert tab.page.locator("#norms tr").count() == 5


def test_bars_are_dragged_and_moved_by_keys(tab: Tab) -> None:
    box = tab.page.locator("#probability-bars .bars-columns").bounding_box()
    tab.page.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + box["height"] * 0.5)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] * 0.5, steps=12)
    tab.page.mouse.up()
    p = tab.run(VALUES)["probability"]
    assert max(p) == pytest.approx(min(p), rel=0.02)
    assert p[0] == pytest.approx(0.0316, rel=0.1)  # the middle of .001 to 1
    bar = tab.page.locator("#importance-bars [role=slider]").nth(2)
    before = float(bar.get_attribute("aria-valuenow"))
    bar.focus()
    tab.page.keyboard.press("ArrowUp")
    assert float(bar.get_attribute("aria-valuenow")) > before
    tab.page.keyboard.press("Home")
    assert tab.run(VALUES)["importance"][2] == 0
    tab.page.keyboard.press("End")
    assert tab.run(VALUES)["importance"][2] == 2
    tab.page.keyboard.press("PageDown")
    assert tab.run(VALUES)["importance"][2] == pytest.approx(1.8)


def test_buttons_reorder_the_probabilities(tab: Tab) -> None:
    click(tab, "reverse")
    assert tab.run(VALUES)["probability"] == [0.05, 0.1, 0.2, 0.3, 0.5]
    click(tab, "shuffle")
    assert sorted(tab.run(VALUES)["probability"]) == [0.05, 0.1, 0.2, 0.3, 0.5]
    click(tab, "flatten")
    assert tab.run(VALUES)["probability"] == pytest.approx([0.23] * 5)


def test_presets_and_sizes(tab: Tab) -> None:
    tab.page.select_option("#preset", label="linear .9 → .1, aligned")
    assert tab.run(VALUES)["probability"] == pytest.approx([0.9, 0.7, 0.5, 0.3, 0.1])
    tab.page.select_option("#preset", "p:0")
    values = tab.run(VALUES)
    assert (values["probability"], values["m"], values["steps"]) == ([0.5, 0.25, 0.125], 1, 200)
    assert values["initScale"] == "xavier"
    assert tab.page.input_value("#preset") == "p:0"
    click(tab, "reverse")
    assert tab.page.input_value("#preset") == ""
    tab.page.fill("#n-features", "12")
    tab.page.dispatch_event("#n-features", "change")
    assert len(tab.run(VALUES)["importance"]) == 12
    tab.page.select_option("#n-hidden", "3")
    tab.until("() => explorer.training.ensemble.ready")
    assert tab.page.is_visible("#turn")
    tab.page.locator("#turn").fill("1.5")
    assert tab.run("() => explorer.training.turn") == 1.5
    click(tab, "step-many")
    tab.until("() => explorer.training.ensemble.step === 100")
    tab.until("() => explorer.training.losses.length === 8")
    assert not tab.run("() => explorer.training.exact")  # twelve features: held-out samples
    tab.page.fill("#n-features", "2")
    tab.page.dispatch_event("#n-features", "change")
    assert len(tab.run(VALUES)["importance"]) == 2


@pytest.mark.parametrize(
    ("field", "good", "value", "bad"),
    [
        ("initScale", "unit", "unit", "wide"),
        ("learningRate", "0.002", 0.002, "0"),
        ("batchSize", "100", 100, "1.5"),
        ("steps", "150", 150, "many"),
        ("seeds", "3", 3, "17"),
        ("firstSeed", "40", 40, "-1"),
    ],
)
def test_fields_take_what_is_allowed_and_refuse_the_rest(
    tab: Tab, field: str, good: str, value: Any, bad: str
) -> None:
    tab.run("() => { document.getElementById('training-settings').open = true; }")
    tab.page.fill(f"#{field}", good)
    tab.page.dispatch_event(f"#{field}", "change")
    assert tab.run(VALUES)[field] == value
    tab.page.fill(f"#{field}", bad)
    tab.page.dispatch_event(f"#{field}", "change")
    assert tab.run(VALUES)[field] == value
    assert tab.page.get_attribute(f"#{field}", "aria-invalid") == "true"
    tab.until("() => explorer.training.ensemble.ready")
    assert tab.page.locator("#seeds-grid button").count() == (3 if field == "seeds" else 8)


def test_links_carry_what_is_set(tab: Tab, browser: Any, page_file: Path) -> None:
    click(tab, "reverse")
    tab.until("() => location.hash.includes('p=0.05,0.1')")
    link = tab.run("() => location.href")
    schedule = schedule_of(link)
    assert schedule.probability.tolist() == [0.05, 0.1, 0.2, 0.3, 0.5]
    with opened(browser, page_file, "#" + link.partition("#")[2]) as other:
        assert other.run(VALUES) == tab.run(VALUES)
    assert copied(tab, "copy-link") == link
    names: dict[str, Any] = {}
    exec(re.sub(r"^models.*$", "", copied(tab, "copy-python"), flags=re.MULTILINE), names)
    assert names["schedule"].probability.tolist() == [0.05, 0.1, 0.2, 0.3, 0.5]


def copied(tab: Tab, control: str) -> str:
    """What a button copies: the tests' browser refuses the clipboard, so the page shows it in a dialog."""
    tab.run("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')); }")
    click(tab, control)
    tab.until("() => document.getElementById('copy-dialog').open")
    text = tab.page.input_value("#copy-text")
    tab.page.click("#copy-dialog button")
    return str(text)


@pytest.mark.parametrize(
    "fragment", ["#I=1,x&p=.5,.5", "#I=1,1&p=.5", "#p=2,2&I=1,1", "#m=9&steps=1e9&scale=<b>"]
)
def test_links_that_make_no_sense_change_nothing(browser: Any, page_file: Path, fragment: str) -> None:
    with opened(browser, page_file, fragment) as other:
        values = other.run(VALUES)
        assert len(values["importance"]) == 5
        assert (values["m"], values["steps"], values["initScale"]) == (2, 10_000, 0.2)
        assert not other.messages


def test_crossing_a_border_changes_the_matching(tab: Tab) -> None:
    tab.until("() => document.querySelectorAll('#borders button').length > 0")
    before = tab.page.inner_text("#matching-words")
    tab.page.click("#borders button >> nth=0")
    tab.until(f"() => document.getElementById('matching-words').textContent !== {before!r}")


def test_a_control_keeps_its_focus_while_training_goes_on(tab: Tab) -> None:
    tab.until("() => explorer.theory.progress?.done >= explorer.theory.progress?.total")
    tab.page.focus("#borders button >> nth=1")
    tab.run("() => { explorer.store.set({steps: 20000}); explorer.training.play(); }")
    tab.until("() => explorer.training.judgedStep > 300")
    assert tab.run("() => document.activeElement.closest('#borders') !== null")
    tab.run("() => explorer.training.ensemble.pause()")


def test_the_best_known_solution_is_searched_for(tab: Tab) -> None:
    tab.until("() => explorer.theory.progress?.done >= explorer.theory.progress?.total")
    assert "of 5 represented" in tab.page.inner_text("#best-words")
    assert "descents of the exact loss" in tab.page.inner_text("#best-source")


def test_the_map_tells_and_sets_the_sliders(tab: Tab) -> None:
    tab.page.hover(".map-cell >> nth=0")
    assert "geometric" in tab.page.inner_text("#map-told")
    case = tab.page.locator(".map-cell.case")
    assert "case1" in case.get_attribute("aria-label")
    case.click()
    place = tab.run("() => explorer.atlas.find(explorer.store.values, 2)")
    assert tab.run(VALUES)["probability"] == tab.run(f"() => explorer.atlas.schedules.probability[{place}]")
    assert tab.page.locator("#stored-grid figure").count() == 3  # the best known, and two seeds
    assert tab.page.locator(".map-cell[data-here]").count() == 1
    case.focus()
    tab.page.keyboard.press("ArrowRight")
    assert tab.run("() => document.activeElement.className.includes('map-cell')")
    tab.page.keyboard.press("Enter")
    assert tab.run("() => explorer.atlas.find(explorer.store.values, 2)") != place


def test_every_layer_of_the_map_is_drawn(tab: Tab) -> None:
    for layer in range(tab.page.locator("#map-layer option").count()):
        tab.page.select_option("#map-layer", str(layer))
        assert tab.page.locator(".map-panel .map-cell").count() >= 5
        assert tab.page.locator("#map-scale .swatch").count() >= 2
    tab.page.select_option("#map-family", index=0)
    tab.page.select_option("#map-ratio", index=0)


@pytest.mark.parametrize("kind", ["relu", "topk"])
def test_an_sae_is_trained_on_the_chosen_seed(tab: Tab, kind: str) -> None:
    click(tab, "step-many")
    tab.until("() => explorer.training.ensemble.step === 100")
    tab.page.select_option("#sae-architecture", kind)
    own = "sae-k" if kind == "topk" else "sae-lambda"
    for field, value in (("sae-steps", "200"), ("sae-latents", "4"), (own, "1")):
        tab.page.fill(f"#{field}", value)
        tab.page.dispatch_event(f"#{field}", "change")
    if kind == "relu":
        tab.page.select_option("#sae-resampling", "simple")
    tab.page.select_option("#sae-speed", "20")
    click(tab, "sae-play")
    tab.until("() => explorer.saes.state && explorer.saes.state.step === 200")
    tab.until("() => document.getElementById('sae-play').textContent === 'Again'")
    assert re.fullmatch(r"\d of 4", tab.page.inner_text("#sae-dead"))
    assert tab.page.locator("#sae-recovered li").count() == tab.run(
        "() => explorer.measure(explorer.saes.toyModel.W, 5, 2).represented.filter(Boolean).length"
    )
    click(tab, "sae-reset")
    tab.until("() => explorer.saes.state && explorer.saes.state.step === 0")
    click(tab, "sae-step")
    tab.until("() => explorer.saes.state.step === 1")
    tab.page.fill("#sae-latents", "40")
    tab.page.dispatch_event("#sae-latents", "change")
    assert tab.run("() => explorer.saes.state.step") == 1  # out of range: nothing has changed
    tab.page.fill("#sae-latents", "5")
    tab.page.dispatch_event("#sae-latents", "change")
    tab.until("() => document.getElementById('sae-count').textContent === 'not begun'")


def test_the_tour_leads_through_eight_steps(tab: Tab) -> None:
    click(tab, "tour-start")
    titles = []
    for step in range(8):
        assert tab.page.inner_text("#tour-number") == f"Step {step + 1} of 8"
        titles.append(tab.page.inner_text("#tour-title"))
        assert len(tab.page.inner_text("#tour-text").split()) > 40
        assert tab.page.locator(".card.lit").count() == 1
        assert tab.run("() => document.activeElement.id") == "tour-title"
        tab.until("() => explorer.training.ensemble.ready")
        if step < 7:
            click(tab, "tour-next")
    assert len(set(titles)) == 8
    assert tab.page.inner_text("#tour-next") == "Finish"
    tab.until("() => explorer.saes.state !== null", 60)  # the last step trains an SAE when training has ended
    click(tab, "tour-back")
    assert tab.page.inner_text("#tour-number") == "Step 7 of 8"
    tab.page.click("#tour-dots button >> nth=2")
    assert tab.page.inner_text("#tour-number") == "Step 3 of 8"
    click(tab, "tour-close")
    assert not tab.page.is_visible("#tour")
    click(tab, "tour-start")
    tab.page.keyboard.press("Escape")
    assert not tab.page.is_visible("#tour")


def test_light_and_dark(tab: Tab) -> None:
    theme = "() => document.documentElement.dataset.theme"
    first, ground = tab.run(theme), tab.run("() => getComputedStyle(document.body).backgroundColor")
    click(tab, "theme")
    assert tab.run(theme) != first
    assert tab.run("() => getComputedStyle(document.body).backgroundColor") != ground
    click(tab, "theme")
    assert tab.run(theme) == first


def test_nothing_is_wider_than_a_phone(browser: Any, page_file: Path) -> None:
    for width in (360, 390, 820, 1240, 1440):
        with opened(browser, page_file, viewport={"width": width, "height": 800}) as other:
            assert other.run("() => document.documentElement.scrollWidth") <= width


def test_a_phone_has_every_control(browser: Any, page_file: Path) -> None:
    visible = """() => [...document.querySelectorAll("button, input, select")]
      .filter((control) => control.id && control.checkVisibility()).map((control) => control.id)"""
    found = []
    for width in (390, 1440):
        with opened(browser, page_file, viewport={"width": width, "height": 800}) as other:
            found.append(set(other.run(visible)))
    assert found[0] == found[1] >= {"preset", "play", "map-layer", "sae-play", "tour-start"}


def test_controls_have_names_and_keyboards_reach_them(tab: Tab) -> None:
    nameless = tab.run(
        """() => [...document.querySelectorAll("button, input, select, [role=slider], [role=img]")]
          .filter((control) => {
            const labels = [...(control.labels ?? [])].map((label) => label.textContent).join("");
            const text = control.textContent.trim() || control.title;
            return !(control.getAttribute("aria-label") || labels || text);
          }).map((control) => control.outerHTML.slice(0, 80))"""
    )
    assert nameless == []
    tab.run("() => document.body.focus()")
    tab.page.keyboard.press("Tab")
    seen = set()
    for _ in range(30):
        seen.add(tab.run("() => document.activeElement.id || document.activeElement.getAttribute('role')"))
        tab.page.keyboard.press("Tab")
    assert {"preset", "n-features", "slider", "reverse"} <= seen


def test_hostile_titles_are_text(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(page(small_data(HOSTILE)), "utf-8")
    with opened(browser, path) as other:
        other.until("() => explorer.training.ensemble.ready")
        assert other.run("() => window.hit") is None
        assert other.run("() => document.images.length") == 0
        assert other.page.locator("#preset optgroup >> nth=1").get_attribute("label") == HOSTILE
        assert other.page.text_content("#map-title") == HOSTILE
        assert not other.messages
        # And if a script got into the page by another way, the policy would not run it.
        other.run(
            """() => {
              const script = document.createElement("script");
              script.textContent = "window.hit = 1";
              document.body.append(script);
              const image = document.createElement("div");
              image.innerHTML = "<img src='data:,x' onerror='window.hit = 1'>";
              document.body.append(image);
            }"""
        )
        assert other.run("() => window.hit") is None
        refused = other.run("() => fetch('https://example.org').then(() => 'sent', () => 'refused')")
        assert refused == "refused"
        assert len(other.messages) >= 2
        assert all("Content Security Policy" in message for message in other.messages)


def test_nothing_was_complained_of_and_nothing_left_the_page(tab: Tab) -> None:
    assert tab.messages == []
    assert {url.partition(":")[0] for url in tab.requests} == {"file", "blob"}
    assert sum(url.startswith("file:") for url in tab.requests) == 1
