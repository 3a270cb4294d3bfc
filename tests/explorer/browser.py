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

import pytest

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


@contextmanager
def served(app: object) -> Iterator[str]:
    """Serve an application on a free port of this machine, from a thread."""
    import uvicorn

    from teeproof.proof.log.http.running import listen

    config = uvicorn.Config(app, log_level="critical", lifespan="off", access_log=False,
                            timeout_graceful_shutdown=1)  # fmt: skip
    server = uvicorn.Server(config)
    with listen("127.0.0.1:0") as sock:
        port = sock.getsockname()[1]
        thread = threading.Thread(target=server.run, args=([sock],), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(10)
