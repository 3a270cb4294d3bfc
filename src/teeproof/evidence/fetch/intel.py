"""Ask Intel, or a cache of Intel's, for the collateral of a platform family.

    /{tdx,sgx}/certification/v4/tcb?fmspc=…        header TCB-Info-Issuer-Chain
    /{tdx,sgx}/certification/v4/qe/identity        header SGX-Enclave-Identity-Issuer-Chain
    /sgx/certification/v4/pckcrl?ca=…&encoding=der header SGX-PCK-CRL-Issuer-Chain
    /IntelSGXRootCA.der of the certificate server; of a PCCS, /sgx/certification/v4/rootcacrl

Source: Intel, "PCS API documentation", version 4; Intel's PCCS.

Trusts: the root that the platform's own certificates end in.  Does not trust: network, servers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from teeproof.core.clock import format_time
from teeproof.core.errors import NotAuthentic, Usage
from teeproof.evidence.crl import MAX_CRL_BYTES
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.entries import describe, require_held
from teeproof.evidence.fetch.web import Web
from teeproof.evidence.fetch.wire import list_of, pem_of_header, signed_document
from teeproof.evidence.record import Platform
from teeproof.evidence.tdx.documents import parse_qe_identity

__all__ = ["Edition", "Update", "fetch_collateral", "require_fit"]

Update = Literal["standard", "early"]
MAX_DOCUMENT_BYTES = 1 << 20  # Intel's TCB infos have some 10 KB
_MAX_HEX_CRL = 2 * MAX_CRL_BYTES + 64
_CERTIFICATION = "certification/v4"
_ENCLAVES = {"TDX": "TD_QE", "SGX": "QE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """Which of Intel's editions to ask for; without either, Intel's standard one.

    Attributes:
        update: ``early`` or ``standard``: before or after platform owners have had time to update.
        number: ``tcbEvaluationDataNumber`` of the wanted edition.
    """

    update: Update | None = None
    number: int | None = None

    def __post_init__(self) -> None:
        """Refuse both at once, as Intel does; Usage."""
        if self.update is not None and self.number is not None:
            raise Usage("ask for an update or for an evaluation number, not both", code="edition")
        if self.number is not None and not 0 < self.number < 1 << 32:
            raise Usage("an evaluation number is a number from 1 on", code="edition")

    @property
    def query(self) -> dict[str, str]:
        """The query's part that says so."""
        if self.number is not None:
            return {"tcbEvaluationDataNumber": str(self.number)}
        return {"update": self.update} if self.update else {}


def fetch_collateral(
    platform: Platform, web: Web, *, now: int, edition: Edition | None = None
) -> Collateral:
    """Return the collateral that is in force for a platform, verified.

    Args:
        platform: which one; what comes must hang on its root.
        web: the way to the servers.
        now: at which it must be in force, seconds since 1970.
        edition: which of Intel's editions.

    Raises:
        Unavailable: a server was not reached, or has no such thing.
        Malformed, TooLarge: what came is nothing that Intel sends.
        NotAuthentic: a signature does not hold, it is another platform's, or not in force.
    """
    query = (edition or Edition()).query
    service = "pcs" if web.services.pccs is None else "pccs"
    tee = platform.tee.lower()
    info = web.get(
        service,
        f"/{tee}/{_CERTIFICATION}/tcb",
        {"fmspc": platform.fmspc, **query},
        what=f"{platform.tee} TCB info of FMSPC {platform.fmspc}",
        limit=MAX_DOCUMENT_BYTES,
    )
    identity = web.get(
        service,
        f"/{tee}/{_CERTIFICATION}/qe/identity",
        query,
        what=f"identity of Intel's quoting enclave for {platform.tee}",
        limit=MAX_DOCUMENT_BYTES,
    )
    pck_crl = web.get(
        service,
        f"/sgx/{_CERTIFICATION}/pckcrl",
        {"ca": platform.ca, "encoding": "der"},
        what=f"revocation list of Intel's {platform.ca} CA",
        limit=_MAX_HEX_CRL,
    )
    tcb_info, tcb_signature = signed_document(
        info.content, "tcbInfo", limit=MAX_DOCUMENT_BYTES, what="TCB info"
    )
    qe_identity, qe_signature = signed_document(
        identity.content, "enclaveIdentity", limit=MAX_DOCUMENT_BYTES, what="QE identity"
    )
    collateral = Collateral(
        pck_crl_issuer_chain=pem_of_header(
            pck_crl.headers, ("SGX-PCK-CRL-Issuer-Chain",), what="PCK CRL issuer chain"
        ),
        root_ca_crl=_root_crl(web),
        pck_crl=list_of(pck_crl.content),
        tcb_info_issuer_chain=pem_of_header(
            info.headers,
            ("TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain"),
            what="TCB info issuer chain",
        ),
        tcb_info=tcb_info,
        tcb_info_signature=tcb_signature,
        qe_identity_issuer_chain=pem_of_header(
            identity.headers,
            ("SGX-Enclave-Identity-Issuer-Chain",),
            what="QE identity issuer chain",
        ),
        qe_identity=qe_identity,
        qe_identity_signature=qe_signature,
    )
    require_fit(collateral, platform, now=now)
    return collateral


def _root_crl(web: Web) -> bytes:
    cached = web.services.pccs is not None
    service, path = ("pccs", f"/sgx/{_CERTIFICATION}/rootcacrl") if cached else _ROOT_CRL
    what = "revocation list of Intel's root"
    return list_of(web.get(service, path, what=what, limit=_MAX_HEX_CRL).content)


# The file's name notwithstanding, it is the list that the root issued.
_ROOT_CRL = ("pcs-certificates", "/IntelSGXRootCA.der")


def require_fit(collateral: Collateral, platform: Platform, *, now: int) -> None:
    """Check that collateral holds, is this platform's and is in force; raise NotAuthentic if not.

    Raises:
        Malformed: a part cannot be read.
        NotAuthentic: code ``fetched_unfit`` or ``fetched_not_in_force``, or what ``require_held``
            raises.
    """
    entry = describe(collateral)
    if entry.platform._replace(root=platform.root) != platform:
        raise NotAuthentic(
            "the server sent another platform's collateral: nothing of it is kept",
            code="fetched_unfit",
            expected=" ".join(platform[:3]),
            got=" ".join(entry.platform[:3]),
        )
    enclave = parse_qe_identity(collateral.qe_identity).id
    if enclave != _ENCLAVES[platform.tee]:
        raise NotAuthentic(
            "the server sent the identity of another quoting enclave: nothing of it is kept",
            code="fetched_unfit",
            expected=_ENCLAVES[platform.tee],
            got=ascii(enclave)[:40],
        )
    require_held(collateral, root=platform.root)
    if not entry.begins <= now <= entry.ends:
        raise NotAuthentic(
            "the server sent collateral that is not in force: nothing of it is kept; ask another"
            " server, or see that this machine's clock is right",
            code="fetched_not_in_force",
            expected=format_time(now),
            got=f"{format_time(entry.begins)} to {format_time(entry.ends)}",
        )
