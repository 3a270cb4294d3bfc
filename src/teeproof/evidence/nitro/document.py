"""Parse an attestation document of AWS Nitro Enclaves: bytes to fields, with every bound checked.

Rules of ``aws-nitro-enclaves-nsm-api``, "Attestation process", 2.2 and 3.2.2, with three notes. The
hypervisor writes the outermost map with an indefinite length, so that one is read in either form.
It writes an absent optional field as null, which the page forbids. The page bounds user data and
nonce by 512 bytes in one place and by 1,024 in another: the wider bound is used here, as all of it
is signed.

Trusts: nothing; it only reads.  Does not trust: lengths and types in the bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from teeproof.core.errors import Malformed
from teeproof.evidence import cbor, cose
from teeproof.evidence.cose import Sign1

__all__ = ["MAX_DOCUMENT_BYTES", "NitroDocument", "looks_like", "parse"]

MAX_PAYLOAD_BYTES = 16384  # 3.1: bstr .size (1..16384)
MAX_DOCUMENT_BYTES = MAX_PAYLOAD_BYTES + 256  # header, signature and the heads around them
MAX_BUNDLE = 8  # real bundles have four certificates
MAX_TIME_MS = 253_402_300_799_999  # the end of the year 9999
_MANDATORY = ("module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle")
_OPTIONAL = ("public_key", "user_data", "nonce")
_PCR_BYTES = (32, 48, 64)
_HEADS = (b"\x84\x44\xa1\x01\x38\x22", b"\xd2\x84\x44\xa1\x01\x38\x22")  # a list of 4, {1: -35}


def looks_like(data: bytes) -> bool:
    """Whether this begins as a COSE_Sign1 with ES384, tagged or not."""
    return data.startswith(_HEADS)


@dataclass(frozen=True, slots=True)
class NitroDocument:
    """An attestation document.

    Attributes:
        raw: the bytes as they came.
        message: the COSE_Sign1 around it.
        module_id: which enclave of which instance; names both for ever.
        digest: the hash of the registers, always ``SHA384``.
        timestamp: when it was made, milliseconds since 1970, by the machine's clock.
        pcrs: index -> value.
        certificate: DER, of the key that signed it.
        cabundle: DER, the root first, the issuer of ``certificate`` last.
        public_key: what the enclave put there; None if absent. Likewise ``user_data``, ``nonce``.
    """

    raw: bytes
    message: Sign1
    module_id: str
    digest: str
    timestamp: int
    pcrs: Mapping[int, bytes]
    certificate: bytes
    cabundle: tuple[bytes, ...]
    public_key: bytes | None
    user_data: bytes | None
    nonce: bytes | None

    @property
    def report_data(self) -> bytes | None:
        """The user data as the 64 bytes that other machines bind; None if it is no such binding.

        An enclave gives 64 bytes, or the 32 that count: then zeros are meant behind.
        """
        data = self.user_data or b""
        return data.ljust(64, b"\0") if len(data) in (32, 64) else None

    @property
    def seconds(self) -> int:
        """The document's own time, whole seconds since 1970."""
        return self.timestamp // 1000


def parse(raw: bytes) -> NitroDocument:
    """Return the document in ``raw``.

    Raises:
        TooLarge: more than ``MAX_DOCUMENT_BYTES``.
        Malformed: not such a document, in this form and within these bounds.
    """
    what = "Nitro attestation document"
    message = cose.parse_sign1(raw, limit=MAX_DOCUMENT_BYTES, what=what)
    if message.algorithm != cose.ES384:
        raise _malformed("algorithm", "ES384", str(message.algorithm))
    if message.unprotected:
        raise _malformed("unprotected header", "nothing", f"{len(message.unprotected)} parameters")
    fields = cbor.loads(message.payload, limit=MAX_PAYLOAD_BYTES, what=what, open_map=True)
    if not isinstance(fields, dict):
        raise _malformed("payload", "a map", type(fields).__name__)
    unknown = [str(name)[:40] for name in fields if name not in _MANDATORY + _OPTIONAL]
    missing = [name for name in _MANDATORY if name not in fields]
    if unknown or missing:
        raise _malformed("fields", ", ".join(_MANDATORY), f"without {missing}, with {unknown}")
    for name, (expected, holds) in _RULES.items():
        value = fields.get(name)
        if not holds(value) and not (name in _OPTIONAL and value is None):
            raise _malformed(name, expected, _shape(value))
    return NitroDocument(
        raw=raw,
        message=message,
        module_id=fields["module_id"],
        digest=fields["digest"],
        timestamp=fields["timestamp"],
        pcrs=MappingProxyType(fields["pcrs"]),
        certificate=fields["certificate"],
        cabundle=tuple(fields["cabundle"]),
        public_key=fields.get("public_key"),
        user_data=fields.get("user_data"),
        nonce=fields.get("nonce"),
    )


def _bytes(value: Any, least: int, most: int = 1024) -> bool:
    return isinstance(value, bytes) and least <= len(value) <= most


def _pcrs(value: Any) -> bool:
    # Register 0 is required, as a document without it would not say what was started.
    return (
        isinstance(value, dict)
        and 0 in value
        and all(type(index) is int and 0 <= index < 32 for index in value)
        and all(isinstance(pcr, bytes) and len(pcr) in _PCR_BYTES for pcr in value.values())
    )


def _bundle(value: Any) -> bool:
    return (
        isinstance(value, list)
        and 1 <= len(value) <= MAX_BUNDLE
        and all(_bytes(certificate, 1) for certificate in value)
    )


_RULES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "module_id": ("text of 1 to 256 characters", lambda v: isinstance(v, str) and 0 < len(v) < 257),
    "digest": ("SHA384", lambda v: v == "SHA384"),
    "timestamp": ("milliseconds", lambda v: type(v) is int and 0 < v <= MAX_TIME_MS),
    "pcrs": ("PCR0 and others below 32, of 32, 48 or 64 bytes", _pcrs),
    "certificate": ("1 to 1024 bytes", lambda v: _bytes(v, 1)),
    "cabundle": (f"1 to {MAX_BUNDLE} certificates of 1 to 1024 bytes", _bundle),
    "public_key": ("1 to 1024 bytes", lambda v: _bytes(v, 1)),
    "user_data": ("at most 1024 bytes", lambda v: _bytes(v, 0)),
    "nonce": ("at most 1024 bytes", lambda v: _bytes(v, 0)),
}


def _shape(value: Any) -> str:
    if isinstance(value, str | bytes | list | dict):
        return f"{type(value).__name__} of length {len(value)}"
    return f"{value!r:.60}"


def _malformed(what: str, expected: str, got: str) -> Malformed:
    return Malformed(
        f"the Nitro document's {what} is malformed: expected {expected}, got {got}",
        code="nitro_malformed",
        expected=expected,
        got=got,
    )
