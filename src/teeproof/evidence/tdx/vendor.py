"""What Intel says of a platform: who is revoked, how patched is safe, what its enclave looks like.

Trusts: the root that the PCK chain ended in.  Does not trust: host, network, chooser of collateral.
"""

from __future__ import annotations

from teeproof.core.errors import NotAuthentic
from teeproof.evidence import x509
from teeproof.evidence.crl import parse_crl, require_crl
from teeproof.evidence.dates import Window
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.tdx.documents import (
    QeIdentity,
    TcbInfo,
    parse_qe_identity,
    parse_tcb_info,
)
from teeproof.evidence.tdx.endorsed import Endorsed, certificate_window
from teeproof.evidence.tdx.pck import PckExtension
from teeproof.evidence.x509 import Certificate

__all__ = ["documents", "revocation"]


def revocation(out: Endorsed, collateral: Collateral) -> None:
    """Look the PCK chain up in both revocation lists."""
    chain = out.chain
    if chain is None:
        out.skip("pck-revocation", "there is no chain to look up")
        return
    out.attempt("pck-revocation", lambda: _check_crls(out, chain, collateral))


def _check_crls(
    out: Endorsed, chain: tuple[Certificate, ...], collateral: Collateral
) -> tuple[str, bool]:
    leaf, issuer, root = chain
    root_crl = parse_crl(collateral.root_ca_crl, what="root CA revocation list")
    pck_crl = parse_crl(collateral.pck_crl, what="PCK revocation list")
    for name, crl in (("root CA revocation list", root_crl), ("PCK revocation list", pck_crl)):
        # RFC 5280, 5.1.2.5: the next list is there at nextUpdate, so that second is out already.
        out.collateral_windows.append(Window(name, "crl", crl.this_update, crl.next_update - 1))
    require_crl(root_crl, root, what="root CA revocation list", code="crl_signature")
    require_crl(pck_crl, issuer, what="PCK revocation list", code="crl_signature")
    for crl, certificate, code in (
        (root_crl, root, "root_revoked"),
        (root_crl, issuer, "pck_ca_revoked"),
        (pck_crl, leaf, "pck_revoked"),
    ):
        if crl.revokes(certificate):
            raise NotAuthentic(
                f"the certificate of {certificate.subject} is revoked: trust nothing it signed",
                code=code,  # without the serial number: the PCK's names the machine
            )
    return "neither the PCK certificate nor its CA is revoked", True


def documents(out: Endorsed, collateral: Collateral) -> None:
    """Verify TCB info and QE identity, and that they are about this platform."""
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
    info = parse_tcb_info(collateral.tcb_info)
    out.collateral_windows.append(Window("TCB info", "tcb_info", *info.window))
    return f"signed by {signer.subject}, evaluation number {info.tcb_evaluation_data_number}", info


def _qe_identity(
    out: Endorsed, collateral: Collateral, root: Certificate
) -> tuple[str, QeIdentity]:
    pem, signature = collateral.qe_identity_issuer_chain, collateral.qe_identity_signature
    signer = _signer(out, collateral, root, pem=pem, what="QE identity", code="qe_identity_chain")
    _require_document(
        signer, collateral.qe_identity, signature, what="QE identity", code="qe_identity_signature"
    )
    identity = parse_qe_identity(collateral.qe_identity)
    number = identity.tcb_evaluation_data_number
    out.collateral_windows.append(Window("QE identity", "qe_identity", *identity.window))
    return f"signed by {signer.subject}, evaluation number {number}", identity


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
    if signer.claims_ca or "SGX TCB Signing" not in signer.subject:
        raise NotAuthentic(
            f"the {what} is signed by a certificate made for something else",
            code="tcb_signing_purpose",
            expected="SGX TCB Signing",
            got=signer.subject,
        )
    if parse_crl(collateral.root_ca_crl, what="root CA revocation list").revokes(signer):
        raise NotAuthentic(
            f"the certificate that signed the {what} is revoked", code="tcb_signing_revoked"
        )
    out.certificate_windows.append(certificate_window(signer))
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
