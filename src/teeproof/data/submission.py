"""What a contributor sends: a sealed file, its release policy, and the owner's signed consent.

    {"consent":{…},"policy":{…},"sealed":"<base64>","signature":"<hex>"}

The plaintext is checked, sealed and committed to on the contributor's own machine; nothing here
leaves it but ciphertext.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable

import msgspec

from teeproof.cloud.kms.policy import Permission, ReleasePolicy
from teeproof.cloud.owner import OwnerKey
from teeproof.core import strictjson
from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed
from teeproof.core.sealed import Recipient, seal
from teeproof.data.consent import PURPOSES, Consent
from teeproof.data.terms import PoolTerms
from teeproof.data.vault import MAX_SEALED_BYTES

__all__ = ["MAX_SUBMISSION_BYTES", "Submission", "policy_for", "submit"]

MAX_SUBMISSION_BYTES = MAX_SEALED_BYTES * 4 // 3 + (64 << 10)


class Submission(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """See the module.

    Attributes:
        consent: what the owner signed.
        signature: the owner's under it, 128 hex digits.
        policy: under which the file is sealed.
        sealed: the file.
    """

    consent: Consent
    signature: str
    policy: ReleasePolicy
    sealed: bytes

    @classmethod
    def parse(cls, data: bytes) -> Submission:
        """Return the submission in a request's body.

        Raises:
            TooLarge, Malformed: too large, no JSON, or other fields than these.
        """
        value = strictjson.loads(data, limit=MAX_SUBMISSION_BYTES, what="contribution")
        try:
            return msgspec.convert(value, cls, strict=True)
        except (msgspec.ValidationError, ValueError) as error:
            raise Malformed(
                "this is not a contribution",
                code="contribution_malformed",
                expected="consent, signature, policy, sealed",
                got=ascii(str(error))[:200],
            ) from None

    def encode(self) -> bytes:
        """Return the body of a request."""
        return msgspec.json.encode(self)


def policy_for(terms: PoolTerms, *, owner: str, not_after: int) -> ReleasePolicy:
    """Return the release policy that a pool asks for: its code, its two purposes, and no more.

    Args:
        terms: the pool's.
        owner: the owner's public key, hex.
        not_after: until when keys may be released, seconds since 1970.
    """
    validate = Permission(purpose="validate", compose_hash=terms.validators, standing=True)
    train = Permission(purpose="train", compose_hash=terms.trainers)
    return ReleasePolicy(owner=owner, grants=(validate, train), not_after=not_after)


def submit(
    plain: bytes,
    *,
    owner: OwnerKey,
    terms: PoolTerms,
    policy: ReleasePolicy,
    recipient: Recipient,
    payout: str,
    time: int,
    random: Callable[[int], bytes] = os.urandom,
) -> Submission:
    """Seal a file for a pool, and sign the consent; the file itself is not looked at.

    Args:
        plain: the file.
        owner: whose it is.
        terms: the pool's.
        policy: whose digest the KMS made the recipient for; ``policy_for``.
        recipient: the KMS's, for this policy.
        payout: the account that earns.
        time: now, seconds since 1970.
        random: the random source.

    Raises:
        Malformed: a payout that is no address.
    """
    target = io.BytesIO()
    header = seal(
        io.BytesIO(plain), target, recipients=[recipient], policy_digest=policy.digest,
        random=random, threads=1,
    )  # fmt: skip
    blob = target.getvalue()
    consent = Consent(
        owner=owner.public,
        pool=terms.digest_text,
        ciphertext=named(sha256(blob)),
        file=header.file_id.hex(),
        policy=policy.name,
        recipient=recipient.digest.hex(),
        purposes=PURPOSES,
        payout=payout,
        salt=random(32).hex(),
        time=time,
    )
    consent.check()
    return Submission(
        consent=consent, signature=owner.sign_text(consent), policy=policy, sealed=blob
    )
