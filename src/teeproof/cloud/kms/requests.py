"""What is asked of the KMS, as it travels: canonical JSON, bounded, every field known.

Trusts: nothing.  Does not trust: whoever wrote the bytes.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from teeproof.cloud.job import Job
from teeproof.cloud.kms.policy import ReleasePolicy, Withdrawal
from teeproof.core.digests import sha256
from teeproof.core.errors import Malformed
from teeproof.core.sealed import Header, parse_header
from teeproof.proof import canonical
from teeproof.proof.identity import IdentityRecord

__all__ = [
    "MAX_FILES_ASKED",
    "MAX_REQUEST_BYTES",
    "Asked",
    "RecipientRequest",
    "ReleaseRequest",
    "WithdrawRequest",
    "read_request",
    "write_request",
]

T = TypeVar("T")

MAX_REQUEST_BYTES = 2 << 20
MAX_FILES_ASKED = 256
_CHALLENGE = 64


class RecipientRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An owner asks for a recipient to seal a file for.

    Attributes:
        policy: under which it will be sealed.
        signature: the owner's under the policy, 128 hex digits.
    """

    policy: ReleasePolicy
    signature: str


class WithdrawRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An owner takes a file back.

    Attributes:
        order: what is withdrawn.
        signature: the owner's under the order, 128 hex digits.
    """

    order: Withdrawal
    signature: str


class ReleaseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A workload asks for the keys of files.

    Attributes:
        challenge: the KMS's, 64 hex digits.
        job: what they are wanted for.
        identity: the record of the identity whose evidence answers the challenge.
        blobs: the evidence's bytes, by ``sha256:…``.
        policies: those of the files.
        headers: of the files, as bytes.
    """

    challenge: str
    job: Job
    identity: msgspec.Raw
    blobs: dict[str, bytes]
    policies: tuple[ReleasePolicy, ...]
    headers: tuple[bytes, ...]


class Asked(msgspec.Struct, frozen=True):
    """A release request, read.

    Attributes:
        digest: SHA-256 of the request's bytes.
        challenge: 32 bytes.
        job: what the keys are wanted for.
        record: the identity.
        blobs: the evidence's bytes.
        policies: by their digest.
        headers: of the files.
    """

    digest: bytes
    challenge: bytes
    job: Job
    record: IdentityRecord
    blobs: dict[str, bytes]
    policies: dict[bytes, ReleasePolicy]
    headers: tuple[Header, ...]

    @classmethod
    def parse(cls, data: bytes) -> Asked:
        """Return the request in these bytes.

        Raises:
            Malformed, TooLarge: it is none, or asks for no file, for one twice, or for too many.
        """
        request = read_request(data, ReleaseRequest)
        if len(request.challenge) != _CHALLENGE or request.challenge.strip("0123456789abcdef"):
            raise _malformed("a challenge of 64 hex digits", request.challenge[:80])
        if not 1 <= len(request.headers) <= MAX_FILES_ASKED:
            raise _malformed(f"1 to {MAX_FILES_ASKED} files", f"{len(request.headers)}")
        request.job.check()
        for policy in request.policies:
            policy.check()
        headers = tuple(map(parse_header, request.headers))
        if len({header.file_id for header in headers}) != len(headers):
            raise _malformed("each file once", "one twice")
        return cls(
            digest=sha256(data),
            challenge=bytes.fromhex(request.challenge),
            job=request.job,
            record=IdentityRecord.parse(bytes(request.identity)),
            blobs=request.blobs,
            policies={policy.digest: policy for policy in request.policies},
            headers=headers,
        )


def read_request(data: bytes, kind: type[T]) -> T:
    """Return the request of a kind in these bytes; Malformed or TooLarge if it is none."""
    return canonical.decode(data, limit=MAX_REQUEST_BYTES, what="request", kind=kind)


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        "this is not a request to the KMS", code="request_malformed", expected=expected,
        got=ascii(got)[:200],
    )  # fmt: skip


def write_request(request: Any) -> bytes:
    """Return a request's bytes: canonical, as far as what it embeds as it stands is."""
    return msgspec.json.encode(request, order="sorted")
