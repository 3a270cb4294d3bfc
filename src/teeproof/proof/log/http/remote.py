"""Seal straight into a log elsewhere: each statement is appended, and kept here too.

    with RemoteStore.connect(url, logs=policy, token=token) as store:
        me = Identity.boot(store=store)
        me.seal("answer", outputs={"answer.txt": b"42"}).save("answer.proof")

``save`` waits until the log has proved that it holds what was sealed, and writes that down.

Trusts: its caller, the keys of the policy.  Does not trust: the log, until it has proved it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple, Self

from teeproof.core.clock import to_epoch, wall_clock
from teeproof.proof.log.admission import Record, read_record
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.log.http.client import LogClient
from teeproof.proof.log.http.promise import Promise
from teeproof.proof.log.http.whose import keys_at
from teeproof.proof.memory import MemorySource
from teeproof.proof.source import Logged

__all__ = ["RemoteStore"]


class _Sent(NamedTuple):
    record: Record
    promise: Promise


class RemoteStore(MemorySource):
    """A log over HTTP, as a ``sealing.Store``; make one with ``connect``.

    Args:
        client: of the log, with a token.
        logs: whose quorum a checkpoint must have before a proof is written under it; without one,
            the log's own signature is enough.
        timeout: for how many seconds ``publish`` waits for the log.
        now: the clock by which cosignatures are judged.
    """

    def __init__(
        self,
        client: LogClient,
        *,
        logs: TlogPolicy | None = None,
        timeout: float = 60.0,
        now: Callable[[], datetime] = wall_clock,
    ) -> None:
        super().__init__()
        self._client, self._policy, self._timeout, self._now = client, logs, timeout, now
        self._sent: dict[tuple[bytes, bytes], _Sent] = {}  # by id and seal
        self._logged: dict[tuple[bytes, bytes], Logged] = {}
        self._newest: SignedCheckpoint | None = None

    @classmethod
    def connect(
        cls, url: str, *, logs: TlogPolicy | bytes, token: str | None = None, timeout: float = 60.0
    ) -> Self:
        """Return the store of the log at an address, of which a tlog-policy has the keys.

        Raises:
            Malformed: this is no policy.
            Usage: it does not say which log is at the address.
        """
        policy = TlogPolicy.parse(logs) if isinstance(logs, bytes) else logs
        client = LogClient(url, keys_at(url, policy), token=token)
        return cls(client, logs=policy, timeout=timeout)

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._client.__exit__()

    def add_identity(self, data: bytes, blobs: Mapping[str, bytes] | None = None) -> bytes:
        """Send the evidence, then the identity record; return its digest.

        Raises:
            As ``LogClient.append``.
        """
        for blob in (blobs or {}).values():
            self._client.put_blob(blob)
        self._append(data)
        return super().add_identity(data, blobs)

    def add_statement(self, data: bytes) -> bytes:
        """Send an envelope or a receipt; return its id. Raises as ``LogClient.append``."""
        self._append(data)
        return super().add_statement(data)

    def publish(self) -> None:
        """Return once the log has proved that it holds all that was added.

        Raises:
            Unavailable: code ``not_published``; not in time, or not with the policy's quorum.
            NotAuthentic: what the log serves does not fit what it promised.
        """
        for name, (record, promise) in list(self._sent.items()):
            proof = self._client.wait_included(promise, timeout=self._timeout, accept=self._accept)
            self._take(proof.checkpoint)
            self._logged[name] = Logged(
                record.kind, promise.index, promise.salt, proof.checkpoint, self._node,
                identity=record.identity, seal=record.seal,
            )  # fmt: skip
            del self._sent[name]

    def logged(self, statement_id: bytes) -> Logged | None:
        """Return where the log has proved to hold a statement or identity."""
        seal = self._seal(statement_id)
        return None if seal is None else self._logged.get((statement_id, seal))

    def _append(self, data: bytes) -> None:
        record = read_record(data, identity_of_keyset=self.identity_of_keyset)
        self._sent[record.id, record.seal] = _Sent(record, self._client.append(data))

    def _take(self, signed: SignedCheckpoint) -> None:
        newest = self._newest
        if newest is None or signed.checkpoint.size > newest.checkpoint.size:
            self._newest = signed

    def _accept(self, signed: SignedCheckpoint) -> bool:
        policy = self._policy
        return policy is None or policy.judge(signed, now=to_epoch(self._now())).quorum

    def _node(self, level: int, index: int) -> bytes:
        """Return a node of the newest tree, of which all before it are parts."""
        signed = self._newest or self._client.checkpoint()
        return self._client.tree(signed).node(level, index)
