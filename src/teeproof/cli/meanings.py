"""What each field of a policy means, in the record's own words, and a policy to begin with."""

from __future__ import annotations

import json
import re
import textwrap
from functools import lru_cache
from inspect import getdoc
from typing import Any

from teeproof.cli.expectations import FIELDS
from teeproof.evidence.appraise.kind import ANSWERED
from teeproof.evidence.eventlog.labels import REGISTERS
from teeproof.evidence.policy import INTEL_ROOT, Policy, policy_text
from teeproof.evidence.policy_forms import HEX_BYTES

__all__ = ["left_open", "meaning_of", "template", "toml"]

_EXAMPLES = {
    "roots": f'["{INTEL_ROOT}"]',
    "simulated_roots": '["sha256:…"]  # what teeproof policy simulated prints',
    "tcb_grace_days": "{ OutOfDate = 14 }",
    "denied_advisories": '["INTEL-SA-01397"]',
    "tcb_evaluation_floor": "[{ since = 2026-02-18, number = 18 }]",
    "max_collateral_age_days": "30",
    "compose_images_pinned": "true",
    "event_log": "true",
    "dynamic_platform": "false",
    "cached_keys": "false",
    "smt": "false",
    "products": '["Milan", "Genoa", "Turin"]',
    "minimum_tcb": '[{ product = "Milan", bootloader = 4, snp = 25, microcode = 219 }]',
    "revocation_list": "true",
    "vlek": "false",
    "masked_chip_id": "false",
    "ciphertext_hiding": "true",
    "single_socket": "true",
    "vmpl": "[0]",
    "minimum_guest_svn": "1",
    "key_provider": '["kms"]',
    "key_provider_id": '["…"]',
    "user_data": '"…"',
    "nonce": '"…"',
    "keyset_digest": '"sha256:…"',
    "nonce_issued_at": "2026-02-25T12:00:00Z",
    "max_age_seconds": "300",
    "allowed_platforms": '["sha256:…"]',
    "blocked_platforms": '["sha256:…"]',
    "gpu": "{ min_gpus = 8, rims = true, revocation = true }",
}


def meaning_of(field: str) -> str:
    """Return one sentence about a field of a policy."""
    register = REGISTERS.get(field.upper())
    return f"any of these values; it depends on {register}" if register else _meanings()[field]


def left_open(policy: Policy) -> dict[str, str]:
    """Return what a policy does not expect and hardly anyone means to allow, by field."""
    shown = ANSWERED[policy.tee] if policy.tee else frozenset(_WEAK)
    found = {f: why for f, why in _WEAK.items() if f in shown and getattr(policy, f) is None}
    told = policy.told_by_guest
    if told and not policy.pins_guest:
        found["mrtd, rtmr1, rtmr2"] = (
            f"any guest can write what it likes of {told[0]}: evidence is refused until the image"
            " is pinned"
        )
    return found


def toml(value: Any) -> str:
    """Return a value of a policy as its file would have it."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(entry)}" for key, entry in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


_WEAK = {
    "debug": "a domain whose host can read its memory is allowed",
    "tcb_statuses": "a platform whose patches are long out of date is allowed",
}


def template() -> str:
    """Return a policy (TOML) that expects what ``standard`` does; each other field is a comment."""
    given = policy_text("standard")
    body = re.sub(r"(?m)^#.*\n", "", given)
    body = body.replace('name = "standard"', 'name = "mine"')
    body = re.sub(r"(?m)^description = .*$", 'description = ""', body)
    present = set(re.findall(r"(?m)^(\w+) =", body))
    lines = [
        "# What you expect of evidence. What is not set is not checked, and the verdict says so.",
        "# Take away the # before a line to expect it.",
        "",
        body.strip(),
    ]
    for field in FIELDS:
        if field not in present:
            meaning = textwrap.wrap(meaning_of(field), 96)
            lines += ["", *(f"# {line}" for line in meaning), f"# {field} = {_example(field)}"]
    return "\n".join(lines) + "\n"


def _example(field: str) -> str:
    if field in _EXAMPLES:
        return _EXAMPLES[field]
    text = f'"{"…"}"  # {2 * HEX_BYTES.get(field, 64)} lower-case hex digits'
    return (
        text
        if field == "report_data"
        else f"[{text.partition('  #')[0]}]  #{text.partition('  #')[2]}"
    )


@lru_cache(maxsize=1)
def _meanings() -> dict[str, str]:
    """Read the sentences of ``Policy``'s docstring; "likewise" names fields that share one."""
    text = (getdoc(Policy) or "").partition("Attributes:\n")[2]
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=    \w+: )", "\n" + text)[1:]:
        field, _, sentence = " ".join(entry.split()).partition(": ")
        sentence, _, shared = sentence.partition("; likewise ")
        for name in (field, *re.findall(r"``(\w+)``", shared)):
            found[name] = sentence.replace("``", "").rstrip(".")
    return found
