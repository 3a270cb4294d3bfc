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
from typing import Annotated, Any, Final

import msgspec

from teeproof.core import strictjson
from teeproof.core.clock import format_time, parse_time, to_epoch
from teeproof.core.errors import Malformed, NotAuthentic, Usage
from teeproof.core.version import VERSION
from teeproof.evidence.verdict import Verdict
from teeproof.proof import canonical
from teeproof.proof.results import ar4si, jws
from teeproof.proof.results.ar4si import Tier, Vector
from teeproof.proof.results.keyfile import VerdictKey

__all__ = ["LIFETIME", "MEDIA_TYPE", "PROFILE", "Appraisal", "Ear", "issue", "parse", "verify"]

PROFILE: Final = "tag:ietf.org,2026:rats/ear#04"
MEDIA_TYPE: Final = "application/eat+jwt"
LIFETIME = 300  # seconds
LONGEST_LIFETIME = 86_400
SKEW = 60  # seconds by which the verifier's clock may be ahead
MAX_SUBMODS = 64
_KIND = "eat+jwt"
_POLICY = "urn:teeproof:policy:"
_NONCE = (8, 88)  # RFC 9711, 4.1

_SAID_BY_TDX = {
    f"tdx_{name}": name
    for name in ("mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "report_data", "mrconfigid", "mrowner",
                 "mrownerconfig", "mrseam", "tee_tcb_svn", "xfam")
}  # fmt: skip

_Time = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]  # the end of the year 9999
_Claim = Annotated[int, msgspec.Meta(ge=-128, le=127)]


class _Appraisal(msgspec.Struct, frozen=True, kw_only=True):
    ear_status: Tier
    ear_trustworthiness_vector: dict[str, _Claim] = {}
    ear_appraisal_policy_ids: tuple[str, ...] = ()
    ear_attester_claims: dict[str, Any] = {}
    teeproof_verdict: dict[str, Any] = {}


class _Verifier(msgspec.Struct, frozen=True, kw_only=True):
    developer: str
    build: str


class _Claims(msgspec.Struct, frozen=True, kw_only=True):
    eat_profile: str
    iat: _Time
    exp: _Time | None = None
    ear_verifier_id: _Verifier
    ear_status: Tier | None = None
    eat_nonce: str | None = None
    submods: dict[str, _Appraisal]


class Appraisal(msgspec.Struct, frozen=True, kw_only=True):
    """What an EAR says of one part.

    Attributes:
        status: the tier of the whole part.
        vector: the eight claims of AR4SI; what is not named is 0.
        policy_digests: ``sha256:…`` of the policies that it was held against.
        attester_claims: what the evidence says, such as ``tdx_mrtd``.
        verdict: teeproof's own claim: cache key, digests, names of checks; empty from others.
    """

    status: Tier
    vector: Vector
    policy_digests: tuple[str, ...]
    attester_claims: dict[str, Any]
    verdict: dict[str, Any]


class Ear(msgspec.Struct, frozen=True, kw_only=True):
    """An EAR as read.

    Attributes:
        status: the tier of the whole: never better than its worst part.
        issued_at: the T that it speaks of, seconds since 1970; likewise ``ends_at``.
        developer: who made the verifier, in its own words.
        build: the verifier's name and version.
        nonce: what a relying party gave to see that the result is fresh; of the evidence's
            freshness it says nothing.
        submods: each part by its label.
    """

    status: Tier
    issued_at: int
    ends_at: int | None
    developer: str
    build: str
    nonce: str | None
    submods: dict[str, Appraisal]

    def to_json(self) -> dict[str, Any]:
        """Return the same for people and programs, with times as RFC 3339."""
        body: dict[str, Any] = msgspec.to_builtins(self)
        ends = None if self.ends_at is None else format_time(self.ends_at)
        return body | {"issued_at": format_time(self.issued_at), "ends_at": ends}


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
    found = _read(jws.unseal(token, public_key=key, kind=_KIND))
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
    return _read(jws.payload_of(token))


def _labelled(verdicts: Sequence[Verdict]) -> dict[str, dict[str, Any]]:
    submods: dict[str, dict[str, Any]] = {}
    for verdict in verdicts:
        count = sum(1 for label in submods if label.partition("_")[0] == verdict.kind)
        submods[f"{verdict.kind}_{count}" if count else verdict.kind] = _submod(verdict)
    return submods


def _submod(verdict: Verdict) -> dict[str, Any]:
    vector = ar4si.vector_of(verdict)
    facts = verdict.facts if verdict.kind == "tdx" else {}
    said = {claim: facts[name] for claim, name in _SAID_BY_TDX.items() if name in facts}
    part = {
        "ear_status": ar4si.status_of(verdict, vector),
        "ear_trustworthiness_vector": vector,
        "ear_appraisal_policy_ids": [_POLICY + verdict.provenance.policy_digest],
        "teeproof_verdict": _own(verdict),
    }
    return part | ({"ear_attester_claims": said} if said else {})


def _own(verdict: Verdict) -> dict[str, Any]:
    how = msgspec.to_builtins(verdict.provenance)
    by_state = {
        state: [check.name for check in verdict.checks if check.state == state]
        for state in ("failed", "not_checked")
    }
    names = ("key", "subject", "kind", "ok", "authentic", "level", "confidential", "exit_code")
    return {name: getattr(verdict, name) for name in names} | by_state | {"provenance": how}


def _read(payload: bytes) -> Ear:
    value = strictjson.loads(payload, limit=jws.MAX_TOKEN_BYTES, what="EAR")
    try:
        claims = msgspec.convert(value, _Claims, strict=True)
    except msgspec.ValidationError as error:
        raise _malformed("the claims that draft-ietf-rats-ear-04 names", str(error)) from None
    if claims.eat_profile != PROFILE:
        raise _malformed(PROFILE, claims.eat_profile)
    if not 1 <= len(claims.submods) <= MAX_SUBMODS:
        raise _malformed(f"1 to {MAX_SUBMODS} submods", f"{len(claims.submods)}")
    parts = {label: _part(label, part) for label, part in claims.submods.items()}
    least = ar4si.summed(part.status for part in parts.values())
    status = least if claims.ear_status is None else claims.ear_status
    _require_no_better("the whole", status, least)
    if status == "affirming" != least:
        raise _malformed("a whole that is affirming only if each part is", status)
    return Ear(
        status=status,
        issued_at=claims.iat,
        ends_at=claims.exp,
        developer=claims.ear_verifier_id.developer,
        build=claims.ear_verifier_id.build,
        nonce=claims.eat_nonce,
        submods=parts,
    )


def _part(label: str, part: _Appraisal) -> Appraisal:
    unknown = set(part.ear_trustworthiness_vector) - set(ar4si.CLAIMS)
    if unknown:
        raise _malformed(f"claims of AR4SI: {', '.join(ar4si.CLAIMS)}", ascii(min(unknown))[:60])
    vector = dict.fromkeys(ar4si.CLAIMS, 0) | part.ear_trustworthiness_vector
    tiers = ar4si.worst(ar4si.tier_of(value) for value in vector.values())
    _require_no_better(label, part.ear_status, tiers)
    return Appraisal(
        status=part.ear_status,
        vector=vector,
        policy_digests=tuple(one.removeprefix(_POLICY) for one in part.ear_appraisal_policy_ids),
        attester_claims=part.ear_attester_claims,
        verdict=part.teeproof_verdict,
    )


def _require_no_better(label: str, status: Tier, worst: Tier) -> None:
    """Raise Malformed where a status is better than what it sums up; none claims nothing."""
    if status != "none" and ar4si.TIERS.index(status) < ar4si.TIERS.index(worst):
        raise _malformed(f"{ascii(label)[:60]}: a status no better than {worst}", status)


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


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed("this is not an EAR", code="ear_malformed", expected=expected, got=got[:200])
