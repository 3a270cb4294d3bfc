"""Wrapped keys are HPKE's: they open by RFC 9180 and X-Wing as written out here."""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from teeproof.core.digests import framed_sha256
from teeproof.core.sealed import wrap_key
from teeproof.core.sealed.keys import make_header
from tests.core.sealed.scenes import ALICE, BOB, JOB, POLICY

HKDF_SHA256, AES_256_GCM = 1, 2
DHKEM_X25519, X_WING = 0x0020, 0x647A


def two(number: int) -> bytes:
    return number.to_bytes(2, "big")


def extract(suite: bytes, label: bytes, secret: bytes, salt: bytes = b"") -> bytes:
    """RFC 9180, 4: LabeledExtract."""
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + secret, "sha256")


def expand(suite: bytes, key: bytes, label: bytes, info: bytes, size: int) -> bytes:
    """RFC 9180, 4: LabeledExpand, for up to 32 bytes."""
    labelled = two(size) + b"HPKE-v1" + suite + label + info
    return hmac.digest(key, labelled + b"\1", "sha256")[:size]


def opened(kem: int, shared: bytes, info: bytes, ciphertext: bytes) -> bytes:
    """RFC 9180, 5.1 and 5.2: the key schedule of mode base, and the first message."""
    suite = b"HPKE" + two(kem) + two(HKDF_SHA256) + two(AES_256_GCM)
    context = b"\0" + extract(suite, b"psk_id_hash", b"") + extract(suite, b"info_hash", info)
    secret = extract(suite, b"secret", b"", salt=shared)
    key = expand(suite, secret, b"key", context, 32)
    nonce = expand(suite, secret, b"base_nonce", context, 12)
    return AESGCM(key).decrypt(nonce, ciphertext, None)


def test_an_x25519_key_is_wrapped_as_rfc_9180_says():
    wrapped = ALICE.public.encrypt(b"k" * 32, info=b"this")
    encapsulation, secret = wrapped[:32], X25519PrivateKey.from_private_bytes(ALICE.secret)
    product = secret.exchange(X25519PublicKey.from_public_bytes(encapsulation))
    kem = b"KEM" + two(DHKEM_X25519)
    context = encapsulation + ALICE.public.public_key
    shared = expand(kem, extract(kem, b"eae_prk", product), b"shared_secret", context, 32)
    assert opened(DHKEM_X25519, shared, b"this", wrapped[32:]) == b"k" * 32


def test_a_hybrid_key_is_wrapped_as_x_wing_says():
    wrapped = BOB.public.encrypt(b"k" * 32, info=b"this")
    stretched = hashlib.shake_256(BOB.secret).digest(96)
    lattice = MLKEM768PrivateKey.from_seed_bytes(stretched[:64]).decapsulate(wrapped[:1088])
    point = X25519PrivateKey.from_private_bytes(stretched[64:])
    product = point.exchange(X25519PublicKey.from_public_bytes(wrapped[1088:1120]))
    # draft-connolly-cfrg-xwing-kem, 5.3: the combiner and its label
    parts = lattice + product + wrapped[1088:1120] + BOB.public.public_key[-32:] + rb"\.//^" + b"\\"
    shared = hashlib.sha3_256(parts).digest()
    assert opened(X_WING, shared, b"this", wrapped[1120:]) == b"k" * 32


def test_a_wrapped_key_is_bound_to_suite_recipient_policy_file_and_job():
    for key in (ALICE, BOB):
        for policy in (POLICY, None):
            header, data_key = make_header([key.public], policy_digest=policy)
            whom = key.suite.name.encode(), key.public.digest
            bound = (*whom, policy or b"", header.file_id)
            info = framed_sha256("teeproof.seal-wrap.v1", *bound)
            assert key.decrypt(header.recipients[0].wrapped, info=info) == data_key.secret
            grant = wrap_key(data_key, header=header, recipient=key.public, job_digest=JOB)
            info = framed_sha256("teeproof.seal-grant.v1", *bound, JOB)
            assert key.decrypt(grant.wrapped, info=info) == data_key.secret
