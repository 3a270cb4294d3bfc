"""How every page is answered: escaped, bounded, with one shape for errors and strict headers.

Each text that a template prints is harmless: markup is escaped, what does not print or turns the
direction around is written as its escape, and none is longer than ``LONGEST`` characters.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterable, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any

from teeproof.core import strictjson
from teeproof.core.errors import Error, Unavailable
from teeproof.core.text import cut, plain
from teeproof.explorer.telling.times import dated
from teeproof.proof.log.http.refusing import status_of

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

__all__ = [
    "LONGEST",
    "MOST_JSON",
    "Listeners",
    "Pages",
    "download",
    "file_name",
    "json_answer",
    "script_answer",
    "svg_answer",
]

LONGEST = 4_000  # characters of one text on a page
MOST_JSON = 64 << 10  # characters of a statement that a page shows; its .json twin has all
HEADERS: Mapping[str, str] = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self';"
    " script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Nothing is loaded from elsewhere, nobody frames a page, and no copy of one is kept."""

_FRAME = {"has_log": False, "has_desk": False, "has_console": False, "reading": lambda: None,
          "believed": ()}  # fmt: skip
_FILES = resources.files("teeproof.explorer")
_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_PLAIN_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_DIGEST = re.compile(r"(?<![0-9a-f])([0-9a-f]{16})[0-9a-f]{40,112}(?![0-9a-f])", re.ASCII)
_NO_ASCII = re.compile(r"[^\x20-\x7e]")
_STATUS = {
    "result_unknown": 404,
    "upload_foreign": 403,
    "nothing_found": 404,
    "model_not_here": 404,
    "answer_not_here": 404,
    "pool_not_here": 404,
    "identity_unknown": 404,
    "node_unknown": 404,
    "code_unknown": 404,
    "agent_unknown": 404,
}
_TITLES = {
    "file_unknown": "This file cannot be checked here",
    "evidence_unsupported": "This file cannot be checked here",
    "busy": "Too much at once: try again in a moment",
}


class Pages:
    """Renders templates.

    Args:
        frame: what ``base.html`` shows on every page, such as whether there is a log.
    """

    def __init__(self, **frame: Any) -> None:
        from jinja2 import Environment, FunctionLoader, StrictUndefined  # noqa: PLC0415  an extra

        self._templates = Environment(
            loader=FunctionLoader(lambda name: (_FILES / "templates" / name).read_text("utf-8")),
            autoescape=True, undefined=StrictUndefined, finalize=_harmless,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self._templates.filters |= {
            "cut": cut, "text": _text, "short": _short, "told": _told, "dated": dated,
            "brief": _brief, "arrows": _arrows,
            "removeprefix": str.removeprefix, "sentence_case": _sentence_case,
        }  # fmt: skip
        self._templates.globals |= _FRAME | frame

    def html(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """Return a page."""
        body = self._templates.get_template(template).render(place=template, **values)
        return _answer(body, "text/html", status=status)

    def refusal(self, error: Error, *, as_json: bool) -> Response:
        """Return an error: a page, or the one object that every service of ours answers with."""
        status = _STATUS.get(error.code) or status_of(error)
        if as_json:
            return json_answer(error.to_json(), status=status)
        title = "Not here" if status == 404 else _TITLES.get(error.code, "That did not work")
        return self.html("error.html", status=status, title=title, error=error)


def json_answer(value: Any, *, status: int = 200) -> Response:
    """Return a page's twin; a character that does not print is written as its JSON escape."""
    text = strictjson.dumps(value)
    if not text.isprintable():
        text = _NO_ASCII.sub(_escaped, text)
    return _answer(text + "\n", "application/json", status=status)


def _escaped(found: re.Match[str]) -> str:
    return found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1]


def svg_answer(svg: str) -> Response:
    """Return a drawing with its styles inside, which is all that it may use."""
    style = (_FILES / "static" / "drawing.css").read_text("utf-8")
    body = svg.replace(">", f"><style>{style}</style>", 1)
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return _answer(body, "image/svg+xml", headers={"content-security-policy": policy})


def static(name: str) -> Response:
    """Return one of our own files: a stylesheet or a script."""
    names = ("style.css", "made.css", "drawing.css") if name == "style.css" else (name,)
    body = "\n".join((_FILES / "static" / one).read_text("utf-8") for one in names)
    return _answer(body, _TYPES[name.rpartition(".")[2]])


def script_answer(text: str) -> Response:
    """Return a script of ours."""
    return _answer(text, "text/javascript")


def download(data: bytes, name: str) -> Response:
    """Return bytes to be kept as a file, never to be shown by a browser."""
    from starlette.responses import Response  # noqa: PLC0415  only a server needs it

    headers = {**HEADERS, "content-disposition": f'attachment; filename="{file_name(name)}"'}
    return Response(data, media_type="application/octet-stream", headers=headers)


class Listeners:
    """Who is sent events as they come: a bounded number at a time.

    Args:
        most: how many.
    """

    def __init__(self, most: int) -> None:
        self._most, self._now = most, 0

    def stream(self, events: AsyncIterable[str]) -> Response:
        """Return server-sent events as they come; no proxy on the way may hold them back.

        The place is taken before anything is sent: whoever asks at the same moment finds it taken.

        Raises:
            Unavailable: as many listen already (``busy``).
        """
        from starlette.responses import StreamingResponse  # noqa: PLC0415  only a server needs it

        if self._now >= self._most:
            raise Unavailable("too many listen already: reload the page now and then", code="busy")
        listeners = self

        class Held(StreamingResponse):
            async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
                listeners._now += 1
                try:
                    await super().__call__(scope, receive, send)
                finally:
                    listeners._now -= 1

        headers = {**HEADERS, "x-accel-buffering": "no"}
        return Held(events, media_type="text/event-stream", headers=headers)


def file_name(name: str) -> str:
    """Return a stranger's file name as one that no shell, disk or header takes amiss."""
    safe = "".join(c if c in _PLAIN_NAME else "_" for c in name[-80:]).lstrip(".-_")
    return safe or "file"


def _harmless(value: Any) -> Any:
    if type(value) is not str or (len(value) <= LONGEST and value.isprintable()):
        return value
    return plain(value) if len(value) <= LONGEST else plain(value[:LONGEST]) + "…"


def _text(value: str) -> Any:
    """Return text of several lines, escaped; each line end stays one."""
    from markupsafe import Markup, escape  # noqa: PLC0415  Jinja2's own

    kept = value[:MOST_JSON]
    rest = "" if len(kept) == len(value) else f"\n… and {len(value) - len(kept)} characters more"
    return Markup("\n").join(escape(_harmless(line)) for line in f"{kept}{rest}".split("\n"))


def _short(name: str | None, digits: int = 8) -> str:
    """Return the first digits of an id, with or without ``sha256:``."""
    return (name or "").rpartition(":")[2][:digits]


def _told(detail: str) -> str:
    """Return an error's detail as a sentence."""
    return f"{detail[:1].upper()}{detail[1:]}{'' if detail.endswith(('.', '…')) else '.'}"


def _arrows(text: str) -> str:
    """Return a line that was told to a terminal with a page's arrows."""
    return text.replace(" -> ", " → ").replace(" <- ", " ← ")


def _brief(text: str) -> str:
    """Return running text in which a digest is cut; the whole stands with its check."""
    return _DIGEST.sub(r"\1…", text)


def _sentence_case(text: str) -> str:
    """Return text whose first letter is large, where its first word is an ordinary one."""
    first = text.split(" ", 1)[0]
    return text[:1].upper() + text[1:] if first.isalpha() and first.islower() else text


def _answer(
    body: str, kind: str, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    from starlette.responses import Response  # noqa: PLC0415  only a server needs it

    # Half a surrogate pair is text for JSON and for nobody else.
    data = body.encode("utf-8", "backslashreplace")
    return Response(
        data, status_code=status, media_type=kind, headers={**HEADERS, **(headers or {})}
    )
