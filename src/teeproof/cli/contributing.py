"""Contribute to the pool of a demo that runs, and take back: commands and console do the same."""

from __future__ import annotations

import os
import re
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from teeproof.cli.joining import Joined
from teeproof.core import strictjson
from teeproof.core.errors import Error, Malformed
from teeproof.core.reading import read_bounded
from teeproof.core.text import plain

if TYPE_CHECKING:
    from teeproof.data.contribute import Contributed, Withdrew

__all__ = [
    "Gave",
    "account_beside",
    "account_file",
    "give",
    "key_file_in",
    "names_beside",
    "take_back",
]

_ADDRESS = re.compile(r"0x[0-9a-f]{40}", re.ASCII)
_KEY = "owner.key"
_DIGITS = 64
_LONGEST = 120  # characters of a file's name
_MOST, _MOST_LINE = 1 << 20, 4096  # bytes


@dataclass(frozen=True)
class Gave:
    """What was contributed: the pool's decision, the owner's key file, the account that earns."""

    contributed: Contributed
    key_file: Path
    payout: str


def give(
    joined: Joined,
    what: Path | bytes,
    *,
    name: str,
    owner: Path | None = None,
    payout: str | None = None,
) -> Gave:
    """Seal a file, or what one holds, in this process and contribute it.

    Args:
        joined: the demo.
        what: a file of JSON lines, or its bytes.
        name: what its owner calls it; it is written down beside the key, and nowhere else.
        owner: the owner's key file, made if it is not there; None for the demo folder's own.
        payout: the account that earns; None for the one beside the key, made with the first file.

    Raises:
        Malformed: no account (``payout_malformed``). Otherwise as ``data.contribute.contribute``.
    """
    from teeproof.cloud.owner import OwnerKey  # noqa: PLC0415  only who contributes pays for it
    from teeproof.data.contribute import contribute  # noqa: PLC0415

    if payout is not None and not _ADDRESS.fullmatch(payout.lower()):
        raise Malformed(
            "this is no account: name the one that shall earn", code="payout_malformed",
            expected="0x and 40 hex digits", got=payout[:60],
        )  # fmt: skip
    key_file = owner or key_file_in(joined.folder)
    key_file.parent.mkdir(parents=True, exist_ok=True)
    key = OwnerKey.open(key_file)
    address = account_beside(key_file) if payout is None else payout.lower()
    with closing(joined.pool()) as pool, closing(joined.kms()) as kms:
        terms = pool.terms()
        made = contribute(what, owner=key, pool=pool, kms=kms, terms=terms, payout=address)
    _write_down(key_file, made.contribution, name)
    return Gave(made, key_file, address)


def take_back(joined: Joined, contribution: str, *, owner: Path | None = None) -> Withdrew:
    """Have a contribution's key erased, and the pool leave it out.

    Raises:
        Malformed: no id (``id_malformed``). Otherwise as ``data.contribute.withdraw``.
    """
    from teeproof.cloud.owner import OwnerKey  # noqa: PLC0415  as above
    from teeproof.data.contribute import withdraw  # noqa: PLC0415

    digits = contribution.strip().lower()
    if len(digits) != _DIGITS or digits.strip("0123456789abcdef"):
        raise Malformed(
            "this is no contribution's id: copy it whole", code="id_malformed",
            expected=f"{_DIGITS} hex digits", got=contribution[:80],
        )  # fmt: skip
    key = OwnerKey.load(owner or key_file_in(joined.folder))
    with closing(joined.pool()) as pool, closing(joined.kms()) as kms:
        return withdraw(digits, owner=key, pool=pool, kms=kms)


def key_file_in(folder: Path) -> Path:
    """Return where the owner's key of a demo's folder lies."""
    return folder / "people" / _KEY


def account_file(key_file: Path) -> Path:
    """Return where the account beside an owner's key lies."""
    return key_file.with_suffix(".account")


def names_beside(key_file: Path) -> dict[str, str]:
    """Return what the owner called each contribution, by its id, as far as that can be read."""
    found: dict[str, str] = {}
    lines: list[bytes] = []
    with suppress(Error):
        lines = read_bounded(_names_file(key_file), limit=_MOST, what="names").splitlines()
    for line in lines:
        with suppress(Error):
            value = strictjson.loads(line, limit=_MOST_LINE, what="line")
            if isinstance(value, dict):
                found[str(value.get("contribution"))] = str(value.get("name"))
    return found


def _write_down(key_file: Path, contribution: str, name: str) -> None:
    """Keep what the owner calls a file: nobody else is told."""
    path = _names_file(key_file)
    line = strictjson.dumps({"contribution": contribution, "name": plain(name)[:_LONGEST]})
    with suppress(OSError):  # it is a convenience: the contribution stands without it
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def _names_file(key_file: Path) -> Path:
    return key_file.with_suffix(".files")


def account_beside(key_file: Path) -> str:
    """Return the address of the account beside an owner's key; it is made with the first file."""
    from teeproof.chain.account import Account  # noqa: PLC0415  as above

    path = account_file(key_file)
    if path.exists():
        return Account.load(path).address
    account = Account.new()
    account.save(path)
    return account.address
