"""Whom a file is sealed for: key pairs, their text forms, and the two suites of HPKE.

    x25519            DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM       (RFC 9180)
    mlkem768-x25519   X-Wing (KEM 0x647a), HKDF-SHA256, AES-256-GCM              (hybrid)

The hybrid stays secret as long as one of its two halves does: ML-KEM holds against a quantum
computer, X25519 should ML-KEM fall. It is X-Wing (draft-connolly-cfrg-xwing-kem), keys included:
the public key is the ML-KEM-768 key (1,184 bytes) ‖ the X25519 key (32), and the secret a seed of
32 bytes, which SHAKE256 stretches to ML-KEM's d ‖ z (64) ‖ the X25519 key (32).

A text form is one line, ``teeproof-seal-<suite>:<hex>:<check>``; a secret one says
``teeproof-seal-secret-<suite>``. The check is the first 4 bytes of a digest: any 32 bytes are an
X25519 key, so without it a slip of the pen would seal a file for nobody.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from teeproof.core.digests import framed_sha256
from teeproof.core.errors import Malformed, NotAuthentic

__all__ = ["HYBRID", "SUITES", "X25519", "PrivateRecipient", "Recipient", "Suite", "suite_of"]

SECRET = 32
_MLKEM_PUBLIC = 1184  # FIPS 203, table 3
_PUBLIC, _PRIVATE = "teeproof-seal-", "teeproof-seal-secret-"
_CHECK = 4
_PROBE: Final = X25519PrivateKey.from_private_bytes(bytes(range(32)))


@dataclass(frozen=True, slots=True)
class Suite:
    """One way to wrap a data key.

    Attributes:
        number: the byte that stands for it in files.
        name: the word that stands for it in texts and digests.
        public: the size of a public key.
        wrapped: the size of a wrapped data key: encapsulation, 32 bytes, tag.
        hpke: the library's suite.
    """

    number: int
    name: str
    public: int
    wrapped: int
    hpke: hpke.Suite = field(compare=False, repr=False)


def _suite(number: int, name: str, kem: hpke.KEM, public: int, encapsulation: int) -> Suite:
    whole = hpke.Suite(kem, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
    return Suite(number, name, public, encapsulation + 32 + 16, whole)


X25519 = _suite(1, "x25519", hpke.KEM.X25519, 32, 32)
HYBRID = _suite(2, "mlkem768-x25519", hpke.KEM.MLKEM768_X25519, _MLKEM_PUBLIC + 32, 1088 + 32)
SUITES = (X25519, HYBRID)


@dataclass(frozen=True)
class Recipient:
    """A public key that files can be sealed for.

    Attributes:
        suite: how data keys are wrapped for it.
        public_key: its raw bytes, 32 or 1,216.

    Raises:
        Malformed: codes ``recipient_malformed``, ``recipient_low_order``.
    """

    suite: Suite
    public_key: bytes

    def __post_init__(self) -> None:
        """Refuse what is no key."""
        if len(self.public_key) != self.suite.public:
            raise _malformed(f"{len(self.public_key)} bytes", f"{self.suite.public} bytes")
        _require_order(self.public_key[-32:])
        _ = self._key

    @cached_property
    def digest(self) -> bytes:
        """The 32 bytes that name this recipient in headers, suite included."""
        label = "teeproof.seal-recipient.v1"
        return framed_sha256(label, self.suite.name.encode(), self.public_key)

    @property
    def text(self) -> str:
        """The text form, one line."""
        return _text(_PUBLIC, self.suite, self.public_key)

    @classmethod
    def parse(cls, text: str) -> Recipient:
        """Return the recipient that a text form names.

        Raises:
            Malformed: codes ``recipient_secret`` (it is a secret key), ``recipient_malformed``,
                ``recipient_checksum``, ``recipient_low_order``.
        """
        if text.startswith(_PRIVATE):
            raise Malformed(
                "this is a secret key: name the public one (teeproof keys show FILE)",
                code="recipient_secret",
                expected=f"{_PUBLIC}…",
                got=f"{_PRIVATE}…",
            )
        return cls(*_parse(text, _PUBLIC, {suite: suite.public for suite in SUITES}))

    def encrypt(self, secret: bytes, *, info: bytes) -> bytes:
        """Return encapsulation ‖ ciphertext ‖ tag. HPKE takes its randomness from the library."""
        return self.suite.hpke.encrypt(secret, self._key, info)

    @cached_property
    def _key(self) -> Any:
        if self.suite is X25519:
            return X25519PublicKey.from_public_bytes(self.public_key)
        raw, point = self.public_key[:_MLKEM_PUBLIC], self.public_key[_MLKEM_PUBLIC:]
        try:
            lattice = MLKEM768PublicKey.from_public_bytes(raw)
        except ValueError:  # FIPS 203, 7.2: a coefficient that is not reduced
            raise _malformed("another one", "an ML-KEM-768 key in its one encoding") from None
        return hpke.MLKEM768X25519PublicKey(lattice, X25519PublicKey.from_public_bytes(point))


@dataclass(frozen=True)
class PrivateRecipient:
    """A key pair that opens what was sealed for its public half.

    Attributes:
        suite: how data keys are wrapped for it.
        secret: 32 bytes: the X25519 key, or the seed of the hybrid.
    """

    suite: Suite
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what is no secret."""
        if len(self.secret) != SECRET:
            raise _malformed(f"{len(self.secret)} bytes", f"{SECRET} bytes")

    @classmethod
    def new(
        cls, *, hybrid: bool = False, random: Callable[[int], bytes] = os.urandom
    ) -> PrivateRecipient:
        """Return a fresh key pair."""
        return cls(HYBRID if hybrid else X25519, random(SECRET))

    @cached_property
    def public(self) -> Recipient:
        """The half to give away."""
        if self.suite is X25519:
            return Recipient(X25519, self._key.public_key().public_bytes_raw())
        lattice, point = self._halves
        raw = lattice.public_key().public_bytes_raw() + point.public_key().public_bytes_raw()
        return Recipient(HYBRID, raw)

    @property
    def secret_text(self) -> str:
        """The text form of the secret, one line."""
        return _text(_PRIVATE, self.suite, self.secret)

    @classmethod
    def parse(cls, text: str) -> PrivateRecipient:
        """Return the key pair that a secret text form holds.

        Raises:
            Malformed: codes ``recipient_malformed``, ``recipient_checksum``; none repeats the text.
        """
        return cls(*_parse(text, _PRIVATE, dict.fromkeys(SUITES, SECRET)))

    def decrypt(self, wrapped: bytes, *, info: bytes) -> bytes:
        """Return what ``Recipient.encrypt`` was given.

        Raises:
            NotAuthentic: code ``wrapped_key_not_authentic``: another key, another info, or changed.
        """
        try:
            return self.suite.hpke.decrypt(wrapped, self._key, info)
        except InvalidTag:
            raise NotAuthentic(
                "the data key in this file is not for this use: it, or what it is bound to (policy"
                " and file id), was changed after sealing; get the file again",
                code="wrapped_key_not_authentic",
            ) from None

    @cached_property
    def _halves(self) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
        stretched = hashlib.shake_256(self.secret).digest(96)
        lattice = MLKEM768PrivateKey.from_seed_bytes(stretched[:64])
        return lattice, X25519PrivateKey.from_private_bytes(stretched[64:])

    @cached_property
    def _key(self) -> Any:
        if self.suite is X25519:
            return X25519PrivateKey.from_private_bytes(self.secret)
        return hpke.MLKEM768X25519PrivateKey(*self._halves)


def suite_of(number: int) -> Suite:
    """Return the suite that a file's byte stands for.

    Raises:
        Malformed: code ``suite_unknown``.
    """
    for suite in SUITES:
        if suite.number == number:
            return suite
    raise Malformed(
        "this file uses a suite that this version does not know: use a newer teeproof",
        code="suite_unknown",
        expected=", ".join(f"{suite.number} ({suite.name})" for suite in SUITES),
        got=str(number),
    )


def _require_order(point: bytes) -> None:
    # RFC 7748, 6.1: a point of low order gives a shared secret that everybody knows.
    try:
        _PROBE.exchange(X25519PublicKey.from_public_bytes(point))
    except ValueError:
        raise Malformed(
            "this X25519 key is a point of low order: what is sealed for it, anybody can open",
            code="recipient_low_order",
            got=point.hex(),
        ) from None


def _text(prefix: str, suite: Suite, value: bytes) -> str:
    return f"{prefix}{suite.name}:{value.hex()}:{_check(prefix, suite, value).hex()}"


def _check(prefix: str, suite: Suite, value: bytes) -> bytes:
    label = "teeproof.seal-text.v1"
    return framed_sha256(label, prefix.encode(), suite.name.encode(), value)[:_CHECK]


def _parse(text: str, prefix: str, sizes: dict[Suite, int]) -> tuple[Suite, bytes]:
    expected = f"{prefix}<suite>:<hex>:<8 hex digits>"
    name, _, rest = text.removeprefix(prefix).partition(":")
    digits, _, check = rest.partition(":")
    suite = next((suite for suite in sizes if suite.name == name), None)
    if suite is None or not text.startswith(prefix) or len(digits) != 2 * sizes[suite]:
        shown = "" if prefix == _PRIVATE else f"{text[:24]!a}…, "  # it may be a secret misspelt
        raise _malformed(f"{shown}{len(text)} characters", expected)
    if digits.strip("0123456789abcdef"):
        raise _malformed("other characters than lower-case hex digits", expected)
    value = bytes.fromhex(digits)
    if check != _check(prefix, suite, value).hex():
        raise Malformed(
            "this key was mistyped or cut short: its check digits do not fit; copy it again",
            code="recipient_checksum",
        )
    return suite, value


def _malformed(got: str, expected: str) -> Malformed:
    return Malformed(
        "this is not a key for sealed files", code="recipient_malformed", expected=expected, got=got
    )
