"""Open evidence where it lies and verify it: the short way, for programs.

This is the edge of the layer: paths are read here and, where no time is given, the clock. All of it
can be had without either from ``verify.verify``.

Trusts: the policy's roots, this machine's clock if no time is given.  Does not trust: the files.
"""

from __future__ import annotations

from datetime import datetime
from os import PathLike
from pathlib import Path

from teeproof.core.clock import parse_time, wall_clock
from teeproof.core.errors import Usage
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.files.bundles import gather
from teeproof.evidence.policy import Policy, load_policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.verdict import Verdict
from teeproof.evidence.verify import verify as _verify

__all__ = ["load", "verify"]


def load(*paths: str | PathLike[str]) -> Evidence:
    """Return the evidence in files, or in a directory: one quote, and what explains it.

    Raises:
        Usage: no quote, or several.
        Malformed, TooLarge, Unavailable: a file cannot be understood or read.
    """
    if not all(str(path) for path in paths):
        raise Usage("an empty text is no path", code="path_empty")
    bundles = gather([Path(path) for path in paths])
    if len(bundles) != 1:
        names = ", ".join(bundle.name for bundle in bundles)
        raise Usage(
            "these files hold several quotes: load one at a time",
            code="several_quotes",
            expected="one quote",
            got=names,
        )
    if bundles[0].keys:
        raise Usage(
            "a key document lies beside this evidence, and only teeproof verify reads it here: name"
            " the other files, or give Evidence.keyset_digest (proof.keyset.keyset_of) yourself",
            code="key_document_unread",
            got=bundles[0].keys[0].name,
        )
    return bundles[0].evidence


def verify(
    evidence: Evidence | bytes | str | PathLike[str],
    *,
    policy: Policy | str | None = None,
    now: datetime | str | None = None,
    collateral: Collateral | bytes | None = None,
    expected_spki: bytes | None = None,
) -> Verdict:
    """Return the verdict on evidence.

    Args:
        evidence: evidence, the bytes of a quote, or the path of a file or directory.
        policy: what is expected: a policy (``parse_policy`` reads one from TOML) or a built-in
            one's name. Without one, the usual one of its kind: ``standard`` for TDX.
        now: the T that the verdict speaks of (``--at`` of the command): an aware datetime, or text
            such as ``2026-02-25``; without it, the machine's clock.
        collateral: endorsements (``--endorsements``), or the bytes of their JSON; without them,
            those that came along with the evidence. The command's archive is not looked at.
        expected_spki: the key (SubjectPublicKeyInfo, DER) that the peer of the live channel showed;
            the evidence must then be an RA-TLS certificate over that key.

    Raises:
        Malformed: there is no quote in it; Usage, Unavailable, TooLarge: as ``load``.
    """
    if not isinstance(evidence, Evidence | bytes):
        evidence = load(evidence)
    if isinstance(policy, str):
        policy = load_policy(policy)
    if isinstance(collateral, bytes):
        collateral = Collateral.parse(collateral)
    for value, kind in ((policy, Policy), (collateral, Collateral)):
        if value is not None and not isinstance(value, kind):
            raise Usage(f"{value!r:.60} is no {kind.__name__}", expected=kind.__name__)
    return _verify(
        evidence,
        now=parse_time(now) if isinstance(now, str) else now or wall_clock(),
        policy=policy,
        collateral=collateral,
        expected_spki=expected_spki,
    )
