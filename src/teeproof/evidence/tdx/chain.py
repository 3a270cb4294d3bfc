"""From Intel's root to the attestation key: all that a quote's signature rests on.

Nothing here depends on the quoted report or on the time: two quotes of one platform under one
collateral share every result, so it is computed once and remembered. Dates come out as windows.

Trusts: the pinned roots.  Does not trust: host, network, whoever chose the collateral.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric import ec

from teeproof.core.digests import sha256
from teeproof.core.errors import Error, NotAuthentic
from teeproof.evidence import x509
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.tdx import documents, tcb
from teeproof.evidence.tdx.documents import QeIdentity, SvnLevel, TcbInfo
from teeproof.evidence.tdx.layout import SignatureSection
from teeproof.evidence.tdx.pck import PckExtension, parse_pck
from teeproof.evidence.verdict import Check, Level, failed, not_checked, passed
from teeproof.evidence.x509 import Certificate

__all__ = ["Endorsed", "Window", "endorse", "endorse_cold"]

_T = TypeVar("_T")

# SHA-256 of Intel's self-signed root certificate. Its self-signature need not be checked each time;
# the trust lies in the pinned key, and a test checks this constant.
INTEL_ROOT_CERTIFICATE = bytes.fromhex(
    "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3"
)

MRSIGNER = slice(128, 160)  # fields of an SGX report body, Intel SGX SDK sgx_report_body_t
_MISCSELECT, _ATTRIBUTES = slice(16, 20), slice(48, 64)
_PRODUCT, _SVN, _REPORT_DATA = slice(256, 258), slice(258, 260), slice(320, 352)


@dataclass(frozen=True, slots=True)
class Window:
    """From when until when something is valid, in seconds since 1970, both inclusive."""

    what: str
    code: str
    begins: int
    ends: int


@dataclass(slots=True)
class Endorsed:
    """What the chain establishes, and the checks that it made on the way.

    ``checks`` are in reading order. A field is None where the check that yields it failed or was
    not made.
    """

    checks: list[Check] = field(default_factory=list)
    certificate_windows: list[Window] = field(default_factory=list)
    collateral_windows: list[Window] = field(default_factory=list)
    level: Level | None = None
    root: Certificate | None = None
    leaf: Certificate | None = None
    chain: tuple[Certificate, ...] | None = None
    pck: PckExtension | None = None
    tcb_info: TcbInfo | None = None
    qe_identity: QeIdentity | None = None
    qe_level: SvnLevel | None = None
    attestation_key: ec.EllipticCurvePublicKey | None = None
    signers: dict[bytes, Certificate] = field(default_factory=dict)
    tcb_by_svn: dict[bytes, tuple[list[Check], tcb.Tcb | None]] = field(default_factory=dict)

    def attempt(self, name: str, step: Callable[[], tuple[str, _T]]) -> _T | None:
        """Run a step that returns (one sentence, result); record it as a check under ``name``."""
        try:
            sentence, result = step()
        except Error as error:
            self.checks.append(
                failed(name, error.code, error.detail, expected=error.expected, got=error.got)
            )
            return None
        self.checks.append(passed(name, sentence))
        return result

    def skip(self, name: str, why: str) -> None:
        """Record that a check was not made."""
        self.checks.append(not_checked(name, why))


def endorse_cold(section: bytes, collateral: Collateral | None, roots: frozenset[str]) -> Endorsed:
    """Return what hangs on the roots, from the signature section's endorsed part.

    Args:
        section: ``SignatureSection.endorsed``: from the attestation key to the end of the chain.
        collateral: Intel's endorsements; None leaves revocation and TCB not checked.
        roots: fingerprints of the vendor's root keys.
    """
    parts = SignatureSection.parse(bytes(64) + section)
    out = Endorsed()
    _root_and_chain(out, parts, roots)
    if collateral is None:
        for name in ("pck-revocation", "tcb-info", "qe-identity", "collateral-platform"):
            out.skip(name, "no endorsements were given")
    else:
        _revocation(out, collateral)
        _documents(out, collateral)
    _quoting_enclave(out, parts)
    return out


endorse = lru_cache(maxsize=128)(endorse_cold)


def _root_and_chain(out: Endorsed, parts: SignatureSection, roots: frozenset[str]) -> None:
    chain = out.attempt("pck-certificates", lambda: _parse_chain(parts.pck_chain))
    if chain is None:
        out.skip("root", "the PCK certificates could not be read")
        out.skip("pck-chain", "the PCK certificates could not be read")
        return
    out.leaf = chain[0]
    level = out.attempt("root", lambda: _root(chain[-1], roots))
    if level is None:
        out.skip("pck-chain", "it ends in a root that is not trusted")
        return
    if out.attempt("pck-chain", lambda: _chain(chain)) is None:
        return
    out.level, out.root, out.chain, out.pck = level, chain[-1], chain, parse_pck(chain[0])
    out.certificate_windows += [_certificate_window(certificate) for certificate in chain]


def _parse_chain(pem: bytes) -> tuple[str, tuple[Certificate, ...]]:
    chain = x509.parse_chain(pem, what="PCK certificate chain")
    if len(chain) != 3:
        raise NotAuthentic(
            "the PCK certificate chain has the wrong length",
            code="pck_chain_length",
            expected="3 certificates: PCK, its CA, the root",
            got=f"{len(chain)} certificates",
        )
    parse_pck(chain[0])
    return (
        f"three certificates, of which the first certifies FMSPC {parse_pck(chain[0]).fmspc.hex()}",
        chain,
    )


def _root(root: Certificate, roots: frozenset[str]) -> tuple[str, Level]:
    if root.fingerprint in roots:
        return f"{root.subject}, by its pinned key {root.fingerprint[:23]}…", "hardware"
    if root.simulated:
        return f"{root.subject}: a simulator's root, marked as such", "simulated"
    raise NotAuthentic(
        f"the chain ends in a root that nobody pinned, whatever its name says ({root.subject})",
        code="root_not_pinned",
        expected=" or ".join(sorted(roots)) or "no root is pinned",
        got=root.fingerprint,
    )


def _chain(chain: tuple[Certificate, ...]) -> tuple[str, bool]:
    leaf, issuer, root = chain
    if sha256(root.der) != INTEL_ROOT_CERTIFICATE:
        x509.require_issued(root, root, what="root certificate", code="root_certificate")
    x509.require_issued(issuer, root, what="PCK chain", code="pck_chain_signature")
    x509.require_issued(leaf, issuer, what="PCK chain", code="pck_chain_signature")
    # Intel's verifier asks for this phrase too (4.1.2.4.4): it keeps the other certificates of
    # the same root from serving as PCK certificates.
    if "SGX PCK Certificate" not in leaf.subject or leaf.is_ca:
        raise NotAuthentic(
            "the first certificate is not a PCK certificate",
            code="pck_chain_leaf",
            expected="SGX PCK Certificate",
            got=leaf.subject,
        )
    return f"{root.subject} signed {issuer.subject}, which signed {leaf.subject}", True


def _certificate_window(certificate: Certificate) -> Window:
    return Window(
        f"certificate of {certificate.subject}",
        "certificate",
        certificate.not_before,
        certificate.not_after,
    )


def _revocation(out: Endorsed, collateral: Collateral) -> None:
    chain = out.chain
    if chain is None:
        out.skip("pck-revocation", "there is no chain to look up")
        return
    out.attempt("pck-revocation", lambda: _check_crls(out, chain, collateral))


def _check_crls(
    out: Endorsed, chain: tuple[Certificate, ...], collateral: Collateral
) -> tuple[str, bool]:
    leaf, issuer, root = chain
    root_crl = x509.parse_crl(collateral.root_ca_crl, what="root CA revocation list")
    pck_crl = x509.parse_crl(collateral.pck_crl, what="PCK revocation list")
    for name, crl in (("root CA revocation list", root_crl), ("PCK revocation list", pck_crl)):
        # RFC 5280, 5.1.2.5: the next list is there at nextUpdate, so that second is out already.
        out.collateral_windows.append(Window(name, "crl", crl.this_update, crl.next_update - 1))
    x509.require_crl(root_crl, root, what="root CA revocation list", code="crl_signature")
    x509.require_crl(pck_crl, issuer, what="PCK revocation list", code="crl_signature")
    for crl, certificate, code in (
        (root_crl, root, "root_revoked"),
        (root_crl, issuer, "pck_ca_revoked"),
        (pck_crl, leaf, "pck_revoked"),
    ):
        if crl.revokes(certificate):
            raise NotAuthentic(
                f"Intel revoked the certificate of {certificate.subject}: trust nothing it signed",
                code=code,
                got=f"serial {certificate.serial:x}",
            )
    return "neither the PCK certificate nor its CA is on Intel's revocation lists", True


def _documents(out: Endorsed, collateral: Collateral) -> None:
    root = out.root
    if root is None:
        for name in ("tcb-info", "qe-identity", "collateral-platform"):
            out.skip(name, "there is no trusted root to verify it with")
        return
    out.tcb_info = out.attempt("tcb-info", lambda: _tcb_info(out, collateral, root))
    out.qe_identity = out.attempt("qe-identity", lambda: _qe_identity(out, collateral, root))
    info, identity, pck = out.tcb_info, out.qe_identity, out.pck
    if info is None or identity is None or pck is None:
        out.skip("collateral-platform", "the collateral itself did not hold")
        return
    if out.attempt("collateral-platform", lambda: _about_platform(info, identity, pck)) is None:
        out.tcb_info = out.qe_identity = None


def _tcb_info(out: Endorsed, collateral: Collateral, root: Certificate) -> tuple[str, TcbInfo]:
    pem, signature = collateral.tcb_info_issuer_chain, collateral.tcb_info_signature
    signer = _signer(out, collateral, root, pem=pem, what="TCB info", code="tcb_info_chain")
    _require_document(
        signer, collateral.tcb_info, signature, what="TCB info", code="tcb_info_signature"
    )
    info = documents.parse_tcb_info(collateral.tcb_info)
    out.collateral_windows.append(Window("TCB info", "tcb_info", *info.window))
    return f"signed by Intel, evaluation number {info.tcb_evaluation_data_number}", info


def _qe_identity(
    out: Endorsed, collateral: Collateral, root: Certificate
) -> tuple[str, QeIdentity]:
    pem, signature = collateral.qe_identity_issuer_chain, collateral.qe_identity_signature
    signer = _signer(out, collateral, root, pem=pem, what="QE identity", code="qe_identity_chain")
    _require_document(
        signer, collateral.qe_identity, signature, what="QE identity", code="qe_identity_signature"
    )
    identity = documents.parse_qe_identity(collateral.qe_identity)
    out.collateral_windows.append(Window("QE identity", "qe_identity", *identity.window))
    return f"signed by Intel, evaluation number {identity.tcb_evaluation_data_number}", identity


def _signer(
    out: Endorsed, collateral: Collateral, root: Certificate, *, pem: bytes, what: str, code: str
) -> Certificate:
    """Return the certificate that may sign the document: Intel's TCB signing, not revoked."""
    if pem in out.signers:  # both documents usually come with the same chain
        return out.signers[pem]
    chain = x509.parse_chain(pem, what=f"{what} issuer chain")
    if len(chain) != 2 or chain[1].fingerprint != root.fingerprint:
        raise NotAuthentic(
            f"the {what} issuer chain does not end in the root of the PCK chain",
            code=code,
            expected=f"2 certificates under {root.fingerprint}",
            got=f"{len(chain)} certificates under {chain[-1].fingerprint}",
        )
    signer = chain[0]
    x509.require_issued(signer, root, what=f"{what} issuer chain", code=code)
    if signer.is_ca or "SGX TCB Signing" not in signer.subject:
        raise NotAuthentic(
            f"the {what} is signed by a certificate made for something else",
            code="tcb_signing_purpose",
            expected="SGX TCB Signing",
            got=signer.subject,
        )
    if x509.parse_crl(collateral.root_ca_crl, what="root CA revocation list").revokes(signer):
        raise NotAuthentic(
            f"Intel revoked the certificate that signed the {what}", code="tcb_signing_revoked"
        )
    out.certificate_windows.append(_certificate_window(signer))
    out.signers[pem] = signer
    return signer


def _require_document(
    signer: Certificate, document: bytes, signature: bytes, *, what: str, code: str
) -> None:
    why = f"the signature of the {what} does not hold"
    x509.require_signature(signer.key, signature, document, what=why, code=code)


def _about_platform(info: TcbInfo, identity: QeIdentity, pck: PckExtension) -> tuple[str, bool]:
    enclave = f"{identity.id}, version {identity.version}"
    for what, code, expected, got in (
        ("TEE", "tcb_info_tee", "TDX, version 3", f"{info.id}, version {info.version}"),
        ("processor family", "tcb_info_fmspc", pck.fmspc.hex(), info.fmspc.lower()),
        ("provisioning enclave", "tcb_info_pceid", pck.pce_id.hex(), info.pce_id.lower()),
        ("quoting enclave", "qe_identity_kind", "TD_QE, version 2", enclave),
    ):
        if expected != got:
            raise NotAuthentic(
                f"the collateral is for another {what}", code=code, expected=expected, got=got[:100]
            )
    return f"TCB info and QE identity are for TDX on FMSPC {info.fmspc.lower()}", True


def _quoting_enclave(out: Endorsed, parts: SignatureSection) -> None:
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

    # 4.1.2.9.5: MISCSELECT is a little-endian number that the document writes big-endian.
    miscselect = masked(report[_MISCSELECT][::-1], identity.miscselect_mask)
    attributes = masked(report[_ATTRIBUTES], identity.attributes_mask)
    product = int.from_bytes(report[_PRODUCT], "little")
    for what, code, expected, got in (
        ("signer", "qe_mrsigner", identity.mrsigner.lower(), report[MRSIGNER].hex()),
        ("product id", "qe_product", str(identity.isvprodid), str(product)),
        ("MISCSELECT", "qe_miscselect", identity.miscselect.lower(), miscselect),
        ("attributes", "qe_attributes", identity.attributes.lower(), attributes),
    ):
        if expected != got:
            raise NotAuthentic(
                f"the quoting enclave is not Intel's: its {what} differs",
                code=code,
                expected=expected,
                got=got,
            )
    if report[_ATTRIBUTES.start] & 0x02:
        raise NotAuthentic("the quoting enclave runs in debug mode", code="qe_debug")
    level = tcb.match_qe_level(int.from_bytes(report[_SVN], "little"), identity)
    return f"Intel's quoting enclave, {level.tcb_status}", level
