"""Ids as people type them: whole or their first digits, with ``sha256:`` before them or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from teeproof.core.errors import Usage

if TYPE_CHECKING:
    from teeproof.proof.log.storage.log import Log

__all__ = ["LEAST", "ids_in_log"]

LEAST = 8  # digits, as many as graphs show at least
_HEX = frozenset("0123456789abcdef")


def ids_in_log(log: Log, texts: Sequence[str]) -> list[bytes]:
    """Return the statements of a log that a person means, 32 bytes each.

    Whole ids are not looked for; for beginnings, the whole log is read once.

    Raises:
        Usage: codes ``id_malformed``; ``key_unknown`` and ``key_ambiguous`` for a beginning that
            names no statement here, or several.
    """
    digits = [_digits(text) for text in texts]
    if all(len(one) == 64 for one in digits):
        return [bytes.fromhex(one) for one in digits]
    from teeproof.proof.graph.lookup import Lookup  # noqa: PLC0415  only for beginnings

    lookup = Lookup(_statements(log))
    return [
        bytes.fromhex(one if len(one) == 64 else lookup.find(one, what="statement"))
        for one in digits
    ]


def _digits(text: str) -> str:
    digits = text.strip().lower().removeprefix("sha256:").rstrip("….")
    if not LEAST <= len(digits) <= 64 or not _HEX.issuperset(digits):
        raise Usage(
            "this is no statement's id",
            code="id_malformed",
            expected=f"64 hex digits or the first {LEAST} or more, with or without sha256:",
            got=text[:100],
        )
    return digits


def _statements(log: Log) -> Iterator[str]:
    from teeproof.cli.log.options import bar  # noqa: PLC0415  only for beginnings
    from teeproof.proof.log.formats.entry import IDENTITY  # noqa: PLC0415

    with bar("looked at", log.size) as progress:
        for done, stored in enumerate(log.iterate(), 1):
            if stored.kind != IDENTITY:
                yield stored.statement_id.hex()
            if done % 4096 == 0:
                progress(done, log.size)
