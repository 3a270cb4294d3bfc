"""What ``teeproof verify`` can be pointed at beside evidence, told by the first bytes.

FILE.proof                     a proof file
FILE.tlog-proof RECORD         a log entry, with the statement, receipt or identity that it is of
FORK.proof                     what shows that a log has forked
LOG-DIRECTORY ID…              statements in a log on this machine, with all they rest on
DIRECTORY                      each file in it that is called *.proof, and nothing else
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from teeproof.cli.asked import Asked, trust_of
from teeproof.cli.ids import ids_in_log
from teeproof.cli.pointed.logs import answer_about_entry, answer_about_fork
from teeproof.cli.pointed.proofs import answer_about_proofs, judge
from teeproof.cli.screen import Screen
from teeproof.core.errors import Unavailable, Usage
from teeproof.core.reading import peek

__all__ = ["answer_about", "is_log", "is_pointed_elsewhere", "require_present"]

_ZIP = b"PK\x03\x04"
_TLOG_PROOF = b"c2sp.org/tlog-proof@v1\n"
_FORK = b'"type":"urn:teeproof:fork:v1"'
_HEAD = 4 << 20


def require_present(files: Sequence[Path]) -> None:
    """Raise Unavailable for the first file that is not there; ids behind a log are none."""
    for path in files[:1] if is_log(files[0]) else files:
        try:
            os.stat(path)
        except OSError as error:
            raise Unavailable(
                f"{path} cannot be read: {error.strerror}", code="file_unavailable", got=str(path)
            ) from None
        except ValueError:  # a NUL byte in the name
            raise Usage("this is no file name", code="not_a_file", got=ascii(str(path))) from None


def is_pointed_elsewhere(files: Sequence[Path]) -> bool:
    """Return whether these are something other than evidence.

    Raises:
        Unavailable, Usage: a file cannot be read, or is none.
    """
    first = files[0]
    if os.path.isdir(first):
        return is_log(first) or _proofs_in(first) != ()
    kinds = [_kind(path) for path in files]
    return kinds[0] is not None or "proof" in kinds


def answer_about(screen: Screen, asked: Asked) -> int:
    """Verify what was asked about, write the answer, return the exit code."""
    import teeproof.cli.chapters  # noqa: F401, PLC0415  every kind of statement, and its judge

    first, *more = asked.files
    if os.path.isdir(first):
        if is_log(first):
            return _log_directory(screen, asked)
        if more:
            raise Usage(
                "the proofs in a directory are verified apart from other files",
                code="files_do_not_belong",
                expected=f"{first} alone",
                got=str(more[0]),
            )
        return answer_about_proofs(screen, asked, _proofs_in(first))
    kind = _kind(first)
    if kind == "tlog-proof":
        return answer_about_entry(screen, asked)
    if kind == "fork":
        return answer_about_fork(screen, asked)
    for path in asked.files:
        if _kind(path) != "proof" and path.suffix != ".proof":
            raise _belongs_to_others(path)
    return answer_about_proofs(screen, asked, asked.files)


def _kind(path: Path) -> str | None:
    if os.path.isdir(path):
        return None
    head = peek(path, 64)
    if head.startswith(_ZIP):
        return "proof"
    if head.startswith(_TLOG_PROOF):
        return "tlog-proof"
    if head.startswith(b'{"checkpoints":'):
        return "fork" if _FORK in peek(path, _HEAD) else None
    return None


def is_log(directory: Path) -> bool:
    """Whether a path is a log's directory."""
    return os.path.isfile(directory / "log.json")


def _proofs_in(directory: Path) -> tuple[Path, ...]:
    """Return whatever is called a proof, so that none is passed over for what it holds."""
    return tuple(sorted(directory.glob("*.proof")))


def _belongs_to_others(path: Path) -> Usage:
    return Usage(
        "this does not begin as a proof file does: if it was one, it is damaged; if it is something"
        " else, verify it apart",
        code="files_do_not_belong",
        expected="a proof file",
        got=str(path),
    )


def _log_directory(screen: Screen, asked: Asked) -> int:
    from teeproof.proof.file import ProofFile, export  # noqa: PLC0415
    from teeproof.proof.log.contents import Contents  # noqa: PLC0415
    from teeproof.proof.log.storage.log import Log  # noqa: PLC0415

    directory, *ids = asked.files
    if not ids:
        raise Usage(
            "say which statements of the log to verify; the log itself is checked with teeproof"
            " log check",
            code="id_missing",
            expected="teeproof verify LOG-DIRECTORY ID",
        )
    accept = trust_of(asked).accepting(asked.now)
    with Log.open(directory, read_only=True) as log, tempfile.TemporaryFile() as scratch:
        with closing(Contents(log, accept=accept)) as contents:
            wanted = ids_in_log(log, [str(one) for one in ids])
            export(contents, wanted, scratch, allow_missing=True)
        scratch.seek(0)
        data = scratch.read()
    with ProofFile.from_bytes(data) as proof:
        found = judge(screen, asked, proof, f"{len(ids)} of {directory.name}")
    if asked.as_json:
        screen.json(found.value)
    return found.code
