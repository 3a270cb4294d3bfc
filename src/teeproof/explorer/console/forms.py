"""Read a form of the console: bounded while it streams, kept off the disk, from our own pages only.

A file that is contributed is plaintext until it is sealed here, so it stays in memory.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teeproof.core.errors import Malformed, TooLarge
from teeproof.explorer.answering import file_name
from teeproof.explorer.bodies import bounded, media_type, require_utf8
from teeproof.explorer.console.gate import FIELD, Gate

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request

__all__ = ["MOST_WORDS", "Form", "read_form"]

MOST_WORDS = 32 << 10  # bytes of a form without a file
_OVERHEAD = 32 << 10  # bytes of a form's own lines around a file
_MOST_FIELDS = 12
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What came: words by field, and at most one file with its harmless name."""

    words: dict[str, str]
    name: str = ""
    data: bytes | None = None

    def word(self, field: str) -> str:
        """Return what stands in a field, without space around it; nothing where it is missing."""
        return self.words.get(field, "").strip()


async def read_form(request: Request, gate: Gate, *, most_file: int = 0) -> Form:
    """Return a form that was sent from a page of this console.

    Args:
        request: the request.
        gate: tells our own pages.
        most_file: bytes of a file that may come with it.

    Raises:
        NotAllowed: it comes from another page (``form_foreign``); nothing of it is used.
        TooLarge: more bytes than allowed; what is beyond is not read.
        Malformed: no form, a field twice, more than one file (``form_malformed``).
    """
    gate.require_own_page(request)
    most = most_file + _OVERHEAD if most_file else MOST_WORDS
    body = bounded(request, most, refuse=lambda: _too_large(most_file or most))
    kind = media_type(request)
    if kind not in _FORMS:
        raise Malformed(
            "this is no form", code="form_malformed", expected=" or ".join(_FORMS), got=kind[:80]
        )
    form = await _read(body, kind, most_file)
    gate.require_own_form(form.words.pop(FIELD, ""))
    if form.data is not None and len(form.data) > most_file:
        raise _too_large(most_file)
    return form


async def _read(request: Request, kind: str, most_file: int) -> Form:
    from starlette.formparsers import (  # noqa: PLC0415  only a server needs it
        FormParser,
        MultiPartException,
        MultiPartParser,
    )

    class Parser(MultiPartParser):
        def close(self) -> None:
            """Let go of each file, of one too whose part never ended."""
            for file in self._files_to_close_on_error:
                file.close()

    with ExitStack() as left:
        try:
            if kind == _FORMS[0]:
                require_utf8(request)
                parser = Parser(
                    request.headers, request.stream(), max_files=1, max_fields=_MOST_FIELDS,
                    max_part_size=MOST_WORDS,
                )  # fmt: skip
                left.callback(parser.close)
                parser.spool_max_size = most_file + 1  # plaintext is written to no disk
                form = await parser.parse()
            else:
                form = await FormParser(request.headers, request.stream()).parse()
        except (MultiPartException, KeyError, ValueError, UnicodeError) as error:
            said = getattr(error, "message", type(error).__name__)
            raise Malformed(
                "the form cannot be read", code="form_malformed", got=str(said)[:200]
            ) from None
        return await _form(form)


async def _form(form: FormData) -> Form:
    from starlette.datastructures import UploadFile  # noqa: PLC0415  only a server needs it

    words: dict[str, str] = {}
    name, data = "", None
    for field, value in form.multi_items():
        if isinstance(value, UploadFile):
            content = await value.read()
            if content or value.filename:
                name, data = file_name(value.filename or "file"), content
        elif field in words or len(words) >= _MOST_FIELDS:
            raise Malformed("a field was sent twice, or too many", code="form_malformed")
        else:
            words[field] = value
    return Form(words=words, name=name, data=data)


def _too_large(most: int) -> TooLarge:
    return TooLarge(
        "this is more than the console takes: nothing of it was used",
        code="form_too_large", expected=f"at most {most} bytes",
    )  # fmt: skip
