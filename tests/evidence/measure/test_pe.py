"""PE programs: what firmware hashes of one, and programs that no firmware should be handed."""

from __future__ import annotations

import hashlib
import struct

import pytest

from teeproof.core.errors import Malformed
from teeproof.evidence.measure import pe
from tests.evidence.measure import images

SECTIONS = ((b".text", b"code" * 300), (b".data", b"data" * 41))


def digest(program: bytes) -> bytes:
    state = hashlib.sha256()
    for piece in pe.parse(program).hashed:
        state.update(piece)
    return state.digest()


def by_hand(program: bytes, *, plus: bool = True, certificates: int = 0) -> bytes:
    """The same, by cutting out of the whole file what signing changes."""
    optional = images.PE_AT + 24
    entry = optional + (144 if plus else 128)
    kept = bytearray(program[: len(program) - certificates])
    del kept[entry : entry + 8]
    del kept[optional + 64 : optional + 68]
    return hashlib.sha256(kept).digest()


@pytest.mark.parametrize("plus", [True, False])
def test_the_hash_leaves_out_what_signing_changes(plus):
    program = images.program(SECTIONS, plus=plus)
    assert digest(program) == by_hand(program, plus=plus)


def test_signing_a_program_does_not_change_its_hash():
    signed = images.program(SECTIONS, certificates=b"signature" * 8)
    assert digest(signed) == digest(images.program(SECTIONS))
    assert digest(signed) == by_hand(signed, certificates=72)


def test_what_lies_behind_the_sections_is_hashed():
    assert digest(images.program(SECTIONS, tail=b"x" * 8)) != digest(images.program(SECTIONS))


def test_each_byte_counts_but_for_checksum_and_certificates():
    program = images.program(SECTIONS)
    true, optional = digest(program), images.PE_AT + 24
    free = {*range(optional + 64, optional + 68), *range(optional + 144, optional + 152)}
    for at in range(images.PE_AT, len(program), 7):
        other = bytearray(program)
        other[at] ^= 1
        try:
            same = digest(bytes(other)) == true
        except Malformed:
            continue
        assert same == (at in free), f"byte {at:#x}"


def test_sections_carry_their_content_without_the_padding():
    found = pe.parse(images.program(SECTIONS)).sections
    assert [(s.name, bytes(s.content)) for s in found] == list(SECTIONS)


def put(program: bytes, at: int, form: str, *values: int) -> bytes:
    image = bytearray(program)
    struct.pack_into(form, image, at, *values)
    return bytes(image)


PROGRAM = images.program(SECTIONS)
OPTIONAL = images.PE_AT + 24
TABLE = OPTIONAL + images.OPTIONAL_BYTES


@pytest.mark.parametrize(
    ("spoiled", "part"),
    [
        pytest.param(b"", "first bytes", id="empty"),
        pytest.param(b"ZM" + PROGRAM[2:], "first bytes", id="another magic"),
        pytest.param(put(PROGRAM, 0x3C, "<I", 0xFFFF_FFF0), "PE header", id="header far away"),
        pytest.param(put(PROGRAM, images.PE_AT + 6, "<H", 0), "sections", id="no sections"),
        pytest.param(put(PROGRAM, images.PE_AT + 6, "<H", 97), "sections", id="many sections"),
        pytest.param(put(PROGRAM, OPTIONAL, "<H", 0x107), "optional header", id="a ROM image"),
        pytest.param(put(PROGRAM, OPTIONAL + 60, "<I", 1 << 31), "headers", id="huge headers"),
        pytest.param(put(PROGRAM, OPTIONAL + 60, "<I", 8), "headers", id="headers end early"),
        pytest.param(put(PROGRAM, OPTIONAL + 108, "<I", 17), "directories", id="17 directories"),
        pytest.param(put(PROGRAM, TABLE + 16, "<I", 1 << 31), "section", id="a huge section"),
        pytest.param(put(PROGRAM, TABLE + 20, "<I", 0), "overlap", id="a section over the headers"),
        pytest.param(put(PROGRAM, TABLE + 60, "<I", 0x200), "overlap", id="one over another"),
        pytest.param(
            put(PROGRAM, OPTIONAL + 144, "<II", 0x200, 8), "certificate", id="certificates inside"
        ),
        pytest.param(
            put(PROGRAM, OPTIONAL + 144, "<II", len(PROGRAM), 8), "certificate", id="and behind"
        ),
        pytest.param(put(PROGRAM, images.PE_AT + 20, "<H", 64), "optional header", id="short"),
    ],
)
def test_host_hands_over_a_program_whose_parts_do_not_add_up(spoiled, part):
    with pytest.raises(Malformed) as refused:
        pe.parse(spoiled)
    assert part in f"{refused.value.detail} {refused.value.expected}"


def test_a_program_larger_than_any_kernel_is_refused_unread():
    with pytest.raises(Malformed, match="too large"):
        pe.parse(bytes((512 << 20) + 1))
