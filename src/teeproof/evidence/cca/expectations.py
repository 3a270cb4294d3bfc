"""What a relying party expects of an Arm CCA realm, as a plain record.

What is not set is not checked, and the verdict says so; a platform outside its secured lifecycle
alone is refused unasked. Whom the realm answers is held against a policy by
``appraise.freshness.checks``, as for TDX: ``facts.report_data`` is 64 bytes too.

Trusts: whoever wrote it.  Does not trust: the evidence; nothing here comes from it.
"""

from __future__ import annotations

import msgspec

from teeproof.core.errors import Usage
from teeproof.evidence.cca.keys import PlatformKey

__all__ = ["CcaExpectations"]

_HEX_BYTES = {
    "rim": (32, 48, 64), "rem0": (32, 48, 64), "rem1": (32, 48, 64), "rem2": (32, 48, 64),
    "rem3": (32, 48, 64), "personalization_value": (64,), "implementation_id": (32,),
    "component_measurements": (32, 48, 64), "component_signers": (32, 48, 64),
}  # fmt: skip


class CcaExpectations(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Expectations about one CCA token; a field that is None is not checked. Values are hex.

    Attributes:
        platform_keys: keys of real platforms, from their endorsers.
        simulated_keys: keys of models and test data that are accepted, as simulated.
        implementation_id: any of these kinds of platform.
        component_measurements: every measured part of the platform must be one of these.
        component_signers: every measured part of the platform must be signed by one of these.
        rim: any of these initial measurements of the realm.
        rem0: any of these values; likewise ``rem1``, ``rem2``, ``rem3``.
        personalization_value: any of these values, which the host fixes.
    """

    platform_keys: tuple[PlatformKey, ...] = ()
    simulated_keys: tuple[PlatformKey, ...] = ()
    implementation_id: tuple[str, ...] | None = None
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
                raise _wrong(f"{name} must be a tuple")
            for value in allowed or ():
                whole = len(value) // 2 in sizes and len(value) % 2 == 0
                if not whole or value.strip("0123456789abcdef"):
                    raise _wrong(f"{name} takes lower-case hex of {sizes} bytes")


def _wrong(why: str) -> Usage:
    return Usage(f"the policy cannot be used: {why}", code="policy_malformed", got=why)
