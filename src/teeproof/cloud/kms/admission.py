"""Is this the machine, the code and the job that may have these files' keys? No I/O here.

    identity    the evidence holds under the KMS's own measured policy
    nonce       the machine committed to this job and to the KMS's challenge before it ran
    permission  the file's policy lets this code have the key for this purpose, today
    file        the job lists the file, unless the permission is a standing one

Trusts: the KMS's policy, each file's policy for that file.
Does not trust: whoever asks.
"""

from __future__ import annotations

from datetime import datetime

from teeproof.cloud.job import Job
from teeproof.cloud.kms.policy import Permission, ReleasePolicy
from teeproof.core.clock import format_time, to_epoch
from teeproof.core.errors import NotAllowed, NotAuthentic
from teeproof.core.sealed import HYBRID, X25519, Header, Recipient
from teeproof.evidence.binding import job_nonce
from teeproof.proof.identity import IdentityRecord

__all__ = ["permission_for", "require_answer", "seal_recipient"]

_SUITES = {"x25519": X25519, "mlkem768-x25519": HYBRID}


def require_answer(record: IdentityRecord, *, job: Job, challenge: bytes) -> None:
    """Raise unless an identity's evidence answers this challenge, for this job.

    Raises:
        NotAuthentic: code ``job_nonce_mismatch``: it was made for another job, or for somebody
            else's challenge, or for none.
    """
    expected = job_nonce(job.digest, nonce=challenge)
    if record.claim.nonce != expected:
        raise NotAuthentic(
            "the machine's evidence does not commit to this job and this challenge: boot with"
            " nonce=job_nonce(job.digest, nonce=challenge)",
            code="job_nonce_mismatch",
            expected=expected,
            got=(record.claim.nonce or "no nonce")[:100],
        )


def permission_for(
    header: Header, policy: ReleasePolicy, *, job: Job, compose_hash: str, now: datetime
) -> Permission:
    """Return what a file's policy grants this code for this job.

    Raises:
        NotAllowed: codes ``policy_other``, ``policy_expired``, ``purpose_not_granted``,
            ``code_not_granted``, ``file_not_in_job``.
    """
    file = header.file_id.hex()
    if header.policy_digest != policy.digest:
        raise _refused(
            file, "policy_other", "is sealed under another policy than the one that was given",
            expected=header.policy_digest.hex() if header.policy_digest else "none",
            got=policy.digest.hex(),
        )  # fmt: skip
    if to_epoch(now) > policy.not_after:
        raise _refused(
            file, "policy_expired", "may not be opened any more: its policy has expired",
            expected=f"no later than {format_time(policy.not_after)}", got=format_time(now),
        )  # fmt: skip
    permission = policy.permission(job.purpose)
    if permission is None:
        raise _refused(
            file, "purpose_not_granted", "may not be opened for this purpose",
            expected=", ".join(one.purpose for one in policy.grants), got=job.purpose,
        )  # fmt: skip
    if not compose_hash or compose_hash not in permission.compose_hash:
        raise _refused(
            file, "code_not_granted", f"may not be opened by this code to {job.purpose}",
            expected=", ".join(permission.compose_hash), got=compose_hash or "no application",
        )  # fmt: skip
    if not permission.standing and file not in job.files:
        raise _refused(
            file, "file_not_in_job", "is not listed in the job that the machine committed to",
            expected=", ".join(job.files)[:500] or "no files", got=file,
        )  # fmt: skip
    return permission


def seal_recipient(record: IdentityRecord) -> Recipient:
    """Return the key for which grants to an identity are wrapped.

    Raises:
        NotAllowed: code ``seal_key_missing``.
    """
    key = record.key("seal")
    if key is None:
        raise NotAllowed(
            "the workload has no key to wrap grants for: boot with the role seal",
            code="seal_key_missing",
        )
    return Recipient(_SUITES[key.algorithm], key.raw)


def _refused(file: str, code: str, what: str, *, expected: str, got: str) -> NotAllowed:
    return NotAllowed(f"the file {file} {what}", code=code, expected=expected, got=got)
