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
from types import MappingProxyType
from typing import Any, Self

from teeproof.core.clock import format_time, to_epoch, wall_clock
from teeproof.core.digests import named
from teeproof.core.errors import NotAllowed, Usage
from teeproof.evidence.collect import Attester
from teeproof.evidence.naming import name_evidence
from teeproof.proof.blobs import attachments_of, blobs_of
from teeproof.proof.booting import (
    Role,
    attester_of,
    check_nonce,
    document_of,
    evidence_of,
    possession_of,
    ring_of,
    store_of,
)
from teeproof.proof.envelope import Envelope, Signature, pae
from teeproof.proof.identity import (
    Claim,
    EvidenceName,
    IdentityRecord,
    Rotation,
)
from teeproof.proof.keyring import Keyring
from teeproof.proof.keys import DEFAULT_LIFETIME
from teeproof.proof.links import Subject
from teeproof.proof.log.storage.log import Log
from teeproof.proof.sealing import Content, Given, Origin, Sealed, Store, sources_of, step_of
from teeproof.proof.statement import Statement

__all__ = ["Identity"]


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
        attester: Attester | str | None = None,
    ) -> None:
        self.record = record
        self.blobs = dict(blobs)
        self.keyring = keyring
        self.store = store
        self._now = now
        self._attester = attester

    @classmethod
    def boot(
        cls,
        attester: Attester | str | None = None,
        *,
        roles: Iterable[Role] = (),
        secrets: Mapping[str, bytes] = MappingProxyType({}),
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
            secrets: keys that outlive this boot, by role, 32 bytes each: what the machine derives
                for this very code, and for no other. Their roles need not be named again.
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
        check_nonce(nonce)
        device, kept = attester_of(attester, now=now), store_of(store)
        keyring = ring_of(roles, secrets=secrets, random=random)
        keys = document_of(keyring, to_epoch(now()), lifetime, domain=domain, previous=previous)
        evidence = evidence_of(device, keys, nonce)
        claim = Claim(keys=keys, evidence=(EvidenceName(*name_evidence(evidence)),), nonce=nonce)
        parts = blobs_of(evidence)
        attachments = attachments_of(parts)
        record = IdentityRecord(envelope=possession_of(claim, keyring), attachments=attachments)
        blobs = {attachments[name]: data for name, data in parts.items()}
        kept.add_identity(record.encode(), blobs)
        return cls(record, blobs=blobs, keyring=keyring, store=kept, now=now, attester=attester)

    def __repr__(self) -> str:
        """Name the identity, its keys' roles and their end, and no secret."""
        keys = self.record.keys
        roles = ", ".join(dict.fromkeys(key.role for key in keys.keys))
        return f"Identity({self.name[:23]}…, {roles}, until {format_time(keys.not_after)})"

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
        inputs: Mapping[str, Given] | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> Sealed:
        """Say that outputs were made of inputs, sign that, and keep it.

        Args:
            step: what was done, a word or a few.
            outputs: by name, bytes or the path of a file.
            inputs: by role, bytes, the path of a file, what a ``seal`` of this or another identity
                returned, or a proof file of one statement, which must stay open until ``save``.
                Nothing is verified here.
            parameters: whatever else determines the result, as text.

        Raises:
            Usage: no step, no output, an input that names none of several outputs, or an argument
                of another kind.
            NotAllowed: the keys have expired; ``rotate`` before they do.
            Unavailable: a file cannot be read, or the log did not take it.
        """
        inputs = {} if inputs is None else inputs
        parameters = {} if parameters is None else parameters
        statement = step_of(self.name, step, outputs=outputs, inputs=inputs, parameters=parameters)
        return self.keep(statement, sources=sources_of(inputs.values()))

    def keep(self, statement: Statement, *, sources: Iterable[Origin] = ()) -> Sealed:
        """Sign any statement of this identity and keep it; raises as ``seal``.

        Args:
            statement: names this identity as its author.
            sources: where its inputs are found, if not in this identity's own store.
        """
        envelope = self.sign(statement)
        self.store.add_statement(envelope.encode())
        return Sealed(statement, envelope, self.store, sources)

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

        Keys are new, but for those that ``boot`` was given. The new key document names the old
        identity, and the old key signs the new identity's digest: neither can claim the other
        alone. Options and errors as in ``boot``; without an
        attester, the one that ``boot`` was given or found.

        Raises:
            NotAllowed: the keys have expired, so nothing can follow them: ``boot`` a new identity.
        """
        self._require_living_keys()
        roles = tuple((key.role, key.algorithm) for key in self.record.keys.keys)
        tls = self.record.keys.key("tls")
        defaults: dict[str, Any] = {
            "roles": roles, "secrets": self.keyring.lasting, "store": self.store,
            "now": self._now, "domain": tls.domain if tls else None,
        }  # fmt: skip
        device = self._attester if attester is None else attester
        following = type(self).boot(device, previous=self.digest, **(defaults | options))
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
