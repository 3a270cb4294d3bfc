"""The layout: fields do not overlap, leave no gap, and stand where Intel's document says."""

from __future__ import annotations

import pytest

from teeproof.core.errors import Malformed
from teeproof.evidence.tdx.layout import (
    HEADER_BYTES,
    TD10_BYTES,
    TD15_BYTES,
    Header,
    SignatureSection,
    TdReport10,
    TdReport15,
    malformed,
)
from tests.evidence.scenes import evidence, flipped

# Intel TDX DCAP Quoting Library API, appendix 3: field and size, in order.
TD10 = [
    ("tee_tcb_svn", 16), ("mrseam", 48), ("mrsignerseam", 48), ("seamattributes", 8),
    ("tdattributes", 8), ("xfam", 8), ("mrtd", 48), ("mrconfigid", 48), ("mrowner", 48),
    ("mrownerconfig", 48), ("rtmr0", 48), ("rtmr1", 48), ("rtmr2", 48), ("rtmr3", 48),
    ("report_data", 64),
]  # fmt: skip
TD15 = [*TD10, ("tee_tcb_svn2", 16), ("mrservicetd", 48)]


def _field(body: TdReport10, name: str) -> bytes:
    if name.startswith("rtmr"):
        return body.rtmrs[int(name[4:])]
    value: bytes = getattr(body, name)
    return value


@pytest.mark.parametrize(
    ("view", "fields", "size"), [(TdReport10, TD10, TD10_BYTES), (TdReport15, TD15, TD15_BYTES)]
)
def test_the_fields_of_a_report_are_its_bytes_in_order(
    view: type[TdReport10], fields: list[tuple[str, int]], size: int
) -> None:
    raw = bytes(index % 251 for index in range(size))
    body = view(raw)
    assert [len(_field(body, name)) for name, _ in fields] == [length for _, length in fields]
    assert b"".join(_field(body, name) for name, _ in fields) == raw


def test_each_byte_of_a_report_belongs_to_one_field() -> None:
    blank = TdReport15(bytes(TD15_BYTES))
    for at in range(TD15_BYTES):
        other = TdReport15(flipped(blank.raw, at))
        changed = [name for name, _ in TD15 if _field(blank, name) != _field(other, name)]
        assert len(changed) == 1, at
        assert other != blank


def test_the_header_is_read_little_endian() -> None:
    header = Header(bytes.fromhex("040002008100000000000000") + bytes(range(36)))
    assert len(header.raw) == HEADER_BYTES
    assert (header.version, header.key_type, header.tee_type) == (4, 2, 0x81)
    assert header.qe_vendor == bytes(range(16))
    assert header.user_data == bytes(range(16, 36))


def test_views_are_equal_if_their_bytes_and_kinds_are() -> None:
    raw = bytes(TD15_BYTES)
    assert TdReport15(raw) == TdReport15(raw)
    assert hash(TdReport15(raw)) == hash(TdReport15(raw))
    assert TdReport15(raw) != TdReport10(raw)
    assert TdReport15(raw) != raw


def test_a_section_without_authentication_data_is_read() -> None:
    section = SignatureSection.parse(_section(auth=b"", chain=b"pem"))
    assert (section.qe_auth_data, section.pck_chain) == (b"", b"pem")
    section = SignatureSection.parse(_section(auth=b"x" * 0xFFFF, chain=b""))
    assert (len(section.qe_auth_data), section.pck_chain) == (0xFFFF, b"")


def _section(*, auth: bytes, chain: bytes) -> bytes:
    inner = bytes(448) + len(auth).to_bytes(2, "little") + auth
    inner += (5).to_bytes(2, "little") + len(chain).to_bytes(4, "little") + chain
    return bytes(128) + (6).to_bytes(2, "little") + len(inner).to_bytes(4, "little") + inner


@pytest.mark.parametrize("size", [0, 583, 584, 589])
def test_a_section_that_is_too_short_is_malformed(size: int) -> None:
    with pytest.raises(Malformed):
        SignatureSection.parse(_section(auth=b"", chain=b"")[:size])


@pytest.mark.parametrize("kind", range(8))
def test_only_a_pem_chain_inside_a_qe_report_is_read(kind: int) -> None:
    good = _section(auth=b"", chain=b"pem")
    outer = good[:128] + kind.to_bytes(2, "little") + good[130:]
    inner = good[:584] + kind.to_bytes(2, "little") + good[586:]
    for raw, right in ((outer, 6), (inner, 5)):
        if kind == right:
            assert SignatureSection.parse(raw).pck_chain == b"pem"
            continue
        with pytest.raises(Malformed, match=f"type {kind}"):
            SignatureSection.parse(raw)


def test_the_endorsed_part_is_all_but_the_quotes_own_signature() -> None:
    raw = evidence().quote[48 + 6 + 648 + 4 :]
    section = SignatureSection.parse(raw)
    assert section.quote_signature + section.endorsed == raw


def test_the_error_names_both_sides() -> None:
    error = malformed("thing", "this", "that")
    assert (error.code, error.expected, error.got) == ("quote_malformed", "this", "that")
    assert "this" in error.detail
    assert "that" in error.detail
