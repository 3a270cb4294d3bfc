"""Fuzz targets for the explorer: whatever is handed in or searched for is answered or refused."""

from __future__ import annotations

import asyncio
import tempfile
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path

from teeproof.core import strictjson
from teeproof.core.errors import Error
from teeproof.explorer.answering import Pages, file_name
from teeproof.explorer.console.forms import read_form
from teeproof.explorer.console.gate import Gate
from teeproof.explorer.console.peers import user_of
from teeproof.explorer.pages.family import digest_of
from teeproof.explorer.telling.fields import sections
from teeproof.explorer.telling.sentences import _SAYINGS, clause
from teeproof.explorer.uploads import read_upload

FORM = b"multipart/form-data; boundary=b"


def fuzz_upload(data: bytes) -> None:
    """A form is read or refused; names in it are harmless, and nothing in it is unbounded."""
    from starlette.requests import Request

    messages = iter([{"type": "http.request", "body": data, "more_body": False}])

    async def receive() -> dict[str, object]:
        return next(messages, {"type": "http.disconnect"})

    scope = {"type": "http", "method": "POST", "path": "/verify", "query_string": b"",
             "headers": [(b"content-type", FORM)]}  # fmt: skip
    with suppress(Error), warnings.catch_warnings():
        # Of a form that breaks off, Starlette leaves the last spooled part to the collector.
        warnings.simplefilter("ignore", ResourceWarning)
        upload = asyncio.run(read_upload(Request(scope, receive)))
        assert upload.files
        assert all(name == file_name(name) for name, _ in upload.files)


def fuzz_console_form(data: bytes) -> None:
    """A console's form is read or refused, and only one that carries its secret is read."""
    from starlette.requests import Request

    scope = {"type": "http", "method": "POST", "path": "/console/contribute", "scheme": "http",
             "query_string": b"", "headers": [
                 (b"content-type", FORM), (b"host", b"a"), (b"origin", b"http://a")]}  # fmt: skip
    messages = iter([{"type": "http.request", "body": data, "more_body": False}])

    async def receive() -> dict[str, object]:
        return next(messages, {"type": "http.disconnect"})

    with suppress(Error), warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # as above
        form = asyncio.run(read_form(Request(scope, receive), _gate(), most_file=1 << 10))
        assert _gate().form.encode() in data
        assert form.data is None or (
            len(form.data) <= 1 << 10 and form.name == file_name(form.name)
        )


def fuzz_sockets(data: bytes) -> None:
    """Whatever stands in the kernel's list of sockets, a user is a number or unknown."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        user = user_of(("127.0.0.1", 1), ("127.0.0.1", 2), tables=(Path(file.name),))
    assert user is None or user >= 0


def fuzz_statement_page(data: bytes) -> None:
    """Any JSON has a sentence, its fields a table, and both are inert text on a page."""
    with suppress(Error):
        value = strictjson.loads(data, limit=1 << 18)
        for kind in _SAYINGS:
            assert len(clause(kind, value, title="x")) < 500
        if isinstance(value, dict):
            rows = [field for section in sections(value) for field in section.fields]
            assert len(rows) <= 600
        text = data.decode("utf-8", "replace")
        page = _pages().html("error.html", title=text, error=Error(text, expected=text, got=text))
        assert page.body.count(b"<script") == 0
        assert page.body.count(b"<svg") == 0


def fuzz_address(data: bytes) -> None:
    """An id in an address is 32 bytes, or is refused."""
    with suppress(Error):
        assert len(digest_of(data.decode("utf-8", "replace"))) == 32


@cache
def _gate() -> Gate:
    return Gate("t" * 32, random=lambda count: "s" * count)


@cache
def _pages() -> Pages:
    return Pages(has_log=True, has_desk=True)


def _forms() -> list[bytes]:
    head = b'--b\r\ncontent-disposition: form-data; name="file"; filename="q.bin"\r\n\r\n'
    text = b'--b\r\ncontent-disposition: form-data; name="text"\r\n\r\n0400\r\n'
    return [head + b"\4\0\2\0\r\n--b--\r\n", text + head + b"x\r\n--b--\r\n", text + b"--b--\r\n"]


def _statements() -> list[bytes]:
    return [
        b'{"ending":{"outcome":"traded"},"intent":{"instruction":{"text":"<script>"}}}',
        b'{"step":"<svg onload=alert(1)>","a_meaning":"x","a":[{"b":1}]}',
    ]


def _console_forms() -> list[bytes]:
    secret = b'--b\r\ncontent-disposition: form-data; name="form"\r\n\r\n' + b"s" * 32 + b"\r\n"
    twice = b'--b\r\ncontent-disposition: form-data; name="a"\r\n\r\nx\r\n' * 2
    file = b'--b\r\ncontent-disposition: form-data; name="f"; filename="f"\r\n\r\nx\r\n--b--\r\n'
    return [
        secret + one for one in (*_forms(), twice + file, file[:-9])
    ]  # the last one's file never ends


def _sockets() -> list[bytes]:
    line = b"0: 0100007F:0001 0100007F:0002 01 00000000:00000000 00:00000000 00000000 1000 0 1\n"
    return [b"  sl  local_address rem_address\n" + line]


SEEDS = {
    "fuzz_console_form": _console_forms,
    "fuzz_sockets": _sockets,
    "fuzz_upload": _forms,
    "fuzz_statement_page": _statements,
    "fuzz_address": lambda: [b"ab" * 32, b"sha256:" + b"0" * 64],
}
