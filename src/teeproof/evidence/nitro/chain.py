"""From AWS's root to the key that signs documents: the bundle, in its order, and the leaf.

AWS's procedure ("Attestation process", 3.2.3): the bundle stands root first; every authority has
keyCertSign and is not below more authorities than its path length allows; the leaf has
digitalSignature, is no authority and has no path length. Revocation lists are not used.

Trusts: the pinned roots.  Does not trust: the parent instance, network, order of the bundle.
"""

from __future__ import annotations

from teeproof.core.digests import sha256
from teeproof.core.errors import NotAuthentic
from teeproof.evidence.dates import Window
from teeproof.evidence.nitro import certificates
from teeproof.evidence.nitro.certificates import Certificate
from teeproof.evidence.nitro.document import NitroDocument
from teeproof.evidence.roots import require_root
from teeproof.evidence.verdict import Level

__all__ = ["AWS_NITRO_ROOT", "Chain", "check_path", "check_root", "parse_chain", "windows"]

# SHA-256 of the SubjectPublicKeyInfo of "aws.nitro-enclaves" (valid 2019-10-28 to 2049-10-28), the
# root of every Nitro Enclaves document in AWS's commercial partition.
# Source: AWS_NitroEnclaves_Root-G1.
AWS_NITRO_ROOT = "sha256:f2caf5ecc6190b4a8399b78bc58a2bbcd0382375db8a1bfd78a82743874fd225"

# SHA-256 of that root's certificate. No other one over the same key is taken for it.
_G1_CERTIFICATE = bytes.fromhex("641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b")

Chain = tuple[Certificate, ...]
"""Certificates, root first, leaf last."""


def parse_chain(document: NitroDocument) -> tuple[str, Chain]:
    """Return one sentence, and the chain: bundle, then leaf.

    Raises:
        Malformed: a certificate is not what AWS makes.
    """
    bundle = tuple(
        certificates.parse(der, what="certificate in the bundle") for der in document.cabundle
    )
    leaf = certificates.parse(document.certificate, what="document's certificate")
    return f"{len(bundle)} authorities and the certificate of the document's key", (*bundle, leaf)


def check_root(root: Certificate, roots: frozenset[str]) -> tuple[str, Level]:
    """Return one sentence, and the level that this root gives; NotAuthentic if it gives none."""
    return require_root(root, roots, code="root_not_pinned", where="the bundle begins with")


def check_path(chain: Chain) -> tuple[str, bool]:
    """Return one sentence and True; NotAuthentic if one certificate does not hang on the next."""
    root, leaf, authorities = chain[0], chain[-1], chain[:-1]
    _check_root_certificate(root)
    for position, (issuer, child) in enumerate(zip(authorities, chain[1:], strict=True)):
        if not certificates.issued(child, issuer):
            raise NotAuthentic(
                f"the {_role(chain, position)} did not sign the {_role(chain, position + 1)}",
                code="nitro_chain_signature",
            )
    for position, authority in enumerate(authorities):
        below = len(authorities) - 1 - position
        _check_authority(authority, what=_role(chain, position), below=below)
    if leaf.is_ca or leaf.path_length is not None or not leaf.signs_data or leaf.signs_certificates:
        raise NotAuthentic(
            "the document's certificate was not made to sign documents",
            code="nitro_chain_leaf",
            expected="digitalSignature, and no authority",
        )
    return (
        f"{root.subject} and {len(authorities) - 1} authorities below it signed one another",
        True,
    )


def _check_root_certificate(root: Certificate) -> None:
    if root.fingerprint == AWS_NITRO_ROOT:
        holds = sha256(root.der) == _G1_CERTIFICATE
    else:
        holds = certificates.issued(root, root)
    if not holds:
        raise NotAuthentic(
            "the root certificate is not the one that its key signed",
            code="root_certificate",
            expected=f"SHA-256 {_G1_CERTIFICATE.hex()}, or one that signed itself",
            got=f"SHA-256 {sha256(root.der).hex()}",
        )


def _role(chain: Chain, position: int) -> str:
    """Name a certificate by its place: subjects name the instance, which is nobody's business."""
    if position == 0:
        return "root certificate"
    if position == len(chain) - 1:
        return "document's certificate"
    return f"certificate of authority {position}"


def _check_authority(authority: Certificate, *, what: str, below: int) -> None:
    """Check that a certificate may sign others, with so many authorities below it."""
    if not authority.is_ca or not authority.signs_certificates:
        raise NotAuthentic(
            f"the {what} may not sign certificates",
            code="nitro_chain_authority",
            expected="an authority (critical basic constraints) with keyCertSign",
        )
    if authority.path_length is not None and below > authority.path_length:
        raise NotAuthentic(
            f"there are more authorities below the {what} than it allows",
            code="nitro_chain_length",
            expected=f"at most {authority.path_length}",
            got=str(below),
        )


def windows(chain: Chain) -> list[Window]:
    """Return when each certificate is valid."""
    return [
        Window(_role(chain, position), "certificate", c.not_before, c.not_after)
        for position, c in enumerate(chain)
    ]
