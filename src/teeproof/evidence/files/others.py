"""What teeproof makes and reads that is no evidence, told by its bytes: an error says what to do.

Trusts: nothing; only words come of it.  Does not trust: whoever made the file.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, NamedTuple

from teeproof.core.errors import Usage

__all__ = ["Other", "refuse", "told_by_bytes", "told_by_fields"]


class Other(NamedTuple):
    """A kind of file: a name for programs, what it is in words, and what to do with it."""

    kind: str
    words: str
    advice: str


_ALONE = (
    "it proves nothing without what it rests on; verify a proof file, which Sealed.save in Python"
    " and teeproof log export LOG ID write"
)
PROOF = Other("proof", "a proof file", "verify it by itself, with teeproof verify FILE.proof")
_TLOG_PROOF = Other(
    "tlog-proof",
    "a log proof",
    "verify it with its record, with teeproof verify ENTRY.tlog-proof RECORD.json --logs FILE",
)
_SEALED = Other("sealed", "a sealed file", "open it with teeproof open FILE --key KEYFILE")
_SECRET = Other("secret-key", "a secret key", "it opens sealed files, and is shown to nobody")
_PUBLIC = Other("public-key", "a public key", "files are sealed for it with teeproof seal --to")
_VERDICT_KEY = Other(
    "verdict-key", "a verdict key", "it signs verdicts: name it with --key, and --export"
)
_TOKEN = Other(
    "token", "a signed token (JWT)",
    "if a verifier signed its verdict with it (EAR), check it with teeproof evidence read",
)  # fmt: skip
_LOGS = Other("log-policy", "a log policy", "it says which logs you trust: name it with --logs")
_CHECKPOINT = Other(
    "checkpoint", "a log's checkpoint", "it says how large the log was, and of no entry that it has"
)
_FORK = Other(
    "fork", "a proof that a log forked", "verify it by itself, with --logs for the log's key"
)
_STATEMENT = Other("statement", "a signed statement alone", _ALONE)
IDENTITY = Other("identity", "an identity record alone", _ALONE)
_RECEIPT = Other("receipt", "an ACI receipt alone", _ALONE)
_VERDICT = Other(
    "proof-verdict", "a saved verdict on a proof", "it proves nothing: verify the proof anew"
)

# A local header, 30 bytes, then the name of the first member: proof.file.names
_ZIP, _NAME_AT, _MANIFEST = b"PK\x03\x04", 30, b"manifest.json"
_POLICY = re.compile(
    rb"(?:[ \t]*(?:#[^\n]*)?\n)*[ \t]*"
    rb"(?:log[ \t]+[^\s+]+\+[0-9a-f]{8}\+|witness[ \t]+\S+[ \t]+[^\s+]+\+[0-9a-f]{8}\+)"
)
_NOTE = re.compile(rb"[^\n]+\n[0-9]+\n[A-Za-z0-9+/]{43}=\n(?:[^\n]+\n)*\n\xe2\x80\x94 ")
_JWT = re.compile(rb"eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]")  # RFC 7515: '{"', twice, in base64url
_HEADS = (
    (b"c2sp.org/tlog-proof@v1\n", _TLOG_PROOF),
    (b"TPSEALED", _SEALED),
    (b"teeproof-seal-secret-", _SECRET),
    (b"teeproof-seal-", _PUBLIC),
    (b"teeproof-verdict-", _VERDICT_KEY),
)
_FIELDS: tuple[tuple[frozenset[str], Other], ...] = (
    (frozenset({"payload", "payloadType", "signatures"}), _STATEMENT),
    (frozenset({"attachments", "envelope"}), IDENTITY),
    (frozenset({"api_version", "workload_keyset_digest"}), _RECEIPT),
    (frozenset({"checkpoints", "entry", "nodes"}), _FORK),
)
_HEAD = 4096


def told_by_bytes(data: bytes) -> Other | None:
    """Return what begins with these bytes and is no JSON; None for evidence and all else."""
    if data.startswith(_ZIP):
        name = data[_NAME_AT : _NAME_AT + len(_MANIFEST)]
        return PROOF if name == _MANIFEST else None
    for head, other in _HEADS:
        if data.startswith(head):
            return other
    if _JWT.match(data[:_HEAD]):
        return _TOKEN
    if _NOTE.match(data[:_HEAD]):
        return _CHECKPOINT
    return _LOGS if _POLICY.match(data[:_HEAD]) else None


def told_by_fields(value: dict[str, Any] | Collection[str]) -> Other | None:
    """Return what a JSON object with these fields is; None for evidence and all else."""
    if isinstance(value, dict) and value.get("type") == "urn:teeproof:proof-verdict:v1":
        return _VERDICT
    fields = frozenset(value)
    return next((other for wanted, other in _FIELDS if wanted <= fields), None)


def refuse(other: Other, name: str) -> Usage:
    """Return the error for such a file in the place of evidence."""
    return Usage(
        f"{name} is {other.words}: {other.advice}",
        code="not_evidence",
        expected="evidence or a proof",
        got=f"{other.words}: {other.advice}",
    )
