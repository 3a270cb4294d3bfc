"""A workload's own side of its identity: boot, seal, rotate. The only code that holds its secrets.

``Identity.boot`` is the one call that every service makes: keys are drawn in memory, the attester
binds them, each key signs the identity statement. Nothing secret is written anywhere.

Trusts: the attester, this process's memory and random source.
Does not trust: the host's clock beyond what the key document states; verifiers have their own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import datetime

from teeproof.core.clock import to_epoch, wall_clock
from teeproof.core.digests import named
from teeproof.core.errors import Malformed, NotAllowed, Usage
from teeproof.evidence.binding import report_data_for
from teeproof.evidence.collect import Attester
from teeproof.evidence.naming import name_evidence
from teeproof.proof.envelope import Envelope, Signature, pae
from teeproof.proof.identity import (
    Claim,
    EvidenceName,
    IdentityRecord,
    Rotation,
    attachments_of,
    blobs_of,
    identity_payload,
)
from teeproof.proof.keyring import Keyring
from teeproof.proof.keys import DEFAULT_LIFETIME, LONGEST_LIFETIME, Algorithm, KeyDocument
from teeproof.proof.keyset import keyset_of
from teeproof.proof.links import Subject
from teeproof.proof.statement import Statement

__all__ = ["Booted", "boot", "rotate"]


class Booted:
    """A running workload: its identity, and the keys behind it.

    Attributes:
        record: the identity, for others.
        blobs: the evidence's bytes, by ``sha256:…``.
        keyring: the private keys.
    """

    def __init__(
        self, record: IdentityRecord, *, blobs: dict[str, bytes], keyring: Keyring
    ) -> None:
        self.record = record
        self.blobs = blobs
        self.keyring = keyring

    @property
    def digest(self) -> bytes:
        """The identity's digest, 32 bytes."""
        return self.record.digest

    @property
    def name(self) -> str:
        """The digest as text, ``sha256:…``: what predicates name as their author."""
        return self.record.name

    def sign(self, statement: Statement, *, now: int | None = None) -> Envelope:
        """Return the envelope of a statement that this identity wrote, or must cosign.

        Args:
            statement: names this identity as author or cosigner.
            now: seconds since 1970; with it, expired keys do not sign.

        Raises:
            Usage: the statement names another author.
            NotAllowed: the keys have expired.
        """
        if statement.author != self.digest and self.digest not in statement.cosigners:
            raise Usage(
                "this statement names another author: put your own identity into the predicate",
                code="author_is_another",
                expected=self.name,
                got=named(statement.author) if statement.author else "none",
            )
        if now is not None and now > self.record.keys.not_after:
            raise NotAllowed(
                "these keys have expired: rotate the identity",
                code="keys_expired",
                expected=f"before {self.record.keys.not_after}",
                got=str(now),
            )
        signature = self.keyring.sign(pae(statement.payload))
        return Envelope(statement.payload, (Signature(self.name, signature),))

    def cosign(self, envelope: Envelope) -> Envelope:
        """Return an envelope with this identity's signature added, which its payload must ask for.

        Raises:
            Usage: the payload names this identity neither as author nor as cosigner.
        """
        added = self.sign(Statement.parse(envelope.payload)).signatures
        return Envelope(envelope.payload, (*envelope.signatures, *added), envelope.payload_type)


def boot(
    attester: Attester,
    *,
    roles: Iterable[str | tuple[str, Algorithm]] = ("statement",),
    lifetime: int = DEFAULT_LIFETIME,
    nonce: str | None = None,
    domain: str | None = None,
    previous: bytes | None = None,
    now: Callable[[], datetime] = wall_clock,
    random: Callable[[int], bytes] = os.urandom,
) -> Booted:
    """Make keys, have the hardware commit to them, and return the identity.

    Args:
        attester: what makes evidence here (``evidence.collect.choose_attester``).
        roles: roles for which to make keys; ``statement`` is always among them.
        lifetime: for how many seconds the keys are valid, at most 30 days.
        nonce: what to bind beside the keys: a relying party's, or ``binding.job_nonce``.
        domain: the host name of the ``tls`` key.
        previous: digest of the identity that this one follows.
        now: the clock.
        random: the random source.

    Raises:
        Usage: an unknown role, or a lifetime beyond 30 days.
        Unavailable: the attester did not answer.
        Malformed: the attester's evidence does not carry what it was asked to bind.
    """
    if not 0 < lifetime <= LONGEST_LIFETIME:
        raise Usage(
            "keys live for at most 30 days: rotate the identity instead",
            code="keys_live_too_long",
            expected=f"1 to {LONGEST_LIFETIME} seconds",
            got=str(lifetime),
        )
    keyring = Keyring.new(dict.fromkeys(("statement", *roles)), random=random)
    begins = to_epoch(now())
    keys = KeyDocument.of(
        keyring.public(domain=domain),
        not_before=begins,
        not_after=begins + lifetime,
        previous=None if previous is None else named(previous),
    )
    report_data = report_data_for(keyset_of(keys).digest, nonce=nonce)
    evidence = attester.attest(report_data)
    kind, evidence_id = name_evidence(evidence)
    if report_data not in evidence.quote:
        raise Malformed(
            f"the evidence of {attester.name} does not carry the report_data that it was given",
            code="attester_ignored_report_data",
            expected=report_data.hex(),
        )
    claim = Claim(keys=keys, evidence=(EvidenceName(kind, evidence_id),), nonce=nonce)
    blobs = blobs_of(evidence)
    attachments = attachments_of(blobs)
    record = IdentityRecord(envelope=_possession(claim, keyring), attachments=attachments)
    by_digest = {attachments[name]: data for name, data in blobs.items()}
    return Booted(record, blobs=by_digest, keyring=keyring)


def rotate(
    booted: Booted, attester: Attester, *, reason: str = "expiry", **options: object
) -> tuple[Booted, Envelope]:
    """Return the identity that follows, and the old one's statement that it does.

    The new key document names the old identity, and the old key signs the new identity's digest:
    neither can claim the other alone. Options as in ``boot``; the roles are the same.
    """
    roles = tuple((key.role, key.algorithm) for key in booted.record.keys.keys)
    following = boot(attester, previous=booted.digest, **({"roles": roles} | options))  # type: ignore[arg-type]
    statement = Statement.of(
        Rotation(author=booted.name, reason=reason),
        subjects=(Subject({"sha256": following.digest.hex()}, name="identity"),),
    )
    return following, booted.sign(statement)


def _possession(claim: Claim, keyring: Keyring) -> Envelope:
    payload = identity_payload(claim)
    signed = pae(payload)
    signatures = tuple(
        Signature(f"{key.role}/{key.algorithm}", keyring.prove_possession(key, signed))
        for key in claim.keys.signing
    )
    return Envelope(payload, signatures)
