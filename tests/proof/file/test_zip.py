"""One way to write a ZIP file, and every other way refused, each by its own name."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import zipfile

import pytest

from teeproof.core.errors import Malformed, TooLarge, Unavailable, Usage
from teeproof.proof.file import ProofFile, ziplayout
from teeproof.proof.file.ziplayout import central_header, end_record, local_header
from teeproof.proof.file.zipread import FileData, MemoryData, ZipReader
from teeproof.proof.file.zipwrite import ZipWriter
from tests.proof.file import scenes

CONTENT = {"a": b"first", "b": b"", "c": b"third" * 100}
FIRST = len(local_header(0, 0, 0)) + 1 + 5  # bytes of the first member with its header


def read(data: bytes) -> dict[str, bytes]:
    reader = ZipReader(MemoryData(data))
    return {name: reader.read(name) for name in reader.members}


def refused(data: bytes, code: str) -> Malformed:
    with pytest.raises(Malformed) as error:
        read(data)
    assert error.value.code == code, error.value
    return error.value


def directory_at(data: bytes) -> int:
    return struct.unpack("<I", data[-6:-2])[0]


def changed(data: bytes, place: int, raw: bytes) -> bytes:
    return data[:place] + raw + data[place + len(raw) :]


def both(data: bytes, field: int, raw: bytes) -> bytes:
    """The first member's field changed in the local and in the central header alike."""
    return changed(changed(data, field, raw), directory_at(data) + field + 2, raw)


def test_what_is_written_reads_back():
    assert read(scenes.pack(CONTENT)) == CONTENT
    assert list(read(scenes.pack(CONTENT))) == list(CONTENT)


def test_a_file_without_members_reads_back():
    assert read(scenes.pack({})) == {}


def test_python_reads_our_files():
    with zipfile.ZipFile(io.BytesIO(scenes.answer())) as other:
        assert other.testzip() is None
        assert {name: other.read(name) for name in other.namelist()} == scenes.members(
            scenes.answer()
        )
        assert {info.date_time for info in other.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_unzip_reads_our_files(tmp_path):
    program = shutil.which("unzip")
    if program is None:
        pytest.skip("unzip is not installed")
    path = tmp_path / "a.proof"
    path.write_bytes(scenes.answer())
    done = subprocess.run(
        [program, "-q", path, "-d", tmp_path / "out"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for name, data in scenes.members(scenes.answer()).items():
        assert (tmp_path / "out" / name).read_bytes() == data


def test_a_file_on_disk_and_one_in_memory_read_alike(tmp_path):
    path = tmp_path / "a.proof"
    path.write_bytes(scenes.answer())
    with ProofFile.open(path) as file, ProofFile.from_bytes(scenes.answer()) as other:
        assert file.digest == other.digest
        assert file.roots == other.roots


def test_prover_puts_bytes_before_the_first_member():
    data = scenes.pack(CONTENT)
    refused(b"#!/bin/sh\n" + data, "zip_end")
    end = directory_at(data)
    moved = b"#" + data[:-22] + end_record(3, len(data) - 22 - end, end + 1)
    refused(moved, "zip_headers_differ")


def test_prover_puts_bytes_behind_the_end():
    refused(scenes.pack(CONTENT) + b"\n", "proof_not_zip")


def test_prover_adds_a_comment():
    data = scenes.pack(CONTENT)
    refused(data[:-2] + struct.pack("<H", 5) + b"hello", "proof_not_zip")


def test_prover_hides_another_archive_in_a_comment():
    inner = scenes.pack({"x": b"other content"})
    outer = scenes.pack(CONTENT)
    refused(outer[:-2] + struct.pack("<H", len(inner)) + inner, "zip_end")


def test_prover_writes_a_second_end_record():
    data = scenes.pack(CONTENT)
    refused(data + data[-22:], "zip_end")


def test_prover_appends_a_whole_second_archive():
    refused(scenes.pack(CONTENT) + scenes.pack({"x": b"other"}), "zip_end")


def test_prover_compresses_a_member():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as other:
        other.writestr(zipfile.ZipInfo("manifest.json"), b"{}" * 1000, zipfile.ZIP_DEFLATED)
    assert refused(stream.getvalue(), "zip_field")


def test_prover_sends_a_bomb_of_nested_zeros():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as other:
        other.writestr("manifest.json", bytes(100 << 20))
    assert len(stream.getvalue()) < 200_000
    refused(stream.getvalue(), "zip_field")


def test_an_ordinary_zip_file_is_refused_by_the_field_that_differs():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as other:
        other.writestr("manifest.json", b"{}")
    error = refused(stream.getvalue(), "zip_field")
    assert "version" in error.detail


@pytest.mark.parametrize(
    ("field", "raw", "word"),
    [
        pytest.param(4, b"\x2d\0", "version needed", id="version"),
        pytest.param(6, b"\1\0", "flags", id="encrypted"),
        pytest.param(6, b"\x08\0", "flags", id="data descriptor"),
        pytest.param(6, b"\0\x08", "flags", id="UTF-8 name"),
        pytest.param(8, b"\x08\0", "compression", id="deflated"),
        pytest.param(10, b"\1\0", "time", id="time"),
        pytest.param(12, b"\x22\0", "date", id="date"),
        pytest.param(18, b"\4\0\0\0", "compressed size", id="compressed size"),
        pytest.param(28, b"\1\0", "extra length", id="extra field"),
    ],
)
def test_prover_changes_a_fixed_field_in_both_headers(field, raw, word):
    assert word in refused(both(scenes.pack(CONTENT), field, raw), "zip_field").detail


@pytest.mark.parametrize(
    ("field", "raw", "word"),
    [
        pytest.param(4, b"\x14\3", "version made by", id="made on unix"),
        pytest.param(32, b"\1\0", "comment length", id="comment"),
        pytest.param(34, b"\1\0", "disk", id="disk"),
        pytest.param(36, b"\1\0", "internal attributes", id="text"),
        pytest.param(38, b"\0\0\xed\xa1", "external attributes", id="symbolic link"),
        pytest.param(38, b"\x10\0\0\0", "external attributes", id="directory"),
    ],
)
def test_prover_changes_a_fixed_field_of_the_directory(field, raw, word):
    data = scenes.pack(CONTENT)
    assert word in refused(changed(data, directory_at(data) + field, raw), "zip_field").detail


@pytest.mark.parametrize("field", range(31))
def test_prover_lets_a_local_header_differ_from_the_directory(field):
    data = scenes.pack(CONTENT)
    refused(changed(data, field, bytes([data[field] ^ 1])), "zip_headers_differ")


def test_prover_names_a_member_twice():
    refused(scenes.pack([("a", b"1"), ("a", b"2")]), "zip_name_repeated")


def raw_file(*, places: list[int], gap: bytes = b"") -> bytes:
    """Two members whose directory says that they are at these places."""
    locals_ = [local_header(scenes.checksum(b"x"), 1, 1) + name + b"x" for name in (b"a", b"b")]
    body = locals_[0] + gap + locals_[1]
    directory = b"".join(
        central_header(scenes.checksum(b"x"), 1, 1, place) + name
        for place, name in zip(places, (b"a", b"b"), strict=True)
    )
    return body + directory + end_record(2, len(directory), len(body))


def test_prover_leaves_a_gap_between_members():
    assert read(raw_file(places=[0, 32]))
    assert "byte 33" in str(refused(raw_file(places=[0, 33], gap=b"!"), "zip_gap").got)
    refused(raw_file(places=[0, 32], gap=b"!"), "zip_headers_differ")


def test_prover_lets_members_overlap():
    refused(raw_file(places=[0, 0]), "zip_gap")


def test_prover_lets_members_stand_in_another_order_than_the_directory():
    refused(raw_file(places=[32, 0]), "zip_gap")


def test_prover_leaves_a_gap_before_the_directory():
    data = scenes.pack(CONTENT)
    end = directory_at(data)
    moved = data[:end] + b"!" + data[end:-22] + end_record(3, len(data) - 22 - end, end + 1)
    refused(moved, "zip_gap")


def test_prover_claims_more_bytes_than_there_are():
    data = scenes.pack(CONTENT)
    last = len(data) - 22 - 47  # the central header of the last member, whose name has one byte
    huge = struct.pack("<II", 1 << 31, 1 << 31)
    refused(changed(data, last + 20, huge), "zip_headers_differ")


@pytest.mark.parametrize("count", [0, 2, 4, 0xFFFE])
def test_prover_claims_another_number_of_members(count):
    data = scenes.pack(CONTENT)
    end = directory_at(data)
    refused(data[:-22] + end_record(count, len(data) - 22 - end, end), "zip_end")


def test_prover_claims_more_members_than_a_proof_may_have():
    data = scenes.pack(CONTENT)
    end = directory_at(data)
    with pytest.raises(TooLarge) as error:
        read(data[:-22] + end_record(0xFFFF, len(data) - 22 - end, end))
    assert error.value.code == "proof_too_large"


def test_prover_uses_zip64():
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 0, 0, 0, 0)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, 0, 1)
    refused(record + locator + end_record(0, 0, 0), "zip_end")
    with pytest.raises(Malformed):
        read(record + locator + end_record(0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF))


@pytest.mark.parametrize("cut", range(1, 60))
def test_network_cuts_the_file_short(cut):
    with pytest.raises(Malformed):
        read(scenes.pack(CONTENT)[:-cut])


def test_network_changes_a_byte_of_a_member():
    data = scenes.pack(CONTENT)
    error = refused(changed(data, FIRST - 1, b"!"), "zip_crc")
    assert "the proof's member" in str(error)
    assert "is damaged" in str(error)
    assert "not a proof file" not in str(error)


def test_every_bit_of_a_small_file_is_its_own():
    data = scenes.pack({"a": b"x", "b": b"yz"})
    for place in range(len(data)):
        for bit in range(8):
            with pytest.raises(Malformed):
                read(changed(data, place, bytes([data[place] ^ 1 << bit])))


def test_a_file_beyond_the_bound_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "a.proof"
    with path.open("wb") as file:
        file.truncate(ziplayout.MAX_FILE_BYTES + 1)
    with pytest.raises(TooLarge) as error:
        ProofFile.open(path)
    assert error.value.code == "proof_too_large"


def test_a_writer_stops_at_its_bound():
    stream = io.BytesIO()
    writer = ZipWriter(stream, limit=200)
    writer.add("a", bytes(40))
    with pytest.raises(TooLarge):
        writer.add("b", bytes(40))
    writer.finish()
    assert len(stream.getvalue()) <= 200
    assert list(read(stream.getvalue())) == ["a"]


def test_a_writer_stops_at_its_number_of_members(monkeypatch):
    monkeypatch.setattr("teeproof.proof.file.zipwrite.MAX_MEMBERS", 2)
    writer = ZipWriter(io.BytesIO())
    writer.add("a", b"")
    writer.add("b", b"")
    with pytest.raises(TooLarge):
        writer.add("c", b"")


def test_a_missing_file_a_folder_and_a_pipe_are_no_proof(tmp_path):
    import os

    with pytest.raises(Unavailable):
        ProofFile.open(tmp_path / "none.proof")
    with pytest.raises(Usage):
        FileData(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Usage):
        FileData(tmp_path / "pipe")


def test_host_cuts_the_file_short_while_it_is_open(tmp_path):
    path = tmp_path / "a.proof"
    path.write_bytes(scenes.answer())
    with ProofFile.open(path) as file:
        path.write_bytes(b"")
        with pytest.raises(Malformed) as error:
            file.statement(file.roots[0])
    assert error.value.code == "zip_crc"
