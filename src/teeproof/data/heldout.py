"""The held-out file of a pool: sealed by the pool's owner, opened only by the code of its terms.

Value is measured by it, so who knows it can write to it: it is sealed like a contribution, for the
validators, and for the trainers that report how well a model does on it. Terms name its digest.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from teeproof.cloud.kms.client import KmsClient
from teeproof.cloud.kms.policy import Permission, ReleasePolicy
from teeproof.cloud.owner import OwnerKey
from teeproof.core.digests import named, sha256
from teeproof.core.errors import NotAuthentic
from teeproof.core.sealed import DataKey, Header, read_header, seal
from teeproof.data.records import Record, read_records
from teeproof.data.snapshot import open_file
from teeproof.data.terms import PoolTerms

__all__ = ["SealedHeldOut", "open_held_out", "seal_held_out"]

Open = Callable[[Header, ReleasePolicy], DataKey]


@dataclass(frozen=True)
class SealedHeldOut:
    """A held-out file as it lies on a disk.

    Attributes:
        blob: the sealed file.
        policy: under which its key is released.
    """

    blob: bytes
    policy: ReleasePolicy

    @property
    def digest(self) -> str:
        """``sha256:…`` of the sealed file: what terms name."""
        return named(sha256(self.blob))


def seal_held_out(
    plain: bytes,
    *,
    owner: OwnerKey,
    kms: KmsClient,
    validators: Iterable[str],
    trainers: Iterable[str],
    not_after: int,
    random: Callable[[int], bytes] = os.urandom,
) -> SealedHeldOut:
    """Seal a held-out file.

    Args:
        plain: JSON lines, as a contribution has them.
        owner: of the pool.
        kms: the KMS that shall keep the key.
        validators: compose hashes of the code that measures by it.
        trainers: and of the code that may evaluate a model on it.
        not_after: until when keys may be released, seconds since 1970.
        random: the random source.

    Raises:
        Malformed: code ``records_refused``.
        Unavailable, NotAuthentic, NotAllowed: as ``KmsClient.recipient``.
    """
    read_records(plain).require()
    policy = ReleasePolicy(
        owner=owner.public,
        grants=(
            Permission(purpose="validate", compose_hash=tuple(validators), standing=True),
            Permission(purpose="train", compose_hash=tuple(trainers)),
        ),
        not_after=not_after,
    )
    recipient, target = kms.recipient(policy, owner=owner).recipient, io.BytesIO()
    seal(
        io.BytesIO(plain), target, recipients=[recipient], policy_digest=policy.digest,
        random=random, threads=1,
    )  # fmt: skip
    return SealedHeldOut(target.getvalue(), policy)


def open_held_out(held: SealedHeldOut, *, terms: PoolTerms, key: Open) -> tuple[Record, ...]:
    """Return the records of a pool's held-out file.

    Args:
        held: as it lies on the disk.
        terms: the pool's, which name it.
        key: gets its data key.

    Raises:
        NotAuthentic: code ``held_out_other``: it is another file. Otherwise as ``open_file``.
    """
    if held.digest != terms.held_out:
        raise NotAuthentic(
            "this is not the held-out file that the pool's terms name: give it the right one",
            code="held_out_other",
            expected=terms.held_out,
            got=held.digest,
        )
    header = read_header(io.BytesIO(held.blob))
    return read_records(open_file(held.blob, key=key(header, held.policy))).require()
