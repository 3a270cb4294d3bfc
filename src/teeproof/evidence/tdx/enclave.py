"""The quoting enclave: is it Intel's, does the platform vouch for it, does it vouch for the key?

Trusts: the PCK key, QE identity.  Does not trust: what the quote's header says of the enclave.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec

from teeproof.core.digests import sha256
from teeproof.core.errors import NotAuthentic
from teeproof.evidence import x509
from teeproof.evidence.tdx import tcb
from teeproof.evidence.tdx.documents import QeIdentity, SvnLevel
from teeproof.evidence.tdx.endorsed import Endorsed
from teeproof.evidence.tdx.layout import SignatureSection
from teeproof.evidence.x509 import Certificate

__all__ = ["quoting_enclave"]

_MRSIGNER = slice(128, 160)  # fields of an SGX report body, Intel SGX SDK sgx_report_body_t
_MISCSELECT, _ATTRIBUTES = slice(16, 20), slice(48, 64)
_PRODUCT, _SVN, _REPORT_DATA = slice(256, 258), slice(258, 260), slice(320, 352)


def quoting_enclave(out: Endorsed, parts: SignatureSection) -> None:
    """Follow the PCK key to the attestation key, and compare the enclave with Intel's."""
    chain = out.chain
    if chain is None:
        for name in ("qe-report", "attestation-key", "qe-measurement"):
            out.skip(name, "there is no PCK key to verify it with")
        return
    held = out.attempt("qe-report", lambda: _qe_report(parts, chain[0]))
    if held is None:
        out.skip("attestation-key", "the QE report did not hold")
        out.skip("qe-measurement", "the QE report did not hold")
        return
    out.attestation_key = out.attempt("attestation-key", lambda: _attestation_key(parts))
    identity = out.qe_identity
    if identity is None:
        out.skip("qe-measurement", "there is no QE identity to compare with")
        return
    out.qe_level = out.attempt("qe-measurement", lambda: _qe_measurement(parts.qe_report, identity))


def _qe_report(parts: SignatureSection, leaf: Certificate) -> tuple[str, bool]:
    x509.require_signature(
        leaf.key,
        parts.qe_report_signature,
        parts.qe_report,
        what="the PCK key did not sign the quoting enclave's report",
        code="qe_report_signature",
    )
    return "the PCK key signed the quoting enclave's report", True


def _attestation_key(parts: SignatureSection) -> tuple[str, ec.EllipticCurvePublicKey]:
    digest = sha256(parts.attestation_key, parts.qe_auth_data)
    if parts.qe_report[_REPORT_DATA] != digest:
        raise NotAuthentic(
            "the quoting enclave vouches for another attestation key",
            code="attestation_key_hash",
            expected=parts.qe_report[_REPORT_DATA].hex(),
            got=digest.hex(),
        )
    key = x509.load_key(parts.attestation_key, what="attestation key")
    return "the quoting enclave's report names the attestation key", key


def _qe_measurement(report: bytes, identity: QeIdentity) -> tuple[str, SvnLevel]:
    def masked(value: bytes, mask: str) -> str:
        bits = zip(value, bytes.fromhex(mask), strict=True)
        return bytes(byte & keep for byte, keep in bits).hex()

    # 4.1.2.9.5: the document writes MISCSELECT byte by byte as the report holds it; Intel's
    # verifier turns both alike.
    miscselect = masked(report[_MISCSELECT], identity.miscselect_mask)
    attributes = masked(report[_ATTRIBUTES], identity.attributes_mask)
    product = int.from_bytes(report[_PRODUCT], "little")
    for what, code, expected, got in (
        ("signer", "qe_mrsigner", identity.mrsigner.lower(), report[_MRSIGNER].hex()),
        ("product id", "qe_product", str(identity.isvprodid), str(product)),
        ("MISCSELECT", "qe_miscselect", identity.miscselect.lower(), miscselect),
        ("attributes", "qe_attributes", identity.attributes.lower(), attributes),
    ):
        if expected != got:
            raise NotAuthentic(
                f"the quoting enclave is not the vendor's: its {what} differs",
                code=code,
                expected=expected,
                got=got,
            )
    if report[_ATTRIBUTES.start] & 0x02:
        raise NotAuthentic("the quoting enclave runs in debug mode", code="qe_debug")
    level = tcb.match_qe_level(int.from_bytes(report[_SVN], "little"), identity)
    return f"the vendor's quoting enclave, {level.tcb_status}", level
