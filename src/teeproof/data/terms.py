"""The terms of a pool: what it takes, who may open it, and how what it earns is shared.

A contributor consents to the digest of the terms, and every statement of the pool carries them. No
one can change them afterwards: other terms are another pool.

    {"held_out":"sha256:…","max_bytes":4194304,"max_records":20000,"min_records":20,
     "name":"orders","record":"order","shares":{"data":3000,"model":3000,"node":4000},
     "trainers":["<compose hash>"],"type":"urn:teeproof:pool:v1","validators":["<compose hash>"]}
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from teeproof.cloud.document import Document
from teeproof.core.digests import named, parse_named
from teeproof.core.errors import Malformed
from teeproof.proof.links import Integer

__all__ = ["MAX_FILE_BYTES", "MAX_RECORDS", "MAX_TERMS_BYTES", "TERMS_TYPE", "PoolTerms"]

TERMS_TYPE: Final = "urn:teeproof:pool:v1"
MAX_TERMS_BYTES = 16 << 10
MAX_FILE_BYTES = 4 << 20
MAX_RECORDS = 20_000
MAX_NAME = 60
MAX_HASHES = 16
WHOLE = 10_000  # basis points


class PoolTerms(Document, frozen=True, kw_only=True):
    """What a pool is; see the module.

    Attributes:
        name: what people call it.
        validators: compose hashes of the code that may open contributions to judge them, hex.
        trainers: compose hashes of the code that may train on them, hex.
        held_out: ``sha256:…`` of the sealed held-out file by which value is measured.
        shares: of what an answer earns, the basis points for each part: ``node``, ``model``,
            ``data``; together 10,000.
        record: the type of its records; ``order`` is the one that there is.
        max_bytes: the largest file, before it is sealed.
        max_records: how many records a file has at most.
        min_records: and at least: the fewer a file has, the more each of its counts would tell.
        type: always ``urn:teeproof:pool:v1``.
    """

    WHAT: ClassVar[str] = "pool terms"
    MOST: ClassVar[int] = MAX_TERMS_BYTES

    name: str
    validators: tuple[str, ...]
    trainers: tuple[str, ...]
    held_out: str
    shares: dict[str, Integer]
    record: Literal["order"] = "order"
    max_bytes: Integer = MAX_FILE_BYTES
    max_records: Integer = MAX_RECORDS
    min_records: Integer = 20
    type: Literal["urn:teeproof:pool:v1"] = TERMS_TYPE

    @property
    def digest_text(self) -> str:
        """The digest as text, ``sha256:…``: what a consent names."""
        return named(self.digest)

    def check(self) -> None:
        """Raise Malformed unless every field has its form."""
        if not 1 <= len(self.name) <= MAX_NAME or not self.name.isprintable():
            raise _malformed(f"a name of 1 to {MAX_NAME} printable characters", self.name[:80])
        parse_named(self.held_out)
        _check_hashes("validators", self.validators)
        _check_hashes("trainers", self.trainers)
        if sorted(self.shares) != ["data", "model", "node"] or not _is_whole(self.shares):
            raise _malformed(f"shares of data, model and node, together {WHOLE}", str(self.shares))
        if not 1 <= self.min_records <= self.max_records <= MAX_RECORDS:
            raise _malformed(
                f"1 <= min_records <= max_records <= {MAX_RECORDS}",
                f"{self.min_records} and {self.max_records}",
            )
        if not 1 <= self.max_bytes <= MAX_FILE_BYTES:
            raise _malformed(f"max_bytes of at most {MAX_FILE_BYTES}", str(self.max_bytes))


def _check_hashes(what: str, hashes: tuple[str, ...]) -> None:
    if not 1 <= len(hashes) <= MAX_HASHES or list(hashes) != sorted(set(hashes)):
        raise _malformed(f"1 to {MAX_HASHES} {what}, ascending, each once", f"{len(hashes)}")
    for one in hashes:
        if len(one) != 64 or one.strip("0123456789abcdef"):
            raise _malformed("compose hashes of 64 lower-case hex digits", one[:80])


def _is_whole(shares: dict[str, int]) -> bool:
    return min(shares.values()) >= 0 and sum(shares.values()) == WHOLE


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        "these are no terms of a pool",
        code="pool_terms_malformed",
        expected=expected,
        got=ascii(got)[:200],
    )
