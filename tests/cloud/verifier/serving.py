"""``teeproof evidence serve`` in a process of its own, and evidence to send to it."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from teeproof.core.errors import Error
from teeproof.evidence.files.kinds import identify


class Server:
    """The service; ``home`` has its archive."""

    def __init__(self, folder: Path, *options: object) -> None:
        self.folder, self.home = folder, folder / "home"
        with (folder / "stderr.txt").open("w") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "teeproof.cli", "evidence", "serve",
                 "--listen", "127.0.0.1:0", "--json", *map(str, options)],
                env=os.environ | {"TEEPROOF_HOME": str(self.home)},
                stdout=subprocess.PIPE, stderr=stderr, text=True,
            )  # fmt: skip
        lines: list[str] = []
        while not lines or lines[-1] != "}\n":
            assert self.process.stdout is not None
            lines.append(self.process.stdout.readline())
            assert lines[-1], self.said
        self.about = json.loads("".join(lines))
        self.url: str = self.about["url"]
        self.client = httpx.Client(base_url=self.url, timeout=120)

    @property
    def said(self) -> str:
        """What it wrote for its operator."""
        return (self.folder / "stderr.txt").read_text()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it; return its exit code."""
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(timeout=120)

    def ask(self, *files: bytes, accept: str = "application/json", **fields: Any) -> httpx.Response:
        """Post files to /v1/verdicts."""
        body = {"files": encoded(*files)} | fields
        return self.client.post("/v1/verdicts", json=body, headers={"accept": accept})

    def ask_apart(self, *files: bytes, **fields: Any) -> httpx.Response:
        """The same over a connection of its own, for threads."""
        body = {"files": encoded(*files)} | fields
        with httpx.Client(base_url=self.url, timeout=120) as client:
            return client.post("/v1/verdicts", json=body)


def encoded(*files: bytes) -> list[str]:
    """Return files as our requests carry them."""
    return [base64.b64encode(data).decode() for data in files]


def files_of(folder: Path) -> list[bytes]:
    """Return what of a folder is evidence."""
    found = []
    for path in sorted(folder.iterdir()):
        try:
            piece = identify(path.read_bytes(), name=path.name)
        except Error:
            continue
        if piece.kind not in ("policy", "verdict"):
            found.append(path.read_bytes())
    return found


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check the one shape of errors."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    said: dict[str, Any] = answer.json()
    assert set(said) == {"ok", "error", "detail", "expected", "got"}
    assert (said["ok"], said["error"]) == (False, code), said
    assert "Traceback" not in answer.text
    return said
