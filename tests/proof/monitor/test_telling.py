"""A fork.proof reaches whoever should know, or the file stays."""

from __future__ import annotations

import httpx
import pytest

from teeproof.core.errors import Unavailable, Usage
from teeproof.proof.monitor.fork import verify_fork
from teeproof.proof.monitor.telling import check_address, keeper, post
from tests.proof.witness.scenes import ORIGIN, SIGNER, Book

URL = "https://me.example/hook"


def told(*statuses):
    left, got, slept = list(statuses), [], []

    def handle(request):
        got.append((request.headers["content-type"], request.content))
        status = left.pop(0)
        if status == 0:
            raise httpx.ConnectError("nobody")
        return httpx.Response(status)

    with httpx.Client(transport=httpx.MockTransport(handle)) as client:
        try:
            post(URL, b"{}\n", sleep=slept.append, client=client)
        finally:
            assert got == [("application/json", b"{}\n")] * len(got)
            assert slept == [1.0, 2.0, 4.0, 8.0][: len(got) - 1]
    return len(got)


def test_a_proof_is_sent_once_where_it_is_taken():
    assert told(204) == 1


def test_a_proof_is_sent_again_where_it_is_not():
    assert told(500, 0, 302, 404, 200) == 5


def test_a_webhook_that_never_answers_is_named():
    with pytest.raises(Unavailable) as caught:
        told(500, 0, 302, 404, 410)
    assert (caught.value.code, caught.value.got) == ("webhook_unavailable", "HTTP 410")


@pytest.mark.parametrize("url", ["", "me.example", "file:///etc/passwd", "https://", "http://[x"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(Usage):
        check_address(url)
    with pytest.raises(Usage):
        post(url, b"")
    assert check_address(URL) == URL


def test_a_witness_keeps_the_first_proof_of_each_log(tmp_path):
    book, keep = Book.of(9), keeper(tmp_path)
    keep(book.signed(), book.fork(3).signed())
    keep(book.signed(), book.fork(2).signed())
    (path,) = (tmp_path / "forks").iterdir()
    found = verify_fork(path.read_bytes(), keys={ORIGIN: SIGNER.verifier})
    assert book.fork(3).tree.root() in found.roots
