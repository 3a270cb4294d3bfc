"""Quotes: every field is what dcap-qvl reads, and no length that does not add up is accepted."""

from __future__ import annotations

import struct
from typing import Any

import dcap_qvl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Malformed, TooLarge
from teeproof.evidence.collect.simulated import Domain
from teeproof.evidence.tdx import quote as tdx_quote
from teeproof.evidence.tdx.layout import TdReport10, TdReport15
from teeproof.evidence.tdx.quote import MAX_QUOTE_BYTES, parse
from tests.evidence.scenes import PLATFORM, REPORT_DATA
from tests.vectors import Record, each

# A domain whose every field differs from every other.
_NUMBERED = Domain(
    **{
        name: bytes([number]) * size
        for number, (name, size) in enumerate(
            {
                "tee_tcb_svn": 16, "tee_tcb_svn2": 16, "mrseam": 48, "mrsignerseam": 48,
                "seamattributes": 8, "tdattributes": 8, "xfam": 8, "mrtd": 48, "mrowner": 48,
                "mrownerconfig": 48, "mrservicetd": 48,
            }.items(),
            start=1,
        )
    }
)  # fmt: skip
MACHINE = PLATFORM.machine(domain=_NUMBERED)
QUOTES = {
    "v4": MACHINE.quote(REPORT_DATA, version=4),
    "v5-td10": MACHINE.quote(REPORT_DATA, version=5, body="1.0"),
    "v5-td15": MACHINE.quote(REPORT_DATA, version=5),
}
THEIR_NAMES = {
    "tee_tcb_svn": "tee_tcb_svn", "mrseam": "mr_seam", "mrsignerseam": "mr_signer_seam",
    "seamattributes": "seam_attributes", "tdattributes": "td_attributes", "xfam": "xfam",
    "mrtd": "mr_td", "mrconfigid": "mr_config_id", "mrowner": "mr_owner",
    "mrownerconfig": "mr_owner_config", "report_data": "report_data",
}  # fmt: skip
each_quote = pytest.mark.parametrize("name", QUOTES)


def _signed_size(quote: bytes) -> int:
    return 48 + 584 if quote[0] == 4 else 54 + int.from_bytes(quote[50:54], "little")


def _compare(quote: bytes) -> None:
    ours, theirs = parse(quote), dcap_qvl.parse_quote(quote)
    header: Any = theirs.header
    assert ours.header.version == header.version
    assert ours.header.key_type == header.attestation_key_type
    assert ours.header.tee_type == header.tee_type
    assert ours.header.qe_vendor == header.qe_vendor_id
    assert ours.header.user_data == header.user_data
    report: Any = theirs.report
    for mine, name in THEIR_NAMES.items():
        assert getattr(ours.body, mine) == getattr(report, name), mine
    assert ours.body.rtmrs == tuple(getattr(report, f"rt_mr{n}") for n in range(4))
    assert isinstance(ours.body, TdReport15) is hasattr(report, "tee_tcb_svn2")
    if isinstance(ours.body, TdReport15):
        assert ours.body.tee_tcb_svn2 == report.tee_tcb_svn2
        assert ours.body.mrservicetd == report.mr_service_td
    # Real chains end in a NUL, which dcap-qvl drops.
    assert ours.signature.pck_chain.rstrip(b"\0") == theirs.cert_chain_pem_bytes()


@each_quote
def test_every_field_of_a_simulated_quote_is_what_dcap_qvl_reads(name: str) -> None:
    _compare(QUOTES[name])


def _is_tdx(record: Record) -> bool:
    return record.read("quote.bin")[:1] != b"\x03"


@pytest.mark.parametrize("record", each("dcap"))
def test_every_field_of_a_real_quote_is_what_dcap_qvl_reads(record: Record) -> None:
    if _is_tdx(record):
        _compare(record.read("quote.bin"))
    else:
        with pytest.raises(Malformed, match="version"):
            parse(record.read("quote.bin"))


@each_quote
def test_the_parts_of_a_quote_are_its_bytes(name: str) -> None:
    quote = QUOTES[name]
    read = parse(quote)
    assert read.raw == quote
    assert read.signed == quote[: _signed_size(quote)]
    assert read.trailing == b""
    section = quote[_signed_size(quote) + 4 :]
    assert section == read.signature.quote_signature + read.signature.endorsed
    assert read.signature.endorsed.startswith(read.signature.attestation_key)
    assert read.signature.endorsed.endswith(read.signature.pck_chain)
    assert read.signature.qe_auth_data == bytes(range(32))
    assert type(read.body) is (TdReport15 if name == "v5-td15" else TdReport10)


@each_quote
@given(tail=st.binary(max_size=40))
def test_what_follows_a_quote_is_kept_apart(name: str, tail: bytes) -> None:
    read = parse(QUOTES[name] + tail)
    assert read.trailing == tail
    assert read.signature == parse(QUOTES[name]).signature


@each_quote
def test_host_a_quote_that_is_cut_anywhere_is_malformed(name: str) -> None:
    for size in range(len(QUOTES[name])):
        with pytest.raises(Malformed):
            parse(QUOTES[name][:size])


# Offsets of lengths and types, from the start of the signature section; their sizes in bytes.
LENGTHS = {"outer type": (128, 2), "outer size": (130, 4), "auth size": (582, 2),
           "inner type": (616, 2), "inner size": (618, 4)}  # fmt: skip


@each_quote
@pytest.mark.parametrize("field", ["section", *LENGTHS])
@pytest.mark.parametrize("value", [0, 1, -1, -2, 0x7F])
def test_host_a_length_or_type_that_does_not_add_up_is_malformed(
    name: str, field: str, value: int
) -> None:
    quote = QUOTES[name]
    start = _signed_size(quote)
    at, size = (
        (start, 4) if field == "section" else (start + 4 + LENGTHS[field][0], LENGTHS[field][1])
    )
    written = (value % (1 << 8 * size)).to_bytes(size, "little")
    changed = quote[:at] + written + quote[at + size :]
    assert changed != quote
    with pytest.raises(Malformed) as caught:
        parse(changed)
    assert caught.value.code == "quote_malformed"
    assert caught.value.expected
    assert caught.value.got


@each_quote
def test_host_a_length_that_is_one_off_is_malformed(name: str) -> None:
    quote = QUOTES[name]
    start = _signed_size(quote)
    places = [(start, 4), *((start + 4 + at, size) for at, size in LENGTHS.values())]
    for at, size in places:
        value = int.from_bytes(quote[at : at + size], "little")
        for off in (-1, 1):
            if (at, off) == (start, -1):
                continue  # a shorter section is refused by the lengths inside it: see below
            written = (value + off).to_bytes(size, "little")
            with pytest.raises(Malformed):
                parse(quote[:at] + written + quote[at + size :])
    shorter = struct.pack("<I", int.from_bytes(quote[start : start + 4], "little") - 1)
    with pytest.raises(Malformed):
        parse(quote[:start] + shorter + quote[start + 4 :])


@pytest.mark.parametrize("version", [0, 1, 2, 3, 6, 0xFFFF])
def test_a_version_other_than_4_or_5_is_malformed(version: int) -> None:
    with pytest.raises(Malformed, match="version"):
        parse(version.to_bytes(2, "little") + QUOTES["v4"][2:])


@pytest.mark.parametrize("tee", [0, 0x80, 0x82, 0x81000000])
def test_a_quote_of_another_tee_is_malformed(tee: int) -> None:
    with pytest.raises(Malformed, match="TEE type"):
        parse(QUOTES["v4"][:4] + tee.to_bytes(4, "little") + QUOTES["v4"][8:])


@pytest.mark.parametrize(
    ("kind", "size"), [(0, 584), (1, 384), (2, 648), (3, 584), (4, 648), (2, 0), (3, 0xFFFFFFFF)]
)
def test_a_body_of_another_type_or_size_is_malformed(kind: int, size: int) -> None:
    quote = QUOTES["v5-td15"]
    with pytest.raises(Malformed, match="body"):
        parse(quote[:48] + struct.pack("<HI", kind, size) + quote[54:])


def test_host_100_megabytes_are_refused_before_they_are_looked_at() -> None:
    with pytest.raises(TooLarge) as caught:
        parse(QUOTES["v4"] + bytes(100 << 20))
    assert str(MAX_QUOTE_BYTES) in str(caught.value.expected)
    padded = QUOTES["v4"].ljust(MAX_QUOTE_BYTES, b"\0")
    assert len(parse(padded).trailing) == MAX_QUOTE_BYTES - len(QUOTES["v4"])


def test_a_section_of_four_gigabytes_is_refused() -> None:
    quote = QUOTES["v4"]
    with pytest.raises(Malformed, match="4294967295"):
        parse(quote[:632] + b"\xff" * 4 + quote[636:])


@given(
    st.binary(max_size=200) | st.binary(max_size=700).map(lambda tail: QUOTES["v4"][:632] + tail)
)
def test_whatever_is_read_nothing_but_our_errors_come(raw: bytes) -> None:
    with pytest.raises(Malformed):
        parse(raw)


def test_a_parsed_quote_cannot_be_changed() -> None:
    read = tdx_quote.parse(QUOTES["v4"])
    with pytest.raises(AttributeError):
        read.raw = b""  # type: ignore[misc]
    assert read == parse(QUOTES["v4"])
    assert hash(read) == hash(parse(QUOTES["v4"]))
    assert read != parse(QUOTES["v5-td10"])
