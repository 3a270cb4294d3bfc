"""Fuzz targets for the explorer: whatever is handed in or searched for is answered or refused."""

from __future__ import annotations

import asyncio
import warnings
from contextlib import suppress
from functools import cache

from teeproof.core import strictjson
from teeproof.core.errors import Error
from teeproof.explorer.answering import Pages, file_name
from teeproof.explorer.fields import sections
from teeproof.explorer.pages.family import digest_of
from teeproof.explorer.sentences import _SAYINGS, clause
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


SEEDS = {
    "fuzz_upload": _forms,
    "fuzz_statement_page": _statements,
    "fuzz_address": lambda: [b"ab" * 32, b"sha256:" + b"0" * 64],
}
