"""A workload's world in this very process, for tests and for trying out: no wall at all.

The interface is that of ``Inside``; evidence comes from the simulator, statements stay in memory.

Trusts: everything; there is no wall.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from teeproof.cloud.inside import Application, Inside, Peer, Wiring
from teeproof.cloud.manifest import Manifest
from teeproof.core.clock import wall_clock
from teeproof.core.errors import Unavailable
from teeproof.evidence.collect.simulated import Guest, SimulatedAttester, SimulatedPlatform
from teeproof.proof.memory import MemorySource
from teeproof.proof.sealing import Store

__all__ = ["LocalInside"]


class LocalInside(Inside):
    """The world of a workload that runs right here.

    Args:
        folder: below which ``in``, ``out`` and ``state`` are made.
        manifest: what is measured; one that is made up, if none is given.
        platform: the simulated vendor; a fresh one, if none is given.
        peers: addresses by name, or ``Peer``.
        store: where statements are kept; memory, if none is given.
        now: the clock.
        stream: where ``say`` writes; kept in ``said`` if none is given.

    Attributes:
        platform: the simulated vendor.
        manifest: what is measured.
        statements: where statements are kept.
        address: where ``serve`` listens, once it does.
    """

    def __init__(
        self,
        folder: Path,
        *,
        manifest: Manifest | None = None,
        platform: SimulatedPlatform | None = None,
        peers: Mapping[str, str | Peer] | None = None,
        store: Store | None = None,
        now: Callable[[], datetime] = wall_clock,
        stream: TextIO | None = None,
    ) -> None:
        self.manifest = manifest or Manifest("local", "teeproof.cloud.local")
        self.platform = platform or SimulatedPlatform.create()
        self.statements: Store = MemorySource() if store is None else store
        self.said = io.StringIO()
        self.address = ""
        self._listening, self._stopped = threading.Event(), threading.Event()
        wired = {n: p if isinstance(p, Peer) else Peer(p) for n, p in (peers or {}).items()}
        folders = {}
        for field, name in (("inputs", "in"), ("outputs", "out"), ("state", "state")):
            (folder / name).mkdir(parents=True, exist_ok=True)
            folders[field] = str(folder / name)
        wiring = Wiring(compose="", guest="", serve="", peers=wired, **folders)
        super().__init__(self.manifest, wiring, now=now, stream=stream or self.said)
        self._machine = self.platform.machine(guest=Guest(compose=self.manifest.compose()))

    def attester(self) -> SimulatedAttester:
        """Return the simulated machine that runs this manifest."""
        return SimulatedAttester(self.platform, now=self.now, machine=self._machine)

    def store(self) -> Store:
        """Return where statements are kept."""
        return self.statements

    def derive(self, path: str) -> bytes:
        """Return 32 secret bytes of this platform, this manifest and this path."""
        return self._machine.derive(path)

    def serve(self, application: Application) -> None:
        """Serve on a free port of this machine until ``stop``; call it in a thread of its own."""
        from teeproof.web.running import serve_here  # noqa: PLC0415  needs 100 ms

        serve_here(application, ready=self._ready, stopped=self._stopped)

    def wait_address(self, timeout: float = 60.0) -> str:
        """Return where ``serve`` listens; Unavailable if it does not in time."""
        if not self._listening.wait(timeout):
            raise Unavailable("the workload does not listen", code="not_listening")
        return self.address

    def stop(self) -> None:
        """End ``serve``."""
        self._stopped.set()

    def _ready(self, address: str) -> Any:
        self.address = address
        self._listening.set()
