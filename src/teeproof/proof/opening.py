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
from typing import Any, overload

from teeproof.core.clock import parse_time, wall_clock
from teeproof.core.errors import Error, Usage
from teeproof.core.reading import peek, read_bounded
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.files import opening as evidence_files
from teeproof.evidence.policy import (
    BUILT_IN,
    MAX_POLICY_BYTES,
    Policy,
    load_policy,
    parse_policy,
)
from teeproof.evidence.record import Evidence
from teeproof.evidence.verdict import Verdict
from teeproof.proof.file import ProofFile
from teeproof.proof.log.formats.policy import MAX_POLICY_BYTES as MAX_LOG_POLICY_BYTES
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.misplaced import is_understood_elsewhere
from teeproof.proof.sealing import Sealed
from teeproof.proof.verify import ProofVerdict, Trust, verify_proof

__all__ = ["load", "verify"]

_ZIP = b"PK\x03\x04"
_MAX_OTHER_BYTES = 1 << 20  # of a file that is neither, to say what it is
_Path = str | PathLike[str]


def load(*paths: _Path) -> Evidence | ProofFile:
    """Return the proof in a file, or the evidence in files or a directory.

    Raises:
        Usage: no path, no quote, or several; a file that is something else, and says what.
        Malformed, TooLarge, Unavailable: a file cannot be understood or read.
    """
    if not paths or not all(isinstance(path, str | PathLike) for path in paths):
        raise _no_subject("paths", paths[0] if paths else None)
    if len(paths) == 1 and _is_proof(Path(paths[0])):
        return ProofFile.open(Path(paths[0]))
    try:
        return evidence_files.load(*paths)
    except Error:
        _refuse_other(paths[0])
        raise


@overload
def verify(
    what: ProofFile | Sealed,
    *,
    policy: Policy | _Path | None = None,
    now: datetime | str | None = None,
    logs: TlogPolicy | bytes | _Path | None = None,
    author_policy: Policy | _Path | None = None,
) -> ProofVerdict: ...
@overload
def verify(
    what: Evidence,
    *,
    policy: Policy | _Path | None = None,
    now: datetime | str | None = None,
    collateral: Collateral | bytes | None = None,
    expected_spki: bytes | None = None,
) -> Verdict: ...
@overload
def verify(
    what: bytes | _Path,
    *,
    policy: Policy | _Path | None = None,
    now: datetime | str | None = None,
    logs: TlogPolicy | bytes | _Path | None = None,
    author_policy: Policy | _Path | None = None,
    collateral: Collateral | bytes | None = None,
    expected_spki: bytes | None = None,
) -> Verdict | ProofVerdict: ...
def verify(
    what: ProofFile | Sealed | Evidence | bytes | _Path,
    *,
    policy: Policy | _Path | None = None,
    now: datetime | str | None = None,
    logs: TlogPolicy | bytes | _Path | None = None,
    author_policy: Policy | _Path | None = None,
    collateral: Collateral | bytes | None = None,
    expected_spki: bytes | None = None,
) -> Verdict | ProofVerdict:
    """Return the verdict on a proof or on evidence.

    Args:
        what: a proof, evidence, the bytes of a quote or a proof file, or a path.
        policy: what is expected of every machine: a policy, a built-in one's name, or the path of a
            TOML file. Without one, ``standard`` for TDX and ``sgx`` for SGX.
        now: the verifier's time (``--at`` of the command): an aware datetime, or text such as
            ``2026-02-25``; without it, the machine's clock.
        logs: of a proof: trusted logs and witnesses: a C2SP tlog-policy, its bytes or its path.
        author_policy: of a proof: what more is expected of whoever wrote its roots.
        collateral: of evidence: endorsements, or the bytes of their JSON; without them, those that
            came along with it.
        expected_spki: of evidence: the key (SubjectPublicKeyInfo, DER) that the peer of the live
            channel showed.

    Raises:
        Malformed: it is neither; Usage, Unavailable, TooLarge: as ``load``.
    """
    if not isinstance(what, ProofFile | Sealed | Evidence | bytes | str | PathLike):
        raise _no_subject("what is verified", what)
    at = _time(now)
    proof = _proof(what)
    if proof is None:
        _refuse(logs=logs, author_policy=author_policy)
        return _of_evidence(
            what,
            policy=_policy(policy),
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


def _of_evidence(what: Any, **options: Any) -> Verdict:
    try:
        return evidence_files.verify(what, **options)
    except Error:
        _refuse_other(what)
        raise


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


def _refuse_other(what: object) -> None:
    """Say what something is that could not be read as evidence, if it is one of our documents."""
    data = what
    if isinstance(what, str | PathLike):
        try:
            data = read_bounded(Path(what), limit=_MAX_OTHER_BYTES)
        except Error:
            return
    misplaced = is_understood_elsewhere(data) if isinstance(data, bytes) else None
    if misplaced is not None:
        raise misplaced from None


def _no_subject(what: str, given: object) -> Usage:
    return Usage(
        f"{what}: name a proof, evidence, the bytes of either, or a path",
        code="argument_malformed",
        expected="ProofFile, Sealed, Evidence, bytes, str or os.PathLike",
        got="nothing" if given is None else type(given).__name__,
    )


def _time(given: object) -> datetime:
    if given is None:
        return wall_clock()
    if isinstance(given, str):
        return parse_time(given)
    if isinstance(given, datetime):
        return given
    raise Usage(
        "now is an aware datetime, or text such as 2026-02-25",
        code="time_malformed",
        got=type(given).__name__,
    )


def _policy(given: Policy | _Path | None) -> Policy | None:
    """Return a policy; a text is a built-in one's name first, and otherwise a path."""
    if given is None or isinstance(given, Policy):
        return given
    if not isinstance(given, str | PathLike):
        raise Usage(
            "a policy is a Policy, a built-in one's name, or the path of a TOML file",
            code="policy_malformed",
            got=type(given).__name__,
        )
    path = Path(given)
    is_name = given == path.name and not path.suffix
    if isinstance(given, str) and (given in BUILT_IN or (is_name and not _is_file(path))):
        return load_policy(given)
    data = read_bounded(path, limit=MAX_POLICY_BYTES, what="policy")
    try:
        return parse_policy(data)
    except Usage as error:
        raise Usage(
            f"{path}: {error.detail}", code=error.code, expected=error.expected, got=error.got
        ) from None


def _is_file(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _logs(given: TlogPolicy | bytes | _Path | None) -> TlogPolicy | None:
    if isinstance(given, str | PathLike):
        given = read_bounded(Path(given), limit=MAX_LOG_POLICY_BYTES, what="log policy")
    if isinstance(given, bytes):
        return TlogPolicy.parse(given)
    if given is None or isinstance(given, TlogPolicy):
        return given
    raise Usage(
        "logs is a TlogPolicy, the bytes of one, or the path of its file",
        code="logs_malformed",
        got=type(given).__name__,
    )


def _refuse(**options: object) -> None:
    for name, value in options.items():
        if value is not None:
            raise Usage(f"{name} says nothing about this", code="option_unused", got=name)
