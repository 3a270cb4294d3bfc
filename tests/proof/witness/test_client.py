"""Who asks witnesses gets cosignatures that hold, or is told why not."""

from __future__ import annotations

import httpx
import pytest

from teeproof.core.errors import Error, Malformed, NotAllowed, NotAuthentic, TooLarge, Unavailable
from teeproof.proof.log.formats.cosignature import Cosigner, cosigned_at
from teeproof.proof.witness.app import App
from teeproof.proof.witness.client import MAX_ANSWER_BYTES, Asked, ask, gather
from tests.proof.witness.scenes import COSIGNER, NOW, Book, open_witness, transport

URL = "https://w1.example/"
KEY = COSIGNER.verifier
SECOND = Cosigner("witness.example/w2", bytes(32))
SIZE = {"content-type": "text/x.tlog.size"}


@pytest.fixture
def witness(tmp_path):
    with open_witness(tmp_path) as opened:
        yield opened


def against(answer, book=None, *, old=0, size=None, **options):
    """Ask whoever answers so."""
    book = book or Book.of(9)
    mock = answer if isinstance(answer, httpx.MockTransport) else httpx.MockTransport(answer)
    with httpx.Client(transport=mock) as client:
        signed = book.signed(size)
        prove = lambda old: book.tree.consistency_proof(old, signed.checkpoint.size)  # noqa: E731
        return ask(URL, signed, prove, key=KEY, old=old, client=client, **options)


def refusal(answer, kind: type[Error], **options):
    with pytest.raises(kind) as caught:
        against(answer, **options)
    return caught.value.code


def always(status, body=b"", headers=None):
    return lambda request: httpx.Response(status, content=body, headers=headers)


def test_a_witness_is_asked_and_its_cosignature_checked(witness):
    there = transport(("w1.example", App(witness)))
    book = Book.of(300)
    (line,) = against(there, book, size=7)
    assert cosigned_at(book.signed(7).note.text, line, KEY) == NOW
    assert against(there, book, old=7, size=200)
    assert against(there, book, old=0), "the size in the conflict is followed"
    assert against(there, book, old=300)


def test_two_other_clients_may_be_faster(witness):
    book, sizes = Book.of(300), [7, 200]
    app = transport(("w1.example", App(witness)))

    def racing(request):
        if sizes:
            held = witness.last(book.signed().checkpoint.origin)
            witness.add(book.request(held.checkpoint.size if held else 0, sizes.pop(0)))
        return app.handler(request)

    assert against(racing, book)


def test_witness_that_always_says_conflict_is_left():
    sizes = iter([3, 4, 5, 6])
    answer = lambda _: httpx.Response(409, content=b"%d\n" % next(sizes), headers=SIZE)  # noqa: E731
    assert refusal(answer, Unavailable) == "witness_conflict_loop"
    assert next(sizes) == 6


def test_witness_that_repeats_the_size_it_was_given_is_left():
    asked = []

    def answer(request):
        asked.append(request.content)
        return httpx.Response(409, content=b"0\n", headers=SIZE)

    assert refusal(answer, Unavailable) == "witness_conflict_loop"
    assert len(asked) == 1


def test_witness_that_knows_a_larger_tree_is_named_ahead(witness):
    witness.add(Book.of(20).request(0))
    there = transport(("w1.example", App(witness)))
    assert refusal(there, Unavailable) == "witness_ahead"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"3\n", {"content-type": "text/plain"}),
        (b"3", SIZE),
        (b"03\n", SIZE),
        (b"-3\n", SIZE),
        (b"", SIZE),
        (b"9" * 30 + b"\n", SIZE),
    ],
)
def test_witness_whose_conflict_names_no_size_is_refused(body, headers):
    refusal(always(409, body, headers), Malformed)


def test_witness_that_signed_another_checkpoint_is_refused():
    line = COSIGNER.cosign(Book.of(8).signed().note.text, time=NOW)
    code = refusal(always(200, line.encode()), NotAuthentic)
    assert code == "cosignature_other_checkpoint"


def test_stranger_s_cosignature_is_refused():
    line = SECOND.cosign(Book.of(9).signed().note.text, time=NOW)
    assert refusal(always(200, line.encode()), NotAuthentic) == "cosignature_unknown_key"
    assert refusal(always(200), NotAuthentic) == "cosignature_unknown_key"


def test_lines_of_others_beside_the_witness_s_are_left_out():
    text = Book.of(9).signed().note.text
    ours, other = COSIGNER.cosign(text, time=NOW), SECOND.cosign(text, time=NOW)
    assert against(always(200, other.encode() + ours.encode() + ours.encode())) == (ours,)


def test_network_an_altered_cosignature_is_refused():
    line = COSIGNER.cosign(Book.of(9).signed().note.text, time=NOW).encode()
    at = line.rindex(b"A" if b"A" in line[-20:] else line[-10:-9])
    altered = line[:at] + (b"B" if line[at : at + 1] != b"B" else b"C") + line[at + 1 :]
    refusal(always(200, altered), Error)


@pytest.mark.parametrize("status", [400, 403, 404, 422, 302, 204])
def test_a_refusal_says_what_the_witness_said(status):
    body = b'{"ok":false,"error":"origin_unknown","detail":"never heard of it"}'
    with pytest.raises(NotAllowed, match="never heard of it") as caught:
        against(always(status, body))
    assert caught.value.code == "witness_refused"


def test_witness_that_answers_terminal_escapes_cannot_write_to_the_screen():
    with pytest.raises(NotAllowed) as caught:
        against(always(400, b"\x1b[2J\r\nerror \xff"))
    assert caught.value.detail.isprintable()


def test_witness_that_fails_is_unavailable():
    assert refusal(always(503, b"busy"), Unavailable) == "witness_unavailable"
    assert refusal(transport(), Unavailable) == "witness_unavailable"


def test_witness_that_answers_without_end_is_cut_off():
    def endless():
        while True:
            yield bytes(4096)

    code = refusal(lambda _: httpx.Response(200, content=endless()), TooLarge)
    assert code == "witness_answer_too_large"
    assert refusal(always(200, bytes(MAX_ANSWER_BYTES + 1)), TooLarge) == code


def test_witness_that_answers_byte_by_byte_is_cut_off():
    def slow():
        while True:
            yield b"x"

    code = refusal(lambda _: httpx.Response(200, content=slow()), Unavailable, timeout=0.0)
    assert code == "witness_unavailable"


def test_many_are_asked_at_once_and_each_answers_for_itself(tmp_path):
    book, names = Book.of(300), ["w1", "w2", "w3"]
    keys = {name: Cosigner(f"witness.example/{name}", name.encode() * 16) for name in names}
    signed = book.signed()
    good = {n: k.cosign(signed.note.text, time=NOW) for n, k in keys.items()}

    def handle(request):
        name = request.url.host.partition(".")[0]
        if name == "w2":
            raise httpx.ConnectTimeout("nobody")
        return httpx.Response(200, content=good[name].encode())

    with httpx.Client(transport=httpx.MockTransport(handle)) as client:
        found = gather(
            [Asked(f"https://{n}.example", keys[n].verifier) for n in reversed(names)],
            signed,
            book.tree.consistency_proof,
            client=client,
        )
    assert found.lines == (good["w1"], good["w3"])
    assert {name: error.code for name, error in found.failed.items()} == {
        "witness.example/w2": "witness_unavailable"
    }
    assert gather([], signed, book.tree.consistency_proof).lines == ()
