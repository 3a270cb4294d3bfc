"""Say for which platform and time a set of endorsements is, whether it holds, and which serves.

The dates and numbers of a set only sort it. Whoever adds a set can write any number into it, so a
set serves only if its signatures hold under the root that the platform's own certificate ends in.

Trusts: the root that a set is asked to hang on.  Does not trust: the set, whoever handed it over.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

from teeproof.core.digests import named, sha256
from teeproof.core.errors import NotAuthentic
from teeproof.evidence import x509
from teeproof.evidence.crl import RevocationList, parse_crl, require_crl
from teeproof.evidence.endorsements import FIELDS, Collateral
from teeproof.evidence.record import Platform
from teeproof.evidence.tdx.documents import parse_qe_identity, parse_tcb_info
from teeproof.evidence.tdx.endorsed import Endorsed
from teeproof.evidence.tdx.vendor import documents

__all__ = ["Entry", "ca_of", "describe", "in_order", "require_held"]

# 9999-12-31T23:59:59Z, less one second: "expired on" names the second after.
_Time = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_798)]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What a set says of itself, without having been verified.

    Attributes:
        id: ``sha256:…`` of the set, as in a verdict's provenance.
        tee: ``TDX`` or ``SGX``.
        fmspc: processor family, 12 hex digits.
        ca: ``platform`` or ``processor``: which of Intel's CAs issued the PCK revocation list.
        root: fingerprint of the root key that its certificates end in.
        evaluation_number: Intel's ``tcbEvaluationDataNumber``.
        begins: from when on all parts are in force, seconds since 1970.
        ends: the last second in which they are, seconds since 1970.
        blobs: field name -> ``sha256:…``.
    """

    id: str
    tee: str
    fmspc: str
    ca: str
    root: str
    evaluation_number: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
    begins: _Time
    ends: _Time
    blobs: dict[str, str]

    @property
    def platform(self) -> Platform:
        """Which platforms it is for."""
        return Platform(tee=self.tee, fmspc=self.fmspc, ca=self.ca, root=self.root)


def describe(collateral: Collateral) -> Entry:
    """Return the index entry of a set; nothing is verified.

    Raises:
        Malformed: a part cannot be read.
    """
    info = parse_tcb_info(collateral.tcb_info)
    identity = parse_qe_identity(collateral.qe_identity)
    crls = _lists(collateral)
    chain = x509.parse_chain(collateral.pck_crl_issuer_chain, what="PCK CRL issuer chain")
    return Entry(
        id=collateral.id,
        tee=info.id[:16],
        fmspc=info.fmspc.lower()[:32],
        ca=ca_of(crls[1].issuer_name),
        root=chain[-1].fingerprint,
        evaluation_number=min(info.tcb_evaluation_data_number, identity.tcb_evaluation_data_number),
        begins=max(info.window[0], identity.window[0], *(crl.this_update for crl in crls)),
        ends=max(
            0, min(info.window[1], identity.window[1], *(crl.next_update - 1 for crl in crls))
        ),
        blobs={name: named(sha256(getattr(collateral, name))) for name in FIELDS},
    )


def ca_of(issuer_name: bytes) -> str:
    """Return which of Intel's two PCK CAs bears this name (DER)."""
    return "processor" if b"Processor CA" in issuer_name else "platform"


def in_order(entries: Iterable[Entry], platform: Platform | None, *, at: int) -> list[Entry]:
    """Return the sets for a platform, the one to judge it with as of ``at`` first.

    First those in force, the highest evaluation number before all; then those that have expired,
    the last one first, for a verdict with it can say since when; then those of a later time.
    """
    fitting = [entry for entry in entries if platform is None or entry.platform == platform]
    return sorted(fitting, key=lambda entry: _rank(entry, at), reverse=True)


def _rank(entry: Entry, at: int) -> tuple[int, int, int, int, str]:
    if entry.begins <= at <= entry.ends:
        # The part that ends first is the oldest: a set with a stale list must not win.
        return 2, entry.evaluation_number, entry.ends, entry.begins, entry.id
    return int(entry.begins <= at), entry.ends, 0, 0, entry.id


def require_held(collateral: Collateral, *, root: str) -> None:
    """Check that all four signed parts of a set hang on one root; nothing is said of their dates.

    Args:
        collateral: the set.
        root: fingerprint (``sha256:…``) of the root key.

    Raises:
        Malformed: a part cannot be read.
        NotAuthentic: a signature does not hold, or a chain ends in another root.
    """
    what, code = "PCK CRL issuer chain", "collateral_signature"
    chain = x509.parse_chain(collateral.pck_crl_issuer_chain, what=what)
    if len(chain) != 2 or chain[1].fingerprint != root:
        raise NotAuthentic(
            f"the {what} does not end in the platform's root",
            code=code,
            expected=f"2 certificates under {root}",
            got=f"{len(chain)} certificates under {chain[-1].fingerprint}",
        )
    ca, top = chain
    x509.require_issued(top, top, what=what, code=code)
    x509.require_issued(ca, top, what=what, code=code)
    root_crl, pck_crl = _lists(collateral)
    require_crl(root_crl, top, what="root CA revocation list", code="crl_signature")
    require_crl(pck_crl, ca, what="PCK revocation list", code="crl_signature")
    signed = Endorsed(root=top)
    documents(signed, collateral)
    for check in signed.checks:
        if check.state == "failed":
            raise NotAuthentic(
                check.detail, code=check.code, expected=check.expected, got=check.got
            )


def _lists(collateral: Collateral) -> tuple[RevocationList, RevocationList]:
    return (
        parse_crl(collateral.root_ca_crl, what="root CA revocation list"),
        parse_crl(collateral.pck_crl, what="PCK revocation list"),
    )
