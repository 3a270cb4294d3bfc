"""What an identity is made of at boot: an attester, a key document, evidence, proof of possession.

Trusts: the attester, the environment's variables.
Does not trust: that the attester's evidence carries what it was asked to.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from teeproof.core.clock import wall_clock
from teeproof.core.digests import named
from teeproof.core.errors import Malformed, Usage
from teeproof.core.home import data_directory
from teeproof.evidence.binding import report_data_for
from teeproof.evidence.collect import ATTESTER_VARIABLE, Attester, choose_attester
from teeproof.evidence.collect.kinds import KINDS
from teeproof.evidence.naming import report_data_of
from teeproof.evidence.record import Evidence
from teeproof.proof.envelope import Envelope, Signature, pae
from teeproof.proof.identity import MAX_NONCE, Claim, identity_payload
from teeproof.proof.keyring import Keyring
from teeproof.proof.keys import LONGEST_LIFETIME, Algorithm, KeyDocument
from teeproof.proof.keyset import keyset_of
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.storage.log import Log
from teeproof.proof.memory import MemorySource
from teeproof.proof.sealing import Store

__all__ = [
    "Role",
    "attester_of",
    "check_nonce",
    "document_of",
    "evidence_of",
    "possession_of",
    "ring_of",
    "store_of",
]

Role = str | tuple[str, Algorithm]


def attester_of(
    given: Attester | str | None, *, now: Callable[[], datetime] = wall_clock
) -> Attester:
    """Return the attester that a caller named; without one, the environment's choice.

    Raises:
        Usage: it is none, or no name of one (``attester_unknown``).
        Unavailable: there is none here.
    """
    if given is not None and not isinstance(given, str):
        if not isinstance(given, Attester):
            raise _no_attester(type(given).__name__)
        return given
    if given == "":
        raise _no_attester("an empty text")
    variables = {} if given is None else {ATTESTER_VARIABLE: given}
    home = data_directory(os.environ)
    try:
        return choose_attester(os.environ | variables, data_directory=home, now=now)
    except Usage as error:
        if given is None or error.code != "attester_unknown":
            raise
        raise _no_attester(given) from None


def _no_attester(got: str) -> Usage:
    return Usage(
        "the attester that was passed in is none, and no name of one",
        code="attester_unknown",
        expected=f"{', '.join(KINDS)}, the path of a socket, a URL, an Attester, or nothing",
        got=got[:100],
    )


def ring_of(
    roles: Iterable[Role], *, secrets: Mapping[str, bytes], random: Callable[[int], bytes]
) -> Keyring:
    """Return keys of ``statement`` and these roles, fresh but for those given.

    Raises:
        Usage: there is no such role, or a given key is none; as ``Keyring.new``.
    """
    if isinstance(roles, str | bytes) or not isinstance(roles, Iterable):
        raise Usage(
            "roles are several: put one into a list",
            code="roles_malformed",
            expected='a list such as ["receipt"]',
            got=repr(roles)[:100],
        )
    asked = dict.fromkeys(("statement", *roles))
    named_roles = {role if isinstance(role, str) else role[0] for role in asked}
    asked |= dict.fromkeys(role for role in secrets if role not in named_roles)
    return Keyring.new(asked, given=secrets, random=random)


def store_of(given: Store | Log | None) -> Store:
    """Return where statements are kept; memory without one."""
    if given is None:
        return MemorySource()
    if isinstance(given, Log):
        return Contents(given)
    if not hasattr(given, "add_statement"):
        raise Usage(
            "a store is what takes in statements",
            code="store_malformed",
            expected="a Log, such as Log.open returns, or a proof.memory.MemorySource",
            got=type(given).__name__,
        )
    return given


def check_nonce(nonce: str | None) -> None:
    """Raise Usage unless a nonce is text of at most ``MAX_NONCE`` characters."""
    if nonce is not None and not isinstance(nonce, str):
        raise Usage("a nonce is text", code="nonce_malformed", got=type(nonce).__name__)
    if nonce is not None and len(nonce) > MAX_NONCE:
        raise Usage(
            "the nonce is too long: bind its digest",
            code="nonce_malformed",
            expected=f"at most {MAX_NONCE} characters",
            got=f"{len(nonce)} characters",
        )


def document_of(
    keyring: Keyring, begins: int, lifetime: int, *, domain: str | None, previous: bytes | None
) -> KeyDocument:
    """Return the key document; Usage if the keys would live for more than 30 days."""
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


def evidence_of(attester: Attester, keys: KeyDocument, nonce: str | None) -> Evidence:
    """Return evidence that commits to a key document; Malformed if the attester's does not."""
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


def possession_of(claim: Claim, keyring: Keyring) -> Envelope:
    """Return the identity statement with a signature of each key that can sign."""
    payload = identity_payload(claim)
    signed = pae(payload)
    signatures = tuple(
        Signature(f"{key.role}/{key.algorithm}", keyring.prove_possession(key, signed))
        for key in claim.keys.signing
    )
    return Envelope(payload, signatures)
