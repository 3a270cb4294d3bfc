"""Turn the files of public samples into the files that teeproof reads.

Publishers keep the same evidence in different wrappings. Each function takes a sample's files by
role, their digests already checked, and returns what is stored, by file name; the same bytes always
give the same bytes.

Trusts: nothing; it only rewraps.  Does not trust: publisher, network.
"""

from __future__ import annotations

import base64
import json
import re
import textwrap
from collections.abc import Mapping
from typing import Any

from teeproof.core import strictjson
from teeproof.core.errors import Malformed
from teeproof.evidence.endorsements import MAX_COLLATERAL_BYTES, Collateral

__all__ = ["Files", "from_getquote", "from_numbers", "from_vendor_files", "plain"]

Files = Mapping[str, bytes]

_LIMIT = 1 << 20
# Intel signs the bytes of the inner document, so they are cut out, never encoded again.
_SIGNED = re.compile(
    rb'\{"(?:tcbInfo|enclaveIdentity)":(\{.*\}),"signature":"([0-9a-f]{128})"\}\s*', re.S
)


def plain(files: Files) -> dict[str, bytes]:
    """``quote`` is the quote's bytes, ``collateral`` a QuoteCollateralV3 document."""
    return {"quote.bin": files["quote"], "collateral.json": _collateral(files["collateral"])}


def from_getquote(files: Files) -> dict[str, bytes]:
    """``answer`` is what dstack's guest agent answered to GetQuote."""
    answer = _object(files["answer"], "answer to GetQuote")
    return {
        "quote.bin": _hex(answer, "quote"),
        "event_log.json": _text(answer, "event_log"),
        "collateral.json": _collateral(files["collateral"]),
        "getquote_response.json": files["answer"],
    }


def from_numbers(files: Files) -> dict[str, bytes]:
    """``quote`` is a JSON list of byte values, ``tcb_info`` what the guest agent says in Info."""
    tcb_info = _object(files["tcb_info"], "tcb_info")
    return {
        "quote.bin": _numbers(files["quote"]),
        "event_log.json": json.dumps(tcb_info.get("event_log"), separators=(",", ":")).encode(),
        "app-compose.json": _text(tcb_info, "app_compose"),
        "collateral.json": _collateral(files["collateral"]),
    }


def from_vendor_files(files: Files) -> dict[str, bytes]:
    """Collateral as Intel's service gives it: JSON answers, and certificates and CRLs in DER."""
    tcb_info, tcb_info_signature = _signed(files["tcb_info"], "TCB info")
    qe_identity, qe_identity_signature = _signed(files["qe_identity"], "QE identity")
    root, signing, pck_ca = files["root"], files["tcb_signing"], files["pck_ca"]
    collateral = Collateral(
        pck_crl_issuer_chain=_pem(pck_ca) + _pem(root),
        root_ca_crl=files["root_crl"],
        pck_crl=files["pck_crl"],
        tcb_info_issuer_chain=_pem(signing) + _pem(root),
        tcb_info=tcb_info,
        tcb_info_signature=tcb_info_signature,
        qe_identity_issuer_chain=_pem(signing) + _pem(root),
        qe_identity=qe_identity,
        qe_identity_signature=qe_identity_signature,
    )
    return {"quote.bin": files["quote"], "collateral.json": _written(collateral)}


def _collateral(data: bytes) -> bytes:
    value = _object(data, "collateral")
    value.pop("pck_certificate_chain", None)  # some writers add it; every quote here carries it
    return _written(Collateral.parse(json.dumps(value)))


def _written(collateral: Collateral) -> bytes:
    return strictjson.dumps(collateral.to_json(), pretty=True).encode() + b"\n"


def _signed(data: bytes, what: str) -> tuple[bytes, bytes]:
    found = _SIGNED.fullmatch(data)
    if found is None or not _is_text(found[1]):
        raise _malformed(what, "a document and its signature", data[:60].decode(errors="replace"))
    return found[1], bytes.fromhex(found[2].decode())


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _pem(der: bytes) -> bytes:
    body = "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64))
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n".encode()


def _numbers(data: bytes) -> bytes:
    value = strictjson.loads(data, limit=_LIMIT, what="quote")
    try:
        return bytes(value) if isinstance(value, list) else bytes([-1])
    except (ValueError, TypeError):
        raise _malformed("quote", "a list of byte values", type(value).__name__) from None


def _object(data: bytes, what: str) -> dict[str, Any]:
    value = strictjson.loads(data, limit=MAX_COLLATERAL_BYTES, what=what)
    if not isinstance(value, dict):
        raise _malformed(what, "a JSON object", type(value).__name__)
    return value


def _text(value: dict[str, Any], name: str) -> bytes:
    text = value.get(name)
    if not isinstance(text, str):
        raise _malformed(name, "text", type(text).__name__)
    return text.encode()


def _hex(value: dict[str, Any], name: str) -> bytes:
    text = _text(value, name).decode()
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise _malformed(name, "hex", text[:60]) from None


def _malformed(what: str, expected: str, got: str) -> Malformed:
    return Malformed(
        f"the sample's {what} has another form than it should",
        code="sample_malformed",
        expected=expected,
        got=got,
    )
