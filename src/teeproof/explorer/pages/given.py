"""What a visitor downloads to check at home as it is checked here.

GET /given/<name>    a policy, or a list of trusted logs, as the pages' commands name it
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teeproof.core.errors import Unavailable
from teeproof.explorer.answering import download
from teeproof.explorer.pages.family import Site, aside

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["GivenPages"]


class GivenPages:
    """The files of the reader's trust."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def file(self, request: Request) -> Response:
        """One of them, as it is now."""
        asked = request.path_params["name"]
        for one in self._site.given:
            if one.name == asked:
                return download(await aside(self._site, one.read), one.name)
        raise Unavailable(
            "this explorer was started without such a file", code="route_unknown",
            expected=", ".join(one.name for one in self._site.given) or "none: it believes nobody",
            got=asked[:100],
        )  # fmt: skip
