"""A fuzz target for the judges: statements that somebody signed, with anything in them.

An input is the kind, and the predicate with its subjects as JSON in any form, so that a change of
one byte reaches the judge. Whatever is in it, and whatever it was made of, the judge answers or
raises an error of ours; there is no net below it here (``claims.judged`` has one).
"""

from __future__ import annotations

import msgspec

from teeproof.core.digests import named
from tests.bending import document_of, judged_bent, read_of, truths


def fuzz_judged_claim(data: bytes) -> None:
    """Judge a statement, and all that rest on it."""
    kind, _, body = data.partition(b"\n")
    truth = truths().get(kind.decode("ascii", "replace"))
    if truth is None:
        return
    try:
        document = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return
    read, name = read_of(truth.root, document), named(truth.root.id)
    if read is None:
        return
    for other in truths().values():
        if name in other.reads:
            judged_bent(other, name, read)


SEEDS = {
    "fuzz_judged_claim": lambda: [
        kind.encode() + b"\n" + msgspec.json.encode(document_of(truth.root))
        for kind, truth in truths().items()
    ],
}
