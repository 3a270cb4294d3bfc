"""What a log shows of a node of a market, told in one sentence and five answers.

    what does it offer · is it admitted · how strong is it · what was not checked · what to do next

The words on the machine follow from verified evidence and from the market's decision, made once
more by the verifier. Region and labels are the owner's word, and are told as such.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from teeproof.core.clock import to_epoch
from teeproof.core.text import cut
from teeproof.evidence.verdict import Check, Verdict
from teeproof.explorer.telling.answer import (
    Block,
    Telling,
    Tone,
    badge,
    open_questions,
    sentence,
    strength,
    tone_of,
)
from teeproof.explorer.telling.evidence import why_readable
from teeproof.explorer.telling.times import moment
from teeproof.network.admission import Decision, Reason
from teeproof.network.claim import NodeClaim
from teeproof.network.terms import Terms
from teeproof.proof.verify import ProofVerdict

if TYPE_CHECKING:
    from teeproof.explorer.machines.node import NodePage

__all__ = ["TEES", "gpus_told", "money_words", "offer_words", "time_words", "told_node"]

TEES: Mapping[str, str] = {
    "none": "nothing vouches for it",
    "sim": "a SIMULATOR vouches for it, which proves nothing",
    "cpu": "the processor's vendor vouches for it",
    "cpu+gpu": "the processor's vendor vouches for it, and the GPUs' vendor for each GPU",
}
"""What vouches for a node, by the market's label."""


def told_node(page: NodePage, *, command: str) -> Telling:
    """Return what is known of a node; ``command`` is what a person types to check the same."""
    verdict, claim, decision, terms = page.together.verdict, page.claim, page.decision, page.terms
    code = verdict.exit_code
    machine = None if page.node is None else page.node.evidence
    level = None if machine is None else machine.level
    refused = decision is not None and not decision.admitted
    tone, words = tone_of(code, level), badge(code, level)
    if code in (0, 4) and refused:
        tone, words = "bad", "REFUSED BY THE MARKET"
    elif code == 0 and decision is None:
        tone, words = "unknown", "NO MARKET HAS DECIDED"
    return Telling(
        badge=words, tone=tone,
        sentence=_sentence(page, level),
        blocks=(
            _offers(claim, terms),
            _admitted(page),
            _strong(claim, machine, holds=page.node is not None and page.node.ok),
            open_questions(page.own, _further(verdict, page.own)),
            _next(verdict, decision, command, level=level),
        ),
    )  # fmt: skip


def offer_words(claim: NodeClaim) -> str:
    """Return what a node has, in words: ``8 cores, 32 GiB, 1 H100``."""
    hardware = claim.hardware
    memory = hardware.memory_mib
    size = f"{memory // 1024} GiB" if memory % 1024 == 0 else f"{memory} MiB"
    gpus = claim.gpus_in_words
    cores = f"{hardware.cpus} core{'s' * (hardware.cpus != 1)}"
    return cut(f"{cores}, {size}, {'no GPU' if gpus == 'none' else gpus}", 160)


def money_words(amount: str, asset: str | None) -> str:
    """Return an amount as it is written, with what it is an amount of."""
    of = {None: "", "test": " of test money"}.get(asset, f" of {cut(asset or '', 80)}")
    return f"{cut(amount, 40)} micro-units{of}"


def time_words(seconds: int) -> str:
    """Return a time that a statement names, whatever number stands there."""
    return moment(seconds) or "a time that is none"


def _sentence(page: NodePage, level: str | None) -> str:
    claim, decision, terms = page.claim, page.decision, page.terms
    code = page.together.verdict.exit_code
    if claim is None:
        what = "A machine"
    else:
        price = money_words(claim.price, None if terms is None else terms.asset)
        what = f"“{cut(claim.name, 60)}” offers {offer_words(claim)} at {price} a second"
    market = f"the market “{cut(terms.market, 60)}”" if terms is not None else "a market"
    if code == 2:
        return f"Do not rely on this: a check failed. It claims that {what}."
    if code == 3:
        return f"Nobody can tell yet: something is missing. It claims that {what}."
    if decision is None:
        done = "no market has said whether it admits it"
    elif decision.admitted:
        done = f"{market} admitted it"
    else:
        why = decision.reasons[0].detail if decision.reasons else "it does not say why"
        done = f"{market} refused it: {cut(why, 200)}"
    if page.contrary and decision is not None:
        done += f", and another market {'refused' if decision.admitted else 'admitted'} it"
    where = " Its machine is SIMULATED." if level == "simulated" else ""
    return f"{what}; {done}.{where}"


def _offers(claim: NodeClaim | None, terms: Terms | None) -> Block:
    title = "What does it offer?"
    if claim is None:
        line = "Its claim is not in this log."
        return Block(title=title, short="Not known", lines=(line,))
    asset = None if terms is None else terms.asset
    points = [
        ("Price", f"{money_words(claim.price, asset)} a second"),
        ("Where it says it stands", f"{cut(claim.region, 60)}; nobody checks that"),
        ("Who is paid", cut(claim.payout, 60)),
    ]
    if claim.labels:
        listed = ", ".join(f"{k}={v}" for k, v in list(claim.labels.items())[:8])
        points.append(("Labels", f"{cut(listed, 200)}; nobody checks them"))
    line = (
        "Cores and memory are counted by the node's own program: that is worth as much as its"
        " code, and as the machine that measured it."
    )
    return Block(title=title, short=offer_words(claim), points=tuple(points), lines=(line,))


def _admitted(page: NodePage) -> Block:
    title, decision, terms = "Is it admitted?", page.decision, page.terms
    if decision is None:
        line = "Nobody in this log has decided on it."
        return Block(title=title, short="Not decided", lines=(line,))
    again = next((one for one in page.own if one.name == "admission"), None)
    lines = []
    if again is not None and again.state == "passed":
        lines.append("The decision was made once more from claim, evidence and terms: it is the"
                     " same.")  # fmt: skip
    elif again is not None:
        lines.append(sentence(again.detail))
    if page.market:
        lines.append(f"That market is identity {page.market[:16]}…: its name is its own word.")
    if page.contrary:
        lines.append("Another market, whose decision holds too, decided otherwise: see below.")
    by = "" if terms is None else f" by the market “{cut(terms.market, 60)}”"
    if decision.admitted:
        short = f"Admitted{by}"
        stale = to_epoch(page.together.at) >= decision.until
        fresh = "its evidence counted" if stale else "its evidence counts"
        lines.append(
            f"On {time_words(decision.at)}; {fresh} as fresh until {time_words(decision.until)}."
        )
        if stale:
            lines.append("That is past: whether it is still there, this decision does not say.")
        lines.append(f"Label {decision.tee}: {TEES[decision.tee]}.")
        return Block(title=title, short=short, lines=tuple(lines))
    points = tuple((cut(one.code, 60), _why(one)) for one in decision.reasons[:6])
    if len(decision.reasons) > 6:
        lines.append(f"And {len(decision.reasons) - 6} reasons more: see the statement.")
    return Block(title=title, short=f"Refused{by}", points=points, lines=tuple(lines),
                 tone="bad")  # fmt: skip


def _why(reason: Reason) -> str:
    wanted, got = cut(reason.expected, 200) or "nothing", cut(reason.got, 200) or "nothing"
    return f"{cut(reason.detail, 300)}. Expected {wanted}; got {got}."


def gpus_told(claim: NodeClaim | None, machine: Verdict | None) -> str:
    """Return whether the GPUs are shown, and what ties them to the machine, in words."""
    claimed = "none" if claim is None else claim.gpus_in_words
    proven = machine.facts.get("gpus") if machine is not None and machine.authentic else None
    devices: list[Any] = proven.get("devices", []) if isinstance(proven, Mapping) else []
    if claimed == "none" and not devices:
        return "It claims none."
    if not devices:
        return (
            f"Not checked: it claims {cut(claimed, 80)}, and nothing binds any GPU to its machine."
        )
    count = sum(not one.get("is_switch") for one in devices)
    simulated = any(one.get("level") != "hardware" for one in devices)
    by = "a SIMULATOR" if simulated else "their vendor"
    return (
        f"{count} answered the nonce that this machine's own evidence determines, and {by} vouches"
        " for each. That they sit in this machine no report shows: not checked."
    )


def _strong(claim: NodeClaim | None, machine: Verdict | None, *, holds: bool) -> Block:
    level = None if machine is None else machine.level
    made = strength(
        level,
        confidential=machine is not None and machine.confidential and holds,
        why_not="its evidence is not here" if machine is None else why_readable(machine),
        kinds=() if machine is None else (machine.kind,),
    )
    words = dict(made.points)
    points = (
        ("Is the machine real?", words["Are the machines real?"]),
        ("Could its operator read it?", words["Could their operator read it?"]),
        ("Are its GPUs real?", gpus_told(claim, machine)),
    )
    return dataclasses.replace(made, points=points)


def _further(verdict: ProofVerdict, own: Sequence[Check]) -> list[Check]:
    machines = [one.evidence for one in verdict.identities if one.evidence is not None]
    return [
        *(check for one in verdict.statements if one.checks != own for check in one.checks),
        *(check for one in verdict.identities for check in one.checks),
        *(check for machine in machines for check in machine.checks),
        *verdict.checks,
    ]


def _next(
    verdict: ProofVerdict, decision: Decision | None, command: str, *, level: str | None
) -> Block:
    code = verdict.exit_code
    tone: Tone = "bad" if code == 2 else "unknown"
    lines = []
    fault = next(iter(verdict.faults), None)
    if fault is not None:
        lines.append(f"{fault.check.name}: {sentence(fault.check.detail)}")
    if code == 2:
        short = "Do not rely on it"
    elif code == 3:
        short = "Get what is missing"
    elif decision is None or not decision.admitted:
        short = "Do not rent it"
        lines.append("Its owner may put right what the market names, and register it anew.")
    elif level == "simulated":
        short = "Treat it as a rehearsal"
        lines.append("Put nothing of value on it: ask for a node on real hardware.")
    elif code == 4:
        short = "Do not use it under this policy"
    else:
        short = "Ask for fresh evidence when you rent it"
        lines.append("Before secrets go there, have your own program attest on it: this page tells"
                     " of the machine as it was admitted.")  # fmt: skip
    lines.append("The command checks the same on your own machine; this page could lie.")
    return Block(title="What do I do next?", short=short, lines=tuple(lines), tone=tone,
                 commands=(command,))  # fmt: skip
