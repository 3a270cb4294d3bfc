"""A verdict in the eight claims of AR4SI, and the tier that follows from them.

Each claim is a number between -128 and 127 whose range says how far to trust: 2 to 31 affirming,
32 to 95 warning, 96 to 127 contraindicated, likewise below zero; -1, 0 and 1 say nothing. What a
number means depends on the claim. Here a claim is affirming only where checks *passed* that carry
it: what was not checked, or not asked for, is 0.

    instance-identity  97: the policy lists other machines. 96: revoked, or blocked by the policy
    configuration      2: the policy asked about every door to the host, and all are shut. 96: not
    executables        3: what was started is pinned. 2: the application too. 33: another runs
    hardware           2: the vendor vouches, revocation was checked, patches are as they should be.
                       32: it needs patches. 96: revoked. 97: nobody known vouches. 99: forged
    runtime-opaque     2: encrypted memory, closed to the host. 32: isolated by a hypervisor only.
                       96: open to the host, or to others
    file-system, storage-opaque, sourced-data   0: evidence says nothing of them

Sources: draft-ietf-rats-ar4si, sections 2.3.2 (tiers) and 2.3.4 (claims); draft-ietf-rats-ear, the
status, which must not be better than the worst claim.

Trusts: the verdict that it is given.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from teeproof.evidence.verdict import Check, Verdict

__all__ = [
    "CLAIMS",
    "TIERS",
    "Tier",
    "Vector",
    "parts_of",
    "status_of",
    "summed",
    "tier_of",
    "vector_of",
    "worst",
]

Tier = Literal["none", "affirming", "warning", "contraindicated"]
TIERS: tuple[Tier, ...] = ("none", "affirming", "warning", "contraindicated")
"""From what says nothing to what says no."""

CLAIMS = (
    "instance-identity", "configuration", "executables", "file-system", "hardware",
    "runtime-opaque", "storage-opaque", "sourced-data",
)  # fmt: skip
Vector = dict[str, int]
"""A number for each of ``CLAIMS``."""

_NEEDED = ("configuration", "executables", "hardware", "runtime-opaque")
_HOPELESS = frozenset({"tcb_level_none", "qe_level_none"})  # below all that the vendor supports
_REVOKED = frozenset({"pck_revoked", "pck_ca_revoked", "vek_ca_revoked"})

# Which checks carry a claim, by kind of evidence. All of a tuple must have passed, or all of one of
# its alternatives.
_OPEN = ("debug", "migratable", "service_td")
_Sets = Mapping[str, tuple[tuple[str, ...], ...]]
_DOORS = {
    "tdx": ("debug", "migration", "service-td", "sept-ve-disable"),
    "sgx": ("debug",),
    "sev-snp": ("debug", "migration", "vmpl"),
    "nitro": ("debug",),
}
_STARTED: _Sets = {
    "tdx": (("mrtd", "rtmr1", "rtmr2"), ("mr-aggregated",), ("mr-system",)),
    "sgx": (("mrenclave",),),
    "sev-snp": (("measurement",),),
    "nitro": (("pcr0",), ("pcr1", "pcr2")),
}
_APPLICATION: _Sets = {
    "tdx": (("rtmr3",), ("mr-aggregated",), ("compose-hash", "event-log-replay", "guest-image")),
    "sgx": (("mrenclave",),),
    "nitro": (("pcr0",), ("pcr2",)),
}
_CODE = frozenset(
    name for kind in (_STARTED, _APPLICATION) for each in kind.values() for s in each for name in s
) | {"rtmr0", "mrsigner", "pcr8", "rem0", "rem1", "rem2", "rem3", "rim", "id-key-digest",
     "author-key-digest", "app-id", "os-image", "compose-images", "mrconfigid-value"}  # fmt: skip
_VOUCHED = {
    "tdx": ("pck-chain", "pck-revocation", "tcb-level"),
    "sgx": ("signatures",),
    "sev-snp": ("vek-chain", "vek-revocation", "vek-tcb", "minimum-tcb"),
    "nvidia": ("gpu-chain", "gpu-signature", "gpu-revocation", "gpu-measurements", "gpu-nonce"),
}


def tier_of(value: int) -> Tier:
    """Return the tier of a claim's number; ValueError beyond a signed byte."""
    if not -128 <= value <= 127:
        raise ValueError(value)
    if -1 <= value <= 1:
        return "none"
    if -32 <= value <= 31:
        return "affirming"
    return "warning" if -96 <= value <= 95 else "contraindicated"


def worst(tiers: Iterable[Tier]) -> Tier:
    """Return the tier to trust least; none where there is none."""
    return max(tiers, key=TIERS.index, default="none")


def summed(tiers: Iterable[Tier]) -> Tier:
    """Return the tier of a whole: affirming only if every part is."""
    given = tuple(tiers)
    found = worst(given)
    return "none" if found == "affirming" and "none" in given else found


def parts_of(verdict: Verdict) -> list[tuple[str, Verdict]]:
    """Return a machine and its GPUs, each by its name and with its own checks.

    The machine is named for its kind of evidence. Its keys belong to it.
    """
    gpus = tuple(check for check in verdict.checks if check.name.startswith("gpu-"))
    if verdict.kind == "nvidia" or not gpus:
        return [("gpus" if verdict.kind == "nvidia" else verdict.kind, verdict)]
    machine = tuple(check for check in verdict.checks if check not in gpus)
    facts = verdict.facts.get("gpus") or {}
    return [
        (verdict.kind, _part(verdict, machine, kind=verdict.kind, facts=verdict.facts)),
        ("gpus", _part(verdict, gpus, kind="nvidia", facts=facts)),
    ]


def vector_of(verdict: Verdict) -> Vector:
    """Return the claims that a verdict on one piece of evidence carries."""
    vector = dict.fromkeys(CLAIMS, 0)
    if verdict.level == "simulated":
        return vector | {"hardware": 97}
    if verdict.level is None:
        return vector | _refused(verdict)
    vector["instance-identity"] = _instance(verdict)
    vector["configuration"] = _configuration(verdict)
    vector["executables"] = _executables(verdict)
    vector["hardware"] = _hardware(verdict)
    vector["runtime-opaque"] = _runtime(verdict)
    return vector


def status_of(verdict: Verdict, vector: Vector) -> Tier:
    """Return the tier of the whole: affirming only where nothing that it rests on is unknown.

    A verdict that refuses is contraindicated whatever its claims; one that cannot tell is none.
    """
    if verdict.exit_code == 3:
        return "none"
    if not verdict.ok or verdict.level == "simulated":
        return "contraindicated"
    found = worst(tier_of(value) for value in vector.values())
    unknown = any(tier_of(vector[claim]) == "none" for claim in _NEEDED)
    return "none" if found == "affirming" and unknown else found


def _part(
    verdict: Verdict, checks: tuple[Check, ...], *, kind: str, facts: dict[str, Any]
) -> Verdict:
    ok = not any(check.state == "failed" for check in checks)
    return msgspec.structs.replace(verdict, checks=checks, ok=ok, kind=kind, facts=facts)


def _refused(verdict: Verdict) -> Vector:
    """Return the claims on evidence that does not hold: why not, and nothing else."""
    failed = {check.code for check in verdict.failures if check.concern == "authenticity"}
    if not failed:
        return {}
    if failed & _REVOKED:
        return {"instance-identity": 96}
    if failed & _HOPELESS:
        return {"hardware": 96}
    return {"hardware": 97 if "root_not_pinned" in failed else 99}


def _instance(verdict: Verdict) -> int:
    check = _found(verdict, "platform-lists")
    if check is None or check.state == "not_checked":
        return 0
    if check.state == "failed":
        return 96 if check.code == "platform_blocked" else 97
    return (
        0  # passed: a list of machines to refuse recognises none, and the two lists are one check
    )


def _configuration(verdict: Verdict) -> int:
    doors = _DOORS.get(verdict.kind, ())
    states = [_state(verdict, name) for name in doors]
    if "failed" in states or verdict.facts.get("debug"):
        return 96
    return 2 if states and set(states) == {"passed"} else 0


def _executables(verdict: Verdict) -> int:
    if any(check.name in _CODE for check in verdict.failures):
        return 33
    if not _any_passed(verdict, _STARTED):
        return 0
    return 2 if _any_passed(verdict, _APPLICATION) else 3


def _hardware(verdict: Verdict) -> int:
    names = _VOUCHED.get(verdict.kind, ())
    tcb = verdict.facts.get("tcb")
    status = tcb.get("status") if isinstance(tcb, dict) else None
    if status == "Revoked" or _state(verdict, "minimum-tcb") == "failed":
        return 96
    if not names or any(_state(verdict, name) != "passed" for name in names):
        return 0
    if verdict.kind in ("sev-snp", "nvidia"):
        return 2  # no vendor has a word for how old the patches are
    return 2 if status == "UpToDate" else 32


def _runtime(verdict: Verdict) -> int:
    if verdict.level == "measured" or verdict.kind == "nvidia":
        return 0  # neither a TPM nor a GPU's report says anything of memory
    if "gpus" in verdict.facts and not any(verdict.facts.get(door) for door in _OPEN):
        return 0  # the machine's memory may be closed; that its GPUs' is no report shows
    if not verdict.confidential:
        return 96
    return 32 if verdict.kind == "nitro" else 2


def _any_passed(verdict: Verdict, sets: _Sets) -> bool:
    return any(
        all(_state(verdict, name) == "passed" for name in names)
        for names in sets.get(verdict.kind, ())
    )


def _state(verdict: Verdict, name: str) -> str | None:
    check = _found(verdict, name)
    return check.state if check else None


def _found(verdict: Verdict, name: str) -> Check | None:
    return next((check for check in verdict.checks if check.name == name), None)
