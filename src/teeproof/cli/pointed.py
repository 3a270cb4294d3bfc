"""What ``teeproof verify`` can be pointed at beside evidence, told by the first bytes.

FILE.proof                     a proof file
FILE.tlog-proof RECORD         a log entry, with the statement, receipt or identity that it is of
FORK.proof                     what shows that a log has forked
LOG-DIRECTORY ID…              statements in a log on this machine, with all they rest on
DIRECTORY                      each file in it that is called *.proof, and nothing else
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from teeproof.cli.asked import Asked, statement_id, trust_of
from teeproof.cli.pointed_logs import answer_about_entry, answer_about_fork
from teeproof.cli.screen import Screen
from teeproof.core.errors import Error, Usage
from teeproof.core.reading import peek

__all__ = ["answer_about", "is_pointed_elsewhere"]

_ZIP = b"PK\x03\x04"
_TLOG_PROOF = b"c2sp.org/tlog-proof@v1\n"
_FORK = b'"type":"urn:teeproof:fork:v1"'
_HEAD = 4 << 20
_MANY = 500  # statements from which on a progress bar is worth showing


def is_pointed_elsewhere(files: Sequence[Path]) -> bool:
    """Return whether these are something other than evidence."""
    first = files[0]
    if os.path.isdir(first):
        return _is_log(first) or _proofs_in(first) != ()
    return str(first) != "-" and _kind(first) is not None


def answer_about(screen: Screen, asked: Asked) -> int:
    """Verify what was asked about, write the answer, return the exit code."""
    first, *more = asked.files
    if os.path.isdir(first):
        if _is_log(first):
            return _log_directory(screen, asked)
        if more:
            raise Usage(
                "the proofs in a directory are verified apart from other files",
                code="files_do_not_belong",
                expected=f"{first} alone",
                got=str(more[0]),
            )
        return _several(screen, asked, _proofs_in(first))
    kind = _kind(first)
    if kind == "tlog-proof":
        return answer_about_entry(screen, asked)
    if kind == "fork":
        return answer_about_fork(screen, asked)
    return _several(screen, asked, asked.files)


def _kind(path: Path) -> str | None:
    try:
        head = peek(path, 64)
        if head.startswith(_ZIP):
            return "proof"
        if head.startswith(_TLOG_PROOF):
            return "tlog-proof"
        if head.startswith(b'{"checkpoints":'):
            return "fork" if _FORK in peek(path, _HEAD) else None
    except Error:
        pass  # whoever reads evidence says what is wrong with the file
    return None


def _is_log(directory: Path) -> bool:
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


def _several(screen: Screen, asked: Asked, paths: Sequence[Path]) -> int:
    from teeproof.proof.file import ProofFile  # noqa: PLC0415  only for proofs

    known: dict[Any, Any] = {}
    codes, found = [], []
    for index, path in enumerate(paths):
        if _kind(path) != "proof":
            raise _belongs_to_others(path)
        if index and not asked.as_json:
            screen.write("\n" + screen.paint("─" * 40, "dim") + "\n")
        with ProofFile.open(path) as proof:
            code, value = _judge(screen, asked, proof, path.name, known)
        codes.append(code)
        found.append(value)
    worst = next((code for code in (2, 3, 4) if code in codes), 0)
    if asked.as_json:
        many = {"ok": not worst, "exit_code": worst, "verdicts": found}
        screen.json(found[0] if len(found) == 1 else many)
    return worst


def _judge(
    screen: Screen, asked: Asked, proof: Any, name: str, known: dict[Any, Any]
) -> tuple[int, dict[str, Any]]:
    from teeproof.cli.proofs import write_proof_verdict  # noqa: PLC0415
    from teeproof.proof.verify import verify_proof  # noqa: PLC0415

    trust = trust_of(asked)
    with _bar(len(proof.statement_ids)) as progress:
        verdict = verify_proof(proof, now=asked.now, trust=trust, known=known, progress=progress)
    if not asked.as_json:
        screen.sides("proof", name, "bold")
        screen.write()
        write_proof_verdict(screen, verdict, every=asked.every)
    return verdict.exit_code, verdict.to_json() | {"input": {"name": name}}


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
    trust = trust_of(asked)
    accept = None
    if trust.logs is not None:
        policy, now = trust.logs, int(asked.now.timestamp())

        def accept(signed: Any) -> bool:
            return policy.judge(signed, now=now).time is not None

    with Log.open(directory, read_only=True) as log, tempfile.TemporaryFile() as scratch:
        with closing(Contents(log, accept=accept)) as contents:
            wanted = [statement_id(str(one)) for one in ids]
            export(contents, wanted, scratch, allow_missing=True)
        scratch.seek(0)
        data = scratch.read()
    with ProofFile.from_bytes(data) as proof:
        code, value = _judge(screen, asked, proof, f"{len(ids)} of {directory.name}", {})
    if asked.as_json:
        screen.json(value)
    return code


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int, int], None] | None]:
    """Show a progress bar on a terminal, if there is much to do."""
    if total < _MANY or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415  only where there is much to do
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("verifying", total=total)

        def update(done: int, of: int) -> None:
            if done % 64 == 0 or done == of:
                bar.update(task, completed=done)

        yield update
