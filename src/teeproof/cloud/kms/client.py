"""Ask a KMS: for a recipient, for keys, for an erasure; and believe it only as far as it proves.

    kms = KmsClient(url, policy=policy_of_the_kms)
    recipient = kms.recipient(release_policy, owner=owner).recipient    seal a file for it
    keys = kms.release(me, job, challenge=nonce, files=[(header, release_policy)])

Trusts: the caller's policy for the KMS.  Does not trust: the network, whoever answers.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from teeproof.cloud import statements
from teeproof.cloud.job import Job
from teeproof.cloud.kms.policy import ReleasePolicy, Withdrawal
from teeproof.cloud.kms.requests import (
    RecipientRequest,
    ReleaseRequest,
    WithdrawRequest,
    write_request,
)
from teeproof.cloud.owner import OwnerKey
from teeproof.cloud.recognise import recognise
from teeproof.core import strictjson
from teeproof.core.clock import to_epoch, wall_clock
from teeproof.core.digests import named, sha256
from teeproof.core.errors import Error, NotAuthentic, Unavailable
from teeproof.core.sealed import (
    HYBRID,
    X25519,
    DataKey,
    Grant,
    Header,
    PrivateRecipient,
    Recipient,
    parse_header,
    unwrap_grant,
)
from teeproof.evidence.policy import Policy
from teeproof.proof import canonical
from teeproof.proof.envelope import Envelope
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.signing import holds_ed25519
from teeproof.proof.statement import Statement
from teeproof.proof.workload import Identity
from teeproof.web.asking import Asker

__all__ = ["KmsClient", "Made", "Said"]

File = tuple[Header | bytes, ReleasePolicy]
_MAX_ANSWER = 8 << 20


class Said(NamedTuple):
    """A statement of the KMS, checked.

    Attributes:
        statement: what it says.
        envelope: with its signature.
    """

    statement: Statement
    envelope: Envelope


class Made(NamedTuple):
    """A recipient that the KMS made.

    Attributes:
        recipient: whom to seal for.
        said: the KMS's word for it.
    """

    recipient: Recipient
    said: Said


class KmsClient:
    """One KMS, whose identity is verified before anything of it is believed.

    Args:
        url: its address.
        policy: which machine and which code the KMS must be.
        now: the clock.
        timeout: seconds to wait for it.
    """

    def __init__(
        self,
        url: str,
        *,
        policy: Policy,
        now: Callable[[], datetime] = wall_clock,
        timeout: float = 60.0,
    ) -> None:
        self._asker = Asker(url, timeout=timeout)
        self._policy, self._now = policy, now
        self._record: IdentityRecord | None = None
        self.blobs: dict[str, bytes] = {}

    def close(self) -> None:
        """Close the connections."""
        self._asker.close()

    @property
    def identity(self) -> IdentityRecord:
        """The KMS's identity; asked for and verified at the first use.

        Raises:
            NotAuthentic, NotAllowed: it is not what the policy expects.
            Unavailable: it does not answer.
        """
        if self._record is None:
            self._record = self._introduce()
        return self._record

    def challenge(self) -> bytes:
        """Return a fresh nonce: boot with ``job_nonce(job.digest, nonce=challenge)``."""
        said = self._answer(self._asker.post("v1/challenge", b"{}"), str, "challenge")
        if len(said) != 64 or said.strip("0123456789abcdef"):
            raise _strange("a challenge of 64 hex digits")
        return bytes.fromhex(said)

    def recipient(self, policy: ReleasePolicy, *, owner: OwnerKey) -> Made:
        """Return a recipient whose secret only this KMS has, for files under this policy.

        Raises:
            NotAuthentic: the KMS is another, or the answer is not its word.
            Error: as the KMS refuses.
        """
        request = RecipientRequest(policy, owner.sign_text(policy))
        data = self._asker.post("v1/recipients", write_request(request))
        said = self._said(data, statements.Recipients)
        predicate: statements.Recipients = said.statement.predicate
        recipient = Recipient.parse(predicate.recipient)
        _require(predicate.policy == policy, "it is about another policy")
        _require(
            said.statement.subjects[0].digest["sha256"] == recipient.digest.hex(),
            "it is about another recipient",
        )
        return Made(recipient, said)

    def release(
        self, identity: Identity, job: Job, *, challenge: bytes, files: Iterable[File]
    ) -> dict[str, DataKey]:
        """Return the data keys of files, by file id; all of them.

        Args:
            identity: booted with ``job_nonce(job.digest, nonce=challenge)`` and the role ``seal``.
            job: what the keys are for.
            challenge: the KMS's.
            files: each with its header and its release policy.

        Raises:
            NotAllowed, NotAuthentic, Unavailable: as the KMS refuses, with its code.
        """
        return self.released(identity, job, challenge=challenge, files=files)[0]

    def released(
        self, identity: Identity, job: Job, *, challenge: bytes, files: Iterable[File]
    ) -> tuple[dict[str, DataKey], Said]:
        """Return what ``release`` does, and the KMS's statement about it."""
        pairs = [(_header(header), policy) for header, policy in files]
        policies = {policy.digest: policy for _, policy in pairs}
        request = ReleaseRequest(
            challenge=challenge.hex(),
            job=job,
            identity=msgspec.Raw(identity.record.encode()),
            blobs=identity.blobs,
            policies=tuple(policies.values()),
            headers=tuple(header.encode() for header, _ in pairs),
        )
        data = self._asker.post("v1/release", write_request(request))
        said = self._said(data, statements.Release)
        grants = self._answer(data, dict, "grants")
        made = {subject.sha256 for subject in said.statement.subjects}
        key = _seal_key(identity)
        keys = {}
        for header, _ in pairs:
            raw = _base64(grants.get(header.file_id.hex()))
            _require(named(sha256(raw)) in made, "it does not name the grant")
            keys[header.file_id.hex()] = unwrap_grant(
                Grant.parse(raw), key=key, header=header, expected_job_digest=job.digest
            )
        return keys, said

    def withdraw(self, recipient: Recipient | str, *, owner: OwnerKey, file: str) -> Said:
        """Have a recipient's secret erased; return the KMS's statement that it is.

        Args:
            recipient: whom the file was sealed for, or its digest in hex.
            owner: whose file it is.
            file: its id, hex.
        """
        digest = recipient if isinstance(recipient, str) else recipient.digest.hex()
        order = Withdrawal(recipient=digest, file=file, time=to_epoch(self._now()))
        request = WithdrawRequest(order, owner.sign_text(order))
        said = self._said(
            self._asker.post("v1/withdraw", write_request(request)), statements.Erasure
        )
        _require(said.statement.predicate.order.recipient == digest, "it erased another recipient")
        return said

    def _introduce(self) -> IdentityRecord:
        data = self._asker.get("v1/identity")
        value = self._json(data)
        record = IdentityRecord.parse(canonical.encode(value.get("record")))
        blobs = value.get("blobs")
        given = blobs if isinstance(blobs, dict) else {}
        self.blobs = {name: _base64(text) for name, text in given.items()}
        recognise(record, blob=_lookup(self.blobs), policy=self._policy, now=self._now())
        return record

    def _said(self, data: bytes, kind: type) -> Said:
        envelope = Envelope.parse(canonical.encode(self._answer(data, dict, "statement")))
        statement = Statement.parse(envelope.payload)
        if statement.author != self.identity.digest:
            self._record = None  # it may have begun another session
        _require(statement.author == self.identity.digest, "another identity says so")
        _require(isinstance(statement.predicate, kind), "it is of another kind")
        key = self.identity.statement_key
        _require(
            holds_ed25519(key, envelope.signed, envelope.signatures[0].sig), "it is not signed"
        )
        return Said(statement, envelope)

    def _answer(self, data: bytes, kind: type, name: str) -> Any:
        found = self._json(data).get(name)
        if not isinstance(found, kind):
            raise _strange(f"{name} in its answer")
        return found

    def _json(self, data: bytes) -> Mapping[str, Any]:
        try:
            value = strictjson.loads(data, limit=_MAX_ANSWER, what="answer")
        except Error:
            raise _strange("JSON") from None
        if not isinstance(value, dict):
            raise _strange("a JSON object")
        return value


def _header(given: Header | bytes) -> Header:
    return parse_header(given) if isinstance(given, bytes) else given


def _seal_key(identity: Identity) -> PrivateRecipient:
    key = identity.record.key("seal")
    suite = HYBRID if key is not None and key.algorithm == "mlkem768-x25519" else X25519
    return PrivateRecipient(suite, identity.keyring.secret("seal"))


def _lookup(blobs: Mapping[str, bytes]) -> Callable[[str], bytes]:
    def blob(digest: str) -> bytes:
        if digest not in blobs:
            raise Unavailable(
                "the KMS did not send all of its evidence", code="blob_missing", expected=digest
            )
        return blobs[digest]

    return blob


def _base64(text: object) -> bytes:
    try:
        return base64.b64decode(text if isinstance(text, str) else "", validate=True)
    except (binascii.Error, ValueError):
        raise _strange("base64") from None


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise NotAuthentic(
            f"the KMS's statement does not fit what was asked: {what}", code="kms_statement"
        )


def _strange(expected: str) -> Unavailable:
    return Unavailable(
        "this is not how a KMS answers", code="kms_answer_malformed", expected=expected
    )
