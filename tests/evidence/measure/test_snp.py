"""Launch digests: equal to another program's, and to the one in a real machine's report."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from pathlib import Path

import pytest
from sevsnpmeasure import guest
from sevsnpmeasure.sev_mode import SevMode
from sevsnpmeasure.vcpu_types import CPU_SIGS
from sevsnpmeasure.vmm_types import VMMType

from teeproof.core.errors import Malformed, Usage
from teeproof.evidence.measure.ovmf import SevSection
from teeproof.evidence.measure.snp.hashes import hashes_page
from teeproof.evidence.measure.snp.launch import launch_digest, measurement
from teeproof.evidence.measure.snp.vmsa import CPUS, VMMS, signature, vmsa
from tests.evidence.measure import images

DEBIAN = [Path("/usr/share/ovmf/OVMF.fd"), Path("/usr/share/OVMF/OVMF_CODE.fd")]
MILAN = CPUS["EPYC-Milan"]
KERNEL = {"kernel": b"kernel", "initrd": b"initrd", "cmdline": "console=ttyS0"}


def peer(folder: Path, image: bytes, *, cpus, cpu, vmm, features, **files) -> bytes:
    """Return what sev-snp-measure says; it reads files."""
    paths = {}
    for name in ("kernel", "initrd"):
        if files.get(name):
            (folder / name).write_bytes(files[name])
            paths[name] = str(folder / name)
    (folder / "ovmf").write_bytes(image)
    return guest.calc_launch_digest(
        SevMode.SEV_SNP,
        cpus,
        cpu,
        str(folder / "ovmf"),
        paths.get("kernel", ""),
        paths.get("initrd", ""),
        files.get("cmdline", ""),
        features,
        vmm_type={"qemu": VMMType.QEMU, "ec2": VMMType.ec2, "gce": VMMType.gce}[vmm],
    )


@pytest.mark.parametrize("vmm", VMMS)
@pytest.mark.parametrize(
    "files",
    [{}, {"kernel": b"kernel"}, {"kernel": b"k" * 9999, "initrd": b"i"}, KERNEL],
    ids=["firmware", "kernel", "ramdisk", "command line"],
)
def test_every_combination_gives_what_another_program_gives(tmp_path, vmm, files):
    image = images.ovmf()
    for cpus, cpu, features in itertools.product(
        (1, 2, 7), (MILAN, CPUS["EPYC-Genoa"], CPUS["EPYC-Turin"], 0xA00F11), (0x1, 0x21)
    ):
        launch = {"cpus": cpus, "cpu": cpu, "vmm": vmm, "features": features} | files
        assert measurement(image, **launch) == peer(tmp_path, image, **launch), launch


@pytest.mark.parametrize("path", DEBIAN, ids=lambda path: path.name)
@pytest.mark.parametrize("vmm", VMMS)
def test_debians_firmware_gives_what_another_program_gives(tmp_path, path, vmm):
    if not path.exists():
        pytest.skip("Debian's firmware is missing: apt-get install ovmf")
    image = path.read_bytes()
    launch = {"cpus": 4, "cpu": MILAN, "vmm": vmm, "features": 1}
    assert measurement(image, **launch) == peer(tmp_path, image, **launch)


def test_models_of_cpus_have_the_signatures_that_another_program_has():
    assert {name: CPUS[name] for name in CPU_SIGS} == CPU_SIGS
    assert signature(family=25, model=1, stepping=1) == 0x00A0_0F11


def test_a_real_machine_was_launched_as_its_configuration_says(vectors):
    folder = vectors / "snp" / "milan-dstack-live"
    raw = (folder / "versioned_attestation.bin").read_bytes()
    text = next(m[0] for m in re.finditer(rb"\{[\x20-\x7e]{900,}", raw) if b"ovmf_hash" in m[0])
    inputs = json.loads(json.JSONDecoder().raw_decode(text.decode())[0]["sev_snp_measurement"])
    sections = [
        SevSection(kind=s["section_type"], address=s["gpa"], size=s["size"])
        for s in inputs["ovmf_sections"]
    ]

    def digest(cmdline: str) -> bytes:
        page = hashes_page(
            address=inputs["sev_hashes_table_gpa"],
            kernel=bytes.fromhex(inputs["kernel_hash"]),
            initrd=bytes.fromhex(inputs["initrd_hash"]),
            cmdline=cmdline,
        )
        states = [
            vmsa(at, cpu=CPUS[inputs["vcpu_type"]], features=inputs["guest_features"], vmm="qemu")
            for at in (0xFFFF_FFF0, inputs["sev_es_reset_eip"])
        ]
        start = bytes.fromhex(inputs["ovmf_hash"])
        return launch_digest(start, sections=sections, hashes=page, states=states, vmm="qemu")

    report = (folder / "report.bin").read_bytes()
    assert inputs["vcpus"] == 2
    assert digest(inputs["base_cmdline"]) == report[0x90:0xC0]
    assert digest(inputs["base_cmdline"] + " ") != report[0x90:0xC0]


@pytest.mark.parametrize(
    "change",
    [
        {"cpus": 3},
        {"cpu": CPUS["EPYC-Genoa"]},
        {"vmm": "ec2"},
        {"vmm": "gce"},
        {"features": 0x21},
        {"kernel": b"kernel2"},
        {"initrd": b"initrd2"},
        {"cmdline": "console=ttyS1"},
    ],
    ids=str,
)
def test_host_changes_what_a_guest_starts_with_and_the_measurement_tells(change):
    launch = {"cpus": 2, "cpu": MILAN, "vmm": "qemu", "features": 1} | KERNEL
    assert measurement(images.ovmf(), **launch) != measurement(images.ovmf(), **launch | change)


def test_one_bit_of_the_firmware_is_seen():
    image = bytearray(images.ovmf())
    true = measurement(bytes(image), cpus=1, cpu=MILAN)
    image[100] ^= 1
    assert measurement(bytes(image), cpus=1, cpu=MILAN) != true


def test_host_starts_a_kernel_that_its_firmware_would_not_check():
    for sev in (
        images.SEV_SECTIONS[:5],
        (*images.SEV_SECTIONS, (0x90_0000, 0x1000, 0x10)),
    ):
        with pytest.raises(Usage, match="no place"):
            measurement(images.ovmf(sev=sev), cpus=1, cpu=MILAN, kernel=b"kernel")
    with pytest.raises(Usage, match="no place"):
        measurement(images.ovmf(hashes=0), cpus=1, cpu=MILAN, kernel=b"kernel")
    with pytest.raises(Malformed, match="table of hashes"):
        measurement(images.ovmf(hashes=0x80_0C00), cpus=1, cpu=MILAN, kernel=b"kernel")
    with pytest.raises(Usage, match="two pages"):
        measurement(images.ovmf(hashes=0x81_0FF0), cpus=1, cpu=MILAN, kernel=b"kernel")


@pytest.mark.parametrize("cpus", [0, -1, 4097])
def test_a_guest_without_cpus_is_refused(cpus):
    with pytest.raises(Usage, match="CPUs"):
        measurement(images.ovmf(), cpus=cpus, cpu=MILAN)


def test_a_command_line_without_a_kernel_is_refused():
    with pytest.raises(Usage, match="give the kernel"):
        measurement(images.ovmf(), cpus=1, cpu=MILAN, cmdline="quiet")


def test_the_first_page_of_a_digest_is_as_the_specification_writes_it():
    digest = launch_digest(bytes(48), sections=[], hashes=None, states=[b"s" * 4096], vmm="qemu")
    content = hashlib.sha384(b"s" * 4096).digest()
    info = bytes(48) + content + bytes.fromhex("700002000000000000f0ffffffff0000")
    assert len(info) == 0x70
    assert digest == hashlib.sha384(info).digest()
