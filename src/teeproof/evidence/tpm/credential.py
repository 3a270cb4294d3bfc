"""Enrol an attestation key: a challenge that only the TPM with that key can answer.

An endorsement key is certified by the TPM's maker and cannot sign. So the verifier hides a secret
for the endorsement key *and* the attestation key's name; the TPM gives the secret out only if it
holds both, and the name covers the key's attributes. After the right answer the verifier vouches
for the attestation key itself.

Source: TCG, TPM Library Part 1, 24 (Credential Protection), 11.4.10 (KDFa).

Trusts: the endorsement key that the caller established, ``cryptography``.
Does not trust: whoever carries the challenge, the answer.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.serialization import load_der_public_key

from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.evidence.tpm import public
from teeproof.evidence.tpm.facts import Voucher
from teeproof.evidence.tpm.wire import SHA256, sized

try:
    from cryptography.hazmat.decrepit.ciphers.modes import CFB
except ImportError:  # cryptography below 47
    from cryptography.hazmat.primitives.ciphers.modes import CFB

__all__ = ["SECRET_BYTES", "Challenge", "challenge", "enrol"]

SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the verifier sends.

    Attributes:
        blob: the hidden secret (TPM2B_ID_OBJECT).
        secret: the seed that it is hidden under, for the endorsement key
            (TPM2B_ENCRYPTED_SECRET).
    """

    blob: bytes
    secret: bytes


def challenge(
    endorsement_key: bytes, attestation_key: bytes, *, secret: bytes, seed: bytes
) -> Challenge:
    """Return a challenge whose answer is ``secret``.

    Args:
        endorsement_key: TPM2B_PUBLIC of an RSA key named by SHA-256; the caller holds its
            certificate against pinned roots.
        attestation_key: TPM2B_PUBLIC of the key to enrol.
        secret: 32 fresh random bytes.
        seed: 32 other fresh random bytes.

    Raises:
        Malformed: a key cannot be read, or the first is no endorsement key.
    """
    ek, name = public.parse(endorsement_key), public.parse(attestation_key).name
    loaded = load_der_public_key(ek.spki)
    _require_kept(public.parse(attestation_key))
    restricted = {"fixedTPM", "restricted", "decrypt"} <= ek.attributes
    if not isinstance(loaded, rsa.RSAPublicKey) or not restricted or "sign" in ek.attributes:
        raise Malformed("this is no endorsement key of RSA", code="ek_malformed")
    if (
        int.from_bytes(ek.name[:2], "big") != SHA256
        or len(secret) != SECRET_BYTES
        or len(seed) != 32
    ):
        raise Malformed("a challenge is made with SHA-256 and 32 bytes", code="ek_malformed")
    label = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), b"IDENTITY\0")
    cipher = Cipher(AES(_kdfa(seed, "STORAGE", name, 128)), CFB(bytes(16))).encryptor()
    hidden = cipher.update(sized(secret)) + cipher.finalize()
    integrity = hmac.digest(_kdfa(seed, "INTEGRITY", b"", 256), hidden + name, "sha256")
    return Challenge(sized(sized(integrity) + hidden), sized(loaded.encrypt(seed, label)))


def enrol(attestation_key: bytes, *, answer: bytes, secret: bytes, by: str) -> Voucher:
    """Return a voucher for the attestation key, if the answer is the challenge's secret.

    Args:
        attestation_key: TPM2B_PUBLIC that the challenge was made for.
        answer: what the TPM gave out.
        secret: the challenge's secret.
        by: whose endorsement key it was, for messages.

    Raises:
        NotAuthentic: another answer.
    """
    if not hmac.compare_digest(answer, secret):
        raise NotAuthentic(
            "the TPM did not answer the challenge, so the attestation key is not one of its keys",
            code="enrolment_failed",
        )
    key = public.parse(attestation_key)
    _require_kept(key)
    return Voucher(spki=key.spki, by=by, level="measured", name=key.name)


_KEPT = {"fixedTPM", "fixedParent", "sensitiveDataOrigin", "restricted", "sign"}


def _require_kept(key: public.Public) -> None:
    """Refuse a key that somebody may know: a TPM answers for keys that were imported, too."""
    if not key.attributes >= _KEPT or "decrypt" in key.attributes:
        raise NotAuthentic(
            "the attestation key may have been made outside the TPM, or signs what it is given",
            code="ak_not_kept",
            expected=f"{', '.join(sorted(_KEPT))}, and not decrypt",
            got=", ".join(sorted(key.attributes)),
        )


def _kdfa(key: bytes, label: str, context: bytes, bits: int) -> bytes:
    # One round of SP 800-108 in counter mode gives 256 bits, and no more are asked for.
    message = (1).to_bytes(4, "big") + label.encode() + b"\0" + context + bits.to_bytes(4, "big")
    return hmac.digest(key, message, hashlib.sha256)[: bits // 8]
