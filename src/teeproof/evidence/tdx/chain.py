"""From Intel's root to the attestation key: all that a quote's signature rests on.

Nothing here depends on the quoted report or on the time: two quotes of one platform under one
collateral share every result, so it is computed once and remembered. Dates come out as windows.

Trusts: the pinned roots.  Does not trust: host, network, whoever chose the collateral.
"""

from __future__ import annotations

from functools import lru_cache

from teeproof.core.digests import sha256
from teeproof.core.errors import NotAuthentic
from teeproof.evidence import x509
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.roots import require_root
from teeproof.evidence.tdx import enclave, vendor
from teeproof.evidence.tdx.endorsed import Endorsed, certificate_window
from teeproof.evidence.tdx.layout import SignatureSection
from teeproof.evidence.tdx.pck import parse_pck
from teeproof.evidence.x509 import Certificate

__all__ = ["endorse", "endorse_cold"]

# SHA-256 of Intel's self-signed root certificate. Its self-signature need not be checked each time;
# the trust lies in the pinned key, and a test checks this constant.
INTEL_ROOT_CERTIFICATE = bytes.fromhex(
    "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3"
)


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
        vendor.revocation(out, collateral)
        vendor.documents(out, collateral)
    enclave.quoting_enclave(out, parts)
    return out


endorse = lru_cache(maxsize=128)(endorse_cold)


def _root_and_chain(out: Endorsed, parts: SignatureSection, roots: frozenset[str]) -> None:
    chain = out.attempt("pck-certificates", lambda: _parse_chain(parts.pck_chain))
    if chain is None:
        out.skip("root", "the PCK certificates could not be read")
        out.skip("pck-chain", "the PCK certificates could not be read")
        return
    out.leaf = chain[0]
    level = out.attempt("root", lambda: require_root(chain[-1], roots, code="root_not_pinned"))
    if level is None:
        out.skip("pck-chain", "it ends in a root that is not trusted")
        return
    if out.attempt("pck-chain", lambda: _chain(chain)) is None:
        return
    out.level, out.root, out.chain, out.pck = level, chain[-1], chain, parse_pck(chain[0])
    out.certificate_windows += [certificate_window(certificate) for certificate in chain]


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


def _chain(chain: tuple[Certificate, ...]) -> tuple[str, bool]:
    leaf, issuer, root = chain
    if sha256(root.der) != INTEL_ROOT_CERTIFICATE:
        x509.require_issued(root, root, what="root certificate", code="root_certificate")
    x509.require_issued(issuer, root, what="PCK chain", code="pck_chain_signature")
    x509.require_issued(leaf, issuer, what="PCK chain", code="pck_chain_signature")
    # Intel's verifier asks for this phrase too (4.1.2.4.4): it keeps the other certificates of
    # the same root from serving as PCK certificates.
    if "SGX PCK Certificate" not in leaf.subject or leaf.claims_ca:
        raise NotAuthentic(
            "the first certificate is not a PCK certificate",
            code="pck_chain_leaf",
            expected="SGX PCK Certificate",
            got=leaf.subject,
        )
    return f"{root.subject} signed {issuer.subject}, which signed {leaf.subject}", True
