"""Keys of recipients: text forms that a slip cannot change, and keys that are none."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.core.sealed import HYBRID, X25519, PrivateRecipient, Recipient, generate_recipient
from tests.core.sealed.scenes import ALICE, BOB

# RFC 7748 and https://cr.yp.to/ecdh.html: points whose products everybody knows.
LOW_ORDER = [
    bytes(32),
    (1).to_bytes(32, "little"),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    (2**255 - 20).to_bytes(32, "little"),
    (2**255 - 19).to_bytes(32, "little"),
    (2**255 - 18).to_bytes(32, "little"),
]
both = pytest.mark.parametrize("key", [ALICE, BOB], ids=["x25519", "hybrid"])


@both
def test_text_forms_are_one_line_and_read_back(key):
    assert Recipient.parse(key.public.text) == key.public
    assert PrivateRecipient.parse(key.secret_text) == key
    assert key.public.text.startswith(f"teeproof-seal-{key.suite.name}:")
    assert key.secret_text.startswith(f"teeproof-seal-secret-{key.suite.name}:")
    assert len((key.public.text + key.secret_text).splitlines()) == 1


@both
def test_raw_keys_are_of_the_size_that_a_key_document_lists(key):
    assert len(key.public.public_key) == key.suite.public
    assert Recipient(key.suite, key.public.public_key) == key.public
    assert {X25519.public, HYBRID.public} == {32, 1216}


def test_the_hybrid_s_keys_are_x_wing_s():
    # draft-connolly-cfrg-xwing-kem, appendix C: the first test vector's seed and public key.
    seed = "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26"
    public = PrivateRecipient(HYBRID, bytes.fromhex(seed)).public.public_key
    assert public.hex().startswith(
        "e2236b35a8c24b39b10aa1323a96a919a2ced88400633a7b07131713fc14b2b5"
    )


@both
@given(data=st.data())
def test_no_slip_of_one_character_gives_another_key(key, data):
    for text, kind in ((key.public.text, Recipient), (key.secret_text, PrivateRecipient)):
        at = data.draw(st.integers(0, len(text) - 1))
        other = data.draw(st.sampled_from("0123456789abcdef:-xyz\n "))
        slipped = text[:at] + other + text[at + 1 :]
        if slipped != text:
            with pytest.raises(Malformed):
                kind.parse(slipped)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda t: t[:-1] + ("0" if t[-1] != "0" else "1"), "recipient_checksum"),
        (lambda t: t.replace("x25519", "mlkem768-x25519"), "recipient_malformed"),
        (lambda t: t.replace("x25519", "x448"), "recipient_malformed"),
        (lambda t: t[:-10], "recipient_malformed"),
        (lambda t: t.upper(), "recipient_malformed"),
        (lambda t: t + "\n", "recipient_checksum"),
        (lambda t: "", "recipient_malformed"),
    ],
)
def test_what_is_no_public_key_s_text_is_refused_by_name(change, code):
    with pytest.raises(Malformed) as caught:
        Recipient.parse(change(ALICE.public.text))
    assert caught.value.code == code


def test_a_secret_key_is_not_taken_for_a_public_one_and_not_repeated():
    with pytest.raises(Malformed) as caught:
        Recipient.parse(ALICE.secret_text)
    assert caught.value.code == "recipient_secret"
    with pytest.raises(Malformed) as misspelt:
        PrivateRecipient.parse("teeproof-seal-sekret-x25519:" + ALICE.secret.hex())
    for error in (caught.value, misspelt.value):
        assert ALICE.secret.hex()[:8] not in str(error.to_json())
    assert ALICE.secret.hex()[:8] not in repr(ALICE)
    assert "secret" not in repr(ALICE)


@pytest.mark.parametrize("point", LOW_ORDER, ids=lambda point: point.hex()[:8])
def test_contributor_names_a_point_of_low_order_so_that_everybody_can_read(point):
    with pytest.raises(Malformed) as caught:
        Recipient(X25519, point)
    assert caught.value.code == "recipient_low_order"
    lattice = MLKEM768PrivateKey.generate().public_key().public_bytes_raw()
    with pytest.raises(Malformed) as caught:
        Recipient(HYBRID, lattice + point)
    assert caught.value.code == "recipient_low_order"


@pytest.mark.parametrize("size", [0, 31, 33, 1215, 1217])
def test_keys_of_another_size_are_refused(size):
    for suite in (X25519, HYBRID):
        with pytest.raises(Malformed):
            Recipient(suite, bytes([9]) * size)
        with pytest.raises(Malformed):
            PrivateRecipient(suite, bytes(size))


def test_a_lattice_key_with_a_coefficient_out_of_range_is_refused():
    broken = b"\xff" * 1152 + BOB.public.public_key[1152:]
    with pytest.raises(Malformed) as caught:
        Recipient(HYBRID, broken)
    assert caught.value.code == "recipient_malformed"


@both
def test_what_is_encrypted_for_a_key_opens_under_the_same_info_only(key):
    wrapped = key.public.encrypt(b"k" * 32, info=b"this")
    assert len(wrapped) == key.suite.wrapped
    assert key.decrypt(wrapped, info=b"this") == b"k" * 32
    with pytest.raises(NotAuthentic):
        key.decrypt(wrapped, info=b"that")


@both
@given(data=st.data())
def test_a_wrapped_key_with_one_bit_flipped_does_not_open(key, data):
    wrapped = bytearray(key.public.encrypt(b"k" * 32, info=b""))
    wrapped[data.draw(st.integers(0, len(wrapped) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(NotAuthentic) as caught:
        key.decrypt(bytes(wrapped), info=b"")
    assert caught.value.code == "wrapped_key_not_authentic"


def test_two_fresh_keys_differ_and_a_fixed_source_gives_a_fixed_key():
    assert generate_recipient() != generate_recipient()
    assert generate_recipient(hybrid=True).suite == HYBRID
    assert PrivateRecipient.new(random=lambda size: bytes(range(size))) == ALICE
