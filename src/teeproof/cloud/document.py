"""A document that is named by the digest of its canonical JSON: what it is, and no other bytes.

Trusts: nothing; it only reads.  Does not trust: the bytes it is given.
"""

from __future__ import annotations

from typing import ClassVar, Self

import msgspec

from teeproof.core.digests import sha256
from teeproof.proof import canonical

__all__ = ["Document"]


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A document; each kind says what its fields must be.

    Attributes:
        WHAT: what it is, for messages.
        MOST: the most bytes of one.
    """

    WHAT: ClassVar[str]
    MOST: ClassVar[int]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the document that is exactly these bytes.

        Raises:
            TooLarge: more than ``MOST`` bytes. Malformed: not canonical, or none of this kind.
        """
        found = canonical.decode(data, limit=cls.MOST, what=cls.WHAT, kind=cls)
        found.check()
        return found

    def encode(self) -> bytes:
        """Return canonical JSON; Malformed if ``parse`` would not take it."""
        self.check()
        return canonical.encode(self)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the canonical form, 32 bytes."""
        return sha256(self.encode())

    def check(self) -> None:
        """Raise Malformed unless the fields have their forms."""
        raise NotImplementedError
