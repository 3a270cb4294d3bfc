"""Who can give an agent orders, and who can stop it.

Trusts: nothing.  Does not trust: whoever instructs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from teeproof.agents.known import Known
from teeproof.agents.powers.machine import mandate
from teeproof.agents.powers.power import Power, Reason
from teeproof.core.clock import format_time
from teeproof.core.text import many

__all__ = ["orders", "stop"]

_ORDERS, _STOP = "give it orders", "stop it"
_YEAR_10000 = 253_402_300_800  # seconds since 1970; later moments have no date


def orders(known: Known) -> Power:
    """Who can give it orders: whom the mandate lists, or anyone; every order within its rules."""
    listed = known.mandate.instructors
    reasons = [
        Reason(text="the mandate's rules decide on every order, whoever gave it; what they stop is"
                    " in the journal below", kind="mandate", ref="assets, markets"),
    ]  # fmt: skip
    if not listed:
        anyone = Reason(text="its mandate lists no instructors", kind="mandate", ref="instructors")
        return _within(known, Power(
            name="orders", question=_ORDERS, state="bounded",
            who="Anyone who reaches it, within its mandate", reasons=(anyone, *reasons),
        ))  # fmt: skip
    named = [Reason(text=f"the holder of the key {key[:16]}…", kind="mandate", ref="instructors")
             for key in listed]  # fmt: skip
    keys = "one key" if len(listed) == 1 else f"{len(listed)} keys"
    return _within(known, Power(
        name="orders", question=_ORDERS, state="bounded",
        who=f"Whoever holds {keys} of its mandate, within it", reasons=(*named, *reasons),
    ))  # fmt: skip


def _within(known: Known, real: Power) -> Power:
    """Return the answer as far as its mandate holds: it binds only code that nobody can change."""
    held = mandate(known)
    if held.state == "nobody":
        return real
    if held.state == "simulated":
        return replace(real, state="simulated", who=held.who, if_real=real.who)
    if held.state == "somebody":
        return replace(real, state="somebody", who=held.who).because(*held.reasons)
    return replace(real, state="not_checked", check=held.check,
                   who="Not known: it is not shown that its mandate binds it")  # fmt: skip


def stop(known: Known) -> Power:
    """Who can stop it: whoever runs what it needs; no TEE keeps a machine switched on."""
    return Power(
        name="stop", question=_STOP, state="somebody", who=_who(known),
        reasons=tuple(_stoppers(known)),
    )  # fmt: skip


def _who(known: Known) -> str:
    kms = ", its KMS" if _needs_kms(known) else ""
    return f"Its operator{kms}, whoever serves its model"


def _stoppers(known: Known) -> Iterator[Reason]:
    yield Reason(text="its operator can switch the machine off, or keep the network from it",
                 kind="design")  # fmt: skip
    if _needs_kms(known):
        yield Reason(text="the KMS can refuse its keys at the next start", kind="evidence",
                     ref=known.identity)  # fmt: skip
    yield Reason(
        text=f"it follows answers of {many(len(known.mandate.weights), 'model')} only: without"
        " them it does nothing",
        kind="mandate", ref="weights",
    )  # fmt: skip
    if 0 < known.mandate.not_after < _YEAR_10000:
        ends = format_time(known.mandate.not_after)
        yield Reason(text=f"it stops by itself at {ends}", kind="mandate", ref="not_after")
    if known.fund is not None and known.fund.code == "Fund":
        yield Reason(
            text="stopped, it holds nobody's money back: the fund's contract pays depositors out"
            " without it",
            kind="contract", ref=known.fund.place.address,
        )  # fmt: skip


def _needs_kms(known: Known) -> bool:
    return known.machine.provider == "kms" and not known.machine.problem
