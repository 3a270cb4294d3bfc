"""Partition tables: as a real machine's log holds one, and tables that do not add up."""

from __future__ import annotations

import struct

import pytest

from teeproof.core.errors import Malformed
from teeproof.evidence.eventlog import firmware
from teeproof.evidence.measure.tpm.gpt import HEAD_BYTES, partition_table
from tests.evidence.measure import images

DISK = images.gpt([(1, 2048, 4095), (2, 4096, 8191)])


def test_header_and_partitions_in_use_are_measured():
    measured = partition_table(DISK)
    assert measured == DISK[512:604] + struct.pack("<Q", 2) + DISK[1024 : 1024 + 256]


def test_a_disk_without_a_table_has_none():
    assert partition_table(b"") is None
    assert partition_table(bytes(4096)) is None


def test_the_table_of_a_real_machines_disk_has_the_digest_in_its_log(vectors):
    folder = vectors / "dcap" / "tdx-v4-00806f05-gcp-cos113"
    log = firmware.parse((folder / "ccel.dat").read_bytes())
    (event,) = [event for event in log.events if event.type == 0x8000_0006]
    # The disk as far as the log tells it: the sectors that the header names, unused entries empty.
    disk = bytearray(512 * 34)
    disk[512:604] = event.data[:92]
    rows = [event.data[at : at + 128] for at in range(100, len(event.data), 128)]
    disk[1024 : 1024 + 128 * len(rows)] = b"".join(rows)
    assert event.measures(partition_table(bytes(disk)) or b"", bank=0xC)
    disk[1024 + 40] ^= 1
    with pytest.raises(Malformed, match="partitions"):
        partition_table(bytes(disk))


@pytest.mark.parametrize("at", [512 + 9, 512 + 13, 512 + 16, 512 + 24, 512 + 60, 512 + 88, 1024])
def test_host_changes_one_byte_of_the_table(at):
    disk = bytearray(DISK)
    disk[at] ^= 1
    with pytest.raises(Malformed):
        partition_table(bytes(disk))


@pytest.mark.parametrize(
    "change",
    [{"count": 0}, {"count": 1025}, {"count": 1 << 31}, {"size": 256}, {"place": 1 << 40}],
    ids=str,
)
def test_host_makes_a_table_that_is_signed_for_and_does_not_add_up(change):
    with pytest.raises(Malformed):
        partition_table(images.gpt([(1, 2048, 4095)], **change))


def test_more_of_a_disk_than_its_head_is_refused():
    with pytest.raises(Malformed, match="too large"):
        partition_table(bytes(HEAD_BYTES + 1))
