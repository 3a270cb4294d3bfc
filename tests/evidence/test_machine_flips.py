"""Flip bytes of what machines with a TPM, of Azure, of Arm and of Nitro say, through the verifier.

A flip is refused, or it changes nothing: the evidence has the same name and establishes the same
facts. Where one may change nothing is said for each kind.
"""

from __future__ import annotations

import msgspec
import pytest

from teeproof.core.errors import Error
from teeproof.evidence.collect import simulated
from teeproof.evidence.policy import parse_policy
from teeproof.evidence.simulated.states import STATES
from teeproof.evidence.verify import verify
from tests.evidence.scenes import NOW, PLATFORM, REPORT_DATA, flipped, state

PARTS = ("quote", "certificates", "firmware_log", "tpm", "gpus", "platform_key")
STRIDE = 29  # bytes; the parsers have flips of each byte of their own
# How much of a part may be spelt otherwise, and why.
_JSON = "spaces, and fields that nobody signed, of a JSON document"
_LOG = "the header, and what a log calls its events: the registers take their digests alone"
FREE = {
    ("azure-tdx-in-order", "quote"): _JSON,
    ("azure-tdx-in-order", "firmware_log"): _LOG,
    ("azure-snp-in-order", "quote"): _JSON,
    ("azure-snp-in-order", "firmware_log"): _LOG,
    ("azure-snp-in-order", "certificates"): "the frames of PEM",
    ("snp-not-revoked", "certificates"): "the frames of PEM",
    ("tpm-in-order", "quote"): _JSON,
    ("tpm-in-order", "firmware_log"): _LOG,
    ("tdx-with-tpm", "tpm"): _JSON,
    ("tdx-firmware-log", "firmware_log"): _LOG,
    ("gpus-beside", "gpus"): "the frames of PEM, which a JSON document holds",
}
NAMES = (
    "azure-tdx-in-order", "azure-snp-in-order", "cca-in-order", "tpm-in-order", "nitro-in-order",
    "snp-not-revoked", "tdx-with-tpm", "tdx-firmware-log", "gpus-beside",
)  # fmt: skip


def subject(name):
    given = state(name)
    text = simulated.reference_policy(PLATFORM, report_data=REPORT_DATA, kind=STATES[name].kind)
    more = {"revocation_list": True} if name == "snp-not-revoked" else {}
    return given, parse_policy(text).with_(second_path=None, **more)


def outcome(evidence, policy):
    try:
        return verify(evidence, policy=policy, now=NOW, both_paths=False)
    except Error:  # nothing else may come of bytes
        return None


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", NAMES)
def test_a_flipped_byte_is_refused_or_changes_nothing(name, part):
    given, policy = subject(name)
    honest = outcome(given, policy)
    assert honest is not None
    assert honest.exit_code == 0, honest.failures
    data = getattr(given, part)
    if not data:
        return
    accepted = []
    for at in range(0, len(data), STRIDE):
        bent = msgspec.structs.replace(given, **{part: flipped(data, at)})
        verdict = outcome(bent, policy)
        if verdict is None or verdict.exit_code == 2:
            continue
        if verdict.exit_code == 0:
            assert verdict.subject == honest.subject, at
            assert verdict.facts == honest.facts, at
            assert verdict.level == honest.level, at
        accepted.append(at)
    if accepted:
        assert (name, part) in FREE, f"{len(accepted)} flips pass, the first at {accepted[0]}"
        assert len(accepted) * STRIDE < len(data) / 4, accepted


def test_every_kind_that_this_is_for_is_there():
    assert {STATES[name].kind for name in NAMES} >= {
        "azure-tdx", "azure-snp", "cca", "tpm", "nitro", "sev-snp", "tdx",
    }  # fmt: skip
