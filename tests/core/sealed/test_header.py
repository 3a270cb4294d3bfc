"""The header: one form only, bounded, and what stands at each offset."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from teeproof.core.errors import Malformed, TooLarge, Usage
from teeproof.core.sealed import HYBRID, PrivateRecipient, parse_header, read_header
from teeproof.core.sealed.header import MAX_HEADER
from teeproof.core.sealed.keys import make_header
from tests.core.sealed.scenes import ALICE, BOB, POLICY, sealed


def header(*keys, policy=None):
    return make_header([key.public for key in keys or (ALICE,)], policy_digest=policy)[0]


@pytest.mark.parametrize("keys", [[ALICE], [BOB], [ALICE, BOB], [BOB, ALICE]])
@pytest.mark.parametrize("policy", [None, POLICY], ids=["no policy", "policy"])
def test_a_header_reads_back_as_it_was_written(keys, policy):
    made = header(*keys, policy=policy)
    assert parse_header(made.encode()) == made
    assert [e.recipient for e in made.recipients] == sorted(k.public.digest for k in keys)
    assert made.policy_digest == policy


def test_the_fields_stand_where_they_are_said_to_stand():
    made = header(policy=POLICY)
    data = made.encode()
    assert data[:11] == b"TPSEALED\x01\x01\x01"
    assert data[11:27] == made.file_id
    assert data[27:59] == POLICY
    assert data[59] == 1
    assert data[60:92] == ALICE.public.digest
    assert data[92:172] == made.recipients[0].wrapped
    assert data[172:] == made.tag
    assert len(made.tag) == 32


def test_reading_a_header_leaves_the_stream_behind_it():
    data = sealed(b"content", [ALICE, BOB])
    stream = io.BytesIO(data)
    made = read_header(stream)
    assert stream.tell() == len(made.encode())
    assert data.startswith(made.encode())


def test_the_largest_header_is_as_large_as_is_said():
    keys = [PrivateRecipient(HYBRID, bytes([n]) * 32) for n in range(64)]
    assert len(header(*keys).encode()) == MAX_HEADER == 76_955


def test_a_header_holds_neither_name_nor_size_of_the_content():
    assert set(header().to_json()) == {"file_id", "policy_digest", "header_digest", "recipients"}


def edited(at: int, value: bytes, data: bytes | None = None) -> bytes:
    data = data if data is not None else header().encode()
    return data[:at] + value + data[at + len(value) :]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (lambda: b"", "not_sealed"),
        (lambda: b"TPSEALE", "not_sealed"),
        (lambda: edited(0, b"tpsealed"), "not_sealed"),
        (lambda: edited(8, b"\2"), "sealed_version"),
        (lambda: edited(9, b"\2"), "header_malformed"),
        (lambda: edited(27, b"\1"), "header_malformed"),
        (lambda: edited(10, b"\0"), "header_malformed"),
        (lambda: edited(59, b"\0"), "suite_unknown"),
        (lambda: edited(59, b"\2"), "header_truncated"),
        (lambda: header().encode() + b"\0", "header_trailing"),
    ],
)
def test_what_is_no_header_is_refused_by_name(data, code):
    with pytest.raises(Malformed) as caught:
        parse_header(data())
    assert caught.value.code == code


@pytest.mark.parametrize("count", [65, 255])
def test_host_claims_a_huge_header_and_nothing_more_is_read(count):
    data = edited(10, bytes([count])) + bytes(1 << 20)
    stream = io.BytesIO(data)
    with pytest.raises(TooLarge) as caught:
        read_header(stream)
    assert caught.value.code == "recipients_too_many"
    assert stream.tell() == 11


def test_host_claims_the_longest_header_and_only_that_is_read():
    entries = b"".join(b"\2" + n.to_bytes(32, "big") + bytes(1168) for n in range(64))
    endless = edited(10, b"\x40")[:59] + entries + bytes(1 << 20)
    stream = io.BytesIO(endless)
    read_header(stream)
    assert stream.tell() == MAX_HEADER


def test_host_cuts_a_header_at_each_byte():
    data = header(ALICE, BOB).encode()
    for end in range(len(data)):
        with pytest.raises(Malformed) as caught:
            parse_header(data[:end])
        assert caught.value.code == ("not_sealed" if end < 8 else "header_truncated")


def test_host_lists_a_recipient_twice():
    made = header()
    twice = replace(made, recipients=made.recipients * 2)
    with pytest.raises(Malformed) as caught:
        parse_header(twice.encode())
    assert caught.value.code == "recipient_repeated"


def test_host_lists_recipients_in_another_order():
    made = header(ALICE, BOB)
    turned = replace(made, recipients=made.recipients[::-1])
    with pytest.raises(Malformed) as caught:
        parse_header(turned.encode())
    assert caught.value.code == "recipients_order"


def test_sealing_for_nobody_too_many_or_one_twice_is_refused():
    many = [PrivateRecipient.new().public for _ in range(65)]
    for recipients, code in (
        ([], "recipients_missing"),
        (many, "recipients_too_many"),
        ([ALICE.public, BOB.public, ALICE.public], "recipient_repeated"),
    ):
        with pytest.raises(Usage) as caught:
            make_header(recipients)
        assert caught.value.code == code
    assert len(make_header(many[:64])[0].recipients) == 64


def test_a_policy_digest_of_another_size_is_refused():
    with pytest.raises(Usage) as caught:
        make_header([ALICE.public], policy_digest=b"short")
    assert caught.value.code == "digest_size"
