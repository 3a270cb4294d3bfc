"""The second hop: one file's data key, handed on for one job (owner to KMS, KMS to workload).

The header's digest is bound into the payload, so a recipient cannot be added to a file that exists.
Whoever holds the data key instead wraps it again, in an object of its own:

    offset  bytes
         0      8  "TPSGRANT"
         8      1  version, 1
         9      1  1 if the file is sealed under a policy, otherwise 0
        10     16  file id
        26     32  SHA-256 of the policy; zeros without one
        58     32  digest of the job that the key is granted for
        90      1  suite
        91     32  digest of the recipient's public key
       123         encapsulation ‖ data key encrypted (32) ‖ tag (16)

HPKE's ``info`` is the framed SHA-256 over

    "teeproof.seal-grant.v1", suite, recipient, policy digest or nothing, file id, job digest

A grant is not signed. It shows that somebody who holds the data key made it for this job; who that
was, a statement must say.
"""

from __future__ import annotations

from dataclasses import dataclass

from teeproof.core.digests import framed_sha256
from teeproof.core.errors import Malformed, NotAllowed, NotAuthentic
from teeproof.core.sealed.header import FILE_ID, Header, policy_field
from teeproof.core.sealed.keys import DataKey, require_digest
from teeproof.core.sealed.recipients import PrivateRecipient, Recipient, Suite, suite_of

__all__ = ["Grant", "unwrap_grant", "wrap_key"]

_MAGIC = b"TPSGRANT\x01"
_FIXED = 123
_LABEL = "teeproof.seal-grant.v1"


@dataclass(frozen=True, slots=True)
class Grant:
    """A file's data key, wrapped for one recipient and one job.

    Attributes:
        file_id: of the file, 16 bytes.
        policy_digest: of the file's policy, or None.
        job_digest: what the key is granted for, 32 bytes.
        suite: how it is wrapped.
        recipient: the digest of the recipient's public key.
        wrapped: encapsulation ‖ ciphertext ‖ tag.
    """

    file_id: bytes
    policy_digest: bytes | None
    job_digest: bytes
    suite: Suite
    recipient: bytes
    wrapped: bytes

    def encode(self) -> bytes:
        """Return the bytes that ``parse`` reads: 203 or 1,291."""
        policy = policy_field(self.policy_digest)
        bound = policy[:1] + self.file_id + policy[1:] + self.job_digest
        whom = bytes([self.suite.number]) + self.recipient
        return _MAGIC + bound + whom + self.wrapped

    @classmethod
    def parse(cls, data: bytes) -> Grant:
        """Return the grant that is exactly these bytes.

        Raises:
            Malformed: codes ``grant_malformed``, ``suite_unknown``.
        """
        if len(data) < _FIXED or data[:9] != _MAGIC:
            raise _malformed(f"{len(data)} bytes: {data[:9]!a}")
        suite, mark, policy = suite_of(data[90]), data[9], data[26:58]
        if len(data) != _FIXED + suite.wrapped:
            raise _malformed(f"{len(data)} bytes for {suite.name}")
        if mark > 1 or (mark == 0 and any(policy)):
            raise _malformed("a policy's field that is neither a digest nor empty")
        file_id = data[10 : 10 + FILE_ID]
        digest = policy if mark else None
        return cls(file_id, digest, data[58:90], suite, data[91:123], data[123:])

    @property
    def info(self) -> bytes:
        """What HPKE binds the key to."""
        suite, policy = self.suite.name.encode(), self.policy_digest or b""
        return framed_sha256(_LABEL, suite, self.recipient, policy, self.file_id, self.job_digest)


def wrap_key(
    data_key: DataKey, *, header: Header, recipient: Recipient, job_digest: bytes
) -> Grant:
    """Return the data key of a file for a recipient, good for one job only.

    Raises:
        NotAuthentic: code ``header_not_authentic``: the key is not this file's.
        Usage: code ``digest_size``.
        Malformed: code ``recipient_low_order``.
    """
    require_digest(job_digest, "job")
    data_key.require(header)
    whom = recipient.suite, recipient.digest
    blank = Grant(header.file_id, header.policy_digest, job_digest, *whom, b"")
    wrapped = recipient.encrypt(data_key.secret, info=blank.info)
    return Grant(header.file_id, header.policy_digest, job_digest, *whom, wrapped)


def unwrap_grant(
    grant: Grant, *, key: PrivateRecipient, header: Header, expected_job_digest: bytes
) -> DataKey:
    """Return the data key that was granted for this file and this job.

    Raises:
        NotAllowed: codes ``grant_other_recipient``, ``grant_other_file``, ``grant_other_policy``,
            ``grant_other_job``: it is good for something else.
        NotAuthentic: codes ``grant_not_authentic``, ``header_not_authentic``.
    """
    none = "none"
    _require("recipient", key.public.digest.hex(), grant.recipient.hex())
    _require("file", header.file_id.hex(), grant.file_id.hex())
    policies = header.policy_digest, grant.policy_digest
    _require("policy", *(p.hex() if p else none for p in policies))
    _require("job", expected_job_digest.hex(), grant.job_digest.hex())
    try:
        data_key = DataKey(key.decrypt(grant.wrapped, info=grant.info))
    except NotAuthentic:
        raise NotAuthentic(
            "this grant was changed after it was made: ask for another", code="grant_not_authentic"
        ) from None
    data_key.require(header)
    return data_key


def _require(what: str, expected: str, got: str) -> None:
    if expected != got:
        raise NotAllowed(
            f"this grant is good for another {what}: ask for one of your own",
            code=f"grant_other_{what}",
            expected=expected,
            got=got,
        )


def _malformed(got: str) -> Malformed:
    return Malformed(
        "this is no grant of a data key",
        code="grant_malformed",
        expected="TPSGRANT, version 1, 203 or 1,291 bytes",
        got=got,
    )
