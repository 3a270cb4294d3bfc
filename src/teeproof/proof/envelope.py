"""DSSE: signatures around a payload, and what exactly they sign.

The key ids in an envelope are hints that anyone can change. Which keys count is decided by the
payload, which names its author, and by that author's key document.

Source: DSSE v1 (secure-systems-lab/dsse), protocol.md and envelope.md.

Trusts: nothing.  Does not trust: whoever handed over the envelope.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

import msgspec

from teeproof.core import strictjson
from teeproof.core.digests import sha256
from teeproof.core.errors import Malformed, TooLarge

__all__ = [
    "IN_TOTO",
    "MAX_ENVELOPE_BYTES",
    "MAX_PAYLOAD_BYTES",
    "MAX_SIGNATURES",
    "Envelope",
    "Signature",
    "pae",
    "seal_of",
]

IN_TOTO = "application/vnd.in-toto+json"  # in-toto attestation, spec/v1/envelope.md
_IN_TOTO_HEAD = b"DSSEv1 %d %b " % (len(IN_TOTO), IN_TOTO.encode())
MAX_PAYLOAD_BYTES = 256 << 10  # a training run with a thousand inputs has some 200 KB
MAX_SIGNATURES = 16
_SEAL_LABEL = (16).to_bytes(8, "big") + b"teeproof.seal.v1"
MAX_SIGNATURE_BYTES = 1 << 13
MAX_ENVELOPE_BYTES = MAX_PAYLOAD_BYTES * 4 // 3 + MAX_SIGNATURES * 2 * MAX_SIGNATURE_BYTES


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One signature; ``keyid`` is a hint that nobody relies on."""

    keyid: str
    sig: bytes


class _Wire(msgspec.Struct, forbid_unknown_fields=True, rename="camel", gc=False):
    payload: bytes
    payload_type: str
    signatures: tuple[Signature, ...]


_decoder = msgspec.json.Decoder(_Wire)
_encoder = msgspec.json.Encoder(order="sorted")


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """A payload and its signatures.

    Attributes:
        payload: what is said; its SHA-256 is the statement's id.
        signatures: at least one, at most ``MAX_SIGNATURES``.
        payload_type: the media type, which is signed too.
    """

    payload: bytes
    signatures: tuple[Signature, ...]
    payload_type: str = IN_TOTO

    @classmethod
    def parse(cls, data: bytes) -> Envelope:
        """Return the envelope in DSSE's JSON, in whatever way it is written.

        Raises:
            TooLarge: beyond ``MAX_ENVELOPE_BYTES``, or a payload beyond ``MAX_PAYLOAD_BYTES``.
            Malformed: not DSSE's JSON, a key given twice, no signature or too many.
        """
        if len(data) > MAX_ENVELOPE_BYTES:
            raise _too_large("envelope", MAX_ENVELOPE_BYTES, len(data))
        try:
            wire = _decoder.decode(data)
            ours = _encoder.encode(wire) == data
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            ours = False
        envelope = cls(wire.payload, wire.signatures, wire.payload_type) if ours else _foreign(data)
        envelope.check()
        return envelope

    def check(self) -> None:
        """Raise TooLarge or Malformed unless the bounds hold."""
        if len(self.payload) > MAX_PAYLOAD_BYTES:
            raise _too_large("payload", MAX_PAYLOAD_BYTES, len(self.payload))
        if not 1 <= len(self.signatures) <= MAX_SIGNATURES:
            raise _malformed(
                f"1 to {MAX_SIGNATURES} signatures", f"{len(self.signatures)} signatures"
            )
        for signature in self.signatures:
            if not 1 <= len(signature.sig) <= MAX_SIGNATURE_BYTES:
                raise _malformed("signatures of a usual length", "another")

    def encode(self) -> bytes:
        """Return DSSE's JSON, sorted and compact: the same envelope gives the same bytes."""
        return _encoder.encode(_Wire(self.payload, self.payload_type, self.signatures))

    @property
    def id(self) -> bytes:
        """SHA-256 of the payload, 32 bytes."""
        return sha256(self.payload)

    @property
    def signed(self) -> bytes:
        """The bytes that each signature is over."""
        return pae(self.payload, self.payload_type)

    def seal(self, signers: int) -> bytes:
        """Return the digest by which a log entry commits to the first signatures, 32 bytes.

        Args:
            signers: how many must sign: the author, then the cosigners in the payload's order.
                Their signatures stand first, in that order; further ones commit to nothing.
        """
        if signers == 1 and self.signatures:
            return seal_of(self.signatures[0].sig)
        return seal_of(*(signature.sig for signature in self.signatures[:signers]))


def seal_of(*signatures: bytes) -> bytes:
    """Return SHA-256 over signatures, each behind its length, and a label."""
    # framed_sha256 over label and signatures, in one piece: verifiers make many
    data = _SEAL_LABEL
    for signature in signatures:
        data += len(signature).to_bytes(8, "big") + signature
    return hashlib.sha256(data).digest()


def pae(payload: bytes, payload_type: str = IN_TOTO) -> bytes:
    """Return DSSE's pre-authentication encoding of a payload."""
    if payload_type == IN_TOTO:  # nearly always, and verifiers make many
        return b"%b%d %b" % (_IN_TOTO_HEAD, len(payload), payload)
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _foreign(data: bytes) -> Envelope:
    """Read an envelope of another writer: other order, white space, fields that DSSE ignores."""
    value = strictjson.loads(data, limit=MAX_ENVELOPE_BYTES, what="envelope")
    try:
        signatures = tuple(
            Signature(_text(given.get("keyid", "")), _base64(given["sig"]))
            for given in value["signatures"]
        )
        return Envelope(_base64(value["payload"]), signatures, _text(value["payloadType"]))
    except (KeyError, TypeError, AttributeError, binascii.Error, ValueError) as error:
        raise _malformed("payload, payloadType and signatures", repr(error)[:200]) from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} where text belongs")
    return value


def _base64(value: Any) -> bytes:
    text = _text(value)
    if "-" in text or "_" in text:  # DSSE: either alphabet, told by what occurs
        text = text.replace("-", "+").replace("_", "/")
    raw = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    if base64.b64encode(raw).rstrip(b"=") != text.rstrip("=").encode():
        raise ValueError("base64 with bits that nobody reads")
    return raw


def _too_large(what: str, limit: int, size: int) -> TooLarge:
    return TooLarge(
        f"the {what} is too large: put large things beside the statement, and their digest in it",
        expected=f"at most {limit} bytes",
        got=f"{size} bytes",
    )


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        "this is not a DSSE envelope", code="envelope_malformed", expected=expected, got=got
    )
