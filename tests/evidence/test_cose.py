"""COSE_Sign1: who signed what, and nothing that an unsigned part could change."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.evidence import cose
from teeproof.evidence.simulated.cose import cbor, sign1
from tests.evidence.scenes import flipped

KEY = ec.derive_private_key(7, ec.SECP384R1())
MESSAGE = sign1(KEY, b"said")


def parse(data: bytes) -> cose.Sign1:
    return cose.parse_sign1(data, limit=4096, what="thing")


def holds(data: bytes, key: ec.EllipticCurvePrivateKey = KEY) -> bool:
    try:
        cose.require_signature(parse(data), key.public_key(), what="no", code="no")
    except NotAuthentic:
        return False
    return True


def twin(data: bytes, order: int, size: int = 48) -> bytes:
    """Return a COSE_Sign1 with the other signature that is as good as the one it has."""
    s = order - int.from_bytes(data[-size:], "big")
    return data[:-size] + s.to_bytes(size, "big")


def test_a_message_is_read_with_its_tag_and_without():
    plain, tagged = parse(MESSAGE), parse(sign1(KEY, b"said", tagged=True))
    assert (plain.tagged, tagged.tagged) == (False, True)
    assert plain.signed == tagged.signed
    assert (plain.payload, plain.algorithm) == (b"said", cose.ES384)
    assert holds(MESSAGE)


def test_the_signed_bytes_are_those_of_the_standard():
    signed = bytes.fromhex("846a5369676e61747572653144a10138224044") + b"said"
    assert parse(MESSAGE).signed == signed
    assert hashlib.sha384(signed).digest()


def test_every_flip_is_refused_or_does_not_hold():
    for at in range(len(MESSAGE)):
        for bit in range(8):
            changed = flipped(MESSAGE, at, mask=1 << bit)
            try:
                assert not holds(changed), (at, bit)
            except Malformed:
                continue


def test_another_key_and_a_key_on_another_curve_did_not_sign():
    assert not holds(MESSAGE, ec.derive_private_key(8, ec.SECP384R1()))
    assert not holds(MESSAGE, ec.derive_private_key(7, ec.SECP256R1()))


@pytest.mark.parametrize(
    ("protected", "why"),
    [
        (b"", "announced"),
        (b"\xa0", "algorithm None"),
        (cbor({1: -37}), "algorithm -37"),  # PS256
        (cbor({1: -8}), "algorithm -8"),  # EdDSA
        (cbor({1: 5}), "algorithm 5"),  # HMAC
        (cbor({1: "ES384"}), "algorithm 'ES384'"),
        (cbor({1: True}), "algorithm True"),
        (cbor({1: -35, 2: [99], 99: 0}), "header"),  # crit
        (cbor({1: -35, 33: b"chain"}), "header"),
        (cbor({1: -7}), "64 bytes"),
        (cbor([1, -35]), "header"),
        (b"\xa2\x01\x38\x22\x01\x38\x22", "twice"),
        (cbor({1: -35}) + b"\0", "behind the end"),
    ],
)
def test_a_header_that_could_change_the_meaning_is_refused(protected, why):
    with pytest.raises(Malformed, match=why):
        parse(sign1(KEY, b"said", protected=protected))


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        [b"", {}, b"", b"", b""],
        [b"\xa1\x01\x38\x22", [], b"said", bytes(96)],
        [b"\xa1\x01\x38\x22", {}, None, bytes(96)],
        [b"\xa1\x01\x38\x22", {}, "said", bytes(96)],
        [{1: -35}, {}, b"said", bytes(96)],
        [b"\xa1\x01\x38\x22", {}, b"said", bytes(95)],
        [b"\xa1\x01\x38\x22", {}, b"said", bytes(97)],
    ],
)
def test_what_is_no_message_is_refused(value):
    with pytest.raises(Malformed):
        parse(cbor(value))


def test_a_message_within_two_tags_is_refused():
    with pytest.raises(Malformed):
        parse(b"\xd2" + sign1(KEY, b"said", tagged=True))


def test_zero_is_no_signature():
    assert not holds(MESSAGE[:-96] + bytes(96))
    assert not holds(MESSAGE[:-48] + bytes(48))


def test_a_twin_signature_holds_and_signs_the_same_bytes():
    from teeproof.evidence.simulated.nitro import ORDER_P384

    other = twin(MESSAGE, ORDER_P384)
    assert other != MESSAGE
    assert holds(other)
    assert parse(other).signed == parse(MESSAGE).signed
