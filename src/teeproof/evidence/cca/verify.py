"""Verify a CCA token: from a platform key that the relying party names to the realm's claims.

The checks, in reading order:

    cca-format                                     what the bytes say they are
    cca-platform-key, cca-platform-signature       whom we believe
    cca-binding                                    the platform vouches for the realm's key
    cca-realm-signature                            the claims are what that key signed

A token carries no dates and no certificates, so no T enters, and revocation of a platform key is
the endorser's affair: a key that is no longer named is no longer believed.

Trusts: the platform keys that the relying party names.  Does not trust: host, network, operator.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from teeproof.core.errors import NotAuthentic
from teeproof.evidence import cose
from teeproof.evidence.cca.facts import CcaFacts, evidence_identity
from teeproof.evidence.cca.keys import PlatformKey, load_point
from teeproof.evidence.cca.token import CcaToken
from teeproof.evidence.steps import Steps
from teeproof.evidence.verdict import Check, Level, failed, passed

__all__ = ["Verification", "verify"]

_HASHES = {"sha-256": hashlib.sha256, "sha-384": hashlib.sha384, "sha-512": hashlib.sha512}


@dataclass(frozen=True, slots=True)
class Verification:
    """What verification found.

    Attributes:
        checks: in reading order.
        facts: None if a check failed.
        evidence_id: the evidence's identity.
        root: fingerprint of the platform's key; None if none that is named fits.
    """

    checks: tuple[Check, ...]
    facts: CcaFacts | None
    evidence_id: str
    root: str | None


def verify(
    token: CcaToken,
    *,
    platform_keys: Sequence[PlatformKey],
    simulated_keys: Sequence[PlatformKey] = (),
    offered: PlatformKey | None = None,
) -> Verification:
    """Return the checks and, if all held, the facts.

    Args:
        token: a parsed token.
        platform_keys: keys of real platforms, from their endorsers.
        simulated_keys: keys of models and test data: what they sign is marked as simulated.
        offered: a key that came along and that the relying party does not name, for messages.
    """
    steps = Steps([passed("cca-format", f"a CCA token, profile {token.platform.profile}")])
    # A key that is named as both is simulated: the weaker word counts.
    named: list[tuple[PlatformKey, Level]] = [(key, "simulated") for key in simulated_keys]
    named += [(key, "hardware") for key in platform_keys if key.point not in _points(named)]
    fitting = [(k, level) for k, level in named if _fits(k, token)]
    steps.checks.append(_platform_key(len(named), len(fitting), offered))
    signer: tuple[PlatformKey, Level] | None = None
    if fitting:
        signer = steps.attempt("cca-platform-signature", lambda: _platform(token, fitting))
    else:
        steps.skip("cca-platform-signature", "there is no platform key to check it with")
    bound = steps.attempt("cca-binding", lambda: _binding(token))
    if bound:
        steps.attempt("cca-realm-signature", lambda: _realm(token))
    else:
        steps.skip("cca-realm-signature", "the platform vouches for another key")
    evidence_id = evidence_identity(token)
    root = signer[0].fingerprint if signer else None
    facts = None
    if signer and root and steps.held:
        facts = CcaFacts(evidence_id=evidence_id, level=signer[1], root=root, token=token)
    return Verification(tuple(steps.checks), facts, evidence_id, root)


def _points(named: Sequence[tuple[PlatformKey, Level]]) -> set[bytes]:
    return {key.point for key, _ in named}


def _fits(key: PlatformKey, token: CcaToken) -> bool:
    return key.instance_id is None or key.instance_id == token.platform.instance_id


def _platform_key(named: int, fitting: int, offered: PlatformKey | None) -> Check:
    if fitting:
        return passed("cca-platform-key", "the relying party names a key for this platform")
    if offered is not None:
        return failed(
            "cca-platform-key",
            "platform_key_unknown",
            "the platform's key that came along is none that the relying party names: anybody can "
            "make one",
            expected="a key that the policy's roots name",
            got=offered.fingerprint,
        )
    if named:
        return failed(
            "cca-platform-key",
            "platform_key_unknown",
            "the relying party names keys, and none of them for this platform",
        )
    return failed(
        "cca-platform-key",
        "platform_key_missing",
        "a CCA token leads to no vendor's root: name the platform's key, from its endorser",
        "availability",
    )


def _platform(
    token: CcaToken, fitting: Sequence[tuple[PlatformKey, Level]]
) -> tuple[str, tuple[PlatformKey, Level]]:
    for key, level in fitting:
        try:
            cose.require_signature(
                token.platform_message, load_point(key.point), what="", code="platform_signature"
            )
        except NotAuthentic:
            continue
        return f"signed by the platform's key {key.fingerprint[:23]}…, {level}", (key, level)
    raise NotAuthentic(
        "no key that the relying party names signed the platform's token",
        code="platform_signature",
        expected=" or ".join(key.fingerprint for key, _ in fitting),
    )


def _binding(token: CcaToken) -> tuple[str, bool]:
    realm = token.realm
    digest = _HASHES[realm.key_hash_algorithm](realm.public_key).digest()
    if digest != token.platform.challenge:
        raise NotAuthentic(
            "the platform vouches for another key than the realm's token names: the two tokens "
            "do not belong together",
            code="realm_key_binding",
            expected=token.platform.challenge.hex(),
            got=digest.hex(),
        )
    return f"the platform's challenge is the {realm.key_hash_algorithm} of the realm's key", True


def _realm(token: CcaToken) -> tuple[str, bool]:
    cose.require_signature(
        token.realm_message,
        load_point(token.realm.point),
        what="the key that the platform vouches for did not sign the realm's token",
        code="realm_signature",
    )
    return "the key that the platform vouches for signed the realm's claims", True
