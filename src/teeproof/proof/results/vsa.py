"""VSA: a verdict as SLSA's verification summary, an in-toto statement in a DSSE envelope.

    {"_type": "https://in-toto.io/Statement/v1",
     "predicateType": "https://slsa.dev/verification_summary/v1",
     "subject": [{"name": "tdx", "digest": {"sha256": <the evidence's identity>}}],
     "predicate": {"verifier": {"id": "urn:teeproof:verdict-key:<hex>",
                                "version": {"teeproof": "0.1.0"}},
                   "timeVerified": T, "resourceUri": "urn:teeproof:evidence:sha256:…",
                   "policy": {"uri": "urn:teeproof:policy:standard", "digest": {"sha256": …}},
                   "inputAttestations": [evidence, inputs, endorsements],
                   "verificationResult": "PASSED", "verifiedLevels": ["TEEPROOF_HARDWARE"]}}

The levels are ours, so none begins with ``SLSA_``: evidence says nothing of how code was built.
``TEEPROOF_CONFIDENTIAL`` stands beside the level where hardware keeps the memory from the host. Of
simulated evidence the result is FAILED, even where the policy accepts the simulator.

Sources: slsa.dev/verification_summary/v1 (fields; custom levels; FAILED as a level), DSSE v1.

Trusts: the verdict key that the caller names.  Does not trust: the envelope before its signature
holds, its key ids, another verifier's id.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

import msgspec

from teeproof.core import strictjson
from teeproof.core.clock import parse_time, to_epoch
from teeproof.core.digests import named
from teeproof.core.errors import Error, Malformed, NotAuthentic, Usage
from teeproof.core.version import VERSION
from teeproof.evidence.verdict import Verdict
from teeproof.proof import canonical, signing
from teeproof.proof.envelope import IN_TOTO, MAX_PAYLOAD_BYTES, Envelope, Signature, pae
from teeproof.proof.foreign import VSA
from teeproof.proof.keys import SKEW
from teeproof.proof.results.keyfile import VerdictKey
from teeproof.proof.statement import STATEMENT_TYPE

__all__ = ["VERIFIER", "Summary", "issue", "verify"]

VERIFIER = "urn:teeproof:verdict-key:"
_URN = "urn:teeproof:"
_RESOURCE = _URN + "evidence:"
_POLICY = _URN + "policy:"
_DIGITS = 64


class _Resource(msgspec.Struct, frozen=True, kw_only=True):
    uri: str | None = None
    name: str | None = None
    digest: dict[str, str]


class _Verifier(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    version: dict[str, str] = {}


class _Summary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    verifier: _Verifier
    time_verified: str
    resource_uri: str
    policy: _Resource
    input_attestations: tuple[_Resource, ...] = ()
    verification_result: Literal["PASSED", "FAILED"]
    verified_levels: tuple[str, ...]


class _Statement(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    type: Literal["https://in-toto.io/Statement/v1"] = msgspec.field(name="_type")
    subject: tuple[_Resource, ...]
    predicate_type: Literal["https://slsa.dev/verification_summary/v1"]
    predicate: _Summary


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A verification summary as read.

    Attributes:
        passed: whether the verifier says that the evidence passed.
        levels: what it passed as; ``FAILED`` alone where it did not.
        subjects: ``sha256:…`` of each piece of evidence.
        policy_digest: ``sha256:…`` of the policy that it was held against.
        inputs: URIs and ``sha256:…`` of what was verified: evidence and endorsements.
        time: the T that it speaks of, RFC 3339.
        verifier: the verifier's id, which carries its key.
    """

    passed: bool
    levels: tuple[str, ...]
    subjects: tuple[str, ...]
    policy_digest: str
    inputs: tuple[tuple[str, str], ...]
    time: str
    verifier: str

    def to_json(self) -> dict[str, Any]:
        """Return the same for people and programs."""
        body: dict[str, Any] = msgspec.to_builtins(self)
        return body | {"inputs": [{"uri": uri, "digest": digest} for uri, digest in self.inputs]}


def issue(verdict: Verdict, key: VerdictKey) -> bytes:
    """Return the signed envelope, JSON.

    Raises:
        Usage: code ``vsa_subject``: the evidence could not be named, so nothing can be said of it.
    """
    how = verdict.provenance
    if verdict.subject is None:
        raise Usage(
            "a verification summary is about evidence that has a name, and the certificates of this"
            " could not be read: export an EAR, or fix the evidence",
            code="vsa_subject",
        )
    good = verdict.ok and verdict.level != "simulated"
    body = {
        "_type": STATEMENT_TYPE,
        "predicateType": VSA,
        "subject": [{"name": verdict.kind, "digest": _digest(verdict.subject)}],
        "predicate": {
            "verifier": {
                "id": VERIFIER + key.public.hex(),
                "version": {"teeproof": VERSION} | _second(how.second_path),
            },
            "timeVerified": how.time,
            "resourceUri": _RESOURCE + verdict.subject,
            "policy": {
                "uri": _POLICY + how.policy,
                "digest": _digest(how.policy_digest),
            },
            "inputAttestations": list(_inputs(verdict)),
            "verificationResult": "PASSED" if good else "FAILED",
            "verifiedLevels": list(_levels(verdict)) if good else ["FAILED"],
        },
    }
    payload = canonical.encode(body)
    signature = signing.sign_ed25519(key.expanded, pae(payload))
    return Envelope(payload, (Signature("", signature),)).encode()


def verify(
    data: bytes,
    *,
    key: bytes,
    now: datetime,
    expected_policy: str | None = None,
    expected_subject: str | None = None,
) -> Summary:
    """Return the summary in an envelope that a verifier signed; it may say FAILED.

    Args:
        data: DSSE's JSON.
        key: the verifier's public key, 32 bytes, from wherever you trust it to come.
        now: the time to hold it against; a summary from the future is refused. A summary does not
            end: how old one may be is for the relying party to say.
        expected_policy: ``sha256:…`` of the policy that it must have been held against.
        expected_subject: ``sha256:…`` of the evidence that it must be about.

    Raises:
        TooLarge, Malformed: no verification summary. NotAuthentic: codes ``result_signature``,
            ``vsa_verifier``, ``vsa_not_yet_valid``, ``vsa_policy`` and ``vsa_subject``.
    """
    envelope = Envelope.parse(data)
    if envelope.payload_type != IN_TOTO:
        raise _malformed(IN_TOTO, envelope.payload_type)
    if not any(_holds(key, envelope.signed, one.sig) for one in envelope.signatures):
        raise NotAuthentic(
            "no signature holds under the key that you named: the summary was changed, or another"
            " verifier made it",
            code="result_signature",
            expected=f"a signature by {key.hex()}",
        )
    found = _read(envelope.payload)
    if found.verifier != VERIFIER + key.hex():
        raise _other("vsa_verifier", "this summary speaks for another verifier",
                     VERIFIER + key.hex(), found.verifier)  # fmt: skip
    if to_epoch(parse_time(found.time)) > to_epoch(now) + SKEW:
        raise _other("vsa_not_yet_valid", "this summary is from the future: check your clock",
                     "a time that has come", found.time)  # fmt: skip
    if expected_policy not in (None, found.policy_digest):
        raise _other("vsa_policy", "this evidence was held against another policy",
                     str(expected_policy), found.policy_digest)  # fmt: skip
    if expected_subject is not None and expected_subject not in found.subjects:
        raise _other("vsa_subject", "this summary speaks of other evidence", expected_subject,
                     ", ".join(found.subjects))  # fmt: skip
    return found


def _inputs(verdict: Verdict) -> Iterable[dict[str, Any]]:
    how = verdict.provenance
    assert verdict.subject is not None
    yield {"uri": _RESOURCE + verdict.subject, "digest": _digest(verdict.subject)}
    yield {"uri": _URN + "inputs:" + how.inputs_digest, "digest": _digest(how.inputs_digest)}
    if how.endorsements_digest:
        digest = how.endorsements_digest
        yield {"uri": _URN + "endorsements:" + digest, "digest": _digest(digest)}


def _levels(verdict: Verdict) -> Iterable[str]:
    yield f"TEEPROOF_{str(verdict.level).upper()}"
    if verdict.confidential:
        yield "TEEPROOF_CONFIDENTIAL"


def _second(path: str | None) -> dict[str, str]:
    name, _, version = (path or "").rpartition(" ")
    return {name: version} if name else {}


def _digest(name: str) -> dict[str, str]:
    algorithm, _, digits = name.partition(":")
    return {algorithm: digits}


def _holds(key: bytes, signed: bytes, signature: bytes) -> bool:
    return signing.holds_ed25519(key, signed, signature)


def _read(payload: bytes) -> Summary:
    value = strictjson.loads(payload, limit=MAX_PAYLOAD_BYTES, what="verification summary")
    try:
        found = msgspec.convert(value, _Statement, strict=True)
        parse_time(found.predicate.time_verified)
    except (msgspec.ValidationError, Error) as error:
        raise _malformed("SLSA's verification summary v1", str(error)) from None
    said = found.predicate
    passed = said.verification_result == "PASSED"
    if not found.subject or passed is ("FAILED" in said.verified_levels):
        raise _malformed(
            "a subject, and levels that agree with the result", said.verification_result
        )
    return Summary(
        passed=passed,
        levels=said.verified_levels,
        subjects=tuple(_named(one) for one in found.subject),
        policy_digest=_named(said.policy),
        inputs=tuple((one.uri or one.name or "", _named(one)) for one in said.input_attestations),
        time=said.time_verified,
        verifier=said.verifier.id,
    )


def _named(resource: _Resource) -> str:
    digits = resource.digest.get("sha256", "")
    if len(digits) != _DIGITS or digits.strip("0123456789abcdef"):
        raise _malformed("a SHA-256 of each thing that is named", ascii(digits[:80]))
    return named(bytes.fromhex(digits))


def _other(code: str, detail: str, expected: str, got: str) -> NotAuthentic:
    return NotAuthentic(detail, code=code, expected=expected, got=got)


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        "this is not a verification summary",
        code="vsa_malformed",
        expected=expected,
        got=got[:200],
    )
