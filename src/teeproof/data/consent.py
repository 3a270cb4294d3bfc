"""A consent: the owner of a sealed file lets one pool use it, under one policy, for one account.

The owner signs it with the key that the release policy names, so the same person says who may open
the file, what it may be used for, and where its money goes.

    contribution id = framed SHA-256 of owner, ciphertext digest, salt

The id is the owner's own: whoever registers a stranger's ciphertext gets another id, and nothing,
because the policy that the ciphertext is bound to names its owner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from teeproof.cloud.kms.policy import ReleasePolicy
from teeproof.cloud.owner import check_owner, verify_text
from teeproof.core.digests import framed_sha256, named, parse_named
from teeproof.core.errors import Malformed, NotAllowed
from teeproof.data.terms import PoolTerms
from teeproof.proof.links import Integer

if TYPE_CHECKING:
    from teeproof.core.sealed import Header

__all__ = ["CONSENT_TYPE", "PURPOSES", "Consent", "check_consent", "check_policy"]

CONSENT_TYPE: Final = "urn:teeproof:consent:v1"
PURPOSES: Final = ("train", "validate")
_LABEL = "teeproof.contribution.v1"
_DIGITS = "0123456789abcdef"


class Consent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an owner signs; see the module.

    Attributes:
        owner: the owner's public key, hex.
        pool: ``sha256:…`` of the pool's terms.
        ciphertext: ``sha256:…`` of the sealed file.
        file: its id, hex.
        policy: ``sha256:…`` of its release policy.
        recipient: digest of the KMS recipient that it is sealed for, hex: what a withdrawal names.
        purposes: what it may be used for, as the policy's grants say.
        payout: the account that earns, an EVM address in lower case.
        salt: 32 random bytes, hex.
        time: when, seconds since 1970, by the owner's clock.
        type: always ``urn:teeproof:consent:v1``.
    """

    owner: str
    pool: str
    ciphertext: str
    file: str
    policy: str
    recipient: str
    purposes: tuple[str, ...]
    payout: str
    salt: str
    time: Integer
    type: Literal["urn:teeproof:consent:v1"] = CONSENT_TYPE

    @property
    def contribution(self) -> str:
        """The contribution's id, hex."""
        parts = bytes.fromhex(self.owner), parse_named(self.ciphertext), bytes.fromhex(self.salt)
        return framed_sha256(_LABEL, *parts).hex()

    def check(self) -> None:
        """Raise Malformed unless every field has its form."""
        check_owner(self.owner)
        for digest in (self.pool, self.ciphertext, self.policy):
            parse_named(digest)
        if self.purposes != PURPOSES:
            raise _malformed(f"the purposes {', '.join(PURPOSES)}", ", ".join(self.purposes))
        if not self.payout.startswith("0x") or not _is_hex(self.payout[2:], 40):
            raise _malformed("a payout address: 0x and 40 lower-case hex digits", self.payout)
        for what, digits, size in (
            ("file id", self.file, 32), ("salt", self.salt, 64), ("recipient", self.recipient, 64)
        ):  # fmt: skip
            if not _is_hex(digits, size):
                raise _malformed(f"a {what} of {size} lower-case hex digits", digits)


def check_consent(
    consent: Consent, signature: str, *, terms: PoolTerms, header: Header, ciphertext: bytes
) -> None:
    """Raise unless an owner lets this pool use this very file.

    Args:
        consent: what was signed.
        signature: the owner's, 128 hex digits.
        terms: the pool's.
        header: of the sealed file.
        ciphertext: SHA-256 of the sealed file.

    Raises:
        Malformed: a field of another form.
        NotAuthentic: code ``owner_signature``.
        NotAllowed: codes ``consent_other_pool``, ``consent_other_file``, ``consent_other_policy``,
            ``consent_other_recipient``.
    """
    consent.check()
    verify_text(consent, signature, consent.owner, what="consent")
    _require("pool", terms.digest_text, consent.pool)
    _require("file", named(ciphertext), consent.ciphertext)
    _require("file", header.file_id.hex(), consent.file)
    policy = header.policy_digest
    _require("policy", named(policy) if policy else "none", consent.policy)
    recipients = ", ".join(entry.recipient.hex() for entry in header.recipients)
    _require("recipient", recipients, consent.recipient)


def check_policy(policy: ReleasePolicy, *, consent: Consent, terms: PoolTerms) -> None:
    """Raise unless a release policy is the consenting owner's, and grants what the pool needs.

    Raises:
        Malformed: it is no policy.
        NotAllowed: codes ``consent_other_policy``, ``owner_other``, ``policy_other_code``.
    """
    policy.check()
    _require("policy", consent.policy, policy.name)
    if policy.owner != consent.owner:
        raise NotAllowed(
            "the file belongs to another owner than the one who consents: only who sealed it can"
            " contribute it",
            code="owner_other",
            expected=policy.owner,
            got=consent.owner,
        )
    for purpose, wanted, standing in (
        ("validate", terms.validators, True), ("train", terms.trainers, False),
    ):  # fmt: skip
        grant = policy.permission(purpose)
        if grant is None or set(grant.compose_hash) != set(wanted) or grant.standing != standing:
            raise NotAllowed(
                f"the release policy does not let exactly the pool's code {purpose}: make it from"
                " the pool's terms",
                code="policy_other_code",
                expected=", ".join(wanted),
                got=", ".join(grant.compose_hash) if grant else "no grant",
            )
    if len(policy.grants) != len(PURPOSES):
        raise NotAllowed(
            "the release policy grants more than the consent: make it from the pool's terms",
            code="policy_other_code",
            expected=", ".join(PURPOSES),
            got=", ".join(grant.purpose for grant in policy.grants)[:200],
        )


def _require(what: str, expected: str, got: str) -> None:
    if expected != got:
        raise NotAllowed(
            f"this consent is for another {what}: have its owner sign one for this {what}",
            code=f"consent_other_{what}",
            expected=expected,
            got=got,
        )


def _is_hex(text: str, size: int) -> bool:
    return len(text) == size and not text.strip(_DIGITS)


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        "this is not a consent",
        code="consent_malformed",
        expected=expected,
        got=ascii(got)[:100],
    )
