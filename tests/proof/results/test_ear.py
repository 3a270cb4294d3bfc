"""EARs: what a verifier signs reads back, and nothing else is taken for it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import teeproof as tp
from teeproof.core.clock import from_epoch, parse_time
from teeproof.core.errors import Error, Malformed, NotAuthentic, TooLarge, Usage
from teeproof.evidence.nitro.document import parse as parse_document
from teeproof.evidence.verdict import failed
from teeproof.proof import canonical, signing
from teeproof.proof.results import ear, jws
from teeproof.proof.results.ar4si import TIERS
from tests.evidence.sev_snp.test_vectors import judged
from tests.evidence.test_composite import bound
from tests.evidence.test_composite import judge as composite_verdict
from tests.proof.results.verdicts import (
    AS_OF,
    KEY,
    OTHER,
    PINNED,
    SIMULATED,
    hardware,
    of_state,
    refused,
    unknown,
)
from tests.vectors import each

replace = msgspec.structs.replace
GOOD = hardware()
TOKEN = ear.issue([GOOD], KEY, nonce="a nonce of mine")


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def claims_of(token: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(decoded(token.split(".")[1]))
    return value


def token_of(header: dict[str, Any], payload: bytes, key: Any = KEY) -> str:
    signed = f"{encoded(json.dumps(header).encode())}.{encoded(payload)}"
    return f"{signed}.{encoded(signing.sign_ed25519(key.expanded, signed.encode()))}"


def resigned(**changes: Any) -> str:
    """Return the token with other claims, signed by the same verifier; None leaves one out."""
    claims = {k: v for k, v in (claims_of(TOKEN) | changes).items() if v is not None}
    return jws.seal(canonical.encode(claims), expanded=KEY.expanded, kind="eat+jwt")


def read(token: str = TOKEN, **expected: Any) -> ear.Ear:
    return ear.verify(token, **({"key": KEY.public, "now": AS_OF} | expected))


def refusal(token: str = TOKEN, **expected: Any) -> str:
    with pytest.raises(Error) as caught:
        read(token, **expected)
    assert isinstance(caught.value, NotAuthentic | Malformed)
    return caught.value.code


def test_an_ear_has_the_claims_of_the_draft():
    claims = claims_of(TOKEN)
    assert json.loads(decoded(TOKEN.split(".")[0])) == {"alg": "EdDSA", "typ": "eat+jwt"}
    assert claims["eat_profile"] == "tag:ietf.org,2026:rats/ear#04"
    assert claims["ear_verifier_id"] == {"developer": "teeproof", "build": "teeproof 0.1.0"}
    assert claims["iat"] == int(AS_OF.timestamp())
    assert claims["exp"] == claims["iat"] + ear.LIFETIME
    assert claims["eat_nonce"] == "a nonce of mine"
    assert claims["ear_status"] == "affirming"
    part = claims["submods"]["tdx"]
    assert part["ear_status"] == "affirming"
    assert part["ear_trustworthiness_vector"]["hardware"] == 2
    assert part["ear_appraisal_policy_ids"] == [
        f"urn:teeproof:policy:{GOOD.provenance.policy_digest}"
    ]
    assert part["ear_attester_claims"]["tdx_mrtd"] == GOOD.facts["mrtd"]
    own = part["teeproof_verdict"]
    assert own["key"] == GOOD.key
    assert own["provenance"] == msgspec.to_builtins(GOOD.provenance)


def test_another_library_finds_the_signature_good():
    head, payload, signature = TOKEN.split(".")
    key = Ed25519PublicKey.from_public_bytes(KEY.public)
    key.verify(decoded(signature), f"{head}.{payload}".encode())


def test_what_is_read_is_what_the_verdict_said():
    found = read(
        expected_nonce="a nonce of mine",
        expected_policy=GOOD.provenance.policy_digest,
        expected_subject=GOOD.subject,
    )
    assert (found.status, found.nonce) == ("affirming", "a nonce of mine")
    assert found.submods["tdx"].verdict["key"] == GOOD.key
    assert ear.parse(TOKEN) == found


def test_the_same_verdict_gives_the_same_bytes():
    assert ear.issue([GOOD], KEY) == ear.issue([GOOD], KEY)


def test_checks_that_were_not_made_are_named():
    verdict = hardware(**unknown("rtmr1"))
    found = read(ear.issue([verdict], KEY))
    assert found.status == "none"
    assert found.submods["tdx"].verdict["not_checked"] == ["rtmr1"]


@pytest.mark.parametrize("verdict", [SIMULATED, of_state("debug"), refused("quote_signature")])
def test_a_refusal_is_signed_too_and_affirms_nothing(verdict):
    assert read(ear.issue([verdict], KEY)).status == "contraindicated"


def test_of_several_parts_the_worst_is_the_whole():
    unclear = hardware(**unknown("mrtd"))
    found = read(ear.issue([GOOD, GOOD, SIMULATED], KEY))
    assert {label: part.status for label, part in found.submods.items()} == {
        "tdx": "affirming", "tdx_1": "affirming", "tdx_2": "contraindicated",
    }  # fmt: skip
    assert found.status == "contraindicated"
    assert read(ear.issue([GOOD, unclear], KEY)).status == "none"


GPU = ("gpu-chain", "gpu-signature", "gpu-revocation", "gpu-measurements", "gpu-nonce")


def with_gpus(**changed: Any) -> Any:
    """Return a verdict on a machine of real hardware with its GPUs, whose checks all passed."""
    machine = hardware(*PINNED, *GPU, facts={"gpus": {"gpus": 2}}, **changed)
    return replace(machine, confidential=False)


def test_a_machine_and_its_gpus_are_two_parts_and_neither_is_affirmed_beyond_what_is_known():
    found = read(ear.issue([with_gpus()], KEY))
    assert set(found.submods) == {"tdx", "gpus"}
    machine, gpus = found.submods["tdx"], found.submods["gpus"]
    assert {k: v for k, v in machine.vector.items() if v} == {
        "configuration": 2, "executables": 2, "hardware": 2,
    }  # fmt: skip
    assert {k: v for k, v in gpus.vector.items() if v} == {"hardware": 2}
    assert machine.status == gpus.status == found.status == "none"
    assert machine.verdict["key"] == gpus.verdict["key"]
    assert gpus.attester_claims == {}


@pytest.mark.parametrize("name", GPU)
def test_gpus_of_which_something_was_not_checked_are_of_unknown_hardware(name):
    found = read(ear.issue([with_gpus(**unknown(name))], KEY))
    assert found.submods["gpus"].vector["hardware"] == 0
    assert found.submods["gpus"].verdict["not_checked"] == [name]
    assert found.submods["tdx"].verdict["not_checked"] == []


def test_gpus_that_are_refused_are_contraindicated_and_so_is_the_whole():
    other = failed("gpu-nonce", "gpu_nonce_mismatch", "Another's.", "policy")
    found = read(ear.issue([with_gpus(gpu_nonce=other)], KEY))
    assert found.submods["gpus"].status == found.status == "contraindicated"
    assert found.submods["tdx"].status == "none"


def test_a_simulated_machine_with_gpus_is_two_parts_that_nobody_vouches_for():
    verdict = composite_verdict(bound())
    assert verdict.ok
    found = read(ear.issue([verdict], KEY))
    assert {label: part.status for label, part in found.submods.items()} == {
        "tdx": "contraindicated", "gpus": "contraindicated",
    }  # fmt: skip


@pytest.mark.parametrize("record", each("dcap"))
def test_real_evidence_is_affirmed_by_no_ear_of_a_policy_that_pins_no_code(record):
    verdict = tp.verify(tp.load(record.path), now=record.now)
    found = ear.verify(ear.issue([verdict], KEY), key=KEY.public, now=record.now)
    expected = (
        "contraindicated" if not verdict.ok else "warning" if verdict.kind == "sgx" else "none"
    )
    assert found.status == expected


@pytest.mark.parametrize("record", each("dcap"))
def test_real_evidence_whose_code_is_pinned_is_affirmed_if_its_platform_is_up_to_date(record):
    evidence = tp.load(record.path)
    first = tp.verify(evidence, now=record.now)
    if not first.ok or first.kind != "tdx":
        return
    pinned = {name: (first.facts[name],) for name in ("mrtd", "rtmr1", "rtmr2")}
    policy = tp.load_policy("standard").with_(**pinned)
    verdict = tp.verify(evidence, now=record.now, policy=policy)
    found = ear.verify(ear.issue([verdict], KEY), key=KEY.public, now=record.now)
    assert verdict.facts["tcb"]["status"] == "UpToDate"
    assert found.status == "affirming"
    assert found.submods["tdx"].vector["executables"] == 3


@pytest.mark.parametrize("record", each("snp"))
def test_of_a_real_report_no_hardware_is_affirmed_without_a_least_tcb(record):
    verdict = judged(record.id)
    found = read(ear.issue([verdict], KEY), now=parse_time(verdict.provenance.time))
    part = found.submods["sev-snp"]
    assert part.status == ("none" if verdict.ok else part.status)
    assert part.status != "affirming"
    assert part.vector["hardware"] != 2  # AMD says of no firmware that it is up to date
    assert part.vector["runtime-opaque"] == (2 if verdict.confidential else
                                             96 if verdict.level else 0)  # fmt: skip


@pytest.mark.parametrize("record", each("nitro"))
def test_real_enclaves_of_nitro_are_isolated_and_never_affirmed(record):
    evidence = tp.load(record.path)
    document = parse_document(evidence.quote)
    at = from_epoch(document.seconds)
    verdict = tp.verify(evidence, now=at)
    assert verdict.level == "hardware"
    found = read(ear.issue([verdict], KEY), now=at)
    part = found.submods["nitro"]
    assert part.vector["runtime-opaque"] == (96 if verdict.facts["debug"] else 32)
    assert part.status == ("contraindicated" if verdict.facts["debug"] else "warning")


# Attackers


def test_network_changes_any_character_of_a_token():
    for at in range(0, len(TOKEN), 7):
        twin = "A" if TOKEN[at] != "A" else "B"
        with pytest.raises((Malformed, NotAuthentic)):
            read(TOKEN[:at] + twin + TOKEN[at + 1 :])


def test_network_cuts_a_token_short_or_adds_to_it():
    for at in range(0, len(TOKEN), 97):
        with pytest.raises((Malformed, NotAuthentic)):
            read(TOKEN[:at])
    for more in ("A", ".", ".A", "=", "\nA", "\0"):
        with pytest.raises((Malformed, NotAuthentic)):
            read(TOKEN + more)
    assert read(f" {TOKEN}\n") == read()


def test_another_verifier_s_ear_is_refused():
    assert refusal(ear.issue([GOOD], OTHER)) == "result_signature"
    assert refusal(key=OTHER.public) == "result_signature"


@pytest.mark.parametrize("algorithm", ["none", "None", "", None, "HS256", "ES256", "Ed25519", 1])
def test_client_names_another_algorithm(algorithm):
    payload = decoded(TOKEN.split(".")[1])
    signed = token_of({"alg": algorithm, "typ": "eat+jwt"}, payload)
    assert refusal(signed) == "result_algorithm"
    unsigned = f"{signed.rpartition('.')[0]}."
    assert refusal(unsigned) in ("result_algorithm", "token_malformed")


def test_client_signs_with_the_public_key_as_a_secret():
    header = encoded(b'{"alg":"HS256","typ":"eat+jwt"}')
    signed = f"{header}.{TOKEN.split('.')[1]}"
    mac = hmac.digest(KEY.public, signed.encode(), hashlib.sha256)
    assert refusal(f"{signed}.{encoded(mac)}") == "result_algorithm"


@pytest.mark.parametrize(
    "more",
    [
        {"jwk": jws.jwk(OTHER.public)}, {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/cert"}, {"x5c": ["MIIB"]}, {"crit": ["exp"]}, {"b64": False},
    ],
    ids=lambda more: next(iter(more)),
)  # fmt: skip
def test_client_brings_its_own_key(more):
    payload = decoded(TOKEN.split(".")[1])
    assert refusal(token_of({"alg": "EdDSA", "typ": "eat+jwt"} | more, payload, OTHER)) == (
        "token_malformed"
    )


def test_a_key_id_is_a_hint_that_nobody_follows():
    payload = decoded(TOKEN.split(".")[1])
    header = {"alg": "EdDSA", "typ": "application/eat+jwt", "kid": OTHER.public.hex()}
    assert read(token_of(header, payload)) == read()
    assert refusal(token_of(header, payload, OTHER)) == "result_signature"


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "", None, 1])
def test_client_shows_a_token_that_the_key_signed_for_something_else(typ):
    payload = decoded(TOKEN.split(".")[1])
    header = {"alg": "EdDSA", "typ": typ}
    assert refusal(token_of({k: v for k, v in header.items() if v is not None}, payload)) == (
        "result_type"
    )


def test_an_ear_ends():
    ends = AS_OF + timedelta(seconds=ear.LIFETIME)
    assert read(now=ends - timedelta(seconds=1)).status == "affirming"
    assert refusal(now=ends) == "ear_expired"
    assert refusal(resigned(exp=None), now=AS_OF + timedelta(days=1)) == "ear_expired"


def test_an_ear_from_the_future_is_refused():
    assert read(now=AS_OF - timedelta(seconds=ear.SKEW)).status == "affirming"
    assert refusal(now=AS_OF - timedelta(seconds=ear.SKEW + 1)) == "ear_not_yet_valid"


def test_client_replays_an_ear_for_another_nonce_policy_or_evidence():
    assert refusal(expected_nonce="another nonce") == "ear_nonce"
    assert refusal(ear.issue([GOOD], KEY), expected_nonce="a nonce of mine") == "ear_nonce"
    assert refusal(expected_policy=f"sha256:{'0' * 64}") == "ear_policy"
    assert refusal(expected_subject=f"sha256:{'0' * 64}") == "ear_subject"


def test_client_adds_a_policy_beside_the_right_one():
    claims = claims_of(TOKEN)
    ids = claims["submods"]["tdx"]["ear_appraisal_policy_ids"]
    ids.append(f"urn:teeproof:policy:sha256:{'0' * 64}")
    token = resigned(submods=claims["submods"])
    assert refusal(token, expected_policy=GOOD.provenance.policy_digest) == "ear_policy"


@pytest.mark.parametrize(
    "changes",
    [
        {"eat_profile": "tag:ietf.org,2026:rats/ear#03"}, {"eat_profile": None}, {"iat": None},
        {"iat": "1772366400"}, {"iat": -1}, {"exp": 1 << 40}, {"submods": {}}, {"submods": None},
        {"submods": {"tdx": {}}}, {"submods": {"tdx": {"ear_status": "good"}}},
        {"submods": {"tdx": {"ear_status": "none",
                             "ear_trustworthiness_vector": {"hardware": 128}}}},
        {"submods": {"tdx": {"ear_status": "none",
                             "ear_trustworthiness_vector": {"something": 2}}}},
        {"submods": {f"tdx_{n}": {"ear_status": "none"} for n in range(65)}},
        {"ear_verifier_id": None}, {"ear_status": 2}, {"eat_nonce": ["a", "b"]},
    ],
    ids=str,
)  # fmt: skip
def test_claims_of_another_form_are_refused(changes):
    assert refusal(resigned(**changes)) == "ear_malformed"


@pytest.mark.parametrize("status", TIERS)
@pytest.mark.parametrize("value", [2, 32, 96])
def test_a_status_is_never_better_than_its_worst_claim(status, value):
    tiers = {2: "affirming", 32: "warning", 96: "contraindicated"}
    part = {"ear_status": status, "ear_trustworthiness_vector": {"hardware": value}}
    token = resigned(submods={"cpu": part}, ear_status=None)
    if status == "none" or TIERS.index(status) >= TIERS.index(tiers[value]):
        assert read(token).status == status
    else:
        assert refusal(token) == "ear_malformed"


def test_a_whole_is_never_better_than_its_parts():
    parts = {"a": {"ear_status": "affirming"}, "b": {"ear_status": "none"}}
    assert refusal(resigned(submods=parts, ear_status="affirming")) == "ear_malformed"
    assert read(resigned(submods=parts, ear_status=None)).status == "none"


def test_one_key_twice_and_deep_nesting_are_refused():
    twice = decoded(TOKEN.split(".")[1]).replace(b'{"ear_status"', b'{"iat":1,"ear_status"', 1)
    assert refusal(jws.seal(twice, expanded=KEY.expanded, kind="eat+jwt")) == "json_duplicate_key"
    deep = b'{"a":' * 200 + b"1" + b"}" * 200
    assert refusal(jws.seal(deep, expanded=KEY.expanded, kind="eat+jwt")) == "json_too_deep"


def test_a_huge_token_is_refused_before_anything_is_read():
    with pytest.raises(TooLarge):
        read("A" * (jws.MAX_TOKEN_BYTES + 1))


def test_base64_has_one_spelling():
    head, payload, signature = TOKEN.split(".")
    for twin in (signature + "==", signature[:9] + "\n" + signature[9:], " " + signature):
        with pytest.raises((Malformed, NotAuthentic)):
            read(f"{head}.{payload}.{twin}")
    with pytest.raises(Malformed, match="token"):
        jws.payload_of(f"{head}.-_-_.{signature}".replace("-_-_", "+/+/"))
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(signature[-1])
    loose = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last ^ 1]
    assert refusal(f"{head}.{payload}.{signature[:-1]}{loose}") == "token_malformed"


@pytest.mark.parametrize(
    ("verdicts", "options", "code"),
    [
        ([], {}, "ear_parts"),
        ([GOOD] * 65, {}, "ear_parts"),
        ([GOOD, replace(GOOD, provenance=replace(GOOD.provenance, time="2026-03-02T00:00:00Z"))],
         {}, "ear_parts"),
        ([GOOD], {"lifetime": 0}, "ear_lifetime"),
        ([GOOD], {"lifetime": 86_401}, "ear_lifetime"),
        ([GOOD], {"nonce": "short"}, "nonce_malformed"),
        ([GOOD], {"nonce": "n" * 89}, "nonce_malformed"),
        ([GOOD], {"nonce": "line\nbreak"}, "nonce_malformed"),
    ],
)  # fmt: skip
def test_what_no_ear_is_made_of(verdicts, options, code):
    with pytest.raises(Usage) as caught:
        ear.issue(verdicts, KEY, **options)
    assert caught.value.code == code


def test_a_weak_key_signs_for_nobody():
    zero = bytes(32)
    assert refusal(key=zero) == "result_signature"
