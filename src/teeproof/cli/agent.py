"""``teeproof agent``: say who can still change, stop or drain an agent, and what it did."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from teeproof.cli.options import PATH, at_option, output_options, time_of, trust_options
from teeproof.cli.screen import ColorChoice, Screen, short, standard
from teeproof.core.errors import Error, Unavailable, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from teeproof.agents.acted import Acted
    from teeproof.agents.known import Known
    from teeproof.agents.powers import Power
    from teeproof.chain.standing import FundState
    from teeproof.proof.source import Read, Source
    from teeproof.proof.verify import ProofVerdict, Trust

__all__ = ["command"]

_LEAST = 8  # digits of an id
_NEWEST = 500  # actions of a log in which agents are looked for
_SHOWN = 20  # lines of the journal; JSON has all that was looked at
_COLUMN = 22
_LABELS = 28  # of a mandate, which are longer
_PATIENCE = 60.0  # seconds for all that the chain is asked
_STYLES = {
    "nobody": ("green", "bold"), "bounded": ("yellow", "bold"), "somebody": ("red", "bold"),
    "simulated": ("magenta", "bold"), "not_checked": ("bold",),
}  # fmt: skip


class _Found(NamedTuple):
    acted: Acted
    verdict: ProofVerdict
    source: Source


@click.command("agent")
@click.argument("source", metavar="LOG-DIRECTORY|FILE.proof", type=PATH)
@click.argument("name", metavar="[ID]", required=False)
@trust_options
@click.option(
    "--chain", metavar="URL",
    help="A node of the chain that the agent's fund is on, which is believed; without one, what the"
    " fund's code lets whom do is not checked.",
)  # fmt: skip
@at_option("Verify as of this time (2026-02-25, or with a time of day); without it, now.")
@click.option("--all", "every", is_flag=True, help="Show how each answer is known.")
@output_options
def command(
    source: Path,
    name: str | None,
    *,
    policy: str | None,
    logs: Path | None,
    chain: str | None,
    at: str | None,
    every: bool,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Say who can still change, stop or drain an agent, and what it did.

    ID is an agent or one of its actions, or the first 8 digits; it is not needed where there is one
    agent. Each answer is worked out from the proof of the agent's last action under your policy,
    from its mandate, and from its fund's contract. Nothing is fetched but from --chain.

    \b
    Examples
      teeproof agent trade.proof --policy mine.toml --logs trusted-logs
      teeproof agent log/ --policy mine.toml --chain http://127.0.0.1:8545 --all
    """  # noqa: D301  click reads the \b
    import teeproof.cli.chapters  # noqa: F401, PLC0415  every kind of statement, and its judge
    from teeproof.agents.known import known_of  # noqa: PLC0415  needs the chain's libraries
    from teeproof.agents.powers import powers  # noqa: PLC0415
    from teeproof.agents.telling import agent_json  # noqa: PLC0415

    trust = _trust(policy, logs, at)
    find = _in_log if source.is_dir() else _in_proof
    with closing(find(source, name, trust, at)) as opened:
        found = next(opened)
        mandate = found.acted.latest.action.mandate
        fund, unasked = _fund(mandate.fund, chain)
        known = known_of(found.acted, found.verdict, found.source, fund=fund, unasked=unasked)
    told, screen = powers(known), standard(color)
    code = found.verdict.exit_code or (3 if chain is not None and fund is None else 0)
    if as_json:
        verdict = {"exit_code": code, "answer": str(found.verdict), "level": found.verdict.level}
        screen.json({"ok": code == 0, "verdict": verdict, **agent_json(known, found.acted, told)})
    else:
        _write(screen, known, found, told, every=every)
    return code


def _trust(policy: str | None, logs: Path | None, at: str | None) -> Trust:
    from teeproof.cli.asked import Asked, trust_of  # noqa: PLC0415
    from teeproof.cli.expectations import policy_of  # noqa: PLC0415

    expected = None if policy is None else policy_of(policy)
    trust: Trust = trust_of(
        Asked(files=(), policy=expected, author_policy=None, logs=logs, blocks=(), now=time_of(at),
              every=False, as_json=False)
    )  # fmt: skip
    return trust


def _in_log(source: Path, name: str | None, trust: Trust, at: str | None) -> Any:
    """Yield the agent of a log's directory."""
    from teeproof.agents.acted import numbers_of  # noqa: PLC0415
    from teeproof.agents.statements import ACTION, RECHECK  # noqa: PLC0415
    from teeproof.explorer.log.content import Book  # noqa: PLC0415
    from teeproof.proof.log.contents import Contents  # noqa: PLC0415
    from teeproof.proof.log.storage.log import Log  # noqa: PLC0415

    if not (source / "log.json").is_file():
        raise Usage(
            "this is no log's directory", code="log_missing",
            expected="a proof file, or a directory that teeproof log init made", got=str(source),
        )  # fmt: skip
    book = Book(source, trust=trust, now=lambda: time_of(at))
    reads = book.reads([bytes.fromhex(one.id) for one in book.roll.of(ACTION, count=_NEWEST)])
    later = book.reads([bytes.fromhex(one.id) for one in book.roll.of(RECHECK, count=_NEWEST)])
    actions = {read.id.hex(): numbers_of([read]) for read in reads}
    with Log.open(source, read_only=True) as log, closing(Contents(log)) as contents:
        acted = _one(contents, numbers_of(reads), actions, name, later[::-1])
        yield _Found(acted, book.page(bytes.fromhex(acted.latest.statement[7:])).verdict, contents)


def _in_proof(source: Path, name: str | None, trust: Trust, at: str | None) -> Any:
    """Yield the agent of a proof file."""
    from teeproof.agents.acted import numbers_of  # noqa: PLC0415
    from teeproof.proof.file import ProofFile  # noqa: PLC0415
    from teeproof.proof.source import read_record  # noqa: PLC0415
    from teeproof.proof.verify import verify_proof  # noqa: PLC0415

    with ProofFile.open(source) as proof:
        records = (proof.statement(one) for one in proof.statement_ids)
        reads = [read_record(data) for data in records if data is not None]
        actions = {read.id.hex(): numbers_of([read]) for read in reads}
        acted = _one(proof, numbers_of(reads), actions, name, reads)
        yield _Found(acted, verify_proof(proof, now=time_of(at), trust=trust), proof)


def _one(
    source: Source, agents: Mapping[str, Sequence[int]],
    actions: Mapping[str, Mapping[str, Sequence[int]]], name: str | None,
    rechecks: Sequence[Read],
) -> Acted:  # fmt: skip
    """Return the agent that a person means, by its own digits or by those of an action.

    Raises:
        Unavailable: there is none (``agent_unknown``). Usage: there are several, or these are no
        digits (``agent_ambiguous``, ``id_malformed``).
    """
    from teeproof.agents.acted import acted_by  # noqa: PLC0415

    digits = "" if name is None else name.strip().lower().removeprefix("sha256:").rstrip("….")
    if name is not None and (len(digits) < _LEAST or digits.strip("0123456789abcdef")):
        raise Usage(
            "this is no agent's id", code="id_malformed",
            expected=f"64 hex digits or the first {_LEAST} or more", got=name[:100],
        )  # fmt: skip
    meant = [one for one in agents if one[7:].startswith(digits)]
    meant += [one for id_, said in actions.items() if digits and id_.startswith(digits)
              for one in said]  # fmt: skip
    if len(digits) == 64 and not meant:
        meant = [f"sha256:{digits}"]
    found = (
        acted_by(source, one, hints=agents.get(one, ()), rechecks=rechecks)
        for one in dict.fromkeys(meant)
    )
    every = [acted for acted in found if acted is not None]
    if not every:
        raise Unavailable(
            "there is no such agent here: no action of it is signed by its own key",
            code="agent_unknown", expected="an agent, or one of its actions", got=name or "no name",
        )  # fmt: skip
    if len(every) > 1:
        raise Usage(
            "there are several agents: name one", code="agent_ambiguous",
            expected=", ".join(short(one.agent, 12) for one in every[:8]), got=name or "no name",
        )  # fmt: skip
    return every[0]


def _fund(address: str, chain: str | None) -> tuple[FundState | None, str]:
    """Return what a block holds of a fund, or why it is not known."""
    if chain is None:
        return None, "no chain was asked"
    from teeproof.chain.onlooker import Onlooker  # noqa: PLC0415
    from teeproof.chain.standing import fund_state  # noqa: PLC0415

    onlooker = Onlooker(chain, patience=_PATIENCE)
    try:
        return onlooker.ask(lambda node, in_time: fund_state(node, address, in_time=in_time)), ""
    except Error as error:
        return None, f"the node at {chain} did not say: {error.detail}"
    finally:
        onlooker.close()


def _write(
    screen: Screen, known: Known, found: _Found, told: Sequence[Power], *, every: bool
) -> None:
    from teeproof.agents.telling import as_of, holding, journal, mandate_lines  # noqa: PLC0415

    acted = found.acted
    screen.copied("agent", known.agent, "bold")
    screen.row("signs as", known.address)
    screen.row("last action", f"{acted.last}, {short(known.statement)}: {found.verdict}")
    screen.row("known from", as_of(known))
    screen.title("Who can still")
    for one in told:
        screen.row(one.question, one.who, *_STYLES[one.state], column=_COLUMN)
        if one.if_real:
            screen.row("", f"were it real: {one.if_real}", column=_COLUMN)
        if one.check:
            screen.row("", f"not checked: {one.check}", "dim", column=_COLUMN)
        for reason in one.reasons if every else ():
            ref = f" ({reason.kind}{': ' + short(reason.ref) if reason.ref else ''})"
            screen.row("", f"{reason.text}{ref}", "dim", column=_COLUMN)
    screen.title("Mandate")
    for label, words in mandate_lines(known.mandate):
        screen.row(label, words, column=_LABELS)
    held = holding(known, acted)
    screen.title("Holds")
    screen.row("its fund", " and ".join(held["assets"]) or "not known", column=_COLUMN)
    screen.row("as of", f"{held['as_of']}; {held['who_says']}", column=_COLUMN)
    screen.title(f"Did ({acted.first} to {acted.last}, newest first)")
    if acted.crowded:
        numbers = ", ".join(map(str, acted.crowded[:_SHOWN]))
        screen.text(f"CROWDED: so many statements claim turn {numbers} that not all were looked at:"
                    " what the agent said there may be hidden")  # fmt: skip
    for row in journal(acted)[:_SHOWN]:
        rules = ", ".join(rule["rule"] for rule in row.get("rules", ()))
        why = f" by {rules}" if rules else ""
        forked = " FORKED: two things were said of this turn" if row.get("forked") else ""
        text = f"“{row['text']}”: " if "text" in row else ""
        done = row.get("traded") or row["detail"]
        screen.row(f"{row['number']}", f"{text}{row['outcome']}{why}; {done}{forked}", column=6)
        for one in row["later"]:
            screen.row("", f"later: {one['outcome']}; {one['detail']}", column=6)
