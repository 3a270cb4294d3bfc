"""Was a contribution dropped, and did a pool tell two histories? Two statements in hand show it.

A host can put an old copy of a pool's state back: then the pool forgets what it accepted since, and
says something else on the same places. It cannot take back what contributors already hold.

Trusts: that both statements were verified.  Does not trust: the pool's host.
"""

from __future__ import annotations

from teeproof.core.errors import NotAuthentic
from teeproof.proof.statement import Statement

__all__ = ["accounted_for", "same_history"]


def accounted_for(dataset: Statement, contribution: Statement) -> str:
    """Return where a dataset has a contribution that one holds the pool's statement of.

    Returns:
        ``part``, ``withdrawn``, ``copy``, ``refused``, or ``later`` where it arrived afterwards.

    Raises:
        NotAuthentic: codes ``contribution_dropped`` (it was accepted and is not there),
            ``other_pool``.
    """
    data, said = dataset.predicate, contribution.predicate
    if data.terms != said.terms:
        raise NotAuthentic("these statements speak of two pools", code="other_pool")
    if said.sequence > data.through:
        return "later"
    if said.decision != "accepted":
        return str(said.decision)
    if said.contribution in data.withdrawn:
        return "withdrawn"
    for part in data.parts:
        if part.contribution == said.contribution:
            return "part"
    raise NotAuthentic(
        "the pool accepted this contribution, and its dataset has it neither as a part nor as"
        " withdrawn: it was dropped; show both statements to whoever relies on the dataset",
        code="contribution_dropped",
        expected=said.contribution,
        got=f"{len(data.parts)} parts of {data.through} that arrived",
    )


def same_history(one: Statement, other: Statement) -> None:
    """Raise if two statements on contributions show that their pool has told two histories.

    Raises:
        NotAuthentic: code ``history_forked``: one place in the order of arrival has two
            contributions, or two decisions: the pool ran on an old copy of its state.
    """
    mine, its = one.predicate, other.predicate
    if one.id == other.id or mine.terms != its.terms:
        return
    before, after = sorted((one, other), key=lambda s: int(s.predicate.sequence))
    same_place = mine.sequence == its.sequence
    follows = after.predicate.sequence == before.predicate.sequence + 1
    if same_place or (follows and after.predicate.previous != before.name):
        raise NotAuthentic(
            "the pool told two histories: it ran on an old copy of its state; both statements"
            " together prove it",
            code="history_forked",
            expected=before.name,
            got=after.name if same_place else after.predicate.previous,
        )
