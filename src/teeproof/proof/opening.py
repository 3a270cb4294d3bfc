"""Open evidence or a proof where it lies and verify it: the short way, for programs.

This is the edge of the layer: paths are read here and, where no time is given, the clock. All of it
can be had without either from ``proof.verify`` and ``evidence.verify``.

Trusts: what the caller passes in, this machine's clock if no time is given.
Does not trust: the files.
"""

from __future__ import annotations

from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import overload

from teeproof.core.clock import parse_time, wall_clock
from teeproof.core.errors import Error, Usage
from teeproof.core.reading import peek
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.files import opening as evidence_files
from teeproof.evidence.policy import Policy, load_policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.verdict import Verdict
from teeproof.proof.file import ProofFile
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.sealing import Sealed
from teeproof.proof.verify import ProofVerdict, Trust, verify_proof

__all__ = ["load", "verify"]

_ZIP = b"PK\x03\x04"
_Path = str | PathLike[str]


def load(*paths: _Path) -> Evidence | ProofFile:
    """Return the proof in a file, or the evidence in files or a directory.

    Raises:
        Usage: no quote, or several.
        Malformed, TooLarge, Unavailable: a file cannot be understood or read.
    """
    if len(paths) == 1 and _is_proof(Path(paths[0])):
        return ProofFile.open(Path(paths[0]))
    return evidence_files.load(*paths)


@overload
def verify(
    what: ProofFile | Sealed,
    *,
    policy: Policy | str | None = None,
    now: datetime | str | None = None,
    logs: TlogPolicy | bytes | None = None,
    author_policy: Policy | str | None = None,
) -> ProofVerdict: ...
@overload
def verify(
    what: Evidence,
    *,
    policy: Policy | str | None = None,
    now: datetime | str | None = None,
    collateral: Collateral | bytes | None = None,
    expected_spki: bytes | None = None,
) -> Verdict: ...
@overload
def verify(
    what: bytes | _Path,
    *,
    policy: Policy | str | None = None,
    now: datetime | str | None = None,
    logs: TlogPolicy | bytes | None = None,
    author_policy: Policy | str | None = None,
    collateral: Collateral | bytes | None = None,
    expected_spki: bytes | None = None,
) -> Verdict | ProofVerdict: ...
def verify(
    what: ProofFile | Sealed | Evidence | bytes | _Path,
    *,
    policy: Policy | str | None = None,
    now: datetime | str | None = None,
    logs: TlogPolicy | bytes | None = None,
    author_policy: Policy | str | None = None,
    collateral: Collateral | bytes | None = None,
    expected_spki: bytes | None = None,
) -> Verdict | ProofVerdict:
    """Return the verdict on a proof or on evidence.

    Args:
        what: a proof, evidence, the bytes of a quote or a proof file, or a path.
        policy: what is expected of every machine: a policy (``parse_policy`` reads one from TOML)
            or a built-in one's name. Without one, ``standard`` for TDX and ``sgx`` for SGX.
        now: the verifier's time (``--at`` of the command): an aware datetime, or text such as
            ``2026-02-25``; without it, the machine's clock.
        logs: of a proof: trusted logs and witnesses, as a C2SP tlog-policy or its bytes.
        author_policy: of a proof: what more is expected of whoever wrote its roots.
        collateral: of evidence: endorsements, or the bytes of their JSON; without them, those that
            came along with it.
        expected_spki: of evidence: the key (SubjectPublicKeyInfo, DER) that the peer of the live
            channel showed.

    Raises:
        Malformed: it is neither; Usage, Unavailable, TooLarge: as ``load``.
    """
    at = parse_time(now) if isinstance(now, str) else now or wall_clock()
    proof = _proof(what)
    if proof is None:
        _refuse(logs=logs, author_policy=author_policy)
        return evidence_files.verify(
            what,  # type: ignore[arg-type]
            policy=policy,
            now=at,
            collateral=collateral,
            expected_spki=expected_spki,
        )
    _refuse(collateral=collateral, expected_spki=expected_spki)
    trust = Trust(
        policy=_policy(policy),
        author_policy=_policy(author_policy),
        logs=_logs(logs),
    )
    try:
        return verify_proof(proof, now=at, trust=trust)
    finally:
        if proof is not what:
            proof.close()


def _proof(what: object) -> ProofFile | None:
    if isinstance(what, ProofFile):
        return what
    if isinstance(what, Sealed):
        return ProofFile.from_bytes(what.proof())
    if isinstance(what, bytes):
        return ProofFile.from_bytes(what) if what.startswith(_ZIP) else None
    if isinstance(what, str | PathLike) and _is_proof(Path(what)):
        return ProofFile.open(Path(what))
    return None


def _is_proof(path: Path) -> bool:
    try:
        return peek(path, len(_ZIP)) == _ZIP
    except Error:
        return False  # whoever reads evidence says what is wrong with it


def _policy(given: Policy | str | None) -> Policy | None:
    return load_policy(given) if isinstance(given, str) else given


def _logs(given: TlogPolicy | bytes | None) -> TlogPolicy | None:
    if isinstance(given, bytes):
        return TlogPolicy.parse(given)
    if given is None or isinstance(given, TlogPolicy):
        return given
    raise Usage(
        "logs is a TlogPolicy, or the bytes of one: read the file first",
        code="logs_malformed",
        got=type(given).__name__,
    )


def _refuse(**options: object) -> None:
    for name, value in options.items():
        if value is not None:
            raise Usage(f"{name} says nothing about this", code="option_unused", got=name)
