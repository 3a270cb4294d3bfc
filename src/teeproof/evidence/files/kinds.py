"""Find out what a file is, by its bytes: a quote, collateral, an event log, or something else.

Only the shape is looked at here, after the size; whoever uses a piece parses it strictly. What is
not understood is an error that lists what is, never a guess.

Trusts: nothing; a file's name is used in messages only.  Does not trust: whoever made the file.
"""

from __future__ import annotations

import binascii
import re
from typing import Any

import msgspec

from teeproof.core import strictjson, stricttoml
from teeproof.core.errors import Malformed, TooLarge
from teeproof.evidence.cca import token as cca
from teeproof.evidence.endorsements import MAX_COLLATERAL_BYTES
from teeproof.evidence.eventlog import firmware
from teeproof.evidence.files import gpus
from teeproof.evidence.files.others import refuse, told_by_bytes, told_by_fields
from teeproof.evidence.files.refusing import foreign, not_understood, some
from teeproof.evidence.files.words import KINDS, Kind
from teeproof.evidence.nitro import document as nitro
from teeproof.evidence.nvidia.bundle import refuse_tokens
from teeproof.evidence.policy import MAX_POLICY_BYTES, Policy
from teeproof.evidence.sev_snp.layout import REPORT_BYTES
from teeproof.evidence.sev_snp.report import looks_like
from teeproof.evidence.tdx.layout import INTEL_QE_VENDOR, TEE_SGX, TEE_TDX, Header
from teeproof.evidence.tdx.quote import MAX_QUOTE_BYTES
from teeproof.evidence.tpm import document as tpm

__all__ = ["KINDS", "MAX_FILE_BYTES", "Kind", "Piece", "identify"]

MAX_FILE_BYTES = MAX_COLLATERAL_BYTES  # the largest thing that is understood

_HEX = re.compile(rb"(?:0[xX])?([0-9a-fA-F]+)")  # these two are matched without white space
_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
_POLICY_FIELDS = frozenset(Policy.__struct_fields__)
_DSTACK_ARC = bytes.fromhex("2b0601040183e73d01")  # 1.3.6.1.4.1.62397.1, dstack ra-tls, oids.rs
_PSS = bytes.fromhex("06092a864886f70d01010a")  # RSASSA-PSS, with which AMD signs (RFC 4055)
_PEM_HEADS = (b"-----BEGIN CERTIFICATE-----", b"-----BEGIN X509 CRL-----")


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """One file, recognised.

    Attributes:
        kind: what it is.
        data: its bytes; of a quote in hex or base64, the bytes that the text stands for.
        name: the file's name, for messages.
        form: how it was written: ``binary``, ``hex``, ``base64``, ``json``, ``pem`` or ``toml``.
    """

    kind: Kind
    data: bytes
    name: str
    form: str

    @property
    def words(self) -> str:
        """What it is, in words."""
        return KINDS[self.kind]


def identify(data: bytes, *, name: str = "file") -> Piece:
    """Return what these bytes are.

    Raises:
        TooLarge: larger than anything that is understood.
        NotAuthentic: a verification service's tokens, which are no evidence.
        Malformed: nothing that is understood; the error lists what is.
        Usage: code ``not_evidence``; it is another of teeproof's files, such as a proof.
    """
    if len(data) > MAX_FILE_BYTES:
        raise TooLarge(
            f"{name} is too large to be evidence",
            expected=f"at most {MAX_FILE_BYTES} bytes",
            got=f"{len(data)} bytes",
        )
    kind = _quote_kind(data)
    if kind:
        return _piece(kind, data, name, "binary")
    if _is_attestation(data):
        return _piece("attestation", data, name, "binary")
    if told := gpus.of_bytes(data):
        return _piece(told, data, name, "xml" if told == "gpu-manifest" else "binary")
    _refuse_foreign_bytes(data, name)
    text = data.lstrip(b" \t\r\n")
    if text[:1] in (b"{", b"["):
        return _piece(_json_kind(data, name), data, name, "json")
    if text.startswith(_PEM_HEADS) or data[:2] == b"\x30\x82":
        return _certificate(data, name)
    return _encoded_quote(data, name) or _policy(data, name) or _unknown(data, name)


def _piece(kind: Kind, data: bytes, name: str, form: str) -> Piece:
    if kind in ("tdx-quote", "sgx-quote") and len(data) > MAX_QUOTE_BYTES:
        raise TooLarge(
            f"{name} is too large for a quote",
            expected=f"at most {MAX_QUOTE_BYTES} bytes",
            got=f"{len(data)} bytes",
        )
    return Piece(kind=kind, data=data, name=name, form=form)


def _quote_kind(data: bytes) -> Kind | None:
    if looks_like(data):
        return "snp-report"
    if nitro.looks_like(data):
        return "nitro-document"
    if cca.looks_like(data):
        return "cca-token"
    if firmware.looks_like(data):
        return "firmware-log"
    header = Header(data[:48])
    tee = (header.version == 3 and header.tee_type == TEE_SGX) or header.tee_type == TEE_TDX
    plausible = header.version in (3, 4, 5) and header.key_type in (2, 3) and tee
    if len(data) < 48 or not (plausible or header.qe_vendor == INTEL_QE_VENDOR):
        return None
    return "sgx-quote" if header.version == 3 else "tdx-quote"


def _is_attestation(data: bytes) -> bool:
    # version 0 is SCALE: 0x00, 0x00 for TDX, a length of one, two or four bytes, then the quote;
    # version 1 is a MessagePack map whose first key is "version"
    # likewise 0x00, 0x03 for SEV-SNP, and the two bytes of a report's length
    scale = data[:2] == b"\0\0" and INTEL_QE_VENDOR in data[15:34]
    # and likewise 0x00, 0x02 for Nitro
    scale = scale or (data[:2] == b"\0\2" and nitro.looks_like(data[4:]))
    scale = scale or (data[:4] == b"\0\3\x81\x12" and looks_like(data[4 : 4 + REPORT_BYTES]))
    return scale or data[1:9] == b"\xa7version"


def _encoded_quote(data: bytes, name: str) -> Piece | None:
    """Return the quote that a hex or base64 text stands for; None if it is no such text."""
    if len(data) > 3 * MAX_QUOTE_BYTES:
        return None
    text = b"".join(data.split())
    if digits := _HEX.fullmatch(text):
        raw, form = _decoded(binascii.unhexlify, digits[1]), "hex"
    elif _BASE64.fullmatch(text):
        raw, form = _decoded(binascii.a2b_base64, text), "base64"
    else:
        return None
    kind = _quote_kind(raw) if raw else None
    return _piece(kind, raw, name, form) if kind and raw else None


def _decoded(decode: Any, text: bytes) -> bytes | None:
    try:
        raw: bytes = decode(text)
    except binascii.Error:
        return None
    return raw


def _json_kind(data: bytes, name: str) -> Kind:
    value = strictjson.loads(data, limit=MAX_FILE_BYTES, what=name)
    if isinstance(value, list):
        return _list_kind(value, name)
    for kind, fits in _SHAPES.items():
        if fits(value):
            return kind
    if told := gpus.of_json(value):
        return told
    other = told_by_fields(value)
    if other is not None:
        raise refuse(other, name)
    refuse_tokens(value)
    for words, keys in _FOREIGN_OBJECTS:
        if keys <= set(value):
            raise foreign(name, words)
    raise not_understood(name, f"a JSON object with {some(value)}")


_SHAPES: dict[Kind, Any] = {
    "collateral": lambda v: "tcb_info" in v and "qe_identity" in v,
    "verdict": lambda v: v.get("type") == "urn:teeproof:verdict:v1",
    "key-document": lambda v: v.get("type") == "urn:teeproof:keys:v1",
    "identity-record": lambda v: v.keys() == {"attachments", "envelope"},
    "azure-document": lambda v: isinstance(v.get("hcl_report"), str),
    "tpm-document": lambda v: v.get("format") == tpm.FORMAT or {"ak_public", "tpm_quote"} <= set(v),
    "platform-key": lambda v: v.get("kty") == "EC" and {"crv", "x", "y"} <= set(v),
    "quote-response": lambda v: isinstance(v.get("quote"), str) and "tcb_info" not in v,
    "attestation": lambda v: isinstance(v.get("attestation"), str),
    "app-compose": lambda v: "docker_compose_file" in v or {"manifest_version", "runner"} <= set(v),
    "mr-config": lambda v: "compose_hash" in v and "key_provider" in v,
}
_FOREIGN_OBJECTS = (
    ("Intel's TCB info alone, and a verifier needs the whole collateral", {"tcbInfo"}),
    ("Intel's QE identity alone, and a verifier needs the whole collateral", {"enclaveIdentity"}),
)


def _list_kind(value: list[Any], name: str) -> Kind:
    first = value[0] if value else None
    if told := gpus.of_json(value):
        return told
    refuse_tokens(value)
    if (isinstance(first, dict) and "imr" in first) or (not value and "event" in name):
        return "event-log"
    raise not_understood(name, f"a JSON list of {len(value)} other things")


def _certificate(data: bytes, name: str) -> Piece:
    der = data
    if data[:1] != b"\x30":
        der = (
            _decoded(binascii.a2b_base64, data.partition(b"-----END")[0].rpartition(b"-----")[2])
            or b""
        )
    if _DSTACK_ARC not in der and _PSS in der:
        return _piece("vendor-certificates", data, name, "binary" if der is data else "pem")
    if _DSTACK_ARC not in der:
        raise not_understood(name, "a certificate that carries no quote")
    return _piece("certificate", data, name, "binary" if der is data else "pem")


def _policy(data: bytes, name: str) -> Piece | None:
    try:
        value = stricttoml.loads(data, limit=MAX_POLICY_BYTES, what=name)
    except Malformed:
        return None
    known = _POLICY_FIELDS & set(value)
    return _piece("policy", data, name, "toml") if known or name.endswith(".toml") else None


def _refuse_foreign_bytes(data: bytes, name: str) -> None:
    other = told_by_bytes(data)
    if other is not None:
        raise refuse(other, name)
    if data[:2] == b"\x1f\x8b" or data[:4] in (b"PK\x03\x04", b"\x28\xb5\x2f\xfd"):
        raise not_understood(name, "a compressed file: unpack it first")
    # COSE_Sign1: an array of four whose protected header {1: -35} says ES384
    if b"\x84\x44\xa1\x01\x38\x22" in data[:16]:
        raise foreign(name, "an AWS Nitro document")
    if data[:4] == b"\xffTCG":  # TPM_GENERATED_VALUE
        raise foreign(name, "a TPM quote without its signature and key")
    if data[:4] == b"HCLA":
        raise foreign(name, "an Azure HCL report without the TPM's quote")


def _unknown(data: bytes, name: str) -> Piece:
    if not data:
        raise not_understood(name, "an empty file")
    words = data[:60].split(b"\n")[0].decode("ascii", "replace")
    if words.isprintable() and " " in words and "\ufffd" not in words:
        raise not_understood(name, f'text that begins with "{words.rpartition(" ")[0]}"')
    raise not_understood(name, f"{len(data)} bytes that begin with {data[:8].hex()}")
