"""A simulated AMD and its key server, for the tests of fetching."""

from __future__ import annotations

from datetime import datetime, timedelta

from teeproof.evidence.der import armoured
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.snp.machine import SnpGuest, SnpMachine
from teeproof.evidence.simulated.snp.pki import Chip, SnpPki
from tests.evidence.scenes import NOW, PLATFORM, REPORT_DATA
from tests.sim.vendors import Vendors

MILAN = Chip()
GENOA = Chip(name="chip 2", product="Genoa", cpuid=(0x19, 0x11, 0x01))
TURIN = Chip(
    name="chip 3", product="Turin", cpuid=(0x1A, 0x02, 0x01), tcb=bytes([1, 2, 3, 4, 0, 0, 0, 5])
)
QUERIES = {
    "Milan": "blSPL=04&teeSPL=00&snpSPL=24&ucodeSPL=219",
    "Genoa": "blSPL=04&teeSPL=00&snpSPL=24&ucodeSPL=219",
    "Turin": "fmcSPL=01&blSPL=02&teeSPL=03&snpSPL=04&ucodeSPL=05",
}


def machine(chip: Chip = MILAN, **guest: object) -> SnpMachine:
    """Return a machine of the simulated AMD."""
    return SnpMachine(PLATFORM.snp, chip=chip, guest=SnpGuest(**guest))  # type: ignore[arg-type]


def alone(chip: Chip = MILAN, **guest: object) -> Evidence:
    """Return a report without any certificate."""
    return Evidence(quote=machine(chip, **guest).report(REPORT_DATA), name="report.bin")


def vcek_path(chip: Chip) -> str:
    """Return where AMD's server has the certificate of a chip's key."""
    return f"/vcek/v1/{chip.product}/{chip.hwid.hex()}?{QUERIES[chip.product]}"


def serve(
    vendors: Vendors,
    chip: Chip = MILAN,
    *,
    pki: SnpPki = PLATFORM.snp,
    issued: datetime = NOW - timedelta(days=1),
    revoked: tuple[int, ...] = (),
) -> None:
    """Serve what AMD serves for a chip."""
    vendors.serve(vcek_path(chip), pki.vcek(chip).der)
    for kind in ("VCEK", "VLEK"):
        base = f"/{kind.lower()}/v1/{chip.product}"
        pem = armoured(pki.authority(kind, chip.product)) + armoured(pki.root_of(chip.product))
        vendors.serve(f"{base}/cert_chain", pem)
        vendors.serve(f"{base}/crl", pki.crl(revoked=revoked, issued=issued, product=chip.product))
