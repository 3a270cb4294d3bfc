"""Registers of a TPM: by a second arithmetic, by systemd's own tool, and refusals."""

from __future__ import annotations

import hashlib
import json
import lzma
import shutil
import struct
import subprocess
from pathlib import Path
from uuid import UUID

import pytest

from teeproof.core.errors import Malformed, Usage
from teeproof.evidence.measure import pe
from teeproof.evidence.measure.tpm import unified
from teeproof.evidence.measure.tpm.boot import BANKS, direct_boot, unified_boot
from teeproof.evidence.measure.tpm.volumes import inner_volumes
from tests.evidence.measure import images

G = 1 << 30
SYSTEMD = shutil.which("systemd-measure", path="/usr/lib/systemd")
DEBIAN = Path("/usr/share/OVMF/OVMF_CODE.fd")
PARTS = {
    b".linux": images.program(((b".text", b"inner kernel"),)),
    b".osrel": b"ID=test\n",
    b".cmdline": b"console=ttyS0",
    b".initrd": b"ramdisk",
    b".pcrpkey": b"key",
    b".pcrsig": b"signature",
}


def image(version: int = 252, parts=PARTS, more=()) -> bytes:
    magic = b"#### LoaderInfo: systemd-stub %d.39-1 ####" % version
    rows = [(b".text", b"stub"), (b".sdmagic", magic), (b".sbat", b"sbat"), *parts.items(), *more]
    return images.program(rows)


def chain(algorithm: str, *contents: bytes) -> bytes:
    value = bytes(hashlib.new(algorithm).digest_size)
    for content in contents:
        value = hashlib.new(algorithm, value + hashlib.new(algorithm, content).digest()).digest()
    return value


def found(registers) -> dict[str, bytes | None]:
    return {r.name: r.values[0] if r.values else None for r in registers}


@pytest.mark.parametrize("bank", BANKS)
def test_pcr_11_is_each_name_and_each_section_in_the_stubs_order(bank):
    expected = []
    for name in (b".linux", b".osrel", b".cmdline", b".initrd", b".pcrpkey"):
        expected += [name + b"\0", PARTS[name]]
    registers = unified_boot(image=image(), bank=bank)
    assert found(registers)["PCR 11"] == chain(bank, *expected)
    later = unified_boot(image=image(), bank=bank, phases=["enter-initrd", "leave-initrd"])
    assert found(later)["PCR 11"] == chain(bank, *expected, b"enter-initrd", b"leave-initrd")


@pytest.mark.skipif(SYSTEMD is None, reason="systemd-measure is missing: apt-get install systemd")
@pytest.mark.parametrize("phases", [(), unified.PHASES[:1], unified.PHASES])
def test_pcr_11_is_what_systemds_own_tool_computes(tmp_path, phases):
    line = [SYSTEMD, "calculate", "--json=short", "--phase=" + ":".join(phases)]
    for name, content in PARTS.items():
        if name != b".pcrsig":
            path = tmp_path / name.decode()
            path.write_bytes(content)
            flag = "public-key" if name == b".pcrpkey" else name.decode()[1:]
            if flag != "public-key":  # it wants a real key there
                line.append(f"--{flag}={path}")
    said = json.loads(subprocess.run(line, capture_output=True, check=True).stdout)
    parts = {name: data for name, data in PARTS.items() if name != b".pcrpkey"}
    for bank in ("sha1", "sha256", "sha384", "sha512"):
        registers = unified_boot(image=image(parts=parts), bank=bank, phases=phases)
        assert found(registers)["PCR 11"].hex() == said[bank][0]["hash"], bank


def test_a_unified_image_extends_the_boot_programs_register_twice():
    data = image()
    whole = b"".join(pe.parse(data).hashed)
    inner = b"".join(pe.parse(PARTS[b".linux"]).hashed)
    calling = b"Calling EFI Application from Boot Option"
    registers = found(unified_boot(image=data))
    assert registers["PCR 4"] == chain("sha256", calling, bytes(4), whole, inner)
    options = "console=ttyS0\0".encode("utf-16-le")
    assert registers["PCR 9"] == chain("sha256", options, b"ramdisk")


def test_what_neither_files_nor_this_program_know_has_no_value_and_says_why():
    registers = unified_boot(image=image(version=258))
    none = {r.name: r.why for r in registers if not r.values}
    assert set(none) == {"PCR 0", "PCR 1", "PCR 4", "PCR 5", "PCR 9"}
    assert "258" in none["PCR 4"]
    assert "memory" in none["PCR 0"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (image(version=251), "version 251"),
        (image(version=253), "version 253"),
        (image(version=261), "version 261"),
        (image(more=[(b".profile", b"x")]), "profiles"),
        (images.program(tuple(PARTS.items())), "systemd's stub"),
    ],
)
def test_an_image_that_is_measured_in_another_way_is_not_guessed_at(data, words):
    registers = {r.name: r for r in unified_boot(image=data)}
    assert registers["PCR 11"].values == ()
    assert words in registers["PCR 11"].why


def test_a_newer_stub_measures_sections_that_an_older_one_does_not():
    more = [(b".uname", b"6.1"), (b".ucode", b"microcode")]
    old, new = (found(unified_boot(image=image(v, more=more)))["PCR 11"] for v in (252, 256))
    assert old == found(unified_boot(image=image(252)))["PCR 11"]
    order = (b".linux", b".osrel", b".cmdline", b".initrd")
    expected = [x for name in order for x in (name + b"\0", PARTS[name])]
    expected += [b".ucode\0", b"microcode", b".uname\0", b"6.1", b".sbat\0", b"sbat"]
    assert new == chain("sha256", *expected, b".pcrpkey\0", b"key")


def test_host_hands_over_an_image_with_a_section_twice():
    with pytest.raises(Malformed, match="section table"):
        unified_boot(image=image(more=[(b".initrd", b"another")]))


def test_host_hands_over_a_section_that_is_larger_in_memory_than_in_the_file():
    data = bytearray(image())
    at = data.index(b".osrel\0\0")
    struct.pack_into("<I", data, at + 8, 1 << 20)
    with pytest.raises(Malformed, match="osrel"):
        unified_boot(image=bytes(data))


@pytest.mark.parametrize("words", [["sysinit"], ["enter-initrd", "ready"], ["anything"]])
def test_phases_that_systemd_does_not_go_through_are_refused(words):
    with pytest.raises(Usage, match="order"):
        unified_boot(image=image(), phases=words)


def test_a_kernel_of_qemus_is_measured_before_the_boot_option():
    registers = found(
        direct_boot(kernel=images.bzimage(), memory=G, initrd=b"ramdisk", cmdline="quiet")
    )
    options = "quiet initrd=initrd\0".encode("utf-16-le")
    assert registers["PCR 9"] == chain("sha256", options, b"ramdisk")
    assert registers["PCR 2"] == chain("sha256", bytes(4))
    leaving = (b"Exit Boot Services Invocation", b"Exit Boot Services Returned with Success")
    assert registers["PCR 5"] == chain("sha256", bytes(4), *leaving)
    assert registers["PCR 0"] is None


@pytest.mark.parametrize(
    ("change", "register"),
    [
        ({"kernel": images.bzimage(protocol=0x20E)}, "PCR 4"),
        ({"initrd": b"other"}, "PCR 9"),
        ({"cmdline": "quiet init=/bin/sh"}, "PCR 9"),
        ({"memory": 2 * G}, "PCR 4"),
    ],
    ids=str,
)
def test_host_boots_something_else_and_a_register_tells(change, register):
    true = {"kernel": images.bzimage(), "memory": G, "initrd": b"ramdisk", "cmdline": "quiet"}
    before, after = found(direct_boot(**true)), found(direct_boot(**true | change))
    assert before[register] != after[register]


def test_debians_firmware_holds_two_volumes_of_the_sizes_that_it_measures():
    if not DEBIAN.exists():
        pytest.skip("Debian's firmware is missing: apt-get install ovmf")
    pei, dxe = inner_volumes(DEBIAN.read_bytes())
    assert bytes(pei[0x28:0x2C]) == bytes(dxe[0x28:0x2C]) == b"_FVH"
    assert (len(pei), len(dxe)) == (0xE_0000, 0xC0_0000)  # OvmfPkgX64.fdf: PEIFV, DXEFV


LZMA = UUID("ee4e5898-3914-4259-9d6e-dc7bd79403cf").bytes_le


def volume(inner: bytes, *, said: int | None = None) -> bytes:
    """Return a firmware volume whose one file holds compressed sections."""
    packed = bytearray(lzma.compress(inner, format=lzma.FORMAT_ALONE))
    struct.pack_into("<Q", packed, 5, len(inner) if said is None else said)
    size = 24 + len(packed)
    section = struct.pack("<I", size | 2 << 24) + LZMA + struct.pack("<HH", 24, 1) + packed
    file = bytes(16) + bytes(2) + b"\x0b\0" + (24 + len(section)).to_bytes(3, "little") + b"\xf8"
    body = file + section
    head = bytes(32) + struct.pack("<Q4sIHHHBB", 0, b"_FVH", 0, 72, 0, 0, 0, 2)
    whole = (head.ljust(72, b"\0") + body).ljust(-(-(72 + len(body)) // 4096) * 4096, b"\xff")
    return whole[:32] + struct.pack("<Q", len(whole)) + whole[40:]


def inner(*volumes: bytes) -> bytes:
    made = b""
    for content in volumes:
        made += struct.pack("<I", (4 + len(content)) | 0x17 << 24) + content
        made += bytes(-len(made) % 4)
    return made


def test_volumes_are_unpacked_in_their_order():
    assert [bytes(v) for v in inner_volumes(volume(inner(b"pei0", b"dxe")))] == [b"pei0", b"dxe"]


@pytest.mark.parametrize(
    "data",
    [
        volume(b"")[:4096],
        volume(inner(b"a"), said=1 << 40),
        volume(inner(b"a"), said=9),
        bytes(8192),
        volume(struct.pack("<I", 2 | 0x17 << 24)),
    ],
    ids=["nothing", "a bomb", "more than it has", "no volume", "a short section"],
)
def test_host_hands_over_volumes_that_do_not_add_up(data):
    with pytest.raises(Malformed):
        inner_volumes(data)


def test_host_hands_over_volumes_that_unpack_to_more_than_any_firmware():
    bomb = lzma.compress(bytes(65 << 20), format=lzma.FORMAT_ALONE)
    assert len(bomb) < 1 << 20
    with pytest.raises(Malformed, match="compressed volumes"):
        inner_volumes(volume(bytes(65 << 20)))
