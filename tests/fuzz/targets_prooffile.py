"""Fuzz targets for proof files: refused, or written again as the same bytes."""

from __future__ import annotations

import io
import zipfile
from contextlib import suppress

from teeproof.core.errors import Error, Malformed, TooLarge
from teeproof.proof.file import ProofFile, merge, names
from teeproof.proof.file.logpart import encode_entries, read_entries
from teeproof.proof.file.zipread import MemoryData, ZipReader
from teeproof.proof.file.zipwrite import ZipWriter
from tests.proof.file import scenes


def fuzz_zip(data: bytes) -> None:
    """What is read can be written, and is the same file."""
    with suppress(Malformed, TooLarge):
        reader = ZipReader(MemoryData(data))
        stream = io.BytesIO()
        writer = ZipWriter(stream)
        for name in reader.members:
            writer.add(name, reader.read(name))
        writer.finish()
        assert stream.getvalue() == data


def fuzz_manifest(data: bytes) -> None:
    """A manifest has one form."""
    with suppress(Malformed, TooLarge):
        assert names.manifest(names.read_manifest(data)) == data


def fuzz_proof_file_entries(data: bytes) -> None:
    """A list of entries has one form."""
    with suppress(Malformed, TooLarge):
        assert encode_entries(read_entries(data)) == data


def fuzz_member_name(data: bytes) -> None:
    """A name that is accepted is safe on every system."""
    name = data.decode("latin-1")
    with suppress(Malformed):
        assert names.rank(name)
        assert name.isascii()
        assert name == name.lower()
        assert all(part not in ("", ".", "..") for part in name.split("/"))
        if name.startswith("log/"):
            assert names.escape(names.unescape(name.split("/")[1])) == name.split("/")[1]


def fuzz_proof_file(data: bytes) -> None:
    """A file that opens answers all, is the same to Python, and merges with itself."""
    with suppress(Error), ProofFile.from_bytes(data) as file:
        for key in file.statement_ids:
            read = file.read(key)
            assert read is not None
            assert read.id == key
        for digest in file.identity_digests:
            record = file.record(digest)
            assert record is not None
            assert record.digest == digest
        file.missing_edges()
        for part in file.logs:
            file.known(part)
        with zipfile.ZipFile(io.BytesIO(data)) as other:
            assert other.namelist() == list(ZipReader(MemoryData(data)).members)
        stream = io.BytesIO()
        merge([file, file], stream)
        ProofFile.from_bytes(stream.getvalue()).close()


def fuzz_proof_file_members(data: bytes) -> None:
    """Members of a well-formed file: the first byte says which one the rest replaces."""
    content = scenes.members(scenes.answer())
    name = list(content)[data[0] % len(content)] if data else "manifest.json"
    fuzz_proof_file(scenes.pack(content | {name: data[1:]}))


def _members() -> list[bytes]:
    content = scenes.members(scenes.answer())
    return [bytes([place]) + raw for place, raw in enumerate(content.values())]


def _member(ending: str) -> list[bytes]:
    return [raw for name, raw in scenes.members(scenes.answer()).items() if name.endswith(ending)]


SEEDS = {
    "fuzz_zip": lambda: [scenes.answer(), scenes.pack({}), scenes.pack({"a": b"b"})],
    "fuzz_manifest": lambda: _member("manifest.json"),
    "fuzz_proof_file_entries": lambda: [*_member("entries.json"), b"[]"],
    "fuzz_member_name": lambda: [name.encode() for name in scenes.members(scenes.answer())],
    "fuzz_proof_file": lambda: [scenes.answer()],
    "fuzz_proof_file_members": _members,
}
