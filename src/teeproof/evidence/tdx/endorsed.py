"""What hangs on the roots, as it is gathered: checks in reading order, windows of time, results.

Trusts: the steps that fill it.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric import ec

from teeproof.evidence.dates import Window
from teeproof.evidence.steps import Steps
from teeproof.evidence.tdx import tcb
from teeproof.evidence.tdx.documents import QeIdentity, SvnLevel, TcbInfo
from teeproof.evidence.tdx.pck import PckExtension
from teeproof.evidence.verdict import Check, Level
from teeproof.evidence.x509 import Certificate

__all__ = ["Endorsed", "certificate_window"]

_T = TypeVar("_T")


@dataclass(slots=True)
class Endorsed(Steps):
    """What the chain establishes, and the checks that it made on the way.

    ``checks`` are in reading order. A field is None where the check that yields it failed or was
    not made.
    """

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


def certificate_window(certificate: Certificate) -> Window:
    """Return when a certificate is valid."""
    return Window(
        f"certificate of {certificate.subject}",
        "certificate",
        certificate.not_before,
        certificate.not_after,
    )
