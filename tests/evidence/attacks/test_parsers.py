"""Attacks on parsers: sizes, lengths, depths and forms; all is refused before it costs."""

from __future__ import annotations

import gzip
import json
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cryptography import x509

from teeproof.core import strictjson
from teeproof.core.errors import Error, Malformed, TooLarge
from teeproof.evidence import eventlog, ratls
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.eventlog.attestation import parse_attestation
from teeproof.evidence.eventlog.compose import parse_compose
from teeproof.evidence.eventlog.mrconfig import parse_mr_config
from teeproof.evidence.policy import load_policy, parse_policy
from teeproof.evidence.verdict import Verdict
from teeproof.evidence.verify import verify
from tests.evidence.attacks import forge
from tests.evidence.attacks.court import accepted, but, quote_only, real
from tests.evidence.attacks.forge import take_apart
from tests.evidence.scenes import NOW, PLATFORM, REPORT_DATA, opt_in

CHECKLIST = {
    25: (
        "test_network_cannot_make_us_believe_a_huge_length",
        "test_network_cannot_make_us_read_100_mb",
        "test_network_cannot_make_us_descend_a_deep_document",
        "test_network_cannot_make_us_unpack_a_bomb",
        "test_network_cannot_give_one_key_two_meanings",
    ),
}

HONEST = take_apart(PLATFORM.machine().quote(REPORT_DATA))
V5 = take_apart(PLATFORM.machine().quote(REPORT_DATA, version=5))
_MEBIBYTE = 1 << 20

READERS: dict[str, Callable[[bytes], object]] = {
    "quote": lambda data: verify(data, now=NOW),
    "SGX quote": lambda data: verify(b"\3\0" + data[2:], now=NOW),
    "event log": eventlog.parse,
    "compose file": parse_compose,
    "MrConfigV3": parse_mr_config,
    "collateral": Collateral.parse,
    "attestation": parse_attestation,
    "attestation V0": lambda data: parse_attestation(b"\0" + data[1:]),
    "certificate": ratls.parse,
    "policy": parse_policy,
    "verdict": Verdict.from_json,
}
JSON_READERS = ("event log", "compose file", "MrConfigV3", "collateral", "verdict")


@contextmanager
def _within(limit: int) -> Iterator[None]:
    """Check that no more memory than this is taken on the way."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def huge() -> bytes:
    return b" " * 100_000_000


@pytest.mark.parametrize("name", READERS)
def test_network_cannot_make_us_read_100_mb(name: str, huge: bytes) -> None:
    read = READERS[name]
    # What is put before the bytes of two formats copies them once.
    copies = 101 * _MEBIBYTE if name in ("SGX quote", "attestation V0") else _MEBIBYTE
    with _within(2 * copies), pytest.raises(TooLarge) as caught:
        read(huge)
    assert caught.value.exit_code == 2
    assert "at most" in str(caught.value.expected)


@pytest.mark.parametrize("field", ["event_log", "compose", "mr_config"])
def test_network_cannot_make_us_read_100_mb_beside_a_quote(field: str, huge: bytes) -> None:
    given = but(quote_only(HONEST.quote()), **{field: huge})
    verdict = verify(given, policy=opt_in(), now=NOW)
    # A file that nothing measured is not even opened.
    codes = {check.code for check in verdict.failures}
    assert codes <= {"too_large", "mrconfigid_mismatch", "event_log_too_large"}
    assert verdict.exit_code == (2 if codes else 0)
    if field == "event_log":
        assert verdict.check("event-log-format").code == "too_large"


_AT_SECTION, _AT_OUTER, _AT_AUTH = 48 + 584, 48 + 584 + 4 + 130, 48 + 584 + 4 + 582
_AT_CHAIN = _AT_AUTH + 2 + 32 + 2
LENGTHS = {"section": _AT_SECTION, "certification data": _AT_OUTER, "PCK chain": _AT_CHAIN}


@pytest.mark.parametrize("at", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("size", [0, 1, -1, 2**31 - 1, 2**31, 2**32 - 1], ids=str)
def test_network_cannot_make_us_believe_a_huge_length(at: int, size: int) -> None:
    quote = HONEST.quote()
    (true,) = struct.unpack_from("<I", quote, at)
    claimed = true - 1 if size < 0 else size
    forged = quote[:at] + struct.pack("<I", claimed) + quote[at + 4 :]
    with _within(_MEBIBYTE), pytest.raises(Malformed) as caught:
        verify(forged, now=NOW)
    assert caught.value.code == "quote_malformed"
    assert str(true) in f"{caught.value.expected} {caught.value.got}" or claimed < true


@pytest.mark.parametrize("size", [31, 33, 3000, 65535])
def test_network_cannot_shift_what_follows_the_data_beside_the_key(size: int) -> None:
    quote = HONEST.quote()
    assert struct.unpack_from("<H", quote, _AT_AUTH) == (32,)
    forged = quote[:_AT_AUTH] + struct.pack("<H", size) + quote[_AT_AUTH + 2 :]
    with pytest.raises(Malformed) as caught:
        verify(forged, now=NOW)
    assert caught.value.code == "quote_malformed"


def _body(kind: int, size: int, body: bytes) -> bytes:
    return V5.resigned(signed=V5.signed[:48] + struct.pack("<HI", kind, size) + body).quote()


_TD15, _TD10 = V5.signed[54:], V5.signed[54 : 54 + 584]


@pytest.mark.parametrize(
    "quote",
    [
        pytest.param(_body(1, 648, _TD15), id="an SGX report"),
        pytest.param(_body(4, 648, _TD15), id="a body of tomorrow"),
        pytest.param(_body(2, 648, _TD15), id="the older type for the newer body"),
        pytest.param(_body(3, 584, _TD10), id="the newer type for the older body"),
        pytest.param(_body(3, 0, b""), id="nothing"),
        pytest.param(_body(3, 2**32 - 1, _TD15), id="4 GB"),
        pytest.param(V5.resigned(signed=b"\4\0" + V5.signed[2:]).quote(), id="version 4 on it"),
        pytest.param(HONEST.resigned(signed=b"\5\0" + HONEST.signed[2:]).quote(), id="and 5 on 4"),
        pytest.param(HONEST.resigned(signed=b"\6\0" + HONEST.signed[2:]).quote(), id="version 6"),
        pytest.param(HONEST.resigned(signed=b"\3\0" + HONEST.signed[2:]).quote(), id="version 3"),
        pytest.param(
            HONEST.resigned(signed=HONEST.signed[:4] + bytes(4) + HONEST.signed[8:]).quote(),
            id="SGX in a quote of version 4",
        ),
    ],
)
def test_operator_cannot_confuse_one_body_with_another(quote: bytes) -> None:
    # Even signed by a quoting enclave.
    with pytest.raises(Malformed) as caught:
        verify(quote_only(quote), policy=opt_in(), now=NOW)
    assert caught.value.code == "quote_malformed"


def test_operator_quote_of_version_5_may_carry_the_older_body() -> None:
    verdict = accepted(quote_only(_body(2, 584, _TD10)))
    assert verdict.facts["td_report"] == "TD report 1.0"
    assert accepted(quote_only(V5.quote())).facts["td_report"] == "TD report 1.5"


@pytest.mark.parametrize("kind", [0, 1, 3, 4, 0xFFFF])
def test_operator_cannot_claim_another_key_type(kind: int) -> None:
    signed = HONEST.signed[:2] + struct.pack("<H", kind) + HONEST.signed[4:]
    verdict = verify(quote_only(HONEST.resigned(signed=signed).quote()), policy=opt_in(), now=NOW)
    assert [check.code for check in verdict.failures] == ["qe_vendor"]
    assert verdict.exit_code == 2


@pytest.mark.parametrize("name", JSON_READERS)
@pytest.mark.parametrize("nest", ["[]", "{}"])
def test_network_cannot_make_us_descend_a_deep_document(name: str, nest: str) -> None:
    for depth in (65, 10_000):
        middle = '"a"' if nest == "[]" else '{"a":1}'
        opened = "[" * depth if nest == "[]" else '{"a":' * depth
        text = opened + middle + nest[1] * depth
        with pytest.raises(Malformed) as caught:
            READERS[name](text.encode())
        assert caught.value.code in ("json_too_deep", "too_large")


@pytest.mark.parametrize("name", JSON_READERS)
@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param('{"a":1,"a":1}', "json_duplicate_key", id="a key twice"),
        pytest.param('{"a":1,"\\u0061":2}', "json_duplicate_key", id="a key twice, escaped"),
        pytest.param('[{"a":{"b":1,"b":2}}]', "json_duplicate_key", id="a key twice, inside"),
        pytest.param('{"a":NaN}', "json_malformed", id="not a number"),
        pytest.param('{"a":1e999}', "json_malformed", id="infinity"),
        pytest.param('{"a":' + "9" * 5000 + "}", "json_malformed", id="a huge number"),
        pytest.param('{"a":1}{}', "json_malformed", id="two documents"),
        pytest.param('{"a":"\\ud800"}', "json_malformed", id="half a character"),
        pytest.param("", "json_malformed", id="nothing"),
        pytest.param("\x00", "json_malformed", id="a zero byte"),
    ],
)
def test_network_cannot_give_one_key_two_meanings(name: str, text: str, code: str) -> None:
    with pytest.raises(Malformed) as caught:
        READERS[name](text.encode())
    assert caught.value.code == code


@pytest.mark.parametrize("name", JSON_READERS)
def test_network_cannot_pass_bytes_for_text(name: str) -> None:
    for data in (b'{"a":"\xff"}', b'{"\xc0\x80":1}', '{"a":1}'.encode("utf-16")):
        with pytest.raises(Malformed):
            READERS[name](data)


_LOG_OID = x509.ObjectIdentifier("1.3.6.1.4.1.62397.1.2")
_QUOTE_OID = x509.ObjectIdentifier("1.3.6.1.4.1.62397.1.1")


def _octets(data: bytes) -> bytes:
    size = len(data).to_bytes(3, "big").lstrip(b"\0")
    return b"\x04" + bytes([0x80 | len(size)]) + size + data


def _carrying(log: bytes) -> bytes:
    """Return a certificate, DER, that carries a quote and this value as its event log."""
    values = {_QUOTE_OID: _octets(HONEST.quote()), _LOG_OID: log}
    made = forge.mint(
        subject="guest",
        issuer=forge.name_of("guest"),
        signer=forge.STRANGER,
        extensions=[(x509.UnrecognizedExtension(*entry), False) for entry in values.items()],
    )
    return forge.der_of(made)


def test_network_cannot_make_us_unpack_a_bomb() -> None:
    bomb = b"ELGZv1" + gzip.compress(bytes(100_000_000))
    assert len(bomb) < 100_000
    with _within(8 * _MEBIBYTE), pytest.raises(TooLarge) as caught:
        ratls.parse(_carrying(_octets(bomb)))
    assert caught.value.code == "event_log_too_large"
    small = b"ELGZv1" + gzip.compress(b"[]" + b" " * 66_000)
    padded = small + b"\0" * (70_000 - len(small))
    with pytest.raises(Malformed, match="something follows it"):
        ratls.parse(_carrying(_octets(padded)))
    log = json.dumps([{"remark": "x" * 70_000}]).encode()
    assert ratls.parse(_carrying(_octets(log))).evidence.event_log == log


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\0\0" + b"\x03\xff\xff\xff\xff", id="a 4 GB quote"),
        pytest.param(b"\0\0" + b"\xfe\xff\xff\xff" + bytes(9), id="a 1 GiB quote"),
        pytest.param(b"\0\0" + b"\0" + b"\xfe\xff\xff\xff" + bytes(9), id="2^30 events"),
        pytest.param(b"\0\0" + b"\0" + b"\x02\x00\x01\x00" + bytes(9), id="2^14 events"),
        pytest.param(b"\xdf\xff\xff\xff\xff", id="a map of 2^32 entries"),
        pytest.param(b"\xdd\xff\xff\xff\xff", id="a list of 2^32 entries"),
        pytest.param(b"\xc6\xff\xff\xff\xff", id="2^32 bytes"),
        pytest.param(b"\x91" * 100_000, id="lists, 100,000 deep"),
        pytest.param(b"\x81\xa1a" * 50_000, id="maps, 50,000 deep"),
    ],
)
def test_network_cannot_announce_what_an_attestation_does_not_hold(data: bytes) -> None:
    with _within(4 * _MEBIBYTE), pytest.raises(Malformed):
        parse_attestation(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x30\x84\xff\xff\xff\xff", id="4 GB"),
        pytest.param(b"\x30\x80" + bytes(100), id="no length"),
        pytest.param(b"\x30" * 10_000, id="nothing but tags"),
        pytest.param(b"\x30\x83\x00\x00\x01\x00", id="a length in more bytes than it needs"),
        pytest.param(b"-----BEGIN CERTIFICATE-----\n" + b" \n" * 500_000, id="a million blanks"),
        pytest.param(b"-----BEGIN CERTIFICATE-----" * 50_000, id="50,000 beginnings"),
    ],
)
def test_network_cannot_pass_a_certificate_that_has_no_end(data: bytes) -> None:
    with _within(16 * _MEBIBYTE), pytest.raises(Malformed) as caught:
        ratls.parse(data)
    assert caught.value.code == "ratls_malformed"


@pytest.mark.parametrize(
    "size", [0, 1, 47, 48, 436, 631, 632, 635, 636, 1000, len(HONEST.quote()) - 1]
)
def test_network_cannot_cut_a_quote_off(size: int) -> None:
    for quote in (HONEST.quote(), V5.quote(), b"\3\0" + HONEST.quote()[2:]):
        with pytest.raises(Malformed) as caught:
            verify(quote[:size], now=NOW)
        assert caught.value.code == "quote_malformed"


def test_network_cannot_make_us_hold_more_than_4096_events() -> None:
    event = {
        "imr": 3,
        "event_type": 0x08000001,
        "digest": "",
        "event": "x",
        "event_payload": "",
    }
    log = [event] * 4096
    assert len(eventlog.parse(json.dumps(log).encode())) == 4096
    with pytest.raises(TooLarge) as caught:
        eventlog.parse(json.dumps([*log, event]).encode())
    assert caught.value.code == "event_log_too_long"


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize("at", [432, 1012, 1048])
def test_network_cannot_confuse_the_lengths_of_a_real_sgx_quote(at: int) -> None:
    record, given = real("sgx-v3-00a067")
    policy = load_policy("sgx")
    assert verify(given, policy=policy, now=record.now).exit_code == 0
    size = 2 if at == 1012 else 4
    for claimed in (0, 1, 2 ** (8 * size) - 1):
        forged = given.quote[:at] + claimed.to_bytes(size, "little") + given.quote[at + size :]
        with pytest.raises(Malformed):
            verify(forged, policy=policy, now=record.now)


def _number(text: str) -> Any:
    return strictjson.loads(text, limit=1 << 20)


def test_network_numbers_stay_what_they_are() -> None:
    assert _number("[1, -1, 1.5]") == [1, -1, 1.5]
    for text in ("[01]", "[+1]", "[0x1]", "[1_000]", "[.5]", "[１]"):
        with pytest.raises(Error):
            _number(text)
