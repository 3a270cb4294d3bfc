"""TCB info and QE identity: what Intel's verifier would not read, ours does not read either."""

from __future__ import annotations

import json
from typing import Any

import pytest

from teeproof.core.errors import Malformed
from teeproof.evidence.tdx import documents
from teeproof.evidence.tdx.documents import parse_qe_identity, parse_tcb_info
from tests.evidence.scenes import (
    Change,
    collateral,
    failures,
    judge,
    resigned,
    with_document,
)
from tests.vectors import Record, each


def _info() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(collateral().tcb_info)
    return value


def _encode(value: object) -> bytes:
    return json.dumps(value).encode()


def _module(info: dict[str, Any]) -> dict[str, Any]:
    module: dict[str, Any] = info["tdxModuleIdentities"][1]
    assert module["id"] == "TDX_01"
    return module


def _level(info: dict[str, Any]) -> dict[str, Any]:
    level: dict[str, Any] = info["tcbLevels"][0]
    return level


BROKEN_INFO: dict[str, Change] = {
    "a level twice": lambda d: d["tcbLevels"].append(d["tcbLevels"][0]),
    "no level": lambda d: d.update(tcbLevels=[]),
    "15 CPU components": lambda d: _level(d)["tcb"]["sgxtcbcomponents"].pop(),
    "17 CPU components": lambda d: _level(d)["tcb"]["sgxtcbcomponents"].append({"svn": 0}),
    "15 TDX components in the last level": lambda d: d["tcbLevels"][-1]["tcb"][
        "tdxtcbcomponents"
    ].pop(),
    "no TDX components": lambda d: _level(d)["tcb"].pop("tdxtcbcomponents"),
    "an SVN above a byte": lambda d: _level(d)["tcb"]["sgxtcbcomponents"][0].update(svn=256),
    "an SVN below zero": lambda d: _level(d)["tcb"]["sgxtcbcomponents"][0].update(svn=-1),
    "an SVN with a fraction": lambda d: _level(d)["tcb"]["sgxtcbcomponents"][0].update(svn=1.5),
    "a PCE SVN above two bytes": lambda d: _level(d)["tcb"].update(pcesvn=65536),
    "a module without levels": lambda d: _module(d).update(tcbLevels=[]),
    "module attributes that are no hex": lambda d: _module(d).update(attributes="zz" * 8),
    "module attributes with a line end": lambda d: _module(d).update(attributes="00" * 8 + "\n"),
    "module attributes of 7 bytes": lambda d: _module(d).update(attributes="00" * 7),
    "a module signer of 47 bytes": lambda d: _module(d).update(mrsigner="00" * 47),
    "a mask of another size": lambda d: _module(d).update(attributesMask="FF"),
    "no tdxModule": lambda d: d.pop("tdxModule"),
    "a tdxModule for SGX": lambda d: d.update(id="SGX"),
    "an FMSPC of 5 bytes": lambda d: d.update(fmspc="00" * 5),
    "a PCEID of 1 byte": lambda d: d.update(pceId="00"),
    "a TCB type that nobody defined": lambda d: d.update(tcbType=1),
    "no TCB type": lambda d: d.pop("tcbType"),
    "no date on a level": lambda d: _level(d).pop("tcbDate"),
    "a level's date before 1970": lambda d: _level(d).update(tcbDate="0001-01-01T00:00:00Z"),
    "a level's date far ahead": lambda d: _level(d).update(tcbDate="9999-12-31T00:00:00Z"),
    "a module's date with an offset": lambda d: _module(d)["tcbLevels"][0].update(
        tcbDate="9999-12-31T23:59:00-14:00"
    ),
    "a next update with an offset": lambda d: d.update(nextUpdate="2026-03-30T00:00:00+02:00"),
    "a next update without a zone": lambda d: d.update(nextUpdate="2026-03-30T00:00:00"),
    "dates before the first year": lambda d: d.update(
        issueDate="0001-01-01T00:00:00+14:00", nextUpdate="0001-01-01T01:00:00+14:00"
    ),
    "dates after the last year": lambda d: d.update(
        issueDate="9999-12-31T23:00:00-14:00", nextUpdate="9999-12-31T23:59:00-14:00"
    ),
    "an issue date after the next update": lambda d: d.update(issueDate="2026-12-01T00:00:00Z"),
}

BROKEN_IDENTITY: dict[str, Change] = {
    "a mask that is no hex": lambda d: d.update(miscselectMask="zzzzzzzz"),
    "a mask of another size": lambda d: d.update(attributesMask="FF"),
    "attributes of another size": lambda d: d.update(attributes="11"),
    "a signer of 31 bytes": lambda d: d.update(mrsigner="00" * 31),
    "no level": lambda d: d.update(tcbLevels=[]),
    "a product id below zero": lambda d: d.update(isvprodid=-1),
    "an ISVSVN above two bytes": lambda d: d["tcbLevels"][0]["tcb"].update(isvsvn=65536),
    "dates before the first year": lambda d: d.update(
        issueDate="0001-01-01T00:00:00+14:00", nextUpdate="0001-01-01T01:00:00+14:00"
    ),
}


def test_the_documents_of_the_simulator_are_read() -> None:
    info = parse_tcb_info(collateral().tcb_info)
    assert (info.id, info.version, len(info.tcb_levels)) == ("TDX", 3, 8)
    identity = parse_qe_identity(collateral().qe_identity)
    assert (identity.id, identity.version, len(identity.tcb_levels)) == ("TD_QE", 2, 3)


@pytest.mark.parametrize("record", each("dcap"))
def test_intels_own_documents_are_read(record: Record) -> None:
    theirs = json.loads(record.read("collateral.json"))
    info = parse_tcb_info(theirs["tcb_info"].encode())
    identity = parse_qe_identity(theirs["qe_identity"].encode())
    assert (info.id, identity.id) in {("TDX", "TD_QE"), ("SGX", "QE")}
    said = json.loads(theirs["tcb_info"])
    assert len(info.tcb_levels) == len(said["tcbLevels"])
    assert info.tcb_evaluation_data_number == said["tcbEvaluationDataNumber"]


@pytest.mark.parametrize("name", BROKEN_INFO)
def test_vendor_tcb_info_of_a_wrong_form_is_refused_by_name(name: str) -> None:
    # Anyone can be the vendor of a simulator that marks its root: nothing may crash on it.
    verdict = judge(endorsements=resigned(collateral(), tcb_info=BROKEN_INFO[name]))
    assert verdict.exit_code == 2
    assert ("tcb-info", "collateral_malformed") in failures(verdict)
    assert verdict.facts == {}


@pytest.mark.parametrize("name", BROKEN_IDENTITY)
def test_vendor_qe_identity_of_a_wrong_form_is_refused_by_name(name: str) -> None:
    verdict = judge(endorsements=resigned(collateral(), qe_identity=BROKEN_IDENTITY[name]))
    assert verdict.exit_code == 2
    assert ("qe-identity", "collateral_malformed") in failures(verdict)


@pytest.mark.parametrize("where", ["platform", "unmatched platform", "module", "enclave"])
def test_a_status_that_intel_does_not_use_there_is_refused_with_the_advice_to_update(
    where: str,
) -> None:
    # A module or an enclave is up to date, out of date or revoked; nothing else can be counted in.
    changes: dict[str, dict[str, Change]] = {
        "platform": {"tcb_info": lambda d: _level(d).update(tcbStatus="Purple")},
        "unmatched platform": {
            "tcb_info": lambda d: d["tcbLevels"][-1].update(tcbStatus="TDRelaunchAdvised")
        },
        "module": {
            "tcb_info": lambda d: _module(d)["tcbLevels"][0].update(
                tcbStatus="OutOfDateConfigurationNeeded"
            )
        },
        "enclave": {"qe_identity": lambda d: d["tcbLevels"][0].update(tcbStatus="Purple")},
    }
    verdict = judge(endorsements=resigned(collateral(), **changes[where]))
    check = verdict.check("qe-identity" if where == "enclave" else "tcb-info")
    assert (check.state, check.code) == ("failed", "tcb_status_unknown")
    assert "update teeproof" in check.detail


def test_levels_come_out_in_intels_order_whatever_order_the_document_has() -> None:
    info = _info()
    in_order = parse_tcb_info(_encode(info)).tcb_levels
    info["tcbLevels"].reverse()
    assert parse_tcb_info(_encode(info)).tcb_levels == in_order
    assert [level.sgx[0] for level in in_order] == [10, 9, 8, 7, 6, 5, 4, 3]


def test_levels_are_ordered_by_cpu_then_pce_then_tdx() -> None:
    # Intel's TcbLevel::operator>.
    info = _info()
    base = info["tcbLevels"][0]

    def level(cpu: int, pce: int, tdx: int) -> dict[str, Any]:
        made: dict[str, Any] = json.loads(json.dumps(base))
        made["tcb"]["sgxtcbcomponents"][15]["svn"] = cpu
        made["tcb"]["pcesvn"] = pce
        made["tcb"]["tdxtcbcomponents"][15]["svn"] = tdx
        return made

    wanted = [(2, 1, 1), (1, 3, 1), (1, 2, 9), (1, 2, 4), (0, 9, 9)]
    info["tcbLevels"] = [level(*svns) for svns in sorted(wanted)]
    got = parse_tcb_info(_encode(info)).tcb_levels
    assert [(x.sgx[15], x.tcb.pcesvn, x.tdx[15]) for x in got] == wanted


@pytest.mark.parametrize(
    "raw",
    [b"", b"null", b"[]", b"{}", b"\xff", b'"', b"[" * 100_000, b"{" * 100_000, b"1e999"],
    ids=lambda raw: repr(raw[:8]),
)
def test_bytes_that_are_no_document_are_malformed(raw: bytes) -> None:
    for parse in (parse_tcb_info, parse_qe_identity):
        with pytest.raises(Malformed):
            parse(raw)
    verdict = judge(endorsements=with_document(collateral(), "tcb_info", raw))
    assert ("tcb-info", "collateral_malformed") in failures(verdict)


def test_bytes_after_the_document_are_refused() -> None:
    assert parse_tcb_info(collateral().tcb_info + b" \n")
    with pytest.raises(Malformed):
        parse_tcb_info(collateral().tcb_info + b" {}")


def test_unknown_fields_of_a_newer_document_are_no_error() -> None:
    info = _info() | {"something": "new"}
    assert parse_tcb_info(_encode(info)).fmspc == _info()["fmspc"]


def test_caches_are_forgotten_when_asked() -> None:
    parse_tcb_info(collateral().tcb_info)
    documents.clear_caches()
    assert parse_tcb_info.cache_info().currsize == parse_qe_identity.cache_info().currsize == 0
