"""Debian's Chromium, driven by playwright: what the tests of the explorer's page share."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")

try:
    from playwright.sync_api import sync_playwright
except ImportError:
    sync_playwright = None

MISSING = (
    "playwright is not installed (the extra `browser`)"
    if sync_playwright is None
    else "Chromium is not installed (Debian's chromium-headless-shell)"
    if CHROMIUM is None
    else ""
)
in_chromium = [
    pytest.mark.explorer,
    pytest.mark.xdist_group("explorer"),
    pytest.mark.skipif(bool(MISSING), reason=MISSING),
]


@dataclass
class Tab:
    """A page, and what it has said and asked for since it was opened."""

    page: Any
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda message: self.messages.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.messages.append(f"error: {error}"))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def run(self, script: str, argument: Any = None) -> Any:
        """What a function in JavaScript returns (its promise's value)."""
        return self.page.evaluate(script, argument)

    def until(self, script: str, seconds: float = 30.0) -> Any:
        """Waits until a function returns something true (wait_for_function needs eval, forbidden here)."""
        stop = monotonic() + seconds
        while not (value := self.page.evaluate(script)):
            assert monotonic() < stop, f"after {seconds} s still not: {script}"
            sleep(0.02)
        return value


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser."""
    with sync_playwright() as driver:
        # Root has no sandbox of its own; the page under test is ours.
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Any, path: Path, fragment: str = "", **options: Any) -> Iterator[Tab]:
    """A file in a tab of its own context, opened from disk."""
    context = browser.new_context(**options)
    try:
        tab = Tab(context.new_page())
        tab.page.set_default_timeout(10_000)
        tab.page.goto(path.as_uri() + fragment)
        yield tab
    finally:
        context.close()
