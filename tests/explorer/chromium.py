"""Open a page in Debian's Chromium, as a visitor's browser does, and read what came of it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from tests.explorer.browser import chromium

__all__ = ["dump"]


def dump(page: Path, *, patience_ms: int = 60_000) -> str:
    """Return a page's document after its scripts ran; the browser has no network."""
    browser = chromium()
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--proxy-server=127.0.0.1:9", f"--user-data-dir={profile}",
             f"--virtual-time-budget={patience_ms}", "--dump-dom", page.as_uri()],
            capture_output=True, text=True, check=False, timeout=900,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
