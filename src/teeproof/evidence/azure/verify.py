"""Verify evidence of an Azure machine: hardware, then the text it commits to, then the TPM.

    hcl-format         what the bytes say they are
    (hardware)         the checks of the report inside, see ``hardware``
    hcl-runtime-data   the hardware committed to the text that names the TPM's key
    (TPM)              the checks of the quote, with that key, see ``tpm.verify``

Trusts: what the hardware establishes, this code.
Does not trust: host, network, guest, the unsigned parts of the paravisor's report.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from teeproof.evidence.azure import hcl
from teeproof.evidence.azure.document import AzureEvidence
from teeproof.evidence.azure.hardware import Established, Hardware
from teeproof.evidence.azure.hcl import HclReport
from teeproof.evidence.tpm import verify as tpm
from teeproof.evidence.tpm.facts import TpmFacts, Voucher
from teeproof.evidence.verdict import Check, Level, failed, not_checked, passed

__all__ = ["Verification", "check_runtime_data", "verify"]


@dataclass(frozen=True, slots=True)
class Verification:
    """What verification found.

    Attributes:
        checks: in reading order.
        report: the paravisor's report.
        established: what the hardware established; None if its checks failed.
        facts: those of the TPM; None if a check failed.
        evidence_id: the identity of the TPM's quote.
    """

    checks: tuple[Check, ...]
    report: HclReport
    established: Established | None
    facts: TpmFacts | None
    evidence_id: str | None


def verify(
    evidence: AzureEvidence,
    *,
    hardware: Hardware,
    now: int,
    paravisors: Collection[str] | None = None,
    expected_data: bytes | None = None,
) -> Verification:
    """Return the checks and, if all held, the facts.

    Args:
        evidence: the machine's evidence.
        hardware: verifies the hardware's report inside, such as ``hardware.tdx_hardware(…)``.
        now: the T to verify at, seconds since 1970.
        paravisors: measurements (hex) of the paravisors that the relying party believes; with one
            of them the TPM is as good as the hardware that runs it, and else only a measured one.
        expected_data: the qualifying data that the relying party asked for, such as D (32 bytes).

    Raises:
        Malformed: the paravisor's report, or the TPM's quote, cannot be read.
    """
    report = hcl.parse(evidence.hcl_report)
    hardware_checks, established = hardware(report)
    runtime = check_runtime_data(report, established)
    paravisor = _paravisor(established, paravisors)
    voucher = None
    if established is not None and runtime.state == "passed":
        by = f"the paravisor's report, through {established.what},"
        level = _level(established, paravisor)
        voucher = Voucher(spki=report.ak, by=by, level=level)
    quoted = tpm.verify(
        replace(evidence.tpm, spki=report.ak),
        roots=frozenset(),
        now=now,
        voucher=voucher,
        expected_data=expected_data,
    )
    checks = (
        passed("hcl-format", f"a paravisor's report with one of {report.kind} inside"),
        *hardware_checks,
        runtime,
        paravisor,
        *(_because(check, hardware_checks) for check in quoted.checks),
    )
    refused = any(check.state == "failed" for check in checks)
    return Verification(
        checks=checks,
        report=report,
        established=established,
        facts=None if refused else quoted.facts,
        evidence_id=quoted.evidence_id,
    )


def _because(check: Check, hardware_checks: Sequence[Check]) -> Check:
    """Leave to the hardware's own failure what follows from it: that nobody names the key."""
    if check.code == "ak_not_bound" and any(each.state == "failed" for each in hardware_checks):
        why = "nothing is established of the hardware's report, through which the key is named"
        return not_checked(check.name, why)
    return check


def _paravisor(established: Established | None, listed: Collection[str] | None) -> Check:
    name = "hcl-paravisor"
    if established is None or listed is None:
        return not_checked(
            name,
            "that the measured domain is Azure's paravisor: whoever runs one of his own can write"
            " such a report, and make up the TPM behind it",
            "policy",
        )
    measurement = established.measurement.hex()
    if measurement not in listed:
        why = "the domain's measurement is none of those that the policy lists"
        return not_checked(name, why, "policy", got=measurement)
    return passed(
        name, "the domain is a paravisor that the policy lists", "policy", got=measurement
    )


def _level(established: Established, paravisor: Check) -> Level:
    if established.level == "simulated" or paravisor.state == "passed":
        return established.level
    return "measured"


def check_runtime_data(report: HclReport, established: Established | None) -> Check:
    """Return the check that the hardware's report commits to the paravisor's runtime data."""
    name = "hcl-runtime-data"
    if established is None:
        return not_checked(name, "nothing is established of the hardware's report inside")
    expected = hashlib.new(report.hash, report.runtime).digest().ljust(64, b"\0")
    if established.report_data == expected:
        return passed(name, f"{established.what} commits to the text that names the TPM's key")
    return failed(
        name,
        "runtime_data_mismatch",
        f"{established.what} does not commit to this text, so the TPM's key in it may be anyone's",
        expected=established.report_data.hex(),
        got=expected.hex(),
    )
