"""Attacks on TPM evidence: keys that nobody vouches for, borrowed quotes, registers and logs."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.evidence.tpm import gcp, quote
from teeproof.evidence.tpm.credential import enrol
from teeproof.evidence.tpm.facts import Voucher
from teeproof.evidence.tpm.wire import SHA1, SHA256, sized
from tests.evidence.tpm import forge
from tests.evidence.tpm.forge import D, failures, judge, voucher

CHECKLIST = {
    52: [
        "test_host_signs_with_a_key_that_nobody_vouches_for",
        "test_host_claims_that_its_key_lives_in_a_tpm",
        "test_host_selects_one_bank_of_registers_again_and_again",
    ],
}


def test_host_signs_with_a_key_that_nobody_vouches_for():
    found = judge()
    assert failures(found) == [("ak-binding", "ak_not_bound")]
    assert found.facts is None


def test_host_claims_that_its_key_lives_in_a_tpm():
    # The signature is good and the attributes are those of a TPM: a few lines of Python made both.
    found = judge(by=voucher(forge.ec_key(2)))
    assert failures(found) == [("ak-binding", "ak_other_key")]
    assert found.facts is None


def test_host_makes_a_root_of_its_own():
    theirs, ours = forge.Authority(90), forge.Authority()
    found = judge(certificates=theirs.chain(forge.ec_key()), roots=ours.roots)
    assert failures(found) == [("ak-root", "ak_root_not_pinned")]


def test_host_puts_the_true_root_behind_certificates_of_its_own():
    theirs, ours = forge.Authority(90), forge.Authority()
    chain = theirs.chain(forge.ec_key()).removesuffix(theirs.root) + ours.root
    found = judge(certificates=chain, roots=ours.roots)
    assert failures(found) == [("ak-chain", "ak_chain_signature")]


def test_host_shows_the_certificate_of_another_machine():
    authority = forge.Authority()
    found = judge(certificates=authority.chain(forge.ec_key(2)), roots=authority.roots)
    assert failures(found) == [("ak-binding", "ak_other_key")]


@pytest.mark.parametrize(
    ("bit", "code"),
    [(16, "ak_not_restricted"), (1, "ak_not_kept"), (4, "ak_not_kept"), (5, "ak_not_kept")],
    ids=["restricted", "fixedTPM", "fixedParent", "sensitiveDataOrigin"],
)
def test_host_uses_a_key_of_its_tpm_that_signs_anything(bit, code):
    key = forge.public(forge.ec_key(), attributes=forge.ATTRIBUTES & ~(1 << bit))
    found = judge(by=voucher(name=False), public=key)
    assert failures(found) == [("ak-attributes", code)]
    assert found.facts is None


def test_host_shows_a_vouched_key_with_attributes_that_it_does_not_have():
    true = forge.public(forge.ec_key(), attributes=forge.ATTRIBUTES & ~(1 << 6))
    found = judge(by=voucher(), public=true)
    assert failures(found) == [("ak-attributes", "ak_name")]


def test_host_selects_one_bank_of_registers_again_and_again():
    everything = tuple(range(24))
    for count in (2, 16):
        many = forge.selection(*[(SHA256, everything)] * count)
        with pytest.raises(Malformed) as refusal:
            judge(forge.evidence(selected=many), by=voucher())
        assert refusal.value.code == "pcr_selection_duplicated"


def test_host_announces_four_billion_banks():
    endless = forge.selection(*[(SHA256, (0,))] * 1000, count=0xFFFFFFFF)
    started = time.process_time()
    with pytest.raises(Malformed):
        quote.parse(forge.attest(selected=endless)[: quote.MAX_QUOTE_BYTES])
    assert time.process_time() - started < 0.1


@pytest.mark.parametrize("size", [0x1000, 0xFFFF])
def test_host_announces_huge_lengths(size):
    raw = forge.attest()
    for at in (6, 8):
        with pytest.raises(Malformed):
            quote.parse(raw[:at] + size.to_bytes(2, "big") + raw[at + 2 :])


def test_host_answers_with_a_quote_of_another_nonce():
    found = judge(forge.evidence(data=bytes(32)), by=voucher(), expected_data=D)
    assert failures(found) == [("tpm-qualifying-data", "qualifying_data_mismatch")]


def test_host_has_the_tpm_sign_a_text_that_looks_like_a_quote():
    # A restricted key signs nothing that begins with the TPM's own magic; another may.
    raw = forge.attest(magic=b"\xffTCF")
    with pytest.raises(Malformed):
        judge(replace(forge.evidence(), quote=raw, signature=forge.sign(forge.ec_key(), raw)))


def test_host_hands_over_registers_that_were_not_quoted():
    found = judge(by=voucher(), pcrs={SHA256: forge.pcrs() | {0: bytes(32)}})
    assert failures(found) == [("tpm-pcrs", "pcr_digest_mismatch")]


def test_host_swaps_the_values_of_two_registers():
    values = forge.pcrs()
    swapped = {SHA256: values | {0: values[1], 1: values[0]}}
    assert failures(judge(by=voucher(), pcrs=swapped)) == [("tpm-pcrs", "pcr_digest_mismatch")]


def test_host_moves_values_between_banks_whose_digests_are_as_long():
    selected = forge.selection((SHA1, (0,)), (SHA256, (0,)))
    first, second = forge.pcrs(SHA1)[0], forge.pcrs()[0]
    given = forge.evidence(selected=selected, digest=forge.sha256(first + second))
    pcrs = {SHA1: {0: first}, SHA256: {0: second}}
    assert failures(judge(given, by=voucher(), pcrs=pcrs)) == []
    joined = first + second
    moved = {SHA1: {0: joined[:32]}, SHA256: {0: joined[32:]}}
    with pytest.raises(Malformed):
        judge(given, by=voucher(), pcrs=moved)


def test_host_relays_the_tpm_of_a_machine_beside_another_machines_tdx_quote():
    mine, theirs = b"a TDX quote", b"another TDX quote"
    parsed = quote.parse(forge.attest(data=gcp.data_for(theirs)))
    assert gcp.check_tdx_quote(parsed, theirs).state == "passed"
    check = gcp.check_tdx_quote(parsed, mine)
    assert (check.state, check.code) == ("failed", "tdx_quote_mismatch")


def test_host_cuts_the_digest_that_names_the_tdx_quote():
    parsed = quote.parse(forge.attest(data=gcp.data_for(b"quote")[:16]))
    assert gcp.check_tdx_quote(parsed, b"quote").state == "failed"


def test_client_hands_over_a_key_that_breaks_the_library():
    for spki in (b"", b"\x30\x80", bytes(1 << 16), b"\x30" + sized(b"\xff" * 20)):
        by = Voucher(spki=spki, by="nobody", level="measured")
        with pytest.raises(Malformed):
            judge(by=by, public=None, spki=spki)


FLIPS = {"quote": 4, "signature": 4, "public": 2}


@pytest.mark.parametrize("part", FLIPS)
def test_network_flips_each_byte_of_signed_parts(part):
    given = forge.evidence()
    raw = getattr(given, part)
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        try:
            found = judge(given, by=voucher(), **{part: changed})
        except Malformed:
            continue
        assert found.facts is None, at
        assert failures(found), at


def test_host_enrols_a_key_that_it_made_outside_the_tpm():
    """A TPM answers challenges for imported keys too: only the attributes tell them apart."""
    imported = forge.public(forge.ec_key(), attributes=0x40040)  # userWithAuth, sign
    with pytest.raises(NotAuthentic) as caught:
        enrol(imported, answer=bytes(32), secret=bytes(32), by="a TPM")
    assert caught.value.code == "ak_not_kept"
