"""Answer about proof files: about each, and about all of them together.

A file that cannot be read aborts nothing: its name stands in the answer with the reason, and the
gravest exit code of all is the answer's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from teeproof.cli.asked import Asked, trust_of
from teeproof.cli.screen import Screen
from teeproof.core.errors import Error

__all__ = ["Judged", "answer_about_proofs", "judge"]

_MANY = 500  # statements from which on a progress bar is worth showing
_GRAVEST_FIRST = (2, 1, 3, 4)
_WORDS = {0: "holds", 1: "refused", 2: "refused", 3: "cannot be told", 4: "not allowed"}
_NAMED = 8


class Judged(NamedTuple):
    """What came of one proof: its name, its exit code, and what ``--json`` prints of it."""

    name: str
    code: int
    value: dict[str, Any]


def answer_about_proofs(screen: Screen, asked: Asked, paths: Sequence[Path]) -> int:
    """Verify proof files, write the answers, return the gravest exit code."""
    known: dict[Any, Any] = {}
    if len(paths) == 1:
        one = _one(screen, asked, paths[0], paths[0].name, known)
        if asked.as_json:
            screen.json(one.value)
        return one.code
    trust_of(asked)  # what is wrong with it is no fault of any proof
    names = [path.name for path in paths]
    found: list[Judged] = []
    for path in paths:
        name = path.name if names.count(path.name) == 1 else str(path)
        if found and not asked.as_json:
            _rule(screen)
        found.append(_whatever_comes(screen, asked, path, name, known))
    worst = next((code for code in _GRAVEST_FIRST if any(one.code == code for one in found)), 0)
    if asked.as_json:
        values = [one.value for one in found]
        screen.json({"ok": not worst, "exit_code": worst, "verdicts": values})
    else:
        _rule(screen)
        screen.text(_together(found), "bold")
    return worst


def judge(
    screen: Screen, asked: Asked, proof: Any, name: str, known: dict[Any, Any] | None = None
) -> Judged:
    """Verify an open proof, and write the answer unless JSON is asked for."""
    from teeproof.cli.proofs import write_proof_verdict  # noqa: PLC0415  only for proofs
    from teeproof.proof.verify import verify_proof  # noqa: PLC0415

    trust = trust_of(asked)
    with _bar(len(proof.statement_ids)) as progress:
        verdict = verify_proof(proof, now=asked.now, trust=trust, known=known, progress=progress)
    if not asked.as_json:
        screen.sides("proof", name, "bold")
        screen.write()
        write_proof_verdict(screen, verdict, claims=_claims(proof, verdict), every=asked.every)
    return Judged(name, verdict.exit_code, verdict.to_json() | {"input": {"name": name}})


def _claims(proof: Any, verdict: Any) -> list[str]:
    """Return in a clause each what the statements say that a proof is about."""
    from teeproof.explorer.telling.sentences import clause_of  # noqa: PLC0415  only for people

    found = (proof.read(bytes.fromhex(root.removeprefix("sha256:"))) for root in verdict.roots)
    return [clause_of(read) for read in found if read is not None]


def _one(screen: Screen, asked: Asked, path: Path, name: str, known: dict[Any, Any]) -> Judged:
    from teeproof.proof.file import ProofFile  # noqa: PLC0415  only for proofs

    with ProofFile.open(path) as proof:
        return judge(screen, asked, proof, name, known)


def _whatever_comes(
    screen: Screen, asked: Asked, path: Path, name: str, known: dict[Any, Any]
) -> Judged:
    """Return what came of a file, also where it cannot be read."""
    try:
        return _one(screen, asked, path, name, known)
    except Error as error:
        if not asked.as_json:
            screen.sides("proof", name, "bold")
            screen.write()
            screen.row("error", error.detail, "red", "bold")
            for label, text in (("expected", error.expected), ("got", error.got)):
                if text is not None:
                    screen.row(label, text)
        value = error.to_json() | {"exit_code": error.exit_code, "input": {"name": name}}
        return Judged(name, error.exit_code, value)


def _together(found: Sequence[Judged]) -> str:
    """Return such as ``2 proofs: 1 holds, 1 refused: y.proof``."""
    by_word: dict[str, list[str]] = {}
    for one in sorted(found, key=lambda one: one.code != 0):
        by_word.setdefault(_WORDS[one.code], []).append(one.name)
    parts = []
    for word, names in by_word.items():
        verb = "hold" if word == "holds" and len(names) > 1 else word
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        listed = "" if word == "holds" else f": {', '.join(names[:_NAMED])}{more}"
        parts.append(f"{len(names)} {verb}{listed}")
    separator = "; " if len(by_word) > 2 else ", "
    return f"{len(found)} proofs: {separator.join(parts)}"


def _rule(screen: Screen) -> None:
    screen.write("\n" + screen.paint("─" * 40, "dim") + "\n")


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
