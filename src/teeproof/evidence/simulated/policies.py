"""Policies (TOML) for simulated machines: which simulator they accept, and what is in order there.

Trusts: whoever holds the seed.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from teeproof.core.digests import named, sha256
from teeproof.evidence.recognise import Kind
from teeproof.evidence.sev_snp.layout import ReportBody
from teeproof.evidence.simulated.nitro import Enclave
from teeproof.evidence.simulated.nvidia_scene import reference_policy as gpu_reference
from teeproof.evidence.simulated.other_policies import OTHERS
from teeproof.evidence.simulated.platform import SimulatedPlatform
from teeproof.evidence.simulated.snp.machine import SnpGuest, write_body
from teeproof.evidence.simulated.snp.pki import Chip
from teeproof.evidence.simulated.states import LISTED

__all__ = [
    "application_policy",
    "nitro_opt_in_policy",
    "opt_in_policy",
    "reference_policy",
    "snp_opt_in_policy",
]


def opt_in_policy(platform: SimulatedPlatform) -> str:
    """Return a policy (TOML) that accepts this simulator's evidence, as simulated, and no other."""
    return f"""\
# Accepts evidence of the simulator on this machine, at the level "simulated". It proves nothing
# about hardware: never use it where anything depends on the answer.
name = "simulated"
description = "Evidence of one simulator; it proves nothing about hardware."
roots = []
simulated_roots = {_toml([platform.root_fingerprint, platform.tpm.root_fingerprint])}
gpu = {{ simulated_roots = {_toml(_gpu_roots(platform))} }}

second_path = true
tcb_statuses = ["UpToDate"]
debug = false
migration = false
service_td = false
sept_ve_disable = true
"""


def snp_opt_in_policy(platform: SimulatedPlatform) -> str:
    """Return a policy (TOML) that accepts this simulator's SEV-SNP guests, as simulated."""
    return f"""\
# Accepts SEV-SNP guests of the simulator on this machine, at the level "simulated". It proves
# nothing about hardware: never use it where anything depends on the answer.
name = "simulated"
description = "SEV-SNP guests of one simulator; it proves nothing about hardware."
roots = []
simulated_roots = ["{platform.snp.root_fingerprint}"]

tee = "sev-snp"
vlek = false
masked_chip_id = false
debug = false
migration = false
vmpl = [0]
"""


def _snp_reference(platform: SimulatedPlatform, report_data: bytes | None) -> str:
    guest, body = SnpGuest(), ReportBody(write_body(Chip(), SnpGuest(), bytes(64)))
    expected: dict[str, object] = {
        "products": ["Milan", "Genoa", "Turin"],
        "minimum_tcb": [
            {"product": "Milan", "bootloader": 4, "snp": 24, "microcode": 219},
            {"product": "Genoa", "bootloader": 10, "snp": 23, "microcode": 84},
            {"product": "Turin", "fmc": 1, "bootloader": 1, "tee": 1, "snp": 4, "microcode": 80},
        ],
        "smt": False,
        "single_socket": False,
        "ciphertext_hiding": False,
        "minimum_guest_svn": guest.guest_svn,
        "measurement": [body.measurement.hex()],
        "host_data": [body.host_data.hex()],
        "family_id": [body.family_id.hex()],
        "image_id": [body.image_id.hex()],
        "id_key_digest": [body.id_key_digest.hex()],
        "author_key_digest": [body.author_key_digest.hex()],
    }
    if report_data is not None:
        expected["report_data"] = report_data.hex()
    lines = (f"{key} = {_toml(value)}\n" for key, value in expected.items())
    return snp_opt_in_policy(platform) + "".join(lines)


def _nitro_reference(platform: SimulatedPlatform, report_data: bytes | None) -> str:
    registers = Enclave().pcrs
    expected: dict[str, object] = {
        f"pcr{index}": [registers[index].hex()] for index in (0, 1, 2, 3, 4, 8)
    }
    if report_data is not None:
        expected["user_data"] = report_data.hex()
    lines = (f"{key} = {_toml(value)}\n" for key, value in expected.items())
    return nitro_opt_in_policy(platform) + "".join(lines)


def nitro_opt_in_policy(platform: SimulatedPlatform) -> str:
    """Return a policy (TOML) that accepts this simulator's Nitro enclaves, as simulated."""
    return f"""\
# Accepts Nitro enclaves of the simulator on this machine, at the level "simulated". It proves
# nothing about hardware: never use it where anything depends on the answer.
name = "simulated"
description = "Nitro enclaves of one simulator; it proves nothing about hardware."
roots = []
simulated_roots = ["{platform.nitro.root_fingerprint}"]

tee = "nitro"
debug = false
"""


def _gpu_roots(platform: SimulatedPlatform) -> list[str]:
    return [platform.gpus.device_root.fingerprint, platform.gpus.rim_root.fingerprint]


def _nvidia_reference(platform: SimulatedPlatform, report_data: bytes | None) -> str:
    expected = gpu_reference(platform.gpus).to_json()
    expected |= {"device_roots": [], "rim_roots": []}
    bound = "" if report_data is None else f'report_data = "{report_data.hex()}"\n'
    lines = (f"{key} = {_toml(value)}\n" for key, value in expected.items())
    return f"""\
# Accepts GPUs of the simulator on this machine, at the level "simulated". It proves nothing about
# hardware: never use it where anything depends on the answer.
name = "simulated"
description = "GPUs of one simulator; it proves nothing about hardware."
roots = []

tee = "nvidia"
{bound}
[gpu]
""" + "".join(lines)


def reference_policy(
    platform: SimulatedPlatform, *, report_data: bytes | None = None, kind: Kind = "tdx"
) -> str:
    """Return a policy (TOML) that lists everything a machine in order has.

    Against it, each state has the outcome that it states; ``report-data-zero`` needs the
    ``report_data`` that the relying party asked for. ``kind`` is that of the state.
    """
    if kind == "sev-snp":
        return _snp_reference(platform, report_data)
    if kind == "nitro":
        return _nitro_reference(platform, report_data)
    if kind == "nvidia":
        return _nvidia_reference(platform, report_data)
    if kind in OTHERS:
        return OTHERS[kind](platform, report_data)
    machine = platform.machine()
    domain, guest = machine.domain, machine.guest
    expected: dict[str, object] = {
        "dynamic_platform": False,
        "cached_keys": False,
        "smt": False,
        "denied_advisories": ["INTEL-SA-01397"],
        "tcb_evaluation_floor": [{"since": "2020-01-01", "number": 20}],
        "allowed_platforms": [named(sha256(machine.processor.ppid))],
        "mrtd": [domain.mrtd.hex()],
        "mrseam": [domain.mrseam.hex()],
        "rtmr0": [machine.rtmrs[0].hex()],
        "rtmr1": [machine.rtmrs[1].hex()],
        "rtmr2": [machine.rtmrs[2].hex()],
        "event_log": True,
        "compose_hash": [listed.compose_hash.hex() for listed in LISTED],
        "compose_images_pinned": True,
        "app_id": [listed.app_id.hex() for listed in LISTED],
        "os_image_hash": [guest.os_image_hash.hex()],
        "key_provider": [guest.key_provider],
        "key_provider_id": [guest.key_provider_id],
    }
    if report_data is not None:
        expected["report_data"] = report_data.hex()
    lines = (f"{key} = {_toml(value)}\n" for key, value in expected.items())
    return opt_in_policy(platform) + "".join(lines)


def application_policy(platform: SimulatedPlatform, *, compose_hash: Iterable[str]) -> str:
    """Return a policy (TOML) for machines in order that run one of these applications.

    It pins the guest's image, so that the guest's word for its application counts. Without any
    compose hash it accepts every application: for who then looks at the verdict's facts.
    """
    machine = platform.machine()
    expected: dict[str, object] = {
        "mrtd": [machine.domain.mrtd.hex()],
        "mrseam": [machine.domain.mrseam.hex()],
        "rtmr0": [machine.rtmrs[0].hex()],
        "rtmr1": [machine.rtmrs[1].hex()],
        "rtmr2": [machine.rtmrs[2].hex()],
        "event_log": True,
        "os_image_hash": [machine.guest.os_image_hash.hex()],
        "key_provider": [machine.guest.key_provider],
        "key_provider_id": [machine.guest.key_provider_id],
    }
    listed = list(compose_hash)
    if listed:
        expected |= {"compose_hash": listed, "compose_images_pinned": True}
    lines = (f"{key} = {_toml(value)}\n" for key, value in expected.items())
    return opt_in_policy(platform) + "".join(lines)


def _toml(value: object) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{key} = {_toml(entry)}" for key, entry in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    # Text, numbers and booleans of ours are written in TOML as in JSON.
    return json.dumps(value)
