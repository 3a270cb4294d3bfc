"""What the words mean, and who can do what to you at each level."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teeproof.explorer.answering import json_answer
from teeproof.explorer.checker import script_digest
from teeproof.explorer.pages.family import Site
from teeproof.explorer.telling.words import LEVELS, MARKS, POWERS, WORDS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["WordPages"]


class WordPages:
    """The page of words."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def page(self, _: Request) -> Response:
        """The page."""
        return self._site.pages.html("words.html", title="What the words mean", words=WORDS,
                                     marks=MARKS, levels=LEVELS, powers=POWERS,
                                     checker=script_digest())  # fmt: skip

    async def twin(self, _: Request) -> Response:
        """The same for programs."""
        powers = [
            {"who": one.who, "what": one.what, "at": dict(zip(LEVELS, one.stops, strict=True))}
            for one in POWERS
        ]
        words = {one.word: one.meaning for one in WORDS}
        return json_answer({
            "words": words, "levels": list(LEVELS), "powers": powers, "checker": script_digest(),
        })  # fmt: skip
