"""What a simulated vendor publishes: TCB info, QE identity and CRLs, signed and dated.

An ``Edition`` says what is published; changing one of its fields makes the edition of an outdated,
careless or hostile publisher, still correctly signed.

Trusts: whoever holds the seed.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from teeproof.core.clock import format_time
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.simulated.hardware import FMSPC, QuotingEnclave
from teeproof.evidence.simulated.keys import sign_raw
from teeproof.evidence.simulated.pki import Issued, Pki, pem_chain

__all__ = ["LADDER", "LIFETIME", "Edition", "Rung", "Window", "publish", "rung"]

LIFETIME = timedelta(days=30)  # as Intel's


@dataclass(frozen=True, slots=True)
class Rung:
    """One TCB level: what reaches ``svn`` has this status.

    Attributes:
        svn: of a platform, its first SGX component; of a module or enclave, its ISVSVN.
        status: Intel's word for the level.
        date: the day on which the level became the then newest.
        advisories: Intel's security advisories that apply.
    """

    svn: int
    status: str
    date: str
    advisories: tuple[str, ...] = ()


LADDER = (
    Rung(10, "UpToDate", "2025-05-14"),
    Rung(9, "UpToDate", "2025-05-14", ("INTEL-SA-01397",)),
    Rung(8, "SWHardeningNeeded", "2025-05-14", ("INTEL-SA-00615",)),
    Rung(7, "ConfigurationNeeded", "2025-05-14", ("INTEL-SA-00161",)),
    Rung(
        6, "ConfigurationAndSWHardeningNeeded", "2025-05-14", ("INTEL-SA-00161", "INTEL-SA-00615")
    ),
    Rung(5, "OutOfDate", "2024-03-13", ("INTEL-SA-00960", "INTEL-SA-00982")),
    Rung(4, "OutOfDateConfigurationNeeded", "2024-03-13", ("INTEL-SA-00161", "INTEL-SA-00960")),
    Rung(3, "Revoked", "2018-01-04", ("INTEL-SA-00106",)),
)
"""Levels of the platform, newest first. A machine below the last rung has no level at all."""

MODULES = {
    "TDX_03": (Rung(3, "UpToDate", "2025-05-14"),),
    "TDX_01": (
        Rung(6, "UpToDate", "2025-05-14"),
        Rung(4, "OutOfDate", "2023-08-09", ("INTEL-SA-01036",)),
        Rung(2, "Revoked", "2023-02-15", ("INTEL-SA-00837",)),
    ),
}
"""Levels of the TDX module, by its version. Version 0 has none: the platform's levels cover it."""
ENCLAVES = (
    Rung(6, "UpToDate", "2025-05-14"),
    Rung(4, "OutOfDate", "2023-08-09", ("INTEL-SA-01010",)),
    Rung(2, "Revoked", "2021-11-10", ("INTEL-SA-00477",)),
)
"""Levels of the quoting enclave."""


@dataclass(frozen=True, slots=True)
class Window:
    """From when until when a document counts."""

    issued: datetime
    next_update: datetime

    @classmethod
    def around(cls, at: datetime) -> Window:
        """Return the window that opened at midnight UTC of that day."""
        issued = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return cls(issued, issued + LIFETIME)

    def shifted(self, days: int) -> Window:
        """Return the window so many days later, or earlier if negative."""
        return Window(self.issued + timedelta(days), self.next_update + timedelta(days))


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """What is published for one platform family on one day.

    Attributes:
        tcb_info: window of the TCB info; likewise ``qe_identity``, ``root_crl``, ``pck_crl``.
        evaluation: ``tcbEvaluationDataNumber``, which rises with each of Intel's TCB recoveries.
        tee: the TCB info's id, ``TDX`` or ``SGX``.
        enclave: the QE identity's id, ``TD_QE`` or ``QE``.
        fmspc: 6 bytes, the platform family that the TCB info speaks of.
        pce_id: 2 bytes.
        revoked_by_root: serial numbers that the root's CRL lists.
        revoked_by_pck_ca: serial numbers that the PCK CA's CRL lists.
    """

    tcb_info: Window
    qe_identity: Window
    root_crl: Window
    pck_crl: Window
    evaluation: int = 20
    tee: str = "TDX"
    enclave: str = "TD_QE"
    fmspc: bytes = FMSPC
    pce_id: bytes = bytes(2)
    revoked_by_root: tuple[int, ...] = ()
    revoked_by_pck_ca: tuple[int, ...] = ()

    @classmethod
    def at(cls, at: datetime) -> Edition:
        """Return a fresh edition with nothing revoked."""
        window = Window.around(at)
        return cls(tcb_info=window, qe_identity=window, root_crl=window, pck_crl=window)


def rung(status: str) -> int:
    """Return the first CPU SVN of a machine with this status."""
    return next(level.svn for level in LADDER if level.status == status)


def publish(pki: Pki, edition: Edition) -> Collateral:
    """Return the edition as collateral, signed by this vendor."""
    tcb_info = _encode(_tcb_info(edition))
    qe_identity = _encode(_qe_identity(edition))
    signers = pem_chain(pki.tcb_signer, pki.root)
    return Collateral(
        pck_crl_issuer_chain=pem_chain(pki.pck_ca, pki.root),
        root_ca_crl=_crl(pki, pki.root, edition.revoked_by_root, edition.root_crl),
        pck_crl=_crl(pki, pki.pck_ca, edition.revoked_by_pck_ca, edition.pck_crl),
        tcb_info_issuer_chain=signers,
        tcb_info=tcb_info,
        tcb_info_signature=sign_raw(pki.tcb_signer.key, tcb_info),
        qe_identity_issuer_chain=signers,
        qe_identity=qe_identity,
        qe_identity_signature=sign_raw(pki.tcb_signer.key, qe_identity),
    )


def _crl(pki: Pki, issuer: Issued, revoked: tuple[int, ...], window: Window) -> bytes:
    return pki.crl(issuer, revoked=revoked, issued=window.issued, next_update=window.next_update)


def _tcb_info(edition: Edition) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": edition.tee,
        "version": 3,
        **_dates(edition.tcb_info),
        "fmspc": edition.fmspc.hex().upper(),
        "pceId": edition.pce_id.hex().upper(),
        "tcbType": 0,
        "tcbEvaluationDataNumber": edition.evaluation,
    }
    if edition.tee == "TDX":
        document["tdxModule"] = _MODULE_SIGNER
        document["tdxModuleIdentities"] = [
            {"id": name, **_MODULE_SIGNER, "tcbLevels": _versions(levels)}
            for name, levels in MODULES.items()
        ]
    return document | {
        "tcbLevels": [_platform_level(rung, tdx=edition.tee == "TDX") for rung in LADDER]
    }


def _platform_level(rung: Rung, *, tdx: bool) -> dict[str, Any]:
    first = {"svn": rung.svn, "category": "BIOS", "type": "Early Microcode Update"}
    rest = [{"svn": svn} for svn in (2, 2, 2, 3, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0)]
    tcb: dict[str, Any] = {"sgxtcbcomponents": [first, *rest], "pcesvn": 11}
    if tdx:
        tcb["tdxtcbcomponents"] = [
            {"svn": 5, "category": "OS/VMM", "type": "TDX Module"},
            {"svn": 0, "category": "OS/VMM", "type": "TDX Module"},
            {"svn": 3, "category": "OS/VMM", "type": "TDX Late Microcode Update"},
            *({"svn": 0} for _ in range(13)),
        ]
    return _level(rung, tcb)


def _level(rung: Rung, tcb: dict[str, Any]) -> dict[str, Any]:
    level = {"tcb": tcb, "tcbDate": f"{rung.date}T00:00:00Z", "tcbStatus": rung.status}
    # Intel leaves the field out where nothing applies.
    return level | ({"advisoryIDs": list(rung.advisories)} if rung.advisories else {})


def _qe_identity(edition: Edition) -> dict[str, Any]:
    enclave = QuotingEnclave()
    return {
        "id": edition.enclave,
        "version": 2,
        **_dates(edition.qe_identity),
        "tcbEvaluationDataNumber": edition.evaluation,
        "miscselect": "00000000",
        "miscselectMask": "FFFFFFFF",
        "attributes": "11000000000000000000000000000000",
        "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000",
        "mrsigner": enclave.mrsigner.hex().upper(),
        "isvprodid": enclave.isvprodid,
        "tcbLevels": _versions(ENCLAVES),
    }


_MODULE_SIGNER = {
    "mrsigner": "00" * 48,
    "attributes": "00" * 8,
    "attributesMask": "FF" * 8,
}


def _versions(levels: tuple[Rung, ...]) -> list[dict[str, Any]]:
    return [_level(rung, {"isvsvn": rung.svn}) for rung in levels]


def _dates(window: Window) -> dict[str, str]:
    return {"issueDate": format_time(window.issued), "nextUpdate": format_time(window.next_update)}


def _encode(document: dict[str, Any]) -> bytes:
    # Intel keeps the fields in this order, and signs exactly these bytes.
    return json.dumps(document, separators=(",", ":")).encode()
