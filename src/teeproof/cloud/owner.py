"""An owner: the person whose data it is, known by an Ed25519 key that never enters a machine.

An owner signs documents: a consent, a release policy, a withdrawal. A signature is over DSSE's
encoding of the document's canonical JSON, under a media type of its own, so none can be shown as a
workload's statement. It is carried in an envelope, or as 128 hex digits beside the document, where
that lies inside something else. A document says in its ``type`` what it is for.

Trusts: who holds the key file.  Does not trust: whoever hands over a document.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from teeproof.core.errors import Malformed, NotAuthentic, Unavailable
from teeproof.core.reading import read_bounded
from teeproof.core.writing import PRIVATE, write_file
from teeproof.proof import canonical, signing
from teeproof.proof.envelope import Envelope, Signature, pae

__all__ = ["MAX_DOCUMENT_BYTES", "OWNED", "OwnerKey", "check_owner", "verify_owned", "verify_text"]

T = TypeVar("T")

OWNED: Final = "application/vnd.teeproof.owned+json"
MAX_DOCUMENT_BYTES = 128 << 10
_PREFIX = "teeproof-owner-secret:"
_KEY_FILE = 256


class OwnerKey:
    """The key of one owner: ``new`` in memory, ``create`` and ``load`` in a file.

    Args:
        secret: 32 bytes.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32:
            raise _no_key(f"{len(secret)} bytes")
        self._secret = secret
        self._expanded = signing.expand_ed25519(secret)

    def __repr__(self) -> str:
        """Show the public half only."""
        return f"OwnerKey({self.public[:16]}…)"

    @classmethod
    def new(cls, *, random: Callable[[int], bytes] = os.urandom) -> Self:
        """Return a fresh key that is kept nowhere."""
        return cls(random(32))

    @classmethod
    def create(cls, path: Path, *, random: Callable[[int], bytes] = os.urandom) -> Self:
        """Write a fresh key to a new file, which only its owner can read, and return it.

        Raises:
            Usage: code ``out_taken``. Unavailable: code ``out_unavailable``.
        """
        key = cls.new(random=random)
        text = f"{_PREFIX}{key._secret.hex()}\n"
        write_file(path, text.encode(), overwrite=False, mode=PRIVATE)
        return key

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return the key in a file.

        Raises:
            Malformed: code ``owner_key_malformed``; the text is not repeated.
            Unavailable, Usage, TooLarge: as ``read_bounded``.
        """
        text = read_bounded(path, limit=_KEY_FILE, what="owner's key").decode(errors="replace")
        digits = text.rstrip("\n").removeprefix(_PREFIX)
        if not text.startswith(_PREFIX) or len(digits) != 64 or digits.strip("0123456789abcdef"):
            raise _no_key(f"a file of {len(text)} characters")
        return cls(bytes.fromhex(digits))

    @classmethod
    def open(cls, path: Path, *, random: Callable[[int], bytes] = os.urandom) -> Self:
        """Return the key in a file; make both where there is no file."""
        try:
            return cls.load(path)
        except Unavailable:
            return cls.create(path, random=random)

    @property
    def public(self) -> str:
        """The owner's name in every document: the public key, 64 lower-case hex digits."""
        return signing.public_key("ed25519", self._secret).hex()

    def sign(self, document: Any) -> Envelope:
        """Return a document of text, integers, lists and structs in an envelope that is signed."""
        payload = canonical.encode(document)
        return Envelope(payload, (Signature(self.public, self._sign(payload)),), OWNED)

    def sign_text(self, document: Any) -> str:
        """Return the signature alone, 128 hex digits: the one of ``sign``'s envelope."""
        return self._sign(canonical.encode(document)).hex()

    def _sign(self, payload: bytes) -> bytes:
        return signing.sign_ed25519(self._expanded, pae(payload, OWNED))


def verify_owned(envelope: Envelope | bytes, owner: str, *, kind: type[T], what: str) -> T:
    """Return the document in an envelope that this owner signed.

    Args:
        envelope: as ``OwnerKey.sign`` returned it, or its bytes.
        owner: whose signature it must carry, hex.
        kind: the document's type, a strict ``msgspec`` struct.
        what: what it is, for messages: ``consent``.

    Raises:
        Malformed: no envelope, no such document, or no owner's name.
        NotAuthentic: code ``owner_signature``; the owner did not sign it, or it was changed.
    """
    given = Envelope.parse(envelope) if isinstance(envelope, bytes) else envelope
    if given.payload_type != OWNED:
        raise Malformed(
            f"this was signed as something else than an owner's {what}",
            code="payload_type_wrong",
            expected=OWNED,
            got=given.payload_type[:100],
        )
    _require(owner, given.signed, given.signatures[0].sig, what)
    return canonical.decode(given.payload, limit=MAX_DOCUMENT_BYTES, what=what, kind=kind)


def verify_text(document: Any, signature: str, owner: str, *, what: str) -> None:
    """Raise unless this owner signed a document; arguments and errors as of ``verify_owned``.

    Args:
        document: what was signed.
        signature: as ``OwnerKey.sign_text`` returned it.
        owner: whose signature it must be, hex.
        what: what it is, for messages.
    """
    if len(signature) != 128 or signature.strip("0123456789abcdef"):
        raise Malformed(
            f"the owner's signature under the {what} has another form",
            code="owner_signature_malformed",
            expected="128 lower-case hex digits",
            got=f"{len(signature)} characters",
        )
    signed = pae(canonical.encode(document), OWNED)
    _require(owner, signed, bytes.fromhex(signature), what)


def check_owner(owner: str) -> None:
    """Raise Malformed unless this is an owner's public key in hex."""
    if len(owner) != 64 or owner.strip("0123456789abcdef"):
        raise Malformed(
            "this names no owner",
            code="owner_malformed",
            expected="an Ed25519 public key, 64 lower-case hex digits",
            got=ascii(owner)[:100],
        )


def _require(owner: str, signed: bytes, signature: bytes, what: str) -> None:
    check_owner(owner)
    if not signing.holds_ed25519(bytes.fromhex(owner), signed, signature):
        raise NotAuthentic(
            f"the owner did not sign this {what}, or it was changed since: have it signed with the"
            " owner's key",
            code="owner_signature",
            expected=f"a signature of {owner[:16]}…",
        )


def _no_key(got: str) -> Malformed:
    return Malformed(
        "this is not an owner's key",
        code="owner_key_malformed",
        expected=f"{_PREFIX} and 64 lower-case hex digits",
        got=got,
    )
