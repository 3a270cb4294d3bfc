"""Reports are read to the last byte: no length, count or field that does not add up is accepted."""

from __future__ import annotations

import struct

import pytest

from teeproof.core.errors import Malformed, TooLarge
from teeproof.evidence.nvidia.report import MAX_REPORT_BYTES, SIGNATURE_BYTES, parse
from teeproof.evidence.simulated.nvidia import DRIVER, VBIOS, SimulatedGpu, assemble
from tests.evidence.nvidia.scenes import NONCE, VENDOR, flipped

GPU = SimulatedGpu(VENDOR)
REPORT = GPU.report(NONCE)
ENDING = bytes(SIGNATURE_BYTES)
RECORD = 45  # where the measurement record begins


def _with(opaque):
    return assemble(NONCE, GPU.measurements, GPU.opaque() | opaque) + ENDING


def _refused(raw, words):
    with pytest.raises(Malformed, match=words) as caught:
        parse(raw)
    assert caught.value.code == "gpu_report_malformed"


def test_a_report_says_what_it_was_made_of():
    report = parse(REPORT)
    assert (report.nonce, report.driver, report.vbios) == (NONCE, DRIVER, VBIOS)
    assert report.board == ("1010", "0200", "882")
    assert report.measurements == {i + 1: v for i, v in GPU.measurements.items()}
    assert (report.fwid, report.feature, report.nvdec0_disabled) == (GPU.fwid, "SPT", False)
    assert report.signed + report.signature == REPORT == report.raw


@pytest.mark.parametrize("end", range(0, len(REPORT), 61))
def test_a_report_that_ends_early_is_refused(end):
    _refused(REPORT[:end], "malformed")


@pytest.mark.parametrize("more", [b"\0", b"\0" * 96, REPORT])
def test_nothing_may_follow_a_report(more):
    _refused(REPORT + more, "length")


def test_a_huge_report_is_refused_before_anything_is_read():
    with pytest.raises(TooLarge):
        parse(bytes(MAX_REPORT_BYTES + 1))


@pytest.mark.parametrize(
    ("at", "words"), [*((at, "request") for at in range(4)), (37, "response"), (38, "response")]
)
def test_another_message_is_no_report(at, words):
    _refused(flipped(REPORT, at), words)


def test_a_count_that_is_wrong_is_refused():
    _refused(flipped(REPORT, 41), "number of measurements")


def test_an_index_that_comes_twice_is_refused():
    changed = bytearray(REPORT)
    changed[RECORD + 55] = 1
    _refused(bytes(changed), "each index once")


def test_index_zero_is_refused():
    _refused(flipped(REPORT, RECORD), "each index once")


@pytest.mark.parametrize("at", [RECORD + 1, RECORD + 2, RECORD + 5])
def test_a_block_of_another_kind_or_size_is_refused(at):
    _refused(flipped(REPORT, at), "measurement block")


def test_a_short_digest_is_refused():
    _refused(assemble(NONCE, {0: bytes(32)}, {}) + ENDING, "48 bytes")


def test_a_report_without_measurements_is_refused():
    _refused(assemble(NONCE, {}, {}) + ENDING, "number of measurements")


def test_a_field_that_comes_twice_is_refused():
    field = struct.pack("<HH", 3, 2) + b"1\0"
    signed = assemble(NONCE, GPU.measurements, {})[:-2]
    twice = struct.pack("<H", 2 * len(field)) + field + field
    _refused(signed + twice + ENDING, "each field once")


@pytest.mark.parametrize("size", [1, 3])
def test_a_field_cut_short_is_refused(size):
    signed = assemble(NONCE, GPU.measurements, {})[:-2]
    _refused(signed + struct.pack("<H", size) + bytes(size) + ENDING, "opaque data")


def test_a_field_longer_than_the_rest_is_refused():
    signed = assemble(NONCE, GPU.measurements, {})[:-2]
    field = struct.pack("<HH", 3, 9) + b"1"
    _refused(signed + struct.pack("<H", len(field)) + field + ENDING, "field 3")


@pytest.mark.parametrize("value", [b"5 0\0", b"5\n\0", b"\xff\0", b"5" * 40, b"5\0005\0", b"<5>\0"])
def test_a_version_is_letters_and_digits(value):
    _refused(_with({3: value}), "field 3")


def test_a_firmware_id_of_another_length_is_refused():
    _refused(_with({20: bytes(32)}), "firmware id")


@pytest.mark.parametrize(
    ("value", "word"),
    [(b"\0\0", "SPT"), (b"\1\0", "MPT"), (b"\2\0", "PPCIE"), (b"\7\0", "unknown (7)")],
)
def test_the_mode_is_said_in_words(value, word):
    assert parse(_with({36: value})).feature == word


def test_a_switch_writes_its_firmware_as_text():
    opaque = {6: b"96.10.55.00.01"}
    report = parse(assemble(NONCE, {0: bytes(48)}, opaque) + ENDING)
    assert (report.vbios, report.driver, report.board, report.feature) == (
        "96.10.55.00.01", None, None, None,
    )  # fmt: skip


def test_the_video_decoder_is_off_only_where_the_report_says_so():
    assert parse(_with({11: b"\x55"})).nvdec0_disabled
    assert not parse(_with({11: b"\x54"})).nvdec0_disabled
    assert not parse(assemble(NONCE, {0: bytes(48)}, {}) + ENDING).nvdec0_disabled
