"""Ask a pool, and believe what it proves: its statements come with proofs, which are verified here.

Trusts: the caller's ``Trust``.  Does not trust: the pool's host, the network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

import teeproof.data.verify  # noqa: F401  its judges are asked by verify_proof
from teeproof.cloud.kms.policy import Withdrawal
from teeproof.cloud.kms.requests import WithdrawRequest, write_request
from teeproof.cloud.owner import OwnerKey
from teeproof.core import strictjson
from teeproof.core.clock import wall_clock
from teeproof.core.digests import parse_named, sha256
from teeproof.core.errors import Error, Malformed, NotAllowed, NotAuthentic, Unavailable
from teeproof.data.submission import Submission
from teeproof.data.terms import PoolTerms
from teeproof.data.vault import MAX_SEALED_BYTES
from teeproof.proof.envelope import Envelope
from teeproof.proof.file import ProofFile
from teeproof.proof.statement import Statement
from teeproof.proof.verify import ProofVerdict, Trust, verify_proof
from teeproof.web.asking import Asker

__all__ = ["Decision", "PoolClient", "Proved"]

_MAX_PROOF = 64 << 20


@dataclass(frozen=True)
class Proved:
    """A statement of the pool that was verified.

    Attributes:
        statement: what it says.
        proof: the proof file's bytes, for anybody else.
        verdict: how it was judged.
    """

    statement: Statement
    proof: bytes
    verdict: ProofVerdict

    @property
    def said(self) -> Any:
        """The predicate."""
        return self.statement.predicate


@dataclass(frozen=True)
class Decision:
    """What a pool answered to a submission, not yet proved.

    Attributes:
        contribution: the id.
        sequence: its place.
        state: ``accepted``, ``copy``, ``refused``, ``withdrawn`` or ``waiting``.
        statement: what the pool said of it, if it is decided.
    """

    contribution: str
    sequence: int
    state: str
    statement: Statement | None


class PoolClient:
    """One pool.

    Args:
        url: its address.
        trust: whom to believe: the policy for the pool's machine, logs.
        now: the clock.
        timeout: seconds to wait for it.
    """

    def __init__(
        self,
        url: str,
        *,
        trust: Trust,
        now: Callable[[], datetime] = wall_clock,
        timeout: float = 120.0,
    ) -> None:
        self._asker = Asker(url, timeout=timeout)
        self._trust, self._now = trust, now

    def close(self) -> None:
        """Close the connections."""
        self._asker.close()

    def terms(self) -> PoolTerms:
        """Return the terms that the pool shows; nothing binds them until one consents to them."""
        value = self._json(self._asker.get("v1/pool"))
        try:
            terms = msgspec.convert(value.get("terms"), PoolTerms, strict=True)
        except (msgspec.ValidationError, ValueError, AttributeError):
            raise _strange("terms") from None
        terms.check()
        return terms

    def send(self, sent: Submission) -> Decision:
        """Send a contribution, and wait for the decision; sending it again is harmless.

        Raises:
            Error: as the pool refuses it, with its code.
        """
        return self._decision(self._asker.post("v1/contributions", sent.encode()))

    def contribution(self, contribution: str) -> Decision:
        """Return what the pool says of a contribution now."""
        return self._decision(self._asker.get(f"v1/contributions/{contribution}"))

    def dataset(self) -> Proved:
        """Have a snapshot made, or get the last one, and verify it."""
        return self.prove(self._spoken(self._asker.post("v1/dataset", b"{}")))

    def withdraw(self, contribution: str, *, owner: OwnerKey, order: Withdrawal) -> Proved:
        """Take a contribution back; the pool's statement about it is verified.

        Args:
            contribution: its id, hex.
            owner: whose it is.
            order: the one that the KMS erases the key by.
        """
        request = WithdrawRequest(order, owner.sign_text(order))
        path = f"v1/contributions/{contribution}/withdrawal"
        return self.prove(self._spoken(self._asker.post(path, write_request(request))))

    def prove(self, statement: Statement) -> Proved:
        """Return a statement of the pool with its proof, verified.

        Raises:
            NotAuthentic, NotAllowed, Unavailable: it does not hold; the code is the first fault's.
        """
        data = self._asker.get(f"v1/proofs/{statement.name}", limit=_MAX_PROOF)
        with ProofFile.from_bytes(data) as proof:
            if proof.roots != (statement.id,):
                raise _strange(f"a proof of {statement.name}")
            verdict = verify_proof(proof, now=self._now(), trust=self._trust)
        if not verdict.ok:
            raise _refused(verdict)
        return Proved(statement, data, verdict)

    def sealed_file(self, ciphertext: str) -> bytes:
        """Return a sealed file of the pool by its SHA-256, hex.

        Raises:
            NotAuthentic: code ``file_other``: the host sent another.
        """
        digest = ciphertext.removeprefix("sha256:")
        blob = self._asker.get(f"v1/files/{digest}", limit=MAX_SEALED_BYTES)
        if sha256(blob) != parse_named(f"sha256:{digest}"):
            raise NotAuthentic(
                "the pool's host sent another file: ask again",
                code="file_other", expected=digest, got=sha256(blob).hex(),
            )  # fmt: skip
        return blob

    def _decision(self, data: bytes) -> Decision:
        value = self._json(data)
        try:
            said = value["statement"]
            statement = None if said is None else _statement(said)
            return Decision(
                str(value["contribution"]), int(value["sequence"]), str(value["state"]), statement
            )
        except (KeyError, TypeError, ValueError):
            raise _strange("a decision") from None

    def _spoken(self, data: bytes) -> Statement:
        try:
            return _statement(self._json(data))
        except (KeyError, TypeError):
            raise _strange("a statement") from None

    def _json(self, data: bytes) -> dict[str, Any]:
        try:
            value = strictjson.loads(data, limit=8 << 20, what="answer")
        except Error:
            raise _strange("JSON") from None
        if not isinstance(value, dict):
            raise _strange("a JSON object")
        return value


def _statement(said: dict[str, Any]) -> Statement:
    """Return a statement as it was sent; whether it holds, its proof will show."""
    envelope = Envelope.parse(strictjson.dumps(said["envelope"]).encode())
    return Statement.parse(envelope.payload)


def _refused(verdict: ProofVerdict) -> Error:
    fault = verdict.faults[0]
    check = fault.check
    kinds = {"policy": NotAllowed, "availability": Unavailable}
    kind = kinds.get(check.concern, NotAuthentic)
    return kind(
        f"the pool's statement does not hold: {check.detail}",
        code=check.code, expected=check.expected, got=check.got,
    )  # fmt: skip


def _strange(expected: str) -> Malformed:
    return Malformed(
        "this is not how a pool answers", code="pool_answer_malformed", expected=expected
    )
