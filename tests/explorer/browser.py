"""A real browser at the explorer's pages: Debian's Chromium, driven by Playwright.

Nothing is downloaded here: where the browser or axe-core is missing, the tests are skipped with a
line that says what is missing. ``scripts/environment dev`` installs both.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

PATIENCE = 120  # seconds for whatever a page waits for; a loaded machine is no failure
AXE = Path(sys.prefix) / "npm" / "node_modules" / "axe-core" / "axe.min.js"
SIZES = ((380, 800), (1400, 900))
SCHEMES = ("light", "dark")


def chromium() -> str:
    """Return the browser's program, or skip; in CI, where it is installed, fail."""
    found = shutil.which("chromium")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is missing: scripts/environment installs it")
        pytest.skip("Chromium is missing: apt-get install chromium")
    return found


class Patient:
    """A browser whose pages wait as long as ``PATIENCE`` says, and not half a minute."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    def new_context(self, **options: Any) -> BrowserContext:
        context = self._browser.new_context(**options)
        context.set_default_timeout(1000 * PATIENCE)
        return context

    def new_page(self, **options: Any) -> Page:
        page = self._browser.new_page(**options)
        page.context.set_default_timeout(1000 * PATIENCE)
        return page


@contextmanager
def opened() -> Iterator[Patient]:
    """Open the browser; the tests are skipped where it or Playwright is missing."""
    program = chromium()
    reason = "Playwright is missing: pip install"
    playwright = pytest.importorskip("playwright.sync_api", reason=reason)
    with playwright.sync_playwright() as driver:
        options = {"executable_path": program, "args": ["--no-sandbox"]}
        browser = driver.chromium.launch(timeout=1000 * PATIENCE, **options)
        yield Patient(browser)
        browser.close()


@contextmanager
def leaving(page: Page) -> Iterator[None]:
    """Do what leads to another page, and wait until all of that is there.

    A click waits at most until the other page begins to come, so whoever reads then may read the
    old page, or half of the new one.
    """
    with page.expect_navigation():
        yield


@contextmanager
def served(app: object) -> Iterator[str]:
    """Serve an application on a free port of this machine, from a thread."""
    from teeproof.web.running import listen, server_for

    server = server_for(app, grace=1)
    with listen("127.0.0.1:0") as sock:
        port = sock.getsockname()[1]
        thread = threading.Thread(target=server.run, args=([sock],), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
