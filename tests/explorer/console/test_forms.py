"""The console's forms: bounded while they stream, one meaning each, nothing on the disk."""

from __future__ import annotations

import asyncio
import tempfile

import pytest
from starlette.requests import Request

from teeproof.core.errors import Error
from teeproof.explorer.console.forms import MOST_WORDS, read_form
from teeproof.explorer.console.gate import Gate
from tests.explorer.console.scenes import multipart

GATE = Gate("t" * 32)
OWN = {"host": "127.0.0.1:1", "origin": "http://127.0.0.1:1", "sec-fetch-site": "same-origin"}
MOST = 4 << 20


class Stream:
    """A body that comes piece by piece, and counts how many were taken."""

    def __init__(self, piece: bytes, count: int) -> None:
        self.piece, self.left, self.taken = piece, count, 0

    async def receive(self):
        self.taken += 1
        self.left -= 1
        return {"type": "http.request", "body": self.piece, "more_body": self.left > 0}


def read(body, headers, *, most_file=0):
    stream = body if isinstance(body, Stream) else Stream(body, 1)
    given = [(name.encode(), value.encode()) for name, value in (OWN | headers).items()]
    scope = {"type": "http", "method": "POST", "path": "/console", "scheme": "http",
             "query_string": b"", "headers": given, "server": ("127.0.0.1", 1)}  # fmt: skip
    return asyncio.run(read_form(Request(scope, stream.receive), GATE, most_file=most_file))


def refusal(*arguments, **more):
    with pytest.raises(Error) as refused:
        read(*arguments, **more)
    return refused.value.code


def upload(data: bytes, name: str = "orders.jsonl"):
    fields, headers = multipart([("form", GATE.form)])
    head = f'--b\r\ncontent-disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return head.encode() + data + b"\r\n" + fields, headers


def test_a_file_and_words_are_read():
    form = read(*upload(b"{}\n"), most_file=MOST)
    assert (form.name, form.data, form.words) == ("orders.jsonl", b"{}\n", {})


def test_client_announces_a_gigabyte_and_nothing_of_it_is_read():
    stream = Stream(b"x" * 65_536, 16_384)
    headers = multipart([])[1] | {"content-length": str(1 << 30)}
    assert refusal(stream, headers, most_file=MOST) == "form_too_large"
    assert stream.taken == 0


def test_client_streams_a_gigabyte_and_is_cut_off_at_the_bound():
    stream = Stream(b"x" * 65_536, 16_384)
    head = upload(b"")[0].partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    stream.piece = head + b"x" * (65_536 - len(head))
    assert refusal(stream, multipart([])[1], most_file=MOST) in ("form_too_large", "form_malformed")
    assert stream.taken <= MOST // 65_536 + 2


def test_a_file_at_the_bound_is_read_and_its_twin_one_byte_longer_is_not():
    assert len(read(*upload(b"x" * MOST), most_file=MOST).data) == MOST
    assert refusal(*upload(b"x" * (MOST + 1)), most_file=MOST) == "form_too_large"


def test_plaintext_of_an_upload_touches_no_disk(monkeypatch):
    def never(*_, **__):
        raise AssertionError("plaintext was about to be written to a disk")

    monkeypatch.setattr(tempfile, "TemporaryFile", never)
    monkeypatch.setattr(tempfile, "_get_candidate_names", never)
    assert len(read(*upload(b"x" * MOST), most_file=MOST).data) == MOST


@pytest.mark.parametrize(("name", "kept"), [
    ("../../etc/passwd", "etc_passwd"), ("<img src=x>.jsonl", "img_src_x_.jsonl"),
    ("\u202egpj.exe", "gpj.exe"), ("a" * 500, "a" * 80), ("..", "file"),
])  # fmt: skip
def test_client_sends_a_hostile_file_name(name, kept):
    form = read(*upload(b"{}\n", name), most_file=MOST)
    assert form.name.endswith(kept)
    assert set(form.name) <= set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
    )
    assert not form.name.startswith(".")


def test_a_field_that_comes_twice_has_no_meaning():
    secret = ("form", GATE.form)
    assert read(*multipart([secret, ("text", "a")])).words == {"text": "a"}
    assert refusal(*multipart([secret, ("text", "a"), ("text", "b")])) == "form_malformed"
    assert refusal(*multipart([secret, secret])) == "form_malformed"
    many = [(f"field-{number}", "") for number in range(40)]
    assert refusal(*multipart([secret, *many])) == "form_malformed"


def test_what_is_no_form_is_not_read():
    stream = Stream(b"{}", 3)
    assert refusal(stream, {"content-type": "application/json"}) == "form_malformed"
    assert refusal(stream, {"content-type": "multipart/form-data"}) == "form_malformed"
    assert refusal(stream, {}) == "form_malformed"


@pytest.mark.parametrize("charset", ["punycode", "undefined", "utf-16"])
def test_client_names_a_codec_of_its_own(charset):
    body, headers = upload(b"{}\n")
    own = {"content-type": f"{headers['content-type']}; charset={charset}"}
    assert refusal(body, own, most_file=MOST) == "form_charset"
    assert read(body, {"content-type": f"{headers['content-type']}; charset=utf-8"},
                most_file=MOST).data == b"{}\n"  # fmt: skip


def test_words_are_bounded():
    kind = {"content-type": "application/x-www-form-urlencoded"}
    body = f"form={GATE.form}&text=".encode()
    assert len(read(body + b"x" * (MOST_WORDS - len(body)), kind).word("text")) > 30_000
    assert refusal(body + b"x" * (MOST_WORDS - len(body) + 1), kind) == "form_too_large"
