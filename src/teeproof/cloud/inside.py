"""What a workload sees of the world: its arguments, its folders, its peers, its identity.

    def main(inside: Inside) -> int:
        me = inside.boot(roles=["receipt"])
        inside.serve(application(me))
        return 0

The measured part is read from the compose file itself: module, arguments, environment. The rest
is wiring, which the host chooses and nobody may depend on: where peers are, what lies in the
folders. A workload therefore names what it trusts (roots, keys, policies) in its measured part.

Trusts: the machine's own guest agent for keys.  Does not trust: the wiring.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from teeproof.cloud.manifest import MAX_MANIFEST_BYTES, Manifest
from teeproof.core.clock import wall_clock
from teeproof.core.errors import Malformed, Unavailable, Usage
from teeproof.core.reading import read_bounded

if TYPE_CHECKING:
    from teeproof.evidence.collect import Attester
    from teeproof.proof.sealing import Store
    from teeproof.proof.workload import Identity

__all__ = ["LOG_PEER", "LOG_POLICY", "WIRING", "Inside", "Peer", "Wiring"]

WIRING = "TEEPROOF_WIRING"
"""The variable that names the file with the wiring."""
LOG_PEER = "log"
LOG_POLICY = "TEEPROOF_LOG_POLICY"
"""The measured variable with the tlog-policy of the log that the workload trusts."""
_MAX_WIRING_BYTES = 256 << 10

Application = Callable[[Any, Any, Any], Awaitable[None]]


class Peer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A service that the workload may reach; nothing of it is measured.

    Attributes:
        url: its address on the host's side.
        token: what it wants to see of who writes, such as a log's.
        policy: of a log, the tlog-policy with its keys, where none was measured.
        socket: where it is reached from inside the wall; empty where the address itself works.
    """

    url: str
    token: str | None = None
    policy: str | None = None
    socket: str = ""


class Wiring(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a workload is connected.

    Attributes:
        compose: path of the compose file that was measured.
        guest: path of the guest agent's socket.
        serve: path of the socket on which the workload shall serve; empty if on none.
        inputs: a folder to read from; likewise ``outputs`` and ``state``, to write to.
        peers: services by name.
    """

    compose: str
    guest: str
    serve: str
    inputs: str
    outputs: str
    state: str
    peers: dict[str, Peer] = {}


class Inside:
    """The world as seen by one workload.

    Attributes:
        name: of the workload.
        arguments: measured.
        environment: measured; not the process's own variables.
        inputs: a folder that is only read.
        outputs: a folder for results.
        state: a folder that is there again at the next start.
        now: the clock, which is the host's.
    """

    def __init__(
        self,
        manifest: Manifest,
        wiring: Wiring,
        *,
        now: Callable[[], datetime] = wall_clock,
        stream: TextIO | None = None,
    ) -> None:
        self.name = manifest.name
        self.arguments = manifest.arguments
        self.environment = dict(manifest.environment)
        self.inputs, self.outputs, self.state = (
            Path(wiring.inputs), Path(wiring.outputs), Path(wiring.state),
        )  # fmt: skip
        self.now = now
        self._wiring = wiring
        self._stream = stream or sys.stdout
        self._urls: dict[str, str] = {}

    @classmethod
    def load(cls, path: Path) -> tuple[str, Inside]:
        """Return the module to run and its world, from a file with the wiring.

        Raises:
            Malformed: it is no wiring, or leads to no manifest.
            Unavailable, TooLarge: as ``read_bounded``.
        """
        raw = read_bounded(path, limit=_MAX_WIRING_BYTES, what="wiring")
        try:
            wiring = msgspec.json.decode(raw, type=Wiring)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise Malformed(
                "this is not a workload's wiring", code="wiring_malformed", got=str(error)[:200]
            ) from None
        compose = Path(wiring.compose)
        manifest = Manifest.parse(read_bounded(compose, limit=MAX_MANIFEST_BYTES))
        return manifest.module, cls(manifest, wiring)

    def require(self, variable: str) -> str:
        """Return a measured setting; Usage (``setting_missing``) where the manifest has none."""
        if variable not in self.environment:
            raise Usage(
                f"the workload {self.name} needs {variable} in its manifest's environment",
                code="setting_missing",
                expected=variable,
            )
        return self.environment[variable]

    def peer(self, name: str) -> Peer | None:
        """Return a peer's wiring, if there is such a peer."""
        return self._wiring.peers.get(name)

    def url(self, name: str) -> str:
        """Return the address at which a peer is reached from here, without a slash at its end.

        Raises:
            Unavailable: code ``peer_unknown``.
        """
        if name not in self._urls:
            self._urls[name] = self._reach(name).rstrip("/")
        return self._urls[name]

    def boot(
        self,
        *,
        roles: Iterable[Any] = (),
        nonce: str | None = None,
        secrets: Mapping[str, bytes] | None = None,
        attester: Attester | None = None,
        **options: Any,
    ) -> Identity:
        """Return the workload's identity, bound to this machine and this code.

        Its statements go to the peer ``log`` if there is one, and are kept in memory in any case.
        Arguments and errors as of ``Identity.boot``; without an attester, this machine's own.
        """
        from teeproof.proof.workload import Identity  # noqa: PLC0415  needs 300 ms

        if "store" not in options:
            options["store"] = self.store()
        options.setdefault("now", self.now)
        return Identity.boot(
            attester or self.attester(), roles=roles, nonce=nonce, secrets=secrets or {}, **options
        )

    def attester(self) -> Attester:
        """Return what makes evidence here: the guest agent of this machine."""
        from teeproof.cloud.attester import GuestAttester  # noqa: PLC0415  needs 60 ms

        return GuestAttester(self._wiring.guest)

    def store(self) -> Store:
        """Return where statements go: the peer ``log``, or memory where there is none."""
        from teeproof.proof.memory import MemorySource  # noqa: PLC0415  as in boot

        peer = self.peer(LOG_PEER)
        if peer is None:
            return MemorySource()
        from teeproof.proof.log.http.remote import RemoteStore  # noqa: PLC0415

        return RemoteStore.connect(self.url(LOG_PEER), logs=self.log_policy(), token=peer.token)

    def log_policy(self) -> bytes:
        """Return the tlog-policy with the keys of the peer ``log``: the measured one, if any.

        Raises:
            Usage: code ``setting_missing``; neither the manifest nor the wiring has one.
        """
        peer = self.peer(LOG_PEER)
        policy = self.environment.get(LOG_POLICY) or (peer.policy if peer else None)
        if not policy:
            raise Usage(
                f"nothing says whose log it is: put its policy into {LOG_POLICY}",
                code="setting_missing",
                expected=LOG_POLICY,
            )
        return policy.encode()

    def derive(self, path: str) -> bytes:
        """Return 32 secret bytes that this code gets on this platform, and no other code.

        Raises:
            Unavailable: the guest agent did not answer.
        """
        from teeproof.cloud.attester import derive  # noqa: PLC0415  as above

        return derive(self._wiring.guest, path)

    def serve(self, application: Application) -> None:
        """Serve an ASGI application until the workload is told to end (SIGTERM).

        Raises:
            Usage: it was not launched with ``serve``.
        """
        if not self._wiring.serve:
            raise Usage("this workload was not launched to serve", code="not_serving")
        from teeproof.web.running import serve  # noqa: PLC0415  needs 100 ms

        serve(application, Path(self._wiring.serve))

    def say(self, **facts: Any) -> None:
        """Tell the operator how it goes: one JSON line, no secrets (``Running.progress``)."""
        print(json.dumps(facts), file=self._stream, flush=True)

    def _reach(self, name: str) -> str:
        peer = self.peer(name)
        if peer is None:
            raise Unavailable(
                f"the workload {self.name} has no peer {name}: launch it with peers",
                code="peer_unknown",
                expected=", ".join(self._wiring.peers) or "no peers",
                got=name[:60],
            )
        if not peer.socket:
            return peer.url
        from teeproof.cloud.bridge import Bridge  # noqa: PLC0415  needs asyncio

        return Bridge.shared().reach(peer.url, Path(peer.socket))
