"""A key document: which public key a workload uses for what, and until when.

One key has one role and no key has two: a signature made for one purpose can then never be shown
as one made for another. Hardware commits to the digest of this document (through its keyset), so
what is listed here was listed inside the TEE.

Trusts: nothing; a document says who may speak only once evidence commits to it.
Does not trust: whoever wrote the document.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final, Literal

import msgspec

from teeproof.core.digests import named, parse_named, sha256
from teeproof.core.errors import Malformed
from teeproof.proof import canonical, points

__all__ = [
    "DEFAULT_LIFETIME",
    "KEYS_TYPE",
    "LONGEST_LIFETIME",
    "ROLES",
    "SIGNING",
    "SKEW",
    "Algorithm",
    "Key",
    "KeyDocument",
]

KEYS_TYPE: Final = "urn:teeproof:keys:v1"
DAY = 86_400
DEFAULT_LIFETIME = 7 * DAY
LONGEST_LIFETIME = 30 * DAY  # Intel's collateral lives as long, so it never outlives an identity
SKEW = 300  # seconds by which an honest machine's clock may be ahead of a witness's
MAX_DOCUMENT_BYTES = 32 << 10
LAST_SECOND = 253_402_300_799  # the end of the year 9999, the last that RFC 3339 can write
MAX_DOMAIN = 253  # RFC 1035
MAX_LABEL = 63  # RFC 1035

Algorithm = Literal["ed25519", "p256", "secp256k1", "x25519", "mlkem768-x25519"]

ROLES: dict[str, tuple[Algorithm, ...]] = {
    "statement": ("ed25519",),
    "receipt": ("ed25519",),
    "chain": ("secp256k1",),
    "legacy": ("secp256k1", "ed25519"),
    "seal": ("x25519", "mlkem768-x25519"),
    "e2ee": ("x25519",),
    "tls": ("p256",),
    "model": ("p256",),
    "log": ("ed25519",),
    "witness": ("ed25519",),
    "verdict": ("ed25519",),
}
"""Each role and the algorithms that a key of it may have, one key per algorithm."""

SIGNING: frozenset[Algorithm] = frozenset({"ed25519", "p256", "secp256k1"})


class Key(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """One public key.

    Attributes:
        role: one of ``ROLES``.
        algorithm: one that the role allows.
        public_key: lower-case hex: 32 bytes (ed25519, x25519), 33 bytes (p256 and secp256k1,
            SEC 1 compressed) or 1,216 bytes (mlkem768-x25519: ML-KEM-768, then X25519).
        domain: of a ``tls`` key, the host name that it serves, if it serves one only.
    """

    role: str
    algorithm: Algorithm
    public_key: str
    domain: str | None = None

    @property
    def raw(self) -> bytes:
        """The public key's bytes."""
        return bytes.fromhex(self.public_key)


class KeyDocument(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True,
    dict=True,
):  # fmt: skip
    """A workload's public keys. Encode and parse with the methods: the bytes are canonical.

    Attributes:
        type: always ``urn:teeproof:keys:v1``.
        not_before: when the keys were made, by the workload's clock, seconds since 1970.
        not_after: when they stop being valid; at most 30 days after ``not_before``.
        keys: sorted by role and algorithm; one per role and algorithm.
        previous: ``sha256:…`` of the identity that this one follows, if it follows one.
    """

    type: Literal["urn:teeproof:keys:v1"]
    not_before: int
    not_after: int
    keys: tuple[Key, ...]
    previous: str | None = None

    @classmethod
    def of(
        cls, keys: tuple[Key, ...], *, not_before: int, not_after: int, previous: str | None = None
    ) -> KeyDocument:
        """Return a document over these keys, in order; Malformed as ``parse``."""
        document = cls(
            type=KEYS_TYPE,
            not_before=not_before,
            not_after=not_after,
            keys=tuple(sorted(keys, key=_place)),
            previous=previous,
        )
        document.check()
        return document

    @classmethod
    def parse(cls, data: bytes) -> KeyDocument:
        """Return the document in canonical JSON.

        Raises:
            Malformed: not canonical, an unknown role or algorithm, a key that is no point of its
                curve, one key twice, or a lifetime beyond 30 days.
        """
        document = canonical.decode(
            data, limit=MAX_DOCUMENT_BYTES, what="key document", kind=KeyDocument
        )
        document.check()
        return document

    def check(self) -> None:
        """Raise Malformed unless every rule of this format holds."""
        places = [_place(key) for key in self.keys]
        if places != sorted(set(places)):
            raise _wrong("keys_out_of_order", "each role and algorithm once, sorted", str(places))
        for key in self.keys:
            _check_key(key)
        _check_apart(self.keys)
        if self.key("statement") is None:
            raise _wrong("statement_key_missing", "a key with the role statement", "none")
        if not 0 < self.not_before < self.not_after <= LAST_SECOND:
            raise _wrong(
                "key_dates_malformed",
                "not_before < not_after, both before the year 10000",
                f"{self.not_before}, {self.not_after}",
            )
        if self.not_after - self.not_before > LONGEST_LIFETIME:
            days = (self.not_after - self.not_before) / DAY
            raise _wrong("keys_live_too_long", "at most 30 days", f"{days:.1f} days")
        if self.previous is not None:
            parse_named(self.previous)

    def begins_after(self, time: int) -> bool:
        """Return whether the keys were made after a time, by more than clocks differ (``SKEW``)."""
        return time < self.not_before - SKEW

    def encode(self) -> bytes:
        """Return the canonical JSON."""
        return self._encoded

    def key(self, role: str, algorithm: Algorithm | None = None) -> Key | None:
        """Return the key of a role; of several algorithms the named one, or the first."""
        for key in self.keys:
            if key.role == role and algorithm in (None, key.algorithm):
                return key
        return None

    @property
    def signing(self) -> tuple[Key, ...]:
        """The keys that can sign, in the document's order."""
        return tuple(key for key in self.keys if key.algorithm in SIGNING)

    @cached_property
    def _encoded(self) -> bytes:
        return canonical.encode(self)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the canonical JSON, 32 bytes."""
        return sha256(self._encoded)

    @property
    def subject(self) -> str:
        """``urn:teeproof:keys:sha256:…``, which names this document in its keyset."""
        return f"urn:teeproof:keys:{named(self.digest)}"


def _place(key: Key) -> tuple[str, str]:
    return key.role, key.algorithm


def _check_key(key: Key) -> None:
    allowed = ROLES.get(key.role)
    if allowed is None:
        raise _wrong("key_role_unknown", ", ".join(ROLES), key.role)
    if key.algorithm not in allowed:
        raise _wrong("key_algorithm_wrong", " or ".join(allowed), key.algorithm)
    if key.domain is not None and (key.role != "tls" or not _is_host(key.domain)):
        raise _wrong("key_domain_wrong", "a host name, of a tls key", key.domain)
    try:
        raw = bytes.fromhex(key.public_key)
    except ValueError:
        raw = b""
    if raw.hex() != key.public_key or not points.is_valid(key.algorithm, raw):
        raise _wrong(
            "public_key_malformed", f"a public key of {key.algorithm}, in hex", key.public_key
        )


def _check_apart(keys: tuple[Key, ...]) -> None:
    """Refuse a key in two roles: also one that hides inside a hybrid key, or with another sign."""
    seen: dict[bytes, str] = {}
    for key in keys:
        for part in points.parts(key.algorithm, key.raw):
            if part in seen:
                raise _wrong(
                    "key_in_two_roles",
                    "a key of its own for each role",
                    f"{seen[part]}, {key.role}",
                )
            seen[part] = key.role


def _is_host(text: str) -> bool:
    return len(text) <= MAX_DOMAIN and all(_is_label(label) for label in text.split("."))


def _is_label(text: str) -> bool:
    inside = text.isascii() and text.replace("-", "a").isalnum() and text == text.lower()
    return inside and len(text) <= MAX_LABEL and text[0] != "-" != text[-1]


def _wrong(code: str, expected: str, got: str) -> Malformed:
    return Malformed(
        "this key document is not one to use", code=code, expected=expected, got=got[:200]
    )
