"""Ask AMD's key server (KDS) for the certificate of a chip's key, those above it, and its list.

    /vcek/v1/{product}/{hwid}?blSPL=…&teeSPL=…&snpSPL=…&ucodeSPL=…  VCEK, DER; of Turin also fmcSPL
    /{vcek,vlek}/v1/{product}/cert_chain                            authority, root, PEM
    /{vcek,vlek}/v1/{product}/crl                                   revocation list, DER

AMD's interface has the chip's id in the address: AMD learns who is verified, and so would whoever
could read addresses. Nobody but the server is told it. A VLEK's certificate is not public: the
cloud has it, and the guest gets it with its report.

Source: AMD 57230 (VCEK Certificate and KDS Interface Specification).

Trusts: AMD's pinned roots.  Does not trust: network, servers.
"""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ec

from teeproof.core.clock import format_time
from teeproof.core.digests import named, sha256
from teeproof.core.errors import Error, Malformed, NotAuthentic, Unavailable, Usage
from teeproof.evidence.fetch.web import Web
from teeproof.evidence.kept.amd import is_about, pem_of
from teeproof.evidence.sev_snp import verify as sev_snp
from teeproof.evidence.sev_snp.certificates import (
    MAX_BYTES,
    AmdCertificate,
    parse_blocks,
    parse_certificates,
)
from teeproof.evidence.sev_snp.layout import ReportBody
from teeproof.evidence.sev_snp.report import SnpReport
from teeproof.evidence.sev_snp.tcb import Product, product_named
from teeproof.evidence.sev_snp.vek import Vek, VekKind, parse_vek

__all__ = [
    "beside",
    "certificate",
    "fetch_above",
    "fetch_list",
    "fetch_vcek",
    "leaf_of",
    "product_of",
    "require_in_force",
    "require_own",
]

MAX_LEAF_BYTES = 16 << 10
_HWID_BYTES: dict[Product, int] = {"Milan": 64, "Genoa": 64, "Turin": 8}
_SPL = {
    "fmc": "fmcSPL",
    "bootloader": "blSPL",
    "tee": "teeSPL",
    "snp": "snpSPL",
    "microcode": "ucodeSPL",
}


def beside(pem: bytes | None) -> tuple[AmdCertificate, ...]:
    """Return the certificates that came along with a report; Malformed if they are none."""
    return parse_certificates(parse_blocks(pem or b"")[0])


def fetch_vcek(body: ReportBody, web: Web, *, product: Product | None) -> bytes:
    """Return the certificate (DER) of the key that a chip has for the reported TCB.

    Args:
        body: of the report.
        web: the way to the server.
        product: for a report of version 2, which does not name it.

    Raises:
        Usage: nobody says which product it is.
        Unavailable: the key is none that AMD's server gives out; and as ``Web.get``.
    """
    if body.signing_key == 1:
        raise Unavailable(
            "the report was signed by a VLEK, whose certificate AMD gives to the cloud alone: ask"
            " the guest for it, which gets it with its report, and put it beside the report",
            code="vlek_not_public",
        )
    if body.masked:
        raise Unavailable(
            "the host masked the chip's id, so AMD cannot be asked for its certificate: ask the"
            " guest for it, which gets it with its report, and put it beside the report",
            code="chip_masked",
        )
    which = body.product or product
    if which is None:
        raise Usage(
            "this report does not say which processor made it: name it with --product",
            code="product_unknown",
            expected="--product Milan, Genoa or Turin",
            got=f"a report of version {body.version}",
        )
    parts = body.tcb("reported", which).parts
    return web.get(
        "kds",
        f"/vcek/v1/{which}/{body.chip_id[: _HWID_BYTES[which]].hex()}",
        {_SPL[part]: f"{number:02}" for part, number in parts.items()},
        what=f"VCEK certificate of a {which} chip (hash {named(sha256(body.chip_id))[7:15]}…)",
        limit=MAX_LEAF_BYTES,
    ).content


def fetch_above(kind: VekKind, product: Product, web: Web) -> tuple[AmdCertificate, ...]:
    """Return the certificates above the keys of a product, as the server has them.

    Raises:
        Malformed: what came is no such text. Unavailable, TooLarge: as ``Web.get``.
    """
    return beside(
        web.get(
            "kds",
            f"/{kind.lower()}/v1/{product}/cert_chain",
            what=f"certificates above every {kind} of {product}",
            limit=MAX_BYTES,
        ).content
    )


def fetch_list(kind: VekKind, product: Product, web: Web) -> bytes:
    """Return the revocation list (DER) of a product's authorities; raises as ``Web.get``."""
    return web.get(
        "kds",
        f"/{kind.lower()}/v1/{product}/crl",
        what=f"revocation list of {product}",
        limit=MAX_BYTES,
    ).content


def leaf_of(
    found: tuple[AmdCertificate, ...], about: Mapping[str, str] | None = None
) -> tuple[AmdCertificate, Vek] | None:
    """Return the certificate of an endorsement key, and what it says; None if not just one.

    Args:
        found: certificates.
        about: what the key must be for, where a report says it.
    """
    leaves = [
        each
        for each in found
        if isinstance(each.key, ec.EllipticCurvePublicKey) and is_about(each, about or {})
    ]
    return (leaves[0], parse_vek(leaves[0])) if len(leaves) == 1 else None


def require_own(
    report: SnpReport, chain: tuple[bytes, bytes, bytes], *, roots: frozenset[str], now: int
) -> None:
    """Check that a key (DER, with those above it) is a report's own; raise NotAuthentic if not.

    Args:
        report: which the key must have signed.
        chain: key, authority and root, DER.
        roots: fingerprints of AMD's roots.
        now: at which the certificates must be valid, seconds since 1970.
    """
    found = sev_snp.verify(report, certificates=pem_of(*chain), roots=roots, now=now)
    for check in found.checks:
        if check.state == "failed":
            raise NotAuthentic(
                f"what came is not kept: {check.detail}",
                code=check.code,
                expected=check.expected,
                got=check.got,
            )


def require_in_force(begins: int, ends: int, *, what: str, now: int) -> None:
    """Check that something fetched is in force; raise NotAuthentic if not."""
    if not begins <= now <= ends:
        raise NotAuthentic(
            f"the server sent a {what} that is not in force: it is not kept; see that this"
            " machine's clock is right, or ask another server",
            code="fetched_not_in_force",
            expected=format_time(now),
            got=f"{format_time(begins)} to {format_time(ends)}",
        )


def certificate(der: bytes) -> tuple[AmdCertificate, Vek]:
    """Return a certificate that the server sent for a key; Malformed if it is none."""
    try:
        found = leaf_of(parse_certificates([der]))
    except Error as error:
        raise _no_key(error.detail) from None
    if found is None:
        raise _no_key("a certificate of something else")
    return found


def product_of(name: str) -> Product:
    """Return a product by its name; Malformed if there is none."""
    found = product_named(name)
    if found is None:
        raise Malformed("there is no such product of AMD's", got=ascii(name[:40]))
    return found


def _no_key(got: str) -> Malformed:
    return Malformed(
        "what the server sent is not the certificate of an endorsement key",
        code="answer_malformed",
        expected="a VCEK certificate (DER)",
        got=got[:200],
    )
