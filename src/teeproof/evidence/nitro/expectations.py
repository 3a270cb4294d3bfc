"""What a relying party expects of a Nitro enclave, as a plain record.

What is not set is not checked, and the verdict says so; debug enclaves alone are refused unasked,
since their registers are zero and say nothing of what runs.

Trusts: whoever wrote it.  Does not trust: the evidence; nothing here comes from it.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from teeproof.core.digests import parse_named
from teeproof.core.errors import Error, Usage
from teeproof.evidence.binding import binding
from teeproof.evidence.nitro.chain import AWS_NITRO_ROOT

__all__ = ["NitroExpectations"]

_REGISTERS = ("pcr0", "pcr1", "pcr2", "pcr3", "pcr4", "pcr8")
_PCR_DIGITS = 96  # SHA-384


class NitroExpectations(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Expectations about one Nitro document; a field that is None is not checked.

    Attributes:
        roots: fingerprints (``sha256:…`` of the SubjectPublicKeyInfo) of trusted roots.
        simulated_roots: fingerprints of simulators' roots that are accepted, as simulated.
        debug: true if the enclave must be one in debug mode; otherwise such a one is refused.
        pcr0: any of these enclave images, 96 hex digits each.
        pcr1: any of these kernels with their boot ramdisk.
        pcr2: any of these applications.
        pcr3: any of these roles of the parent instance (hash of its ARN).
        pcr4: any of these parent instances (hash of its id).
        pcr8: any of these signers of the image (hash of the certificate).
        user_data: exactly these bytes, hex.
        keyset_digest: ``sha256:…`` of the workload's keyset; user data must then be the binding of
            it and ``nonce``.
        nonce: the verifier's own; the document's nonce must be its UTF-8 bytes.
        nonce_issued_at: when the verifier issued the nonce.
        max_age_seconds: the greatest age, by the nonce if ``nonce_issued_at`` is given, otherwise
            by the document's own time.
    """

    roots: tuple[str, ...] = (AWS_NITRO_ROOT,)
    simulated_roots: tuple[str, ...] = ()
    debug: bool | None = None
    pcr0: tuple[str, ...] | None = None
    pcr1: tuple[str, ...] | None = None
    pcr2: tuple[str, ...] | None = None
    pcr3: tuple[str, ...] | None = None
    pcr4: tuple[str, ...] | None = None
    pcr8: tuple[str, ...] | None = None
    user_data: str | None = None
    keyset_digest: str | None = None
    nonce: str | None = None
    nonce_issued_at: datetime | None = None
    max_age_seconds: int | None = None

    def __post_init__(self) -> None:
        """Refuse what could never be met, or would silently demand nothing; Usage names it."""
        for name in _REGISTERS:
            for value in _tuple(name, getattr(self, name)):
                if len(value) != _PCR_DIGITS or not _is_hex(value):
                    raise _wrong(f"{name} takes {_PCR_DIGITS} lower-case hex digits")
        for name in ("roots", "simulated_roots"):
            for value in _tuple(name, getattr(self, name)):
                _require_digest(name, value)
        if self.user_data is not None and not _is_hex(self.user_data):
            raise _wrong("user_data takes lower-case hex")
        if self.keyset_digest is not None:
            _require_digest("keyset_digest", self.keyset_digest)
            if self.user_data is not None:
                raise _wrong("user_data and keyset_digest say the same thing twice: leave one out")
        if self.max_age_seconds is not None and self.max_age_seconds < 0:
            raise _wrong("max_age_seconds is negative")
        if self.nonce_issued_at is not None:
            if self.nonce is None:
                raise _wrong("nonce_issued_at needs nonce")
            if self.nonce_issued_at.tzinfo is None:
                raise _wrong("nonce_issued_at needs a zone")

    @property
    def expected_user_data(self) -> bytes | None:
        """The bytes that user data must be: given ones, or the binding of keyset and nonce."""
        if self.user_data is not None:
            return bytes.fromhex(self.user_data)
        if self.keyset_digest is not None:
            return binding(self.keyset_digest, nonce=self.nonce)
        return None


def _tuple(name: str, value: tuple[str, ...] | None) -> tuple[str, ...]:
    # In Python, one may write a text where a tuple belongs, and "in" would look inside it.
    if value is not None and not isinstance(value, tuple):
        raise _wrong(f"{name} must be a tuple")
    return value or ()


def _is_hex(text: str) -> bool:
    return len(text) % 2 == 0 and not text.strip("0123456789abcdef")


def _require_digest(name: str, value: str) -> None:
    try:
        parse_named(value)
    except Error:
        raise _wrong(f"{name} takes sha256: and 64 lower-case hex digits") from None


def _wrong(why: str) -> Usage:
    return Usage(f"the policy cannot be used: {why}", code="policy_malformed", got=why)
