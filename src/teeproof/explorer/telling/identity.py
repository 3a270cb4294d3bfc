"""The verdict on one identity, told in one sentence and five answers: a machine that runs code.

what runs there · what may it sign · how strong is it · what was not checked · what to do next
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from teeproof.core.clock import format_time, to_epoch
from teeproof.core.text import cut
from teeproof.evidence.verdict import Verdict
from teeproof.explorer.machines.code import Code
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
from teeproof.explorer.telling.evidence import machine_words, why_readable
from teeproof.explorer.telling.times import day
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.keys import Key
from teeproof.proof.verify import IdentityVerdict

__all__ = ["ROLES", "found_code", "is_expired", "told_identity"]

ROLES: Mapping[str, str] = {
    "statement": "signs what this program says: its statements",
    "receipt": "signs receipts: which answer was given to which question",
    "chain": "signs orders to a blockchain (EIP-712 data), and nothing else",
    "legacy": "signs receipts for clients of older inference services",
    "seal": "signs nothing: others seal files so that only this program opens them",
    "e2ee": "signs nothing: clients encrypt their requests to it",
    "tls": "signs its side of TLS connections",
    "model": "signs models",
    "log": "signs a log's checkpoints",
    "witness": "cosigns logs' checkpoints",
    "verdict": "signs verdicts of a verifier",
}
"""What a key of each role may be made to do."""

_CODE = ("compose_hash", "measurement", "mrenclave", "pcr0", "mrtd")
_CODE_CHECKS: Mapping[str, str] = {
    "compose_hash": "compose-hash", "measurement": "measurement", "mrenclave": "mrenclave",
    "pcr0": "pcr0", "mrtd": "mrtd",
}  # fmt: skip
_CODE_WORDS: Mapping[str, str] = {
    "compose_hash": "the application whose compose file has the hash",
    "measurement": "what started with the launch measurement",
    "mrenclave": "the enclave with MRENCLAVE",
    "pcr0": "the image with PCR0",
    "mrtd": "whatever was started by the firmware with MRTD",
}


def is_expired(record: IdentityRecord, now: datetime) -> bool:
    """Return whether the keys are past their end."""
    return to_epoch(now) > record.keys.not_after


def told_identity(
    verdict: IdentityVerdict,
    record: IdentityRecord,
    *,
    code: Code | None,
    now: datetime,
    commands: Sequence[str],
) -> Telling:
    """Return what a verdict on an identity means.

    Args:
        verdict: on the identity.
        record: the identity.
        code: its application, as far as its compose file is at hand and was measured.
        now: as of when the keys are told to be valid.
        commands: what a person types to check the same.
    """
    machine, exit_code = verdict.evidence, verdict.exit_code
    level = None if machine is None else machine.level
    expired = is_expired(record, now)
    tone = tone_of(exit_code, level)
    return Telling(
        badge=badge(exit_code, level) + (" · KEYS EXPIRED" if expired else ""),
        tone="unknown" if expired and tone == "good" else tone,
        sentence=_sentence(verdict, record, code, now),
        blocks=(
            _runs(verdict, machine, code),
            _signs(verdict, record, now),
            strength(
                level,
                confidential=machine is not None and machine.confidential and verdict.ok,
                why_not=_why_readable(verdict, machine),
                kinds=() if machine is None else (machine.kind,),
            ),
            open_questions([*verdict.checks, *(() if machine is None else machine.checks)]),
            _next(verdict, commands, expired=expired),
        ),
    )  # fmt: skip


def _sentence(
    verdict: IdentityVerdict, record: IdentityRecord, code: Code | None, now: datetime
) -> str:
    machine, exit_code = verdict.evidence, verdict.exit_code
    where = machine_words(record.claim.evidence[0].kind)
    named = f" of the program “{cut(code.name, 60)}”" if code is not None and code.name else ""
    ended = ""
    if is_expired(record, now):
        ended = (
            f" They expired on {verdict.not_after[:10]}: what they sign since counts for nothing."
        )
    if exit_code == 2:
        return f"Do not rely on these keys: a check failed. They claim to be in {where}.{ended}"
    if exit_code == 3:
        return (
            f"Nobody can tell yet whether these keys are in {where}: something is missing.{ended}"
        )
    if machine is not None and machine.level == "simulated":
        rest = "" if exit_code == 0 else ", and the policy here does not accept it"
        return (
            f"A SIMULATOR of {where} vouches for these keys{named}{rest}. Anybody can run a"
            f" simulator.{ended}"
        )
    held = f"These keys{named} were made in {where}"
    if exit_code == 4:
        return f"{held}; the policy here does not allow what it says.{ended}"
    return f"{held}, which measured the code that it runs.{ended}"


def found_code(machine: Verdict | None) -> tuple[str, str] | None:
    """Return by which fact verified evidence names the code, and the value in hex."""
    facts: Mapping[str, Any] = {} if machine is None or not machine.authentic else machine.facts
    application = facts.get("application")
    places = (application, facts) if isinstance(application, Mapping) else (facts,)
    for name in _CODE:
        for place in places:
            if isinstance(place.get(name), str):
                return name, str(place[name])
    return None


def _runs(verdict: IdentityVerdict, machine: Verdict | None, code: Code | None) -> Block:
    title, found = "What runs there?", found_code(machine)
    if found is None or machine is None:
        short, tone = "Not established", "bad" if verdict.exit_code == 2 else "unknown"
        lines = ("What its evidence says of its code does not hold, or is not here.",)
        return Block(title=title, short=short, lines=lines, tone=_tone(tone))
    name, value = found
    lines_ = [f"{_CODE_WORDS[name][:1].upper()}{_CODE_WORDS[name][1:]} {value}."]
    if code is not None:
        lines_ += [
            f"Its service “{one.service}” runs {one.reference}"
            + ("." if one.pinned else ": whatever stands behind that name today.")
            for one in code.images[:3]
        ]
    short = f"“{code.name}”" if code is not None and code.name else "A measured program"
    points = (("Is it expected here?", _expected(machine, name)),)
    lines_.append("Whoever has the source builds it and compares these digests; a digest says"
                  " which code it is, and not that it is good.")  # fmt: skip
    return Block(title=title, short=short, lines=tuple(lines_), points=points)


def _expected(machine: Verdict, name: str) -> str:
    """Return whether the policy here knows the code, in words."""
    check = next((one for one in machine.checks if one.name == _CODE_CHECKS[name]), None)
    if check is None or check.state == "not_checked":
        return "Not checked: the policy here lists no code."
    if check.state == "passed":
        return f"Yes: the policy “{machine.provenance.policy}” lists it."
    return f"No: the policy “{machine.provenance.policy}” lists other code."


def _signs(verdict: IdentityVerdict, record: IdentityRecord, now: datetime) -> Block:
    keys, at = record.keys, to_epoch(now)
    begins, ends = format_time(keys.not_before), format_time(keys.not_after)
    if at > keys.not_after:
        short, tone = f"Nothing any more: its keys expired on {ends[:10]}", "bad"
    elif keys.begins_after(at):
        short, tone = f"Nothing yet: its keys begin on {begins[:10]}", "bad"
    else:
        count = len(keys.keys)
        short, tone = (
            f"{count} key{'s' * (count != 1)}, valid until {(day(ends) or ends).partition(',')[0]}",
            "unknown",
        )
    points = tuple((_key_words(key), f"{ROLES.get(key.role, 'unknown')}.") for key in keys.keys)
    seen = (
        f"Seen no later than {day(verdict.time)}: witnesses trusted here say so."
        if verdict.timed
        else "Nobody who is trusted here vouches for when it was made."
    )
    lines = [f"From {day(begins)} until {day(ends)}, by the machine's own clock.", seen]
    if not verdict.ok:
        lines.insert(0, "The identity does not hold here, so these are claims.")
    return Block(title="What may it sign?", short=short, points=points, lines=tuple(lines),
                 tone=_tone(tone))  # fmt: skip


def _key_words(key: Key) -> str:
    domain = f" for {key.domain}" if key.domain else ""
    return f"{key.role} ({key.algorithm}){domain}"


def _why_readable(verdict: IdentityVerdict, machine: Verdict | None) -> str:
    if machine is None:
        return "its machine's evidence could not be read"
    if verdict.objection == "authenticity":
        return "the identity does not hold"
    return why_readable(machine)


def _next(verdict: IdentityVerdict, commands: Sequence[str], *, expired: bool) -> Block:
    code = verdict.exit_code
    level = None if verdict.evidence is None else verdict.evidence.level
    failure = next((c for c in verdict.failures if c.concern == verdict.objection), None)
    lines = [] if failure is None else [f"{failure.name}: {sentence(failure.detail)}"]
    if code in (2, 3):
        short = {2: "Do not rely on it", 3: "Get what is missing"}[code]
    elif level == "simulated":
        short = "Treat it as a rehearsal"
        lines.append("Put nothing of value behind it: ask for an identity on real hardware.")
    elif code == 4:
        short = "Do not use it under this policy"
    elif expired:
        short = "Ask for its successor"
        lines.append("What it said while its keys were valid still counts.")
    else:
        short = "Compare the code, then check it yourself"
    lines.append("Run the commands on your own machine: this page could lie.")
    return Block(title="What do I do next?", short=short, lines=tuple(lines),
                 tone="bad" if code == 2 else "unknown", commands=tuple(commands))  # fmt: skip


def _tone(word: str) -> Tone:
    return "bad" if word == "bad" else "unknown"
