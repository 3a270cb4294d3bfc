"""The verdict on a proof, told in one sentence and five answers."""

from __future__ import annotations

from typing import Any

from teeproof.core.text import many
from teeproof.evidence.verdict import Check
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
from teeproof.explorer.telling.sentences import clause
from teeproof.explorer.telling.times import day
from teeproof.proof.source import Read
from teeproof.proof.verify import Fault, IdentityVerdict, ProofVerdict

__all__ = ["KINDS", "framed", "told_proof"]

_WHERE = {
    "hardware": "On real hardware of {kind}",
    "measured": "On a machine that a TPM measured",
    "simulated": "On SIMULATED machines",
    None: "On machines of which nothing is established",
}
KINDS = {"tdx": "Intel TDX", "sgx": "Intel SGX", "sev-snp": "AMD SEV-SNP", "nitro": "AWS Nitro"}
_CODE = ("compose_hash", "measurement", "mrtd", "mrenclave", "pcr0")
_CODE_WORDS = {
    "compose_hash": "its application (the hash of its compose file)",
    "measurement": "what it started with (its launch measurement)",
    "mrtd": "the firmware it started with (MRTD)",
    "mrenclave": "its program (MRENCLAVE)",
    "pcr0": "its image (PCR0)",
}


def told_proof(verdict: ProofVerdict, read: Read, body: Any, *, command: str) -> Telling:
    """Return what a proof's verdict means for one of its statements.

    Args:
        verdict: on the proof.
        read: the statement.
        body: the same as plain JSON.
        command: what a person types to check the same.
    """
    said = clause(read.type, body.get("predicate", body), title=read.title)
    code, level = verdict.exit_code, verdict.level
    author = _author(verdict, read)
    return Telling(
        badge=badge(code, level),
        tone=tone_of(code, level, confidential=verdict.confidential),
        sentence=_sentence(verdict, said, author),
        blocks=(
            _who(verdict, read, author),
            _when(verdict, read),
            strength(
                level,
                confidential=verdict.confidential,
                why_not=_why_readable(verdict),
                kinds=[one.evidence.kind for one in verdict.identities if one.evidence is not None],
            ),
            open_questions(*_all_checks(verdict, read)),
            _next(verdict, command),
        ),
    )  # fmt: skip


def framed(verdict: ProofVerdict, read: Read, said: str) -> str:
    """Return what is said in one sentence that tells first how far it can be relied on.

    Args:
        verdict: on a proof.
        read: the statement in it that says so.
        said: a clause, to stand after "On a machine of this kind,".
    """
    return _sentence(verdict, said, _author(verdict, read))


def _sentence(verdict: ProofVerdict, said: str, author: IdentityVerdict | None) -> str:
    kind = _kind(author)
    if verdict.exit_code == 2:
        return f"Do not rely on this: a check failed. It claims that {said}."
    if verdict.exit_code == 3:
        return f"Nobody can tell yet: something is missing. It claims that {said}."
    where = _WHERE[verdict.level].format(kind=kind)
    if verdict.exit_code == 4:
        return f"{where}, {said}; the policy here does not allow that."
    return f"{where}, {said}."


def _author(verdict: ProofVerdict, read: Read) -> IdentityVerdict | None:
    name = next((s.author for s in verdict.statements if s.id == f"sha256:{read.id.hex()}"), None)
    return next((one for one in verdict.identities if one.id == name), None)


def _kind(author: IdentityVerdict | None) -> str:
    kind = "" if author is None or author.evidence is None else author.evidence.kind
    return KINDS.get(kind, kind or "an unknown kind")


def _who(verdict: ProofVerdict, read: Read, author: IdentityVerdict | None) -> Block:
    if author is None:
        none = (
            "The statement names no author whose record is here: nobody is shown to have said it."
        )
        return Block(title="Who ran this?", short="Nobody known", lines=(none,), tone="bad")
    machine = author.evidence
    simulated = machine is not None and machine.level == "simulated"
    where = "a simulated " if simulated else "a "
    short = f"A program in {where}{_kind(author)} machine; no person is named"
    lines = [f"It signs with keys of its own: identity {author.id[7:23]}…"]
    code = _code(author)
    if code is not None:
        lines.append(f"The machine measured {_CODE_WORDS[code[0]]}: {code[1][:16]}…")
    lines.append("A measurement names code, and no person or company: compare it with the one that"
                 " you expect.")  # fmt: skip
    others = len(verdict.identities) - 1
    if others > 0:
        lines.append(f"What it rests on was said by {others} other program{'s' * (others > 1)}.")
    if not author.ok:
        lines.insert(0, "Its identity does not hold, so these are claims.")
    return Block(title="Who ran this?", short=short, lines=tuple(lines),
                 tone="bad" if not author.ok else "unknown")  # fmt: skip


def _code(author: IdentityVerdict) -> tuple[str, str] | None:
    facts = {} if author.evidence is None else author.evidence.facts
    places = [facts.get("application"), facts]
    for name in _CODE:
        for place in places:
            if isinstance(place, dict) and isinstance(place.get(name), str):
                return name, place[name]
    return None


def _when(verdict: ProofVerdict, read: Read) -> Block:
    made = f"{_some(len(read.links), 'input')} and {_some(len(read.subjects), 'output')}"
    rest = _some(len(verdict.statements) - 1, "further statement")
    time = next((s.time for s in verdict.statements if s.id == f"sha256:{read.id.hex()}"), None)
    origins = [log.origin for log in verdict.logs]
    lines = [
        "Witnesses trusted here saw it by then." if time
        else "Nobody who is trusted here vouches for a time.",
        f"Written to the log {', '.join(origins[:3])}." if origins else "In no log.",
        f"It names {made}; its proof holds {rest}.",
        "A program says this of itself. That it ran as measured is what the hardware vouches for;"
        " that its code is right, its reader must know.",
    ]  # fmt: skip
    short = f"No later than {day(time)}" if time else "Nobody can tell"
    return Block(title="When was it said?", short=short, lines=tuple(lines))


def _some(count: int, noun: str) -> str:
    return many(count, noun) if count else f"no {noun}"


def _why_readable(verdict: ProofVerdict) -> str:
    if verdict.level == "simulated":
        return "simulated evidence keeps no secret"
    if verdict.level is None:
        return "no machine is shown to keep anything from its operator"
    if verdict.level == "measured":
        return "a TPM does not encrypt memory"
    return "it is not shown that every machine here keeps its memory from its host"


def _all_checks(verdict: ProofVerdict, read: Read) -> tuple[list[Check], list[Check]]:
    """Return the checks of the statement and of its proof, and those of all that it rests on."""
    name = f"sha256:{read.id.hex()}"
    own = [check for one in verdict.statements if one.id == name for check in one.checks]
    machines = [one.evidence for one in verdict.identities if one.evidence is not None]
    return [*own, *verdict.checks], [
        *(check for one in verdict.statements if one.id != name for check in one.checks),
        *(check for log in verdict.logs for check in log.checks),
        *(check for identity in verdict.identities for check in identity.checks),
        *(check for machine in machines for check in machine.checks),
    ]


def _next(verdict: ProofVerdict, command: str) -> Block:
    code, level = verdict.exit_code, verdict.level
    fault = _gravest(verdict.faults)
    if code == 0 and level == "hardware":
        short = "Check it yourself, then compare the code"
        lines = ["Run the command on your own machine: this page could lie.",
                 "Then compare the measured code with the code that you expect."]  # fmt: skip
    elif code == 0:
        short = "Treat it as a rehearsal" if level == "simulated" else "Check it yourself"
        rehearsal = "Put nothing of value behind it: ask for the same from real hardware."
        shared = "Keep secrets out of it: its host may read them."
        lines = [
            rehearsal if level == "simulated" else shared,
            "The command checks the same on your own machine; this page could lie.",
        ]
    else:
        short = {
            2: "Do not rely on it",
            3: "Get what is missing",
            4: "Do not use it under this policy",
        }[code]
        ask = "Ask whoever gave it to you for a proof that holds."
        lines = [ask if code == 2 else "It holds as far as it goes; see the checks below."]
        if fault is not None:
            lines.insert(0, f"{fault.check.name}: {sentence(fault.check.detail)}")
        lines.append("The command shows the same on your own machine.")
    tone: Tone = "bad" if code == 2 else "unknown"
    return Block(title="What do I do next?", short=short, lines=tuple(lines), tone=tone,
                 commands=(command,))  # fmt: skip


def _gravest(faults: tuple[Fault, ...]) -> Fault | None:
    order = ("authenticity", "availability", "policy")
    return min(faults, key=lambda fault: order.index(fault.check.concern), default=None)
