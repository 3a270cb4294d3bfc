"""Logs of real machines give the registers of their real quotes, exactly."""

from __future__ import annotations

import hashlib
import json

import pytest

from teeproof.evidence.eventlog import coverage, parse, replay, verify
from teeproof.evidence.eventlog.attestation import parse_attestation
from teeproof.evidence.eventlog.derived import device_id, mr_aggregated, mr_system
from teeproof.evidence.tdx import quote

LOGS = ["dstack-quote-report", "dstack-tdx-lite"]


@pytest.fixture(params=LOGS)
def real(request, vectors):
    folder = vectors / "dcap" / request.param
    body = quote.parse((folder / "quote.bin").read_bytes()).body
    return body, (folder / "event_log.json").read_bytes()


def test_a_real_log_replays_to_its_quote(real):
    body, log = real
    assert replay(parse(log)) == body.rtmrs


def test_a_real_log_passes_every_check_and_names_its_application(real):
    body, log = real
    checks, facts = verify(log, rtmrs=body.rtmrs, mrconfigid=body.mrconfigid)
    assert [c.state for c in checks[:4]] == ["passed"] * 4
    assert facts.app_id == facts.compose_hash[:20]
    assert facts.key_provider.name in ("local-sgx", "kms")


def test_a_real_log_is_refused_for_the_other_real_quote(vectors):
    log = (vectors / "dcap" / LOGS[0] / "event_log.json").read_bytes()
    other = quote.parse((vectors / "dcap" / LOGS[1] / "quote.bin").read_bytes()).body
    checks, facts = verify(log, rtmrs=other.rtmrs)
    assert facts is None
    assert [c.code for c in checks if c.state == "failed"] == ["rtmr_mismatch"]


def test_host_changes_one_digit_of_any_digest_of_a_real_log(real):
    body, log = real
    for at, event in enumerate(json.loads(log)):
        if event["digest"]:
            changed = json.loads(log)
            digits = event["digest"]
            changed[at]["digest"] = digits[:-1] + ("0" if digits[-1] != "0" else "1")
            checks, facts = verify(json.dumps(changed).encode(), rtmrs=body.rtmrs)
            assert facts is None
            assert any(c.state == "failed" for c in checks)


def test_the_quoted_configuration_of_a_real_machine_is_its_compose_hash(vectors):
    folder = vectors / "dcap" / "dstack-tdx-lite"
    body = quote.parse((folder / "quote.bin").read_bytes()).body
    log = (folder / "event_log.json").read_bytes()
    checks, facts = verify(log, rtmrs=body.rtmrs, mrconfigid=body.mrconfigid)
    assert checks[-1].state == "passed"
    assert body.mrconfigid[1:33] == facts.compose_hash


def test_digests_of_real_firmware_cover_what_we_say_they_cover(vectors):
    log = (vectors / "dcap" / LOGS[0] / "event_log.json").read_bytes()
    covered = {(e.type, coverage(e)) for e in parse(log) if not e.is_runtime}
    assert covered == {
        (0x8000000B, "nothing"),
        (0x8000000A, "nothing"),
        (0x80000001, "payload"),
        (0x4, "payload"),
        (0xA, "nothing"),
        (0x80000003, "nothing"),
        (0x80000002, "variable data"),
        (0x80000007, "payload"),
        (0x6, "nothing"),
    }


@pytest.mark.parametrize("name", ["simulator_attestation.bin", "guest_agent_attestation.bin"])
def test_a_real_versioned_attestation_holds_a_quote_and_its_whole_log(name, vectors):
    attestation = parse_attestation((vectors / "dstack" / "fixtures" / name).read_bytes())
    body = quote.parse(attestation.quote).body
    checks, facts = verify(attestation.event_log, rtmrs=body.rtmrs, mrconfigid=body.mrconfigid)
    assert attestation.report_data == body.report_data
    assert {c.name: c.state for c in checks} == {
        "event-log-format": "passed",
        "event-log-payloads": "passed",
        "event-log-replay": "passed",
        "event-log-order": "passed",
        "compose": "not_checked",
        "mrconfigid": "passed",
    }
    assert facts.os_image_hash is not None


def test_a_real_stripped_attestation_explains_rtmr3_alone(vectors):
    answer = json.loads((vectors / "dstack/fixtures/tdx-lite-attestation.json").read_bytes())
    attestation = parse_attestation(bytes.fromhex(answer["attestation"]))
    body = quote.parse(attestation.quote).body
    checks, facts = verify(attestation.event_log, rtmrs=body.rtmrs)
    assert {c.name: c.state for c in checks}["event-log-replay"] == "not_checked"
    assert facts.compose_hash == body.mrconfigid[1:33]


def test_derived_digests_are_computed_over_the_fields_that_dstack_hashes(real):
    body, log = real
    _, facts = verify(log, rtmrs=body.rtmrs)
    raw, provider = body.raw, hashlib.sha256(facts.key_provider_info).digest()
    mrtd, registers = raw[136:184], raw[328:520]
    config = raw[184:328] if any(raw[184:328]) else b""
    sha256 = hashlib.sha256
    assert mr_system(body, key_provider_info=facts.key_provider_info) == (
        sha256(mrtd + registers[:144] + provider).digest()
    )
    assert mr_system(body, key_provider_info=None) == (
        sha256(mrtd + registers[:144] + bytes(32)).digest()
    )
    assert mr_aggregated(body) == sha256(mrtd + registers + config).digest()
    assert mr_aggregated(body, rtmr3=bytes(48)) == (
        sha256(mrtd + registers[:144] + bytes(48) + config).digest()
    )
    assert device_id(b"ppid") == sha256(b"ppid").digest()
