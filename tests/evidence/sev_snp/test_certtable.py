"""The certificate table beside an SEV-SNP report: what a host lists, and what it may not do."""

from __future__ import annotations

import struct
from contextlib import suppress
from uuid import UUID

import pytest

from teeproof.core.errors import Malformed, TooLarge
from teeproof.evidence.collect.simulated import SimulatedPlatform, SnpMachine
from teeproof.evidence.sev_snp import certtable
from tests.sim.tsm import SEED, table

CHAIN = SnpMachine(SimulatedPlatform(SEED).snp).key.chain
WHOLE = table(CHAIN)
VCEK, ASK = (guid for guid, name in certtable.GUIDS.items() if name in ("VCEK", "ASK"))
OTHER = UUID(int=7)


def lay_out(*parts: tuple[UUID, bytes], gap: int = 0) -> bytes:
    """Return a table of these parts, with so many zeros before each."""
    at, rows, body = 24 * (len(parts) + 1), b"", b""
    for guid, content in parts:
        body += bytes(gap)
        rows += guid.bytes + struct.pack("<II", at + len(body), len(content))
        body += content
    return rows + bytes(24) + body


def refusal(data: bytes) -> str:
    with pytest.raises(Malformed) as caught:
        certtable.parse(data)
    assert caught.value.code == "certificate_table_malformed"
    return caught.value.detail


def test_a_chips_chain_is_found_in_its_order():
    found = certtable.parse(WHOLE)
    assert [one.name for one in found] == ["VCEK", "ASK", "ARK"]
    assert tuple(one.content for one in found) == CHAIN


def test_it_is_written_as_pem():
    pem = certtable.to_pem(WHOLE)
    assert pem.count(b"-----BEGIN CERTIFICATE-----") == 3


@pytest.mark.parametrize("empty", [b"", bytes(24), bytes(4096)])
def test_a_host_without_certificates_gives_none(empty):
    assert certtable.parse(empty) == ()
    assert certtable.to_pem(empty) == b""


def test_zeros_fill_up_a_page_and_count_for_nothing():
    assert certtable.parse(WHOLE.ljust(8192, b"\0")) == certtable.parse(WHOLE)
    assert certtable.parse(lay_out((VCEK, CHAIN[0]), gap=9))[0].content == CHAIN[0]


def test_what_no_specification_names_is_left_out():
    found = certtable.parse(lay_out((OTHER, b"what it likes"), (ASK, CHAIN[1])))
    assert [one.name for one in found] == ["ASK"]


def test_host_bytes_behind_the_table_are_refused():
    assert "other bytes after" in refusal(WHOLE + b"\1")
    assert "other bytes before" in refusal(
        lay_out((VCEK, CHAIN[0]), gap=4).replace(bytes(28), bytes(27) + b"\1", 1)
    )


def test_host_a_part_that_leaves_the_table_is_refused():
    assert "parts within" in refusal(WHOLE[:-1])
    rows = VCEK.bytes + struct.pack("<II", 48, 0xFFFFFFFF) + bytes(24)
    assert "parts within" in refusal(rows + CHAIN[0])


def test_host_parts_that_overlap_are_refused():
    rows = b"".join(guid.bytes + struct.pack("<II", 72, len(CHAIN[0])) for guid in (VCEK, ASK))
    assert "stand apart" in refusal(rows + bytes(24) + CHAIN[0])
    inside = VCEK.bytes + struct.pack("<II", 0, 48) + bytes(24)
    assert "stand apart" in refusal(inside)


def test_host_a_part_of_no_bytes_is_refused():
    assert "stand apart" in refusal(lay_out((VCEK, b"")))


def test_host_the_same_row_twice_is_refused():
    assert "one row for each GUID" in refusal(lay_out((VCEK, CHAIN[0]), (VCEK, CHAIN[1])))


def test_host_a_table_without_an_end_is_refused():
    assert "a row of zeros" in refusal(WHOLE[:72])
    assert "a row of zeros" in refusal(WHOLE[:30])
    many = b"".join(UUID(int=n).bytes + struct.pack("<II", 9999, 1) for n in range(1, 40))
    assert "at most 16 rows" in refusal(many)


@pytest.mark.parametrize("content", [b"\x30", CHAIN[0] + b"\0", CHAIN[0][:-1], b"-----BEGIN"])
def test_host_content_that_is_no_certificate_is_refused(content):
    assert "DER as VCEK" in refusal(lay_out((VCEK, content)))


def test_host_a_table_of_more_than_the_kernel_takes_is_refused_unread():
    with pytest.raises(TooLarge):
        certtable.parse(bytes(certtable.MAX_TABLE_BYTES + 1))


def test_each_flipped_byte_changes_what_is_found_or_is_refused():
    """No flip leaves the same certificates, and none raises what is not promised."""
    whole = certtable.parse(WHOLE)
    for at in range(len(WHOLE)):
        with suppress(Malformed):
            changed = WHOLE[:at] + bytes([WHOLE[at] ^ 0x41]) + WHOLE[at + 1 :]
            assert certtable.parse(changed) != whole, f"byte {at} counts for nothing"
