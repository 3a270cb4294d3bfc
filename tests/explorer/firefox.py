"""A second browser engine at the explorer's pages: Debian's Firefox ESR, over WebDriver BiDi.

The protocol is https://www.w3.org/TR/webdriver-bidi/ on one websocket; Firefox speaks it without a
driver. Preferences are set from the browser's own window, so that one browser shows pages light,
dark and without scripts. It reaches this machine alone, whatever a page asks for.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.explorer.browser import PATIENCE

# All names but this machine's go to a proxy that is not there. Firefox sets what else automation
# needs by itself (remote/shared/RecommendedPreferences): no updates, telemetry or first-run pages.
PREFERENCES = {
    "network.proxy.type": 1, "network.proxy.http": "127.0.0.1", "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1", "network.proxy.ssl_port": 9,
    "app.update.disabledForTesting": True, "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False, "toolkit.telemetry.server": "",
}  # fmt: skip
DARK = "layout.css.prefers-color-scheme.content-override"  # 0: dark, 1: light
KEYS = {"Tab": "\ue004", "Enter": "\ue007"}  # of WebDriver, 17.4.2
# What Firefox says of pages in its console, as [where, what]; but for what asking a page may bring.
SAID = """(() => {
  const all = Services.console.getMessageArray().filter((one) => one instanceof Ci.nsIScriptError);
  Services.console.reset();
  const ours = (one) => one.errorMessage.startsWith("Layout was forced");
  return all.filter((one) => !ours(one)).map((one) => [one.sourceName, one.errorMessage]);
})()"""
DROP = """((selector, files) => {
  const held = new DataTransfer();
  const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt());
  for (const [name, text] of files) held.items.add(new File([bytes(text)], name));
  const [at, how] = [document.querySelector(selector), { bubbles: true, cancelable: true }];
  for (const kind of ["dragenter", "dragover", "drop"])
    at.dispatchEvent(new DragEvent(kind, { ...how, dataTransfer: held }));
  return true;
})"""


class Firefox:
    """One browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._numbers, self._scripts = socket, itertools.count(1), True
        self._said: list[str] = []
        self.ask("session.new", capabilities={})
        self.ask("session.subscribe", events=["log.entryAdded"])
        windows = self.ask("browsingContext.getTree", **{"moz:scope": "chrome"})["contexts"]
        self._own = windows[0]["context"]

    def ask(self, method: str, **params: Any) -> Any:
        """Send one command and return its result; what pages log meanwhile is kept."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (told := json.loads(self._socket.recv(timeout=PATIENCE))).get("id") != number:
            if told.get("method") == "log.entryAdded":
                self._said.append(f"{told['params']['level']}: {told['params']['text']}")
        assert told["type"] == "success", (method, told)
        return told["result"]

    def evaluate(self, context: str, expression: str) -> Any:
        """Return the value of an expression by way of JSON, or that of its promise."""
        text = f"(async () => JSON.stringify(await ({expression}) ?? null))()"
        if not (self._scripts or context == self._own):  # there no promise comes to an end
            text = f"JSON.stringify(({expression}) ?? null)"
        where = {"target": {"context": context}, "awaitPromise": True}
        told = self.ask("script.evaluate", expression=text, **where)
        assert told["type"] == "success", told
        return json.loads(told["result"]["value"])

    @contextmanager
    def preferring(self, *, dark: bool = False, scripts: bool = True) -> Iterator[None]:
        """Show pages dark, or without scripts."""
        self._prefer(dark, scripts)
        try:
            yield
        finally:
            self._prefer(False, True)

    def _prefer(self, dark: bool, scripts: bool) -> None:
        scheme = f"Services.prefs.setIntPref('{DARK}', {0 if dark else 1})"
        running = f"Services.prefs.setBoolPref('javascript.enabled', {json.dumps(scripts)})"
        self.evaluate(self._own, f"({scheme}, {running}, true)")
        self._scripts = scripts

    def complaints(self) -> list[str]:
        """Return what pages wrote to the console, and what Firefox wrote of them, since last."""
        told = self.evaluate(self._own, SAID)
        said, self._said = self._said, []
        return said + [what for where, what in told if where.startswith(("http:", "file:"))]

    @contextmanager
    def page(
        self, *, size: tuple[int, int] = (1400, 900), now: datetime | None = None,
        online: bool = True,
    ) -> Iterator[Page]:  # fmt: skip
        """Open a window of a size; at a fixed time; or without a network."""
        self.complaints()  # of pages before: one that is closed breaks off its scripts
        page = Page(self, self.ask("browsingContext.create", type="tab")["context"])
        page.resize(size)
        if not online:
            offline = {"networkConditions": {"type": "offline"}, "contexts": [page.context]}
            self.ask("emulation.setNetworkConditions", **offline)
        if now is not None:
            clock = f"() => {{ Date.now = () => {int(1000 * now.timestamp())}; }}"
            where = {"contexts": [page.context]}
            self.ask("script.addPreloadScript", functionDeclaration=clock, **where)
        yield page
        page.ask("browsingContext.close")


class Page:
    """A window of the browser."""

    def __init__(self, browser: Firefox, context: str) -> None:
        self._browser, self.context = browser, context

    def ask(self, method: str, **params: Any) -> Any:
        return self._browser.ask(method, context=self.context, **params)

    def evaluate(self, expression: str) -> Any:
        return self._browser.evaluate(self.context, expression)

    def resize(self, size: tuple[int, int]) -> None:
        self.ask("browsingContext.setViewport", viewport={"width": size[0], "height": size[1]})

    def goto(self, url: str) -> None:
        self.ask("browsingContext.navigate", url=url, wait="complete")

    def until(self, expression: str) -> Any:
        """Wait until an expression is true, also over a change of pages; return its value."""
        patience, failure = time.monotonic() + PATIENCE, None
        while time.monotonic() < patience:
            try:
                if value := self.evaluate(expression):
                    return value
            except AssertionError as error:  # the page goes away while it is asked
                failure = error
            time.sleep(0.05)
        raise AssertionError(f"never: {expression}") from failure

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """Do what leads to another page, and wait until all of that is there."""
        self.evaluate("document.documentElement.dataset.old = 'yes'")
        yield
        self.until("document.readyState === 'complete' && !document.documentElement.dataset.old")

    def text(self, selector: str) -> str:
        return self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")

    def choose(self, selector: str, *files: Path) -> None:
        """Put files into a field for them, as a person who chose them."""
        where = {"locator": {"type": "css", "value": selector}}
        (field,) = self.ask("browsingContext.locateNodes", **where)["nodes"]
        element = {"sharedId": field["sharedId"]}
        self.ask("input.setFiles", element=element, files=[str(file) for file in files])

    def drop(self, selector: str, *files: Path) -> None:
        """Drop files on an element; by a script: without a screen Firefox has no drags."""
        given = [[file.name, base64.b64encode(file.read_bytes()).decode()] for file in files]
        self.evaluate(f"{DROP}({json.dumps(selector)}, {json.dumps(given)})")

    def press(self, *keys: str) -> None:
        """Press keys one after another, by their names or letters."""
        acts = [
            {"type": kind, "value": KEYS.get(key, key)}
            for key in keys for kind in ("keyDown", "keyUp")
        ]  # fmt: skip
        self.ask("input.performActions", actions=[{"type": "key", "id": "keys", "actions": acts}])

    def picture(self, path: Path) -> None:
        """Write the whole page as a PNG, for a person to look at."""
        shot = self.ask("browsingContext.captureScreenshot", origin="document")
        path.write_bytes(base64.b64decode(shot["data"]))


def firefox() -> str:
    """Return the browser's program, or skip; in CI, where it is installed, fail."""
    found = shutil.which("firefox-esr")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("Firefox is missing: scripts/environment installs it")
        pytest.skip("Firefox is missing: apt-get install firefox-esr")
    return found


@contextmanager
def opened(folder: Path) -> Iterator[Firefox]:
    """Open the browser with a profile of its own in a folder."""
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
             for name, value in PREFERENCES.items()]  # fmt: skip
    (folder / "user.js").write_text("".join(lines))
    command = [firefox(), "--headless", "--no-remote", "--profile", str(folder),
               "--remote-debugging-port", "0", "--remote-allow-system-access"]  # fmt: skip
    variables = os.environ | {"HOME": str(folder), "MOZ_CRASHREPORTER_DISABLE": "1"}
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            command, env=variables, stdout=said, stderr=said, start_new_session=True
        )
    try:
        address = f"ws://127.0.0.1:{_port(process, folder)}/session"
        with connect(address, max_size=None, open_timeout=PATIENCE, proxy=None) as socket:
            browser = Firefox(socket)
            yield browser
            browser.ask("browser.close")
        process.wait(PATIENCE)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _port(process: subprocess.Popen[bytes], folder: Path) -> int:
    """Return the port that the browser writes down once it listens."""
    patience = time.monotonic() + PATIENCE
    while time.monotonic() < patience and process.poll() is None:
        with suppress(FileNotFoundError, ValueError):
            return int(json.loads((folder / "WebDriverBiDiServer.json").read_text())["ws_port"])
        time.sleep(0.05)
    raise AssertionError(f"Firefox does not listen: {(folder / 'said').read_text()[-2000:]}")
