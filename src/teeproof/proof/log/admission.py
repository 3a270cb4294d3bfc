"""What a log takes in: statements, receipts and identities, each with an id and an author.

Everything else is refused: a log with junk in it is of no use to anyone. That a record is read
here does not mean that its signatures hold; who relies on it checks them.

    DSSE envelope    {"payload": …, "payloadType": …, "signatures": […]}   an in-toto statement
    identity record  {"attachments": {…}, "envelope": {…}}                 its own author
    ACI receipt      {"api_version": "aci/1", …, "event_log": […]}         the author's keyset

Trusts: nothing.  Does not trust: whoever sends a record.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from teeproof.core.digests import named
from teeproof.core.errors import Error, Malformed, TooLarge, Unavailable
from teeproof.proof.envelope import IN_TOTO, MAX_ENVELOPE_BYTES, Envelope
from teeproof.proof.identity import MAX_RECORD_BYTES, IdentityRecord
from teeproof.proof.log.formats.entry import IDENTITY, RECEIPT, STATEMENT, Entry, commitment
from teeproof.proof.receipt import MAX_RECEIPT_BYTES, Receipt
from teeproof.proof.source import kind_of
from teeproof.proof.statement import Statement

__all__ = [
    "MAX_BYTES",
    "KeysetOwner",
    "Record",
    "read_record",
    "read_records",
    "require_possession",
]

MAX_BYTES = max(MAX_ENVELOPE_BYTES, MAX_RECORD_BYTES, MAX_RECEIPT_BYTES)

KeysetOwner = Callable[[str], bytes | None]
"""From a keyset's ``sha256:…`` to the digest of the identity whose it is; None if unknown."""


class Record(msgspec.Struct, frozen=True):
    """One record, read but not verified.

    Attributes:
        kind: ``STATEMENT``, ``RECEIPT`` or ``IDENTITY``.
        id: of the statement, 32 bytes.
        identity: digest of the author's identity, 32 bytes.
        seal: the digest of its signatures, 32 bytes: see ``entry.commitment``.
        data: the record as it was sent; it is kept beside the log.
        keyset: of an identity that all its keys signed, its keyset's ``sha256:…``; otherwise None.
    """

    kind: int
    id: bytes
    identity: bytes
    seal: bytes
    data: bytes
    keyset: str | None = None

    @property
    def name(self) -> str:
        """The id as text."""
        return named(self.id)

    def entry(self, salt: bytes) -> Entry:
        """Return the entry by which a log commits to this record under a salt."""
        return Entry(self.kind, commitment(salt, self.id, self.seal), self.identity)


def read_record(data: bytes, *, identity_of_keyset: KeysetOwner) -> Record:
    """Return a record with its kind, id and author.

    Raises:
        Unavailable: code ``identity_unknown`` for a receipt whose author is not known here.
        TooLarge: more than ``MAX_BYTES``, or more than its kind may have.
        Malformed: code ``record_unknown`` for none of the three kinds, ``author_missing`` where
            no identity is named as its author; or what its own format refuses.
    """
    if len(data) > MAX_BYTES:
        raise TooLarge(
            "the record is too large for a log: put large things beside it, by digest",
            expected=f"at most {MAX_BYTES} bytes",
            got=f"{len(data)} bytes",
        )
    kind = kind_of(data)
    if kind == "statement":
        return _statement(data)
    if kind == "identity":
        identity = IdentityRecord.parse(data)
        digest = identity.digest
        keyset = identity.keyset_digest if identity.is_possessed else None
        return Record(IDENTITY, digest, digest, identity.seal, data, keyset)
    if kind == "receipt":
        return _receipt(data, identity_of_keyset)
    raise _unknown(data[:60].decode(errors="replace"))


def require_possession(record: Record) -> None:
    """Refuse an identity that its own keys did not sign: it could only be in others' way.

    Raises:
        Malformed: code ``possession_unproven``.
    """
    if record.kind == IDENTITY and record.keyset is None:
        raise Malformed(
            "the keys in this identity did not all sign it: send the record as its workload made"
            " it",
            code="possession_unproven",
            expected="a signature of each signing key, in the key document's order",
            got=record.name,
        )


def read_records(data: bytes, *, most: int, identity_of_keyset: KeysetOwner) -> list[Record]:
    """Return the records of a batch: one per line, at most ``most``; the last line may end.

    A receipt's author may stand in an earlier line.

    Raises:
        TooLarge: more lines than ``most``.
        Malformed, Unavailable: no line, or one that ``read_record`` refuses; the message names its
            number.
    """
    lines = data.removesuffix(b"\n").split(b"\n", most)
    if len(lines) > most:
        raise TooLarge("too many records in one batch", expected=f"at most {most}")
    found: list[Record] = []
    here: dict[str, bytes] = {}
    for number, line in enumerate(lines, 1):
        try:
            record = read_record(
                line, identity_of_keyset=lambda k: here.get(k) or identity_of_keyset(k)
            )
        except Error as error:
            raise type(error)(
                f"line {number}: {error.detail}",
                code=error.code,
                expected=error.expected,
                got=error.got,
            ) from None
        if record.keyset:
            here[record.keyset] = record.id
        found.append(record)
    return found


def _statement(data: bytes) -> Record:
    envelope = Envelope.parse(data)
    if envelope.payload_type != IN_TOTO:
        raise _unknown(f"an envelope around {envelope.payload_type[:100]}")
    statement = Statement.parse(envelope.payload)
    if statement.author is None:
        raise _without_author()
    signers = len(statement.signers)
    return Record(STATEMENT, statement.id, statement.author, envelope.seal(signers), data)


def _receipt(data: bytes, identity_of_keyset: KeysetOwner) -> Record:
    receipt = Receipt.parse(data)
    author = identity_of_keyset(receipt.keyset_digest)
    if author is None:
        raise Unavailable(
            "nobody knows whose keys signed this receipt: append its author's identity first",
            code="identity_unknown",
            expected="the identity record with this keyset",
            got=receipt.keyset_digest,
        )
    return Record(RECEIPT, receipt.id, author, receipt.seal, data)


def _without_author() -> Malformed:
    return Malformed(
        "the record names no identity as its author: nobody could ever check it",
        code="author_missing",
        expected="an author (sha256:… of an identity) in the predicate",
    )


def _unknown(got: str) -> Malformed:
    return Malformed(
        "this is nothing that a log takes",
        code="record_unknown",
        expected="a statement in a DSSE envelope, an identity record, or an ACI receipt",
        got=got,
    )
