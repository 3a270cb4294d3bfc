"""What a statement speaks of: subjects (its outputs) and materials (its inputs), by digest.

How many a statement has is bounded by the size of its payload: fewer than 3,000.

Source: in-toto attestation framework, spec/v1/resource_descriptor.md and digest_set.md.

Trusts: nothing.  Does not trust: whoever wrote them.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec

from teeproof.core.digests import parse_named

__all__ = ["Integer", "Link", "Material", "Subject", "check_digests"]

Integer = Annotated[int, msgspec.Meta(ge=-(2**53) + 1, le=2**53 - 1)]
"""An integer that every JSON reader holds exactly."""

_DIGITS = "0123456789abcdef"
_DIGEST_SIZES = {"sha256": 64, "sha384": 96, "sha512": 128, "blake3": 64, "gitCommit": 40}


class Link(NamedTuple):
    """One input of a statement: an edge of the graph, seen from its lower end.

    Attributes:
        role: what the input was used as.
        digest: ``sha256:…`` of the input.
        statement: id of the statement that made it, 32 bytes; None if the author named none.
        name: what the author calls it.
    """

    role: str
    digest: str
    statement: bytes | None
    name: str | None


class Subject(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False
):
    """One output.

    Attributes:
        digest: by algorithm, lower-case hex; ``sha256`` must be among them.
        name: what to call it.
        uri: where it belongs.
        media_type: what it is (``mediaType``).
    """

    digest: dict[str, str]
    name: str | None = None
    uri: str | None = None
    media_type: str | None = msgspec.field(default=None, name="mediaType")

    @property
    def sha256(self) -> str:
        """``sha256:…``, by which the graph joins statements."""
        return f"sha256:{self.digest['sha256']}"

    def check(self) -> None:
        """Raise ValueError unless every digest has its algorithm's form and sha256 is there."""
        digits = self.digest.get("sha256")
        if digits is not None and len(self.digest) == 1:  # nearly always
            if len(digits) != 64 or bytes.fromhex(digits).hex() != digits:
                raise ValueError(f"this is not a sha256 digest: {digits[:100]}")
            return
        if digits is None:
            raise ValueError("a subject or material without a sha256 digest cannot be linked")
        check_digests(self.digest)


def check_digests(digests: dict[str, str]) -> None:
    """Raise ValueError unless each digest is hex, of its algorithm's length where that is known."""
    for algorithm, digits in digests.items():
        size = _DIGEST_SIZES.get(algorithm)
        if (size is not None and len(digits) != size) or digits.strip(_DIGITS):
            raise ValueError(f"this is not a {algorithm[:40]} digest: {digits[:100]}")


class Material(
    Subject, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False
):
    """One input.

    Attributes:
        role: what it was used as: ``dataset``, ``base-model``, ``prompt``.
        statement: ``sha256:…`` of the statement that made it, if one did. The edge then holds only
            if that statement lists this very digest among its subjects, or is itself the input.
    """

    role: str
    statement: str | None = None

    def link(self) -> Link:
        """Return the edge; ValueError or Malformed if a digest is none."""
        self.check()
        if not self.role:
            raise ValueError("a material without a role")
        parent = None if self.statement is None else parse_named(self.statement)
        return Link(self.role, self.sha256, parent, self.name)
