"""EAR: a verdict as an EAT Attestation Result, a JWT that relying parties check with one key.

    {"eat_profile": "tag:ietf.org,2026:rats/ear#04", "iat": T, "exp": T + lifetime,
     "ear_verifier_id": {"developer": "teeproof", "build": "teeproof 0.1.0"}, "ear_status": …,
     "submods": {"tdx": {"ear_status": …, "ear_trustworthiness_vector": {…},
                         "ear_appraisal_policy_ids": ["urn:teeproof:policy:sha256:…"],
                         "ear_attester_claims": {"tdx_mrtd": …}, "teeproof_verdict": {…}}}}

``iat`` is the T that the verdict speaks of, not the moment of signing: an EAR of what held last
year is last year's, and has ended. A submodule is named for its kind of evidence, further ones of a
kind ``tdx_1`` and so on. ``teeproof_verdict`` carries the verdict's cache key and what it rests on,
and names every check that failed or was not made.

Sources: draft-ietf-rats-ear-04 (claims), RFC 9711 (EAT; a nonce in JSON has 8 to 88 characters),
RFC 9782 (``eat+jwt``), draft-kykdxy-rats-tdx-cgpu-ear-profile (the label ``tdx`` and the names
``tdx_…`` of what a TDX quote says).

Trusts: the verdict key that the caller names.  Does not trust: the token before its signature
holds, and nothing of it that contradicts itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from teeproof.core.clock import format_time, parse_time, to_epoch
from teeproof.core.errors import NotAuthentic, Usage
from teeproof.core.version import VERSION
from teeproof.evidence.verdict import Verdict
from teeproof.proof import canonical
from teeproof.proof.results import ar4si, jws
from teeproof.proof.results.claims import MAX_SUBMODS, POLICY, PROFILE, Appraisal, Ear, read
from teeproof.proof.results.keyfile import VerdictKey

__all__ = ["LIFETIME", "MEDIA_TYPE", "PROFILE", "Appraisal", "Ear", "issue", "parse", "verify"]

MEDIA_TYPE: Final = "application/eat+jwt"
LIFETIME = 300  # seconds
LONGEST_LIFETIME = 86_400
SKEW = 60  # seconds by which the verifier's clock may be ahead
_KIND = "eat+jwt"
_NONCE = (8, 88)  # RFC 9711, 4.1

_SAID_BY_TDX = {
    f"tdx_{name}": name
    for name in ("mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "report_data", "mrconfigid", "mrowner",
                 "mrownerconfig", "mrseam", "tee_tcb_svn", "xfam")
}  # fmt: skip


def issue(
    verdicts: Sequence[Verdict],
    key: VerdictKey,
    *,
    lifetime: int = LIFETIME,
    nonce: str | None = None,
) -> str:
    """Return the signed EAR of verdicts that were reached at one time.

    Args:
        verdicts: one per piece of evidence, at least one.
        key: the verifier's.
        lifetime: for how many seconds after T a relying party may go by it, at most a day.
        nonce: a relying party's, 8 to 88 printable ASCII characters, to be repeated.

    Raises:
        Usage: no verdicts, too many or of several times; another lifetime or nonce.
    """
    times = {verdict.provenance.time for verdict in verdicts}
    if len(times) != 1 or len(verdicts) > MAX_SUBMODS:
        raise Usage(
            "an EAR is made of verdicts of one time",
            code="ear_parts",
            expected=f"1 to {MAX_SUBMODS} verdicts as of one T",
            got=f"{len(verdicts)} verdicts as of {', '.join(sorted(times)) or 'no time'}",
        )
    if not 1 <= lifetime <= LONGEST_LIFETIME:
        raise Usage(
            "an EAR lives for a day at most",
            code="ear_lifetime",
            expected=f"1 to {LONGEST_LIFETIME} seconds",
            got=f"{lifetime} seconds",
        )
    _check_nonce(nonce)
    issued = to_epoch(parse_time(times.pop()))
    submods = _labelled(verdicts)
    claims: dict[str, Any] = {
        "eat_profile": PROFILE,
        "iat": issued,
        "exp": issued + lifetime,
        "ear_verifier_id": {"developer": "teeproof", "build": f"teeproof {VERSION}"},
        "ear_status": ar4si.summed(part["ear_status"] for part in submods.values()),
        "submods": submods,
    }
    if nonce is not None:
        claims["eat_nonce"] = nonce
    return jws.seal(canonical.encode(claims), expanded=key.expanded, kind=_KIND)


def verify(
    token: str,
    *,
    key: bytes,
    now: datetime,
    expected_nonce: str | None = None,
    expected_policy: str | None = None,
    expected_subject: str | None = None,
) -> Ear:
    """Return an EAR that a verifier signed and that is in force; its status may be a refusal.

    Args:
        token: the JWT.
        key: the verifier's public key, 32 bytes, from wherever you trust it to come.
        now: the time to hold it against.
        expected_nonce: what was given to the verifier; without it, a nonce is not looked at.
        expected_policy: ``sha256:…`` of the policy that every part must have been held against.
        expected_subject: ``sha256:…`` of evidence that one part must be about.

    Raises:
        TooLarge, Malformed: no EAR. NotAuthentic: codes as ``jws.unseal``, and ``ear_expired``,
            ``ear_not_yet_valid``, ``ear_nonce``, ``ear_policy``, ``ear_subject``.
    """
    found = read(jws.unseal(token, public_key=key, kind=_KIND))
    _check_time(found, to_epoch(now))
    _check_expected("ear_nonce", "this EAR was made for another request", expected_nonce,
                    [found.nonce])  # fmt: skip
    for part in found.submods.values():
        _check_expected("ear_policy", "a part was held against another policy, or further ones",
                        expected_policy, [" ".join(part.policy_digests)])  # fmt: skip
    _check_expected("ear_subject", "this EAR speaks of other evidence", expected_subject,
                    [part.verdict.get("subject") for part in found.submods.values()])  # fmt: skip
    return found


def parse(token: str) -> Ear:
    """Return an EAR whose signature and dates nobody has checked; errors of form as ``verify``."""
    return read(jws.payload_of(token))


def _labelled(verdicts: Sequence[Verdict]) -> dict[str, dict[str, Any]]:
    submods: dict[str, dict[str, Any]] = {}
    for verdict in verdicts:
        for name, part in ar4si.parts_of(verdict):
            count = sum(1 for label in submods if label.partition("_")[0] == name)
            submods[f"{name}_{count}" if count else name] = _submod(verdict, part)
    return submods


def _submod(verdict: Verdict, part: Verdict) -> dict[str, Any]:
    """Return what is said of a part of what a verdict is about."""
    vector = ar4si.vector_of(part)
    facts = part.facts if part.kind == "tdx" else {}
    said = {claim: facts[name] for claim, name in _SAID_BY_TDX.items() if name in facts}
    body = {
        "ear_status": ar4si.status_of(part, vector),
        "ear_trustworthiness_vector": vector,
        "ear_appraisal_policy_ids": [POLICY + verdict.provenance.policy_digest],
        "teeproof_verdict": _own(verdict, part),
    }
    return body | ({"ear_attester_claims": said} if said else {})


def _own(verdict: Verdict, part: Verdict) -> dict[str, Any]:
    how = msgspec.to_builtins(verdict.provenance)
    by_state = {
        state: [check.name for check in part.checks if check.state == state]
        for state in ("failed", "not_checked")
    }
    names = ("key", "subject", "kind", "ok", "authentic", "level", "confidential", "exit_code")
    return {name: getattr(verdict, name) for name in names} | by_state | {"provenance": how}


def _check_time(found: Ear, now: int) -> None:
    if found.issued_at > now + SKEW:
        raise _other("ear_not_yet_valid", "this EAR is from the future: check your clock",
                     f"issued by {format_time(now)}", format_time(found.issued_at))  # fmt: skip
    ends = found.issued_at + LONGEST_LIFETIME if found.ends_at is None else found.ends_at
    if ends <= now:
        raise _other("ear_expired", "this EAR has ended: ask the verifier for a new one",
                     f"one in force at {format_time(now)}", format_time(ends))  # fmt: skip


def _check_expected(code: str, detail: str, expected: str | None, got: Sequence[Any]) -> None:
    if expected is not None and expected not in got:
        raise _other(code, detail, expected, ", ".join(map(str, got))[:300])


def _check_nonce(nonce: str | None) -> None:
    least, most = _NONCE
    if nonce is not None and not (
        least <= len(nonce) <= most and nonce.isascii() and nonce.isprintable()
    ):
        raise Usage(
            "this is no nonce that an EAR can repeat",
            code="nonce_malformed",
            expected=f"{least} to {most} printable ASCII characters",
            got=ascii(nonce[:100]),
        )


def _other(code: str, detail: str, expected: str, got: str | None) -> NotAuthentic:
    return NotAuthentic(detail, code=code, expected=expected, got=got)
