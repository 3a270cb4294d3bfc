"""Read the claims of a platform and of a realm: CBOR maps to fields, each with its type and bounds.

draft-ffm-rats-cca-token, "CCA Claims", and the RMM specification, "Attestation token format". As
EAT asks (RFC 9711), claims that are not understood are left alone: they are signed, and only
listed. Of the realm's key both forms are read: the bare point of the first profile, and the
COSE_Key of ``tag:arm.com,2023:realm#1.0.0``. Other profiles may give the labels another meaning,
so they are refused; every measurement is as long as its hash.

Trusts: nothing; it only reads.  Does not trust: types and lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from teeproof.core.errors import Malformed
from teeproof.evidence import cbor
from teeproof.evidence.cca.keys import point_of

__all__ = ["Component", "Platform", "Realm", "parse_platform", "parse_realm"]

MAX_CLAIMS_BYTES = 32 << 10  # the sample has 1.4 KB
MAX_COMPONENTS = 64
_HASHES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
_HASH_BYTES = tuple(_HASHES.values())
# The profile of draft-ffm-rats-cca-token, and the one before it, of Arm's CCA security model 1.0.
PLATFORM_PROFILES = ("tag:arm.com,2023:cca_platform#1.0.0", "http://arm.com/CCA-SSD/1.0.0")
# RMM specification 1.0; the first profile writes none.
REALM_PROFILES = ("tag:arm.com,2023:realm#1.0.0",)


class Component(NamedTuple):
    """One measured part of the platform: firmware or configuration.

    Attributes:
        name: its role, such as ``RMM``; None if it is not named.
        measurement: digest.
        signer: who signed it, as a digest.
        version: as its maker writes it.
    """

    name: str | None
    measurement: bytes
    signer: bytes
    version: str | None


@dataclass(frozen=True, slots=True)
class Platform:
    """What the platform's root of trust says of itself.

    Attributes:
        profile: which specification the claims follow.
        challenge: digest of the realm's key.
        implementation_id: 32 bytes, the kind of platform.
        instance_id: 33 bytes that name the platform for ever. Do not publish them.
        config: the maker's choices.
        lifecycle: major state in bits 8-15.
        components: what was measured at boot.
        hash_algorithm: of the measurements.
        others: labels of claims that are not understood.
    """

    profile: str
    challenge: bytes
    implementation_id: bytes
    instance_id: bytes
    config: bytes
    lifecycle: int
    components: tuple[Component, ...]
    hash_algorithm: str
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Realm:
    """What the realm management monitor says of a realm.

    Attributes:
        profile: which specification the claims follow; None in the first profile.
        challenge: 64 bytes that the realm chose.
        personalization_value: 64 bytes that its host fixed at its creation.
        initial_measurement: what it was started with (RIM).
        extensible_measurements: four registers that it extends (REM).
        hash_algorithm: of the measurements.
        public_key: the claim's bytes, which the platform's challenge is a digest of.
        point: the key as 0x04, x, y.
        key_hash_algorithm: of that digest.
        others: labels of claims that are not understood.
    """

    profile: str | None
    challenge: bytes
    personalization_value: bytes
    initial_measurement: bytes
    extensible_measurements: tuple[bytes, ...]
    hash_algorithm: str
    public_key: bytes
    point: bytes
    key_hash_algorithm: str
    others: tuple[str, ...]


class _Rule(NamedTuple):
    """One claim: its name in the specification, whether it may be absent, and its form."""

    name: str
    holds: Callable[[Any], bool]
    optional: bool = False


def _octets(*sizes: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, bytes) and len(value) in sizes


def _one_of(*texts: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in texts


def _text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 256


def _hash_name(value: Any) -> bool:
    return isinstance(value, str) and value in _HASHES


def _instance(value: Any) -> bool:
    return isinstance(value, bytes) and len(value) == 33 and value[0] == 1  # EAT UEID, RAND


def _extensible(value: Any) -> bool:
    size = _octets(*_HASH_BYTES)
    return isinstance(value, list) and len(value) == 4 and all(size(entry) for entry in value)


def _components(value: Any) -> bool:
    return (
        isinstance(value, list)
        and 1 <= len(value) <= MAX_COMPONENTS
        and all(isinstance(each, dict) and _component(each) for each in value)
    )


def _component(value: dict[Any, Any]) -> bool:
    digest = _octets(*_HASH_BYTES)
    texts = all(value.get(label) is None or _text(value[label]) for label in (1, 4))
    own = value.get(6)
    return (
        texts and (own is None or _hash_name(own)) and digest(value.get(2)) and digest(value.get(5))
    )


def _config(value: Any) -> bool:
    return isinstance(value, bytes) and len(value) <= 4096


def _lifecycle(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 0xFFFF


_PLATFORM = {
    265: _Rule("cca-platform-profile", _one_of(*PLATFORM_PROFILES)),
    10: _Rule("cca-platform-challenge", _octets(*_HASH_BYTES)),
    2396: _Rule("cca-platform-implementation-id", _octets(32)),
    256: _Rule("cca-platform-instance-id", _instance),
    2401: _Rule("cca-platform-config", _config),
    2395: _Rule("cca-platform-lifecycle", _lifecycle),
    2399: _Rule("cca-platform-sw-components", _components),
    2402: _Rule("cca-platform-hash-algo-id", _hash_name),
    2400: _Rule("cca-platform-service-indicator", _text, optional=True),
}
_REALM = {
    10: _Rule("cca-realm-challenge", _octets(64)),
    265: _Rule("cca-realm-profile", _one_of(*REALM_PROFILES), optional=True),
    44235: _Rule("cca-realm-personalization-value", _octets(64)),
    44238: _Rule("cca-realm-initial-measurement", _octets(*_HASH_BYTES)),
    44239: _Rule("cca-realm-extensible-measurements", _extensible),
    44236: _Rule("cca-realm-hash-algo-id", _hash_name),
    44237: _Rule("cca-realm-public-key", lambda v: isinstance(v, bytes) and len(v) <= 512),
    44240: _Rule("cca-realm-public-key-hash-algo-id", _hash_name),
}


def parse_platform(payload: bytes) -> Platform:
    """Return the platform's claims; Malformed names the first that is absent or of another form."""
    found, others = _claims(payload, _PLATFORM, what="CCA platform token")
    for component in found[2399]:
        _require_length("cca-platform-sw-components", component[2], component.get(6, found[2402]))
    return Platform(
        profile=found[265],
        challenge=found[10],
        implementation_id=found[2396],
        instance_id=found[256],
        config=found[2401],
        lifecycle=found[2395],
        components=tuple(Component(c.get(1), c[2], c[5], c.get(4)) for c in found[2399]),
        hash_algorithm=found[2402],
        others=others,
    )


def parse_realm(payload: bytes) -> Realm:
    """Return the realm's claims; Malformed as above."""
    found, others = _claims(payload, _REALM, what="CCA realm token")
    for value in (found[44238], *found[44239]):
        _require_length("a measurement of the realm", value, found[44236])
    return Realm(
        profile=found.get(265),
        challenge=found[10],
        personalization_value=found[44235],
        initial_measurement=found[44238],
        extensible_measurements=tuple(found[44239]),
        hash_algorithm=found[44236],
        public_key=found[44237],
        point=_point(found[44237]),
        key_hash_algorithm=found[44240],
        others=others,
    )


def _claims(
    payload: bytes, rules: Mapping[int, _Rule], *, what: str
) -> tuple[dict[Any, Any], tuple[str, ...]]:
    found = cbor.loads(payload, limit=MAX_CLAIMS_BYTES, what=what, shortest=False)
    if not isinstance(found, dict):
        raise _malformed(what, "a map of claims", type(found).__name__)
    for label, rule in rules.items():
        if label not in found:
            if not rule.optional:
                raise _malformed(rule.name, "the claim", "nothing")
        elif not rule.holds(found[label]):
            raise _malformed(rule.name, _form(label), _shape(found[label]))
    return found, tuple(str(label)[:40] for label in found if label not in rules)


def _require_length(what: str, digest: bytes, algorithm: str) -> None:
    if len(digest) != _HASHES[algorithm]:
        expected = f"{_HASHES[algorithm]} bytes, as {algorithm} has"
        raise _malformed(what, expected, f"{len(digest)} bytes")


def _point(claim: bytes) -> bytes:
    if claim[:1] == b"\x04":
        return claim
    key = cbor.loads(claim, limit=512, what="realm's public key", shortest=False)
    point = point_of(key)
    if point is None:
        raise _malformed("cca-realm-public-key", "a point or a COSE_Key on a NIST curve", "neither")
    return point


def _form(label: int) -> str:
    profile = "a profile that this version reads: " + ", ".join(PLATFORM_PROFILES + REALM_PROFILES)
    return profile if label == 265 else "the form of the specification"


def _shape(value: Any) -> str:
    """Describe a value without showing it: some of them name the platform."""
    sized = isinstance(value, str | bytes | list | dict)
    return type(value).__name__ + (f" of length {len(value)}" if sized else "")


def _malformed(what: str, expected: str, got: str) -> Malformed:
    return Malformed(
        f"{what} is malformed: expected {expected}, got {got}",
        code="cca_malformed",
        expected=expected,
        got=got,
    )
