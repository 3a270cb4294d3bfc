"""Cosignatures: a witness says when it saw that a checkpoint extends all that it saw before.

c2sp.org/tlog-cosignature, Ed25519 form (``cosignature/v1``). The signature covers the time and the
whole checkpoint text, but not the cosigner's name: one key must not serve under two names, and
policies refuse that.

Trusts: keys that the caller names, and their clocks.  Does not trust: the checkpoint's text.
"""

from __future__ import annotations

from nacl.bindings import crypto_sign_seed_keypair

from teeproof.core.errors import Usage
from teeproof.proof.log.checkpoint import Checkpoint
from teeproof.proof.log.note import COSIGNATURE, SignatureLine, VerifierKey
from teeproof.proof.log.text import MAX_NUMBER
from teeproof.proof.log.vkey import ed25519_holds, ed25519_sign

__all__ = ["Cosigner", "claimed_time", "cosigned_at"]

_TIME_BYTES = 8
_SIGNATURE_BYTES = 64


class Cosigner:
    """Cosigns checkpoints with one Ed25519 key, as a witness does.

    Args:
        name: the key's name; one key serves under one name.
        seed: 32 secret bytes.
    """

    def __init__(self, name: str, seed: bytes) -> None:
        public, self._secret = crypto_sign_seed_keypair(seed)
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
    """
    time = claimed_time(line)
    if key.algorithm != COSIGNATURE or not key.owns(line) or not time:
        return None
    signature = line.signature[_TIME_BYTES:]
    return time if ed25519_holds(_message(text, time), signature, key.public_key) else None


def claimed_time(line: SignatureLine) -> int | None:
    """Return the time that a cosignature claims, unverified; None if it has another form."""
    if len(line.signature) != _TIME_BYTES + _SIGNATURE_BYTES:
        return None
    time = int.from_bytes(line.signature[:_TIME_BYTES], "big")
    return time if time <= MAX_NUMBER else None


def _message(text: bytes, time: int) -> bytes:
    return b"cosignature/v1\ntime %d\n%b" % (time, text)
