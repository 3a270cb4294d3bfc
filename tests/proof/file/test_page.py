"""The page on proof files says what the program does: bytes, names and codes."""

from __future__ import annotations

import re
import struct
import zlib

from tests.proof.file import scenes
from tests.vectors import ROOT

PAGE = (ROOT / "docs/reference/proof-file.md").read_text()
SOURCES = "".join(
    path.read_text() for path in sorted((ROOT / "src/teeproof/proof/file").glob("*.py"))
)
CODES = set(
    re.findall(r"\"((?:zip|proof|entry|entries|nodes|anchor|manifest)_[a-z_0-9]+)\"", SOURCES)
)


def by_the_page(content: dict[str, bytes]) -> bytes:
    """A file written from the page's two tables, and nothing of ours."""
    body, directory = b"", b""
    for name, data in content.items():
        raw = name.encode()
        common = struct.pack("<HH", 0, 0x21)
        sizes = struct.pack("<III", zlib.crc32(data), len(data), len(data))
        offset = len(body)
        body += b"PK\3\4" + struct.pack("<HHH", 10, 0, 0) + common + sizes
        body += struct.pack("<HH", len(raw), 0) + raw + data
        directory += b"PK\1\2" + struct.pack("<HHHH", 10, 10, 0, 0) + common + sizes
        directory += struct.pack("<H", len(raw)) + struct.pack("<HHHHI", 0, 0, 0, 0, 0)
        directory += struct.pack("<I", offset) + raw
    count = len(content)
    end = struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(body), 0)
    return body + directory + b"PK\5\6" + end


def test_a_file_written_from_the_page_is_ours_byte_for_byte():
    assert by_the_page(scenes.members(scenes.answer())) == scenes.answer()


def test_the_page_names_every_kind_of_member():
    for name in scenes.members(scenes.answer()):
        pattern = re.sub(r"[0-9a-f]{64}", "<64 hex>", name)
        pattern = re.sub(r"checkpoints/\d{19}", "checkpoints/<size>", pattern)
        pattern = re.sub(r"log/[^/]+/\d{19}/", "log/<origin>/<newest>/", pattern)
        assert f"`{pattern}`" in PAGE


def test_the_page_lists_the_codes_of_refusals():
    listed = set(re.findall(r"`([a-z]+_[a-z_0-9]+)`", PAGE.partition("## Refusals")[2]))
    used = {code for code in listed if f'"{code}"' in SOURCES or code == "not_canonical"}
    assert listed == used
    export_only = {"anchor_unused"}
    assert CODES - listed - export_only == {"nodes_unknown", "nodes_mismatch"}
