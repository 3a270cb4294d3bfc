"""From a proof to a verdict: every signature, every edge, every machine, and the time.

No I/O here beyond reading the proof that is passed in; roots, policies, log and witness keys, and
the time come from the relying party.

Trusts: the relying party's ``Trust``, this code.
Does not trust: the proof, whoever made it, the logs' operators, the machines' hosts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from teeproof.core.clock import format_time, to_epoch
from teeproof.core.digests import named, parse_named
from teeproof.core.errors import Unavailable
from teeproof.core.version import VERSION
from teeproof.evidence.verdict import Check, Level
from teeproof.proof.file import LogPart, ProofFile
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.log.formats.entry import Entry, commitment
from teeproof.proof.log.formats.merkle import leaf_hash
from teeproof.proof.source import Read
from teeproof.proof.verify.claims import judged, judged_types
from teeproof.proof.verify.closure import Closure, Kept, Progress, read_closure
from teeproof.proof.verify.faults import list_faults
from teeproof.proof.verify.forks import with_consistency
from teeproof.proof.verify.identities import Known, judge_identity
from teeproof.proof.verify.logs import operators, view
from teeproof.proof.verify.places import Place, not_logged
from teeproof.proof.verify.record import (
    IdentityVerdict,
    LogVerdict,
    ProofProvenance,
    ProofVerdict,
    StatementVerdict,
)
from teeproof.proof.verify.statements import (
    author_check,
    expiry_check,
    inputs_checks,
)
from teeproof.proof.verify.structure import order, paths
from teeproof.proof.verify.trust import Trust
from teeproof.proof.verify.whole import whole_checks

__all__ = ["verify_proof"]

_NOBODY = bytes(32)  # stands in the log entry of a statement that names no author
_LEVELS: tuple[Level, ...] = ("simulated", "measured", "hardware")

Speakers = tuple[bytes | None, tuple[bytes, ...], int | None]
"""Author, cosigners, and the T of what they said."""


def verify_proof(
    proof: ProofFile,
    *,
    now: datetime,
    trust: Trust | None = None,
    known: Known | None = None,
    progress: Progress | None = None,
) -> ProofVerdict:
    """Return the verdict on a proof.

    Args:
        proof: an open proof file.
        now: the verifier's own time, an aware datetime.
        trust: what the relying party believes; without it, the built-in policies and no log.
        known: identities judged before; new ones are added. Each depends on policy and time, so
            one may be used for any number of proofs.
        progress: called with the number of statements read and of all.
    """
    return _Verification(
        proof, trust or Trust(), to_epoch(now), {} if known is None else known
    ).run(progress)


class _Verification:
    def __init__(self, proof: ProofFile, trust: Trust, now: int, known: Known) -> None:
        self.proof = proof
        self.trust = trust
        self.now = now
        self.known = known
        self.nowhere = not_logged(trust)
        self.spoken: dict[Speakers, tuple[Check, str | None, Check, str | None]] = {}

    def run(self, progress: Progress | None) -> ProofVerdict:
        closure = self.closure = read_closure(self.proof, progress=progress)
        edges = closure.edges()
        ordered = order(edges)
        reached = paths(self.proof.roots, edges)
        logs, places = self._logs()
        self.places = places
        identities = self._identities()
        self.judged = frozenset(judged_types())
        self.view = _View(self.proof, closure, identities)
        self.objections = {digest: found.objection for digest, found in identities.items()}
        outputs = {one: kept.outputs for one, kept in closure.statements.items()}
        statements = {
            one: self._statement(one, closure.statements[one], outputs) for one in ordered.ids
        }
        checks = whole_checks(self.proof, closure, ordered.cyclic)
        faults = list_faults(checks, logs, identities, statements, reached=reached)
        machines = [found.evidence for found in identities.values()]
        levels = [None if machine is None else machine.level for machine in machines]
        return ProofVerdict(
            roots=tuple(named(root) for root in self.proof.roots),
            ok=not faults,
            level=_lowest(levels),
            confidential=bool(machines)
            and all(machine is not None and machine.confidential for machine in machines),
            time=self._time_of_roots(),
            checks=checks,
            logs=logs,
            identities=tuple(identities.values()),
            statements=tuple(statements.values()),
            faults=faults,
            provenance=self._provenance(),
        )

    def _logs(self) -> tuple[tuple[LogVerdict, ...], dict[bytes, Place]]:
        """Judge each log, and tell for each statement and identity what the logs say of it."""
        parts = self.proof.logs
        leaves = [self._leaves(part) for part in parts]
        operated = operators(self.closure.identities.values())
        views = [
            view(part, its, self.trust, now=self.now, operated=operated)
            for part, its in zip(parts, leaves, strict=True)
        ]
        with_consistency(views, parts, leaves)
        places: dict[bytes, Place] = {}
        for part, found in zip(parts, views, strict=True):
            for one, ref in part.entries.items():
                place, held = found.place(ref.index), places.get(one)
                if held is None or place.rank < held.rank:
                    places[one] = place
        return tuple(found.verdict for found in views), places

    def _leaves(self, part: LogPart) -> dict[int, bytes]:
        """Compute leaf hashes from what was read, never from what the proof says of them."""
        leaves = {}
        for one, ref in part.entries.items():
            kept = self.closure.statements.get(one)
            if kept is None:
                author, seal = one, self.closure.identities[one].seal
            else:
                author, seal = ref.receipt_of or kept.author or _NOBODY, kept.seal
            entry = Entry(ref.kind, commitment(ref.salt, one, seal), author)
            leaves[ref.index] = leaf_hash(entry.encode())
        return leaves

    def _identities(self) -> dict[bytes, IdentityVerdict]:
        authors = {self.closure.statements[root].author for root in self.proof.roots}
        found = {}
        for digest, record in self.closure.identities.items():
            found[digest] = judge_identity(
                record,
                blob=self._blob,
                place=self.places.get(digest, self.nowhere),
                now=self.now,
                policy=self.trust.policy,
                further=self.trust.author_policy if digest in authors else None,
                both_paths=self.trust.both_paths,
                known=self.known,
            )
        return dict(sorted(found.items()))

    def _blob(self, digest: str) -> bytes:
        data = self.proof.blob(digest)
        if data is None:
            raise Unavailable(
                "the proof lacks a part of the machine's evidence: ask for the whole of it",
                code="evidence_missing",
                expected=digest,
                got="nothing",
            )
        return data

    def _statement(
        self, one: bytes, kept: Kept, outputs: Mapping[bytes, Collection[str]]
    ) -> StatementVerdict:
        place = self.places.get(one, self.nowhere)
        speakers = (kept.author, kept.cosigners, place.time)
        known = self.spoken.get(speakers)
        if known is None:
            known = self.spoken[speakers] = self._speakers(*speakers)
        author, name, expiry, when = known
        form, *signatures = kept.checks
        made = self.closure.producers
        checks = (
            form,
            author,
            *signatures,
            expiry,
            *inputs_checks(kept.links, kept.outputs, outputs, made, kept.outside),
            *self._claims(one, kept),
            *place.checks,
        )
        return StatementVerdict(
            id=named(one),
            type=kept.type,
            title=kept.title,
            author=name,
            checks=checks,
            inputs=tuple(map(named, self.closure.inputs(one))) if kept.links else (),
            time=when,
        )

    def _claims(self, one: bytes, kept: Kept) -> tuple[Check, ...]:
        """Ask the judge of this type, if there is one; only then is the statement read again."""
        read = self.proof.read(one) if kept.type in self.judged else None
        if read is None or (read.statement is not None and not read.statement.known):
            return ()  # it was read before its kind was known here: ``form`` says so
        return judged(read, self.view)

    def _speakers(
        self, author: bytes | None, cosigners: tuple[bytes, ...], time: int | None
    ) -> tuple[Check, str | None, Check, str | None]:
        """Return what is alike for all that the same said at the same time: few for many."""
        here = self.closure.identities
        signers = [here[one] for one in (author, *cosigners) if one in here]
        return (
            author_check(author, self.objections),
            None if author is None else named(author),
            expiry_check(signers, time, self.now),
            None if time is None else format_time(time),
        )

    def _time_of_roots(self) -> str | None:
        times = [self.places.get(root, self.nowhere).time for root in self.proof.roots]
        known = [time for time in times if time is not None]
        return format_time(max(known)) if known and len(known) == len(times) else None

    def _provenance(self) -> ProofProvenance:
        trust = self.trust
        return ProofProvenance(
            verifier=f"teeproof {VERSION}",
            proof_digest=named(self.proof.digest),
            trust_digest=trust.digest,
            policy=trust.policy.name if trust.policy else "the default of each kind",
            policy_digest=trust.policy.digest if trust.policy else None,
            logs_digest=trust.logs.digest if trust.logs else None,
            time=format_time(self.now),
        )


class _View:
    """The proof, as the judges of claims see it."""

    def __init__(
        self, proof: ProofFile, closure: Closure, identities: Mapping[bytes, IdentityVerdict]
    ) -> None:
        self._proof, self._closure, self._identities = proof, closure, identities

    def statement(self, name: str) -> Read | None:
        one = parse_named(name)
        return self._proof.read(one) if one in self._closure.statements else None

    def author(self, name: str) -> bytes | None:
        kept = self._closure.statements.get(parse_named(name))
        return None if kept is None else kept.author

    def identity(self, digest: bytes) -> IdentityRecord | None:
        return self._closure.identities.get(digest)

    def facts(self, digest: bytes) -> Mapping[str, Any]:
        found = self._identities.get(digest)
        evidence = None if found is None else found.evidence
        return {} if evidence is None or not evidence.authentic else evidence.facts


def _lowest(levels: list[Level | None]) -> Level | None:
    known = [level for level in levels if level is not None]
    if not known or len(known) != len(levels):
        return None
    return min(known, key=_LEVELS.index)
