"""Bodies of requests to the pages, bounded while they stream."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from teeproof.core.errors import TooLarge

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["bounded", "media_type"]


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
