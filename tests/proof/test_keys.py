from __future__ import annotations

from typing import Any

import msgspec
import pytest

from teeproof.core.errors import Malformed, Unavailable, Usage
from teeproof.proof import canonical, points
from teeproof.proof.keyring import Keyring, identity_digest_712, verify_possession
from teeproof.proof.keys import DAY, ROLES, SIGNING, Key, KeyDocument

EVERY: list[Any] = [(role, algorithm) for role, all_ in ROLES.items() for algorithm in all_]


def document(*roles: Any, **dates: int) -> KeyDocument:
    ring = Keyring.new(["statement", *roles])
    return KeyDocument.of(ring.public(), **({"not_before": 1000, "not_after": 2000} | dates))


def changed(given: KeyDocument, **fields: Any) -> bytes:
    return canonical.encode(msgspec.to_builtins(given) | fields)


def refused(data: bytes) -> str:
    with pytest.raises(Malformed) as error:
        KeyDocument.parse(data)
    return error.value.code


def test_a_document_with_a_key_for_every_role_reads_back() -> None:
    ring = Keyring.new(EVERY)
    given = KeyDocument.of(ring.public(domain="a.example"), not_before=1, not_after=2)
    read = KeyDocument.parse(given.encode())
    assert read == given
    assert read.digest == given.digest
    assert [(key.role, key.algorithm) for key in read.keys] == sorted(EVERY)
    assert read.key("tls").domain == "a.example"  # type: ignore[union-attr]


def test_operator_writes_one_key_into_two_roles() -> None:
    given = document("receipt")
    keys = msgspec.to_builtins(given.keys)
    keys[0]["public_key"] = keys[1]["public_key"]
    assert refused(changed(given, keys=keys)) == "key_in_two_roles"


@pytest.mark.parametrize("role", ["chain", "tls", "receipt"])
def test_operator_hides_a_second_use_behind_the_other_sign_of_a_point(role: str) -> None:
    twin = {"chain": "legacy", "tls": "model", "receipt": "verdict"}[role]
    given = document(role, twin)
    keys = msgspec.to_builtins(given.keys)
    by_role = {key["role"]: key for key in keys}
    raw = bytearray.fromhex(by_role[role]["public_key"])
    raw[31 if role == "receipt" else 0] ^= 0x80 if role == "receipt" else 1
    by_role[twin]["public_key"] = raw.hex()
    assert refused(changed(given, keys=keys)) == "key_in_two_roles"


def test_operator_uses_an_encryption_key_inside_a_hybrid_key_too() -> None:
    given = document(("seal", "x25519"), ("seal", "mlkem768-x25519"))
    keys = msgspec.to_builtins(given.keys)
    by = {key["algorithm"]: key for key in keys}
    by["x25519"]["public_key"] = by["mlkem768-x25519"]["public_key"][-64:]
    assert refused(changed(given, keys=keys)) == "key_in_two_roles"


@pytest.mark.parametrize(
    ("role", "algorithm", "raw", "code"),
    [
        ("statement", "ed25519", bytes(32), "public_key_malformed"),
        ("statement", "ed25519", b"\1" + bytes(31), "public_key_malformed"),
        ("statement", "ed25519", b"\xff" * 32, "public_key_malformed"),
        ("seal", "x25519", bytes(32), "public_key_malformed"),
        ("seal", "x25519", b"\xed" + b"\xff" * 30 + b"\x7f", "public_key_malformed"),
        ("chain", "secp256k1", b"\2" + bytes(32), "public_key_malformed"),
        ("chain", "secp256k1", b"\4" + bytes(64), "public_key_malformed"),
        ("tls", "p256", b"\2" + b"\xff" * 32, "public_key_malformed"),
        ("seal", "mlkem768-x25519", bytes(100), "public_key_malformed"),
        ("admin", "ed25519", b"\3" * 32, "key_role_unknown"),
        ("chain", "ed25519", b"\3" * 32, "key_algorithm_wrong"),
    ],
)
def test_operator_lists_what_is_no_usable_key(
    role: str, algorithm: str, raw: bytes, code: str
) -> None:
    given = document()
    key = {"role": role, "algorithm": algorithm, "public_key": raw.hex()}
    keys = [*(k for k in msgspec.to_builtins(given.keys) if k["role"] != role), key]
    ordered = sorted(keys, key=lambda k: (k["role"], k["algorithm"]))
    assert refused(changed(given, keys=ordered)) == code


def test_keys_stand_in_one_order_and_once() -> None:
    given = document("receipt")
    keys = msgspec.to_builtins(given.keys)
    assert refused(changed(given, keys=keys[::-1])) == "keys_out_of_order"
    assert refused(changed(given, keys=[keys[0], *keys])) == "keys_out_of_order"


def test_a_document_needs_a_statement_key() -> None:
    assert refused(changed(document("receipt"), keys=[])) == "statement_key_missing"


@pytest.mark.parametrize(("days", "good"), [(30, True), (31, False)])
def test_keys_live_for_thirty_days_at_most(days: int, good: bool) -> None:
    given = document()
    data = changed(given, not_before=1000, not_after=1000 + days * DAY)
    if good:
        assert KeyDocument.parse(data).not_after == 1000 + days * DAY
    else:
        assert refused(data) == "keys_live_too_long"


@pytest.mark.parametrize("dates", [(0, 5), (5, 5), (6, 5), (-1, 5)])
def test_dates_that_make_no_sense_are_refused(dates: tuple[int, int]) -> None:
    data = changed(document(), not_before=dates[0], not_after=dates[1])
    assert refused(data) == "key_dates_malformed"


@pytest.mark.parametrize("domain", ["", "a..b", "a b", "ä.example", "A.example", "a" * 254])
def test_a_domain_is_a_host_name(domain: str) -> None:
    given = document("tls")
    keys = msgspec.to_builtins(given.keys)
    keys[-1]["domain"] = domain
    assert refused(changed(given, keys=keys)) == "key_domain_wrong"


def test_an_unknown_field_or_type_is_refused() -> None:
    assert refused(changed(document(), comment="x")) == "key_document_malformed"
    assert refused(changed(document(), type="urn:teeproof:keys:v2")) == "key_document_malformed"


SIGNERS = [(role, algorithm) for role, algorithm in EVERY if algorithm in SIGNING]


@pytest.mark.parametrize(("role", "algorithm"), SIGNERS, ids=str)
def test_each_signing_key_proves_possession_and_no_other_can(role: str, algorithm: Any) -> None:
    ring, other = Keyring.new([(role, algorithm)]), Keyring.new([(role, algorithm)])
    (key,) = ring.public()
    signature = ring.prove_possession(key, b"identity")
    assert verify_possession(key, b"identity", signature)
    assert not verify_possession(key, b"identitY", signature)
    assert not verify_possession(key, b"identity", other.prove_possession(key, b"identity"))
    assert not verify_possession(key, b"identity", signature[:-1])
    assert not verify_possession(key, b"identity", bytes(64))


@pytest.mark.parametrize("algorithm", ["p256", "secp256k1"])
def test_prover_shows_the_twin_of_a_signature(algorithm: Any) -> None:
    from teeproof.proof.signing import _ORDERS

    role = "tls" if algorithm == "p256" else "chain"
    ring = Keyring.new([role])
    (key,) = ring.public()
    signature = ring.prove_possession(key, b"identity")
    s = _ORDERS[algorithm] - int.from_bytes(signature[32:], "big")
    assert not verify_possession(key, b"identity", signature[:32] + s.to_bytes(32, "big"))


def test_the_digest_that_an_ethereum_key_signs_is_eip_712() -> None:
    import hashlib

    from eth_utils import keccak

    domain = keccak(
        keccak(text="EIP712Domain(string name,string version)")
        + keccak(text="teeproof") + keccak(text="1")
    )  # fmt: skip
    struct = keccak(
        keccak(text="Identity(bytes32 statement)") + hashlib.sha256(b"identity").digest()
    )
    assert identity_digest_712(b"identity") == keccak(b"\x19\x01" + domain + struct)


def test_a_keyring_shows_and_copies_no_secret() -> None:
    import copy
    import pickle

    ring = Keyring.new(["statement"])
    secret = ring.secret("statement")
    assert secret.hex() not in repr(ring) + str(ring) + repr(vars(ring).keys())
    for leak in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            leak(ring)


def test_a_role_that_was_not_asked_for_signs_nothing() -> None:
    ring = Keyring.new(["statement"])
    with pytest.raises(Usage) as error:
        ring.sign_receipt(b"x")
    assert error.value.code == "role_missing"
    with pytest.raises(Usage):
        Keyring.new(["admin"])
    with pytest.raises(Usage):
        Keyring.new([("chain", "ed25519")])


def test_secrets_that_are_no_scalars_are_drawn_again() -> None:
    draws = iter([bytes(32), b"\xff" * 32, b"\1" * 32, b"\2" * 32])
    ring = Keyring.new(["chain"], random=lambda _: next(draws))
    assert ring.secret("chain") == b"\1" * 32


def test_a_hybrid_key_is_what_the_hpke_library_takes() -> None:
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey

    (key,) = Keyring.new([("seal", "mlkem768-x25519")]).public()
    assert len(key.raw) == points.HYBRID_BYTES
    MLKEM768PublicKey.from_public_bytes(key.raw[: points.ML_KEM_768_BYTES])


def test_the_spki_of_a_tls_key_is_that_of_certificates() -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    ring = Keyring.new(["tls"])
    (key,) = ring.public()
    private = ec.derive_private_key(int.from_bytes(ring.secret("tls"), "big"), ec.SECP256R1())
    spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert points.p256_spki(key.raw) == spki


def test_a_key_is_told_by_role_and_algorithm() -> None:
    given = document(("legacy", "ed25519"), ("legacy", "secp256k1"))
    assert given.key("legacy", "secp256k1").algorithm == "secp256k1"  # type: ignore[union-attr]
    assert given.key("log") is None
    assert all(isinstance(key, Key) for key in given.signing)


def test_operator_uses_a_signing_key_for_encryption_too() -> None:
    """Ed25519 and X25519 are two writings of one curve: one secret serves both."""
    from nacl.bindings import crypto_sign_ed25519_pk_to_curve25519

    given = document("e2ee", ("seal", "mlkem768-x25519"))
    for role in ("e2ee", "seal"):
        keys = msgspec.to_builtins(given.keys)
        by_role = {key["role"]: key for key in keys}
        signing = bytes.fromhex(by_role["statement"]["public_key"])
        for raw in (signing, signing[:31] + bytes([signing[31] ^ 0x80])):
            turned = crypto_sign_ed25519_pk_to_curve25519(raw).hex()
            by_role[role]["public_key"] = by_role[role]["public_key"][:-64] + turned
            assert refused(changed(given, keys=keys)) == "key_in_two_roles"


def test_operator_adds_a_point_of_small_order_to_an_encryption_key() -> None:
    """Eight such points share one secret, because X25519 multiplies the difference away."""
    from cryptography.hazmat.primitives.asymmetric import x25519

    raw = Keyring.new(["e2ee"]).public()[0].raw
    u = int.from_bytes(raw, "little")
    twin = pow(u, -1, (1 << 255) - 19).to_bytes(32, "little")  # (u, v) + (0, 0), of order 2
    other = x25519.X25519PrivateKey.generate()
    shared = {
        other.exchange(x25519.X25519PublicKey.from_public_bytes(point)) for point in (raw, twin)
    }
    assert len(shared) == 1
    assert points.is_valid("x25519", raw)
    assert not points.is_valid("x25519", twin)


def test_operator_lists_a_point_of_the_twist_as_an_encryption_key() -> None:
    assert points.is_valid("x25519", (9).to_bytes(32, "little")), "RFC 7748: the base point"
    for u in (0, 1, 2, 3, (1 << 255) - 20, (1 << 255) - 19, (1 << 255) - 10):
        assert not points.is_valid("x25519", u.to_bytes(32, "little")), u


@pytest.mark.parametrize("last", [253_402_300_799, 253_402_300_800, 2**53 - 1])
def test_operator_dates_keys_beyond_the_calendar(last: int) -> None:
    data = changed(document(), not_before=last - 1, not_after=last)
    if last == 253_402_300_799:
        assert KeyDocument.parse(data).not_after == last
    else:
        assert refused(data) == "key_dates_malformed"


@pytest.mark.parametrize("domain", ["-", "-a.example", "a-.example", "a" * 64, "a.example."])
def test_no_host_name_has_such_labels(domain: str) -> None:
    with pytest.raises(Malformed) as error:
        KeyDocument.of(
            Keyring.new(["statement", "tls"]).public(domain=domain), not_before=1, not_after=2
        )
    assert error.value.code == "key_domain_wrong"


def test_thief_of_memory_finds_no_key_after_its_ring_is_gone() -> None:
    """Nothing outside the ring holds a secret, or what was made of one, beyond a call."""
    import gc

    ring = Keyring.new(["statement", "receipt"])
    ring.sign(b"x")
    ring.sign_receipt(b"x")
    secrets = {ring.secret("statement"), ring.secret("receipt")}
    heads = {secret[:32] for secret in secrets}
    del ring, secrets
    gc.collect()
    held = (
        one
        for holder in gc.get_objects()
        if issubclass(type(holder), dict | list | tuple)
        for one in gc.get_referents(holder)  # runs no code of theirs, unlike iterating
        if type(one) is bytes and len(one) in (32, 64)
    )
    assert not [one for one in held if len(one) == 64 and one[:32] in heads]
    from teeproof.proof import signing

    assert not hasattr(signing.sign_ed25519, "cache_info")
    assert not hasattr(signing.expand_ed25519, "cache_info")


def test_operator_writes_one_key_in_two_ways() -> None:
    given = document()
    key = msgspec.to_builtins(given.keys)[0]
    for text in (key["public_key"].upper(), " " + key["public_key"], key["public_key"] + "\n"):
        keys = [key | {"public_key": text}]
        assert refused(changed(given, keys=keys)) == "public_key_malformed"


@pytest.mark.parametrize(("role", "algorithm"), [("tls", "p256"), ("chain", "secp256k1")])
def test_operator_writes_a_point_with_both_coordinates(role: str, algorithm: Any) -> None:
    from coincurve import PublicKey
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    raw = Keyring.new([role]).public()[0].raw
    if algorithm == "p256":
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
        long = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    else:
        long = PublicKey(raw).format(compressed=False)
    assert points.is_valid(algorithm, raw)
    assert len(long) == 65
    assert not points.is_valid(algorithm, long)
    assert not points.is_valid(algorithm, bytes([6 + (long[-1] & 1)]) + long[1:])


def test_operator_lists_a_hybrid_key_of_which_one_half_is_none() -> None:
    raw = Keyring.new([("seal", "mlkem768-x25519")]).public()[0].raw
    assert points.is_valid("mlkem768-x25519", raw)
    assert not points.is_valid("mlkem768-x25519", raw[:-32] + bytes(32))
    assert not points.is_valid("mlkem768-x25519", b"\xff" * 1184 + raw[-32:])


@pytest.mark.parametrize("previous", ["", "abc", "sha256:" + "A" * 64, "sha512:" + "a" * 64])
def test_a_document_follows_an_identity_or_nothing(previous: str) -> None:
    assert refused(changed(document(), previous=previous)) == "digest_malformed"


def test_only_a_tls_key_has_a_domain() -> None:
    given = document()
    keys = [key | {"domain": "a.example"} for key in msgspec.to_builtins(given.keys)]
    assert refused(changed(given, keys=keys)) == "key_domain_wrong"


def test_prover_moves_bytes_from_the_message_into_the_signature() -> None:
    """A signature and a message that are read as one text would allow another cut."""
    from teeproof.proof import signing

    ring = Keyring.new(["statement"])
    public, made = ring.public()[0].raw, ring.sign(b"message")
    assert signing.holds_ed25519(public, b"message", made)
    assert not signing.holds_ed25519(public, b"sage", made + b"mes")
    assert not signing.holds_ed25519(public, made[-1:] + b"message", made[:-1])


def test_an_ethereum_key_proves_possession_under_its_own_domain_only() -> None:
    """What it signs is no transaction, no message of a wallet, and no digest chosen by others."""
    from teeproof.core.digests import keccak256, sha256
    from teeproof.proof import signing

    ring = Keyring.new(["chain"])
    key = ring.public()[0]
    assert verify_possession(key, b"x", ring.prove_possession(key, b"x"))
    for digest in (sha256(b"x"), keccak256(b"x"), keccak256(b"\x19Ethereum Signed Message:\n1x")):
        made = signing.sign_ecdsa("secp256k1", ring.secret("chain"), digest)
        assert not verify_possession(key, b"x", made)


def test_a_ring_prints_its_roles_and_nothing_else() -> None:
    ring = Keyring.new(["statement", "chain", ("legacy", "ed25519"), ("legacy", "secp256k1")])
    ring.sign(b"x")
    assert repr(ring) == str(ring) == "Keyring(chain, legacy, legacy, statement)"


@pytest.mark.parametrize("source", [bytes, lambda n: b"\xff" * n, lambda n: b"\1" * (n - 1)])
def test_host_breaks_the_random_source(source: Any) -> None:
    with pytest.raises(Unavailable) as error:
        Keyring.new(["chain"], random=source)
    assert error.value.code == "random_broken"


def test_every_key_that_is_drawn_is_one_to_list() -> None:
    for _ in range(50):
        for key in Keyring.new(EVERY).public():
            assert points.is_valid(key.algorithm, key.raw)


@pytest.mark.parametrize("role", ["chain", "tls"])
def test_prover_pads_a_number_in_a_signature(role: str) -> None:
    ring = Keyring.new([role])
    key = ring.public()[0]
    made = ring.prove_possession(key, b"x")
    assert verify_possession(key, b"x", made)
    for other in (made[:32] + b"\0" + made[32:], made + b"\0", made[:-1], b"\0" + made, b""):
        assert not verify_possession(key, b"x", other)


def test_a_key_that_is_given_is_used_and_the_others_are_drawn() -> None:
    ring = Keyring.new(["statement", "chain", "seal"], given={"chain": b"\5" * 32})
    other = Keyring.new(["statement", "chain", "seal"], given={"chain": b"\5" * 32})
    assert ring.secret("chain") == other.secret("chain") == b"\5" * 32
    assert ring.secret("seal") != other.secret("seal")
    assert ring.lasting == {"chain": b"\5" * 32}


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"chain": b"\5" * 31}, "key_size"),
        ({"chain": "05" * 16}, "key_size"),
        ({"tls": b"\5" * 32}, "key_unused"),
    ],
)
def test_a_given_key_that_is_none_or_has_no_role_is_refused(given: Any, code: str) -> None:
    with pytest.raises(Usage) as refused:
        Keyring.new(["statement", "chain"], given=given)
    assert refused.value.code == code


def test_a_given_key_that_is_no_number_of_its_curve_is_refused() -> None:
    with pytest.raises(Unavailable) as refused:
        Keyring.new(["statement", "chain"], given={"chain": bytes(32)})
    assert refused.value.code == "random_broken"


def test_the_chain_key_signs_typed_data_as_ethereum_recovers_it() -> None:
    from coincurve import PublicKey

    from teeproof.core.digests import keccak256

    ring = Keyring.new(["statement", "chain"])
    domain, struct = keccak256(b"domain"), keccak256(b"struct")
    signature = ring.sign_typed(domain, struct)
    digest = keccak256(b"\x19\x01", domain, struct)
    recoverable = signature[:64] + bytes([signature[64] - 27])
    signer = PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
    assert signer.format() == next(key.raw for key in ring.public() if key.role == "chain")
    assert signature[64] in (27, 28)


def test_typed_data_is_two_hashes_and_nothing_else() -> None:
    ring = Keyring.new(["statement", "chain"])
    with pytest.raises(Usage) as refused:
        ring.sign_typed(b"\x19", b"\1" * 32)
    assert refused.value.code == "digest_size"
