"""A real TPM (swtpm): our attester makes a key, extends, quotes; our verifier believes it."""

from __future__ import annotations

import hashlib
import shutil
import ssl
import subprocess

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from teeproof.core.errors import NotAuthentic, Unavailable, Usage
from teeproof.evidence.collect import Attester
from teeproof.evidence.collect.tpm import TpmAttester
from teeproof.evidence.collect.tpm_commands import Tpm, ecc_ak_template, rsa_ak_template
from teeproof.evidence.collect.tpm_device import open_channel
from teeproof.evidence.eventlog import firmware
from teeproof.evidence.tpm import certificates, credential, document, gcp
from teeproof.evidence.tpm import public as tpm_public
from teeproof.evidence.tpm.quote import Selection
from teeproof.evidence.tpm.verify import verify
from teeproof.evidence.tpm.wire import HASH_NAMES, SHA256
from tests.evidence.eventlog import tcglogs
from tests.evidence.tpm import forge
from tests.evidence.tpm.forge import NOW, D, failures, state
from tests.evidence.tpm.software import lay_down, software_tpm

SECRET, SEED = bytes(range(32)), bytes(range(32, 64))


@pytest.fixture(scope="module")
def address():
    with software_tpm() as address:
        yield address


@pytest.fixture(params=["ecc", "rsa"])
def attester(request, address):
    return TpmAttester(address, key=request.param, event_log=None)


class _Key:
    """The public half of a key that a TPM holds, as an authority sees it."""

    def __init__(self, spki: bytes) -> None:
        self._spki = spki

    def public_key(self):
        return load_der_public_key(self._spki)


def enrolled(attester, *, secret=SECRET):
    keys = attester.enrolment()
    made = credential.challenge(
        keys.endorsement_key, keys.attestation_key, secret=secret, seed=SEED
    )
    return credential.enrol(
        keys.attestation_key, answer=attester.answer(made), secret=secret, by="an enrolment"
    )


def extend(address: str, events) -> None:
    with open_channel(address, timeout=120) as channel:
        tpm = Tpm(channel, name=address)
        banks = [one.bank for one in tpm.banks()]
        for event in events:
            if event.extends:
                content = event.data
                digests = {b: hashlib.new(HASH_NAMES[b], content).digest() for b in banks}
                tpm.extend(event.register, digests)


def test_a_real_quote_by_an_enrolled_key_gives_facts(attester):
    given = attester.quote(D)
    found = verify(given, roots=frozenset(), now=NOW, voucher=enrolled(attester), expected_data=D)
    assert failures(found) == []
    unchecked = [check.name for check in found.checks if check.state == "not_checked"]
    assert all(name.startswith("ak-") for name in unchecked)
    assert state(found, "ak-attributes") == state(found, "tpm-signer") == "passed"
    assert found.facts.level == "measured"
    assert sorted(found.facts.pcrs[SHA256]) == list(range(24))


def test_the_same_quote_without_an_enrolment_is_refused(attester):
    found = verify(attester.quote(D), roots=frozenset(), now=NOW, expected_data=D)
    assert failures(found) == [("ak-binding", "ak_not_bound")]


def test_a_real_quote_by_a_certified_key_gives_facts(attester):
    given, authority = attester.quote(D), forge.Authority()
    spki = tpm_public.parse(given.public).spki

    chain = authority.chain(_Key(spki))
    certified = document.TpmEvidence(
        given.quote, given.signature, given.public, None, given.pcrs, chain
    )
    found = verify(certified, roots=authority.roots, now=NOW, expected_data=D)
    assert failures(found) == []
    assert document.parse(certified.to_bytes()) == certified


def test_each_quote_answers_its_own_question_with_the_same_key(attester):
    first, second = attester.quote(D), attester.quote(bytes(32))
    assert first.public == second.public
    by = enrolled(attester)
    found = verify(second, roots=frozenset(), now=NOW, voucher=by, expected_data=D)
    assert failures(found) == [("tpm-qualifying-data", "qualifying_data_mismatch")]


def test_another_verifier_believes_the_same_quote(attester, tmp_path):
    program = shutil.which("tpm2_checkquote")
    if program is None:
        pytest.skip("tpm2-tools are missing: apt-get install tpm2-tools")
    given = attester.quote(D)
    for name in ("quote", "signature", "public"):
        (tmp_path / name).write_bytes(getattr(given, name))
    command = [program, "-u", "public", "-m", "quote", "-s", "signature", "-g", "sha256", "-q"]
    for data, good in ((D, True), (bytes(32), False)):
        asked = subprocess.run(
            [*command, data.hex()], cwd=tmp_path, capture_output=True, check=False
        )
        assert (asked.returncode == 0) is good, asked.stderr


def test_evidence_is_our_document_and_binds_d_alone(attester):
    assert isinstance(attester, Attester)
    evidence = attester.attest(D + bytes(32))
    given = document.parse(evidence.quote)
    by = enrolled(attester)
    assert failures(verify(given, roots=frozenset(), now=NOW, voucher=by, expected_data=D)) == []
    for wrong in (D, bytes(63), D + D):
        with pytest.raises(Usage):
            attester.attest(wrong)


def test_host_answers_a_challenge_with_another_tpm(attester):
    with software_tpm() as elsewhere:
        other = TpmAttester(elsewhere, event_log=None)
        mine, theirs = attester.enrolment(), other.enrolment()
        assert mine.endorsement_key != theirs.endorsement_key
        made = credential.challenge(
            theirs.endorsement_key, mine.attestation_key, secret=SECRET, seed=SEED
        )
        for tpm in (attester, other):
            with pytest.raises(Unavailable) as refusal:
                tpm.answer(made)
            assert refusal.value.code == "tpm_error"


def test_host_guesses_the_answer(attester):
    key = attester.enrolment().attestation_key
    for answer in (b"", bytes(32), SECRET[:31]):
        with pytest.raises(NotAuthentic):
            credential.enrol(key, answer=answer, secret=SECRET, by="an enrolment")


def test_the_endorsement_key_of_a_real_tpm_is_held_against_its_makers_chain(attester):
    spki = tpm_public.parse(attester.enrolment().endorsement_key).spki

    maker = forge.Authority()
    pem = maker.chain(_Key(spki), purposes=(forge.EK_PURPOSE,), signs=False)
    chain = certificates.parse_chain(pem)
    require = certificates.require_endorsement_key
    require(chain, spki, roots=maker.roots, now=NOW)
    plain = certificates.parse_chain(maker.chain(_Key(spki), purposes=(), signs=False))
    require(plain, spki, roots=maker.roots, now=NOW)
    for how in (
        {"roots": frozenset(), "now": NOW},
        {"roots": maker.roots, "now": NOW + 400 * 86400},
    ):
        with pytest.raises(NotAuthentic):
            require(chain, spki, **how)
    as_ak = certificates.parse_chain(maker.chain(_Key(spki)))
    for wrong, key in ((as_ak, spki), (chain, forge.spki(forge.rsa_key()))):
        with pytest.raises(NotAuthentic):
            require(wrong, key, roots=maker.roots, now=NOW)


def test_a_boot_that_a_real_tpm_measured_is_explained_by_its_log():
    with software_tpm() as address:
        log = tcglogs.whole()
        extend(address, firmware.parse(log).events)
        attester = TpmAttester(address, event_log=None)
        by = enrolled(attester)
        given = attester.quote(D)
        facts = verify(given, roots=frozenset(), now=NOW, voucher=by, expected_data=D).facts
        checks, boot = firmware.verify_tpm(log, banks=facts.pcrs)
        assert [check.state for check in checks] == ["passed"] * 4
        assert boot.secure_boot is True
        removed = tcglogs.whole(leave_out=3)
        checks, boot = firmware.verify_tpm(removed, banks=facts.pcrs)
        assert ("tcg-log-replay", "tcg_log_mismatch") in [(c.name, c.code) for c in checks]
        assert boot is None


@pytest.mark.parametrize("key", ["ecc", "rsa"])
def test_a_key_that_the_cloud_certified_is_made_again_and_believed(key):
    with software_tpm() as address:
        template = {"ecc": ecc_ak_template, "rsa": rsa_ak_template}[key]()
        made = TpmAttester(address, key=key, event_log=None).enrolment().attestation_key
        google = forge.Authority()
        pem = google.chain(_Key(tpm_public.parse(made).spki), purposes=())
        issuers = google.ca + google.root
        at = {"rsa": 0x01C10000, "ecc": 0x01C10002}[key]
        der = ssl.PEM_cert_to_DER_cert(pem.removesuffix(issuers).decode())
        lay_down(address, at, der)
        lay_down(address, at + 1, template[2:])
        attester = TpmAttester.google(address, key=key, issuers=issuers, event_log=None)
        tdx_quote = b"the quote of the same machine"
        given = attester.quote(gcp.data_for(tdx_quote))
        found = verify(given, roots=google.roots, now=NOW)
        assert failures(found) == []
        assert gcp.check_tdx_quote(found.facts.quote, tdx_quote).state == "passed"


def test_a_machine_that_no_cloud_prepared_has_no_certified_key(address):
    with pytest.raises(Unavailable, match="no such object"):
        TpmAttester.google(address, issuers=b"", event_log=None)


def test_registers_are_read_a_few_at_a_time_and_whole(address):
    with open_channel(address, timeout=120) as channel:
        tpm = Tpm(channel, name=address)
        banks = tpm.banks()
        values = tpm.read_pcrs(banks)
    assert {one.bank: len(one.registers) for one in banks} == {
        bank: len(found) for bank, found in values.items()
    }


def test_what_the_tpm_refuses_is_said_in_words(address):
    with open_channel(address, timeout=120) as channel:
        tpm = Tpm(channel, name=address)
        with pytest.raises(Unavailable, match="it knows no such object") as refusal:
            tpm.read_nv(0x01C0_0002)
        assert refusal.value.code == "tpm_error"
        with pytest.raises(Unavailable):
            tpm.quote(0x8000_0000, D, selections=[Selection(SHA256, (0,))])
