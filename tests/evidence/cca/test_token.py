"""Tokens made here: their form, what holds them together, and who cannot break that."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from teeproof.core.errors import Error, Malformed, TooLarge, Usage
from teeproof.evidence.cca.keys import PlatformKey, parse_platform_key
from teeproof.evidence.cca.policy import CcaPolicy
from teeproof.evidence.cca.token import MAX_TOKEN_BYTES, parse
from teeproof.evidence.simulated.cose import cbor, sign1
from tests.evidence.cca.scenes import (
    CCA,
    CPAK,
    INSTANCE,
    KEY,
    RAK,
    TRUSTED,
    Trusted,
    failures,
    found,
    judge,
    platform_claims,
    point,
    realm_claims,
    states,
    token,
    wrap,
)

OTHER = ec.derive_private_key(1003, ec.SECP384R1())


def cose_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    whole = point(key)
    half = len(whole) // 2
    return cbor({1: 2, -1: 2, -2: whole[1 : half + 1], -3: whole[half + 1 :]})


def test_a_token_in_order_holds():
    assert failures(judge(token())) == []
    facts = found(token()).facts
    assert facts is not None
    assert facts.report_data == bytes(range(64))
    assert facts.root == KEY.fingerprint


def test_the_key_of_the_later_profile_is_a_cose_key():
    later = {"c44237": cose_key(RAK), "c265": "tag:arm.com,2023:realm#1.0.0"}
    data = token({"c265": "tag:arm.com,2023:cca_platform#1.0.0"}, later)
    assert failures(judge(data)) == []
    assert parse(data).realm.point == point(RAK)
    assert parse(data).realm.profile == "tag:arm.com,2023:realm#1.0.0"


@pytest.mark.parametrize(("name", "size"), [("sha-256", 32), ("sha-384", 48), ("sha-512", 64)])
def test_the_digest_of_the_realms_key_may_be_any_of_three(name, size):
    import hashlib

    challenge = hashlib.new(name.replace("-", ""), point(RAK)).digest()
    assert len(challenge) == size
    realm = {"c44240": name, "c44237": point(RAK), "c265": None}
    assert failures(judge(token({"c10": challenge}, realm))) == []


def test_claims_that_are_not_understood_are_listed_and_change_nothing():
    data = token({"c2500": "new"}, {"c44242": "public"})
    facts = found(data).facts
    assert facts is not None
    assert facts.to_json()["unread_claims"] == ["2500", "44242"]


@pytest.mark.parametrize(
    ("platform", "realm"),
    [
        ({"c265": None}, {}),
        ({"c265": 7}, {}),
        ({"c265": "tag:arm.com,2023:cca_platform#1.0.1"}, {}),
        ({"c265": "tag:arm.com,2023:realm#1.0.0"}, {}),
        ({"c2402": "sha-512", "c2399": [{2: bytes(32), 5: bytes(32)}]}, {}),
        ({"c2399": [{2: bytes(32), 5: bytes(32), 6: "sha-384"}]}, {}),
        ({"c2399": [{2: bytes(32), 5: bytes(32), 6: "sha-1"}]}, {}),
        ({}, {"c265": "tag:arm.com,2023:realm#2.0.0"}),
        ({}, {"c44238": bytes(64)}),
        ({}, {"c44239": [bytes(32)] * 3 + [bytes(48)]}),
        ({}, {"c44236": "sha-384"}),
        ({"c10": bytes(31)}, {}),
        ({"c10": [bytes(32)]}, {}),
        ({"c2396": bytes(31)}, {}),
        ({"c256": bytes(33)}, {}),
        ({"c256": b"\1" * 32}, {}),
        ({"c2401": None}, {}),
        ({"c2395": "secured"}, {}),
        ({"c2395": -1}, {}),
        ({"c2395": True}, {}),
        ({"c2395": 0x10000}, {}),
        ({"c2402": "md5"}, {}),
        ({"c2399": []}, {}),
        ({"c2399": [{}]}, {}),
        ({"c2399": [{2: bytes(32)}]}, {}),
        ({"c2399": [{2: bytes(20), 5: bytes(32)}]}, {}),
        ({"c2399": [{1: 7, 2: bytes(32), 5: bytes(32)}]}, {}),
        ({"c2399": [{2: bytes(32), 5: bytes(32)}] * 65}, {}),
        ({"c2400": ""}, {}),
        ({}, {"c10": bytes(32)}),
        ({}, {"c44235": bytes(63)}),
        ({}, {"c44238": None}),
        ({}, {"c44239": [bytes(64)] * 3}),
        ({}, {"c44239": [bytes(64)] * 3 + [bytes(63)]}),
        ({}, {"c44236": "sha-1"}),
        ({}, {"c44240": "sha256"}),
        ({}, {"c44237": None}),
        ({}, {"c44237": cbor({1: 2, -1: 2, -2: bytes(48)})}),
        ({}, {"c44237": cbor({1: 2, -1: 1, -2: bytes(48), -3: bytes(48)})}),
        ({}, {"c44237": cbor({1: 1, -1: 2, -2: bytes(48), -3: bytes(48)})}),
        ({}, {"c44237": cbor([])}),
        ({}, {"c265": 7}),
    ],
    ids=str,
)
def test_a_claim_that_is_missing_or_of_another_form_is_refused(platform, realm):
    with pytest.raises(Malformed) as refusal:
        parse(token(platform, realm))
    assert refusal.value.code == "cca_malformed"


def test_what_is_no_token_is_refused():
    whole = token()
    inner = sign1(CPAK, cbor(platform_claims(point(RAK))))
    realm = sign1(RAK, cbor(realm_claims()), tagged=True)
    extra = b"\xd9\x01\x8f" + cbor({44234: realm, 44241: realm, 1: b""})
    for broken in (b"", b"\xf6", whole[3:], wrap(inner, realm), extra, cbor({44234: realm})):
        with pytest.raises(Malformed):
            parse(broken)
    with pytest.raises(Malformed):
        parse(b"\xd9\x01\x8f" + cbor({44234: 1, 44241: 2}))
    with pytest.raises(TooLarge):
        parse(bytes(MAX_TOKEN_BYTES + 1))


def test_host_writes_a_claim_twice_and_is_refused():
    said = cbor(realm_claims())
    twice = bytes([said[0] + 1]) + said[1:] + cbor(44238) + cbor(bytes(64))
    platform = sign1(CPAK, cbor(platform_claims(point(RAK))), tagged=True)
    with pytest.raises(Malformed, match="twice"):
        parse(wrap(platform, sign1(RAK, twice, tagged=True)))


def test_host_signs_the_platforms_token_itself_and_is_refused():
    codes = failures(judge(token(cpak=OTHER)))
    assert codes == [("cca-platform-signature", "platform_signature", "authenticity")]


def test_host_signs_the_realms_token_itself_and_is_refused():
    codes = failures(judge(token(rak=OTHER)))
    assert codes == [("cca-realm-signature", "realm_signature", "authenticity")]


def test_host_joins_a_realm_of_its_own_to_a_real_platform_and_is_refused():
    platform = sign1(CPAK, cbor(platform_claims(point(RAK))), tagged=True)
    own = sign1(OTHER, cbor(realm_claims(c44237=point(OTHER))), tagged=True)
    checks = judge(wrap(platform, own))
    assert failures(checks) == [("cca-binding", "realm_key_binding", "authenticity")]
    assert states(checks)["cca-realm-signature"] == "not_checked"


def test_host_names_a_point_that_is_no_key_and_is_refused():
    for claim in (b"\4" + bytes(96), b"\4" + bytes(95), b"\4" + b"\1" * 96, b"\4"):
        codes = failures(judge(token(realm={"c44237": claim})))
        assert codes == [("cca-realm-signature", "key_malformed", "authenticity")]


def test_operator_debugs_the_platform_and_is_refused():
    for state in (0x0000, 0x1000, 0x2000, 0x4001, 0x5000, 0x60FF, 0x3100, 0x7000):
        codes = failures(judge(token({"c2395": state})))
        assert codes == [("cca-lifecycle", "lifecycle_not_secured", "policy")]
    for state in (0x3000, 0x30FF):
        assert failures(judge(token({"c2395": state}))) == []


def test_a_key_serves_its_own_platform_only():
    other = b"\1" + bytes(32)
    elsewhere = Trusted(platform_keys=(PlatformKey(point=point(CPAK), instance_id=other),))
    codes = failures(judge(token(), elsewhere))
    assert codes == [("cca-platform-key", "platform_key_unknown", "authenticity")]
    anywhere = Trusted(platform_keys=(PlatformKey(point=point(CPAK)),))
    assert failures(judge(token(), anywhere)) == []


def test_of_several_keys_the_one_that_signed_counts():
    wrong = PlatformKey(point=point(OTHER))
    several = Trusted(platform_keys=(wrong, KEY), simulated_keys=(wrong,))
    facts = found(token(), several).facts
    assert facts is not None
    assert (facts.level, facts.root) == ("hardware", KEY.fingerprint)


_REALM, _PLATFORM = CCA.realm_claims(bytes(64)), CCA.platform_claims(b"")
LISTED: dict[str, tuple[str, ...]] = {
    "implementation_id": (_PLATFORM[2396].hex(),),
    "rim": (_REALM[44238].hex(),),
    **{f"rem{index}": (value.hex(),) for index, value in enumerate(_REALM[44239])},
    "personalization_value": (_REALM[44235].hex(),),
}


def expecting(**fields: Any) -> Trusted:
    return replace(TRUSTED, cca=CcaPolicy(**fields))


@pytest.mark.parametrize("name", LISTED)
def test_a_value_is_held_against_the_list(name):
    check, code = name.replace("_", "-"), f"{name}_mismatch"
    good = expecting(**{name: LISTED[name]})
    assert states(judge(token(), good))[check] == "passed"
    assert states(judge(token()))[check] == "not_checked"
    bad = expecting(**{name: ("ff" * (len(LISTED[name][0]) // 2),)})
    assert failures(judge(token(), bad)) == [(check, code, "policy")]


def test_every_part_of_the_firmware_is_held_against_the_list():
    measured = tuple(each[2].hex() for each in _PLATFORM[2399])
    signer = (_PLATFORM[2399][0][5].hex(),)
    good = expecting(component_measurements=measured, component_signers=signer)
    assert states(judge(token(), good))["platform-components"] == "passed"
    assert states(judge(token()))["platform-components"] == "not_checked"
    for fields in ({"component_measurements": measured[1:]}, {"component_signers": measured}):
        bad = expecting(**fields)
        codes = failures(judge(token(), bad))
        assert codes == [("platform-components", "platform_component_unlisted", "policy")]


def test_a_state_of_the_platforms_life_that_the_policy_lists_is_let_through_and_shares_secrets():
    debugged = token({"c2395": 0x5000})
    listing = expecting(lifecycle=("secured", "recoverable debug"))
    assert failures(judge(debugged, listing)) == []
    facts = found(debugged, listing).facts
    assert (facts.level, facts.confidential) == ("hardware", False)
    assert failures(judge(token(), listing)) == []
    codes = failures(judge(debugged, expecting(lifecycle=("secured",))))
    assert codes == [("cca-lifecycle", "lifecycle_not_listed", "policy")]


@pytest.mark.parametrize(
    "fields",
    [{"rim": ("00",)}, {"rim": "00" * 64}, {"rem0": ("AB" * 64,)}, {"implementation_id": ("0",)}],
    ids=str,
)
def test_an_expectation_that_cannot_be_met_is_refused(fields):
    with pytest.raises(Usage):
        CcaPolicy(**fields)


def jwk(**changes: Any) -> str:
    whole = point(CPAK)
    x, y = (urlsafe_b64encode(p).rstrip(b"=").decode() for p in (whole[1:49], whole[49:]))
    return json.dumps({"kty": "EC", "crv": "P-384", "x": x, "y": y} | changes)


def test_a_platforms_key_is_read_from_a_json_web_key():
    assert parse_platform_key(jwk(), instance_id=INSTANCE) == KEY


@pytest.mark.parametrize(
    "changes",
    [{"kty": "RSA"}, {"crv": "P-256"}, {"crv": "secp256k1"}, {"x": "AA"}, {"y": 7}, {"d": "AA"}],
    ids=str,
)
def test_what_is_no_public_key_of_a_platform_is_refused(changes):
    with pytest.raises(Error):
        parse_platform_key(jwk(**changes))


def test_a_key_that_is_no_point_cannot_be_named():
    for wrong in (b"", b"\4" + bytes(96), bytes(97)):
        with pytest.raises(Usage):
            PlatformKey(point=wrong)
    with pytest.raises(Usage):
        PlatformKey(point=point(CPAK), instance_id=b"\1")
