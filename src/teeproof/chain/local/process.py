"""Start the process that owns a local chain, and wait until it answers.

    with ChainProcess.start(directory) as process:
        chain = Chain.connect(process.url)
        chain.deploy(process.funded, "Anchors")

Trusts: the directory.  Does not trust: that the process starts; what it said is in the error.
"""

from __future__ import annotations

import contextlib
import select
import subprocess
import sys
import time
from pathlib import Path

from teeproof.chain.account import Account
from teeproof.chain.local.creation import FUNDED_KEY
from teeproof.core import strictjson
from teeproof.core.errors import Unavailable

__all__ = ["ChainProcess"]

_PATIENCE = 60.0  # seconds: loading the EVM takes one, on a busy machine many
_MAX_LINE = 4_096


class ChainProcess:
    """A running chain.

    Attributes:
        url: where it answers.
        chain_id: its id.
        pid: the process.
        funded: the account that has a million units.
    """

    def __init__(self, process: subprocess.Popen[bytes], directory: Path, line: bytes) -> None:
        said = strictjson.loads(line, limit=_MAX_LINE, what="first line of the chain's process")
        self._process = process
        self.url: str = said["url"]
        self.chain_id: int = said["chain_id"]
        self.pid: int = said["pid"]
        self.funded = Account.load(directory / FUNDED_KEY)

    @classmethod
    def start(
        cls,
        directory: Path,
        *,
        listen: str = "127.0.0.1:0",
        chain_id: int | None = None,
        finality: int | None = None,
        patience: float = _PATIENCE,
    ) -> ChainProcess:
        """Return the process once it answers.

        Raises:
            Unavailable: it ended, or did not answer in time (``chain_not_started``).
        """
        command = [sys.executable, "-m", "teeproof.chain.local.serve", str(directory)]
        command += ["--listen", listen, "--until-eof"]  # so that it never outlives this process
        for name, value in (("--chain-id", chain_id), ("--finality", finality)):
            command += [] if value is None else [name, str(value)]
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(directory / "stderr", "wb") as errors:
            process = subprocess.Popen(  # noqa: S603  this package, the caller's paths
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
        line = _first_line(process, patience)
        if line is None:
            _end(process)
            raise Unavailable(
                "the chain's process did not start",
                code="chain_not_started",
                got=(directory / "stderr").read_text(errors="replace")[-500:].strip() or "silence",
            )
        return cls(process, directory, line)

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        _end(self._process)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._process.kill()
        _end(self._process)

    def __enter__(self) -> ChainProcess:
        """Use it in a ``with`` statement."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()


def _first_line(process: subprocess.Popen[bytes], patience: float) -> bytes | None:
    assert process.stdout is not None
    until = time.monotonic() + patience
    line = b""
    while not line.endswith(b"\n") and len(line) < _MAX_LINE:
        left = until - time.monotonic()
        if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
            return None
        part = process.stdout.read1(_MAX_LINE)  # type: ignore[attr-defined]
        if not part:
            return None
        line += part
    return line


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
