"""RA-TLS certificates: the quote inside must name the key outside, and the channel must hold it."""

from __future__ import annotations

import gzip
import hashlib
import re
import struct
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Error, Malformed, TooLarge
from teeproof.evidence import ratls
from teeproof.evidence.eventlog import parse as parse_log
from tests.evidence.eventlog import logs
from tests.evidence.eventlog.test_attestation import pack, scale

ARC = "1.3.6.1.4.1.62397.1."
KEY, OTHER_KEY = (ec.derive_private_key(n, ec.SECP256R1()) for n in (0xC001, 0xC002))
LOG = logs.encode(logs.whole())


def spki(key=KEY):
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def octets(data):
    size = len(data)
    length = bytes([size]) if size < 128 else b"\x83" + size.to_bytes(3, "big")
    if 128 <= size < 256:
        length = b"\x81" + bytes([size])
    elif 256 <= size < 65536:
        length = b"\x82" + size.to_bytes(2, "big")
    return b"\x04" + length + data


def quote(report_data):
    """A quote of the right shape; that it is genuine is not this module's question."""
    header = struct.pack("<HHI", 4, 2, 0x81).ljust(48, b"\0")
    body = bytes(520) + report_data
    chain = b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"
    inner = bytes(384 + 64) + struct.pack("<H", 0) + struct.pack("<HI", 5, len(chain)) + chain
    section = bytes(128) + struct.pack("<HI", 6, len(inner)) + inner
    return header + body + struct.pack("<I", len(section)) + section


def ratls_data(key=KEY, tag=b"ratls-cert"):
    return hashlib.sha512(tag + b":" + spki(key)).digest()


def certificate(extensions, *, key=KEY):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "app")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    for last, value in extensions.items():
        oid = x509.ObjectIdentifier(f"{ARC}{last}")
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, value), critical=False)
    return builder.sign(key, hashes.SHA256())


def made(*, report_data=None, log=LOG, key=KEY, **more):
    data = ratls_data(key) if report_data is None else report_data
    extensions = {1: octets(quote(data)), 2: octets(log)} | more
    return certificate(extensions, key=key).public_bytes(Encoding.DER)


def codes(checks):
    return [c.code or c.state for c in checks]


def test_a_certificate_gives_its_evidence_and_its_key():
    extensions = {
        1: octets(quote(ratls_data())),
        2: octets(LOG),
        3: octets(b"app"),
        4: octets(b"x"),
    }
    found = ratls.parse(certificate(extensions).public_bytes(Encoding.DER), name="peer")
    assert found.spki == spki()
    assert (found.evidence.quote, found.evidence.event_log) == (quote(ratls_data()), LOG)
    assert (found.app_id, found.usage, found.evidence.name) == (b"app", "x", "peer")


def test_pem_is_read_like_der_and_of_a_chain_the_first():
    first = x509.load_der_x509_certificate(SEED).public_bytes(Encoding.PEM)
    second = certificate({}, key=OTHER_KEY).public_bytes(Encoding.PEM)
    found = ratls.parse(first + second)
    assert found == ratls.parse(SEED)
    assert found.evidence.certificate == SEED
    around = first.replace(b"\n", b" \r\n\t")
    assert ratls.parse(b"Subject: app\n" + around + second) == found


def test_a_key_in_the_quote_and_on_the_channel_passes():
    found = ratls.parse(made())
    assert codes(ratls.check_binding(found, expected_spki=spki())) == ["passed", "passed"]


def test_without_a_channel_nobody_knows_whether_the_certificate_is_relayed():
    assert codes(ratls.check_binding(ratls.parse(made()))) == ["passed", "not_checked"]


def test_network_puts_a_genuine_quote_into_a_certificate_of_its_own():
    found = ratls.parse(made(report_data=ratls_data(OTHER_KEY)))
    checks = ratls.check_binding(found, expected_spki=spki())
    assert codes(checks) == ["ratls_key_not_in_quote", "passed"]
    assert checks[0].expected == ratls_data().hex()


@pytest.mark.parametrize(
    "report_data",
    [
        bytes(64),
        ratls_data(tag=b"app-data"),
        ratls_data()[:32] + bytes(32),
        hashlib.sha512(spki()).digest(),
    ],
)
def test_host_uses_a_quote_that_was_made_for_something_else(report_data):
    found = ratls.parse(made(report_data=report_data))
    assert codes(ratls.check_binding(found))[0] == "ratls_key_not_in_quote"


def test_network_relays_the_certificate_of_another_machine():
    checks = ratls.check_binding(ratls.parse(made()), expected_spki=spki(OTHER_KEY))
    assert codes(checks) == ["passed", "ratls_relayed"]
    assert checks[1].got == spki(OTHER_KEY).hex()


def test_host_embeds_what_is_no_quote():
    found = ratls.parse(certificate({1: octets(b"junk")}).public_bytes(Encoding.DER))
    assert codes(ratls.check_binding(found))[0] == "quote_malformed"


@pytest.mark.parametrize("encode", [scale, pack])
def test_a_versioned_attestation_is_read_and_its_quote_counts(encode):
    data = certificate({8: octets(encode(logs.whole()))}).public_bytes(Encoding.DER)
    found = ratls.parse(data)
    assert found.evidence.quote == b"QUOTE"
    assert parse_log(found.evidence.event_log) == parse_log(LOG)
    assert found.evidence.mr_config == b"doc"


def test_host_embeds_two_different_quotes():
    extensions = {1: octets(b"OTHER"), 8: octets(scale([]))}
    with pytest.raises(Malformed, match="two different quotes"):
        ratls.parse(certificate(extensions).public_bytes(Encoding.DER))


def test_a_packed_event_log_is_unpacked():
    packed = b"ELGZv1" + gzip.compress(LOG, mtime=0)
    assert ratls.parse(made(log=packed)).evidence.event_log == LOG


def test_host_packs_a_bomb():
    bomb = b"ELGZv1" + gzip.compress(bytes(300_000_000), 1, mtime=0)
    with pytest.raises(TooLarge) as caught:
        ratls.parse(made(log=bomb))
    assert caught.value.code == "event_log_too_large"


@pytest.mark.parametrize(
    "log",
    [
        b"ELGZv1",
        b"ELGZv1junk",
        b"ELGZv1" + gzip.compress(LOG)[:-9],
        b"ELGZv1" + gzip.compress(LOG) + b"x",
    ],
)
def test_host_packs_a_log_that_cannot_be_unpacked_whole(log):
    with pytest.raises(Malformed):
        ratls.parse(made(log=log))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"junk",
        b"\x30\x00",
        b"\x30\x84\xff\xff\xff\xff",
        b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----\n",
        made() + b"\0",
        made()[:-1],
        certificate({}).public_bytes(Encoding.DER),
        certificate({1: quote(bytes(64))}).public_bytes(Encoding.DER),
        certificate({1: octets(b"q") + b"\0"}).public_bytes(Encoding.DER),
        certificate({1: octets(b"q"), 4: octets(b"\xff")}).public_bytes(Encoding.DER),
    ],
)
def test_what_is_no_ratls_certificate_is_refused(data):
    with pytest.raises(Malformed) as caught:
        ratls.parse(data)
    assert caught.value.code == "ratls_malformed"


class Counted(bytes):
    """Bytes that count how often they are gone through; a slice of them is plain bytes."""

    passes = 0

    def find(self, *arguments):
        self.passes += 1
        return super().find(*arguments)


@pytest.mark.parametrize("end", [b"", b"-----END CERTIFICATE-----", b"!-----END CERTIFICATE-----"])
@pytest.mark.parametrize(
    "filling", [b" ", b"\n", b"\t\r", b"A", b"A ", b"-----BEGIN CERTIFICATE-----"]
)
def test_network_sends_two_mebibytes_of_nothing_between_the_marks(filling, end):
    begin = b"-----BEGIN CERTIFICATE-----"
    room = ratls.MAX_CERTIFICATE_BYTES - len(begin + end)
    data = Counted(begin + (filling * (room // len(filling))) + end)
    with pytest.raises(Malformed):
        ratls.parse(data)
    # Each mark is looked for once, and no pattern that could try again is in the module.
    assert data.passes == 2
    assert not [name for name, value in vars(ratls).items() if isinstance(value, re.Pattern)]
    assert "re" not in vars(ratls)


def test_network_leaves_the_certificate_out():
    evidence = ratls.parse(SEED).evidence
    bare = msgspec.structs.replace(evidence, certificate=None)
    assert codes(ratls.check_carrier(evidence, expected_spki=spki())) == ["passed", "passed"]
    assert codes(ratls.check_carrier(evidence)) == ["passed", "not_checked"]
    assert codes(ratls.check_carrier(bare)) == []
    (check,) = ratls.check_carrier(bare, expected_spki=spki())
    assert (check.code, check.concern) == ("ratls_certificate_missing", "availability")


def test_network_pairs_a_quote_with_the_certificate_of_another():
    evidence = ratls.parse(SEED).evidence
    other = msgspec.structs.replace(evidence, quote=quote(bytes(64)))
    checks = ratls.check_carrier(other, expected_spki=spki())
    assert codes(checks) == ["ratls_other_quote", "not_checked"]


def test_network_hands_over_a_certificate_that_cannot_be_read():
    evidence = msgspec.structs.replace(ratls.parse(SEED).evidence, certificate=SEED[:-1])
    assert codes(ratls.check_carrier(evidence)) == ["ratls_malformed", "not_checked"]


def test_host_gives_one_extension_twice():
    one = certificate({1: octets(b"A" * 9), 2: octets(b"B" * 9)}).public_bytes(Encoding.DER)
    arc = bytes.fromhex("2b0601040183e73d01")
    assert one.count(arc + b"\2") == 1
    with pytest.raises(Malformed, match="twice"):
        ratls.parse(one.replace(arc + b"\2", arc + b"\1"))


def test_host_sends_a_certificate_of_100_megabytes():
    with pytest.raises(TooLarge):
        ratls.parse(b"\x30" * 100_000_000)


SEED = made()


@given(st.binary(max_size=200) | st.tuples(st.integers(0, len(SEED) - 1), st.integers(0, 255)))
def test_arbitrary_bytes_raise_nothing_but_our_errors(change):
    data = change if isinstance(change, bytes) else SEED[: change[0]] + bytes(change[1:]) + SEED
    with suppress(Error):
        ratls.check_binding(ratls.parse(data))


@given(st.integers(0, len(SEED) - 1), st.integers(1, 255))
def test_no_changed_byte_gives_the_same_quote_another_key(at, change):
    changed = bytearray(SEED)
    changed[at] ^= change
    with suppress(Error):
        found = ratls.parse(bytes(changed))
        key = ratls.check_binding(found)[0]
        assert key.state != "passed" or found.spki == spki()
