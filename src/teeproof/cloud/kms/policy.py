"""Under which conditions a sealed file may be opened: the owner's word, by digest in the file.

    {"grants":[{"compose_hash":["<hex>"],"purpose":"validate","standing":true},
               {"compose_hash":["<hex>"],"purpose":"train"}],
     "not_after":1798761600,"owner":"<hex>","type":"urn:teeproof:release-policy:v1"}

Its SHA-256 is the policy digest in the header of each file that is sealed under it, so neither
the host nor the KMS can put another in its place.
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal

import msgspec

from teeproof.cloud.document import Document
from teeproof.cloud.job import check_purpose
from teeproof.cloud.owner import check_owner
from teeproof.core.digests import named
from teeproof.core.errors import Malformed
from teeproof.proof.links import Integer

__all__ = ["MAX_RELEASE_POLICY_BYTES", "Permission", "ReleasePolicy", "Withdrawal"]

POLICY_TYPE: Final = "urn:teeproof:release-policy:v1"
WITHDRAWAL_TYPE: Final = "urn:teeproof:withdrawal:v1"
MAX_RELEASE_POLICY_BYTES = 32 << 10
MAX_GRANTS = 16
MAX_CODES = 64
_DIGITS = "0123456789abcdef"


class Permission(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """One purpose, and the code that may have the key for it.

    Attributes:
        purpose: as jobs name it.
        compose_hash: any of these applications, hex.
        standing: whether a job need not list the file: of services that see each new file.
    """

    purpose: str
    compose_hash: tuple[str, ...]
    standing: bool = False


class ReleasePolicy(Document, frozen=True, kw_only=True):
    """Who may open a file.

    Attributes:
        owner: who may withdraw it, an Ed25519 key in hex (``OwnerKey.public``).
        grants: what for; one per purpose.
        not_after: until when, seconds since 1970.
        type: always ``urn:teeproof:release-policy:v1``.
    """

    WHAT: ClassVar[str] = "release policy"
    MOST: ClassVar[int] = MAX_RELEASE_POLICY_BYTES

    owner: str
    grants: tuple[Permission, ...]
    not_after: Integer
    type: Literal["urn:teeproof:release-policy:v1"] = POLICY_TYPE

    @property
    def name(self) -> str:
        """The digest as text, ``sha256:…``."""
        return named(self.digest)

    def permission(self, purpose: str) -> Permission | None:
        """Return what is granted for a purpose, if anything is."""
        return next((one for one in self.grants if one.purpose == purpose), None)

    def check(self) -> None:
        """Raise Malformed unless the fields have their forms."""
        check_owner(self.owner)
        purposes = [one.purpose for one in self.grants]
        if not 1 <= len(purposes) <= MAX_GRANTS or len(set(purposes)) != len(purposes):
            raise _malformed(f"1 to {MAX_GRANTS} grants, one per purpose", f"{len(purposes)}")
        for one in self.grants:
            check_purpose(one.purpose)
            if not 1 <= len(one.compose_hash) <= MAX_CODES:
                raise _malformed(f"1 to {MAX_CODES} compose hashes", f"{len(one.compose_hash)}")
            for digits in one.compose_hash:
                if len(digits) != 64 or digits.strip(_DIGITS):
                    raise _malformed("compose hashes of 64 hex digits", digits[:80])


class Withdrawal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An owner takes a file back: the key that opens it shall be erased.

    Attributes:
        recipient: digest of the KMS recipient that the file was sealed for, hex.
        file: id of the file, hex, for people and pools; everything sealed for this recipient goes.
        time: when the owner said so, seconds since 1970.
        type: always ``urn:teeproof:withdrawal:v1``.
    """

    recipient: str
    file: str
    time: Integer
    type: Literal["urn:teeproof:withdrawal:v1"] = WITHDRAWAL_TYPE


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        "this is not a release policy",
        code="release_policy_malformed",
        expected=expected,
        got=ascii(got)[:200],
    )
