"""A request to a witness has one encoding, and bounds."""

from __future__ import annotations

import pytest

from teeproof.core.errors import Malformed, NotAuthentic, TooLarge, Usage
from teeproof.proof.log.formats.text import to_base64
from teeproof.proof.witness.request import MAX_REQUEST_BYTES, AddCheckpoint
from tests.proof.witness.scenes import SIGNER, Book


def test_a_request_reads_back_as_it_was_written():
    for old, size in ((0, 0), (0, 5), (3, 300), (300, 300)):
        request = Book.of(300).request(old, size)
        assert AddCheckpoint.parse(request.encode()) == request


def test_the_example_of_the_specification_is_read():
    text = """\
old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
"""  # noqa: E501  as the specification has it
    request = AddCheckpoint.parse(text.encode())
    assert (request.old, len(request.proof)) == (20852014, 4)
    assert request.signed.checkpoint.size == 20852163
    assert request.encode() == text.encode()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda b: b.replace(b"old 3", b"old 03"), "number_malformed"),
        (lambda b: b.replace(b"old 3", b"old -3"), "number_malformed"),
        (lambda b: b.replace(b"old 3", b"old  3"), "number_malformed"),
        (lambda b: b.replace(b"old 3", b"Old 3"), "request_malformed"),
        (lambda b: b.replace(b"old 3\n", b"old 3\r\n"), "number_malformed"),
        (lambda b: b.replace(b"=\n", b"\n", 1), "base64_malformed"),
        (lambda b: b.replace(b"\n", b"\nAAAA\n", 1), "length_malformed"),
        (lambda b: b.split(b"\n\n")[0], "request_malformed"),
        (lambda b: b"", "request_malformed"),
    ],
)
def test_anything_else_is_refused(change, code):
    body = Book.of(300).request(3).encode()
    with pytest.raises(Malformed) as caught:
        AddCheckpoint.parse(change(body))
    assert caught.value.code == code


def test_client_a_proof_longer_than_any_tree_needs_is_refused():
    body = Book.of(5).request(0).encode()
    line = to_base64(bytes(32)) + b"\n"
    assert len(AddCheckpoint.parse(body.replace(b"\n", b"\n" + 63 * line, 1)).proof) == 63
    with pytest.raises(Malformed) as caught:
        AddCheckpoint.parse(body.replace(b"\n", b"\n" + 64 * line, 1))
    assert caught.value.code == "proof_too_long"
    with pytest.raises(Usage):
        AddCheckpoint(1, (bytes(32),) * 64, Book.of(5).signed()).encode()


def test_client_a_huge_body_is_refused_before_it_is_read():
    with pytest.raises(TooLarge):
        AddCheckpoint.parse(b"old 0\n\n" + bytes(MAX_REQUEST_BYTES))


def test_log_an_empty_tree_with_another_root_has_a_code_of_its_own():
    text = f"{SIGNER.verifier.name}\n0\n{to_base64(bytes(32)).decode()}\n".encode()
    note = text + b"\n" + SIGNER.sign(text).encode()
    with pytest.raises(NotAuthentic) as caught:
        AddCheckpoint.parse(b"old 0\n\n" + note)
    assert caught.value.code == "empty_tree_root"
    with pytest.raises(Malformed):
        AddCheckpoint.parse(b"old 0\n\n" + note.replace(b"\n0\n", b"\n00\n"))
