"""Collateral: one immutable record, one wire form, one digest over all of it."""

from __future__ import annotations

import json

import dcap_qvl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Error, Malformed, TooLarge
from teeproof.evidence.endorsements import FIELDS, MAX_COLLATERAL_BYTES, Collateral
from tests.evidence.scenes import collateral, flipped
from tests.vectors import Record, each

WIRE = collateral().to_json()


def _refused(value: object) -> Malformed:
    with pytest.raises(Malformed) as caught:
        Collateral.parse(json.dumps(value))
    assert caught.value.code == "collateral_malformed"
    return caught.value


def test_the_wire_form_is_read_back() -> None:
    assert Collateral.parse(json.dumps(WIRE)) == collateral()
    assert Collateral.parse(json.dumps(WIRE).encode()) == collateral()
    assert list(WIRE) == list(FIELDS)


@pytest.mark.parametrize("record", each("dcap"))
def test_the_wire_form_is_dcap_qvls(record: Record) -> None:
    ours = Collateral.parse(record.read("collateral.json"))
    theirs = dcap_qvl.QuoteCollateralV3.from_json(json.dumps(ours.to_json()))
    for name in FIELDS:
        value = getattr(theirs, name)
        assert getattr(ours, name) == (value.encode() if isinstance(value, str) else value)
    assert Collateral.parse(theirs.to_json()) == ours


@pytest.mark.parametrize("chain", [None, "-----BEGIN CERTIFICATE-----"])
def test_the_chain_that_dcap_qvl_fetches_along_is_not_read(chain: str | None) -> None:
    assert Collateral.parse(json.dumps(WIRE | {"pck_certificate_chain": chain})) == collateral()


@pytest.mark.parametrize("name", FIELDS)
def test_a_missing_field_is_refused_by_name(name: str) -> None:
    without = {key: value for key, value in WIRE.items() if key != name}
    assert f"missing: {name}" in str(_refused(without).got)


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("value", [None, 5, [], {}, True], ids=str)
def test_a_field_that_is_no_text_is_refused_by_name(name: str, value: object) -> None:
    assert name in str(_refused(WIRE | {name: value}).expected)


@pytest.mark.parametrize("name", [n for n in FIELDS if n.endswith(("crl", "signature"))])
@pytest.mark.parametrize("value", ["0", "zz", "0x00", "00\u0660"])
def test_hex_that_is_no_hex_is_refused_by_name(name: str, value: str) -> None:
    assert name in str(_refused(WIRE | {name: value}).expected)


@pytest.mark.parametrize("name", FIELDS)
def test_host_text_that_is_no_unicode_is_refused_and_crashes_nothing(name: str) -> None:
    with pytest.raises(Malformed) as caught:
        Collateral.parse(json.dumps(WIRE | {name: "\ud800"}))
    assert caught.value.code == "json_malformed"


def test_unknown_fields_are_refused_by_name() -> None:
    assert "unknown: extra" in str(_refused(WIRE | {"extra": "1"}).got)


@pytest.mark.parametrize("value", [[], "x", 1, None], ids=str)
def test_what_is_no_object_is_refused(value: object) -> None:
    _refused(value)


def test_host_100_megabytes_and_repeated_or_deep_fields_are_refused() -> None:
    with pytest.raises(TooLarge):
        Collateral.parse(b" " * (MAX_COLLATERAL_BYTES + 1))
    for text in ('{"tcb_info":"a","tcb_info":"b"}', "[" * 100_000, "", "{"):
        with pytest.raises(Malformed):
            Collateral.parse(text)


@given(st.text(max_size=60) | st.binary(max_size=60))
def test_whatever_is_read_nothing_but_our_errors_come(data: str | bytes) -> None:
    with pytest.raises(Error):
        Collateral.parse(data)


@pytest.mark.parametrize("name", FIELDS)
def test_the_digest_covers_every_field(name: str) -> None:
    changed = collateral().replace(**{name: flipped(getattr(collateral(), name), 0)})
    assert changed.digest != collateral().digest
    assert changed != collateral()
    assert changed.id == f"sha256:{changed.digest.hex()}"
    assert changed.replace(**{name: getattr(collateral(), name)}) == collateral()


def test_a_byte_moved_from_one_field_to_the_next_changes_the_digest() -> None:
    one = collateral()
    moved = one.replace(root_ca_crl=one.root_ca_crl + one.pck_crl[:1], pck_crl=one.pck_crl[1:])
    assert moved.digest != one.digest


def test_equal_records_are_one_key() -> None:
    again = Collateral.parse(json.dumps(WIRE))
    assert again is not collateral()
    assert {again: 1}[collateral()] == 1
    assert collateral() != "something else"


def test_a_record_takes_its_nine_fields_and_no_other() -> None:
    fields = {name: getattr(collateral(), name) for name in FIELDS}
    assert Collateral(**fields) == collateral()
    with pytest.raises(TypeError, match="exactly"):
        Collateral(**(fields | {"extra": b""}))
    with pytest.raises(TypeError, match="exactly"):
        Collateral(**{name: fields[name] for name in FIELDS[1:]})
    with pytest.raises(TypeError, match="exactly"):
        collateral().replace(extra=b"")
