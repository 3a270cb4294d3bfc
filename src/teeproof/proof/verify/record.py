"""The answer about a proof: a tree of named checks, from the proof down to each machine.

    ProofVerdict                 the file, its closure
    ├── LogVerdict               each log: checkpoints, witnesses, inclusion
    ├── IdentityVerdict          each workload: keys, possession, binding, evidence
    │   └── Verdict              its machine
    └── StatementVerdict         each statement: author, signatures, inputs, time

A failed check of a statement names the edge by which the root depends on it.

Trusts: nothing; it only records.  Does not trust: a verdict that someone else hands over.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from teeproof.core.digests import framed_sha256, named
from teeproof.core.text import many
from teeproof.evidence.verdict import Check, Concern, Level, Verdict, summary

__all__ = [
    "Fault",
    "IdentityVerdict",
    "LogVerdict",
    "ProofProvenance",
    "ProofVerdict",
    "StatementVerdict",
]

_GRAVEST_FIRST: tuple[Concern, ...] = ("authenticity", "availability", "policy")
_CODES: dict[Concern | None, Literal[0, 2, 3, 4]] = {
    None: 0, "authenticity": 2, "availability": 3, "policy": 4,
}  # fmt: skip


class LogVerdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of one log.

    Attributes:
        origin: the log's name.
        checks: signatures of its checkpoints, consistency, witnesses.
        entries: how many entries of it the proof holds.
        sizes: tree sizes of the checkpoints in the proof.
    """

    origin: str
    checks: tuple[Check, ...]
    entries: int
    sizes: tuple[int, ...]


class IdentityVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one identity.

    Attributes:
        id: ``sha256:…``.
        checks: form, possession, binding, dates, log.
        evidence: the verdict on its machine; None if there was no evidence to verify.
        time: the T as of which the evidence was verified, RFC 3339.
        timed: whether that T is vouched for; otherwise it is the verifier's own time.
        not_before: when its keys were made, by its machine's clock, RFC 3339.
        not_after: when its keys expire, RFC 3339.
    """

    id: str
    checks: tuple[Check, ...]
    evidence: Verdict | None
    time: str
    timed: bool
    not_before: str
    not_after: str

    @property
    def ok(self) -> bool:
        """Whether nothing failed, here or about the machine."""
        return not self.failures

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed, here and about the machine."""
        here = tuple(c for c in self.checks if c.state == "failed")
        return here if self.evidence is None else here + self.evidence.failures

    @property
    def objection(self) -> Concern | None:
        """The gravest reason not to believe what this identity says; None if there is none."""
        concerns = {check.concern for check in self.failures}
        return next((one for one in _GRAVEST_FIRST if one in concerns), None)

    @property
    def exit_code(self) -> Literal[0, 2, 3, 4]:
        """0 good, 2 not authentic, 3 something needed is missing, 4 not what the policy allows."""
        return _CODES[self.objection]


class StatementVerdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of one statement.

    Attributes:
        id: ``sha256:…``.
        type: predicate type, or ``aci/1`` for a receipt.
        title: what was done, in the author's word, such as ``train``; for people only.
        author: ``sha256:…`` of the identity; None if none could be found.
        checks: in reading order.
        inputs: ids of the statements that it was made of, ``sha256:…``.
        time: no later than when it was said, RFC 3339; None where nobody vouches for a time.
    """

    id: str
    type: str
    title: str
    author: str | None
    checks: tuple[Check, ...]
    inputs: tuple[str, ...]
    time: str | None


class ProofProvenance(msgspec.Struct, frozen=True, kw_only=True):
    """How the verdict was reached.

    Attributes:
        verifier: name and version of this program.
        proof_digest: ``sha256:…`` of the proof's content.
        trust_digest: ``sha256:…`` of all that the relying party brought along.
        policy: name of the policy for evidence.
        policy_digest: ``sha256:…`` of it; None where each kind of evidence has its default.
        logs_digest: ``sha256:…`` of the log policy; None if there was none.
        time: the verifier's own time, RFC 3339.
    """

    verifier: str
    proof_digest: str
    trust_digest: str
    policy: str
    policy_digest: str | None
    logs_digest: str | None
    time: str


class Fault(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One failed check, and where it is.

    Attributes:
        where: ``proof``, ``log``, ``identity``, ``evidence`` or ``statement``.
        subject: the log's origin, or an id (``sha256:…``); empty for the proof itself.
        path: ids from a root to the statement that depends on it, ``sha256:…``; of an identity, to
            one of its statements; empty where none is concerned.
        check: the failed check.
    """

    where: Literal["proof", "log", "identity", "evidence", "statement"]
    subject: str
    path: tuple[str, ...]
    check: Check


class ProofVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a relying party may believe about one proof, and why.

    Attributes:
        type: always ``urn:teeproof:proof-verdict:v1``.
        roots: ids of the statements that the proof is about.
        ok: true if no check failed anywhere.
        level: the lowest level of all machines in the closure; None if one has none.
        confidential: whether it is shown that every machine in the closure keeps its memory from
            its host; where there is no level, False says no more than that it is not known.
        time: no later than when the last of the roots was said; None where that is not known.
        checks: of the proof as a whole.
        logs: of each log.
        identities: of each identity.
        statements: of each statement, inputs before what was made of them.
        faults: every failed check of all these, with its place; where an identity does not hold,
            its statements' checks of their author are not repeated.
        provenance: how the verdict was reached.
    """

    type: Literal["urn:teeproof:proof-verdict:v1"] = "urn:teeproof:proof-verdict:v1"
    roots: tuple[str, ...]
    ok: bool
    level: Level | None
    confidential: bool
    time: str | None
    checks: tuple[Check, ...]
    logs: tuple[LogVerdict, ...]
    identities: tuple[IdentityVerdict, ...]
    statements: tuple[StatementVerdict, ...]
    faults: tuple[Fault, ...]
    provenance: ProofProvenance

    def __str__(self) -> str:
        """Return it in one line, for people."""
        counts = (
            many(len(self.statements), "statement"),
            many(len(self.identities), "machine's identity", "machines' identities"),
            many(len(self.faults), "check"),
        )
        return f"{summary(self.exit_code, self.level)} · {', '.join(counts)} failed"

    def __bool__(self) -> bool:
        """Raise TypeError: ``if verify(…)`` would let every refusal through. Ask for ``.ok``."""
        raise TypeError("a verdict is neither true nor false: ask for verdict.ok")

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed, wherever they are, as ``Verdict.failures``; see ``faults``."""
        return tuple(fault.check for fault in self.faults)

    @property
    def authentic(self) -> bool:
        """Whether nothing failed that authenticity rests on, as in ``Verdict.authentic``."""
        machines = [i.evidence for i in self.identities if i.evidence is not None]
        return all(fault.check.concern == "policy" for fault in self.faults) and all(
            machine.authentic for machine in machines
        )

    @property
    def exit_code(self) -> Literal[0, 2, 3, 4]:
        """0 good, 2 not authentic, 3 something needed is missing, 4 not what the policy allows."""
        concerns = {fault.check.concern for fault in self.faults}
        if "authenticity" in concerns:
            return 2
        if "availability" in concerns:
            return 3
        return 4 if concerns else 0

    @property
    def key(self) -> str:
        """The cache key: the same proof under the same trust at the same time, and no other."""
        how = self.provenance
        parts = (how.proof_digest, how.trust_digest, how.time, how.verifier)
        return named(framed_sha256("teeproof.proof-verdict-key.v1", *(p.encode() for p in parts)))

    def statement(self, statement_id: str) -> StatementVerdict:
        """Return the verdict on one statement (``sha256:…``); KeyError if it is not there."""
        for found in self.statements:
            if found.id == statement_id:
                return found
        raise KeyError(statement_id)

    def identity(self, identity_id: str) -> IdentityVerdict:
        """Return the verdict on one identity (``sha256:…``); KeyError if it is not there."""
        for found in self.identities:
            if found.id == identity_id:
                return found
        raise KeyError(identity_id)

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        body: dict[str, Any] = msgspec.to_builtins(self)
        for identity, given in zip(body["identities"], self.identities, strict=True):
            identity["ok"] = given.ok
            if given.evidence is not None:
                identity["evidence"] = given.evidence.to_json()
        return body | {
            "authentic": self.authentic, "exit_code": self.exit_code, "key": self.key,
        }  # fmt: skip
