"""Real TPM evidence gets the verdict that the manifest expects, for the right reason."""

from __future__ import annotations

import json

import pytest

from teeproof.core.errors import Malformed
from teeproof.evidence.tpm import document, quote
from teeproof.evidence.tpm.facts import Voucher
from teeproof.evidence.tpm.verify import verify
from tests.evidence.tpm.forge import NOW, failures, state


@pytest.fixture
def folder(vectors):
    return vectors / "other" / "tpm-quote"


def test_a_real_quote_is_read(folder):
    parsed = quote.parse((folder / "tpm_quote_sample.bin").read_bytes())
    assert parsed.extra_data == bytes.fromhex("12345678")
    assert [one.name for one in parsed.selections] == ["sha256:0,1,2"]
    assert parsed.clock.safe


def test_a_real_quote_is_refused_at_each_length_but_its_own(folder):
    raw = (folder / "tpm_quote_sample.bin").read_bytes()
    for end in (*range(len(raw)), len(raw) + 1):
        with pytest.raises(Malformed):
            quote.parse((raw + b"\0")[:end])


def test_a_real_key_that_nobody_vouches_for_is_refused_though_all_else_holds(folder):
    given = document.parse((folder / "tpm_evidence.json").read_bytes())
    found = verify(given, roots=frozenset(), now=NOW)
    assert failures(found) == [("ak-binding", "ak_not_bound")]
    assert state(found, "tpm-signature") == state(found, "tpm-pcrs") == "passed"
    assert found.facts is None


def test_the_same_evidence_gives_facts_to_whoever_knows_the_key(folder):
    given = document.parse((folder / "tpm_evidence.json").read_bytes())
    by = Voucher(spki=given.spki, by="the relying party", level="measured")
    found = verify(given, roots=frozenset(), now=NOW, voucher=by)
    assert failures(found) == []
    assert found.facts.quote.clock.reset_count == 2
    assert found.facts.pcrs[0xB][17] == b"\xff" * 32


def test_a_flipped_byte_of_the_real_quote_breaks_its_signature(folder):
    value = json.loads((folder / "tpm_evidence.json").read_bytes())
    given = document.parse(json.dumps(value).encode())
    by = Voucher(spki=given.spki, by="the relying party", level="measured")
    for at in range(len(given.quote)):
        raw = given.quote
        changed = raw[:at] + bytes([raw[at] ^ 0x80]) + raw[at + 1 :]
        forged = document.TpmEvidence(changed, given.signature, None, given.spki, given.pcrs)
        try:
            found = verify(forged, roots=frozenset(), now=NOW, voucher=by)
        except Malformed:
            continue
        assert ("tpm-signature", "tpm_signature") in failures(found), at
