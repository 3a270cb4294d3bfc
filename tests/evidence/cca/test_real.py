"""The sample token gets its verdict: accepted with its platform's key, and not without."""

from __future__ import annotations

from dataclasses import replace

import pytest

from teeproof.core.errors import Malformed
from teeproof.evidence.appraise import freshness
from teeproof.evidence.cca.keys import parse_platform_key
from teeproof.evidence.cca.token import parse
from teeproof.evidence.policy import Policy
from teeproof.evidence.simulated.nitro import ORDER_P384
from tests.evidence.cca.scenes import KEY, Trusted, failures, found, judge, states, wrap
from tests.evidence.scenes import flipped
from tests.evidence.test_cose import twin
from tests.vectors import Record, each

real = pytest.mark.parametrize(
    "record", [p for p in each("other") if p.id in ("cca-token", "missing")]
)


def with_key(record: Record, kind: str = "platform_keys") -> Trusted:
    return Trusted(**{kind: (parse_platform_key(record.read("cpak-pub.json")),)})


def data(record: Record) -> bytes:
    return record.read("cca-example-token.cbor")


@real
def test_the_sample_is_accepted_with_its_platforms_key(record: Record):
    assert record.entry["expected"] == "accept with CPAK"
    expected = with_key(record)
    checks = judge(data(record), expected)
    assert failures(checks) == []
    for name in ("cca-platform-signature", "cca-binding", "cca-realm-signature", "cca-lifecycle"):
        assert states(checks)[name] == "passed"
    facts = found(data(record), expected).facts
    assert facts is not None
    assert (facts.level, facts.confidential) == ("hardware", True)
    said = facts.to_json()
    assert [each["name"] for each in said["platform"]["components"]][8] == "RMM"
    assert said["rim"].startswith("ae87fbf7")
    assert facts.token.platform.instance_id.hex() not in str(said)


@real
def test_a_key_of_test_data_gives_the_level_simulated(record: Record):
    expected = with_key(record, "simulated_keys")
    both = replace(expected, platform_keys=expected.simulated_keys)
    for each_ in (expected, both):
        facts = found(data(record), each_).facts
        assert facts is not None
        assert (facts.level, facts.confidential) == ("simulated", False)
        assert states(judge(data(record), each_))["simulated-root"] == "passed"


@real
def test_the_sample_proves_nothing_without_its_platforms_key(record: Record):
    for expected in (Trusted(), Trusted(platform_keys=(KEY,))):
        verified = found(data(record), expected)
        assert verified.facts is None
        assert verified.root is None
        assert states(verified.checks)["cca-platform-signature"] == "not_checked"
    missing = ("cca-platform-key", "platform_key_missing", "availability")
    assert failures(judge(data(record), Trusted())) == [missing]
    unknown = ("cca-platform-key", "platform_key_unknown", "authenticity")
    assert failures(judge(data(record), Trusted(platform_keys=(KEY,)))) == [unknown]


@real
def test_the_challenge_of_the_sample_is_held_against_a_policy(record: Record):
    facts = found(data(record), with_key(record)).facts
    assert facts is not None
    right, wrong = (Policy(report_data=v.hex()) for v in (facts.report_data, bytes(64)))
    assert freshness.checks(facts.report_data, right, now=0, seen=())[0].state == "passed"
    assert freshness.checks(facts.report_data, wrong, now=0, seen=())[0].state == "failed"


@real
def test_host_flips_a_bit_of_each_byte_of_the_sample_and_gains_nothing(record: Record):
    expected, raw = with_key(record), data(record)
    for at in range(len(raw)):
        try:
            assert found(flipped(raw, at, mask=1 << at % 8), expected).facts is None, at
        except Malformed:
            continue


@real
def test_all_twins_of_the_sample_have_one_identity(record: Record):
    raw, expected = data(record), with_key(record)
    honest = found(raw, expected)
    parts = parse(raw)
    at = raw.index(parts.platform_message.signature)
    end = at + 96
    twins = [twin(raw, ORDER_P384), twin(raw[:end], ORDER_P384) + raw[end:]]
    wide = bytes.fromhex("da0000018f") + raw[3:]  # the tag, wider than it needs to be
    for other in (*twins, wide):
        assert other != raw
        verified = found(other, expected)
        assert verified.facts is not None
        assert verified.evidence_id == honest.evidence_id
        assert verified.facts.to_json() == honest.facts.to_json()


@real
def test_host_cuts_the_sample_off_or_writes_behind_it_and_gains_nothing(record: Record):
    raw = data(record)
    for end in {*range(0, len(raw), 53), len(raw) - 1}:
        with pytest.raises(Malformed):
            parse(raw[:end])
    for broken in (raw + b"\0", raw[3:], wrap(b"", b"")):
        with pytest.raises(Malformed):
            parse(broken)
