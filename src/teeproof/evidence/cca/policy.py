"""What a relying party expects of an Arm CCA realm and its platform, as a plain record.

What is not set is not checked, and the verdict says so; a platform outside its secured lifecycle
alone is refused unasked. Whom the realm answers is held against a policy by
``appraise.freshness.checks``, as for TDX: ``facts.report_data`` is 64 bytes too. In a policy file
these fields form a table, ``[cca]``; which platform keys are believed the policy's roots say.

Trusts: whoever wrote it.  Does not trust: the evidence; nothing here comes from it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from teeproof.evidence.policy_forms import wrong

__all__ = ["CcaPolicy", "Lifecycle"]

Lifecycle = Literal[
    "unknown",
    "assembly and test",
    "provisioning",
    "secured",
    "non-recoverable debug",
    "recoverable debug",
    "decommissioned",
]
"""The states of a platform's life; draft-ffm-rats-cca-token, "Security Lifecycle"."""

_DIGESTS = (32, 48, 64)
_HEX_BYTES = {
    "rim": _DIGESTS, "rem0": _DIGESTS, "rem1": _DIGESTS, "rem2": _DIGESTS, "rem3": _DIGESTS,
    "personalization_value": (64,), "implementation_id": (32,),
    "component_measurements": _DIGESTS, "component_signers": _DIGESTS,
}  # fmt: skip


class CcaPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Expectations about one CCA token; a field that is None is not checked. Values are hex.

    Attributes:
        implementation_id: any of these kinds of platform.
        lifecycle: any of these states of the platform; without it, secured alone.
        component_measurements: every measured part of the platform must be one of these.
        component_signers: every measured part of the platform must be signed by one of these.
        rim: any of these initial measurements of the realm.
        rem0: any of these values; likewise ``rem1``, ``rem2``, ``rem3``.
        personalization_value: any of these values, which the host fixes.
    """

    implementation_id: tuple[str, ...] | None = None
    lifecycle: tuple[Lifecycle, ...] | None = None
    component_measurements: tuple[str, ...] | None = None
    component_signers: tuple[str, ...] | None = None
    rim: tuple[str, ...] | None = None
    rem0: tuple[str, ...] | None = None
    rem1: tuple[str, ...] | None = None
    rem2: tuple[str, ...] | None = None
    rem3: tuple[str, ...] | None = None
    personalization_value: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse what could never be met; Usage names the field."""
        for name, sizes in _HEX_BYTES.items():
            allowed = getattr(self, name)
            if allowed is not None and not isinstance(allowed, tuple):
                raise wrong(f"cca.{name} must be a tuple")
            for value in allowed or ():
                whole = len(value) // 2 in sizes and len(value) % 2 == 0
                if not whole or value.strip("0123456789abcdef"):
                    raise wrong(
                        f"cca.{name} takes lower-case hex of {' or '.join(map(str, sizes))} bytes,"
                        f" got {value[:140]!r}"
                    )
