"""The statements of a drawing as lists: by kind, by what a visitor looks for, and the way to one.

A drawing shows how things hang together; who comes with an id, a file's digest or a name finds it
here, and where there are thousands, here only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from teeproof.core.errors import Usage
from teeproof.core.text import cut
from teeproof.proof.graph import Graph, Node

__all__ = ["SOUGHT", "Item", "Kind", "kinds", "matching", "of_kind", "way", "word_of"]

SOUGHT = "an id, the digest of a file, an identity, a name, or a word such as training"
"""What can be looked for, in words."""

_SHORTEST, _LONGEST = 2, 200
_DIGITS = 4  # of an id or digest, at least
_FIRST = 3  # of a kind that are shown beside its count
_MOST_KINDS = 60
_LETTERS = 60


class Item(NamedTuple):
    """A statement of the graph: its id in hex, its word, the name of the first thing it made."""

    id: str
    word: str
    name: str


class Kind(NamedTuple):
    """All statements with one word: how many, and the nearest few."""

    word: str
    many: int
    first: list[Item]


def kinds(graph: Graph, ids: Iterable[bytes]) -> list[Kind]:
    """Return the statements by their word, the most frequent first; a bounded number of words."""
    found: dict[str, list[bytes]] = {}
    for one in ids:
        found.setdefault(word_of(graph.node(one).word), []).append(one)
    ranked = sorted(found.items(), key=lambda pair: -len(pair[1]))
    return [
        Kind(word, len(some), [_item(graph.node(one)) for one in some[:_FIRST]])
        for word, some in ranked[:_MOST_KINDS]
    ]


def of_kind(
    graph: Graph, ids: Iterable[bytes], word: str, *, start: int, count: int
) -> tuple[list[Item], int]:
    """Return some of the statements with a word, and how many there are."""
    wanted = word_of(word)
    some = [one for one in ids if word_of(graph.node(one).word) == wanted]
    return [_item(graph.node(one)) for one in some[start : start + count]], len(some)


def matching(graph: Graph, ids: Sequence[bytes], text: str) -> list[bytes]:
    """Return the statements that a text names, in the order given.

    Raises:
        Usage: too short or too long a text (``search_malformed``).
    """
    wanted = text.strip().lower().removeprefix("sha256:").rstrip("….")
    if not _SHORTEST <= len(wanted) <= _LONGEST:
        raise Usage(
            "this cannot be looked for", code="search_malformed",
            expected=f"{_SHORTEST} to {_LONGEST} characters: {SOUGHT}",
            got=cut(text, 60) or "nothing",
        )  # fmt: skip
    digits = wanted if len(wanted) >= _DIGITS and set(wanted) <= set("0123456789abcdef") else None
    found = []
    for one in ids:
        node = graph.node(one)
        named = any(wanted in text.lower() for text in _texts(node))
        if named or (digits and any(d.hex().startswith(digits) for d in _digests(node))):
            found.append(one)
    return found


def way(graph: Graph, a: bytes, b: bytes) -> list[Item]:
    """Return the statements on a shortest way between two, both included; none if there is none."""
    edges = graph.path(a, b) or ()
    ids = [edge.below for edge in edges] + [edge.above for edge in edges[-1:]]
    return [_item(node) for node in map(graph.node, ids) if node.kind == "statement"]


def _texts(node: Node) -> Iterator[str]:
    yield node.word
    for output in node.outputs:
        yield output.name or ""


def _digests(node: Node) -> Iterator[bytes]:
    yield node.id
    if node.author is not None:
        yield node.author
    yield from node.cosigners
    for output in node.outputs:
        yield output.digest


def word_of(text: str) -> str:
    """Return a statement's word as lists and their addresses have it: harmless, and cut."""
    return cut(text, _LETTERS) or "?"


def _item(node: Node) -> Item:
    name = node.outputs[0].name if node.outputs else None
    return Item(node.id.hex(), word_of(node.word), cut(name or "", _LETTERS))
