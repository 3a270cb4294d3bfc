"""Which recipe made a report_data: one form each, to the last byte."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.digests import keccak256
from teeproof.core.errors import Malformed, Usage
from teeproof.evidence import binding
from teeproof.evidence.tdx import quote

KEYSET = "sha256:" + "ab" * 32
NONCE = "11" * 32


def explain(report_data, *recipes):
    return binding.explain_report_data(report_data, candidates=recipes)


def test_the_statement_has_exactly_these_bytes():
    assert binding.statement(KEYSET, nonce="n") == (
        b'{"keyset_digest":"' + KEYSET.encode() + b'","nonce":"n","purpose":"aci.report_data.v1"}'
    )
    assert b'"nonce":null,' in binding.statement(KEYSET, nonce=None)


@given(st.text(st.characters(codec="utf-8")))
def test_a_nonce_of_any_text_is_escaped_so_that_it_reads_back(nonce):
    raw = binding.statement(KEYSET, nonce=nonce)
    assert json.loads(raw) == {
        "keyset_digest": KEYSET,
        "nonce": nonce,
        "purpose": "aci.report_data.v1",
    }


def test_a_nonce_is_escaped_as_rfc_8785_does():
    raw = binding.statement(KEYSET, nonce='"\\\b\f\n\r\t\x01\x7f\u20ac')
    assert '"nonce":"\\"\\\\\\b\\f\\n\\r\\t\\u0001\x7f\u20ac"'.encode() in raw


def test_report_data_is_the_digest_and_32_zero_bytes():
    digest = hashlib.sha256(binding.statement(KEYSET, nonce=NONCE)).digest()
    assert binding.binding(KEYSET, nonce=NONCE) == digest
    assert binding.report_data_for(KEYSET, nonce=NONCE) == digest + bytes(32)
    assert binding.workload(KEYSET, nonce=NONCE).report_data == digest + bytes(32)


@pytest.mark.parametrize("keyset", ["ab" * 32, "sha256:" + "AB" * 32, 'sha256:"', ""])
def test_a_keyset_digest_of_another_form_is_refused(keyset):
    with pytest.raises(Malformed):
        binding.statement(keyset, nonce=None)


def test_a_nonce_that_is_no_text_is_refused():
    with pytest.raises(Usage):
        binding.statement(KEYSET, nonce="\ud800")


def test_a_job_nonce_keeps_job_and_challenge_apart():
    one = binding.job_nonce(b"ab", nonce=b"c")
    assert len(bytes.fromhex(one)) == 32
    assert one == binding.job_nonce(b"ab", nonce=b"c")
    assert one != binding.job_nonce(b"a", nonce=b"bc")


def test_dstacks_recipe_is_a_hash_over_tag_and_content():
    content = b"content"
    assert binding.dstack(content).report_data == hashlib.sha512(b"app-data:content").digest()
    short = binding.dstack(content, tag="mine", algorithm="sha3-256").report_data
    assert short == hashlib.sha3_256(b"mine:content").digest() + bytes(32)
    keccak = binding.dstack(content, tag="mine", algorithm="keccak256").report_data
    assert keccak == keccak256(b"mine:content") + bytes(32)
    assert binding.dstack(b"\1" * 64, algorithm="raw").report_data == b"\1" * 64


@pytest.mark.parametrize("name", ["sha384", "sha3-384", "sha3-512", "keccak384", "keccak512"])
def test_every_hash_of_tappd_fills_at_most_64_bytes(name):
    assert len(binding.dstack(b"x", algorithm=name).report_data) == 64


def test_hashes_and_lengths_that_tappd_does_not_know_are_refused():
    for arguments in ({"algorithm": "md5"}, {"algorithm": "raw"}):
        with pytest.raises(Usage):
            binding.dstack(b"x", **arguments)
    with pytest.raises(Usage):
        binding.address_and_nonce(bytes(21), nonce=bytes(32))
    with pytest.raises(Usage):
        binding.app_key(bytes(31), algorithm="ed25519")
    with pytest.raises(Usage):
        binding.app_key(bytes(32), algorithm="rsa")


def test_the_older_layout_holds_address_and_nonce():
    recipe = binding.address_and_nonce(b"\1" * 20, nonce=b"\2" * 32)
    assert recipe.report_data == b"\1" * 20 + bytes(12) + b"\2" * 32


def test_a_real_quote_over_an_applications_key_is_explained(vectors):
    raw = (vectors / "dcap/dstack-tdx-lite/quote.bin").read_bytes()
    report_data = quote.parse(raw).body.report_data
    import base64

    key = base64.urlsafe_b64decode(report_data.split(b":")[-1])
    recipe = binding.app_key(key, algorithm="secp256k1")
    assert explain(report_data, recipe).recipe == recipe.name


def test_the_matching_recipe_is_named():
    ours = binding.workload(KEYSET, nonce=NONCE)
    other = binding.dstack(b"content")
    assert explain(ours.report_data, other, ours).recipe == ours.name


def test_host_replays_a_quote_over_another_nonce():
    found = explain(
        binding.report_data_for(KEYSET, nonce="22" * 32), binding.workload(KEYSET, nonce=NONCE)
    )
    assert found.recipe is None


def test_host_shows_a_quote_that_binds_nothing():
    found = explain(bytes(64), binding.workload(KEYSET, nonce=NONCE))
    assert found.recipe is None
    assert "bound to nothing" in found.detail


def test_host_cuts_a_hash_short():
    recipe = binding.dstack(b"content")
    found = explain(recipe.report_data[:32] + bytes(32), recipe)
    assert found.recipe is None
    assert "cut after 32 bytes" in found.detail


@pytest.mark.parametrize("tag", ["ratls-cert", "kms-root-ca"])
def test_host_repurposes_a_quote_that_was_made_for_another_tag(tag):
    found = explain(binding.dstack(b"content", tag=tag).report_data, binding.dstack(b"content"))
    assert found.recipe is None
    assert tag in found.detail


def test_host_leaves_the_tag_out():
    found = explain(hashlib.sha512(b"content").digest(), binding.dstack(b"content"))
    assert found.recipe is None
    assert "without a tag" in found.detail


@given(st.integers(0, 511))
def test_one_flipped_bit_matches_nothing(bit):
    ours = binding.workload(KEYSET, nonce=NONCE)
    flipped = bytearray(ours.report_data)
    flipped[bit // 8] ^= 1 << bit % 8
    assert explain(bytes(flipped), ours).recipe is None
