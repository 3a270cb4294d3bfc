"""Write a verdict for people: what it is, how strong, each check, and the answer in words.

Only what a verdict of level ``hardware`` says is green.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from teeproof.cli.screen import Screen, short
from teeproof.evidence.verdict import Check, Verdict, summary

__all__ = [
    "STRENGTHS",
    "answer",
    "counts",
    "good_style",
    "headline",
    "worded",
    "write_answer",
    "write_failures",
    "write_opt_in",
    "write_strength",
    "write_verdict",
]

_LOG_CHECKS = frozenset(
    {
        "event-log-format",
        "event-log-payloads",
        "event-log-replay",
        "event-log-order",
        "compose",
        "mrconfigid",
        "tcg-log-format",
        "tcg-log-data",
        "tcg-log-replay",
        "tcg-log-separators",
        "tpm-log",
    }
)
_MARKS = {"passed": "✓", "failed": "✗", "not_checked": "–"}
_BAD = {"failed": ("red", "bold"), "not_checked": ("yellow", "bold")}
STRENGTHS = {
    "hardware": (
        "hardware",
        ("green", "bold"),
        "a root that the policy pins vouches for the machine",
    ),
    "measured": (
        "measured",
        ("yellow", "bold"),
        "a TPM vouches for what was started, not for secrecy",
    ),
    "simulated": (
        "SIMULATED",
        ("magenta", "bold"),
        "made by a simulator: it proves nothing about any hardware",
    ),
    None: ("none", ("red", "bold"), "nothing is established"),
}
_UNASKED = "the policy "  # how the detail of an expectation begins that the policy leaves unset
_NAME_COLUMN = 24


def write_verdict(screen: Screen, verdict: Verdict, *, every: bool = False) -> None:
    """Write the checks of a verdict, and the answer.

    Args:
        screen: where to.
        verdict: what to write.
        every: show each expectation that the policy leaves unset on a line of its own.
    """
    write_checks(screen, verdict, every=every)
    write_answer(screen, verdict)


def write_strength(screen: Screen, verdict: Verdict) -> None:
    """Write the level, and whether the machine keeps secrets from its host."""
    word, styles, meaning = STRENGTHS[verdict.level]
    private = _secrecy(verdict)
    if verdict.level == "measured" and verdict.confidential:
        meaning = "the weakest part is a TPM beside the quote, the word of whoever runs it"
    screen.row("level", f"{word} – {meaning}", *styles)
    screen.row(
        "confidential", private, *(good_style(verdict.level) if private[:3] == "yes" else ("red",))
    )


def _secrecy(verdict: Verdict) -> str:
    """Return whether the host is kept from the workload's memory, and what that hangs on."""
    if verdict.level is None:
        return "unknown: nothing is established"
    if verdict.level == "simulated":
        return "no: simulated evidence keeps no secret"
    return _closed(verdict) if verdict.confidential else _open(verdict)


def _closed(verdict: Verdict) -> str:
    """Return from whom a workload's memory is kept, and what that hangs on."""
    if verdict.kind == "nitro":
        return "yes, from the instance beside it; AWS's hypervisor is believed to keep its word"
    if verdict.kind in _KEPT:
        return _KEPT[verdict.kind]
    tcb = verdict.facts.get("tcb")
    status = tcb.get("status") if isinstance(tcb, dict) else None
    patches = f"as far as the platform's patches hold ({status or 'status unknown'})"
    return f"yes, {patches}: the host cannot read the workload's memory"


def _open(verdict: Verdict) -> str:
    """Return why a workload's memory is not known to be kept from its host."""
    if verdict.kind == "nvidia" or "gpus" in verdict.facts:
        return _GPUS_SECRECY
    if verdict.kind in _OPEN and verdict.level == "measured":
        return _OPEN[verdict.kind]
    facts = verdict.facts.get("hardware") or verdict.facts
    reasons = [why for fact, why in _SHARED.items() if facts.get(fact)]
    unknown = "its attributes hold bits that nobody knows, so nobody can say what they open"
    hardware = verdict.level == "hardware"
    return f"no: {', '.join(reasons) or (unknown if hardware else _READABLE)}"


_GPUS_SECRECY = (
    "unknown: no report shows whether the GPUs keep their memory from the host (gpu-mode)"
)
_READABLE = "the host can read the workload's memory"
_LISTED = "yes, from the host; the paravisor that the policy lists could read the workload's memory"
_UNLISTED = "no: nobody listed the paravisor, which can read the workload's memory (hcl-paravisor)"
# What keeps memory from its host, and what does not, where it is not Intel's or AMD's alone.
_KEPT = {
    "azure-tdx": _LISTED,
    "azure-snp": _LISTED,
    "cca": "yes, as far as the platform's key and its firmware are what their endorser says",
}
_OPEN = {
    "tpm": "no: a TPM measures what was started, and keeps no memory from its host",
    "azure-tdx": _UNLISTED,
    "azure-snp": _UNLISTED,
}
_SHARED = {
    "debug": f"{_READABLE} (debug)",
    "service_td": "the memory is shared with a service TD",
    "migratable": "the domain, with its memory, can be migrated by others",
}


def write_checks(screen: Screen, verdict: Verdict, *, every: bool = False) -> None:
    """Write the checks in reading order: authenticity, event log, policy."""
    groups: dict[str, list[Check]] = {}
    for check in verdict.checks:
        groups.setdefault(_group(check, verdict.provenance.policy), []).append(check)
    for title, members in groups.items():
        screen.title(title)
        folded = [] if every else _folded(members)
        for check in members:
            if not any(check in group for _, group in folded):
                write_check(screen, check, good=good_style(verdict.level))
        for why, group in folded:
            _write_folded(screen, why, group)


def write_check(screen: Screen, check: Check, *, good: tuple[str, ...] = ("bold",)) -> None:
    """Write one check; of a failed one, both sides.

    Args:
        screen: where to.
        check: what to write.
        good: styles of the mark of a check that passed.
    """
    mark = screen.paint(_MARKS[check.state], *_BAD.get(check.state, good))
    style = {"failed": ("red",), "not_checked": ("dim",)}.get(check.state, ())
    detail = check.detail if check.state != "not_checked" else f"not checked: {check.detail}"
    screen.row(check.name, detail, *style, column=_NAME_COLUMN, mark=mark)
    if check.state == "failed":
        for label, text in (("expected", check.expected), ("got", check.got)):
            if text is not None:
                screen.row(label, text, indent=4 + _NAME_COLUMN, column=10)


def write_failures(screen: Screen, verdict: Verdict) -> None:
    """Write only the checks that failed."""
    for check in verdict.failures:
        write_check(screen, check)


def write_answer(screen: Screen, verdict: Verdict) -> None:
    """Write the answer in words, the counts, and the two ids."""
    words, styles = answer(verdict)
    screen.write()
    screen.sides(words, counts(verdict), *styles)
    screen.sides(f"evidence {short(verdict.subject)}", f"verdict {short(verdict.key)}", "dim")
    write_opt_in(screen, verdict.failures)


def write_opt_in(screen: Screen, failures: Iterable[Check]) -> None:
    """Where nothing worse failed than that a simulator is not accepted, write what accepts it."""
    refused: dict[str, list[Check]] = {}
    for check in failures:
        if check.concern != "policy":
            return  # no option makes good what is not authentic, or not there
        if check.code in _OPTIONS:
            refused.setdefault(_OPTIONS[check.code], []).append(check)
    if refused:
        screen.write()
        screen.text(
            "It proves nothing about hardware. To test with this simulator all the same, add"
        )
    for option, checks in refused.items():
        # What the policy accepts already stays accepted: the option replaces the whole field.
        named = [*(c.expected or "" for c in checks), *(c.got or "" for c in checks)]
        roots = [root for text in named for root in re.split(" or |, ", text)]
        whole = ",".join(dict.fromkeys(root for root in roots if root.startswith("sha256:")))
        screen.copied("", f"--set {option}={whole}", "bold")


_OPTIONS = {
    "simulated_root_not_accepted": "simulated_roots",
    "gpu_simulated_root_not_accepted": "gpu.simulated_roots",
}


def answer(verdict: Verdict) -> tuple[str, tuple[str, ...]]:
    """Return the answer in a few words, and its styles."""
    missing = next((c for c in verdict.failures if c.concern == "availability"), None)
    lacking = missing.detail if missing else ""
    if missing and "endorsements" in str(missing.code):
        lacking = "endorsements missing"
    if missing and missing.code in _LACKING:
        lacking = _LACKING[missing.code]
    return worded(verdict.exit_code, verdict.level, lacking)


_LACKING = {
    "certificates_missing": "certificates missing",
    "gpu_rims_missing": "manifests missing",
    "gpu_revocation_unknown": "OCSP answers missing",
}


def worded(code: int, level: str | None, lacking: str) -> tuple[str, tuple[str, ...]]:
    """Return an exit code in a few words, and their styles, of one quote or of a whole proof.

    Args:
        code: the verdict's exit code.
        level: what stands behind it, a key of ``STRENGTHS``.
        lacking: what is missing, for exit code 3.
    """
    words = summary(code, level, lacking=lacking)
    if code == 3:
        return words, ("yellow", "bold")
    if level == "simulated" and code != 2:
        return words, ("magenta", "bold")
    return words, ("red", "bold") if code else good_style(level)


def counts(verdict: Verdict) -> str:
    """Return how many checks passed, failed and were not made."""
    states = [check.state for check in verdict.checks]
    passed, failed = states.count("passed"), states.count("failed")
    return f"{passed} passed, {failed} failed, {states.count('not_checked')} not checked"


def headline(verdict: Verdict) -> str:
    """Return what was verified, such as ``TDX quote v4, TD report 1.0``."""
    return verdict.checks[0].detail


def good_style(level: str | None) -> tuple[str, ...]:
    """Return the styles of what is good: the level's own, and no colour where there is no level."""
    return STRENGTHS[level][1] if level else ("bold",)


def _group(check: Check, policy: str) -> str:
    if check.name in _LOG_CHECKS:
        return "event log"
    return "authenticity" if check.concern != "policy" else f"policy {policy}"


def _folded(members: list[Check]) -> list[tuple[str, list[Check]]]:
    """Return the checks that were not made for one and the same reason, by that reason."""
    reasons: dict[str, list[Check]] = {}
    for check in members:
        if check.state == "not_checked":
            unset = check.concern == "policy" and check.detail.startswith(_UNASKED)
            why = "because the policy does not ask" if unset else check.detail
            reasons.setdefault(why, []).append(check)
    return [(why, group) for why, group in reasons.items() if len(group) > 1]


def _write_folded(screen: Screen, why: str, group: list[Check]) -> None:
    names = ", ".join(check.name for check in group)
    more = " (--all shows each)" if group[0].concern == "policy" else ""
    text = f"not checked, {why}: {names}{more}"
    screen.row("", text, "dim", column=0, mark=screen.paint("–", "yellow", "bold"))
