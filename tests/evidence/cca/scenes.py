"""What the tests of CCA share: the sample token, and a platform and a realm made here."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from teeproof.evidence.cca import appraise
from teeproof.evidence.cca.expectations import CcaExpectations
from teeproof.evidence.cca.keys import PlatformKey
from teeproof.evidence.cca.token import parse
from teeproof.evidence.cca.verify import Verification, verify
from teeproof.evidence.simulated.cose import cbor, sign1
from teeproof.evidence.verdict import Check
from tests.vectors import records

INSTANCE = b"\1" + bytes(range(32))
CPAK = ec.derive_private_key(1001, ec.SECP384R1())
RAK = ec.derive_private_key(1002, ec.SECP384R1())


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return 0x04, x, y."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


KEY = PlatformKey(point=point(CPAK), instance_id=INSTANCE)
TRUSTED = CcaExpectations(platform_keys=(KEY,))


def realm_claims(**changes: Any) -> dict[Any, Any]:
    """Return a realm's claims by their labels; a change names one as ``c265``."""
    claims = {
        10: bytes(range(64)),
        44235: bytes(64),
        44237: point(RAK),
        44236: "sha-512",
        44240: "sha-256",
        44238: b"\7" * 64,
        44239: [bytes(64)] * 4,
    }
    return _changed(claims, changes)


def platform_claims(public_key: bytes, **changes: Any) -> dict[Any, Any]:
    """Return a platform's claims by their labels, for a realm with this key."""
    component = {1: "RMM", 2: b"\1" * 32, 5: b"\2" * 32, 4: "1.0", 6: "sha-256"}
    claims = {
        265: "http://arm.com/CCA-SSD/1.0.0",
        10: hashlib.sha256(public_key).digest(),
        2396: b"\3" * 32,
        256: INSTANCE,
        2401: b"\4",
        2395: 0x3003,
        2402: "sha-256",
        2399: [component],
    }
    return _changed(claims, changes)


def _changed(claims: dict[Any, Any], changes: dict[str, Any]) -> dict[Any, Any]:
    claims = claims | {int(name[1:]): value for name, value in changes.items()}
    return {label: value for label, value in claims.items() if value is not None}


def wrap(platform: bytes, realm: bytes) -> bytes:
    """Return a token of these two."""
    return b"\xd9\x01\x8f" + cbor({44234: platform, 44241: realm})


def token(
    platform: dict[str, Any] | None = None,
    realm: dict[str, Any] | None = None,
    *,
    cpak: ec.EllipticCurvePrivateKey = CPAK,
    rak: ec.EllipticCurvePrivateKey = RAK,
) -> bytes:
    """Return a token with these changes of its claims."""
    said = realm_claims(**(realm or {}))
    key = said.get(44237)
    vouched = platform_claims(key if isinstance(key, bytes) else b"", **(platform or {}))
    return wrap(sign1(cpak, cbor(vouched), tagged=True), sign1(rak, cbor(said), tagged=True))


@cache
def sample() -> bytes:
    """Return the sample token of real evidence."""
    record = next(record for record in records("other") if record.id == "cca-token")
    return record.read("cca-example-token.cbor")


def found(data: bytes, expected: CcaExpectations = TRUSTED) -> Verification:
    """Return what verification finds."""
    return verify(
        parse(data),
        platform_keys=expected.platform_keys,
        simulated_keys=expected.simulated_keys,
    )


def judge(data: bytes, expected: CcaExpectations = TRUSTED) -> tuple[Check, ...]:
    """Return all checks of a token."""
    verified = found(data, expected)
    more = appraise.checks(verified.facts, expected) if verified.facts else []
    return (*verified.checks, *more)


def failures(checks: tuple[Check, ...]) -> list[tuple[str, str | None, str]]:
    """Return names, codes and concerns of the checks that failed."""
    return [(c.name, c.code, c.concern) for c in checks if c.state == "failed"]


def states(checks: tuple[Check, ...]) -> dict[str, str]:
    """Return the state of each check."""
    return {check.name: check.state for check in checks}
