"""One verdict for all that came together: a machine, the keys of its workload, and its GPUs.

All checks of the machine come first, then its key document's, then its GPUs'. Nothing is
established unless all of it holds, and the whole is as strong as its weakest part. A machine may
keep its memory from its host; that its GPUs do too no report shows, so such a machine with GPUs is
not called confidential.

Trusts: the judges.  Does not trust: whoever put the pieces together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from teeproof.evidence.binding import report_data_for
from teeproof.evidence.judge.asked import WEAKEST_FIRST, Asked, Judged
from teeproof.evidence.naming import composite_identity, report_data_of
from teeproof.evidence.recognise import Kind
from teeproof.evidence.verdict import Check, failed, not_checked, passed

if TYPE_CHECKING:
    from teeproof.evidence.judge.nvidia import Devices

__all__ = ["complete"]


def complete(asked: Asked, kind: Kind, machine: Judged) -> Judged:
    """Return what comes of a machine's evidence and of all that came with it.

    Raises:
        Malformed, TooLarge, NotAuthentic: the GPUs' evidence, a manifest or an OCSP answer cannot
            be read.
    """
    evidence = asked.evidence
    known = bool(machine.facts) and kind != "nvidia"
    report_data = report_data_of(evidence) if known else None
    with_keys = _with_keyset(asked, machine, report_data)
    if kind == "nvidia":
        return with_keys
    if evidence.gpus is None:
        missing = _missing(asked)
        return _told(with_keys, missing) if missing else with_keys
    from teeproof.evidence.judge.nvidia import devices  # noqa: PLC0415  few machines have GPUs

    return _joined(with_keys, devices(asked, evidence.gpus, report_data=report_data))


def _told(machine: Judged, *more: Check) -> Judged:
    """Return the machine with more checks; nothing is established where one of them voids it."""
    checks = (*machine.checks, *more)
    if any(check.state == "failed" and check.concern != "policy" for check in more):
        machine = msgspec.structs.replace(machine, facts={}, level=None, confidential=False)
    return msgspec.structs.replace(machine, checks=checks)


def _joined(machine: Judged, found: Devices) -> Judged:
    """Return one answer on a machine and its GPUs."""
    subject = None
    if machine.subject is not None and found.id is not None:
        subject = composite_identity(machine.subject, found.id)
    facts, level = {}, None
    if found.facts is not None and machine.level is not None:
        facts = machine.facts | {"gpus": found.facts.to_json()}
        level = min(machine.level, found.facts.level, key=WEAKEST_FIRST.index)
    return msgspec.structs.replace(
        machine, subject=subject, checks=(*machine.checks, *found.checks), facts=facts,
        level=level, confidential=False,
    )  # fmt: skip


def _missing(asked: Asked) -> Check | None:
    """Return the failure of a policy that expects GPUs where none reported."""
    if asked.policy.gpu is None or not asked.policy.gpu.expects:
        return None
    return failed(
        "gpu-evidence",
        "gpu_evidence_missing",
        "the policy expects GPUs, and the evidence of none came along: ask the machine for it",
        "policy",
        expected="the evidence of GPUs beside the machine's",
        got="a machine's evidence alone",
    )


def _with_keyset(asked: Asked, machine: Judged, report_data: bytes | None) -> Judged:
    """Add the check that hardware commits to the key document that came along, if one did."""
    if asked.evidence.keyset_digest is None:
        return machine
    return _told(machine, _keyset(asked, asked.evidence.keyset_digest, report_data))


def _keyset(asked: Asked, digest: str, report_data: bytes | None) -> Check:
    if report_data is None:
        return not_checked("keyset", "no machine's evidence holds that could commit to the keys")
    for nonce, sentence in _nonces(asked):
        if report_data == report_data_for(digest, nonce=nonce):
            return passed("keyset", sentence, got=digest)
    if _nonces(asked)[0][0] is None:
        return not_checked(
            "keyset",
            "nobody says which nonce went into report_data beside the key document that came along",
            got=digest,
        )
    return failed(
        "keyset",
        "keyset_not_in_quote",
        "the machine's report_data does not commit to the key document that came along, with the "
        "nonce that is known: the keys may be anybody's",
        expected=report_data_for(digest, nonce=_nonces(asked)[0][0]).hex(),
        got=report_data.hex(),
    )


def _nonces(asked: Asked) -> list[tuple[str | None, str]]:
    """Return the nonces that may have gone into report_data, the one that counts first."""
    said = "report_data commits to the key document that came along"
    if asked.policy.nonce is not None:
        return [(asked.policy.nonce, f"{said}, and to the policy's nonce")]
    if asked.evidence.nonce is not None:
        why = "with a nonce that came along too and shows no freshness: nobody signed it"
        return [(asked.evidence.nonce, f"{said}, {why}")]
    return [(None, f"{said}, without a nonce, so it may be of any time")]
