"""A log entry: 66 bytes, one form, and nothing to guess without the salt."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Malformed
from teeproof.proof.log.formats.entry import (
    ENTRY_BYTES,
    IDENTITY,
    RECEIPT,
    SALT_BYTES,
    STATEMENT,
    Entry,
    commitment,
)

SALT, STATEMENT_ID, AUTHOR = b"\x01" * SALT_BYTES, b"\x02" * 32, b"\x03" * 32
SEAL = b"\x04" * 32
ENTRY = Entry(STATEMENT, commitment(SALT, STATEMENT_ID, SEAL), AUTHOR)


def test_an_entry_has_its_fields_where_the_docstring_says():
    raw = ENTRY.encode()
    assert len(raw) == ENTRY_BYTES == 66
    assert raw == b"\x01\x01" + ENTRY.commitment + AUTHOR


@pytest.mark.parametrize("kind", [STATEMENT, RECEIPT, IDENTITY])
def test_an_entry_reads_back(kind):
    entry = Entry(kind, ENTRY.commitment, AUTHOR)
    assert Entry.parse(entry.encode()) == entry


def test_a_commitment_frames_its_label_its_salt_its_id_and_its_seal():
    parts = (b"teeproof.log-entry.v1", SALT, STATEMENT_ID, SEAL)
    framed = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    assert commitment(SALT, STATEMENT_ID, SEAL) == hashlib.sha256(framed).digest()


def test_log_another_salt_or_seal_makes_another_commitment():
    found = {commitment(bytes([n]) * 32, STATEMENT_ID, SEAL) for n in range(8)}
    found |= {commitment(SALT, STATEMENT_ID, bytes([n]) * 32) for n in range(8)}
    assert len(found) == 15  # one of each is the same


@pytest.mark.parametrize(
    ("salt", "ident", "seal"),
    [
        (31, 32, 32),
        (33, 32, 32),
        (32, 31, 32),
        (0, 32, 32),
        (32, 33, 32),
        (32, 32, 0),
        (32, 32, 64),
    ],
)
def test_a_commitment_takes_32_bytes_three_times(salt, ident, seal):
    with pytest.raises(Malformed) as caught:
        commitment(bytes(salt), bytes(ident), bytes(seal))
    assert caught.value.code == "entry_malformed"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(ENTRY.encode()[:-1], id="a byte less"),
        pytest.param(ENTRY.encode() + b"\0", id="a byte more"),
        pytest.param(b"\x00" + ENTRY.encode()[1:], id="version 0"),
        pytest.param(b"\x02" + ENTRY.encode()[1:], id="version 2"),
        pytest.param(b"\x01\x00" + ENTRY.encode()[2:], id="kind 0"),
        pytest.param(b"\x01\x04" + ENTRY.encode()[2:], id="kind 4"),
    ],
)
def test_bytes_that_are_no_entry_are_refused(data):
    with pytest.raises(Malformed) as caught:
        Entry.parse(data)
    assert caught.value.code == "entry_malformed"


@pytest.mark.parametrize("fields", [(0, bytes(32), bytes(32)), (1, bytes(31), bytes(32)),
                                    (1, bytes(32), bytes(33))])  # fmt: skip
def test_an_entry_that_could_not_be_read_cannot_be_made(fields):
    with pytest.raises(Malformed):
        Entry(*fields)


@given(st.binary(min_size=66, max_size=66))
def test_what_is_accepted_is_the_one_encoding(data):
    try:
        entry = Entry.parse(data)
    except Malformed:
        return
    assert entry.encode() == data


def test_log_an_entry_cannot_be_taken_for_two_tree_nodes():
    assert ENTRY_BYTES != 64
