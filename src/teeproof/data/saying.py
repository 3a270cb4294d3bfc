"""The statements of a pool, put together from what was decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from teeproof.cloud.kms.policy import Withdrawal
from teeproof.core.digests import parse_named, sha256
from teeproof.core.errors import NotAllowed
from teeproof.data.history import Entry, Spoken
from teeproof.data.parts import dataset_root
from teeproof.data.statements import (
    CIPHERTEXT,
    DATASET_NAME,
    RECORDS,
    Contribution,
    Dataset,
    DatasetPart,
    Withdrawn,
)
from teeproof.data.terms import PoolTerms
from teeproof.data.validation import Outcome
from teeproof.proof import canonical
from teeproof.proof.links import Material, Subject
from teeproof.proof.statement import Statement

__all__ = ["contribution_of", "dataset_of", "withdrawn_of"]


def contribution_of(
    entry: Entry,
    outcome: Outcome,
    *,
    terms: PoolTerms,
    author: str,
    previous: Spoken | None,
    originals: Sequence[str],
) -> Statement:
    """Return what is said of one contribution.

    Args:
        entry: the contribution.
        outcome: what was decided.
        terms: the pool's.
        author: the identity that says it.
        previous: what was said of the contribution before.
        originals: of a copy, ids of what it copies.
    """
    consent = entry.consent
    predicate = Contribution(
        author=author,
        materials=(Material(digest=_hex(terms.held_out), role="held-out"),),
        contribution=consent.contribution,
        sequence=entry.sequence,
        previous=None if previous is None else previous.statement.name,
        terms=terms,
        consent=consent,
        signature=entry.signature,
        decision=outcome.decision,
        reasons=outcome.reasons,
        faults=outcome.faults,
        copy_of=tuple(originals),
        scores=outcome.scores,
        weight=outcome.weight,
        payout=consent.payout,
    )
    subjects = [Subject(_hex(consent.ciphertext), name=CIPHERTEXT)]
    if outcome.root is not None:
        subjects.append(Subject({"sha256": outcome.root}, name=RECORDS))
    return Statement.of(predicate, subjects=tuple(subjects))


def dataset_of(entries: Iterable[Entry], *, terms: PoolTerms, author: str) -> Statement:
    """Return the snapshot of all contributions that were decided.

    Args:
        entries: those, in the order of arrival, from the first on without a gap.
        terms: the pool's.
        author: the identity that says it.

    Raises:
        NotAllowed: code ``dataset_empty``.
    """
    decided = list(entries)
    accepted = [entry for entry in decided if entry.is_decided("accepted")]
    live = [(entry, entry.decided) for entry in accepted if entry.withdrawn is None]
    parts = tuple(_part(entry, said) for entry, said in live if said is not None)
    if not parts:
        raise NotAllowed("the pool has no accepted contribution yet", code="dataset_empty")
    last = decided[-1].decided
    assert last is not None
    predicate = Dataset(
        author=author,
        materials=tuple(_material(part, said) for part, (_, said) in zip(parts, live, strict=True)),
        terms=terms,
        parts=parts,
        withdrawn=tuple(e.consent.contribution for e in accepted if e.withdrawn is not None),
        copies=sum(entry.is_decided("copy") for entry in decided),
        refused=sum(entry.is_decided("refused") for entry in decided),
        through=len(decided),
        head=last.statement.name,
        records=sum(part.records for part in parts),
        weight=sum(part.weight for part in parts),
    )
    root = dataset_root(parts).hex()
    return Statement.of(predicate, subjects=(Subject({"sha256": root}, name=DATASET_NAME),))


def withdrawn_of(
    entry: Entry, order: Withdrawal, signature: str, *, datasets: Iterable[Spoken], author: str
) -> Statement:
    """Return what is said when a contribution is taken back.

    Args:
        entry: the contribution, decided.
        order: the owner's.
        signature: the owner's under the order.
        datasets: all snapshots so far.
        author: the identity that says it.
    """
    consent, decided = entry.consent, entry.decided
    assert decided is not None
    seen = tuple(
        spoken.statement.name
        for spoken in datasets
        if any(p.contribution == consent.contribution for p in spoken.statement.predicate.parts)
    )
    material = Material(
        digest=_hex(consent.ciphertext), role="contribution", statement=decided.statement.name
    )
    predicate = Withdrawn(
        author=author,
        materials=(material,),
        contribution=consent.contribution,
        order=order,
        owner=consent.owner,
        signature=signature,
        datasets=seen,
    )
    digest = sha256(canonical.encode(order)).hex()
    return Statement.of(predicate, subjects=(Subject({"sha256": digest}, name="order"),))


def _part(entry: Entry, said: Spoken) -> DatasetPart:
    consent, decided = entry.consent, said.statement.predicate
    return DatasetPart(
        contribution=consent.contribution,
        sequence=entry.sequence,
        owner=consent.owner,
        payout=consent.payout,
        file=consent.file,
        ciphertext=parse_named(consent.ciphertext).hex(),
        root=said.statement.subjects[1].digest["sha256"],
        records=decided.scores.records,
        weight=decided.weight,
    )


def _material(part: DatasetPart, said: Spoken | None) -> Material:
    assert said is not None
    return Material(
        digest={"sha256": part.root}, role="contribution", statement=said.statement.name
    )


def _hex(digest: str) -> dict[str, str]:
    return {"sha256": parse_named(digest).hex()}
