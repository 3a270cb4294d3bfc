"""Parsing: what no TPM writes is refused, whatever its lengths say."""

from __future__ import annotations

import pytest

from teeproof.core.errors import Malformed, TooLarge
from teeproof.evidence.tpm import document, public, quote, signature
from teeproof.evidence.tpm.wire import SHA1, SHA256, sized
from tests.evidence.tpm import forge


def test_a_quote_is_read_field_by_field():
    parsed = quote.parse(forge.attest(signer=b"\0\x0b" + bytes(32), data=b"abc"))
    assert parsed.extra_data == b"abc"
    assert parsed.signer == b"\0\x0b" + bytes(32)
    assert (parsed.clock.milliseconds, parsed.clock.reset_count) == (12345, 7)
    assert (parsed.clock.restart_count, parsed.clock.safe) == (0, True)
    assert parsed.firmware == 0x2019
    assert parsed.selections == (quote.Selection(SHA256, tuple(range(24))),)
    assert parsed.selections[0].name.startswith("sha256:0,1,2,")


def test_banks_keep_the_order_that_the_tpm_gave_them():
    selected = forge.selection((SHA256, (7, 0)), (SHA1, (3,)))
    parsed = quote.parse(forge.attest(selected=selected))
    assert [one.bank for one in parsed.selections] == [SHA256, SHA1]
    assert parsed.selections[0].registers == (0, 7)


@pytest.mark.parametrize(
    "said",
    [
        {"magic": b"\xffTCH"},
        {"kind": 0x8017},
        {"kind": 0x8014},
        {"safe": 2},
        {"tail": b"\0"},
        {"data": bytes(67)},
        {"digest": bytes(65)},
        {"signer": bytes(67)},
        {"selected": forge.selection((0x12, (0,)))},
        {"selected": forge.selection(count=17)},
        {"selected": forge.selection((SHA256, (0,)), count=2)},
        {"selected": (1).to_bytes(4, "big") + b"\x00\x0b\x00"},
        {"selected": (1).to_bytes(4, "big") + b"\x00\x0b\x05" + bytes(5)},
    ],
    ids=lambda said: next(iter(said)),
)
def test_what_no_tpm_writes_is_no_quote(said):
    with pytest.raises(Malformed) as refusal:
        quote.parse(forge.attest(**said))
    assert refusal.value.code == "tpm_malformed"


def test_a_quote_that_ends_early_is_refused_at_each_length():
    raw = forge.attest()
    for end in range(len(raw)):
        with pytest.raises(Malformed):
            quote.parse(raw[:end])


def test_a_quote_of_a_megabyte_is_refused_unread():
    with pytest.raises(TooLarge):
        quote.parse(forge.attest(tail=bytes(1 << 20)))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        forge.words(0x14, 0xB),
        forge.words(0x14, 0xB, 0xFFFF),
        forge.words(0x14, 0x12) + sized(bytes(256)),
        forge.words(0x1A, 0xB) + sized(bytes(32)) * 2,
        forge.words(0x14, 0xB) + sized(bytes(513)),
        forge.words(0x18, 0xB) + sized(bytes(67)) + sized(bytes(32)),
        forge.words(0x18, 0xB) + sized(bytes(32)) * 2 + b"\0",
    ],
    ids=range(8),
)
def test_what_no_tpm_writes_is_no_signature(raw):
    with pytest.raises(Malformed):
        signature.parse(raw)


@pytest.mark.parametrize("key", [forge.ec_key(), forge.rsa_key()], ids=["ecc", "rsa"])
def test_a_key_reads_as_other_software_writes_it(key):
    scheme = (0x14, 0xB) if key is forge.rsa_key() else (0x18, 0xB)
    parsed = public.parse(forge.public(key, scheme=scheme))
    assert parsed.spki == forge.spki(key)
    assert {"restricted", "sign", "fixedTPM"} <= parsed.attributes
    assert (parsed.scheme, parsed.scheme_hash) == scheme
    assert public.parse(forge.public(key, scheme=scheme)[2:]) == parsed


@pytest.mark.parametrize("key", [forge.ec_key(), forge.rsa_key()], ids=["ecc", "rsa"])
def test_a_key_that_ends_early_or_goes_on_is_refused(key):
    raw = forge.public(key, scheme=(0x14, 0xB) if key is forge.rsa_key() else (0x18, 0xB))
    for end in range(len(raw)):
        with pytest.raises(Malformed):
            public.parse(raw[:end])
    for tail in (b"\0", bytes(1 << 17)):
        with pytest.raises(Malformed):
            public.parse(raw + tail)


def test_a_document_reads_back_as_it_was_written():
    given = forge.evidence()
    assert document.parse(given.to_bytes()) == given


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b"[]",
        b'{"format": "urn:teeproof:tpm-evidence:v2", "quote": "", "signature": ""}',
        b'{"format": "urn:teeproof:tpm-evidence:v1", "quote": "AA", "signature": ""}',
        b'{"format": "urn:teeproof:tpm-evidence:v1", "quote": "AB==", "signature": ""}',
        b'{"format": "urn:teeproof:tpm-evidence:v1", "quote": "", "signature": "", "x": 1}',
        b'{"format": "urn:teeproof:tpm-evidence:v1", "quote": "", "signature": "",'
        b' "pcrs": {"sha256": {"00": ""}}}',
        b'{"format": "urn:teeproof:tpm-evidence:v1", "quote": "", "signature": "",'
        b' "pcrs": {"sha256": {"0": "00"}}}',
        b'{"format": "urn:teeproof:tpm-evidence:v1", "quote": "", "signature": "",'
        b' "pcrs": {"md5": {}}}',
        b'{"ak_public": "", "tpm_quote": {"message": "", "signature": ""}}',
    ],
    ids=range(10),
)
def test_another_document_is_refused(text):
    with pytest.raises(Malformed):
        document.parse(text)
