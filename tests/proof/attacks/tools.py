"""What attackers on a proof can do: write every byte of the file, make identities, keep keys."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from teeproof.core.clock import to_epoch
from teeproof.core.digests import named
from teeproof.proof import canonical
from teeproof.proof.envelope import IN_TOTO, Envelope, Signature, pae
from teeproof.proof.file import ProofFile
from teeproof.proof.identity import Claim, IdentityRecord, identity_payload
from teeproof.proof.keyring import Keyring
from teeproof.proof.keys import Key, KeyDocument
from teeproof.proof.log.formats.checkpoint import Checkpoint, SignedCheckpoint, sign_checkpoint
from teeproof.proof.log.formats.merkle import Tree
from teeproof.proof.log.formats.note import NoteSigner
from teeproof.proof.memory import MemorySource
from teeproof.proof.receipt import link_event
from teeproof.proof.statement import Statement
from teeproof.proof.verify import ProofVerdict
from teeproof.proof.workload import Identity
from tests.proof.file.scenes import members, ordered, pack
from tests.proof.people import NOW, attester
from tests.proof.world import LOG_SEED, ORIGIN

DAY = timedelta(days=1)
Found = tuple[str, str, str, str]


def found(verdict: ProofVerdict) -> set[Found]:
    """Where each fault is, with its check, code and concern."""
    return {(f.where, f.check.name, f.check.code or "", f.check.concern) for f in verdict.faults}


def rewritten(file: bytes, changes: Mapping[str, bytes | None]) -> bytes:
    """The file with other members; None takes one away."""
    content = members(file)
    for name, data in changes.items():
        if data is None:
            del content[name]
        else:
            content[name] = data
    return pack(ordered(content))


def member(file: bytes, ending: str) -> str:
    """The name of the one member that ends so."""
    (name,) = (name for name in members(file) if name.endswith(ending))
    return name


def statement_member(statement: Statement) -> str:
    return f"statements/{statement.id.hex()}.json"


def identity_member(one: Identity | IdentityRecord) -> str:
    return f"identities/{one.digest.hex()}.json"


def entries_of(file: bytes) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = msgspec.json.decode(members(file)[member(file, "entries.json")])
    return data


def with_entries(file: bytes, rows: list[dict[str, Any]]) -> bytes:
    """The file with another list of log entries; as many, at the same indexes."""
    return rewritten(file, {member(file, "entries.json"): canonical.encode(rows)})


def with_envelope(file: bytes, statement: Statement, envelope: Envelope) -> bytes:
    return rewritten(file, {statement_member(statement): envelope.encode()})


def booted(*roles: Any, at: datetime = NOW, **options: Any) -> Identity:
    """A workload of its own, not shared with other tests."""
    return Identity.boot(attester(at=at), roles=roles, now=lambda: at, **options)


def document(
    *keys: Key, begins: datetime = NOW, life: timedelta = 7 * DAY, **more: Any
) -> KeyDocument:
    start = to_epoch(begins)
    return KeyDocument.of(
        keys, not_before=start, not_after=start + int(life.total_seconds()), **more
    )


def impostor(
    keys: KeyDocument,
    keyring: Keyring,
    *,
    evidence_of: Identity,
    kind: str = IN_TOTO,
    signatures: tuple[Signature, ...] | None = None,
    nonce: str | None = None,
) -> Identity:
    """An identity with somebody else's evidence; each key that the ring has signs."""
    claim = Claim(keys=keys, evidence=evidence_of.record.claim.evidence, nonce=nonce)
    payload = identity_payload(claim)
    if signatures is None:
        signatures = tuple(
            Signature("", _possession(keyring, key, pae(payload, kind))) for key in keys.signing
        )
    record = IdentityRecord(
        envelope=Envelope(payload, signatures, kind), attachments=evidence_of.record.attachments
    )
    return Identity(
        record, blobs=evidence_of.blobs, keyring=keyring, store=MemorySource(), now=lambda: NOW
    )


def _possession(keyring: Keyring, key: Key, message: bytes) -> bytes:
    held = {(own.role, own.public_key) for own in keyring.public()}
    return (
        keyring.prove_possession(key, message) if (key.role, key.public_key) in held else bytes(64)
    )


def with_attachments(one: Identity, **changes: str) -> IdentityRecord:
    attachments = one.record.attachments | changes
    return msgspec.structs.replace(one.record, attachments=attachments)


def receipt(
    author: Identity,
    answer: str,
    *,
    keyset: str | None = None,
    key_id: str = "receipt",
    sign: Any = None,
    of: tuple[tuple[str, str, Statement | None], ...] = (),
) -> bytes:
    """An answer's receipt: of (role, ``sha256:…``, statement)."""
    body = {
        "api_version": "aci/1",
        "receipt_id": answer,
        "workload_keyset_digest": keyset or author.record.keyset_digest,
        "key_id": key_id,
        "event_log": [
            {"type": "request.received", "body_hash": "sha256:" + "0" * 64},
            *(
                link_event(role, digest, statement=made.id if made else None)
                for role, digest, made in of
            ),
        ],
    }
    signature = (sign or author.keyring.sign_receipt)(canonical.encode(body))
    return canonical.encode(body | {"signature": signature.hex()})


def checkpoint_of(tree: Tree, *, origin: str = ORIGIN, seed: bytes = LOG_SEED) -> SignedCheckpoint:
    """A checkpoint over any tree, signed with the log's key: what only its operator can make."""
    return sign_checkpoint(Checkpoint(origin, tree.size, tree.root()), NoteSigner(origin, seed))


def part_names(file: bytes) -> list[str]:
    return [name for name in members(file) if name.startswith("log/")]


def holds(verdict: ProofVerdict) -> bool:
    """Whether a verdict accepts, and says so everywhere."""
    return verdict.ok and verdict.exit_code == 0 and verdict.authentic and not verdict.faults


def name_of(data: bytes) -> str:
    from teeproof.core.digests import sha256

    return named(sha256(data))


def opened(file: bytes) -> ProofFile:
    return ProofFile.from_bytes(file)
