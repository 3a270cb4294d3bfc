"""Check what trusted hardware says about itself: offline, with every check named.

    import teeproof

    verdict = teeproof.verify("evidence/", now="2026-02-25")
    verdict.ok, verdict.level, verdict.confidential
    for check in verdict.failures:
        print(check.name, check.detail, check.expected, check.got)

``import teeproof`` imports nothing else; each name below is loaded when it is first used.

    verify                       evidence, or a path to it -> Verdict
    load                         a path -> Evidence
    load_policy, parse_policy    a built-in policy's name, or TOML text -> Policy
    parse_time                   "2026-02-25" and the like -> datetime
    Evidence, Collateral, Policy, Verdict, Check
    Error, and its kinds: Usage, Malformed, TooLarge, NotAuthentic, Unavailable, NotAllowed
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from teeproof.core.clock import parse_time
    from teeproof.core.errors import (
        Error,
        Malformed,
        NotAllowed,
        NotAuthentic,
        TooLarge,
        Unavailable,
        Usage,
    )
    from teeproof.evidence.endorsements import Collateral
    from teeproof.evidence.files.opening import load, verify
    from teeproof.evidence.policy import Policy, load_policy, parse_policy
    from teeproof.evidence.record import Evidence
    from teeproof.evidence.verdict import Check, Verdict

    __version__: str


__all__ = [
    "Check",
    "Collateral",
    "Error",
    "Evidence",
    "Malformed",
    "NotAllowed",
    "NotAuthentic",
    "Policy",
    "TooLarge",
    "Unavailable",
    "Usage",
    "Verdict",
    "__version__",
    "load",
    "load_policy",
    "parse_policy",
    "parse_time",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = _load(name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


def _load(name: str) -> Any:  # noqa: PLR0911  one return per module
    # Imported by name, so that linters see each import.
    if name == "Evidence":
        from teeproof.evidence import record  # noqa: PLC0415

        return record.Evidence
    if name == "Collateral":
        from teeproof.evidence import endorsements  # noqa: PLC0415

        return endorsements.Collateral
    if name in ("Check", "Verdict"):
        from teeproof.evidence import verdict  # noqa: PLC0415

        return getattr(verdict, name)
    if name in ("Policy", "load_policy", "parse_policy"):
        from teeproof.evidence import policy  # noqa: PLC0415

        return getattr(policy, name)
    if name in ("load", "verify"):
        from teeproof.evidence.files import opening  # noqa: PLC0415

        return getattr(opening, name)
    if name == "__version__":
        from teeproof.core import version  # noqa: PLC0415

        return version.VERSION
    if name == "parse_time":
        from teeproof.core import clock  # noqa: PLC0415

        return clock.parse_time
    from teeproof.core import errors  # noqa: PLC0415

    return getattr(errors, name)
