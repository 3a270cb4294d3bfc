"""Check that a checkpoint is signed by its log, where the log may have several keys.

Trusts: the keys that the caller names.  Does not trust: who delivered the checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from teeproof.core.errors import NotAuthentic, Usage
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint, verify_checkpoint
from teeproof.proof.log.formats.note import ED25519, Note, VerifierKey

__all__ = ["by_origin", "require_signed", "strip"]


def require_signed(signed: SignedCheckpoint, keys: Sequence[VerifierKey]) -> None:
    """Check that one of the keys signed, and that no line by any of them is false.

    c2sp.org/tlog-witness asks for both: a note with a false line by a known key is malformed.

    Raises:
        NotAuthentic: ``log_unknown`` where no line is by one of the keys, ``checkpoint_signature``
            where a line by one of them does not hold.
    """
    unknown: NotAuthentic | None = None
    held = False
    for key in keys:
        try:
            verify_checkpoint(signed, key)
            held = True
        except NotAuthentic as error:
            if error.code != "log_unknown":
                raise
            unknown = error
    if not held:
        raise unknown or NotAuthentic(
            "no key of this log is known: name its verifier key",
            code="log_unknown",
            got=signed.checkpoint.origin[:200],
        )


def strip(signed: SignedCheckpoint, keys: Iterable[VerifierKey]) -> SignedCheckpoint:
    """Return the checkpoint with one line by each of these keys: what others added is not kept.

    A note may carry 256 KiB of lines that anyone added on the way; memories and proofs do not.
    """
    firsts = (next((x for x in signed.note.signatures if key.owns(x)), None) for key in keys)
    lines = tuple(dict.fromkeys(line for line in firsts if line is not None))
    return SignedCheckpoint(signed.checkpoint, Note(signed.note.text, lines))


def by_origin(keys: Iterable[VerifierKey]) -> Mapping[str, tuple[VerifierKey, ...]]:
    """Return log keys by the origin for which they sign: their names.

    Raises:
        Usage: a key is of another type than a log's, Ed25519.
    """
    found: dict[str, tuple[VerifierKey, ...]] = {}
    for key in dict.fromkeys(keys):
        if key.algorithm != ED25519:
            raise Usage(
                f"the key of {key.name} is no log's key: name the log's verifier key",
                code="log_key_type",
                expected="signature type 0x01 (Ed25519)",
                got=f"0x{key.algorithm:02x}",
            )
        found[key.name] = (*found.get(key.name, ()), key)
    return found
