"""A pool as a workload: what runs in the TEE, and the only place where contributions are plaintext.

Measured setting:

    TEEPROOF_KMS      the policy (TOML) that the KMS must meet to be asked for keys

Inputs, which prove themselves (consents and statements name them by digest):

    terms.json        the pool's terms
    held-out.sealed   the held-out file, and held-out.json, its release policy

Peers: ``kms``, and ``log`` where statements go.

Trusts: the machine, the measured setting.  Does not trust: the host, its disk, contributors.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial

from teeproof.cloud.inside import Inside
from teeproof.cloud.kms.client import KmsClient
from teeproof.cloud.kms.policy import MAX_RELEASE_POLICY_BYTES, ReleasePolicy
from teeproof.core.digests import framed_sha256
from teeproof.core.reading import read_bounded
from teeproof.data.heldout import SealedHeldOut, open_held_out
from teeproof.data.journal import Journal
from teeproof.data.keys import KmsKeys
from teeproof.data.pool import Pool
from teeproof.data.service import PoolApp
from teeproof.data.terms import MAX_TERMS_BYTES, PoolTerms
from teeproof.data.validation import Yardstick
from teeproof.data.value import HeldOut
from teeproof.data.vault import MAX_SEALED_BYTES, Vault
from teeproof.evidence.policy import parse_policy

__all__ = ["HELD_OUT", "HELD_OUT_POLICY", "KMS", "KMS_PEER", "TERMS", "main", "open_pool"]

KMS, KMS_PEER = "TEEPROOF_KMS", "kms"
TERMS, HELD_OUT, HELD_OUT_POLICY = "terms.json", "held-out.sealed", "held-out.json"


def main(inside: Inside) -> int:
    """Judge what still waits, then serve until told to end."""
    with open_pool(inside) as pool:
        pool.settle()
        inside.say(step="serving", pool=pool.terms.digest_text, contributions=len(pool.entries))
        inside.serve(PoolApp(pool, say=lambda event, **facts: inside.say(event=event, **facts)))
    return 0


@contextmanager
def open_pool(inside: Inside) -> Iterator[Pool]:
    """Give the pool that this machine keeps.

    Raises:
        Usage: the measured setting is missing.
        NotAuthentic: the state was edited, or the held-out file is another.
        NotAllowed: the state belongs to other terms; the KMS is another.
        Unavailable: an input is missing, or the KMS does not answer.
    """
    read = partial(_read, inside)
    terms = PoolTerms.parse(read(TERMS, MAX_TERMS_BYTES))
    policy = parse_policy(inside.require(KMS))
    held = SealedHeldOut(
        read(HELD_OUT, MAX_SEALED_BYTES),
        ReleasePolicy.parse(read(HELD_OUT_POLICY, MAX_RELEASE_POLICY_BYTES)),
    )
    seed = framed_sha256("teeproof.data-seed.v1", inside.derive("data/seed"), terms.digest)
    store, key = inside.store(), inside.derive("data/state")
    with (
        closing(KmsClient(inside.url(KMS_PEER), policy=policy, now=inside.now)) as kms,
        closing(Journal(inside.state / "pool.sqlite", key=key)) as journal,
    ):
        keys = KmsKeys(kms, terms=terms, boot=partial(inside.boot, store=store), now=inside.now)
        records = open_held_out(held, terms=terms, key=keys.open)
        yield Pool(
            yardstick=Yardstick(terms, HeldOut.of(records), seed),
            journal=journal,
            vault=Vault(inside.state / "files"),
            keys=keys,
            store=store,
        )


def _read(inside: Inside, name: str, limit: int) -> bytes:
    return read_bounded(inside.inputs / name, limit=limit, what=name)
