"""A workload's own side of its identity: boot, seal, rotate. The only code that holds its secrets.

``Identity.boot`` is the one call that every service makes: keys are drawn in memory, the attester
binds them, each key signs the identity statement. Nothing secret is written anywhere.

Trusts: the attester, this process's memory and random source.
Does not trust: the host's clock beyond what the key document states; verifiers have their own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Self

from teeproof.core.clock import format_time, to_epoch, wall_clock
from teeproof.core.digests import named
from teeproof.core.errors import Malformed, NotAllowed, Usage
from teeproof.core.home import data_directory
from teeproof.evidence.binding import report_data_for
from teeproof.evidence.collect import ATTESTER_VARIABLE, Attester, choose_attester
from teeproof.evidence.naming import name_evidence, report_data_of
from teeproof.evidence.record import Evidence
from teeproof.proof.envelope import Envelope, Signature, pae
from teeproof.proof.identity import (
    MAX_NONCE,
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
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.storage.log import Log
from teeproof.proof.memory import MemorySource
from teeproof.proof.sealing import Content, Input, Sealed, Store, step_of
from teeproof.proof.statement import Statement

__all__ = ["Identity"]

Role = str | tuple[str, Algorithm]


class Identity:
    """A running workload: its identity, and the keys behind it. Make one with ``boot``.

    Attributes:
        record: the identity, for others.
        blobs: the evidence's bytes, by ``sha256:…``.
        keyring: the private keys.
        store: where its statements are kept.
    """

    def __init__(
        self,
        record: IdentityRecord,
        *,
        blobs: Mapping[str, bytes],
        keyring: Keyring,
        store: Store,
        now: Callable[[], datetime],
    ) -> None:
        self.record = record
        self.blobs = dict(blobs)
        self.keyring = keyring
        self.store = store
        self._now = now

    @classmethod
    def boot(
        cls,
        attester: Attester | str | None = None,
        *,
        roles: Iterable[Role] = (),
        lifetime: int = DEFAULT_LIFETIME,
        nonce: str | None = None,
        domain: str | None = None,
        previous: bytes | None = None,
        store: Store | Log | None = None,
        now: Callable[[], datetime] = wall_clock,
        random: Callable[[int], bytes] = os.urandom,
    ) -> Self:
        """Make keys, have the hardware commit to them, and return the identity.

        Args:
            attester: what makes evidence here, or its name: ``simulated``, ``dstack``, the path of
                a guest agent's socket. Without one, what ``TEEPROOF_ATTESTER`` names, or the
                device of this machine.
            roles: roles for which to make keys beside ``statement``.
            lifetime: for how many seconds the keys are valid, at most 30 days.
            nonce: what to bind beside the keys: a relying party's, or ``binding.job_nonce``; at
                most 256 characters.
            domain: the host name of the ``tls`` key.
            previous: digest of the identity that this one follows.
            store: where its statements are kept: a log, or memory, the default.
            now: the clock.
            random: the random source.

        Raises:
            Usage: an unknown role, a lifetime beyond 30 days, or a nonce that is too long.
            Unavailable: there is no attester here, or it did not answer.
            Malformed: the attester's evidence does not carry what it was asked to bind.
        """
        if attester is None or isinstance(attester, str):
            named_one = {} if attester is None else {ATTESTER_VARIABLE: attester}
            environment = os.environ | named_one
            home = data_directory(os.environ)
            attester = choose_attester(environment, data_directory=home, now=now)
        _check_nonce(nonce)
        keyring = Keyring.new(dict.fromkeys(("statement", *roles)), random=random)
        keys = _document(keyring, to_epoch(now()), lifetime, domain=domain, previous=previous)
        evidence = _evidence(attester, keys, nonce)
        claim = Claim(keys=keys, evidence=(EvidenceName(*name_evidence(evidence)),), nonce=nonce)
        parts = blobs_of(evidence)
        attachments = attachments_of(parts)
        record = IdentityRecord(envelope=_possession(claim, keyring), attachments=attachments)
        blobs = {attachments[name]: data for name, data in parts.items()}
        if isinstance(store, Log):
            store = Contents(store)
        store = MemorySource() if store is None else store
        store.add_identity(record.encode(), blobs)
        return cls(record, blobs=blobs, keyring=keyring, store=store, now=now)

    def __repr__(self) -> str:
        """Name the identity, and no secret."""
        return f"Identity({self.name[:23]}…)"

    @property
    def digest(self) -> bytes:
        """The identity's digest, 32 bytes."""
        return self.record.digest

    @property
    def name(self) -> str:
        """The digest as text, ``sha256:…``: what predicates name as their author."""
        return self.record.name

    def seal(
        self,
        step: str,
        *,
        outputs: Mapping[str, Content],
        inputs: Mapping[str, Content | Sealed | Input] | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> Sealed:
        """Say that outputs were made of inputs, sign that, and keep it.

        Args:
            step: what was done, a word or a few.
            outputs: by name, bytes or the path of a file.
            inputs: by role, bytes, the path of a file, or what an earlier ``seal`` returned.
            parameters: whatever else determines the result, as text.

        Raises:
            Usage: no output, or an input that names none of several outputs.
            NotAllowed: the keys have expired; ``rotate`` before they do.
            Unavailable: a file cannot be read, or the log did not take it.
        """
        statement = step_of(
            self.name, step, outputs=outputs, inputs=inputs or {}, parameters=parameters or {}
        )
        return self.keep(statement)

    def keep(self, statement: Statement) -> Sealed:
        """Sign any statement of this identity and keep it; raises as ``seal``."""
        envelope = self.sign(statement)
        self.store.add_statement(envelope.encode())
        return Sealed(statement, envelope, self.store)

    def sign(self, statement: Statement, *, now: int | None = None) -> Envelope:
        """Return the envelope of a statement that this identity wrote, or must cosign.

        Args:
            statement: names this identity as author or cosigner.
            now: seconds since 1970; without it, by this identity's clock.

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
        self._require_living_keys(now)
        signature = self.keyring.sign(pae(statement.payload))
        return Envelope(statement.payload, (Signature(self.name, signature),))

    def cosign(self, envelope: Envelope) -> Envelope:
        """Return an envelope with this identity's signature added, which its payload must ask for.

        The signatures stand in the order in which the payload names who must sign; those that were
        there are told by their key ids.

        Raises:
            Usage: the payload names this identity neither as author nor as cosigner.
            NotAllowed: the keys have expired.
        """
        statement = Statement.parse(envelope.payload)
        signatures = (*envelope.signatures, *self.sign(statement).signatures)
        order = {named(one): at for at, one in enumerate(statement.signers)}
        placed = sorted(signatures, key=lambda one: order.get(one.keyid, len(order)))
        return Envelope(envelope.payload, tuple(placed), envelope.payload_type)

    def rotate(
        self, attester: Attester | str | None = None, *, reason: str = "expiry", **options: Any
    ) -> Self:
        """Return the identity that follows this one, with the same roles and fresh evidence.

        The new key document names the old identity, and the old key signs the new identity's
        digest: neither can claim the other alone. Options and errors as in ``boot``.

        Raises:
            NotAllowed: the keys have expired, so nothing can follow them: ``boot`` a new identity.
        """
        self._require_living_keys()
        roles = tuple((key.role, key.algorithm) for key in self.record.keys.keys)
        tls = self.record.keys.key("tls")
        defaults: dict[str, Any] = {
            "roles": roles, "store": self.store, "now": self._now,
            "domain": tls.domain if tls else None,
        }  # fmt: skip
        following = type(self).boot(attester, previous=self.digest, **(defaults | options))
        subject = Subject({"sha256": following.digest.hex()}, name="identity")
        self.keep(Statement.of(Rotation(author=self.name, reason=reason), subjects=(subject,)))
        return following

    def _require_living_keys(self, now: int | None = None) -> None:
        at = to_epoch(self._now()) if now is None else now
        if at > self.record.keys.not_after:
            raise NotAllowed(
                "these keys have expired: boot a new identity, and rotate it before its keys do",
                code="keys_expired",
                expected=f"no later than {format_time(self.record.keys.not_after)}",
                got=format_time(at),
            )


def _check_nonce(nonce: str | None) -> None:
    if nonce is not None and len(nonce) > MAX_NONCE:
        raise Usage(
            "the nonce is too long: bind its digest",
            code="nonce_malformed",
            expected=f"at most {MAX_NONCE} characters",
            got=f"{len(nonce)} characters",
        )


def _document(
    keyring: Keyring, begins: int, lifetime: int, *, domain: str | None, previous: bytes | None
) -> KeyDocument:
    if not 0 < lifetime <= LONGEST_LIFETIME:
        raise Usage(
            "keys live for at most 30 days: rotate the identity instead",
            code="keys_live_too_long",
            expected=f"1 to {LONGEST_LIFETIME} seconds",
            got=str(lifetime),
        )
    return KeyDocument.of(
        keyring.public(domain=domain),
        not_before=begins,
        not_after=begins + lifetime,
        previous=None if previous is None else named(previous),
    )


def _evidence(attester: Attester, keys: KeyDocument, nonce: str | None) -> Evidence:
    report_data = report_data_for(keyset_of(keys).digest, nonce=nonce)
    evidence = attester.attest(report_data)
    found = report_data_of(evidence)
    if found != report_data:
        raise Malformed(
            f"the evidence of {attester.name} does not carry the report_data that it was given",
            code="attester_ignored_report_data",
            expected=report_data.hex(),
            got=found.hex(),
        )
    return evidence


def _possession(claim: Claim, keyring: Keyring) -> Envelope:
    payload = identity_payload(claim)
    signed = pae(payload)
    signatures = tuple(
        Signature(f"{key.role}/{key.algorithm}", keyring.prove_possession(key, signed))
        for key in claim.keys.signing
    )
    return Envelope(payload, signatures)
