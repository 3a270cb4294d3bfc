"""Read the bodies that a visitor has of an answer: pasted into a form, or as files; bounded.

Nothing is written and nothing is kept: what comes is hashed, and forgotten with the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teeproof.core.errors import Malformed, Usage
from teeproof.explorer.made.answers import BODIES
from teeproof.explorer.uploads import form_fields

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["MOST_BYTES", "Pasted", "read_pasted"]

MOST_BYTES = 4 << 20  # of both bodies together
_MOST_FIELDS = 8


@dataclass(frozen=True, slots=True)
class Pasted:
    """A body, and whether it came as text of a form."""

    data: bytes
    pasted: bool


async def read_pasted(request: Request) -> dict[str, Pasted]:
    """Return the bodies by name; a name that was left empty is not there.

    Raises:
        TooLarge: more than ``MOST_BYTES``; what is beyond is not read.
        Malformed: a form that cannot be read, or a body that was given twice.
        Usage: nothing was given.
        NotAllowed: another site's page sent the form (``upload_foreign``).
    """
    found: dict[str, Pasted] = {}
    for key, value in await form_fields(request, most=MOST_BYTES, fields=_MOST_FIELDS):
        which = key.removesuffix("_file")
        if which not in BODIES or not value:
            continue
        if which in found:
            raise Malformed(
                "a body was given twice: paste it, or choose a file", code="upload_malformed",
                got=which,
            )  # fmt: skip
        if isinstance(value, str):
            found[which] = Pasted(value.encode("utf-8", "surrogatepass"), True)
        else:
            found[which] = Pasted(value, False)
    if not found:
        raise Usage(
            "nothing was given: paste the request or the answer that you have",
            code="upload_empty", expected="the bytes of a body, as they were on the wire",
        )  # fmt: skip
    return found
