"""Bodies of requests to the pages, bounded while they stream."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from teeproof.core.errors import Malformed, TooLarge

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["bounded", "media_type", "require_utf8"]


def bounded(
    request: Request, most: int, *, around: int = 0, refuse: Callable[[], TooLarge]
) -> Request:
    """Return the same request with a body that ends in an error where it is too long.

    Args:
        request: none of whose body was read.
        most: bytes that it may announce.
        around: bytes that may come beyond: a form's own lines.
        refuse: the error.
    """
    from starlette.requests import Request as Plain  # noqa: PLC0415  only a server needs it

    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > most:
        raise refuse()
    receive, left = request.receive, most + around

    async def counted() -> MutableMapping[str, Any]:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise refuse()
        return message

    return Plain(request.scope, counted)


def media_type(request: Request) -> str:
    """Return what a body says that it is, in lower case and without its parameters."""
    kind: str = request.headers.get("content-type", "")
    return kind.partition(";")[0].strip().lower()


def require_utf8(request: Request) -> None:
    """Raise unless a form's words are in UTF-8, as every browser sends them to a page of ours.

    A form may name any of Python's codecs, and the work of some grows with the square of a text.

    Raises:
        Malformed: another charset (``form_charset``).
    """
    from python_multipart.multipart import parse_options_header  # noqa: PLC0415  beside Starlette

    _, options = parse_options_header(request.headers.get("content-type", ""))
    charset = options.get(b"charset", b"utf-8")
    if charset.lower() != b"utf-8":
        raise Malformed(
            "the form is written in another charset", code="form_charset", expected="UTF-8",
            got=charset[:40].decode("ascii", "backslashreplace"),
        )  # fmt: skip
