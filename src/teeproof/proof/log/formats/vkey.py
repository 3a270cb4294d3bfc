"""Verifier keys: a name, a signature type and a public key in one line ("vkey").

c2sp.org/signed-note, "Verifier keys". A key is refused where its id is not the one of its name and
key, and where its Ed25519 point is weak or not the one spelling of its point.

Trusts: nothing; who names a key decides to trust it.  Does not trust: the text of a key.
"""

from __future__ import annotations

import hashlib
import re
from functools import cached_property
from typing import TYPE_CHECKING, Self

import msgspec
from nacl.bindings import (
    crypto_core_ed25519_is_valid_point,
    crypto_sign,
    crypto_sign_open,
    crypto_sign_seed_keypair,
)
from nacl.exceptions import BadSignatureError

from teeproof.core.errors import Malformed, TooLarge, Usage
from teeproof.proof.log.formats.text import from_base64, to_base64

if TYPE_CHECKING:
    from teeproof.proof.log.formats.note import SignatureLine

__all__ = [
    "COSIGNATURE",
    "COSIGNATURE_MLDSA",
    "ED25519",
    "KEY_ID_BYTES",
    "VerifierKey",
    "check_name",
    "ed25519_holds",
    "ed25519_pair",
    "ed25519_sign",
]

# c2sp.org/signed-note, "Signature types"
ED25519 = 0x01
COSIGNATURE = 0x04
COSIGNATURE_MLDSA = 0x06
_KEY_BYTES = {ED25519: 32, COSIGNATURE: 32, COSIGNATURE_MLDSA: 1312}

KEY_ID_BYTES = 4
_MAX_KEY_TEXT = 4096
_NAME = re.compile(r"[^\s+\x00-\x1f]+")  # for str, \s is every Unicode space
_KEY_ID = re.compile(r"[0-9a-f]{8}")


class VerifierKey(msgspec.Struct, frozen=True, dict=True):
    """A public key with the name under which it signs notes ("vkey").

    Attributes:
        name: no spaces, no ``+``, no control characters.
        algorithm: the signature type: ``ED25519``, ``COSIGNATURE`` or ``COSIGNATURE_MLDSA``.
        public_key: 32 bytes of Ed25519, or 1312 of ML-DSA-44.
    """

    name: str
    algorithm: int
    public_key: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        size = _KEY_BYTES.get(self.algorithm)
        if size is None:
            raise _bad_key(
                "its signature type is not supported: ask for an Ed25519 key",
                "key_algorithm_unsupported",
                expected="0x01 (Ed25519), 0x04 (its cosignatures) or 0x06 (those of ML-DSA-44)",
                got=f"0x{self.algorithm:02x}",
            )
        if len(self.public_key) != size:
            raise _bad_key(
                "its length is not that of its signature type",
                expected=f"{size} bytes",
                got=f"{len(self.public_key)} bytes",
            )

    @cached_property
    def key_id(self) -> bytes:
        """4 bytes that, with the name, point from a signature line to this key."""
        body = b"%b\n%c%b" % (self.name.encode(), self.algorithm, self.public_key)
        return hashlib.sha256(body).digest()[:KEY_ID_BYTES]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the key that a vkey text stands for.

        Raises:
            Malformed: another form, another key id than its own, an unknown signature type, or
                an Ed25519 key for which anyone could sign.
            TooLarge: more than 4096 characters.
        """
        if len(text) > _MAX_KEY_TEXT:
            raise TooLarge("the verifier key is too long", expected=f"{_MAX_KEY_TEXT} characters")
        parts = text.split("+", 2)
        if len(parts) != 3 or not _KEY_ID.fullmatch(parts[1]):
            raise _bad_key("it is not name+id+key", got=ascii(text[:100]))
        raw = from_base64(parts[2].encode("utf-8", "replace"), what="verifier key")
        if not raw:
            raise _bad_key("it is empty")
        key = cls(parts[0], raw[0], raw[1:])
        if key.key_id.hex() != parts[1]:
            raise _bad_key(
                "its id belongs to another name or key: copy the whole line again",
                "key_id_mismatch",
                expected=key.key_id.hex(),
                got=parts[1],
            )
        ed25519 = key.algorithm != COSIGNATURE_MLDSA
        if ed25519 and not crypto_core_ed25519_is_valid_point(key.public_key):
            raise _bad_key("its point is weak or not canonical: anyone could sign", "key_weak")
        return key

    def text(self) -> str:
        """Return the vkey: name, hex id and base64 key, joined by ``+``."""
        encoded = to_base64(bytes([self.algorithm]) + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    def owns(self, line: SignatureLine) -> bool:
        """Whether a line says that it is by this key."""
        return line.key_id == self.key_id and line.name == self.name


def ed25519_holds(message: bytes, signature: bytes, public_key: bytes) -> bool:
    """Whether an Ed25519 signature holds; libsodium refuses weak keys and twin signatures."""
    if len(signature) != 64 or len(public_key) != 32:
        return False
    try:
        crypto_sign_open(signature + message, public_key)
    except BadSignatureError:
        return False
    return True


def ed25519_pair(seed: bytes) -> tuple[bytes, bytes]:
    """Return the public key (32 bytes) and libsodium's secret key (64) of a seed.

    Raises:
        Usage: the seed is not 32 bytes.
    """
    if len(seed) != 32:
        raise Usage("an Ed25519 seed has 32 bytes", code="seed_malformed", got=f"{len(seed)} bytes")
    public, secret = crypto_sign_seed_keypair(seed)
    return public, secret


def ed25519_sign(message: bytes, secret: bytes) -> bytes:
    """Return 64 bytes of signature; ``secret`` is libsodium's 64-byte form."""
    return crypto_sign(message, secret)[:64]


def check_name(name: str) -> str:
    """Return a key name as it is.

    Raises:
        Malformed: it is empty, or has a space, a ``+`` or a control character.
    """
    if not _NAME.fullmatch(name) or _has_surrogates(name):
        raise Malformed(
            "a key name must be text without spaces, '+' and control characters",
            code="key_name_malformed",
            got=ascii(name[:100]),
        )
    return name


def _has_surrogates(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _bad_key(
    why: str,
    code: str = "verifier_key_malformed",
    expected: str | None = None,
    got: str | None = None,
) -> Malformed:
    return Malformed(f"this verifier key is refused: {why}", code=code, expected=expected, got=got)
