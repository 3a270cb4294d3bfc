"""What a file is that was handed over as a proof or as evidence, and is neither.

Trusts: nothing.  Does not trust: the file; what is said of it is a guess by its form, for messages.
"""

from __future__ import annotations

import msgspec

from teeproof.core.errors import Usage
from teeproof.proof.source import kind_of

__all__ = ["is_understood_elsewhere"]

_OURS = "urn:teeproof:"
_TLOG_PROOF = b"c2sp.org/tlog-proof@"
_BARE = "a proof file carries {} with all that it rests on: teeproof log export, or Sealed.save"
_RECORDS = {
    "statement": ("a statement in its envelope", _BARE.format("it")),
    "receipt": ("an ACI receipt", _BARE.format("it")),
    "identity": ("an identity record", _BARE.format("a statement of that identity")),
}
_FIELDS = {  # what evidence with the same fields does not have
    "statement": b'"payloadType"',
    "receipt": b'"workload_keyset_digest"',
    "identity": b'"envelope"',
}
_TYPES = {
    "urn:teeproof:fork:v1": (
        "a fork.proof: it shows that a log signed two histories",
        "check it with teeproof verify FILE --logs POLICY, or proof.monitor.fork.verify_fork",
    ),
    "urn:teeproof:proof-verdict:v1": (
        "somebody's verdict on a proof",
        "a verdict convinces nobody but who reached it: verify the proof itself",
    ),
    "urn:teeproof:keys:v1": ("a key document", "ask for the identity that it belongs to"),
}


def is_understood_elsewhere(data: bytes) -> Usage | None:
    """Return the error that says what this is and where it belongs; None if it is nothing of ours.

    Args:
        data: a whole file.
    """
    if data.startswith(_TLOG_PROOF):
        what = "one entry's proof of its place in a log (tlog-proof)"
        return _error(
            what,
            "verify it beside its record: teeproof verify FILE RECORD --logs POLICY",
        )
    kind = kind_of(data)
    if kind is not None and _FIELDS[kind] in data:
        return _error(*_RECORDS[kind])
    name = _type_of(data)
    if not name.startswith(_OURS):
        return None
    return _error(*_TYPES.get(name, (f"a document of the type {name[:100]}", "ask for its proof")))


def _error(what: str, instead: str) -> Usage:
    return Usage(
        f"this is {what}: {instead}",
        code="neither_proof_nor_evidence",
        expected="a proof file (*.proof, a ZIP), or evidence",
        got=what.partition(":")[0],
    )


class _Typed(msgspec.Struct):
    type: str = ""


def _type_of(data: bytes) -> str:
    try:
        return msgspec.json.decode(data, type=_Typed).type
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""
