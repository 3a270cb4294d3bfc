"""What a token allows: to append records, to store blobs, and to ask for proofs with their salts.

An append is acknowledged once it is durable. Salts are private: with one, whoever guesses a
statement could find it in the log. So proofs are for holders of a token, too.

Trusts: the log's directory.  Does not trust: records, also those of who holds a token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from teeproof.core.clock import format_time, from_epoch, to_epoch
from teeproof.core.digests import named, parse_named, sha256
from teeproof.core.errors import NotAuthentic, Unavailable
from teeproof.proof.log.admission import Record, read_record, read_records, require_possession
from teeproof.proof.log.choice import Choice
from teeproof.proof.log.formats.checkpoint import Accept
from teeproof.proof.log.formats.tlogproof import TlogProof
from teeproof.proof.log.http.appender import Appender
from teeproof.proof.log.http.keysets import Keysets
from teeproof.proof.log.http.limits import (
    MAX_BATCH,
    MAX_BATCH_BYTES,
    MAX_BLOB_BYTES,
    MAX_RECORD_BYTES,
    NDJSON,
)
from teeproof.proof.log.http.served import ServedLog
from teeproof.proof.log.http.tokens import Tokens
from teeproof.proof.log.storage.items import Appended, Item
from teeproof.web.asgi import Answer, Request, json_answer
from teeproof.web.oplog import Say

__all__ = ["Writing", "prove"]


_TEXT = b"text/plain; charset=utf-8"
_BYTES = b"application/octet-stream"
_PRIVATE = ((b"cache-control", b"no-store, private"),)


class Writing:
    """Answers to what needs a token.

    Args:
        log: the log.
        tokens: who may.
        keysets: whose receipts can be told.
        delay: seconds within which an entry is published.
        behind: whether publication is later than that.
        accept: which checkpoint a proof may carry.
        now: the clock.
        say: the operator's log.
    """

    def __init__(
        self,
        log: ServedLog,
        *,
        tokens: Tokens,
        keysets: Keysets,
        delay: int,
        behind: Callable[[], bool],
        accept: Accept,
        now: Callable[[], datetime],
        say: Say,
    ) -> None:
        self._log, self._appender = log, Appender(log)
        self._choice = Choice(log, keysets.identity_of)
        self._tokens, self._keysets = tokens, keysets
        self._delay, self._behind, self._accept = delay, behind, accept
        self._now, self._say = now, say

    async def append(self, request: Request) -> Answer:
        """Append one record, or a batch in NDJSON, and acknowledge it once it is durable.

        Raises:
            NotAllowed: no token, or one that nobody has.
            Unavailable: code ``log_behind``; ``identity_unknown`` for a receipt without an author.
            Malformed, TooLarge: nothing that a log takes, or an identity that its keys did not sign
                (``possession_unproven``); of a batch, then nothing is appended.
        """
        who = self._tokens.name_of(request.header(b"authorization"))
        if self._behind():
            raise Unavailable(
                "the log cannot publish at the moment, so it takes nothing: try again later",
                code="log_behind",
            )
        many = request.header(b"content-type") == NDJSON.encode()
        data = await request.body(MAX_BATCH_BYTES if many else MAX_RECORD_BYTES, "request")
        owner = self._keysets.identity_of
        if many:
            records = read_records(data, most=MAX_BATCH, identity_of_keyset=owner)
        else:
            records = [read_record(data, identity_of_keyset=owner)]
        for record in records:
            require_possession(record)
        placed = await self._durable(records)
        parts = [_part(record, place) for record, place in zip(records, placed, strict=True)]
        self._say("appended", by=who, entries=len(parts), first=parts[0]["index"])
        promised = from_epoch(to_epoch(self._now()) + self._delay)
        answer = {"origin": self._log.origin, "published_by": format_time(promised)}
        return json_answer(answer | ({"appended": parts} if many else parts[0]))

    async def put_blob(self, request: Request, name: str) -> Answer:
        """Store bytes by their SHA-256.

        Raises:
            NotAllowed: no token, or one that nobody has.
            Malformed, TooLarge: no digest, or too many bytes.
            NotAuthentic: code ``blob_mismatch``: the bytes have another digest.
        """
        who = self._tokens.name_of(request.header(b"authorization"))
        digest = parse_named(f"sha256:{name}")
        data = await request.body(MAX_BLOB_BYTES, "blob")
        found = await asyncio.to_thread(sha256, data)
        if found != digest:
            raise NotAuthentic(
                "these bytes have another digest: send them to their own path",
                code="blob_mismatch",
                expected=named(digest),
                got=named(found),
            )
        stored = await asyncio.to_thread(self._log.put_blob, data)
        self._say("stored", by=who, blob=stored, bytes=len(data))
        return json_answer({"origin": self._log.origin, "id": stored})

    async def blob(self, request: Request, name: str) -> Answer:
        """Return bytes by their SHA-256; Unavailable, code ``blob_unknown``, if there are none."""
        self._tokens.name_of(request.header(b"authorization"))
        digest = named(parse_named(f"sha256:{name}"))
        try:
            data = await asyncio.to_thread(self._log.blob, digest)
        except Unavailable:
            raise Unavailable("the log has no such blob", code="blob_unknown", got=digest) from None
        return Answer(200, _BYTES, data, _PRIVATE)

    async def proof(self, request: Request, name: str) -> Answer:
        """Return the tlog-proof of a statement, with its salt as extra data.

        Raises:
            NotAllowed: no token, or one that nobody has.
            Malformed: this is no statement id.
            Unavailable: codes ``statement_unknown`` and ``not_published``.
        """
        self._tokens.name_of(request.header(b"authorization"))
        statement_id = parse_named(name)
        made = await asyncio.to_thread(self._prove, statement_id)
        return Answer(200, _TEXT, made.encode(), _PRIVATE)

    def _prove(self, statement_id: bytes) -> TlogProof:
        found = self._choice.found(statement_id)
        if found is None:
            raise Unavailable(
                "the log does not have this statement: append it",
                code="statement_unknown",
                got=named(statement_id),
            )
        index, entry = found
        return prove(self._log, Appended(index, entry.salt), accept=self._accept)

    async def _durable(self, records: list[Record]) -> list[Appended]:
        items = [Item(r.kind, r.id, r.identity, r.seal, r.data) for r in records]
        placed = await self._appender.append(items)
        for record in records:
            self._keysets.learn(record)
        return placed


def prove(log: ServedLog, placed: Appended, *, accept: Accept) -> TlogProof:
    """Return an entry's proof under the earliest checkpoint that covers it and is accepted.

    Raises:
        Unavailable: code ``not_published``: there is none yet.
    """
    try:
        signed = log.first_checkpoint(placed.index, accept=accept)
    except Unavailable:
        raise Unavailable(
            "the entry is not published yet, or not with enough cosignatures: ask again in a while",
            code="not_published",
            expected=f"a checkpoint of more than {placed.index} entries",
            got=f"{log.published_size} published",
        ) from None
    hashes = log.inclusion_proof(placed.index, signed.checkpoint.size)
    extra = placed.salt + log.stored(placed.index).seal
    return TlogProof(extra, placed.index, tuple(hashes), signed)


def _part(record: Record, placed: Appended) -> dict[str, Any]:
    return {"index": placed.index, "salt": placed.salt.hex(), "id": record.name}
