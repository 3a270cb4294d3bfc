"""Azure: hardware names the paravisor's text, the text names the TPM's key, the key signs D."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from teeproof.core.errors import Malformed, TooLarge
from teeproof.evidence.azure import document, hcl
from teeproof.evidence.azure.hardware import tdx_hardware
from teeproof.evidence.azure.verify import verify
from tests.evidence.azure import hcl_reports as made
from tests.evidence.azure.hcl_reports import established, evidence, report, runtime
from tests.evidence.tpm import forge
from tests.evidence.tpm.forge import NOW, D, failures, state


def judge(given=None, *, hardware=established, expected_data=D):
    return verify(given or evidence(), hardware=hardware, now=NOW, expected_data=expected_data)


@pytest.mark.parametrize("hashed", [1, 2, 3], ids=["sha256", "sha384", "sha512"])
def test_a_machine_in_order_gives_facts_and_is_not_taken_for_azures_own(hashed):
    found = judge(evidence(report(hashed=hashed)))
    assert failures(found) == []
    assert [check.name for check in found.checks][:2] == ["hcl-format", "hcl-runtime-data"]
    assert found.facts.level == "measured"  # any domain can write such a report
    paravisor = next(check for check in found.checks if check.name == "hcl-paravisor")
    assert paravisor.state == "not_checked"
    assert found.facts.qualifying_data == D
    assert not found.facts.confidential  # that is for the hardware's own facts to say
    assert found.report.kind == "sev-snp"


def test_host_shows_a_text_that_no_hardware_names():
    theirs = forge.rsa_key(3072)
    other = runtime({**made.jwk(forge.rsa_key()), "n": made.base64(_modulus(theirs))})
    committed = hcl.parse(report()).report[0x50:0x90]
    given = evidence(report(other, committed=committed), key=theirs)
    found = judge(given)
    assert ("hcl-runtime-data", "runtime_data_mismatch") in failures(found)
    assert ("ak-binding", "ak_not_bound") in failures(found)
    assert found.facts is None


def _modulus(key) -> bytes:
    return key.public_key().public_numbers().n.to_bytes(key.key_size // 8, "big")


def test_host_signs_with_another_key_than_the_text_names():
    found = judge(evidence(key=forge.rsa_key(3072)))
    assert failures(found) == [("tpm-signature", "tpm_signature")]
    assert found.facts is None


def test_host_brings_a_report_that_nothing_is_established_of():
    found = judge(hardware=made.nothing)
    assert failures(found) == [("ak-binding", "ak_not_bound")]
    assert state(found, "hcl-runtime-data") == "not_checked"
    assert found.facts is None


def test_host_commits_to_part_of_the_digest():
    import hashlib

    cut = hashlib.sha256(runtime()).digest()[:16].ljust(64, b"\0")
    more = hashlib.sha256(runtime()).digest() + b"\1".ljust(32, b"\0")
    for committed in (cut, more, bytes(64)):
        found = judge(evidence(report(committed=committed)))
        assert ("hcl-runtime-data", "runtime_data_mismatch") in failures(found)


def test_host_writes_the_same_text_in_other_bytes():
    committed = hcl.parse(report()).report[0x50:0x90]
    text = json.dumps(json.loads(runtime()), indent=1).encode()
    found = judge(evidence(report(text, committed=committed)))
    assert ("hcl-runtime-data", "runtime_data_mismatch") in failures(found)


def test_host_answers_another_question():
    found = judge(evidence(data=bytes(32)))
    assert failures(found) == [("tpm-qualifying-data", "qualifying_data_mismatch")]


def test_a_tdx_machine_without_intels_quote_is_refused():
    without = tdx_hardware(None, collateral=None, roots=frozenset(), now=NOW)
    found = judge(evidence(report(kind=made.TDX)), hardware=without)
    assert ("hcl-td-report", "td_quote_missing") in failures(found)
    broken = tdx_hardware(b"no quote", collateral=None, roots=frozenset(), now=NOW)
    found = judge(evidence(report(kind=made.TDX)), hardware=broken)
    assert ("hcl-td-report", "td_quote_malformed") in failures(found)
    assert found.facts is None


def test_a_sev_snp_machine_is_nothing_for_tdx():
    tdx = tdx_hardware(b"", collateral=None, roots=frozenset(), now=NOW)
    found = judge(hardware=tdx)
    assert state(found, "hcl-td-report") == "not_checked"
    assert failures(found) == [("ak-binding", "ak_not_bound")]


AK = made.jwk(forge.rsa_key())
MALFORMED = {
    "another magic": report(magic=b"HCLB"),
    "another kind": report(kind=3),
    "another hash": report(hashed=4),
    "a huge size": report(size=0xFFFFFFFF, whole=19),
    "a size of more than there is": report(size=1 << 16),
    "two sizes": report(whole=1),
    "something behind": report(tail=b"\1"),
    "no JSON": report(b"runtime"),
    "a list": report(b"[]"),
    "no keys": report(b"{}"),
    "keys that are no objects": report(b'{"keys": [1]}'),
    "no such key": report(runtime(made.jwk(forge.rsa_key(), "HCLEkPub"))),
    "the key twice": report(runtime(AK, AK)),
    "a duplicate field": report(b'{"keys": [], "keys": []}'),
    "another kind of key": report(runtime({**AK, "kty": "EC"})),
    "a key for encryption": report(runtime({**AK, "key_ops": ["encrypt"]})),
    "no modulus": report(runtime({**AK, "n": ""})),
    "a modulus with a zero before it": report(runtime({**AK, "n": made.base64(b"\0" * 256)})),
    "a number": report(runtime({**AK, "n": 5})),
    "no base64": report(runtime({**AK, "n": "ä"})),
    "base64 in another form": report(runtime({**AK, "e": "AQAC=="})),
    "a huge modulus": report(runtime({**AK, "n": made.base64(b"\1" * 513)})),
    "odd claims": report(runtime(**{"vm-configuration": []})),
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_report_is_refused(raw):
    with pytest.raises(Malformed):
        hcl.parse(raw)


def test_a_report_that_ends_early_is_refused_at_each_length():
    raw = report(tail=b"")
    hcl.parse(raw)
    for end in range(0, len(raw), 7):
        with pytest.raises(Malformed):
            hcl.parse(raw[:end])
    with pytest.raises(TooLarge):
        hcl.parse(raw + bytes(1 << 16))


def test_a_weak_key_of_the_paravisor_is_refused():
    weak = runtime({**AK, "n": made.base64(_modulus(forge.rsa_key(1024)))})
    with pytest.raises(Malformed) as refusal:
        judge(evidence(report(weak)))
    assert refusal.value.code == "ak_malformed"


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b"[]",
        b'{"version": 2, "hcl_report": "", "tpm_quote": {}}',
        b'{"version": 1, "hcl_report": "!", "tpm_quote": {}}',
        b'{"version": 1, "hcl_report": "", "tpm_quote": {}}',
        b'{"version": 1, "hcl_report": "", "tpm_quote": {"message": "", "signature": "", "pcrs":'
        b' ["00"]}}',
        b'{"version": 1, "hcl_report": "", "tpm_quote": {"message": "AB", "signature": "", "pcrs":'
        b" []}}",
    ],
    ids=range(7),
)
def test_what_is_no_evidence_is_refused(text):
    with pytest.raises(Malformed):
        document.parse(text)


def test_a_quote_beside_a_chain_of_its_own_needs_the_report_all_the_same():
    authority = forge.Authority()
    given = evidence()
    chained = replace(given.tpm, certificates=authority.chain(forge.rsa_key()))
    found = judge(replace(given, tpm=chained), hardware=made.nothing)
    assert found.facts is None
