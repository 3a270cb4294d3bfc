"""An identity: a key document, and the hardware evidence that commits to it.

    key document -> keyset -> D -> report_data of a quote      only the TEE could have put it there
    identity statement = key document + name of the evidence   signed by each signing key in it
    identity digest    = id of that statement                  what others call their author

The record adds where the evidence's bytes are found. Those are not signed by the workload, and need
not be: they count only if the quote in them has the very name that the statement states.

Trusts: nothing; evidence and signatures are checked by ``proof.verify``.
Does not trust: host, network, whoever handed over the record.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Final, Literal

import msgspec

from teeproof.core.digests import named, parse_named
from teeproof.core.errors import Malformed
from teeproof.evidence.binding import report_data_for
from teeproof.evidence.record import Evidence
from teeproof.proof import canonical
from teeproof.proof.blobs import check_part, checked, evidence_of_blobs
from teeproof.proof.envelope import MAX_PAYLOAD_BYTES, Envelope, seal_of
from teeproof.proof.keyring import verify_possession
from teeproof.proof.keys import Key, KeyDocument
from teeproof.proof.keyset import keyset_of
from teeproof.proof.links import Subject
from teeproof.proof.statement import STATEMENT_TYPE, Predicate, predicate_type

__all__ = [
    "IDENTITY_TYPE",
    "MAX_NONCE",
    "MAX_RECORD_BYTES",
    "Claim",
    "EvidenceName",
    "IdentityRecord",
    "Rotation",
]

IDENTITY_TYPE: Final = "urn:teeproof:identity:v1"
MAX_RECORD_BYTES = 512 << 10
MAX_NONCE = 256  # characters; a service that speaks ACI is asked for 64 lower-case hex digits


class EvidenceName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Evidence, by the digest that all its malleable twins share.

    Attributes:
        kind: of the machine, one of ``evidence.recognise.Kind``.
        id: ``sha256:…``, the subject of its verdict: of a machine with GPUs over both.
    """

    kind: str
    id: str


class Claim(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """The predicate of an identity statement. It has no author: it is how an author begins.

    Attributes:
        keys: the key document.
        evidence: what commits to it; one entry, until machines with several kinds are supported.
        nonce: what went into the binding beside the keyset, any text of at most 256 characters;
            None if nobody had asked.
    """

    keys: KeyDocument
    evidence: tuple[EvidenceName, ...]
    nonce: str | None = None


class _Payload(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    type: Literal["https://in-toto.io/Statement/v1"] = msgspec.field(name="_type")
    subject: tuple[Subject, ...]
    predicate_type: Literal["urn:teeproof:identity:v1"] = msgspec.field(name="predicateType")
    predicate: Claim


class _Wire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    attachments: dict[str, str]
    envelope: msgspec.Raw


@predicate_type("urn:teeproof:rotation:v1")
class Rotation(Predicate, frozen=True, kw_only=True):
    """An identity says which one follows it; the subject is the new identity statement's digest.

    Attributes:
        reason: ``expiry`` where keys were about to expire, ``restart``, ``update``.
    """

    reason: str


class IdentityRecord(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """An identity as it is stored and handed over.

    Attributes:
        envelope: the identity statement and the signatures that prove possession.
        attachments: by name (``quote``, ``event_log``, …), the digests of the evidence's bytes.
    """

    envelope: Envelope
    attachments: dict[str, str]

    @classmethod
    def parse(cls, data: bytes) -> IdentityRecord:
        """Return the record in JSON as ``encode`` writes it.

        Raises:
            TooLarge, Malformed: too large, not canonical, or not an identity statement.
        """
        wire = canonical.decode(data, limit=MAX_RECORD_BYTES, what="identity record", kind=_Wire)
        for name, digest in wire.attachments.items():
            check_part(name)
            parse_named(digest)
        envelope = Envelope.parse(bytes(wire.envelope))
        if envelope.encode() != bytes(wire.envelope):  # what is inside was copied, not read
            raise Malformed(
                "the envelope in the identity record is not written in the canonical way",
                code="not_canonical",
                expected="what IdentityRecord.encode writes",
            )
        record = cls(envelope=envelope, attachments=wire.attachments)
        record.claim  # noqa: B018  reads the payload, so that a record in hand is one
        return record

    def encode(self) -> bytes:
        """Return canonical JSON."""
        envelope = msgspec.json.decode(self.envelope.encode())
        return canonical.encode({"attachments": self.attachments, "envelope": envelope})

    @cached_property
    def digest(self) -> bytes:
        """The identity's digest, 32 bytes: the id of the identity statement."""
        return self.envelope.id

    @cached_property
    def seal(self) -> bytes:
        """The digest by which a log entry commits to signatures and attachments, 32 bytes.

        The quote's very bytes are in it: a quote that is signed later, by a platform that was
        broken since, cannot take the place of the one that was there. So are the others', or a
        copy that names bytes which nobody has would pass for the record that is there already.
        """
        signatures = (signature.sig for signature in self.envelope.signatures)
        attached = (f"{name}={digest}" for name, digest in sorted(self.attachments.items()))
        return seal_of(*signatures, *(one.encode() for one in attached))

    @cached_property
    def name(self) -> str:
        """The digest as text."""
        return named(self.digest)

    @cached_property
    def claim(self) -> Claim:
        """What the identity statement says; Malformed if it is not one."""
        payload = canonical.decode(
            self.envelope.payload, limit=MAX_PAYLOAD_BYTES, what="identity statement", kind=_Payload
        )
        claim = payload.predicate
        claim.keys.check()
        if payload.subject != (_subject(claim.keys),):
            raise _malformed("the key document's digest as the one subject", "another subject")
        if len(claim.evidence) != 1:
            raise _malformed("one piece of evidence", f"{len(claim.evidence)}")
        for evidence in claim.evidence:
            parse_named(evidence.id)
        if claim.nonce is not None and len(claim.nonce) > MAX_NONCE:
            raise _malformed(f"a nonce of at most {MAX_NONCE} characters", "a longer one")
        return claim

    @property
    def keys(self) -> KeyDocument:
        """The key document."""
        return self.claim.keys

    @cached_property
    def keyset_digest(self) -> str:
        """``sha256:…`` of the ACI keyset that the key document determines."""
        return keyset_of(self.keys).digest

    @property
    def report_data(self) -> bytes:
        """The 64 bytes that evidence of this identity must carry where its kind binds data.

        That is report_data of TDX, SGX and SEV-SNP. A Nitro document has them as its user data,
        whole or as D alone, without the zeros behind.
        """
        return report_data_for(self.keyset_digest, nonce=self.claim.nonce)

    @cached_property
    def statement_key(self) -> bytes:
        """The Ed25519 key that signs this identity's statements, 32 bytes."""
        return self._key("statement").raw

    @property
    def is_possessed(self) -> bool:
        """Whether each signing key of the document signed, in the document's order."""
        keys, signatures = self.keys.signing, self.envelope.signatures
        signed = self.envelope.signed
        return len(keys) == len(signatures) and all(
            verify_possession(key, signed, signature.sig)
            for key, signature in zip(keys, signatures, strict=True)
        )

    def key(self, role: str) -> Key | None:
        """Return the key of a role, if the document lists one."""
        return self.keys.key(role)

    def _key(self, role: str) -> Key:
        key = self.keys.key(role)
        if key is None:  # check() has seen to it that there is a statement key
            raise _malformed(f"a {role} key", "none")
        return key

    def evidence(self, blob: Callable[[str], bytes]) -> Evidence:
        """Return the evidence, with its bytes from ``blob``, which is asked by ``sha256:…``.

        Raises:
            NotAuthentic: bytes that do not have the digest by which they were asked for.
            Malformed: no quote, or collateral that is none.
        """
        parts = {name: checked(blob(digest), digest) for name, digest in self.attachments.items()}
        return evidence_of_blobs(parts, name=self.name)


def identity_payload(claim: Claim) -> bytes:
    """Return the identity statement's payload."""
    return canonical.encode(
        _Payload(
            type=STATEMENT_TYPE,
            subject=(_subject(claim.keys),),
            predicate_type=IDENTITY_TYPE,
            predicate=claim,
        )
    )


def _subject(keys: KeyDocument) -> Subject:
    return Subject({"sha256": keys.digest.hex()}, name=keys.subject)


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        "this is not an identity", code="identity_malformed", expected=expected, got=got[:200]
    )
