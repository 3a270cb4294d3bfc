"""What a statement says, in one clause of plain words: "an agent traded inside its mandate".

The words are ours; the numbers and names in them are the author's claims, each cut short. What a
kind of statement is not known for is said by its author's own word, and as such.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from teeproof.core.text import cut, many
from teeproof.proof.source import Read

__all__ = ["clause", "clause_of", "label_words"]

_NAME = 60  # characters of a name in a clause
Body = dict[str, Any]


def clause(kind: str, body: Any, *, title: str = "") -> str:
    """Return what was done, to stand after "On a machine of this kind,".

    Args:
        kind: predicate type, or ``aci/1`` for a receipt.
        body: the predicate, or the receipt, as plain JSON; whatever a stranger wrote.
        title: the author's own word for it.
    """
    saying = _SAYINGS.get(kind)
    if saying is not None and isinstance(body, dict):
        try:
            return saying(body)
        except (KeyError, TypeError, ValueError, AttributeError):
            pass  # a document that only looks like this kind
    return f"a program said “{cut(title or kind, _NAME)}”"


def clause_of(read: Read) -> str:
    """Return the same for a statement or a receipt that was read."""
    body: Any = {}
    if read.receipt is not None:
        body = read.receipt.body
    elif read.statement is not None:
        body = msgspec.json.decode(read.statement.payload)
    said = body.get("predicate", body) if isinstance(body, dict) else body
    return clause(read.type, said, title=read.title)


def label_words(name: str) -> str:
    """Return a label of code or machine in words, to stand before its value."""
    return _LABELS.get(name, name)


_LABELS = {
    "compose_hash": "the hash of its compose file",
    "measurement": "its launch measurement",
    "mrenclave": "MRENCLAVE",
    "pcr0": "PCR0",
    "mrtd": "the firmware it started with (MRTD)",
    "platform": "its platform",
}


_REFUSED = {
    "withdrawn": "an owner took the data back",
    "code_not_granted": "the code that asked has no grant for them",
    "purpose_not_granted": "there is no grant for that purpose",
    "policy_expired": "the owner's policy has ended",
}


def _action(body: Body) -> str:
    outcome = body["ending"]["outcome"]
    instruction = cut(str(body["intent"]["instruction"]["text"]), _NAME)
    done = {
        "traded": "traded inside its mandate",
        "refused": "refused an instruction that its mandate forbids",
        "waiting": "let an instruction wait",
        "failed": "tried to trade, and failed",
    }.get(outcome, f"ended an instruction as {_name(outcome)}")
    return f"an agent {done}; it was told “{instruction}”"


def _recheck(body: Body) -> str:
    return f"an agent looked at an earlier trade again: {_name(body['outcome'])}"


def _receipt(body: Body) -> str:
    return f"an AI service answered a request with the model “{_name(body['model'])}”"


def _training(body: Body) -> str:
    records = sum(int(source["records"]) for source in body["sources"])
    right, of = int(body["after"]["right"]), int(body["after"]["of"])
    files = many(len(body["sources"]), "file")
    return (
        f"a trainer made a model from {files} with {records:,} records;"
        f" of {of} records that it never saw it gets {right} right"
    )


def _dataset(body: Body) -> str:
    parts = many(len(body["parts"]), "part")
    return f"a data pool closed a dataset of {int(body['records']):,} records in {parts}"


def _contribution(body: Body) -> str:
    done = {"accepted": "accepted a contribution", "refused": "refused a contribution",
            "copy": "found a contribution to be a copy"}  # fmt: skip
    what = done.get(body["decision"], f"decided {_name(body['decision'])} on a contribution")
    return f"a data pool {what} to “{_name(body['terms']['name'])}”"


def _withdrawn(body: Body) -> str:
    count = len(body.get("datasets", ()))
    return (
        f"a data pool recorded that an owner took data back; {many(count, 'dataset')} had used it"
    )


def _node(body: Body) -> str:
    name, price = _name(body["claim"]["name"]), _name(body["claim"]["price"])
    return f"a machine, “{name}”, offered itself at {price} micro-units a second"


def _admission(body: Body) -> str:
    decision = body["decision"]
    return f"a market {'admitted' if decision['admitted'] is True else 'refused'} a machine"


def _match(body: Body) -> str:
    offers = len(body["match"]["offers"])
    chosen = "chose one" if body["match"].get("chosen") else "chose none"
    return f"a market compared {many(offers, 'offer')} for an order and {chosen}"


def _lease(body: Body) -> str:
    return f"a market let a machine at {_name(body['lease']['rate'])} micro-units a second"


def _closing(body: Body) -> str:
    closing = body["closing"]
    paid, back = _name(closing["paid"]), _name(closing["refund"])
    return f"a market ended a lease: {paid} micro-units paid, {back} returned"


def _recipient(body: Body) -> str:
    grants = many(len(body["policy"]["grants"]), "program")
    return f"a key service made a key that {grants} may ask for"


def _release(body: Body) -> str:
    files = many(len(body["files"]), "file")
    if body["decision"] == "released":
        return f"a key service gave the keys of {files} to a program that proved what it is"
    code = _name(body["code"])
    return f"a key service refused the keys of {files}: {_REFUSED.get(code, code)}"


def _erasure(_: Body) -> str:
    return "a key service erased the key of a file, as its owner ordered"


def _rotation(_: Body) -> str:
    return "a program handed over to new keys"


def _step(body: Body) -> str:
    return f"a program did the step “{_name(body['step'])}”"


def _name(value: Any) -> str:
    return cut(str(value), _NAME)


_SAYINGS: dict[str, Callable[[Body], str]] = {
    "aci/1": _receipt,
    **{
        f"urn:teeproof:{name}:v1": saying
        for name, saying in {
            "action": _action, "action-recheck": _recheck, "training": _training,
            "dataset": _dataset, "contribution": _contribution, "withdrawn": _withdrawn,
            "node": _node, "admission": _admission, "match": _match, "lease": _lease,
            "lease-closing": _closing, "recipient": _recipient, "release": _release,
            "erasure": _erasure, "rotation": _rotation, "step": _step,
        }.items()
    },
}  # fmt: skip
