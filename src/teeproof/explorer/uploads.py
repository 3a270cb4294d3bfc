"""Read an upload, bounded while it streams: a form with files, or a text that was pasted.

A form stays in memory. Nothing is written but into one temporary directory for the judge of
evidence, which is gone when that is done. A client's file name is only a label; no client can name
a path, a policy's file, or an address.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from teeproof.core.errors import Malformed, NotAllowed, TooLarge, Usage
from teeproof.explorer.answering import file_name
from teeproof.explorer.bodies import bounded, media_type, require_utf8

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request

__all__ = ["MOST_BYTES", "MOST_FILES", "Upload", "form_fields", "on_disk", "read_upload"]

MOST_BYTES = 16 << 20  # of one upload; larger proofs are for the command
MOST_FILES = 16
_MOST_FIELDS = 8
_MOST_TEXT = 1 << 20
_AROUND = 64 << 10  # bytes of a form's own lines
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
_PASTED = "pasted"
_ID = re.compile(rb"(?:sha256:)?[0-9a-fA-F]{64}|0x(?:[0-9a-fA-F]{40}|[0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What came: files by name, the chosen policy, and as of when."""

    files: tuple[tuple[str, bytes], ...]
    policy: str = ""
    at: str = ""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(len(data) for _, data in self.files)

    @property
    def id(self) -> str | None:
        """What was pasted, if that is an id or a hash: it names something, and is no evidence."""
        if len(self.files) != 1 or self.files[0][0] != _PASTED:
            return None
        text = self.files[0][1].strip()
        return text.decode("ascii") if _ID.fullmatch(text) else None


async def read_upload(request: Request) -> Upload:
    """Return what a client sent: a form, or a body that is one file.

    Raises:
        TooLarge: more than ``MOST_BYTES``; what is beyond is not read.
        Malformed: a form that cannot be read.
        Usage: nothing was sent.
        NotAllowed: another site's page sent the form (``upload_foreign``).
    """
    own = _checked(request, MOST_BYTES)
    kind = media_type(request)
    upload = await (_form(own) if kind in _FORMS else _body(own))
    if not upload.files:
        raise Usage(
            "nothing was sent: choose a file, or paste a quote", code="upload_empty",
            expected="a file, or a text in hex, base64 or JSON",
        )  # fmt: skip
    return upload


async def form_fields(request: Request, *, most: int, fields: int) -> list[tuple[str, str | bytes]]:
    """Return the fields of a form, in order: text, or the bytes of a file.

    Args:
        request: with the form as its body.
        most: bytes of all fields together; what is beyond is not read.
        fields: how many there may be, and how many files.

    Raises:
        TooLarge, Malformed, NotAllowed: as ``read_upload``.
    """
    from starlette.datastructures import UploadFile  # noqa: PLC0415  only a server needs it

    own, found = _checked(request, most), list[tuple[str, str | bytes]]()
    kind = media_type(request)
    if kind not in _FORMS:
        raise Malformed("this is no form", code="upload_malformed", got=kind[:80])
    async with _opened(own, files=fields, fields=fields, part=most) as form:
        for key, value in form.multi_items():
            found.append((key, await value.read() if isinstance(value, UploadFile) else value))
    if sum(len(value) for _, value in found) > most:
        raise _too_large(most)
    return found


@contextmanager
def on_disk(upload: Upload) -> Iterator[tuple[Path, ...]]:
    """Give the files of an upload as files, in a directory of their own that goes away."""
    with tempfile.TemporaryDirectory(prefix="teeproof-upload-") as folder:
        paths: list[Path] = []
        for number, (name, data) in enumerate(upload.files):
            path = Path(folder) / name
            if path in paths:
                path = Path(folder) / f"{number}-{name}"
            path.write_bytes(data)
            paths.append(path)
        yield tuple(paths)


def _checked(request: Request, most: int) -> Request:
    """Return the same request with a bounded body, if it comes from a page of ours."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    own = request.headers.get("host", "")  # behind a proxy the scheme is another
    # A browser that says no site may still say the origin; our pages send no referrer, so "null".
    foreign = (
        origin not in (None, "null") and str(origin).partition("://")[2] != own
        if site is None else site not in ("none", "same-origin")
    )  # fmt: skip
    if foreign:
        raise NotAllowed(
            "another site's page sent this: upload it here yourself", code="upload_foreign",
            got=(site or origin or "")[:100],
        )  # fmt: skip
    return bounded(request, most, around=_AROUND, refuse=lambda: _too_large(most))


@asynccontextmanager
async def _opened(
    request: Request, *, files: int, fields: int, part: int
) -> AsyncIterator[FormData]:
    from starlette.formparsers import (  # noqa: PLC0415  only a server needs it
        FormParser,
        MultiPartException,
        MultiPartParser,
    )

    kind = media_type(request)
    try:
        if kind == _FORMS[0]:
            require_utf8(request)
            parser = MultiPartParser(
                request.headers, request.stream(), max_files=files, max_fields=fields,
                max_part_size=part,
            )  # fmt: skip
            parser.spool_max_size = MOST_BYTES * 2  # it may be somebody's question: on no disk
            form = await parser.parse()
        else:
            form = await FormParser(
                request.headers, _of_few(request.stream(), fields), max_fields=fields,
                max_part_size=part,
            ).parse()  # fmt: skip
    except (MultiPartException, UnicodeError) as error:
        raise Malformed(
            "the form cannot be read", code="upload_malformed", got=str(error)[:200]
        ) from None
    try:
        yield form
    finally:
        await form.close()


async def _of_few(chunks: AsyncIterator[bytes], most: int) -> AsyncGenerator[bytes, None]:
    """Yield a form's bytes unless they part too many fields; empty ones are counted by no parser.

    Raises:
        Malformed: they do (``upload_malformed``).
    """
    left = most
    async for chunk in chunks:
        left -= chunk.count(b"&") + chunk.count(b";")
        if left < 0:
            raise Malformed("the form has too many fields", code="upload_malformed",
                            expected=f"at most {most}")  # fmt: skip
        yield chunk


async def _body(request: Request) -> Upload:
    data = await request.body()
    return Upload(files=(("upload", data),) if data else ())


async def _form(request: Request) -> Upload:
    from starlette.datastructures import UploadFile  # noqa: PLC0415  only a server needs it

    files: list[tuple[str, bytes]] = []
    words: dict[str, str] = {}
    async with _opened(request, files=MOST_FILES, fields=_MOST_FIELDS, part=_MOST_TEXT) as form:
        for key, value in form.multi_items():
            if isinstance(value, UploadFile):
                data = await value.read()
                if data or value.filename:
                    files.append((file_name(value.filename or "file"), data))
            elif key in words:
                raise Malformed("a field was sent twice", code="upload_malformed", got=key[:40])
            else:
                words[key] = value
    text = words.get("text", "").strip()
    if text:
        files.append((_PASTED, text.encode("utf-8", "replace")))
    if sum(len(data) for _, data in files) > MOST_BYTES:
        raise _too_large(MOST_BYTES)
    return Upload(
        files=tuple(files), policy=words.get("policy", ""), at=words.get("at", "").strip()
    )


def _too_large(most: int) -> TooLarge:
    return TooLarge(
        "this is too large for a page: run teeproof verify on your own machine",
        expected=f"at most {most >> 20} MiB in all",
    )
