"""Signed notes and verifier keys: published vectors, one spelling each, and no weak keys."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Malformed, TooLarge, Usage
from teeproof.proof.log.formats.note import (
    COSIGNATURE,
    ED25519,
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    Note,
    NoteSigner,
    SignatureLine,
    VerifierKey,
    verify_line,
)
from tests.proof.log.formats.samples import LOG, flipped, with_signature

# c2sp.org/signed-note, "Example"
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE = (
    "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2"
    "ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()

# golang.org/x/mod/sumdb/note, the examples of its documentation
NEUMANN_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
ENOCH_KEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
NEUMANN = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpR"
    "Zb6KE6RyyBwJnAM=\n"
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33"
    "WWd1RvMc+QQ=\n"
).encode()
SUMDB_KEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"

TEXT = b"one\n\ntwo\n"
LINE = LOG.sign(TEXT)
NOTE = Note(TEXT, (LINE,))
SEED = b"\x02" * 32


def note_of(*lines: bytes, text: bytes = TEXT) -> bytes:
    return text + b"\n" + b"".join(lines)


def refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        Note.parse(data)


@pytest.mark.parametrize(
    ("data", "key", "at"),
    [(EXAMPLE, EXAMPLE_KEY, 0), (NEUMANN, NEUMANN_KEY, 0), (NEUMANN, ENOCH_KEY, 1)],
)
def test_published_notes_hold_under_their_published_keys(data, key, at):
    note, verifier = Note.parse(data), VerifierKey.parse(key)
    held = [verify_line(note.text, line, verifier) for line in note.signatures]
    assert [n for n, holds in enumerate(held) if holds] == [at]
    assert note.encode() == data
    assert verifier.text() == key


def test_the_key_of_gos_checksum_database_is_read():
    assert VerifierKey.parse(SUMDB_KEY).text() == SUMDB_KEY


@pytest.mark.parametrize("at", range(0, 68, 7))
def test_one_flipped_bit_of_a_signature_does_not_hold(at):
    raw = LINE.key_id + LINE.signature
    bad = flipped(raw, at)
    line = SignatureLine(LINE.name, bad[:4], bad[4:])
    assert verify_line(TEXT, LINE, LOG.verifier)
    assert not verify_line(TEXT, line, LOG.verifier)


@given(st.integers(0, len(TEXT) - 1), st.integers(0, 7))
def test_one_flipped_bit_of_the_text_does_not_hold(at, bit):
    assert not verify_line(flipped(TEXT, at, bit), LINE, LOG.verifier)


def test_the_blank_line_is_not_signed_and_the_newline_is():
    assert not verify_line(TEXT[:-1], LINE, LOG.verifier)
    assert not verify_line(TEXT + b"\n", LINE, LOG.verifier)


def test_a_note_reads_back_as_it_was():
    assert Note.parse(NOTE.encode()) == NOTE
    assert NOTE.encode() == note_of(LINE.encode())


def test_the_last_blank_line_separates_so_the_text_may_have_its_own():
    assert Note.parse(NOTE.encode()).text == TEXT
    assert Note.parse(note_of(LINE.encode(), text=b"a\n\n\nb\n")).text == b"a\n\n\nb\n"
    assert Note.parse(note_of(LINE.encode(), text=b"a\n\n")).text == b"a\n\n"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(TEXT, id="a text only"),
        pytest.param(TEXT + b"\n", id="no signature"),
        pytest.param(TEXT + LINE.encode(), id="no blank line"),
        pytest.param(NOTE.encode()[:-1], id="no last newline"),
        pytest.param(NOTE.encode() + b"\n", id="a blank line after the signatures"),
        pytest.param(NOTE.encode() + b"x", id="junk after the signatures"),
        pytest.param(NOTE.encode().replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(NOTE.encode().replace(b"one", b"o\te"), id="a tab"),
        pytest.param(NOTE.encode().replace(b"one", b"o\0e"), id="a NUL"),
        pytest.param(NOTE.encode().replace(b"one", b"o\x1fe"), id="a unit separator"),
        pytest.param(NOTE.encode().replace(b"one", b"o\xffe"), id="not UTF-8"),
        pytest.param(NOTE.encode().replace(b"one", b"o\xc0\xafe"), id="an overlong character"),
        pytest.param(NOTE.encode().replace(b"one", b"o\xed\xa0\x80e"), id="a surrogate"),
        pytest.param(b"\xef\xbb\xbf" + NOTE.encode()[:-1], id="a byte order mark, cut short"),
    ],
)
def test_bytes_that_are_no_note_are_refused(data):
    refused(data)


def test_a_delete_character_is_no_control_character_of_the_specification():
    assert Note.parse(note_of(LINE.encode(), text=b"a\x7fb\n")).text == b"a\x7fb\n"


GOOD64 = base64.b64encode(LINE.key_id + LINE.signature)
NAME = LINE.name.encode()


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"- %b %b" % (NAME, GOOD64), id="a hyphen"),
        pytest.param("– ".encode() + NAME + b" " + GOOD64, id="an en dash"),
        pytest.param("—".encode() + NAME + b" " + GOOD64, id="no space after the dash"),
        pytest.param("—  ".encode() + NAME + b" " + GOOD64, id="two spaces after the dash"),
        pytest.param("— ".encode() + NAME + b"  " + GOOD64, id="two spaces after the name"),
        pytest.param("— ".encode() + NAME + b" " + GOOD64 + b" ", id="a space at the end"),
        pytest.param("— ".encode() + NAME, id="no signature"),
        pytest.param("— ".encode() + b" " + GOOD64, id="no name"),
        pytest.param("— ".encode() + NAME + b" " + GOOD64[:-1], id="no padding"),
        pytest.param("— ".encode() + NAME + b" " + GOOD64 + b"=", id="too much padding"),
        pytest.param("— ".encode() + NAME + b" " + GOOD64[:8] + b"=" + GOOD64[8:], id="padding"),
        pytest.param(
            "— ".encode() + NAME + b" " + GOOD64[:8] + b"_" + GOOD64[9:], id="URL alphabet"
        ),
        pytest.param("— ".encode() + NAME + b" " + GOOD64[:8] + b"!" + GOOD64[8:], id="a mark"),
        pytest.param("— ".encode() + NAME + b" AAAAAA==", id="a key id without a signature"),
        pytest.param("— ".encode() + NAME + b" AAAAAAF=", id="bits that decoders ignore"),
        pytest.param("— a+b ".encode() + GOOD64, id="a plus in the name"),
        pytest.param("— a\u00a0b ".encode() + GOOD64, id="a no-break space in the name"),
        pytest.param("— a\u2003b ".encode() + GOOD64, id="an em space in the name"),
        pytest.param("— a\u3000b ".encode() + GOOD64, id="an ideographic space in the name"),
        pytest.param("— a\u0085b ".encode() + GOOD64, id="a next-line character in the name"),
    ],
)
def test_a_signature_line_of_another_form_is_refused(line):
    Note.parse(note_of(LINE.encode()))
    refused(note_of(line + b"\n"))
    refused(note_of(LINE.encode(), line + b"\n"))


def test_the_bits_that_base64_decoders_ignore_are_refused():
    encoded = GOOD64.rstrip(b"=")
    padding = GOOD64[len(encoded) :]
    last = encoded[-1:]
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    twin = encoded[:-1] + alphabet[alphabet.index(last) + 1 :][:1] + padding
    assert base64.b64decode(twin) == base64.b64decode(GOOD64)
    with pytest.raises(Malformed) as caught:
        Note.parse(note_of("— ".encode() + NAME + b" " + twin + b"\n"))
    assert caught.value.code == "base64_malformed"


def test_lines_by_unknown_keys_are_kept_and_hold_for_nobody():
    other = NoteSigner("other.example", SEED).sign(TEXT)
    note = Note.parse(note_of(other.encode(), LINE.encode()))
    assert note.signatures == (other, LINE)
    assert [verify_line(TEXT, line, LOG.verifier) for line in note.signatures] == [False, True]


def test_a_note_has_room_for_sixteen_signatures_of_five_thousand_bytes():
    lines = [SignatureLine(f"k{n}", bytes(4), bytes(5000)).encode() for n in range(16)]
    assert len(Note.parse(note_of(*lines)).signatures) == 16


def test_network_a_note_of_too_many_signatures_or_bytes_is_refused():
    line = SignatureLine("k", bytes(4), b"1").encode()
    assert len(Note.parse(note_of(*[line] * MAX_SIGNATURES)).signatures) == MAX_SIGNATURES
    with pytest.raises(TooLarge, match="too many signatures"):
        Note.parse(note_of(*[line] * (MAX_SIGNATURES + 1)))
    with pytest.raises(TooLarge):
        Note.parse(b"a" * MAX_NOTE_BYTES + b"\n\n" + line)


def test_lines_are_read_without_a_note_as_a_witness_answers():
    lines = (LINE, NoteSigner("other.example", SEED).sign(TEXT))
    assert SignatureLine.parse_lines(b"".join(line.encode() for line in lines)) == lines
    assert SignatureLine.parse_lines(b"") == ()
    for bad in (b"\n", LINE.encode()[:-1], LINE.encode() + b"\n", b"x\n"):
        with pytest.raises(Malformed):
            SignatureLine.parse_lines(bad)


def test_a_line_is_added_once():
    other = NoteSigner("other.example", SEED).sign(TEXT)
    more = NOTE.with_(other, LINE, other)
    assert more.signatures == (LINE, other)
    assert NOTE.with_().signatures == (LINE,)
    full = tuple(SignatureLine(f"k{n}", bytes(4), b"1") for n in range(MAX_SIGNATURES))
    assert NOTE.with_(*full[1:]).with_(LINE).signatures == (LINE, *full[1:])
    with pytest.raises(TooLarge):
        NOTE.with_(*full)
    twice = Note(TEXT, (LINE, LINE))
    assert twice.with_(LINE, other).signatures == (LINE, LINE, other)


def test_a_key_is_read_and_written_as_one_text():
    key = LOG.verifier
    assert VerifierKey.parse(key.text()) == key
    ident = hashlib.sha256(f"{key.name}\n".encode() + b"\x01" + key.public_key).digest()[:4]
    assert key.key_id == ident
    assert key.text().split("+")[1] == ident.hex()


def test_one_public_key_has_another_id_for_each_signature_type():
    public = LOG.verifier.public_key
    ids = {VerifierKey("a", kind, public).key_id for kind in (ED25519, COSIGNATURE)}
    assert len(ids) == 2


def key_text(name="a.example", kind=1, public=None, ident=None):
    raw = bytes([kind]) + (LOG.verifier.public_key if public is None else public)
    ident = ident or hashlib.sha256(f"{name}\n".encode() + raw).hexdigest()[:8]
    return f"{name}+{ident}+{base64.b64encode(raw).decode()}"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("", "verifier_key_malformed", id="nothing"),
        pytest.param("a+b", "verifier_key_malformed", id="two parts"),
        pytest.param(key_text(ident="00000000"), "key_id_mismatch", id="another id"),
        pytest.param(EXAMPLE_KEY.replace("foo", "bar"), "key_id_mismatch", id="another name"),
        pytest.param(EXAMPLE_KEY.upper(), "verifier_key_malformed", id="capitals"),
        pytest.param(EXAMPLE_KEY.replace("530d", "530D"), "verifier_key_malformed", id="hex"),
        pytest.param(EXAMPLE_KEY + "\n", "base64_malformed", id="a newline"),
        pytest.param(EXAMPLE_KEY + " ", "base64_malformed", id="a space"),
        pytest.param(" " + EXAMPLE_KEY, "key_name_malformed", id="a space before"),
        pytest.param("+530d903a+" + EXAMPLE_KEY[-44:], "key_name_malformed", id="no name"),
        pytest.param(key_text(name="a\u2003b"), "key_name_malformed", id="an em space"),
        pytest.param("a\ud800+530d903a+" + EXAMPLE_KEY[-44:], "key_name_malformed", id="surrogate"),
        pytest.param("a+00000000+", "verifier_key_malformed", id="no key"),
        pytest.param("a+00000000+\u00e9", "base64_malformed", id="not ASCII"),
        pytest.param("a+00000000+\ud800", "base64_malformed", id="a surrogate in the key"),
        pytest.param(key_text(public=bytes(31)), "verifier_key_malformed", id="31 bytes"),
        pytest.param(key_text(kind=4, public=bytes(33)), "verifier_key_malformed", id="33 bytes"),
        pytest.param(key_text(kind=2), "key_algorithm_unsupported", id="ECDSA"),
        pytest.param(key_text(kind=5), "key_algorithm_unsupported", id="RFC 6962"),
        pytest.param(key_text(kind=0xFF), "key_algorithm_unsupported", id="no identifier"),
        pytest.param("a" * 5000, "too_large", id="too long"),
    ],
)
def test_a_text_that_is_no_key_is_refused_with_its_reason(text, code):
    with pytest.raises(Malformed) as caught:
        VerifierKey.parse(text)
    assert caught.value.code == code


# Points of small order on Curve25519 in their encodings, canonical and not (RFC 8032, 5.1.3;
# "Taming the many EdDSAs", table 6).
SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
]


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_log_a_key_for_which_anyone_can_sign_is_refused(point):
    public = bytes.fromhex(point)
    for kind in (ED25519, COSIGNATURE):
        with pytest.raises(Malformed) as caught:
            VerifierKey.parse(key_text(kind=kind, public=public))
        assert caught.value.code == "key_weak"
    # R = the point itself or the neutral element, S = 0: holds in lax verifiers for every text.
    for r in (point, SMALL_ORDER[0]):
        key = VerifierKey("a", ED25519, public)
        line = SignatureLine("a", key.key_id, bytes.fromhex(r) + bytes(32))
        assert not any(verify_line(b"%d\n" % n, line, key) for n in range(16))


def test_log_the_twin_of_a_signature_does_not_hold():
    order = 2**252 + 27742317777372353535851937790883648493
    s = int.from_bytes(LINE.signature[32:], "little") + order
    twin = with_signature(LINE, LINE.signature[:32] + s.to_bytes(32, "little"))
    assert not verify_line(TEXT, twin, LOG.verifier)


def test_network_a_signature_by_another_key_with_the_same_name_and_id_does_not_hold():
    mallory = NoteSigner(LOG.verifier.name, SEED)
    line = SignatureLine(LOG.verifier.name, LOG.verifier.key_id, mallory.sign(TEXT).signature)
    assert LOG.verifier.owns(line)
    assert not verify_line(TEXT, line, LOG.verifier)


def test_a_cosigners_key_verifies_no_plain_signature():
    key = VerifierKey(LOG.verifier.name, COSIGNATURE, LOG.verifier.public_key)
    line = SignatureLine(key.name, key.key_id, LINE.signature)
    assert not verify_line(TEXT, line, key)


def test_a_signer_signs_notes_only_and_keeps_its_seed_to_itself():
    signer = NoteSigner("a.example", SEED)
    for bad in (b"no newline", b"", b"a\tb\n", b"\xff\n"):
        with pytest.raises(Malformed):
            signer.sign(bad)
    with pytest.raises(Usage):
        NoteSigner("a.example", SEED, COSIGNATURE)
    with pytest.raises(Malformed):
        NoteSigner("a b", SEED)
    assert SEED.hex() not in repr(vars(signer)["verifier"])


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_seed_has_32_bytes(size):
    with pytest.raises(Usage):
        NoteSigner("a.example", bytes(size))


@given(
    st.text(st.characters(codec="utf-8"), max_size=60),
    st.lists(st.tuples(st.text(st.characters(codec="utf-8"), max_size=9), st.binary(max_size=40))),
)
def test_what_is_written_reads_back(text, lines):
    try:
        made = [SignatureLine(name, raw[:4], raw[4:]) for name, raw in lines]
        data = Note(text.encode() + b"\n", tuple(made)).encode()
        note = Note.parse(data)
    except Malformed:
        return
    assert note.encode() == data
