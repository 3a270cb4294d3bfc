"""Cosignatures: a witness says when it saw that a checkpoint extends all that it saw before.

c2sp.org/tlog-cosignature. We make the Ed25519 form (``cosignature/v1``) and check that of ML-DSA-44
(``subtree/v1``) too. The former covers the time and the whole checkpoint text, but not the
cosigner's name: one key must not serve under two names, and policies refuse that. The latter covers
the name, and no extension lines.

Trusts: keys that the caller names, and their clocks.  Does not trust: the checkpoint's text.
"""

from __future__ import annotations

import struct

from teeproof.core.errors import Malformed, Unavailable, Usage
from teeproof.proof.log.formats.checkpoint import Checkpoint
from teeproof.proof.log.formats.note import (
    COSIGNATURE,
    COSIGNATURE_MLDSA,
    SignatureLine,
    VerifierKey,
)
from teeproof.proof.log.formats.text import MAX_NUMBER
from teeproof.proof.log.formats.vkey import ed25519_holds, ed25519_pair, ed25519_sign

__all__ = ["Cosigner", "claimed_time", "cosigned_at", "subtree_message"]

_TIME_BYTES = 8
_SIGNATURE_BYTES = (64, 2420)  # Ed25519; ML-DSA-44 (FIPS 204, table 2)


class Cosigner:
    """Cosigns checkpoints with one Ed25519 key, as a witness does.

    Args:
        name: the key's name; one key serves under one name.
        seed: 32 secret bytes.

    Raises:
        Usage: the seed has another length.
        Malformed: the name is none.
    """

    def __init__(self, name: str, seed: bytes) -> None:
        public, self._secret = ed25519_pair(seed)
        self.verifier = VerifierKey(name, COSIGNATURE, public)

    def cosign(self, text: bytes, *, time: int) -> SignatureLine:
        """Return the line that cosigns a checkpoint's text at a time in seconds since 1970.

        Raises:
            Malformed: the text is no checkpoint.
            Usage: the time is not between 1 and 2^63 - 1; zero would say that there is none.
        """
        if not 0 < time <= MAX_NUMBER:
            raise Usage("a cosignature needs a time after 1970", code="time_malformed")
        Checkpoint.parse(text)
        signature = ed25519_sign(_message(text, time), self._secret)
        raw = time.to_bytes(_TIME_BYTES, "big") + signature
        return SignatureLine(self.verifier.name, self.verifier.key_id, raw)


def cosigned_at(text: bytes, line: SignatureLine, key: VerifierKey) -> int | None:
    """Return when a checkpoint's text was cosigned, in seconds since 1970.

    None if the line is not by this key, its signature does not hold, or its time is zero (no
    statement of a time) or above 2^63 - 1. Whether the time lies in the future is not looked at.

    Raises:
        Unavailable: the key is of ML-DSA-44, and this machine's ``cryptography`` has none.
    """
    time = claimed_time(line)
    if not key.owns(line) or not time:
        return None
    signature = line.signature[_TIME_BYTES:]
    if key.algorithm == COSIGNATURE:
        holds = ed25519_holds(_message(text, time), signature, key.public_key)
    else:
        holds = key.algorithm == COSIGNATURE_MLDSA and _mldsa_holds(text, time, signature, key)
    return time if holds else None


def claimed_time(line: SignatureLine) -> int | None:
    """Return the time that a cosignature claims, unverified; None if it has another form."""
    if len(line.signature) - _TIME_BYTES not in _SIGNATURE_BYTES:
        return None
    time = int.from_bytes(line.signature[:_TIME_BYTES], "big")
    return time if time <= MAX_NUMBER else None


def _message(text: bytes, time: int) -> bytes:
    return b"cosignature/v1\ntime %d\n%b" % (time, text)


def _mldsa_holds(text: bytes, time: int, signature: bytes, key: VerifierKey) -> bool:
    from cryptography.exceptions import (  # noqa: PLC0415  few policies have such a key
        InvalidSignature,
        UnsupportedAlgorithm,
    )
    from cryptography.hazmat.primitives.asymmetric.mldsa import (  # noqa: PLC0415  as above
        MLDSA44PublicKey,
    )

    try:
        seen = Checkpoint.parse(text)
        message = subtree_message(
            key.name, seen.origin, time=time, start=0, end=seen.size, root=seen.root
        )
        MLDSA44PublicKey.from_public_bytes(key.public_key).verify(signature, message)
    except UnsupportedAlgorithm:
        raise Unavailable(
            "a witness has an ML-DSA-44 key, and 'cryptography' cannot check it here: update it",
            code="mldsa_unavailable",
        ) from None
    except (InvalidSignature, Malformed, ValueError, struct.error):
        return False
    return True


def subtree_message(
    cosigner: str, origin: str, *, time: int, start: int, end: int, root: bytes
) -> bytes:
    """Return ``cosigned_message``: what an ML-DSA-44 cosigner signs of the leaves [start, end).

    Raises:
        struct.error: a name or a number does not fit the structure.
    """
    name, log = cosigner.encode(), origin.encode()
    form = f">12sB{len(name)}sQB{len(log)}sQQ32s"
    label = b"subtree/v1\n\0"
    return struct.pack(form, label, len(name), name, time, len(log), log, start, end, root)
