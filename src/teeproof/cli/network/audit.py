"""``teeproof network audit``: make each decision of a market again, and replay what it said."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from teeproof.cli.asked import Asked, trust_of
from teeproof.cli.expectations import policy_of
from teeproof.cli.options import PATH, at_option, output_options, time_of, trust_options
from teeproof.cli.proofs import answer, write_faults
from teeproof.cli.screen import ColorChoice, Screen, short, standard
from teeproof.cli.verdicts import good_style, write_check, write_opt_in
from teeproof.core.errors import TooLarge, Unavailable, Usage
from teeproof.core.text import cut

if TYPE_CHECKING:
    from teeproof.network.markets import Audited
    from teeproof.proof.file import ProofFile
    from teeproof.proof.log.contents import Contents
    from teeproof.proof.log.formats.checkpoint import Accept
    from teeproof.proof.verify import ProofVerdict

__all__ = ["command"]

MOST = 50_000
"""Statements of one audit: they are verified as one proof."""
_SHOWN = 12  # checks of a kind that are written; JSON has all


@click.command("audit")
@click.argument("source", metavar="LOG-DIRECTORY|FILE.proof", type=PATH)
@trust_options
@at_option("Verify as of this time (2026-02-25, or with a time of day); without it, now.")
@click.option("--all", "every", is_flag=True, help="Show every check, also those that passed.")
@output_options
def command(
    source: Path,
    *,
    policy: str | None,
    logs: Path | None,
    at: str | None,
    every: bool,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Make each decision of a market again, and replay all that it said, from its log or a proof.

    Each admission is decided again from claim, evidence and terms, each match from its offers, each
    lease and its end from the match; then the whole is put in order: was every offer in the book,
    is no number of the ledger used twice. What only the market could know is not checked, and says
    so. A proof shows as much as it holds: whether offers were left out, only the log shows.

    \b
    Examples
      teeproof network audit log/ --policy mine.toml --logs trusted-logs
      teeproof network audit lease.proof --json
    """  # noqa: D301  click reads the \b
    import teeproof.cli.chapters  # noqa: F401, PLC0415  every kind of statement, and its judge
    from teeproof.network.markets import KINDS, audit_markets  # noqa: PLC0415
    from teeproof.proof.verify import verify_proof  # noqa: PLC0415  only for proofs

    expected = None if policy is None else policy_of(policy)
    now = time_of(at)
    trust = trust_of(Asked(files=(), policy=expected, author_policy=None, logs=logs, blocks=(),
                           now=now, every=every, as_json=as_json))  # fmt: skip
    with _proof(source, trust.accepting(now)) as proof:
        verdict = verify_proof(proof, now=now, trust=trust)
        every_read = (proof.read(one) for one in proof.statement_ids)
        reads = [read for read in every_read if read is not None and read.type in KINDS]
    found, left_out = audit_markets(reads, verdict)
    if not found:
        raise Unavailable(
            "no market has said anything here", code="market_missing",
            expected="admissions, matches, leases and their ends", got=f"{len(reads)} statements",
        )  # fmt: skip
    code = _code(verdict, found)
    if as_json:
        standard(color).json({
            "ok": code == 0, "exit_code": code, "level": verdict.level,
            "complete": source.is_dir(), "markets": [one.to_json() for one in found],
            "left_out": list(left_out), "verdict": verdict.to_json(),
        })  # fmt: skip
    else:
        _write(standard(color), found, left_out, verdict, whole=source.is_dir(), every=every)
    return code


def _code(verdict: ProofVerdict, found: tuple[Audited, ...]) -> int:
    """Return the gravest exit code; a market whose story does not hold is not authentic."""
    return verdict.exit_code if all(one.ok for one in found) else verdict.exit_code or 2


@contextmanager
def _proof(source: Path, accept: Accept | None) -> Iterator[ProofFile]:
    """Yield a proof: the file, or of a log's directory all that markets and nodes said in it."""
    from teeproof.proof.file import ProofFile, export  # noqa: PLC0415

    if not source.is_dir():
        with ProofFile.open(source) as proof:
            if len(proof.statement_ids) > MOST:
                raise _too_many(len(proof.statement_ids))
            yield proof
        return
    from teeproof.proof.log.contents import Contents  # noqa: PLC0415
    from teeproof.proof.log.storage.log import Log  # noqa: PLC0415

    if not (source / "log.json").is_file():
        raise Usage(
            "this is no log's directory", code="log_missing",
            expected="a proof file, or a directory that teeproof log init made", got=str(source),
        )  # fmt: skip
    with tempfile.TemporaryFile() as scratch:
        with (
            Log.open(source, read_only=True) as log,
            closing(Contents(log, accept=accept)) as contents,
        ):
            export(contents, _told(contents), scratch, allow_missing=True)
        scratch.seek(0)
        data = scratch.read()
    with ProofFile.from_bytes(data) as proof:
        yield proof


def _told(contents: Contents) -> list[bytes]:
    """Return what markets and nodes said in a log."""
    from teeproof.network.markets import KINDS  # noqa: PLC0415
    from teeproof.proof.source import read_record  # noqa: PLC0415

    found: dict[bytes, None] = {}
    for one in contents.statements():
        record = contents.statement(one)
        if record is not None and read_record(record).type in KINDS:
            found[one] = None
            if len(found) > MOST:
                raise _too_many(len(found))
    if not found:
        raise Unavailable("no market has said anything here", code="market_missing")
    return list(found)


def _too_many(count: int) -> TooLarge:
    return TooLarge(
        "there is too much to be audited at once: audit proofs of parts of it",
        expected=f"at most {MOST} statements", got=f"{count} or more",
    )  # fmt: skip


def _write(
    screen: Screen, found: tuple[Audited, ...], left_out: tuple[str, ...], verdict: ProofVerdict,
    *, whole: bool, every: bool,
) -> None:  # fmt: skip
    good = good_style(verdict.level)
    for one in found:
        _write_market(screen, one, good=good, every=every)
    if not whole:
        screen.title("not checked")
        screen.text(
            "– a proof shows what it holds: whether a market left offers out, its log shows"
        )
    if left_out:
        screen.title("left out")
        screen.text(f"{len(left_out)} statements that nobody is shown to have said:"
                    f" {', '.join(map(short, left_out[:_SHOWN]))}")  # fmt: skip
    if verdict.faults:
        screen.title("what does not hold")
        write_faults(screen, verdict)
    words, styles = answer(verdict)
    holds = all(one.ok for one in found)
    story = "every market's story holds" if holds else "a market's story does not hold"
    screen.write()
    screen.sides(words if holds or verdict.exit_code else "NOT AUTHENTIC", story,
                 *(styles if holds or verdict.exit_code else ("red", "bold")))  # fmt: skip
    write_opt_in(screen, (fault.check for fault in verdict.faults))


def _write_market(screen: Screen, one: Audited, *, good: tuple[str, ...], every: bool) -> None:
    code = "no code that its evidence names" if one.code is None else f"code {short(one.code)}"
    screen.sides(f"market “{cut(one.name, 60)}”", code, "bold")
    refused = sum(one.refused.values())
    why = ", ".join(f"{count} × {cut(name, 60)}" for name, count in list(one.refused.items())[:8])
    screen.row(
        "nodes", f"{one.admitted} admissions; reasons to refuse: {why if refused else 'none'}"
    )
    screen.row("orders", f"{one.matches} answered, {one.matched} matched")
    paid = ", ".join(
        f"{amount} micro-units of {cut(asset, 80)}" for asset, amount in one.paid.items()
    )
    screen.row("leases", f"{one.leases} written, {one.closed} ended, paid {paid or 'nothing'}")
    screen.title("replayed")
    checks = sorted(one.replay, key=lambda check: check.state != "failed")
    for check in checks if every else checks[:_SHOWN]:
        write_check(screen, check, good=good)
    if len(checks) > _SHOWN and not every:
        screen.text(f"and {len(checks) - _SHOWN} more (--all shows each)")
    screen.title("decided again")
    for counted in one.judged:
        if counted.check.state == "passed" and not every and counted.check.name in _PLAIN:
            continue
        write_check(screen, _with_times(counted), good=good)
    screen.write()


_PLAIN = frozenset(
    {"form", "author", "signature", "key-expiry", "inputs", "subject", "inclusion", "checkpoint",
     "witnesses", "time"}
)  # fmt: skip
"""Checks that every statement has; they are written where one is not passed."""


def _with_times(counted: Any) -> Any:
    """Return a check that says how often it was made."""
    import msgspec  # noqa: PLC0415  only here

    if counted.times == 1:
        return counted.check
    detail = f"{counted.check.detail} ({counted.times} statements)"
    return msgspec.structs.replace(counted.check, detail=detail)
