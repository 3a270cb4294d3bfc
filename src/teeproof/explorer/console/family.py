"""What every family of the console's pages is given, and how it shows what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from teeproof.core.errors import Error
from teeproof.explorer.answering import HEADERS
from teeproof.explorer.console.gate import FIELD, Gate
from teeproof.explorer.console.port import Console
from teeproof.explorer.pages.family import Site
from teeproof.proof.log.http.refusing import status_of

if TYPE_CHECKING:
    from starlette.responses import Response

__all__ = ["Family"]


class Family:
    """One family of pages.

    Args:
        site: what all pages share.
        console: what there is.
        gate: who is in.
    """

    def __init__(self, site: Site, console: Console, gate: Gate) -> None:
        self._site, self._console, self._gate = site, console, gate

    def show(self, template: str, *, problem: Error | None = None, **values: Any) -> Response:
        """Return a page; with a problem, one that begins with it."""
        status = 200 if problem is None else status_of(problem)
        return self._site.pages.html(
            template, status=status, problem=problem, console=self._console,
            form_field=FIELD, form=self._gate.form, offers=self.offers, **values,
        )  # fmt: skip

    def offers(self, name: str) -> bool:
        """Return whether a part of the story can be started from here."""
        stage = self._console.stage
        parts = () if stage is None else stage.parts()
        return any(one.name == name and one.state == "waiting" and not one.saying for one in parts)

    def onward(self, path: str) -> Response:
        """Return the way to a page, after something was done: reloading it does nothing twice."""
        from starlette.responses import RedirectResponse  # noqa: PLC0415  only a server needs it

        return RedirectResponse(path, status_code=303, headers=HEADERS)
