"""What hangs on the roots, as it is gathered: checks in reading order, windows of time, results.

Trusts: the steps that fill it.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric import ec

from teeproof.core.errors import Error
from teeproof.evidence.dates import Window
from teeproof.evidence.tdx import tcb
from teeproof.evidence.tdx.documents import QeIdentity, SvnLevel, TcbInfo
from teeproof.evidence.tdx.pck import PckExtension
from teeproof.evidence.verdict import Check, Level, failed, not_checked, passed
from teeproof.evidence.x509 import Certificate

__all__ = ["Endorsed", "certificate_window"]

_T = TypeVar("_T")


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


def certificate_window(certificate: Certificate) -> Window:
    """Return when a certificate is valid."""
    return Window(
        f"certificate of {certificate.subject}",
        "certificate",
        certificate.not_before,
        certificate.not_after,
    )
