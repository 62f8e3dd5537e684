"""The explorer in headless Chromium: steps a second, the first picture, frames while eight seeds train.

    python benchmarks/explorer.py                                   # a page without an atlas, a minute
    python benchmarks/explorer.py --page results/explorer.html --json benchmarks/results/explorer-cpu.json

*WebAssembly* and *plain*: training 5 → 2 at batch 1024 in one worker, in turns; the most of the turns counts,
for other work on the machine only takes away. *First picture*: from the navigation until the eight untrained
toy models are drawn, loading and parsing included. *Frames*: of requestAnimationFrame over some seconds while
eight seeds train as fast as they go. Needs Debian's chromium-headless-shell and playwright.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import measuring
from superposition_atlas.explorer.assemble import page
from superposition_atlas.explorer.gather import page_data

_SPEED = """async ({plain, steps, turns}) => {
  const worker = explorer.makeWorker();
  const ask = (message) => new Promise((resolve) => {
    worker.onmessage = ({data}) => resolve(data);
    worker.postMessage({id: 1, ...message});
  });
  const settings = {
    importance: [1, .9, .81, .729, .6561], probability: [.9, .7, .5, .3, .1],
    m: 2, batchSize: 1024, learningRate: 1e-3, initScale: .2, plain,
  };
  await ask({kind: "toys", seeds: [0], settings});
  await ask({kind: "advance", steps: 300, milliseconds: 1e9});
  const rates = [];
  for (let turn = 0; turn < turns; turn += 1) {
    const start = performance.now();
    await ask({kind: "advance", steps, milliseconds: 1e9});
    rates.push(1000 * steps / (performance.now() - start));
  }
  worker.terminate();
  return rates;
}"""
_FRAMES = """async (seconds) => {
  explorer.store.set({steps: 100000, seeds: 8});
  explorer.training.reset();
  explorer.training.play();
  await new Promise((resolve) => setTimeout(resolve, 500));
  const from = explorer.training.ensemble.step, start = performance.now();
  let frames = 0, longest = 0, last = start;
  await new Promise((resolve) => {
    const count = (now) => {
      frames += 1;
      longest = Math.max(longest, now - last);
      last = now;
      if (now - start < 1000 * seconds) requestAnimationFrame(count);
      else resolve();
    };
    requestAnimationFrame(count);
  });
  const elapsed = (performance.now() - start) / 1000, steps = explorer.training.ensemble.step - from;
  explorer.training.ensemble.pause();
  const rates = {frames_a_second: frames / elapsed, steps_a_second_of_eight: steps / elapsed};
  return {...rates, longest_frame_ms: longest};
}"""
_DRAWN = """() => new Promise((resolve) => {
  const look = () => {
    const canvas = document.querySelector("#seeds-grid canvas");
    const ready = canvas && canvas.width > 0 && explorer.training.ensemble.ready;
    const pixels = ready ? canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data : [];
    if (pixels.some((value) => value !== 0)) resolve(performance.now());
    else requestAnimationFrame(look);
  };
  look();
})"""


def measure(path: Path, seconds: float, turns: int) -> dict[str, Any]:
    """All three, of a page."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if chromium is None:
        sys.exit("error: Chromium is missing; install Debian's chromium-headless-shell")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        pictures = []
        for _ in range(turns):
            tab = browser.new_page(viewport={"width": 1440, "height": 900})
            tab.goto(path.as_uri())
            pictures.append(tab.evaluate(_DRAWN))
            tab.close()
        tab = browser.new_page(viewport={"width": 1440, "height": 900})
        tab.goto(path.as_uri())
        tab.evaluate(_DRAWN)
        rates: dict[str, list[float]] = {"webassembly": [], "plain": []}
        for _ in range(turns):
            for name, found in rates.items():
                steps = {"webassembly": 20_000, "plain": 5_000}[name] * seconds
                found += tab.evaluate(
                    _SPEED, {"plain": name == "plain", "steps": max(10, round(steps)), "turns": 1}
                )
        frames = tab.evaluate(_FRAMES, 3 * seconds)
        version = browser.version
        browser.close()
    return {
        "browser": f"Chromium {version}",
        "page_bytes": path.stat().st_size,
        "steps_a_second": {name: round(max(found)) for name, found in rates.items()},
        "first_picture_ms": {
            "median": round(statistics.median(pictures), 1),
            "least": round(min(pictures), 1),
        },
        "eight_seeds": {name: round(value, 1) for name, value in frames.items()},
    }


def main() -> None:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument("--page", type=Path, help="a page of the workflow; default: one without an atlas")
    parser.add_argument("--seconds", type=float, default=1.0, help="about, of each turn")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.page
        if path is None:
            path = Path(folder) / "explorer.html"
            path.write_text(page(page_data([], None, "benchmark")), "utf-8")
        record = measuring.machine(threads=1) | measure(path.resolve(), arguments.seconds, arguments.turns)
    measuring.write(record, arguments.json)


if __name__ == "__main__":
    main()
