"""Opens pages in the Chromium of this machine, and notes what a page should not do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

# Sorts the table of a report by the column of this title. Returns how long that takes, in milliseconds.
SORT = """(title) => {
  const button = [...document.querySelectorAll("#head button")].find((each) => each.textContent === title);
  const began = performance.now();
  button.click();
  document.body.offsetHeight;  // lays the page out
  return performance.now() - began;
}"""


@dataclass
class Opened:
    """A page, with every message of its console, every error, and every request but the one for itself."""

    page: Page
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def texts(self, selector: str) -> list[str]:
        """The texts of all elements that match."""
        return [text.strip() for text in self.page.locator(selector).all_text_contents()]


@contextmanager
def browser() -> Iterator[Browser]:
    """The browser. Skips no test: see CHROMIUM."""
    with sync_playwright() as playwright:
        # Root may not have a sandbox; the pages are ours.
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()


@contextmanager
def opened(browser: Browser, path: Path, **context: Any) -> Iterator[Opened]:
    """The file `path` as a page. `context` is the screen: `color_scheme`, `viewport` and others of Playwright."""
    made = browser.new_context(**context)
    made.grant_permissions(["clipboard-read", "clipboard-write"])
    result = Opened(made.new_page())
    address = path.resolve().as_uri()
    result.page.on("console", lambda message: result.messages.append(message.text))
    result.page.on("pageerror", lambda error: result.messages.append(str(error)))
    result.page.on("request", lambda request: result.requests.append(request.url))
    result.page.goto(address)
    result.requests.remove(address)
    try:
        yield result
    finally:
        made.close()
