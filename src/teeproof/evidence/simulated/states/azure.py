"""States of an Azure machine: in order, with a text that nobody committed to, spoken by the guest.

Trusts: nothing; it only describes.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from teeproof.core.digests import sha256
from teeproof.evidence.azure import document
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.azure import Paravisor, on_snp, on_tdx
from teeproof.evidence.simulated.firmware import BOOT, secure_boot, write_log
from teeproof.evidence.simulated.hardware import Domain, measurement
from teeproof.evidence.simulated.snp.machine import DEBUG, POLICY, SnpGuest, SnpMachine
from teeproof.evidence.simulated.states.state import Make, Outcome, Scene, State
from teeproof.evidence.simulated.tpm import TpmMachine

__all__ = ["PARAVISOR", "STATES"]

PARAVISOR = Domain(tdattributes=bytes(8), mrtd=measurement("paravisor"))
"""The domain of Azure's paravisor: it takes memory faults itself."""

_LOG = write_log(BOOT)


def _tdx(
    scene: Scene, *, domain: Domain = PARAVISOR, paravisor: Paravisor | None = None
) -> Evidence:
    machine = scene.platform.machine(domain=domain)
    made = on_tdx(machine, paravisor or _paravisor(scene), scene.report_data, now=scene.now)
    return _with_log(made)


def _snp(scene: Scene, guest: SnpGuest | None = None) -> Evidence:
    machine = SnpMachine(scene.platform.snp, guest=guest)
    return _with_log(on_snp(machine, _paravisor(scene), scene.report_data))


def _with_log(made: Evidence, log: bytes = _LOG) -> Evidence:
    return Evidence(
        quote=made.quote,
        certificates=made.certificates,
        collateral=made.collateral,
        firmware_log=log,
    )


def _paravisor(scene: Scene) -> Paravisor:
    return Paravisor(scene.platform.pki.seed)


def _another_key(scene: Scene) -> Evidence:
    other = sha256(b"another key", scene.platform.pki.seed)
    return _tdx(scene, paravisor=replace(_paravisor(scene), named=other))


def _another_text(scene: Scene) -> Evidence:
    honest = document.parse(_tdx(scene).quote)
    edited = honest.hcl_report.replace(b'"secure-boot": true', b'"secure-boot": null')
    return _with(scene, replace(honest, hcl_report=edited))


def _another_quote(scene: Scene) -> Evidence:
    honest = document.parse(_tdx(scene).quote)
    stranger = scene.platform.machine().quote(_paravisor(scene).report_data)
    return _with(scene, replace(honest, td_quote=stranger))


def _with(scene: Scene, given: document.AzureEvidence) -> Evidence:
    made = _tdx(scene)
    return Evidence(quote=given.to_bytes(), collateral=made.collateral, firmware_log=_LOG)


def _secure_boot_off(scene: Scene) -> Evidence:
    boot = secure_boot(BOOT, on=False)
    paravisor = replace(_paravisor(scene), tpm=TpmMachine(boot=boot))
    made = on_tdx(
        scene.platform.machine(domain=PARAVISOR), paravisor, scene.report_data, now=scene.now
    )
    return _with_log(made, write_log(boot))


def _state(
    name: str, sentence: str, outcome: Outcome, make: Make, on: Literal["tdx", "snp"] = "tdx"
) -> State:
    kind: Literal["azure-tdx", "azure-snp"] = "azure-tdx" if on == "tdx" else "azure-snp"
    return State(name, sentence, outcome, make, status=None, kind=kind)


STATES = (
    _state("azure-tdx-in-order", "An Azure machine on TDX in order.", "accepted", _tdx),
    _state("azure-tdx-key-swapped", "The hardware vouches for another TPM's key.", "not-authentic",
           _another_key),
    _state("azure-tdx-text-edited", "The paravisor's text was changed.", "not-authentic",
           _another_text),
    _state("azure-tdx-quote-swapped", "The quote is over another report.", "not-authentic",
           _another_quote),
    _state("azure-tdx-another-paravisor", "The domain is another than Azure's paravisor.",
           "not-allowed", lambda scene: _tdx(scene, domain=Domain())),
    _state("azure-tdx-secure-boot-off", "The TPM's machine started without Secure Boot.",
           "not-allowed", _secure_boot_off),
    _state("azure-snp-in-order", "An Azure machine on SEV-SNP in order.", "accepted", _snp, "snp"),
    _state("azure-snp-report-of-the-guest", "The guest asked for the report itself.",
           "not-authentic", lambda scene: _snp(scene, SnpGuest(vmpl=2)), "snp"),
    _state("azure-snp-debug", "The host may look into the Azure machine.", "not-allowed",
           lambda scene: _snp(scene, SnpGuest(policy=POLICY | DEBUG)), "snp"),
)  # fmt: skip
