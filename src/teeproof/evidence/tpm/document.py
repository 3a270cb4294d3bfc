"""TPM evidence as a file: the quote, its signature, the key, and what explains the registers.

Three forms are read: our own, the list of Trustee's TPM attester, and the ``tpm_quote`` object of
Azure's tools (``parse_azure``), whose key comes in another place. All are JSON.

Trusts: nothing; it only reads.  Does not trust: whoever hands over the file.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from teeproof.core import strictjson
from teeproof.core.errors import Malformed
from teeproof.evidence.tpm.pcrs import Banks, require_sizes
from teeproof.evidence.tpm.signature import rsassa_sha256
from teeproof.evidence.tpm.wire import HASH_NAMES, SHA256

__all__ = ["FORMAT", "MAX_DOCUMENT_BYTES", "TpmEvidence", "looks_like", "parse"]
__all__ += ["parse_azure", "unhex"]

FORMAT = "urn:teeproof:tpm-evidence:v1"
MAX_DOCUMENT_BYTES = 2 << 20  # an event log of 1 MiB in base64, and the rest
_BANKS = {name: number for number, name in HASH_NAMES.items()}
_Registers = Annotated[tuple[str, ...], msgspec.Meta(max_length=32)]


@dataclass(frozen=True, slots=True)
class TpmEvidence:
    """What one TPM, and the machine around it, say.

    Attributes:
        quote: what the key signed (TPMS_ATTEST).
        signature: the signature (TPMT_SIGNATURE).
        public: the key as the TPM writes it (TPM2B_PUBLIC), if given.
        spki: the key as other software writes it (DER), if given.
        pcrs: values of registers; nobody signed them.
        certificates: PEM chain of the key, leaf first, if given.
        event_log: the firmware's log (TCG), if given.
    """

    quote: bytes
    signature: bytes
    public: bytes | None = None
    spki: bytes | None = None
    pcrs: Banks | None = None
    certificates: bytes | None = None
    event_log: bytes | None = None

    def to_bytes(self) -> bytes:
        """Return our own form of it; ``parse`` reads it back."""
        value: dict[str, Any] = {"format": FORMAT}
        for name in ("quote", "signature", "public", "spki", "event_log"):
            given = getattr(self, name)
            if given is not None:
                value[name] = b64encode(given).decode()
        if self.certificates is not None:
            value["certificates"] = self.certificates.decode("ascii")
        if self.pcrs is not None:
            value["pcrs"] = {
                HASH_NAMES[bank]: {str(index): digest.hex() for index, digest in values.items()}
                for bank, values in self.pcrs.items()
            }
        return json.dumps(value, indent=1).encode() + b"\n"


class _Own(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: Literal["urn:teeproof:tpm-evidence:v1"]
    quote: str
    signature: str
    public: str | None = None
    spki: str | None = None
    event_log: str | None = None
    certificates: str | None = None
    pcrs: dict[str, dict[str, str]] | None = None


class _TrusteeQuote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    message: str
    signature: str
    pcrs: _Registers


class _Trustee(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ak_public: str
    tpm_quote: _TrusteeQuote


def looks_like(data: bytes) -> bool:
    """Whether this is JSON that names our form or Trustee's; nothing is parsed."""
    if data.lstrip(b" \t\r\n")[:1] != b"{":
        return False
    head = data[:MAX_DOCUMENT_BYTES]
    return any(name in head for name in (f'"{FORMAT}"'.encode(), b'"ak_public"'))


def parse(data: bytes) -> TpmEvidence:
    """Return the evidence in our own form, or in that of Trustee's TPM attester.

    Raises:
        TooLarge: more than ``MAX_DOCUMENT_BYTES``.
        Malformed: neither form.
    """
    value = strictjson.loads(data, limit=MAX_DOCUMENT_BYTES, what="TPM evidence")
    if isinstance(value, dict) and "ak_public" in value:
        return _trustee(_convert(value, _Trustee))
    own = _convert(value, _Own)
    pcrs = None if own.pcrs is None else _banks(own.pcrs)
    return TpmEvidence(
        quote=_base64(own.quote),
        signature=_base64(own.signature),
        public=_maybe(own.public),
        spki=_maybe(own.spki),
        pcrs=pcrs,
        certificates=None if own.certificates is None else _ascii(own.certificates),
        event_log=_maybe(own.event_log),
    )


def parse_azure(value: object) -> TpmEvidence:
    """Return the evidence in a ``tpm_quote`` object: hex, and a signature that is a bare number.

    Raises:
        Malformed: not such an object.
    """
    found = _convert(value, _TrusteeQuote)
    return TpmEvidence(
        quote=unhex(found.message),
        signature=rsassa_sha256(unhex(found.signature)),
        pcrs=_sha256_bank(found.pcrs),
    )


def _trustee(found: _Trustee) -> TpmEvidence:
    return TpmEvidence(
        quote=_base64(found.tpm_quote.message),
        signature=_base64(found.tpm_quote.signature),
        spki=_base64(found.ak_public),
        pcrs=_sha256_bank(found.tpm_quote.pcrs),
    )


_T = TypeVar("_T")


def _convert(value: object, kind: type[_T]) -> _T:
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        raise _malformed(str(error)) from None


def _sha256_bank(values: tuple[str, ...]) -> Banks:
    banks = {SHA256: {index: unhex(value) for index, value in enumerate(values)}}
    require_sizes(banks)
    return banks


def _banks(given: Mapping[str, Mapping[str, str]]) -> Banks:
    banks: dict[int, dict[int, bytes]] = {}
    for name, values in given.items():
        if name not in _BANKS or any(key != str(_number(key)) for key in values):
            raise _malformed(f"a bank {name[:20]!r} or a register in it that no TPM has")
        banks[_BANKS[name]] = {_number(key): unhex(value) for key, value in values.items()}
    require_sizes(banks)
    return banks


def _number(key: str) -> int:
    return int(key) if key.isascii() and key.isdigit() and len(key) <= 2 else -1


def _maybe(text: str | None) -> bytes | None:
    return None if text is None else _base64(text)


def _base64(text: str) -> bytes:
    try:
        data = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise _malformed("text that is not base64") from None
    if b64encode(data).decode() != text:
        raise _malformed("base64 that is not canonical")
    return data


def unhex(text: str) -> bytes:
    """Return the bytes that lower-case hex digits stand for."""
    try:
        data = bytes.fromhex(text)
    except ValueError:
        raise _malformed("text that is not hex") from None
    if data.hex() != text:
        raise _malformed("hex that is not in lower case, or has spaces")
    return data


def _ascii(text: str) -> bytes:
    try:
        return text.encode("ascii")
    except UnicodeEncodeError:
        raise _malformed("certificates that are not ASCII") from None


def _malformed(got: str) -> Malformed:
    return Malformed(
        "this is no TPM evidence as teeproof or Trustee writes it",
        code="tpm_malformed",
        expected="JSON with quote, signature and key",
        got=got,
    )
