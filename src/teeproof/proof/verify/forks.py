"""Do the parts that a proof holds of one log contradict each other?

Within a part there is one proof for all checkpoints, so they are of one tree. A file has a second
part of a log only where nothing at hand connects the two: they may then be of two histories, and
are if they disagree about a single node.

Trusts: the log's key, for who is to blame.  Does not trust: the log's operator, the proof.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from teeproof.evidence.verdict import Check, failed, not_checked, passed
from teeproof.proof.file import LogPart
from teeproof.proof.file.sheets import complete
from teeproof.proof.log.formats.merkle import Node
from teeproof.proof.verify.logs import LogView

__all__ = ["with_consistency"]

_ONE_TREE = passed("consistency", "all its checkpoints are of one tree")


def with_consistency(
    views: Sequence[LogView], parts: Sequence[LogPart], leaves: Sequence[Mapping[int, bytes]]
) -> None:
    """Add the check ``consistency`` to the verdict on each part.

    Args:
        views: the parts, judged.
        parts: the parts.
        leaves: leaf hashes of each, by index.
    """
    by_origin: dict[str, list[int]] = {}
    for place, part in enumerate(parts):
        by_origin.setdefault(part.origin, []).append(place)
    for origin, places in by_origin.items():
        check = _check(origin, [(views[i], parts[i], leaves[i]) for i in places])
        for place in places:
            verdict = views[place].verdict
            mine = check if views[place].included else _broken(verdict.origin)
            checks = (verdict.checks[0], mine, *verdict.checks[1:])
            views[place].verdict = msgspec.structs.replace(verdict, checks=checks)


def _check(origin: str, found: Sequence[tuple[LogView, LogPart, Mapping[int, bytes]]]) -> Check:
    whole = [each for each in found if each[0].included]
    if len(whole) < 2:
        return _ONE_TREE
    known: dict[Node, tuple[bytes, bool]] = {}
    for view, part, leaves in whole:
        bottom = {(0, index): value for index, value in leaves.items()}
        for node, value in complete(bottom | dict(part.nodes)).items():
            before, signed = known.setdefault(node, (value, view.signed))
            if before != value:
                return _forked(origin, node, signed=signed and view.signed)
    return not_checked(
        "consistency",
        f"nothing in the proof connects the {len(whole)} parts of {origin}: ask the log for a proof"
        " that it is one history",
        got=", ".join(str(part.newest) for _, part, _ in whole),
    )


def _forked(origin: str, node: Node, *, signed: bool) -> Check:
    where = f"node {node[1]} of level {node[0]}"
    if not signed:
        return failed(
            "consistency",
            "log_parts_differ",
            f"what the proof holds of {origin} is of two trees, and it is not shown that the log"
            " signed both",
            got=f"two hashes for {where}",
        )
    return failed(
        "consistency",
        "log_forked",
        f"{origin} signed two histories: keep this file, it proves it, and trust the log no more",
        got=f"two hashes for {where}",
    )


def _broken(origin: str) -> Check:
    return not_checked("consistency", f"the entries are not shown to be in {origin}")
