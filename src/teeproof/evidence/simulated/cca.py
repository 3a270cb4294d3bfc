"""A simulated Arm CCA platform: its attestation key (CPAK), and realms that get tokens from it.

The forms are those of draft-ffm-rats-cca-token and of the RMM specification 1.0. Nothing leads from
a token to a vendor, so nothing in one can say SIMULATED: that is for whoever names the key.

Trusts: whoever holds the seed.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha512
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from teeproof.core.digests import framed_sha256, named, sha256
from teeproof.evidence.simulated.cose import cbor, sign1
from teeproof.evidence.simulated.nitro import ORDER_P384

__all__ = ["PLATFORM_PROFILE", "REALM_PROFILE", "SimulatedCca", "point", "wrap"]

PLATFORM_PROFILE = "tag:arm.com,2023:cca_platform#1.0.0"
REALM_PROFILE = "tag:arm.com,2023:realm#1.0.0"
SECURED = 0x3003
_NOTHING: Mapping[int, Any] = {}


def _measured(what: str) -> bytes:
    return hashlib.sha256(f"SIMULATED {what}".encode()).digest()


class SimulatedCca:
    """All that follows from one seed.

    Args:
        seed: 32 bytes.
    """

    def __init__(self, seed: bytes) -> None:
        self.seed = seed

    @property
    def cpak(self) -> ec.EllipticCurvePrivateKey:
        """The platform's attestation key, on P-384."""
        return self._key("platform")

    @property
    def rak(self) -> ec.EllipticCurvePrivateKey:
        """The realm's attestation key, on P-384."""
        return self._key("realm")

    @property
    def root_fingerprint(self) -> str:
        """``sha256:…`` of the platform key's SubjectPublicKeyInfo: what a policy pins."""
        public = self.cpak.public_key()
        der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return named(sha256(der))

    @property
    def instance_id(self) -> bytes:
        """33 bytes that name the platform (an EAT UEID, RAND)."""
        return b"\1" + _measured(f"platform {self.seed.hex()}")

    def platform_key(self) -> bytes:
        """Return the platform's key as an endorser publishes it: a JSON Web Key."""
        whole = point(self.cpak)
        x, y = (urlsafe_b64encode(half).rstrip(b"=").decode() for half in (whole[1:49], whole[49:]))
        return json.dumps({"kty": "EC", "crv": "P-384", "x": x, "y": y}, indent=1).encode() + b"\n"

    def realm_claims(self, challenge: bytes) -> dict[int, Any]:
        """Return a realm's claims by their labels."""
        whole = point(self.rak)
        return {
            10: challenge,
            265: REALM_PROFILE,
            44235: b"SIMULATED".ljust(64, b"\0"),
            44238: _measured("realm"),
            44239: [_measured(f"register {index}") for index in range(4)],
            44236: "sha-256",
            44237: cbor({1: 2, -1: 2, -2: whole[1:49], -3: whole[49:]}),  # COSE_Key
            44240: "sha-256",
        }

    def platform_claims(self, realm_key: bytes) -> dict[int, Any]:
        """Return a platform's claims by their labels, for a realm with this key."""
        components = [
            {1: name, 2: _measured(name), 4: "1.0", 5: _measured("signer"), 6: "sha-256"}
            for name in ("RSE_BL1_2", "RSE_BL2", "AP_BL31", "RMM")
        ]
        return {
            265: PLATFORM_PROFILE,
            10: hashlib.sha256(realm_key).digest(),
            2396: _measured("implementation"),
            256: self.instance_id,
            2401: b"\1\2\3",
            2395: SECURED,
            2402: "sha-256",
            2399: components,
        }

    def token(
        self,
        challenge: bytes,
        *,
        platform: Mapping[int, Any] = _NOTHING,
        realm: Mapping[int, Any] = _NOTHING,
        cpak: ec.EllipticCurvePrivateKey | None = None,
        rak: ec.EllipticCurvePrivateKey | None = None,
    ) -> bytes:
        """Return a token over 64 bytes.

        Args:
            challenge: what the realm binds.
            platform: other values of the platform's claims; None leaves one out.
            realm: likewise of the realm's.
            cpak: who signs in the platform's place.
            rak: who signs in the realm's place.
        """
        said = _changed(self.realm_claims(challenge), realm)
        key = said.get(44237)
        vouched = _changed(self.platform_claims(key if isinstance(key, bytes) else b""), platform)
        return wrap(
            sign1(cpak or self.cpak, cbor(vouched), tagged=True),
            sign1(rak or self.rak, cbor(said), tagged=True),
        )

    def _key(self, role: str) -> ec.EllipticCurvePrivateKey:
        label = framed_sha256("teeproof.simulated.cca.v1", self.seed, role.encode())
        scalar = int.from_bytes(sha512(label).digest(), "big") % (ORDER_P384 - 1) + 1
        return ec.derive_private_key(scalar, ec.SECP384R1())


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return 0x04, x, y of a public key."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def wrap(platform: bytes, realm: bytes) -> bytes:
    """Return a token of these two."""
    return b"\xd9\x01\x8f" + cbor({44234: platform, 44241: realm})


def _changed(claims: dict[int, Any], changes: Mapping[int, Any]) -> dict[int, Any]:
    return {label: value for label, value in (claims | dict(changes)).items() if value is not None}
