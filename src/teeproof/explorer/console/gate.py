"""Who may use the console: whoever holds the token that its address carries, by its own forms.

    GET /console?token=…    right: a cookie, and on to /console, whose address says nothing
    anything else           without the cookie, one and the same answer on every route, 401

The token is random, and made anew by each start. The cookie is another secret of the same life, so
that what a browser sends is not what its history holds. Scripts cannot read it, and no other site's
page has it sent along (``SameSite=Strict``).

A cookie belongs to a name and not to a port: what else listens on 127.0.0.1 and is opened in the
same browser is sent it too. So a connection is also held against the user who opened it, where the
kernel tells (``peers``), and the cookie of somebody else's is worth nothing.

What acts needs more than the cookie: the form's own secret, and a browser's word that the request
comes from a page of this very address (``Origin``, ``Sec-Fetch-Site``).

Wrong tokens are not counted: nobody guesses random bits this many, and whoever could use up tries,
such as a page of another site in the same browser, would shut the owner out.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from teeproof.core.errors import NotAllowed, Usage

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["FIELD", "LEAST_TOKEN", "Gate"]

FIELD: Final = "form"
"""The name of the field in which a form proves that it is one of ours."""

LEAST_TOKEN = 32  # characters; 24 random bytes in base64
_LONGEST = 200


class Gate:
    """Lets in whoever holds the token.

    Args:
        token: in the address.
        random: text of so many random bytes.

    Raises:
        Usage: a token that could be guessed (``token_short``).
    """

    def __init__(self, token: str, *, random: Callable[[int], str] = secrets.token_urlsafe) -> None:
        if len(token) < LEAST_TOKEN:
            raise Usage(
                "a console's token this short can be guessed", code="token_short",
                expected=f"at least {LEAST_TOKEN} random characters", got=f"{len(token)}",
            )  # fmt: skip
        self._token, self._session, self.form = token, random(32), random(32)

    def is_token(self, given: str) -> bool:
        """Return whether this is the token."""
        return _same(given, self._token)

    def is_in(self, request: Request) -> bool:
        """Return whether a request carries the cookie."""
        return _same(request.cookies.get(_name(request), ""), self._session)

    def let_in(self, request: Request, response: Response) -> None:
        """Put the cookie on a response; it lives as long as the browser and this process."""
        response.set_cookie(
            _name(request), self._session, path="/console", httponly=True, samesite="strict"
        )  # without "secure": browsers do not all keep such a cookie for http://127.0.0.1

    def require_own_page(self, request: Request) -> None:
        """Raise unless the browser says that the request comes from a page of this address.

        Raises:
            NotAllowed: it says another, or nothing (``form_foreign``).
        """
        host = request.headers.get("host", "")
        origin = request.headers.get("origin")
        site = request.headers.get("sec-fetch-site")
        own = f"{request.url.scheme}://{host}"
        if (site is None and origin is None) or site not in (None, "same-origin"):
            raise _foreign(site or "no word of where it comes from")
        # Our pages send no referrer, and of such a page's form a browser says "Origin: null". So do
        # pages without an address; the browser's other word tells the two apart.
        if origin not in (None, own) and (origin, site) != ("null", "same-origin"):
            raise _foreign(str(origin))

    def require_own_form(self, given: str) -> None:
        """Raise unless a form carries what only a page of the console holds (``form_foreign``)."""
        if not _same(given, self.form):
            raise _foreign("a form of another page, or of before the console was started again")


def _name(request: Request) -> str:
    """Return the cookie's name, with the port: two consoles on a machine each have their own."""
    return f"teeproof-console-{request.url.port or 80}"


def _same(given: str, secret: str) -> bool:
    """Compare in constant time."""
    given_bytes = given[:_LONGEST].encode("utf-8", "replace")
    return hmac.compare_digest(given_bytes, secret.encode())


def _foreign(got: str) -> NotAllowed:
    return NotAllowed(
        "this did not come from a page of this console: open the page here, and do it there",
        code="form_foreign", expected="a form of this console", got=got[:100],
    )  # fmt: skip
