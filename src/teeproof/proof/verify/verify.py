"""From a proof to a verdict: every signature, every edge, every machine, and the time.

No I/O here beyond reading the proof that is passed in; roots, policies, log and witness keys, and
the time come from the relying party.

Trusts: the relying party's ``Trust``, this code.
Does not trust: the proof, whoever made it, the logs' operators, the machines' hosts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from teeproof.core.clock import format_time, to_epoch
from teeproof.core.digests import named
from teeproof.core.errors import Unavailable
from teeproof.core.version import VERSION
from teeproof.evidence.verdict import Check, Level, failed, not_checked, passed
from teeproof.proof.file import LogPart, ProofFile
from teeproof.proof.log.entry import IDENTITY, RECEIPT, STATEMENT, Entry, commitment
from teeproof.proof.log.merkle import leaf_hash
from teeproof.proof.receipt import RECEIPT_TYPE
from teeproof.proof.verify.closure import Kept, Progress, read_closure
from teeproof.proof.verify.faults import list_faults
from teeproof.proof.verify.identities import Known, judge_identity
from teeproof.proof.verify.logs import Place, not_logged, view
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

__all__ = ["verify_proof"]

_LEVELS: tuple[Level, ...] = ("simulated", "measured", "hardware")


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

    def run(self, progress: Progress | None) -> ProofVerdict:
        closure = self.closure = read_closure(self.proof, progress=progress)
        edges = {one: closure.inputs(one) for one in closure.statements}
        ordered = order(edges)
        reached = paths(self.proof.roots, edges)
        logs, places = self._logs()
        self.places = places
        identities = self._identities()
        self.objections = {digest: found.objection for digest, found in identities.items()}
        outputs = {one: kept.outputs for one, kept in closure.statements.items()}
        made = {digest: len(by) for digest, by in closure.producers.items()}
        statements = {
            one: self._statement(one, closure.statements[one], edges[one], outputs, made)
            for one in ordered.ids
        }
        checks = self._whole(ordered.cyclic, reached)
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
        views: list[LogVerdict] = []
        places: dict[bytes, Place] = {}
        for part in self.proof.logs:
            found = view(part, self._leaves(part), self.trust, now=self.now)
            views.append(found.verdict)
            for one, ref in part.entries.items():
                place, held = found.place(ref.index), places.get(one)
                if held is None or place.rank < held.rank:
                    places[one] = place
        return tuple(views), places

    def _leaves(self, part: LogPart) -> dict[int, bytes]:
        """Compute leaf hashes from what was read, never from what the proof says of them."""
        leaves = {}
        for one, ref in part.entries.items():
            kept = self.closure.statements.get(one)
            if kept is None:
                kind, author = IDENTITY, one
            else:
                kind = RECEIPT if kept.type == RECEIPT_TYPE else STATEMENT
                author = kept.author or bytes(32)
            entry = Entry(kind, commitment(ref.salt, one), author)
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
        self,
        one: bytes,
        kept: Kept,
        inputs: list[bytes],
        outputs: Mapping[bytes, frozenset[str]],
        made: Mapping[str, int],
    ) -> StatementVerdict:
        place = self.places.get(one, self.nowhere)
        record = self.closure.identities.get(kept.author) if kept.author else None
        form, *signatures = kept.checks
        checks = (
            form,
            author_check(kept.author, self.objections),
            *signatures,
            expiry_check(record, place.time, self.now),
            *inputs_checks(kept.links, outputs, made),
            *place.checks,
        )
        return StatementVerdict(
            id=named(one),
            type=kept.type,
            title=kept.title,
            author=named(kept.author) if kept.author else None,
            checks=checks,
            inputs=tuple(named(below) for below in inputs),
            time=None if place.time is None else format_time(place.time),
        )

    def _whole(
        self, cyclic: tuple[bytes, ...], reached: Mapping[bytes, bytes | None]
    ) -> tuple[Check, ...]:
        return (_roots_check(self.proof.roots), _cycle_check(cyclic), self._rotations(reached))

    def _rotations(self, reached: Mapping[bytes, bytes | None]) -> Check:
        """Whether each identity that claims to follow another is claimed by that one too."""
        unconfirmed = []
        for digest, record in self.closure.identities.items():
            before = record.keys.previous
            if before is not None and not self._confirmed(named(digest), before):
                unconfirmed.append(f"{named(digest)[:19]}… after {before[:19]}…")
        if not any(record.keys.previous for record in self.closure.identities.values()):
            return not_checked("rotation", "no identity claims to follow another")
        if unconfirmed:
            return not_checked(
                "rotation",
                "an identity claims to follow another, which does not say so here: nothing is"
                " inherited",
                got=", ".join(unconfirmed[:3]),
            )
        return passed("rotation", "each identity that follows another was named by it")

    def _confirmed(self, identity: str, before: str) -> bool:
        return any(
            kept.type == "urn:teeproof:rotation:v1" and kept.author and named(kept.author) == before
            for one in self.closure.producers.get(identity, ())
            for kept in (self.closure.statements[one],)
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


def _roots_check(roots: tuple[bytes, ...]) -> Check:
    many = f"{len(roots)} statements and all" if len(roots) > 1 else "one statement and all"
    return passed("closure", f"{many} that it was made of, as far as statements say")


def _cycle_check(cyclic: tuple[bytes, ...]) -> Check:
    if not cyclic:
        return passed("acyclic", "no statement was made of itself")
    return failed(
        "acyclic",
        "cycle",
        "these statements were, through each other, made of themselves: at least one lies about its"
        " inputs, or does not say which statement made them",
        got=", ".join(named(one) for one in cyclic[:4]),
    )


def _lowest(levels: list[Level | None]) -> Level | None:
    known = [level for level in levels if level is not None]
    if not known or len(known) != len(levels):
        return None
    return min(known, key=_LEVELS.index)
