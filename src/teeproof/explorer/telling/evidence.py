"""The verdict on one machine's evidence, told in one sentence and five answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from teeproof.evidence.verdict import Verdict
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
from teeproof.explorer.telling.times import day

__all__ = ["machine_words", "told_evidence", "why_readable"]

_MACHINES = {
    "tdx": "an Intel TDX machine",
    "sgx": "an Intel SGX enclave",
    "sev-snp": "an AMD SEV-SNP machine",
    "nitro": "an AWS Nitro enclave",
    "nvidia": "NVIDIA GPUs",
    "tpm": "a machine with a TPM",
    "azure-tdx": "an Azure machine on Intel TDX",
    "azure-snp": "an Azure machine on AMD SEV-SNP",
    "cca": "an Arm CCA realm",
}
_SHARED = {
    "debug": "debugging is on, and with it the host reads the memory",
    "service_td": "the memory is shared with a service domain",
    "migratable": "others may move the machine, with its memory",
}
_MEASURED: Mapping[str, str] = {
    "mrtd": "the firmware (MRTD)",
    "measurement": "what the guest started with",
    "mrenclave": "the enclave's program",
    "pcr0": "the enclave's image (PCR0)",
    "compose_hash": "the application's compose file",
}


def told_evidence(verdict: Verdict, *, command: str) -> Telling:
    """Return what a verdict on evidence means.

    Args:
        verdict: on the evidence.
        command: what a person types to check the same.
    """
    code, level = verdict.exit_code, verdict.level
    return Telling(
        badge=badge(code, level),
        tone=tone_of(code, level, confidential=verdict.confidential),
        sentence=_sentence(verdict),
        blocks=(
            _who(verdict),
            _what(verdict),
            strength(
                level,
                confidential=verdict.confidential,
                why_not=why_readable(verdict),
                kinds=(verdict.kind,),
            ),
            open_questions(list(verdict.checks)),
            _next(verdict, command),
        ),
    )  # fmt: skip


def machine_words(kind: str) -> str:
    """Return a kind of evidence as the machine that makes it."""
    return _MACHINES.get(kind, f"a machine of kind {kind}")


def _sentence(verdict: Verdict) -> str:
    machine = machine_words(verdict.kind)
    if verdict.exit_code == 2:
        why = "what vouches for it has expired, and no other check failed"
        why = why if _has_expired(verdict) else "a check failed"
        return f"Do not rely on this: {why}. It claims to come from {machine}."
    if verdict.exit_code == 3:
        return f"Nobody can tell yet whether this comes from {machine}: something is missing."
    if verdict.level == "simulated":
        rest = "" if verdict.ok else ", and the policy here does not accept it"
        return f"This was made by a SIMULATOR of {machine}{rest}. It proves nothing about hardware."
    held = f"This comes from {machine}, and its signatures hold"
    if verdict.exit_code == 4:
        return f"{held}; the policy here does not allow what it says."
    return f"{held} up to the vendor's root key."


def _has_expired(verdict: Verdict) -> bool:
    """Return whether nothing is wrong but the time: all was in force once, and is no more."""
    return all(
        check.name.endswith("-dates") and (check.code or "").endswith("_expired")
        for check in verdict.failures
    )


def _who(verdict: Verdict) -> Block:
    machine = machine_words(verdict.kind)
    simulated = verdict.level == "simulated"
    short = f"Simulated: {machine}" if simulated else machine[:1].upper() + machine[1:]
    if not verdict.facts:
        tone: Tone = "bad" if verdict.exit_code == 2 else "unknown"
        lines = ("What it says of itself is not established: below are its claims.",)
        return Block(title="Who ran this?", short="Not established", lines=lines, tone=tone)
    lines_ = [f"It measured {meaning}: {value[:16]}…" for meaning, value in _measured(verdict)]
    lines_.append("A measurement names code, and no person or company: compare it with the one that"
                  " you expect.")  # fmt: skip
    return Block(title="Who ran this?", short=f"{short}; no person is named", lines=tuple(lines_))


def _measured(verdict: Verdict) -> list[tuple[str, str]]:
    application = verdict.facts.get("application")
    places: list[Mapping[str, Any]] = [verdict.facts]
    if isinstance(application, dict):
        places.append(application)
    return [
        (meaning, place[name])
        for place in places
        for name, meaning in _MEASURED.items()
        if isinstance(place.get(name), str)
    ]


def _what(verdict: Verdict) -> Block:
    given = verdict.facts.get("report_data") or verdict.facts.get("user_data")
    if not verdict.facts:
        short, lines = "Nothing that holds", ("Its fields are listed below as claims.",)
    elif verdict.kind == "nvidia":
        short = "Which firmware these GPUs run"
        lines = ("The reports answer a nonce, a number that somebody chose: to others they may be"
                 " copies. They do not say in which machine a GPU sits.",)  # fmt: skip
    elif isinstance(given, str) and given.strip("0"):
        short = "That it runs this code, and 64 bytes of its own choice"
        lines = (f"Those bytes begin {given[:32]}… Whoever made them knows what they stand for: a"
                 " key, or a question that was put to it.",)  # fmt: skip
    else:
        short = "That it runs this code"
        lines = ("It binds no key and answers no question: anybody may have copied it.",)
    when = f"Verified as of {day(verdict.provenance.time)}. Evidence itself carries no time."
    return Block(title="What was said?", short=short, lines=(*lines, when))


def why_readable(verdict: Verdict) -> str:
    """Return why it must be assumed that the host reads the memory, to follow "Assume yes:"."""
    if verdict.level is None:
        return "nothing is established about the machine"
    if verdict.level == "simulated":
        return "simulated evidence keeps no secret"
    if verdict.level == "measured":
        return "a TPM does not encrypt memory"
    if verdict.kind == "nvidia" or "gpus" in verdict.facts:
        return "no report shows whether the GPUs keep their memory from the host"
    reasons = [why for fact, why in _SHARED.items() if verdict.facts.get(fact) is True]
    return ", and ".join(reasons) or "it is not shown that the memory is kept from the host"


def _next(verdict: Verdict, command: str) -> Block:
    code = verdict.exit_code
    failure = next((c for c in verdict.failures if c.concern != "policy"), None)
    failure = failure or next(iter(verdict.failures), None)
    lines = [] if failure is None else [f"{failure.name}: {sentence(failure.detail)}"]
    if code == 0 and verdict.level == "hardware":
        short = "Compare the code, then check it yourself"
        lines = ["Compare the measured code with the code that you expect, and the 64 bytes with"
                 " the key or question that you know."]  # fmt: skip
        if verdict.kind == "nvidia":
            short = "Ask for it again, with a nonce of your own"
            lines = ["Only whoever chose the nonce knows that a report is fresh, and no copy."]
    elif verdict.level == "simulated" and code in (0, 4):
        short = "Treat it as a rehearsal"
        lines.append("Put nothing of value behind it: ask for evidence of real hardware.")
    elif code == 0:
        short = "Check it yourself"
        lines = ["Keep secrets out of it: its host may read them."]
    else:
        short = {2: "Do not rely on it", 3: "Get what is missing",
                 4: "Do not use it under this policy"}[code]  # fmt: skip
    if code == 3:
        lines.append("Hand it in again together with what is missing: several files at once.")
    lines.append("Run the command on your own machine: this page could lie.")
    return Block(title="What do I do next?", short=short, lines=tuple(lines),
                 tone="bad" if code == 2 else "unknown", commands=(command,))  # fmt: skip
