"""The world of the demo: one folder, a simulated vendor, a log with witnesses, a chain, workloads.

Everything is the real part: processes, sandboxes, sockets, databases, blocks. Only the hardware is
simulated, by a vendor whose secrets are made in the folder at the first start.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from teeproof.cli.demo_folder import RECORD
from teeproof.cli.story.children import Child, start, stop_all
from teeproof.cli.story.notary import Notary, open_notary
from teeproof.cloud.image import Image
from teeproof.cloud.inside import LOG_PEER, LOG_POLICY, Peer
from teeproof.cloud.launch import launch
from teeproof.cloud.manifest import Manifest
from teeproof.cloud.running import Running
from teeproof.core.errors import Unavailable
from teeproof.core.writing import write_file
from teeproof.evidence.collect.simulated import (
    SimulatedPlatform,
    application_policy,
    open_platform,
)
from teeproof.evidence.policy import Policy, parse_policy

if TYPE_CHECKING:
    from teeproof.chain.account import Account
    from teeproof.chain.client import Chain
    from teeproof.proof.log.http.remote import RemoteStore

__all__ = ["World"]

_CHAIN = "teeproof.chain.local.serve"
_PATIENCE, _MOMENT = 60.0, 0.05  # seconds that a statement may take until it is published


class World:
    """What the story happens in; open it in a ``with`` statement.

    Attributes:
        folder: where everything lies.
        platform: the simulated vendor.
        notary: the log and its witnesses.
        image: the code that all workloads run.
        running: workloads by name.
        urls: services by name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[str, Running] = {}
        self.urls: dict[str, str] = {}
        self.codes: dict[str, str] = {}  # compose hashes by name of the workload
        self.contracts: dict[str, str] = {}  # addresses by name
        self._children: list[Child] = []
        self._stack = ExitStack()
        self._stopping = False
        self._facts: dict[str, Any] = {}
        self._accounts: dict[str, Account] = {}

    def __enter__(self) -> Self:
        """Start what everything else rests on."""
        (self.folder / "runs").mkdir(parents=True, exist_ok=True)
        try:
            self._begin()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything."""
        self.close()

    def stop(self) -> None:
        """Stop workloads; none is started after."""
        self._stopping = True
        for running in reversed(list(self.running.values())):
            running.stop()

    def close(self) -> None:
        """Stop workloads, then services, then what they rested on."""
        self.stop()
        self._stack.close()
        stop_all(self._children)

    def _begin(self) -> None:
        self._chain_child = self._child("chain", [_CHAIN, str(self.folder / "chain")])
        self.platform: SimulatedPlatform = open_platform(self.folder)
        self.notary: Notary = open_notary(self.folder, started=self._children.append)
        self.image = Image.snapshot(self.folder / "images")
        self.urls["chain"] = str(self._chain_child.ready()["url"])
        self._write_policy()

    def _child(self, name: str, words: list[str]) -> Child:
        child = start(name, [*words, "--listen", "127.0.0.1:0"], folder=self.folder / "runs")
        self._children.append(child)
        return child

    def manifest(self, name: str, module: str, *arguments: str, **environment: str) -> Manifest:
        """Return what shall run, and list its code among those that the story's reader accepts."""
        given = environment | {LOG_POLICY: self.notary.policy}
        manifest = Manifest(name, module, arguments, given, self.image.digest)
        self.codes[name] = manifest.compose_hash
        self._write_policy()
        return manifest

    def run(
        self,
        manifest: Manifest,
        *,
        peers: Iterable[str] = (),
        serve: bool = False,
        name: str | None = None,
        **options: Any,
    ) -> Running:
        """Start a workload; if it serves, its address is in ``urls`` once ``serving`` returned.

        Args:
            manifest: what shall run.
            peers: names of services in ``urls`` that it may reach beside the log.
            serve: whether it serves.
            name: what to call this run, if not as the manifest does.
            options: further ones of ``launch``.
        """
        if self._stopping:
            raise Unavailable("the story is being ended: nothing more is started", code="stopping")
        name = name or manifest.name
        wired: dict[str, str | Peer] = {one: self.urls[one] for one in peers}
        wired[LOG_PEER] = Peer(self.notary.url, token=self.notary.token)
        running = launch(
            manifest,
            image=options.pop("image", self.image),
            platform=self.platform,
            folder=self.folder / "runs" / name,
            peers=wired,
            serve=serve,
            **options,
        )
        self.running[name] = running
        if serve:
            self.urls[name] = running.url
        return running

    def finished(self, name: str, *, timeout: float = 600.0) -> None:
        """Wait for a job's end.

        Raises:
            Unavailable: it failed; the message repeats its last words.
        """
        self.running.pop(name).finish(timeout)

    @property
    def kms_policy(self) -> str:
        """What the KMS must be, as TOML; before it runs, nothing is."""
        code = self.codes.get("kms")
        return application_policy(self.platform, compose_hash=[code]) if code else ""

    @property
    def policy(self) -> Policy:
        """What the story's reader expects of every machine: this vendor, and one of these codes."""
        return parse_policy(self.policy_path.read_bytes())

    @property
    def policy_path(self) -> Path:
        """Where that policy lies, for ``--policy``."""
        return self.folder / "policy.toml"

    @property
    def logs_path(self) -> Path:
        """Where the tlog-policy lies, for ``--logs``."""
        return self.folder / "trusted-logs"

    def _write_policy(self) -> None:
        text = application_policy(self.platform, compose_hash=sorted(self.codes.values()))
        write_file(self.policy_path, text.encode(), overwrite=True)

    def chain(self) -> Chain:
        """Return a connection to the chain, closed with the world."""
        from teeproof.chain.client import Chain  # noqa: PLC0415  eth_abi

        return self._stack.enter_context(Chain.connect(self.urls["chain"]))

    def store(self) -> RemoteStore:
        """Return a connection to the log, closed with the world."""
        from teeproof.proof.log.http.remote import RemoteStore  # noqa: PLC0415  httpx

        notary = self.notary
        connect = RemoteStore.connect(notary.url, logs=notary.policy.encode(), token=notary.token)
        return self._stack.enter_context(connect)

    def keep(self, close: Callable[[], object]) -> None:
        """Have something closed with the world."""
        self._stack.callback(close)

    def dev(self) -> Account:
        """Return the account that the chain gave its first money to."""
        from teeproof.chain.account import Account  # noqa: PLC0415

        return Account.load(self.folder / "chain" / "funded.key")

    def account(self, name: str) -> Account:
        """Return a person's account, made when it is first asked for, with money for gas."""
        from teeproof.chain.account import Account  # noqa: PLC0415

        if name not in self._accounts:
            path = self.folder / "accounts" / f"{name}.key"
            path.parent.mkdir(exist_ok=True)
            self._accounts[name] = account = Account.new()
            account.save(path)
        return self._accounts[name]

    def require_alive(self) -> None:
        """Raise Unavailable if a process that should be running has ended."""
        self.require_base()
        for running in self.running.values():
            if running.returncode is not None:
                running.finish()

    def require_base(self) -> None:
        """Raise Unavailable if the chain, the log or a witness has ended."""
        for child in self._children:
            if child.process.poll() is not None:
                raise child.gone()

    def forget(self, name: str) -> None:
        """Clean up after a workload that has ended."""
        self.urls.pop(name, None)
        self.running.pop(name).stop()

    def record(self, **facts: Any) -> None:
        """Write down where everything is, for commands that join the story later.

        Args:
            facts: more of it; they stay in later records.
        """
        self._facts |= facts
        value: Mapping[str, Any] = {
            "urls": self.urls, "kms_policy": self.kms_policy, "codes": self.codes,
            "contracts": self.contracts, **self._facts,
        }  # fmt: skip
        data = json.dumps(value, indent=2).encode() + b"\n"
        write_file(self.folder / RECORD, data, overwrite=True)

    def envelope(self, name: str) -> bytes:
        """Return a statement of the log, in its envelope, or a receipt, by ``sha256:…``.

        Raises:
            Unavailable: the log does not hold it.
        """
        from teeproof.core.digests import parse_named  # noqa: PLC0415
        from teeproof.proof.log.contents import Contents  # noqa: PLC0415
        from teeproof.proof.log.storage.log import Log  # noqa: PLC0415

        limit = time.monotonic() + _PATIENCE
        while True:  # what was acknowledged is published a moment later
            with Log.open(self.notary.directory, read_only=True) as log:
                data = Contents(log).statement(parse_named(name))
            if data is not None:
                return data
            if time.monotonic() > limit:
                raise Unavailable(
                    "the log holds no such statement", code="statement_unknown", got=name
                )
            time.sleep(_MOMENT)
