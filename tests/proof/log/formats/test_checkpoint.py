"""Checkpoints: one spelling each, signed by the log whose origin they name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Malformed, NotAuthentic, Usage
from teeproof.proof.log.formats.checkpoint import (
    Checkpoint,
    SignedCheckpoint,
    sign_checkpoint,
    verify_checkpoint,
)
from teeproof.proof.log.formats.merkle import EMPTY_ROOT
from teeproof.proof.log.formats.note import Note, NoteSigner, SignatureLine
from tests.proof.log.formats.samples import LOG, ORIGIN, TREE, WITNESSES, checkpoint, flipped

# c2sp.org/tlog-cosignature, the example at the top
EXAMPLE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q"
    "1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2"
    "oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
).encode()

SIGNED = checkpoint()
TEXT = SIGNED.note.text
LINES = TEXT.split(b"\n")


def test_the_example_of_the_specification_is_read():
    signed = SignedCheckpoint.parse(EXAMPLE)
    assert signed.checkpoint.origin == "example.com/behind-the-sofa"
    assert signed.checkpoint.size == 20852163
    assert [line.name for line in signed.note.signatures] == [
        "example.com/behind-the-sofa",
        "witness.example.com/w1",
    ]
    assert signed.encode() == EXAMPLE


def test_a_checkpoint_reads_back_and_its_log_signed_it():
    again = SignedCheckpoint.parse(SIGNED.encode())
    assert again == SIGNED
    verify_checkpoint(again, LOG.verifier)


def test_extension_lines_are_kept_in_their_order():
    extended = Checkpoint(ORIGIN, 3, TREE.root(3), ("first", " second — ünïcode"))
    signed = sign_checkpoint(extended, LOG)
    assert SignedCheckpoint.parse(signed.encode()).checkpoint == extended
    verify_checkpoint(signed, LOG.verifier)


def test_an_origin_need_not_look_like_a_url():
    Checkpoint("go.sum database tree", 1, bytes(32))
    assert Checkpoint.parse(b"a + b\n0\n%b\n" % LINES_EMPTY).origin == "a + b"


LINES_EMPTY = b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


def body(origin=LINES[0], size=LINES[1], root=LINES[2], rest=b""):
    return b"%b\n%b\n%b\n%b" % (origin, size, root, rest)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\n", id="a blank line"),
        pytest.param(body()[:-1], id="no last newline"),
        pytest.param(body(origin=b""), id="no origin"),
        pytest.param(body(origin=b"a\rb"), id="a control character in the origin"),
        pytest.param(body(origin=b"\xff"), id="not UTF-8"),
        pytest.param(body(size=b""), id="no size"),
        pytest.param(body(size=b"070"), id="a leading zero"),
        pytest.param(body(size=b"00"), id="two zeros"),
        pytest.param(body(size=b"+70"), id="a plus"),
        pytest.param(body(size=b"-70"), id="a minus"),
        pytest.param(body(size=b" 70"), id="a space"),
        pytest.param(body(size=b"7_0"), id="an underscore"),
        pytest.param(body(size="٧٠".encode()), id="Arabic digits"),
        pytest.param(body(size=b"0x46"), id="hex"),
        pytest.param(body(size=b"70.0"), id="a fraction"),
        pytest.param(body(size=b"9223372036854775808"), id="2 to the 63rd"),
        pytest.param(body(size=b"9" * 5000), id="five thousand digits"),
        pytest.param(body(root=b""), id="no root"),
        pytest.param(body(root=LINES[2][:-1]), id="a root without padding"),
        pytest.param(body(root=b"AAAA"), id="a short root"),
        pytest.param(body(root=LINES[2][:-2] + b"B="), id="ignored bits in the root"),
        pytest.param(body(root=LINES[2].replace(b"=", b"")), id="a root without its sign"),
        pytest.param(body(rest=b"\n"), id="a blank line at the end"),
        pytest.param(body(rest=b"a\n\nb\n"), id="a blank extension"),
        pytest.param(body(rest=b"junk"), id="junk without a newline"),
        pytest.param(body().replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(b"\n".join(LINES[:2]) + b"\n", id="two lines"),
        pytest.param(body(size=b"70\n70"), id="two sizes"),
        pytest.param(body(size=b"0"), id="an empty tree with a root"),
    ],
)
def test_log_a_text_that_is_no_checkpoint_is_refused(text):
    assert Checkpoint.parse(body()).size == 70
    with pytest.raises(Malformed):
        Checkpoint.parse(text)


def test_log_lines_after_the_root_are_part_of_what_is_signed():
    longer = Checkpoint.parse(body(rest=b"junk\n"))
    assert longer.extensions == ("junk",)
    with pytest.raises(NotAuthentic) as caught:
        verify_checkpoint(
            SignedCheckpoint(longer, Note(longer.encode(), SIGNED.note.signatures)), LOG.verifier
        )
    assert caught.value.code == "checkpoint_signature"


def test_an_empty_tree_has_the_root_of_nothing():
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert Checkpoint.parse(empty.encode()) == empty
    assert empty.encode().split(b"\n")[1:3] == [b"0", LINES_EMPTY]


@pytest.mark.parametrize(
    "fields",
    [
        ("", 1, bytes(32), ()),
        ("a\nb", 1, bytes(32), ()),
        ("a\ud800", 1, bytes(32), ()),
        ("a", -1, bytes(32), ()),
        ("a", 1 << 63, bytes(32), ()),
        ("a", 1, bytes(31), ()),
        ("a", 1, bytes(32), ("",)),
        ("a", 1, bytes(32), ("x\n",)),
        ("a", 0, bytes(32), ()),
    ],
)
def test_a_checkpoint_that_could_not_be_read_cannot_be_made(fields):
    with pytest.raises(Malformed):
        Checkpoint(*fields)


def test_prover_a_note_about_another_checkpoint_cannot_be_passed_off():
    with pytest.raises(Malformed, match="another checkpoint"):
        SignedCheckpoint(checkpoint(69).checkpoint, SIGNED.note)


def test_a_log_signs_its_own_origin_only():
    with pytest.raises(Usage) as caught:
        sign_checkpoint(SIGNED.checkpoint, NoteSigner("other.example", bytes(32)))
    assert caught.value.code == "origin_mismatch"


@given(st.integers(0, len(TEXT) - 1), st.integers(0, 7))
def test_network_one_flipped_bit_of_a_checkpoint_is_caught(at, bit):
    try:
        bad = SignedCheckpoint.parse(flipped(SIGNED.encode(), at, bit))
    except Malformed:
        return
    with pytest.raises(NotAuthentic):
        verify_checkpoint(bad, LOG.verifier)


def test_log_an_unknown_log_key_is_refused():
    stranger = NoteSigner(ORIGIN, b"\x77" * 32)
    with pytest.raises(NotAuthentic) as caught:
        verify_checkpoint(sign_checkpoint(SIGNED.checkpoint, stranger), LOG.verifier)
    assert caught.value.code == "log_unknown"


def test_log_a_checkpoint_of_another_origin_is_refused_with_both():
    other = NoteSigner("other.example", b"\x01" * 32)
    with pytest.raises(NotAuthentic) as caught:
        verify_checkpoint(SIGNED, other.verifier)
    assert caught.value.code == "log_unknown"
    assert (caught.value.expected, caught.value.got) == ("other.example", ORIGIN)


def test_log_a_signature_for_another_origin_by_a_known_key_is_refused():
    # The key of log.example signs a checkpoint that claims to be of another log.
    foreign = Checkpoint("other.example", 70, SIGNED.checkpoint.root)
    signed = SignedCheckpoint(foreign, Note(foreign.encode(), (LOG.sign(foreign.encode()),)))
    with pytest.raises(NotAuthentic) as caught:
        verify_checkpoint(signed, LOG.verifier)
    assert caught.value.code == "log_unknown"


def test_network_a_bad_line_by_the_logs_key_voids_a_good_one():
    line = SIGNED.note.signatures[0]
    bad = SignatureLine(line.name, line.key_id, flipped(line.signature, 9))
    for lines in ((bad,), (bad, line), (line, bad)):
        with pytest.raises(NotAuthentic) as caught:
            verify_checkpoint(SignedCheckpoint(SIGNED.checkpoint, Note(TEXT, lines)), LOG.verifier)
        assert caught.value.code == "checkpoint_signature"


def test_lines_by_others_and_repeated_lines_do_no_harm():
    cosigned = SIGNED.with_(WITNESSES[0].cosign(TEXT, time=1))
    verify_checkpoint(cosigned, LOG.verifier)
    twice = Note(TEXT, SIGNED.note.signatures * 3)
    verify_checkpoint(SignedCheckpoint(SIGNED.checkpoint, twice), LOG.verifier)


@given(
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.integers(-1, 1 << 64),
    st.binary(min_size=31, max_size=33),
    st.lists(st.text(st.characters(codec="utf-8"), max_size=9), max_size=3),
)
def test_what_can_be_made_reads_back(origin, size, root, extensions):
    try:
        made = Checkpoint(origin, size, root, tuple(extensions))
    except Malformed:
        return
    assert Checkpoint.parse(made.encode()) == made
