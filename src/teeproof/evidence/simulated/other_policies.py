"""Policies (TOML) for simulated TPMs, Azure machines and Arm CCA realms in order.

Trusts: whoever holds the seed.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from teeproof.evidence.recognise import Kind
from teeproof.evidence.sev_snp.layout import ReportBody
from teeproof.evidence.simulated.firmware import AUTHORITY, BOOT, started
from teeproof.evidence.simulated.platform import SimulatedPlatform
from teeproof.evidence.simulated.snp.machine import SnpGuest, write_body
from teeproof.evidence.simulated.snp.pki import Chip
from teeproof.evidence.simulated.states.azure import PARAVISOR
from teeproof.evidence.simulated.tpm import TpmMachine

__all__ = ["OTHERS"]

_BOOTED = {
    "log": True,
    "secure_boot": True,
    "images": [started(what).digest("sha256").hex() for what in ("boot loader", "kernel")],
    "authorities": [AUTHORITY.digest("sha256").hex()],
}
_HEAD = """\
# Accepts {what} of the simulator on this machine, at the level "simulated". It proves
# nothing about hardware: never use it where anything depends on the answer.
name = "simulated"
description = "{what} of one simulator; it proves nothing about hardware."
roots = []
simulated_roots = ["{root}"]

tee = "{tee}"
"""


def _tpm(platform: SimulatedPlatform, report_data: bytes | None) -> str:
    head = _HEAD.format(what="TPMs", root=platform.tpm.root_fingerprint, tee="tpm")
    return head + _lines(_bound({}, report_data)) + _machine()


def _azure_tdx(platform: SimulatedPlatform, report_data: bytes | None) -> str:
    head = _HEAD.format(what="Azure machines", root=platform.root_fingerprint, tee="azure-tdx")
    expected: dict[str, object] = {
        "second_path": True,
        "tcb_statuses": ["UpToDate"],
        "debug": False,
        "migration": False,
        "service_td": False,
        "mrtd": [PARAVISOR.mrtd.hex()],
    }
    return head + _lines(_bound(expected, report_data)) + _machine()


def _azure_snp(platform: SimulatedPlatform, report_data: bytes | None) -> str:
    head = _HEAD.format(what="Azure machines", root=platform.snp.root_fingerprint, tee="azure-snp")
    body = ReportBody(write_body(Chip(), SnpGuest(), bytes(64)))
    expected: dict[str, object] = {
        "vlek": False,
        "masked_chip_id": False,
        "debug": False,
        "migration": False,
        "vmpl": [0],
        "measurement": [body.measurement.hex()],
    }
    return head + _lines(_bound(expected, report_data)) + _machine()


def _cca(platform: SimulatedPlatform, report_data: bytes | None) -> str:
    cca = platform.cca
    head = _HEAD.format(what="Arm CCA realms", root=cca.root_fingerprint, tee="cca")
    realm, vouched = cca.realm_claims(bytes(64)), cca.platform_claims(b"")
    rems = {f"rem{index}": [value.hex()] for index, value in enumerate(realm[44239])}
    expected: dict[str, object] = {
        "lifecycle": ["secured"],
        "implementation_id": [vouched[2396].hex()],
        "component_measurements": [each[2].hex() for each in vouched[2399]],
        "component_signers": [vouched[2399][0][5].hex()],
        "rim": [realm[44238].hex()],
        **rems,
        "personalization_value": [realm[44235].hex()],
    }
    return head + _lines(_bound({}, report_data)) + "\n[cca]\n" + _lines(expected)


def _machine() -> str:
    """Return the tables for a machine that booted in order."""
    registers = TpmMachine().registers
    indexes = sorted({each.register for each in BOOT})
    pcrs = [{"bank": "sha256", "pcr": i, "values": [registers[i].hex()]} for i in indexes]
    rows = ",\n".join(f"  {_inline(each)}" for each in pcrs)
    return f"\n[tpm]\npcrs = [\n{rows},\n]\n\n[boot]\n" + _lines(_BOOTED)


def _bound(expected: dict[str, object], report_data: bytes | None) -> dict[str, object]:
    return expected if report_data is None else expected | {"report_data": report_data.hex()}


def _lines(expected: Mapping[str, object]) -> str:
    # Text, numbers, booleans and lists of ours are written in TOML as in JSON.
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in expected.items())


def _inline(table: Mapping[str, object]) -> str:
    return f"{{ {', '.join(f'{key} = {json.dumps(value)}' for key, value in table.items())} }}"


OTHERS: Mapping[Kind, Callable[[SimulatedPlatform, bytes | None], str]] = {
    "tpm": _tpm,
    "azure-tdx": _azure_tdx,
    "azure-snp": _azure_snp,
    "cca": _cca,
}
"""What makes the reference policy of each of these kinds."""
