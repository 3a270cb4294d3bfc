"""Proofs by somebody who holds the keys: workloads that sign what their formats do not allow.

Nobody but the signer can make these, so what they say is wrong in form alone: every signature
holds, and each member has the name of its content. Files are written as a reader expects them.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

from teeproof.core.digests import named, sha256
from teeproof.evidence.binding import report_data_for
from teeproof.evidence.naming import name_evidence
from teeproof.proof import signing
from teeproof.proof.blobs import attachments_of, blobs_of
from teeproof.proof.envelope import IN_TOTO, pae
from teeproof.proof.keys import Key
from teeproof.proof.workload import Identity
from tests.explorer.checking import Members, written
from tests.proof.people import NOW, attester

Json = dict[str, Any]


def dumps(value: Any) -> bytes:
    """JSON as our formats write it, whatever stands in it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )


def workload(*roles: Any) -> Identity:
    """A workload on a simulated machine in order."""
    return Identity.boot(attester(), roles=roles, now=lambda: NOW)


def members_of(*identities: Identity) -> Members:
    """The members of the identities, without statements."""
    found: Members = {}
    for one in identities:
        found[f"identities/{one.record.digest.hex()}.json"] = one.record.encode()
        found |= {f"blobs/{digest[7:]}": data for digest, data in one.blobs.items()}
    return found


def body_of(author: Identity, **changes: Any) -> Json:
    """A statement of a step, with some of its fields changed."""
    predicate = {"author": author.name, "step": "answer"} | changes.pop("predicate", {})
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "predicate": predicate,
        "predicateType": "urn:teeproof:step:v1",
        "subject": [{"digest": {"sha256": "ab" * 32}, "name": "answer"}],
    } | changes


def enveloped(payload: bytes, *signers: Identity, kind: str = IN_TOTO) -> Json:
    """An envelope that these signed."""
    message = pae(payload, kind)
    signatures = [
        {"keyid": "", "sig": base64.b64encode(one.keyring.sign(message)).decode()}
        for one in signers
    ]
    payload_text = base64.b64encode(payload).decode()
    return {"payload": payload_text, "payloadType": kind, "signatures": signatures}


def proof_of(
    payloads: list[bytes], *signers: Identity, change: Callable[[Json], None] = lambda _: None
) -> bytes:
    """A proof of statements with these payloads; ``change`` edits each envelope."""
    members = members_of(*signers)
    roots = []
    for payload in payloads:
        envelope = enveloped(payload, *signers)
        change(envelope)
        roots.append(named(sha256(payload)))
        members[f"statements/{roots[-1][7:]}.json"] = dumps(envelope)
    return rooted(members, roots)


def rooted(members: Members, roots: list[str]) -> bytes:
    """A file of these members with a manifest."""
    manifest = dumps({"roots": sorted(set(roots)), "type": "urn:teeproof:proof:v1"})
    return written({"manifest.json": manifest} | members)


def receipt_of(server: Identity, **changes: Any) -> bytes:
    """A proof of one receipt, signed by the server, with some of its fields changed."""
    body: Json = {
        "api_version": "aci/1",
        "event_log": [
            {"body_hash": named(sha256(b"ask")), "type": "request.received"},
            {"body_hash": named(sha256(b"say")), "type": "response.returned"},
        ],
        "key_id": "receipt",
        "workload_keyset_digest": server.record.keyset_digest,
    } | changes
    signed = dumps(body)
    whole = dumps(body | {"signature": server.keyring.sign_receipt(signed).hex()})
    digest = sha256(signed)
    members = members_of(server) | {f"statements/{digest.hex()}.json": whole}
    return rooted(members, [named(digest)])


def identity_of(change: Callable[[Json], None], *roles: Any) -> bytes:
    """A proof by a workload whose machine commits to a key document that ``change`` edited."""
    held = workload(*roles)
    keys: Json = json.loads(held.record.keys.encode())
    claim: Json = {"keys": keys, "evidence": []}
    change(claim)
    document = dumps(keys)
    keyset = _keyset(keys, document)
    data = report_data_for(keyset, nonce=claim.get("nonce"))
    evidence = attester().attest(data)
    kind, name = name_evidence(evidence)
    if claim["evidence"] == []:
        claim["evidence"] = [{"id": name, "kind": kind}]
    digest = sha256(document).hex()
    payload = dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "predicate": claim,
            "predicateType": "urn:teeproof:identity:v1",
            "subject": [
                {"digest": {"sha256": digest}, "name": f"urn:teeproof:keys:sha256:{digest}"}
            ],
        }
    )
    envelope = enveloped(payload)
    envelope["signatures"] = [
        _possession(held, key, payload) for key in keys["keys"] if _signs(key)
    ]
    blobs = blobs_of(evidence)
    attached = attachments_of(blobs)
    record = dumps({"attachments": attached, "envelope": envelope})
    said = dumps(
        body_of(held) | {"predicate": {"author": named(sha256(payload)), "step": "answer"}}
    )
    members = {
        f"identities/{sha256(payload).hex()}.json": record,
        f"statements/{sha256(said).hex()}.json": dumps(enveloped(said, held)),
        **{f"blobs/{attached[part][7:]}": data for part, data in blobs.items()},
    }
    return rooted(members, [named(sha256(said))])


def _signs(key: Json) -> bool:
    return key.get("algorithm") in ("ed25519", "p256", "secp256k1")


def _possession(held: Identity, key: Json, payload: bytes) -> Json:
    try:
        known = Key(role=key["role"], algorithm=key["algorithm"], public_key=key["public_key"])
        signature = held.keyring.prove_possession(known, pae(payload))
    except Exception:
        signature = bytes(64)
    return {"keyid": "", "sig": base64.b64encode(signature).decode()}


def _keyset(keys: Json, document: bytes) -> str:
    from teeproof.proof.points import p256_spki

    def of(role: str) -> list[Json]:
        return [key for key in keys["keys"] if key["role"] == role]

    def tls(key: Json) -> Json:
        spki = {"spki_sha256": sha256(p256_spki(bytes.fromhex(key["public_key"]))).hex()}
        return spki | ({"domain": key["domain"]} if "domain" in key else {})

    sealed = "x25519-aes-256-gcm-hkdf-sha256"
    keyset = {
        "subject": f"urn:teeproof:keys:{named(sha256(document))}",
        "not_after": keys["not_after"],
        "receipt_signing_keys": [
            {"key_id": "receipt", "algo": key["algorithm"], "public_key": key["public_key"]}
            for key in of("receipt")
        ],
        "e2ee_public_keys": [
            {"key_id": "e2ee", "algo": sealed, "public_key": key["public_key"]}
            for key in of("e2ee")
        ],
        "tls_public_keys": [tls(key) for key in of("tls")],
    }
    return named(sha256(dumps(keyset)))


def signed_with_weak_r(seed: bytes, message: bytes) -> bytes:
    """A signature whose R is the identity, of small order: S = k·a holds the equation for it.

    RFC 8032, 5.1.6 with r = 0. libsodium refuses such an R, and BoringSSL does not.
    """
    from nacl.bindings import crypto_sign_seed_keypair

    order = 2**252 + 27742317777372353535851937790883648493
    public, _ = crypto_sign_seed_keypair(seed)
    drawn = bytearray(hashlib.sha512(seed).digest()[:32])
    drawn[0] &= 248
    drawn[31] = drawn[31] & 127 | 64
    r = bytes([1]) + bytes(31)
    k = int.from_bytes(hashlib.sha512(r + public + message).digest(), "little")
    return r + (k * int.from_bytes(drawn, "little") % order).to_bytes(32, "little")


PUBLIC = signing.public_key("ed25519", bytes(range(32))).hex()
"""A key that no workload here holds."""
