"""What an entry of a log says, read once for the index: a clause, and an identity's labels.

What it says is what the record says: nothing here is checked but its form.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from teeproof.core.digests import named
from teeproof.core.errors import Error, Unavailable
from teeproof.core.text import cut
from teeproof.explorer.log.keys import MOST_OF_ONE
from teeproof.explorer.log.nodes import Answered, answered, is_of_a_node
from teeproof.explorer.log.signing import Authors
from teeproof.explorer.log.ties import Tie, tied
from teeproof.explorer.telling.sentences import clause
from teeproof.proof.graph.labels import labels_of
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.log.crew import Work
from teeproof.proof.log.formats.entry import IDENTITY
from teeproof.proof.log.storage.log import Log
from teeproof.proof.log.storage.stored import Stored
from teeproof.proof.source import Read, read_record

__all__ = ["Booted", "Entry", "Found", "Reading", "Said", "understanding", "understood", "unknown"]

Key = tuple[str, str]
"""What something is found by, in lower case, and what that is to it, in words."""

_THINGS = {"identity": "identity", "code that ran": "code", "node": "node"}
_WHAT = {66: "transaction or block named by", 42: "account named by"}
_HASH = re.compile(rb"0x[0-9a-f]{40}(?:[0-9a-f]{24})?")
_TOKEN = re.compile(rb"(?:rcpt|chatcmpl)-[0-9a-z]{8,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A statement of the log: its number there, its id (hex), what it says."""

    number: int
    id: str
    title: str
    clause: str

    def to_json(self) -> dict[str, Any]:
        """Return the same for programs."""
        return {"number": self.number, "id": f"sha256:{self.id}", "title": self.title,
                "says": self.clause}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a key is to a statement: ``output of``, ``identity that said``; and the statement.

    Where it is the name of a thing that has a page of its own, ``statement`` is empty. ``signed``
    says whether the author that it names signed it.
    """

    key: str
    meaning: str
    statement: str
    title: str
    signed: bool = True

    @property
    def href(self) -> str:
        """The page that it leads to."""
        if self.statement:
            return f"/p/{self.statement}"
        return f"/{_THINGS[self.meaning]}/{self.key}"

    def to_json(self) -> dict[str, Any]:
        """Return the same for programs."""
        statement = f"sha256:{self.statement}" if self.statement else None
        return {"key": self.key, "meaning": self.meaning, "statement": statement,
                "page": self.href, "title": self.title, "signed": self.signed}  # fmt: skip


class Reading(NamedTuple):
    """How far a log is read: how many of its entries, and how many it has."""

    done: int
    size: int


class Said(msgspec.Struct, frozen=True, array_like=True, tag=True, tag_field="is", gc=False):
    """A statement as it was read, before it is taken in: what lists and search need of it.

    Attributes:
        id: hex.
        type: predicate type, or ``aci/1``.
        author: the identity or the keyset that it names, hex; empty where it names none.
        title: in few words.
        clause: what it says, in one.
        keys: what it is found by, and what that is to it.
        ties: the things that it belongs to; see ``ties.tied``.
        signed: whether the author that it names signed it.
        record: of what is said of a node of a market, the record; else empty.
        answer: of a receipt, the model and the leases that it names; see ``nodes.answered``.
    """

    id: str
    type: str
    author: str
    title: str
    clause: str
    keys: tuple[Key, ...]
    ties: tuple[Tie, ...]
    signed: bool
    record: bytes = b""
    answer: Answered | None = None

    def entry(self, number: int) -> Entry:
        """Return it with its place in the log."""
        return Entry(number=number, id=self.id, title=self.title, clause=self.clause)


class Booted(msgspec.Struct, frozen=True, array_like=True, tag=True, tag_field="is", gc=False):
    """An identity: its digest and its keyset's, and its labels with what they mean in words.

    Attributes:
        names: both digests, hex.
        values: labels by their names.
        labels: labels, each with its meaning; empty of a copy that came without its quote.
        owned: whether its keys signed it; otherwise it is somebody else's copy.
        first: whether this is the first entry of this identity.
    """

    names: tuple[str, str]
    values: dict[str, str]
    labels: tuple[tuple[str, str], ...]
    owned: bool
    first: bool


def understood(log: Log, number: int, stored: Stored, *, authors: Authors) -> Said | Booted | None:
    """Return what an entry holds; None for a record that is none: the log's own pages say so."""
    with suppress(Error):
        if stored.kind == IDENTITY:
            return _booted(log, number, stored.record)
        read = read_record(stored.record)
        return _said(read, signed=authors.signed(log, stored, read), record=stored.record)
    return None


def understanding(log: Log) -> Work:
    """Return what tells of an entry of a log what it holds, for a crew."""
    authors = Authors()
    return lambda number, stored: understood(log, number, stored, authors=authors)


def unknown(statement: bytes) -> Unavailable:
    """Return the error for a statement that is not here."""
    return Unavailable(
        "the log holds no such statement: it may not be published yet",
        code="statement_unknown",
        got=named(statement),
    )


def _booted(log: Log, number: int, record: bytes) -> Booted:
    parsed = IdentityRecord.parse(record)
    first = log.find(parsed.digest)
    names = parsed.digest.hex(), parsed.keyset_digest.removeprefix("sha256:")
    is_first = first is not None and first.index == number
    if not parsed.is_possessed:
        return Booted(names=names, values={}, labels=(), owned=False, first=is_first)

    def blob(digest: str) -> bytes | None:
        try:
            return log.blob(digest)
        except Error:
            return None

    labels = labels_of(record, blob=blob)
    pairs = {sys.intern(value): name for name, value in labels.values.items()}
    pairs[labels.evidence.partition(":")[2]] = "evidence"
    words = tuple(
        (value, sys.intern(f"{name.replace('_', ' ')} of the machine that said"))
        for value, name in pairs.items()
    )
    return Booted(names=names, values=dict(labels.values), labels=words if labels.values else (),
                  owned=True, first=is_first)  # fmt: skip


def _said(read: Read, *, signed: bool, record: bytes) -> Said:
    body = _body(read)
    title = cut(read.title, 80)
    said = clause(read.type, body.get("predicate", body), title=read.title)
    ties = tied(read)
    author = read.author.hex() if read.author else (read.keyset or "").removeprefix("sha256:")
    return Said(
        id=read.id.hex(), type=read.type, author=author, title=title, clause=cut(said, 200),
        keys=_keys(read, author, title, ties), ties=tuple(ties), signed=signed,
        record=record if is_of_a_node(read) else b"", answer=answered(read),
    )  # fmt: skip


def _keys(read: Read, author: str, title: str, ties: Sequence[Tie]) -> tuple[Key, ...]:
    """Return what a statement is found by, and what that is to it."""
    found: dict[str, str] = {read.id.hex(): "statement"}
    for relation, name, _ in ties:
        if relation in ("pool", "dataset"):
            found.setdefault(name, "pool of")
    for subject in read.subjects:
        found.setdefault(subject.sha256.removeprefix("sha256:"), "output of")
    for link in read.links:
        found.setdefault(link.digest.removeprefix("sha256:"), "input of")
    if author:
        found.setdefault(author, "identity that said")
    found.setdefault(title.lower(), "word for")
    for token in _tokens(read):
        found.setdefault(token, _WHAT.get(len(token), "receipt id in"))
    return tuple(islice(found.items(), MOST_OF_ONE))


def _body(read: Read) -> dict[str, Any]:
    if read.receipt is not None:
        return read.receipt.body
    statement = read.statement
    body = {} if statement is None else msgspec.json.decode(statement.payload)
    return body if isinstance(body, dict) else {}


def _tokens(read: Read) -> tuple[str, ...]:
    """Return the hashes, accounts and receipt ids in a statement's text, each once."""
    text = (
        read.receipt.signed if read.receipt else read.statement.payload if read.statement else b""
    )
    text = text.lower()
    found = _HASH.findall(text)
    if b"rcpt-" in text or b"chatcmpl-" in text:
        found += _TOKEN.findall(text)
    return tuple([one.decode() for one in dict.fromkeys(found)])
