"""Tell others of a fork: a file beside a witness's memory, or a POST to an address.

Trusts: nothing.  Does not trust: whoever is told; all that is read of an answer is its status.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from teeproof.core.errors import Unavailable, Usage
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.storage.disk import Disk
from teeproof.proof.monitor.fork import ForkProof
from teeproof.proof.witness.state import origin_hash
from teeproof.web.asking import connection

if TYPE_CHECKING:
    import httpx

__all__ = ["FORKS", "check_address", "keeper", "post"]

FORKS = "forks"
_ATTEMPTS = 5
_FIRST_PAUSE = 1.0  # seconds; each further pause is twice as long
_TIMEOUT = 10.0


def keeper(
    directory: Path, *, disk: Disk | None = None
) -> Callable[[SignedCheckpoint, SignedCheckpoint], None]:
    """Return what keeps the first fork.proof of each log in ``<directory>/forks``.

    It is for a witness that is shown two roots of one size. It raises ``OSError`` as the disk does.
    """
    disk = disk or Disk()

    def keep(held: SignedCheckpoint, new: SignedCheckpoint) -> None:
        folder = directory / FORKS
        path = folder / f"{origin_hash(held.checkpoint.origin)}.proof"
        if not path.exists():
            disk.make_directories(folder)
            disk.place(path, ForkProof.of(held, new).encode(), scratch=folder / ".new")
            disk.sync_directory(folder)

    return keep


def check_address(url: str) -> str:
    """Return the address of a webhook as it is.

    Raises:
        Usage: it is not http(s).
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good:
        raise Usage(
            "this is not the address of a webhook",
            code="url_malformed",
            expected="https://HOST/PATH",
            got=url[:200],
        )
    return url


def post(
    url: str,
    proof: bytes,
    *,
    sleep: Callable[[float], object] = time.sleep,
    client: httpx.Client | None = None,
) -> None:
    """POST a fork.proof, which is JSON, until somebody says 2xx: up to five times in 15 seconds.

    Raises:
        Unavailable: ``webhook_unavailable``; the file is still there to be sent by hand.
        Usage: the address is not http(s).
    """
    import httpx  # noqa: PLC0415  only who tells needs it

    check_address(url)
    if client is None:
        with connection(url, timeout=_TIMEOUT) as made:
            post(url, proof, sleep=sleep, client=made)
            return
    said = ""
    for attempt in range(_ATTEMPTS):
        if attempt:
            sleep(_FIRST_PAUSE * 2 ** (attempt - 1))
        try:
            headers = {"content-type": "application/json"}
            with client.stream(
                "POST", url, content=proof, headers=headers, timeout=_TIMEOUT
            ) as answer:
                if answer.is_success:
                    return
                said = f"HTTP {answer.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            said = type(error).__name__
    raise Unavailable(
        "the webhook did not take the fork.proof: send the file yourself",
        code="webhook_unavailable",
        expected="HTTP 2xx",
        got=said,
    )
