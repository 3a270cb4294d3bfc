"""What a relying party expects of a boot, as a plain record: one field per expectation.

Only a firmware's log that explains the quoted registers answers these. What is not set is not
checked, and the verdict says so. In a policy file these fields form a table, ``[boot]``.

Trusts: whoever wrote the policy.  Does not trust: the evidence; nothing here comes from it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from teeproof.evidence.policy_forms import wrong

__all__ = ["BootPolicy"]

_DIGEST_BYTES = (32, 48, 64)


class BootPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A relying party's expectations of a boot.

    Attributes:
        log: true if a firmware's log must be given and explain the firmware's registers.
        secure_boot: true if the firmware may only have started what was signed.
        images: every boot loader and kernel that was started must have one of these digests, hex.
        authorities: everything by whose word something was started, such as a certificate, must
            have one of these digests, hex.
    """

    log: Literal[True] | None = None
    secure_boot: bool | None = None
    images: tuple[str, ...] | None = None
    authorities: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Check forms, however the policy was made; Usage names the field."""
        for field in ("images", "authorities"):
            value = getattr(self, field)
            if isinstance(value, str | list):
                raise wrong(f"boot.{field} must be a tuple")
            for text in value or ():
                whole = len(text) // 2 in _DIGEST_BYTES and len(text) % 2 == 0
                if not whole or text.strip("0123456789abcdef"):
                    raise wrong(
                        f"boot.{field} are lower-case hex of 32, 48 or 64 bytes, got {text[:140]!r}"
                    )

    @property
    def expects(self) -> bool:
        """Whether it expects anything."""
        return self != BootPolicy()
