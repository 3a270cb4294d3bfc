"""What proofs, statements, receipts, identities and log proofs claim, for ``teeproof show``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from teeproof.cli.claims.files import claims_of_file
from teeproof.cli.screen import short
from teeproof.core.clock import format_time
from teeproof.core.digests import named
from teeproof.core.errors import Error
from teeproof.core.reading import peek

__all__ = ["LABELS", "claims_of"]

LABELS = {
    "proof": "proof",
    "statement": "statement in a DSSE envelope",
    "receipt": "ACI receipt",
    "identity": "identity record",
    "tlog-proof": "C2SP log proof",
    "fork": "proof that a log forked",
}
_ZIP = b"PK\x03\x04"
_TLOG_PROOF = b"c2sp.org/tlog-proof@v1\n"
_LISTED = 200  # statements of a proof that are listed; --json lists them all
_MOST = 4 << 20


def claims_of(path: Path, *, every: bool = False) -> dict[str, Any] | None:
    """Return what a file claims, with ``kind`` and ``name``; None if it is none of these.

    Args:
        path: the file.
        every: list all statements of a proof, however many.

    Raises:
        Malformed, TooLarge: it is one of these, and is broken.
    """
    try:
        head = peek(path, 64)
    except Error:
        return None  # whoever reads evidence says what is wrong with the file
    if head.startswith(_ZIP):
        return _proof(path, every=every)
    if not head.startswith((b"{", _TLOG_PROOF)):
        return claims_of_file(path)
    data = peek(path, _MOST)
    for kind, found in _READERS:
        if found(data):
            return {"kind": kind, "name": path.name} | _CLAIMS[kind](data)
    return None


def _proof(path: Path, *, every: bool) -> dict[str, Any]:
    from teeproof.proof.file import ProofFile  # noqa: PLC0415  only for proofs

    with ProofFile.open(path) as proof:
        ids = proof.statement_ids if every else proof.statement_ids[:_LISTED]
        return {
            "kind": "proof",
            "name": path.name,
            "about": [named(root) for root in proof.roots],
            "statements_in_all": len(proof.statement_ids),
            "missing": [f"{named(e.child)} {e.role} {e.parent}" for e in proof.missing_edges()],
            "logs": [
                {
                    "log": part.origin,
                    "entries": len(part.entries),
                    "checkpoints": ", ".join(str(s.checkpoint.size) for s in part.checkpoints),
                    "signed_by": ", ".join(
                        dict.fromkeys(
                            line.name for s in part.checkpoints for line in s.note.signatures
                        )
                    ),
                }
                for part in proof.logs
            ],
            "statements": [_read(read) for one in ids if (read := proof.read(one)) is not None],
            "identities": [
                _record(record)
                for one in proof.identity_digests
                if (record := proof.record(one)) is not None
            ],
        }


def _read(read: Any) -> dict[str, Any]:
    links = [
        f"{link.role}: {short(named(link.statement)) if link.statement else short(link.digest)}"
        for link in read.links
    ]
    return {
        "id": named(read.id),
        "says": read.title,
        "type": read.type,
        "author": named(read.author) if read.author else read.keyset,
        "made": [f"{s.name or 'unnamed'} {short(s.sha256)}" for s in read.subjects],
        "of": links,
    }


def _statement(data: bytes) -> dict[str, Any]:
    from teeproof.proof.source import read_record  # noqa: PLC0415

    read = read_record(data)
    claims = _read(read)
    if read.statement is not None and read.envelope is not None:
        claims["predicate"] = msgspec.json.decode(msgspec.json.encode(read.statement.predicate))
        claims["signatures"] = [s.keyid or "no key id" for s in read.envelope.signatures]
    return claims


def _receipt(data: bytes) -> dict[str, Any]:
    from teeproof.proof.receipt import Receipt  # noqa: PLC0415

    receipt = Receipt.parse(data)
    kept = ("receipt_id", "chat_id", "model", "endpoint", "method", "key_id", "event_log")
    body = {name: receipt.body.get(name) for name in kept}
    served = receipt.body.get("served_at")
    when = _time(served) if isinstance(served, int) else None
    return {"id": receipt.name, "keyset": receipt.keyset_digest, "served_at": when} | body


def _time(seconds: int) -> str | int:
    """Return a time as people write it, or the number where the calendar ends before it."""
    try:
        return format_time(seconds)
    except (ValueError, OverflowError, OSError):
        return seconds


def _record(record: Any) -> dict[str, Any]:
    keys = record.keys
    return {
        "id": record.name,
        "keys": [f"{key.role} {key.algorithm} {short(key.public_key)}" for key in keys.keys],
        "valid": f"{format_time(keys.not_before)} to {format_time(keys.not_after)}",
        "follows": keys.previous,
        "evidence": [f"{one.kind} {one.id}" for one in record.claim.evidence],
        "keyset": record.keyset_digest,
        "nonce": record.claim.nonce,
        "attachments": sorted(record.attachments),
    }


def _identity(data: bytes) -> dict[str, Any]:
    from teeproof.proof.identity import IdentityRecord  # noqa: PLC0415

    return _record(IdentityRecord.parse(data))


def _tlog_proof(data: bytes) -> dict[str, Any]:
    from teeproof.proof.log.formats.tlogproof import TlogProof  # noqa: PLC0415

    proof = TlogProof.parse(data)
    checkpoint = proof.checkpoint.checkpoint
    return {
        "log": checkpoint.origin,
        "index": proof.index,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "salt": proof.extra[:32].hex() if proof.extra else None,
        "seal": proof.extra[32:].hex() if proof.extra else None,
        "signed_by": [line.name for line in proof.checkpoint.note.signatures],
    }


def _fork(data: bytes) -> dict[str, Any]:
    from teeproof.proof.monitor.fork import ForkProof  # noqa: PLC0415

    proof = ForkProof.parse(data)
    return {
        "log": proof.first.checkpoint.origin,
        "sizes": [signed.checkpoint.size for signed in (proof.first, proof.second)],
        "roots": [signed.checkpoint.root.hex() for signed in (proof.first, proof.second)],
    }


def _keys_of(data: bytes) -> frozenset[str]:
    """Return the names of a JSON object's fields; none if it is not one."""
    try:
        value = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return frozenset()
    return frozenset(value)


_READERS: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("tlog-proof", lambda data: data.startswith(_TLOG_PROOF)),
    ("statement", lambda data: {"payload", "payloadType"} <= _keys_of(data)),
    ("identity", lambda data: _keys_of(data) == {"attachments", "envelope"}),
    ("receipt", lambda data: {"api_version", "workload_keyset_digest"} <= _keys_of(data)),
    ("fork", lambda data: {"checkpoints", "entry", "nodes"} <= _keys_of(data)),
)
_CLAIMS: dict[str, Callable[[bytes], dict[str, Any]]] = {
    "tlog-proof": _tlog_proof,
    "statement": _statement,
    "identity": _identity,
    "receipt": _receipt,
    "fork": _fork,
}
