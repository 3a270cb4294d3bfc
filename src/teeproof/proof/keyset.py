"""ACI's keyset: the shape in which hardware commits to a workload's keys.

The keyset is derived from the key document and names it as its subject, so that whoever knows ACI
finds the keys that they expect, and whoever knows the key document finds all of them.

Source: ACI specification (``aci/1``), sections 3.1 and 3.2; JCS is RFC 8785.

Trusts: nothing.  Does not trust: whoever served the keyset.
"""

from __future__ import annotations

from typing import Any

import msgspec

from teeproof.core import strictjson
from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, Usage
from teeproof.proof import canonical, points
from teeproof.proof.keys import KeyDocument

__all__ = ["E2EE_ALGORITHM", "E2eeKey", "Keyset", "ReceiptKey", "TlsKey", "keyset_of"]

E2EE_ALGORITHM = "x25519-aes-256-gcm-hkdf-sha256"  # ACI, e2ee-v2
MAX_KEYSET_BYTES = 64 << 10


class ReceiptKey(msgspec.Struct, frozen=True):
    """A key that signs receipts; ``public_key`` is 32 bytes in hex."""

    key_id: str
    algo: str
    public_key: str


class E2eeKey(msgspec.Struct, frozen=True):
    """A key that clients encrypt requests to."""

    key_id: str
    algo: str
    public_key: str


class TlsKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key that serves TLS; ``spki_sha256`` is hex without a prefix."""

    spki_sha256: str
    domain: str | None = None


class Keyset(msgspec.Struct, frozen=True, kw_only=True):
    """ACI's workload keyset.

    Attributes:
        subject: a name that means something under the relying party's policy only.
        not_after: seconds since 1970.
        receipt_signing_keys: keys that sign receipts.
        e2ee_public_keys: keys that requests are encrypted to; may be empty.
        tls_public_keys: keys that serve TLS; may be empty.
    """

    subject: str | None
    not_after: int
    receipt_signing_keys: tuple[ReceiptKey, ...]
    e2ee_public_keys: tuple[E2eeKey, ...] = ()
    tls_public_keys: tuple[TlsKey, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Keyset:
        """Return a keyset in any JSON encoding, as ACI allows.

        Raises:
            Malformed: not JSON, a key given twice, or not this shape.
        """
        value = strictjson.loads(data, limit=MAX_KEYSET_BYTES, what="keyset")
        return keyset_from(value)

    def encode(self) -> bytes:
        """Return the JCS bytes that the digest is over."""
        return canonical.encode(self)

    @property
    def digest(self) -> str:
        """``sha256:…``, which quotes and receipts name."""
        return named(sha256(self.encode()))


def keyset_from(value: Any) -> Keyset:
    """Return a keyset from parsed JSON; Malformed if it has another shape or unknown fields.

    An unknown field would be part of the digest and of no check, so it is refused.
    """
    try:
        keyset = msgspec.convert(value, Keyset, strict=True)
        same = canonical.encode(value) == keyset.encode()
    except (msgspec.ValidationError, ValueError) as error:
        raise _malformed("this is not a keyset", str(error)) from None
    except Usage as error:
        raise _malformed("this keyset has no canonical form", error.got or error.detail) from None
    if not same:
        raise _malformed("this keyset has fields that ACI does not know", str(value))
    return keyset


def _malformed(detail: str, got: str) -> Malformed:
    return Malformed(
        detail,
        code="keyset_malformed",
        expected="the members that ACI names, and no other",
        got=ascii(got[:200]),
    )


def keyset_of(document: KeyDocument) -> Keyset:
    """Return the keyset that a key document determines: the same bytes for the same document."""
    return Keyset(
        subject=document.subject,
        not_after=document.not_after,
        receipt_signing_keys=tuple(
            ReceiptKey(key.role, key.algorithm, key.public_key)
            for key in document.keys
            if key.role == "receipt"
        ),
        e2ee_public_keys=tuple(
            E2eeKey(key.role, E2EE_ALGORITHM, key.public_key)
            for key in document.keys
            if key.role == "e2ee"
        ),
        tls_public_keys=tuple(
            TlsKey(sha256(points.p256_spki(key.raw)).hex(), key.domain)
            for key in document.keys
            if key.role == "tls"
        ),
    )
