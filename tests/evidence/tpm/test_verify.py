"""A quote in order gives facts; each thing that may be wrong has its check and its code."""

from __future__ import annotations

import ssl
from dataclasses import replace
from hashlib import sha384

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed
from teeproof.evidence.marks import SIMULATED_ROOT_OID
from teeproof.evidence.tpm import certificates
from teeproof.evidence.tpm.wire import SHA1, SHA256, SHA384
from tests.evidence.tpm import forge
from tests.evidence.tpm.forge import NOW, D, failures, judge, state, voucher

ORDER = [
    "tpm-quote-format",
    "ak-certificates",
    "ak-root",
    "ak-chain",
    "ak-certificate-dates",
    "ak-revocation",
    "ak-binding",
    "ak-attributes",
    "tpm-signature",
    "tpm-signer",
    "tpm-pcrs",
    "tpm-qualifying-data",
]


def test_a_quote_by_a_key_that_a_friend_vouches_for_gives_facts():
    found = judge(by=voucher())
    assert [check.name for check in found.checks] == ORDER
    assert failures(found) == []
    assert found.facts.level == "measured"
    assert not found.facts.confidential
    assert found.facts.qualifying_data == D
    assert found.facts.pcrs == {SHA256: forge.pcrs()}
    assert found.facts.to_json()["pcrs"]["sha256"]["0"] == forge.pcrs()[0].hex()
    assert found.facts.evidence_id == found.evidence_id


def test_a_quote_by_a_certified_key_gives_facts_with_the_root():
    authority = forge.Authority()
    chain = authority.chain(forge.ec_key())
    found = judge(certificates=chain, roots=authority.roots)
    assert failures(found) == []
    assert found.facts.level == "measured"
    assert found.root == authority.fingerprint
    assert state(found, "ak-revocation") == "not_checked"
    # The certificate holds the bare key; what else the key says of itself is its own word.
    assert state(found, "ak-attributes") == "not_checked"


@pytest.mark.parametrize("pss", [False, True], ids=["RSASSA", "RSAPSS"])
def test_a_quote_by_an_rsa_key_gives_facts(pss):
    key, given = forge.rsa_key(), forge.evidence(forge.rsa_key())
    bare = {"public": None, "spki": forge.spki(key)}
    signature = forge.sign(key, given.quote, pss=pss)
    found = judge(given, by=voucher(key, name=False), signature=signature, **bare)
    assert failures(found) == []
    assert found.facts is not None


def test_the_digest_of_registers_is_by_the_hash_of_the_signature():
    digest = sha384(b"".join(forge.pcrs().values())).digest()
    given = forge.evidence(digest=digest)
    signature = forge.sign(forge.ec_key(), given.quote, hashed=SHA384)
    bare = {"public": None, "spki": forge.spki(forge.ec_key())}
    by = voucher(name=False)
    assert failures(judge(given, by=by, signature=signature, **bare)) == []
    # Who vouches for its attributes must see them: a key may have been imported.
    missing = [("ak-attributes", "ak_public_missing")]
    assert failures(judge(given, by=voucher(), signature=signature, **bare)) == missing


def test_without_registers_a_quote_says_so():
    found = judge(by=voucher(), pcrs=None)
    assert failures(found) == []
    assert state(found, "tpm-pcrs") == "not_checked"
    assert found.facts.pcrs == {}


def test_a_quote_of_no_register_says_so():
    found = judge(forge.evidence(selected=forge.selection()), by=voucher())
    assert state(found, "tpm-pcrs") == "not_checked"


def test_an_unexpected_question_is_not_checked():
    found = judge(by=voucher(), expected_data=None)
    assert state(found, "tpm-qualifying-data") == "not_checked"


def test_a_key_below_another_one_is_not_told_from_the_quote():
    found = judge(forge.evidence(signer=b"\0\x0b" + bytes(32)), by=voucher())
    assert state(found, "tpm-signer") == "not_checked"
    assert found.facts is not None


def test_the_identity_is_that_of_every_twin_of_the_signature():
    first, second = judge(by=voucher()), judge(by=voucher())
    twin = forge.evidence()
    assert twin.signature != forge.evidence().signature  # ECDSA draws a fresh number
    assert first.evidence_id == second.evidence_id
    assert judge(by=voucher(), pcrs=None).evidence_id == first.evidence_id
    authority = forge.Authority()
    chained = judge(
        by=voucher(), certificates=authority.chain(forge.ec_key()), roots=authority.roots
    )
    assert failures(chained) == []
    assert chained.evidence_id == first.evidence_id
    other = judge(forge.evidence(data=bytes(32)), by=voucher())
    assert other.evidence_id != first.evidence_id


REFUSED = {
    "a register changed": (
        {"pcrs": {SHA256: forge.pcrs() | {7: bytes(32)}}},
        [("tpm-pcrs", "pcr_digest_mismatch")],
    ),
    "a register missing": (
        {"pcrs": {SHA256: {i: v for i, v in forge.pcrs().items() if i != 7}}},
        [("tpm-pcrs", "pcrs_missing")],
    ),
    "registers of another bank": (
        {"pcrs": {SHA384: forge.pcrs(SHA384)}},
        [("tpm-pcrs", "pcrs_missing")],
    ),
    "another signature": (
        {"signature": forge.sign(forge.ec_key(), b"something else")},
        [("tpm-signature", "tpm_signature")],
    ),
    "an RSA signature of an ECC key": (
        {"signature": forge.words(0x14, 0xB) + forge.sized(bytes(256))},
        [("ak-attributes", "ak_scheme"), ("tpm-signature", "tpm_signature_scheme")],
    ),
    "a signature over SHA-1": (
        {"signature": forge.words(0x18, SHA1) + forge.sized(b"\1") * 2, "pcrs": None},
        [("ak-attributes", "ak_scheme"), ("tpm-signature", "tpm_signature_scheme")],
    ),
    "another question": (
        {"expected_data": bytes(32)},
        [("tpm-qualifying-data", "qualifying_data_mismatch")],
    ),
    "part of the question": (
        {"expected_data": D[:31]},
        [("tpm-qualifying-data", "qualifying_data_mismatch")],
    ),
}


@pytest.mark.parametrize(("changes", "expected"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_fails_its_check_by_its_code(changes, expected):
    found = judge(by=voucher(), **changes)
    assert failures(found) == expected
    assert found.facts is None


def test_what_is_missing_is_no_forgery():
    found = judge(by=voucher(), pcrs={SHA256: {}})
    assert [check.concern for check in found.checks if check.state == "failed"] == ["availability"]


def test_two_different_keys_are_refused():
    with pytest.raises(Malformed):
        judge(by=voucher(), spki=forge.spki(forge.ec_key(2)))


def test_a_weak_key_is_refused():
    with pytest.raises(Malformed) as refusal:
        judge(by=None, public=None, spki=forge.spki(forge.rsa_key(1024)))
    assert refusal.value.code == "ak_malformed"


CHAINS = {
    "a root that nobody pinned": (
        lambda a: {"certificates": a.chain(forge.ec_key())},
        [("ak-root", "ak_root_not_pinned")],
    ),
    "no chain": (
        lambda a: {"certificates": b"-", "roots": a.roots},
        [("ak-certificates", "ak_certificates_malformed"), ("ak-binding", "ak_not_bound")],
    ),
    "another key's": (
        lambda a: {"certificates": a.chain(forge.ec_key(2)), "roots": a.roots},
        [("ak-binding", "ak_other_key")],
    ),
    "an expired leaf": (
        lambda a: {"certificates": a.chain(forge.ec_key(), days=(-9, -1)), "roots": a.roots},
        [("ak-certificate-dates", "certificate_expired")],
    ),
    "a leaf of tomorrow": (
        lambda a: {"certificates": a.chain(forge.ec_key(), days=(1, 9)), "roots": a.roots},
        [("ak-certificate-dates", "certificate_not_yet_valid")],
    ),
    "a leaf for servers": (
        lambda a: {
            "certificates": a.chain(forge.ec_key(), purposes=("1.3.6.1.5.5.7.3.1",)),
            "roots": a.roots,
        },
        [("ak-binding", "ak_purpose")],
    ),
    "a leaf of an endorsement key": (
        lambda a: {
            "certificates": a.chain(forge.ec_key(), purposes=(forge.EK_PURPOSE,), signs=False),
            "roots": a.roots,
        },
        [("ak-binding", "ak_purpose")],
    ),
    "a leaf that does not sign": (
        lambda a: {"certificates": a.chain(forge.ec_key(), signs=False), "roots": a.roots},
        [("ak-binding", "ak_purpose")],
    ),
    "an authority as leaf": (
        lambda a: {"certificates": a.chain(forge.ec_key(), ca=True), "roots": a.roots},
        [("ak-binding", "ak_purpose")],
    ),
}


@pytest.mark.parametrize(("made", "expected"), CHAINS.values(), ids=CHAINS)
def test_a_chain_that_vouches_for_nothing_is_refused(made, expected):
    found = judge(**made(forge.Authority()))
    assert failures(found) == expected
    assert found.facts is None


@pytest.mark.parametrize("purposes", [(), (forge.EK_PURPOSE,)], ids=["none", "endorsement"])
def test_a_leaf_as_google_issues_it_counts_if_it_is_for_signing(purposes):
    authority = forge.Authority()
    chain = authority.chain(forge.ec_key(), purposes=purposes)
    assert failures(judge(certificates=chain, roots=authority.roots)) == []


def test_a_chain_in_another_order_is_refused():
    authority = forge.Authority()
    leaf = authority.chain(forge.ec_key()).removesuffix(authority.ca + authority.root)
    found = judge(certificates=leaf + authority.root + authority.ca, roots=authority.roots)
    assert ("ak-root", "ak_root_not_pinned") in failures(found)
    found = judge(certificates=leaf + authority.root, roots=authority.roots)
    assert ("ak-chain", "ak_chain_signature") in failures(found)


def test_an_issuer_that_may_not_sign_is_refused():
    authority = forge.Authority()
    imposter = forge.certificate(forge.ec_key(60), authority.ca_key, "imp", "ca")
    leaf = forge.certificate(
        forge.ec_key(), forge.ec_key(60), "ak", "imp", purposes=(forge.AK_PURPOSE,)
    )
    chain = leaf + imposter + authority.ca + authority.root
    found = judge(certificates=chain, roots=authority.roots)
    assert failures(found) == [("ak-chain", "ak_chain_signature")]


def test_a_chain_longer_than_its_root_allows_is_refused():
    authority = forge.Authority(root_path=0)
    found = judge(certificates=authority.chain(forge.ec_key()), roots=authority.roots)
    assert failures(found) == [("ak-chain", "ak_chain_signature")]


def test_a_demand_that_nobody_understands_is_refused():
    authority = forge.Authority()
    names = x509.NameConstraints([x509.DNSName("example.org")], None)
    chain = authority.chain(forge.ec_key(), extra=(names,))
    found = judge(certificates=chain, roots=authority.roots)
    assert failures(found) == [("ak-chain", "ak_chain_extension")]


def test_what_hangs_on_a_simulators_root_is_simulated():
    root = forge.ec_key(70)
    mark = x509.UnrecognizedExtension(x509.ObjectIdentifier(SIMULATED_ROOT_OID), b"\x05\x00")
    pem = forge.certificate(root, root, "root", "root", ca=True, extra=(mark,), critical=False)
    leaf = forge.certificate(forge.ec_key(), root, "ak", "root", purposes=(forge.AK_PURPOSE,))
    roots = frozenset({named(sha256(forge.spki(root)))})
    found = judge(certificates=leaf + pem, roots=roots)
    assert failures(found) == []
    assert found.facts.level == "simulated"


def test_a_signature_algorithm_that_nobody_knows_is_no_certificate():
    authority = forge.Authority()
    der = ssl.PEM_cert_to_DER_cert(authority.root.decode())
    ecdsa = bytes.fromhex("2a8648ce3d040302")
    odd = ssl.DER_cert_to_PEM_cert(der.replace(ecdsa, bytes.fromhex("2a8658ce3d040302")))
    found = judge(certificates=odd.encode(), roots=authority.roots)
    assert failures(found)[0] == ("ak-certificates", "ak_certificates_malformed")


def test_a_certificate_over_a_hash_that_is_not_safe_is_refused(monkeypatch):
    # The library signs nothing over SHA-1 any more, so another hash plays its part.
    monkeypatch.setattr(certificates, "_SAFE", (hashes.SHA384,))
    authority = forge.Authority()
    found = judge(certificates=authority.chain(forge.ec_key()), roots=authority.roots)
    assert failures(found) == [("ak-chain", "ak_chain_signature")]


def test_a_voucher_beside_a_broken_chain_does_not_mend_it():
    found = judge(by=voucher(), certificates=forge.Authority().chain(forge.ec_key()))
    assert failures(found) == [("ak-root", "ak_root_not_pinned")]
    assert found.facts is None


def test_at_another_time_the_same_evidence_is_refused():
    authority = forge.Authority()
    chain = authority.chain(forge.ec_key())
    late = judge(certificates=chain, roots=authority.roots, now=NOW + 400 * 86400)
    assert failures(late) == [("ak-certificate-dates", "certificate_expired")]
    assert replace(late, checks=()).facts is None
