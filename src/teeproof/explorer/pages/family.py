"""What every family of pages is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from teeproof.bench.probes import Finding
from teeproof.core.errors import Unavailable, Usage
from teeproof.explorer.answering import Pages
from teeproof.explorer.desk import Desk, Judged
from teeproof.explorer.given import Given
from teeproof.explorer.log.content import Book
from teeproof.explorer.shelf import Shelf

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from teeproof.chain.onlooker import Onlooker

    Route = Callable[[Request], Awaitable[Response]]

__all__ = ["Site", "aside", "digest_of", "page_number", "proof_file", "read_so_far"]

T = TypeVar("T")
_AT_ONCE = 1_000  # requests that may wait for work in threads; more are told to come again


@dataclass(slots=True)
class Site:
    """What the pages share.

    Attributes:
        pages: renders templates.
        book: the log; None for an explorer that only judges files.
        desk: judges files; None where none may be sent.
        shelf: results of what was sent.
        command: from an id (``sha256:…``) to what a person types to check it.
        measurements: of GPUs, which the operator made.
        given: files of the reader's trust, which commands name.
        at_work: how many requests wait for work.
        node: of the chain that the log speaks of; None where there is none.
        leads: from what was searched for to the page of a thing that it names, if it names one.
        judging: how many uploads are being read and judged.
    """

    pages: Pages
    book: Book | None
    desk: Desk | None
    shelf: Shelf[Judged]
    command: Callable[[str], str]
    measurements: Sequence[Finding] = ()
    given: Sequence[Given] = ()
    node: Onlooker | None = None
    leads: list[Callable[[str], str | None]] = field(default_factory=list)
    at_work: int = 0
    judging: int = 0

    @property
    def log(self) -> Book:
        """The log; Unavailable (``log_missing``) where there is none."""
        if self.book is None:
            raise Unavailable(
                "this explorer has no log: start it with one, teeproof explorer LOG",
                code="route_unknown",
            )
        return self.book

    @contextmanager
    def judged_at_once(self, most: int) -> Iterator[None]:
        """Hold a place among those whose uploads are read; Unavailable (``busy``) if all are."""
        if self.judging >= most:
            raise Unavailable("too many hand in files at once: try again in a moment", code="busy")
        self.judging += 1
        try:
            yield
        finally:
            self.judging -= 1


def read_so_far(site: Site) -> dict[str, Any]:
    """Return what a twin says while the log is still read: how far; nothing once it is."""
    far = None if site.book is None else site.book.reading
    return {} if far is None else {"reading": {"done": far.done, "of": far.size}}


async def aside(site: Site, work: Callable[[], T]) -> T:
    """Return what a long piece of work returns, done in a thread.

    Raises:
        Unavailable: too many wait already (``busy``).
    """
    from starlette.concurrency import run_in_threadpool  # noqa: PLC0415  only a server needs it

    if site.at_work >= _AT_ONCE:
        raise Unavailable("too many ask at once: try again in a moment", code="busy")
    site.at_work += 1
    try:
        return await run_in_threadpool(work)
    finally:
        site.at_work -= 1


def digest_of(text: str) -> bytes:
    """Return the 32 bytes of a statement's id in an address; Usage (``id_malformed``) if none."""
    try:
        found = bytes.fromhex(text.removeprefix("sha256:"))
    except ValueError:
        found = b""
    if len(found) != 32 or not text.isascii():
        raise Usage(
            "this is no statement's id", code="id_malformed", expected="64 hex digits",
            got=text[:100],
        )  # fmt: skip
    return found


def proof_file(name: str) -> list[tuple[str, str]]:
    """Return the address and the name of a statement's proof file, for a command that reads it."""
    digits = name.removeprefix("sha256:")
    return [(f"/p/{digits}.proof", f"{digits[:16]}.proof")]


def page_number(request: Request) -> int:
    """Return which page of a list is asked for, from 0; Usage (``page_malformed``) if none is."""
    text = request.query_params.get("page", "1")
    if not (text.isascii() and text.isdigit()) or not 1 <= len(text) <= 6 or int(text) < 1:
        raise Usage(
            "there is no such page of the list", code="page_malformed", expected="1 or more",
            got=text[:40],
        )  # fmt: skip
    return int(text) - 1
