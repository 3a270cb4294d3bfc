"""OVMF's table and its sections: found by two ways, and refused where they do not add up."""

from __future__ import annotations

import struct
from pathlib import Path
from uuid import UUID

import pytest

from teeproof.core.errors import Malformed
from teeproof.evidence.measure.ovmf import firmware, sev_sections, table, tdx_sections
from tests.evidence.measure import images
from tests.evidence.measure.images import SEV_SECTIONS, TDX_SECTIONS, ovmf

DEBIAN = Path("/usr/share/ovmf/OVMF.fd")


def changed(rows, index, **fields):
    names = ("offset", "raw", "address", "size", "kind", "attributes")
    if len(rows[0]) == 3:
        names = ("address", "size", "kind")
    row = [fields.get(name, value) for name, value in zip(names, rows[index], strict=True)]
    return (*rows[:index], tuple(row), *rows[index + 1 :])


def test_every_entry_of_the_table_is_found_by_its_name():
    found = table(firmware(ovmf()))
    assert set(found) == {images.RESET, images.HASHES, images.TDX, images.SEV}
    assert bytes(found[images.RESET]) == struct.pack("<I", images.RESET_AT)


def test_the_sections_are_as_they_were_written():
    image = firmware(ovmf())
    assert [(s.address, s.size, s.kind) for s in sev_sections(image)] == list(SEV_SECTIONS)
    found = tdx_sections(image)
    assert [(s.address, s.size, s.kind) for s in found] == [
        (row[2], row[3], row[4]) for row in TDX_SECTIONS
    ]
    assert [s.measured for s in found] == [True] + [False] * 5
    assert bytes(found[1].content) == ovmf()[:4096]


def test_memory_that_is_accepted_later_is_not_added():
    late = changed(TDX_SECTIONS, 2, kind=4, attributes=2, size=1 << 40, address=1 << 33)
    assert [s.added for s in tdx_sections(firmware(ovmf(tdx=late)))][2] is False


def test_debians_image_lists_what_its_sources_list():
    if not DEBIAN.exists():
        pytest.skip("Debian's firmware is missing: apt-get install ovmf")
    image = firmware(DEBIAN.read_bytes())
    # OvmfPkg/OvmfPkgDefines.fdf.inc and OvmfPkgX64.fdf name these places.
    assert {hex(s.address) for s in tdx_sections(image) if s.kind in (2, 3)} == {
        "0x800000", "0x809000", "0x80b000", "0x810000",
    }  # fmt: skip
    assert [s.kind for s in sev_sections(image)] == [1, 1, 2, 3, 1]


HUGE = 1 << 31


@pytest.mark.parametrize(
    ("spoiled", "words"),
    [
        pytest.param({"tdx": changed(TDX_SECTIONS, 0, offset=HUGE)}, "TDX section", id="outside"),
        pytest.param({"tdx": changed(TDX_SECTIONS, 0, raw=HUGE)}, "TDX section", id="huge"),
        pytest.param({"tdx": changed(TDX_SECTIONS, 1, raw=0)}, "TDX section", id="without data"),
        pytest.param({"tdx": changed(TDX_SECTIONS, 2, kind=8)}, "TDX section", id="unknown type"),
        pytest.param({"tdx": changed(TDX_SECTIONS, 2, attributes=4)}, "TDX", id="unknown bit"),
        pytest.param({"tdx": changed(TDX_SECTIONS, 2, address=1)}, "TDX section", id="not a page"),
        pytest.param({"tdx": changed(TDX_SECTIONS, 2, size=0)}, "TDX section", id="empty"),
        pytest.param({"tdx": changed(TDX_SECTIONS, 2, size=1 << 40)}, "size of all", id="endless"),
        pytest.param(
            {"tdx": changed(TDX_SECTIONS, 2, address=(1 << 64) - 0x1_0000)}, "TDX", id="wraps"
        ),
        pytest.param({"tdx": changed(TDX_SECTIONS, 2, address=0x80_A000)}, "TDX", id="overlap"),
        pytest.param({"tdx": ()}, "TDX metadata", id="no sections"),
        pytest.param({"tdx": TDX_SECTIONS * 11}, "TDX metadata", id="66 sections"),
        pytest.param({"more": [(images.TDX, b"1234")]}, "table", id="one name twice"),
        pytest.param({"more": [(UUID(int=1), b"x" * 5000)]}, "table", id="a huge table"),
    ],
)
def test_host_hands_over_firmware_whose_tdx_sections_do_not_add_up(spoiled, words):
    with pytest.raises(Malformed) as refused:
        tdx_sections(firmware(ovmf(**spoiled)))
    assert words in refused.value.detail


@pytest.mark.parametrize(
    ("index", "fields"),
    [
        (0, {"kind": 9}),
        (0, {"size": 0x9001}),
        (0, {"size": 0}),
        (0, {"size": 0x400_1000}),
        (1, {"address": 0x80_8000}),
    ],
)
def test_host_hands_over_firmware_whose_sev_sections_do_not_add_up(index, fields):
    with pytest.raises(Malformed, match=r"SEV|sections"):
        sev_sections(firmware(ovmf(sev=changed(SEV_SECTIONS, index, **fields))))


def test_host_hands_over_a_table_that_points_at_itself_or_nowhere():
    image = ovmf()
    at = image.index(struct.pack("<H", 22) + images.TDX.bytes_le) - 4
    for offset in (0, 8, 40, len(image) + 1, 0xFFFF_FFFF):
        other = bytearray(image)
        struct.pack_into("<I", other, at, offset)
        with pytest.raises(Malformed):
            tdx_sections(firmware(bytes(other)))
    for length in (0, 17, 4096):
        other = bytearray(image)
        struct.pack_into("<H", other, at + 4, length)
        with pytest.raises(Malformed):
            table(firmware(bytes(other)))


@pytest.mark.parametrize("data", [b"", b"x" * 100, bytes(4096), bytes((16 << 20) + 4096)])
def test_what_is_no_firmware_is_refused(data):
    with pytest.raises(Malformed):
        table(firmware(data))
