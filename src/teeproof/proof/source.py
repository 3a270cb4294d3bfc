"""Where statements, identities and evidence are found: a log's directory, memory, a proof file.

Exporting, merging and drawing need nothing else, so they work alike on all of them.

Trusts: nothing; whatever a source returns is checked by its digest or by the verifier.
Does not trust: the source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import msgspec

from teeproof.core.errors import Malformed, TooLarge
from teeproof.proof.envelope import IN_TOTO, MAX_ENVELOPE_BYTES, Envelope, seal_of
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.keys import Key
from teeproof.proof.links import Link, Subject
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.receipt import Receipt
from teeproof.proof.signing import holds_ed25519
from teeproof.proof.statement import Statement, Step

__all__ = ["Keyed", "Kind", "Logged", "Read", "Source", "kind_of", "read_record"]

Kind = Literal["statement", "identity", "receipt"]

_LONGEST_TITLE = 80


@dataclass(frozen=True, slots=True)
class Logged:
    """Where a log holds a statement or an identity.

    Attributes:
        kind: ``entry.STATEMENT``, ``RECEIPT`` or ``IDENTITY``.
        index: the entry's index.
        salt: 32 bytes that the entry's commitment is over.
        checkpoint: the first archived checkpoint that covers the entry; it carries the origin.
        node: hash of a complete subtree of that log, by level and index.
        identity: 32 bytes, the author that the entry names; of an identity, its own digest.
        seal: 32 bytes, the digest of the signatures that the entry's commitment is over.
    """

    kind: int
    index: int
    salt: bytes
    checkpoint: SignedCheckpoint
    node: Callable[[int, int], bytes]
    identity: bytes
    seal: bytes


class Source(Protocol):
    """Something that holds statements. Ids and digests are 32 bytes; None means "not here"."""

    def statement(self, statement_id: bytes) -> bytes | None:
        """Return an envelope (DSSE JSON) or a receipt document."""

    def identity(self, digest: bytes) -> bytes | None:
        """Return an identity record."""

    def identity_of_keyset(self, keyset_digest: str) -> bytes | None:
        """Return the digest of the identity whose keyset (``sha256:…``) a receipt names."""

    def blob(self, digest: str) -> bytes | None:
        """Return bytes by their ``sha256:…``."""

    def producers(self, digest: str) -> Iterable[bytes]:
        """Return the ids of statements that list this ``sha256:…`` among their subjects."""

    def logged(self, statement_id: bytes) -> Logged | None:
        """Return where a log holds a statement, or an identity (by its digest)."""


class Keyed(Protocol):
    """The keys of an identity, as far as its word needs them."""

    @property
    def statement_key(self) -> bytes:
        """The Ed25519 key that signs statements, 32 bytes."""

    def key(self, role: str) -> Key | None:
        """Return the key of a role, if there is one."""


class Read(NamedTuple):
    """A statement of either kind, as far as the graph needs it.

    Attributes:
        id: 32 bytes.
        type: predicate type, or ``aci/1``.
        author: identity digest; None for a receipt, which names a keyset, and for a foreign
            statement without an author.
        keyset: of a receipt, ``sha256:…``.
        subjects: outputs.
        links: inputs.
        cosigners: identities that must sign too.
        envelope: of a statement.
        receipt: of a receipt.
        statement: of a statement.
    """

    id: bytes
    type: str
    author: bytes | None
    keyset: str | None
    subjects: tuple[Subject, ...]
    links: tuple[Link, ...]
    cosigners: tuple[bytes, ...]
    envelope: Envelope | None
    receipt: Receipt | None
    statement: Statement | None

    @property
    def seal(self) -> bytes:
        """The digest by which a log entry commits to the signatures of all who must sign."""
        if self.receipt is not None:
            return self.receipt.seal
        return self.envelope.seal(1 + len(self.cosigners)) if self.envelope else seal_of()

    def is_signed_by(self, author: Keyed) -> bool:
        """Return whether an identity, or whoever has its keys, signed this as its author."""
        if self.receipt is not None:
            key = author.key("receipt")
            signed, signature = self.receipt.signed, self.receipt.signature
            listed = key is not None and key.role == self.receipt.key_id
            return listed and key is not None and holds_ed25519(key.raw, signed, signature)
        if self.envelope is None:
            return False
        return holds_ed25519(
            author.statement_key, self.envelope.signed, self.envelope.signatures[0].sig
        )

    @property
    def outside(self) -> tuple[str, ...]:
        """Inputs that nothing can join to what made them, in words; see ``foreign``."""
        return () if self.statement is None else self.statement.outside

    def is_signed(self, person: Callable[[bytes | str], IdentityRecord | None]) -> bool:
        """Return whether all who must sign did, each in their place.

        Args:
            person: from an identity's digest, or a receipt's keyset (``sha256:…``), to its record.
        """
        name = self.author if self.keyset is None else self.keyset
        author = None if name is None else person(name)
        if author is None or not self.is_signed_by(author):
            return False
        envelope = self.envelope
        for at, cosigner in enumerate(self.cosigners, 1):
            record = person(cosigner)
            if envelope is None or record is None or at >= len(envelope.signatures):
                return False
            signature = envelope.signatures[at].sig
            if not holds_ed25519(record.statement_key, envelope.signed, signature):
                return False
        return True

    @property
    def title(self) -> str:
        """What was done, in the author's word, cut to 80 characters; for people only."""
        if self.receipt is not None:
            model = self.receipt.body.get("model")
            return f"answer of {model}"[:_LONGEST_TITLE] if isinstance(model, str) else "answer"
        predicate = self.statement.predicate if self.statement else None
        if isinstance(predicate, Step):
            return predicate.step[:_LONGEST_TITLE]
        name = self.type.removeprefix("urn:teeproof:").removesuffix(":v1")
        return name.rstrip("/").rpartition("/")[2][:_LONGEST_TITLE]


class _Shape(msgspec.Struct):
    """The fields by which records are told apart; nothing else is read."""

    payload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    attachments: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    event_log: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_shape = msgspec.json.Decoder(_Shape)


def kind_of(data: bytes) -> Kind | None:
    """Return what a record is, by its fields; None if it is nothing of ours.

    An envelope has a ``payload``, whatever else it has; otherwise an identity record has
    ``attachments``; otherwise a receipt has an ``event_log``. Everyone who reads records asks here:
    two who tell them apart in different ways would read one record as two.
    """
    if data.startswith(b'{"payload":"') and data.endswith(b'"}]}'):  # as we write envelopes
        return "statement"
    try:
        shape = _shape.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if shape.payload is not msgspec.UNSET:
        return "statement"
    if shape.attachments is not msgspec.UNSET:
        return "identity"
    return None if shape.event_log is msgspec.UNSET else "receipt"


def read_record(data: bytes) -> Read:
    """Return a statement's or receipt's parts.

    Raises:
        TooLarge: more than either may have.
        Malformed: it is neither, or one that its own format refuses.
    """
    if len(data) > MAX_ENVELOPE_BYTES:
        raise TooLarge(
            "this is too large for a statement or a receipt",
            expected=f"at most {MAX_ENVELOPE_BYTES} bytes",
            got=f"{len(data)} bytes",
        )
    kind = kind_of(data)
    if kind == "receipt":
        receipt = Receipt.parse(data)
        return Read(
            receipt.id, "aci/1", None, receipt.keyset_digest, receipt.subjects, receipt.links, (),
            None, receipt, None,
        )  # fmt: skip
    if kind == "statement":
        envelope = Envelope.parse(data)
        if envelope.payload_type != IN_TOTO:
            raise _unknown(f"an envelope around {envelope.payload_type[:100]}")
        statement = Statement.parse(envelope.payload)
        return Read(
            statement.id, statement.type, statement.author, None, statement.subjects,
            statement.links, statement.cosigners, envelope, None, statement,
        )  # fmt: skip
    raise _unknown(data[:60].decode(errors="replace"))


def _unknown(got: str) -> Malformed:
    return Malformed(
        "this is neither a statement in a DSSE envelope nor an ACI receipt",
        code="record_malformed",
        expected=f"a JSON object with payloadType {IN_TOTO}, or with an event_log",
        got=got,
    )
