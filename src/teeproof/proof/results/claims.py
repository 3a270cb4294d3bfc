"""The claims of an EAR, as read: every one of the form that the draft gives it.

A status that is better than the worst claim under it contradicts itself, and is refused: whoever
reads only the status must not be told more than the claims say.

Source: draft-ietf-rats-ear-04, section 3.

Trusts: nothing; who checks the signature decides.  Does not trust: whoever wrote the claims.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from teeproof.core import strictjson
from teeproof.core.clock import format_time
from teeproof.core.errors import Malformed
from teeproof.proof.results import ar4si, jws
from teeproof.proof.results.ar4si import Tier, Vector

__all__ = ["MAX_SUBMODS", "POLICY", "PROFILE", "Appraisal", "Ear", "read"]

PROFILE: Final = "tag:ietf.org,2026:rats/ear#04"
POLICY = "urn:teeproof:policy:"
MAX_SUBMODS = 64

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


def read(payload: bytes) -> Ear:
    """Return the EAR in a payload; Malformed unless every claim has its form."""
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
        policy_digests=tuple(one.removeprefix(POLICY) for one in part.ear_appraisal_policy_ids),
        attester_claims=part.ear_attester_claims,
        verdict=part.teeproof_verdict,
    )


def _require_no_better(label: str, status: Tier, worst: Tier) -> None:
    """Raise Malformed where a status is better than what it sums up; none claims nothing."""
    if status != "none" and ar4si.TIERS.index(status) < ar4si.TIERS.index(worst):
        raise _malformed(f"{ascii(label)[:60]}: a status no better than {worst}", status)


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed("this is not an EAR", code="ear_malformed", expected=expected, got=got[:200])
