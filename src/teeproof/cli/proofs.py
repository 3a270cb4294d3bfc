"""Write the verdict on a proof for people: what was said, by whom, when, and what does not hold.

Only what a verdict of level ``hardware`` says is green. A failed check stands with the path from
the root to the statement that it concerns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from teeproof.cli.screen import Screen, short
from teeproof.cli.verdicts import STRENGTHS, good_style, worded, write_check, write_opt_in
from teeproof.core.text import many
from teeproof.evidence.verdict import Check
from teeproof.proof.verify import Fault, IdentityVerdict, ProofVerdict, StatementVerdict

__all__ = ["answer", "counts", "write_faults", "write_proof_verdict"]

_SHOWN = 24  # statements that are listed one by one; more are counted by what they say
_FAULTS = 12
_CLAIMS = 3
_COLUMN = 14
_NAME = 24


def write_proof_verdict(
    screen: Screen, verdict: ProofVerdict, *, claims: Sequence[str] = (), every: bool = False
) -> None:
    """Write a proof's verdict, the answer last.

    Args:
        screen: where to.
        verdict: what to write.
        claims: what the statements say that the proof is about, a clause each.
        every: list each statement, and each check of the logs and identities.
    """
    for number, said in enumerate(claims[:_CLAIMS]):
        screen.row("" if number else "claims", said)
    if len(claims) > _CLAIMS:
        screen.row("", f"and {many(len(claims) - _CLAIMS, 'claim')} more")
    _write_strength(screen, verdict)
    _write_statements(screen, verdict, every=every)
    _write_identities(screen, verdict, every=every)
    _write_logs(screen, verdict, every=every)
    _write_whole(screen, verdict)
    if verdict.faults:
        screen.title("what does not hold")
        write_faults(screen, verdict)
    words, styles = answer(verdict)
    screen.write()
    screen.sides(words, counts(verdict), *styles)
    screen.sides(
        f"proof {short(verdict.provenance.proof_digest)}", f"verdict {short(verdict.key)}", "dim"
    )
    write_opt_in(screen, (fault.check for fault in verdict.faults))


def answer(verdict: ProofVerdict) -> tuple[str, tuple[str, ...]]:
    """Return the answer in a few words, and its styles."""
    missing = (f.check.detail for f in verdict.faults if f.check.concern == "availability")
    return worded(verdict.exit_code, verdict.level, next(missing, ""))


def counts(verdict: ProofVerdict) -> str:
    """Return how much was checked."""
    reasons = len(_alike(verdict.faults))
    fewer = 0 < reasons < len(verdict.faults)
    parts = [
        many(len(verdict.statements), "statement"),
        f"{len(verdict.identities)} identit{'y' if len(verdict.identities) == 1 else 'ies'}",
        many(len(verdict.logs), "log"),
        many(len(verdict.faults), "check") + " failed",
        *([f"for {many(reasons, 'reason')}"] if fewer else []),
    ]
    return ", ".join(parts)


def write_faults(screen: Screen, verdict: ProofVerdict) -> None:
    """Write the checks that failed, each with the edge or the machines that it concerns."""
    titles = {statement.id: statement for statement in verdict.statements}
    groups = _alike(verdict.faults)
    for group in groups[:_FAULTS]:
        for place in _where(group, titles):
            screen.text(place, "bold", indent=2)
        write_check(screen, group[0].check)
    if len(groups) > _FAULTS:
        rest = len(groups) - _FAULTS
        screen.text(f"… and {many(rest, 'more failed check')} (--json lists all)", "dim", indent=2)


def _alike(faults: tuple[Fault, ...]) -> list[list[Fault]]:
    """Put together what failed in the same way at several places; what a log says comes last.

    Where one entry is false, all of its log do not fit together; the entry's own check names it.
    """
    groups: dict[tuple[str, Check], list[Fault]] = {}
    for fault in faults:
        entered = fault.where in ("identity", "statement")
        groups.setdefault(("entry" if entered else fault.where, fault.check), []).append(fault)
    return sorted(groups.values(), key=lambda group: group[0].where == "log")


def _write_strength(screen: Screen, verdict: ProofVerdict) -> None:
    word, styles, meaning = STRENGTHS[verdict.level]
    screen.row("level", f"{word} – {meaning}", *styles)
    if verdict.level == "simulated":
        style: tuple[str, ...] = ("red",)
        private = "no: simulated evidence keeps no secret"
    elif verdict.confidential:
        private, style = _kept_from(verdict), good_style(verdict.level)
    elif verdict.level is None:
        private, style = "unknown: nothing is established", ("red",)
    else:
        private, style = "no: the host of at least one machine can read its memory", ("red",)
    screen.row("confidential", private, *style)
    if verdict.time:
        screen.row("said", f"no later than {verdict.time}")
    else:
        screen.row("said", "nobody that you trust vouches for when", "yellow")
    screen.row("as of", verdict.provenance.time)
    how = verdict.provenance
    screen.row(
        "policy", f"{how.policy} {short(how.policy_digest)}" if how.policy_digest else how.policy
    )
    screen.row("log policy", short(how.logs_digest) if how.logs_digest else "none (--logs FILE)")


def _kept_from(verdict: ProofVerdict) -> str:
    """Say whom the machines' memory is closed to; of Nitro, AWS itself is trusted."""
    kinds = {one.evidence.kind for one in verdict.identities if one.evidence is not None}
    enclaves = (
        "no instance can read the memory of an enclave beside it, if AWS's hypervisor is honest"
    )
    if kinds == {"nitro"}:
        return f"yes: {enclaves}"
    hosts = "no machine's host can read its memory"
    if kinds & {"azure-tdx", "azure-snp"}:
        hosts += ", if the paravisors that the policy lists are honest"
    return f"yes: {hosts}; {enclaves}" if "nitro" in kinds else f"yes: {hosts}"


def _write_statements(screen: Screen, verdict: ProofVerdict, *, every: bool) -> None:
    screen.title("statements, inputs first")
    listed = verdict.statements
    if len(listed) > _SHOWN and not every:
        for (title, good), count in Counter(
            (one.title or "unreadable", _holds(one)) for one in listed
        ).items():
            mark = _mark(screen, verdict, good)
            screen.row(f"{count} ×", title, mark=mark, column=10)
        listed = tuple(one for one in listed if one.id in verdict.roots)[:_SHOWN]
    for one in listed:
        _write_statement(screen, verdict, one)


def _write_statement(screen: Screen, verdict: ProofVerdict, one: StatementVerdict) -> None:
    mark = _mark(screen, verdict, _holds(one))
    author = f"by {_id(one.author)}" if one.author else "by nobody who is known here"
    inputs = [_id(below) for below in one.inputs]
    of = f" of {', '.join(inputs[:4])}{', …' if len(inputs) > 4 else ''}" if inputs else ""
    when = f", no later than {one.time}" if one.time else ""
    text = f"{one.title or 'unreadable'}{of} · {author}{when}"
    screen.row(_id(one.id), text, mark=mark, column=12)


def _write_identities(screen: Screen, verdict: ProofVerdict, *, every: bool) -> None:
    shown = verdict.identities if every else verdict.identities[:_SHOWN]
    now = {one.time for one in shown if not one.timed}
    alike = len(now) == 1 and not any(one.timed for one in shown)
    screen.title(f"identities, as of this check, {now.pop()}" if alike else "identities")
    for one in shown:
        machine = one.evidence
        level = "no evidence" if machine is None else machine.level or "nothing established"
        timed = "as of" if one.timed else "as of this check,"
        kind = "" if machine is None else f"{machine.kind.upper()} "
        text = f"{kind}{level}" if alike else f"{kind}{level} {timed} {one.time}"
        screen.row(_id(one.id), text, mark=_mark(screen, verdict, one.ok), column=12)
        if every:
            _write_checks(screen, one)
    if len(shown) < len(verdict.identities):
        rest = verdict.identities[len(shown) :]
        bad = sum(not one.ok for one in rest)
        screen.text(f"… and {len(rest)} more, of which {bad} do not hold (--all)", "dim", indent=2)


def _write_checks(screen: Screen, one: IdentityVerdict) -> None:
    for check in one.checks:
        write_check(screen, check)


def _write_logs(screen: Screen, verdict: ProofVerdict, *, every: bool) -> None:
    if not verdict.logs:
        screen.title("logs")
        screen.text("none: nothing says when this was said, or that it was said to all", indent=2)
    for log in verdict.logs:
        screen.title(f"log {log.origin}")
        kept: list[Check] = []
        for check in log.checks:
            if every or check.state == "failed" or check.name not in {c.name for c in kept}:
                kept.append(check)
        for check in kept:
            write_check(screen, check, good=good_style(verdict.level))


def _write_whole(screen: Screen, verdict: ProofVerdict) -> None:
    open_questions = Counter(
        check.detail
        for one in verdict.statements
        for check in one.checks
        if check.state == "not_checked" and check.name in ("origins", "form")
    )
    screen.title("the whole")
    for check in verdict.checks:
        write_check(screen, check, good=good_style(verdict.level))
    for detail, count in open_questions.most_common(6):
        times = f"{count} × " if count > 1 else ""
        screen.row(
            "", f"not checked: {times}{detail}", "dim", column=0,
            mark=screen.paint("–", "yellow", "bold"),
        )  # fmt: skip


def _where(group: list[Fault], titles: dict[str, StatementVerdict]) -> list[str]:
    """Say where a check failed, and which way leads there from what the proof is about."""
    people = [fault for fault in group if fault.where in ("identity", "evidence")]
    said = [fault for fault in group if fault.where == "statement"]
    if not people and not said:
        return [f"log {group[0].subject}"] if group[0].where == "log" else []
    lines = []
    if people:
        who = ", ".join(_id(fault.subject) for fault in people[:4])
        several = len(people) > 1
        what = "machine of identity" if people[0].where == "evidence" else "identity"
        what = what.removesuffix("y") + "ies" if several else what
        lines.append(f"{what} {who}{', …' if len(people) > 4 else ''}")
    way = " ← ".join(f"{_title(titles, step)} {_id(step)}" for step in (said or people)[0].path)
    if people and said:
        lines.append(f"and {many(len(said), 'statement')}{f', such as: {way}' if way else ''}")
    elif people:
        lines += [f"which says: {way}"] if way else []
    else:
        lines.append(way)
        lines += [f"and {many(len(said) - 1, 'more statement')}"] if len(said) > 1 else []
    return lines


def _title(titles: dict[str, StatementVerdict], step: str) -> str:
    found = titles.get(step)
    return found.title if found and found.title else "statement"


def _holds(one: StatementVerdict) -> bool:
    return not any(check.state == "failed" for check in one.checks)


def _mark(screen: Screen, verdict: ProofVerdict, good: bool) -> str:
    return (
        screen.paint("✓", *good_style(verdict.level)) if good else screen.paint("✗", "red", "bold")
    )


def _id(name: str) -> str:
    return name.rpartition(":")[2][:8]
