"""The log's operator runs a witness, sets a clock, or has a chain of its own."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from teeproof.core.clock import to_epoch
from teeproof.proof import signing
from teeproof.proof.anchor import TrustedBlock
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.statement import Statement
from teeproof.proof.verify import ProofVerdict
from teeproof.proof.workload import Identity
from tests.proof.anchor import blocks
from tests.proof.attacks import tools
from tests.proof.attacks.tools import DAY, found, holds
from tests.proof.file.scenes import members
from tests.proof.people import NOW, attester, step, workload_named
from tests.proof.world import LATER, LOG_SEED, ONE, THREE, TWO, World

AUTHOR = workload_named("alice")
MISSED = {
    ("identity", "witnesses", "quorum_missed", "policy"),
    ("statement", "witnesses", "quorum_missed", "policy"),
}


def unpublished() -> tuple[World, Statement]:
    world = World()
    world.add(AUTHOR)
    return world, world.say(step(AUTHOR, "train", "model"), AUTHOR)


def cosigned(*by: tuple[Cosigner, datetime]) -> tuple[World, bytes]:
    """A proof whose checkpoint these witnesses cosigned at these times."""
    world, statement = unpublished()
    signed = world.log.publish()
    lines = [one.cosign(signed.note.text, time=to_epoch(at)) for one, at in by]
    world.log.add_cosignatures(signed.checkpoint.size, lines)
    return world, world.export(statement)


def why(verdict: ProofVerdict) -> str:
    return next(f.check.got or "" for f in verdict.faults if f.check.name == "witnesses")


def test_a_quorum_of_strangers_dates_a_statement() -> None:
    world, file = cosigned((ONE, NOW), (TWO, NOW + timedelta(seconds=90)))
    verdict = world.verify(file)
    assert holds(verdict)
    assert verdict.time == "2026-03-01T12:01:30Z"


def test_too_few_witnesses_are_no_quorum() -> None:
    world, file = cosigned((ONE, NOW))
    verdict = world.verify(file)
    assert found(verdict) == MISSED
    assert (verdict.exit_code, verdict.time) == (4, None)
    assert verdict.identities[0].timed is False


def test_a_witness_that_cosigns_again_and_again_counts_once() -> None:
    world, file = cosigned((ONE, NOW), (ONE, NOW + DAY / 24), (ONE, NOW - DAY / 24))
    verdict = world.verify(file)
    assert found(verdict) == MISSED
    assert why(verdict).count("it cosigned earlier") == 2


def test_a_witness_with_a_slow_clock_cannot_date_back_alone() -> None:
    world, file = cosigned((ONE, NOW - 300 * DAY), (TWO, NOW))
    assert world.verify(file).time == "2026-03-01T12:00:00Z"


def test_a_witness_from_the_future_does_not_count() -> None:
    world, file = cosigned((ONE, NOW), (TWO, LATER + timedelta(seconds=301)))
    verdict = world.verify(file)
    assert found(verdict) == MISSED
    assert "its time lies in the future" in why(verdict)
    world, file = cosigned((ONE, NOW), (TWO, LATER + timedelta(seconds=300)))
    assert holds(world.verify(file))


def test_a_prover_who_forges_one_cosignature_has_no_quorum_at_all() -> None:
    world, file = cosigned((ONE, NOW), (TWO, NOW), (THREE, NOW))
    name = next(name for name in tools.part_names(file) if "checkpoints/" in name)
    signed = SignedCheckpoint.parse(members(file)[name])
    *lines, last = signed.note.signatures
    bad = msgspec.structs.replace(
        last, signature=last.signature[:-1] + bytes([last.signature[-1] ^ 1])
    )
    note = msgspec.structs.replace(signed.note, signatures=(*lines, bad))
    verdict = world.verify(tools.rewritten(file, {name: note.encode()}))
    assert found(verdict) == MISSED
    assert "the signature does not hold" in why(verdict)


def trusting(world: World, second: Cosigner) -> TlogPolicy:
    """A careless relying party's policy: both witnesses must have cosigned."""
    lines = [
        f"log {world.log.verifier.text()}",
        f"witness one {ONE.verifier.text()}",
        f"witness second {second.verifier.text()}",
        "group both 2 one second",
        "quorum both",
    ]
    return TlogPolicy.parse("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("log.example/witness", False),
        ("w.log.example/w", False),
        ("LOG.example:8443/w", False),
        ("example/w", False),
        ("witness.example/w", True),
        ("catalog.example/w", True),
    ],
)
def test_an_operator_that_is_its_own_witness_does_not_count(name: str, counts: bool) -> None:
    second = Cosigner(name, b"\x11" * 32)
    world, file = cosigned((ONE, NOW), (second, NOW))
    verdict = world.verify(file, logs=trusting(world, second))
    assert found(verdict) == (set() if counts else MISSED)
    if not counts:
        assert "the witness is run by the log's operator" in why(verdict)


def operator(**seeds: bytes) -> Identity:
    """A workload that has these keys beside its statement key."""
    drawn = iter([b"\x21" * 32, *seeds.values()])
    made = Identity.boot(
        attester(), roles=tuple(seeds), now=lambda: NOW, random=lambda size: next(drawn)
    )
    for role, seed in seeds.items():
        key = made.record.key(role)
        assert key is not None
        assert key.raw == signing.public_key("ed25519", seed)
    return made


WITNESS_SEED = b"\x11" * 32
SECOND = Cosigner("unrelated.example/w", WITNESS_SEED)


def with_operator(*people: Identity) -> tuple[World, bytes]:
    """What an operator's workload says, in its own log, cosigned by one witness and ``SECOND``."""
    world = World()
    world.add(AUTHOR, *people)
    made = world.say(step(people[0], "serve", "log"), people[0])
    inputs = [("log", "log", made)]
    for one in people[1:]:
        inputs.append(("more", one.name, world.say(step(one, "help", one.name), one)))
    statement = world.say(step(AUTHOR, "train", "model", of=inputs), AUTHOR)
    world.publish(by=(ONE, SECOND))
    return world, world.export(statement)


def test_an_operator_whose_workload_holds_log_and_witness_key_does_not_count() -> None:
    world, file = with_operator(operator(log=LOG_SEED, witness=WITNESS_SEED))
    verdict = world.verify(file, logs=trusting(world, SECOND))
    assert found(verdict) == MISSED
    assert "the witness's key stands in one key document with the log's key" in why(verdict)
    assert verdict.time is None


def test_a_witness_in_a_workload_of_its_own_counts() -> None:
    world, file = with_operator(operator(log=LOG_SEED), operator(witness=WITNESS_SEED))
    assert holds(world.verify(file, logs=trusting(world, SECOND)))


def test_a_workload_with_another_log_and_this_witness_discounts_nothing() -> None:
    world, file = with_operator(operator(log=b"\x31" * 32, witness=WITNESS_SEED))
    assert holds(world.verify(file, logs=trusting(world, SECOND)))


def anchored(*, public: bool, at: datetime, by: tuple[Cosigner, ...] = ()) -> tuple[Any, ...]:
    """A proof whose checkpoint stands in a block of a chain, and that block."""
    world, statement = unpublished()
    world.publish(by=by)
    signed = world.log.first_checkpoint(1)
    point = signed.checkpoint
    event = blocks.event(origin=point.origin, size=point.size, root=point.root)
    receipts = [*blocks.FILLER[:5], blocks.receipt(event)]
    root, nodes = blocks.trie.prove(blocks.items(receipts), blocks.key(5))
    proof = blocks.AnchorProof(
        header=blocks.header(root, time=to_epoch(at)), chain_id=blocks.CHAIN,
        transaction=5, nodes=nodes, log=0,
    )  # fmt: skip
    file = world.export(statement, anchors=[(signed, proof.encode())])
    return world, file, blocks.trusted(proof, public=public)


def anchor_check(verdict: ProofVerdict) -> tuple[str, str]:
    return next((c.state, c.detail) for c in verdict.logs[0].checks if c.name == "anchor")


def no_witness(world: World) -> TlogPolicy:
    return TlogPolicy.parse(f"log {world.log.verifier.text()}\nquorum none\n")


def test_a_public_block_dates_a_statement() -> None:
    world, file, trusted = anchored(public=True, at=NOW + DAY)
    verdict = world.verify(file, logs=no_witness(world), blocks=trusted, now=NOW + 9 * DAY)
    assert holds(verdict)
    assert verdict.time == "2026-03-02T12:00:00Z"


def test_the_earlier_of_block_and_quorum_counts() -> None:
    for at, expected in ((NOW - DAY, "2026-02-28T12:00:00Z"), (NOW + DAY, "2026-03-01T12:00:00Z")):
        world, file, trusted = anchored(public=True, at=at, by=(ONE, TWO))
        assert world.verify(file, blocks=trusted, now=NOW + 2 * DAY).time == expected


def test_an_operator_with_a_chain_of_its_own_proves_no_time() -> None:
    world, file, trusted = anchored(public=False, at=NOW - 300 * DAY)
    verdict = world.verify(file, logs=no_witness(world), blocks=trusted)
    assert verdict.time is None
    state, detail = anchor_check(verdict)
    assert state == "not_checked"
    assert "embedded chain" in detail
    expired = world.verify(file, logs=no_witness(world), blocks=trusted, now=NOW + 8 * DAY)
    assert ("statement", "key-expiry", "keys_expired", "authenticity") in found(expired)


def test_a_block_that_the_relying_party_does_not_know_proves_no_time() -> None:
    world, file, _ = anchored(public=True, at=NOW)
    verdict = world.verify(file, logs=no_witness(world))
    assert verdict.time is None
    assert anchor_check(verdict)[0] == "not_checked"


def test_an_anchor_of_another_checkpoint_is_caught() -> None:
    _, file, trusted = anchored(public=True, at=NOW)
    other = World()
    other.add(AUTHOR)
    statement = other.say(step(AUTHOR, "other", "words"), AUTHOR)
    other.publish()
    (document,) = (d for n, d in members(file).items() if "anchors/" in n)
    wrong = other.export(statement, anchors=[(other.log.first_checkpoint(1), document)])
    assert found(other.verify(wrong, blocks=trusted)) == {
        ("log", "anchor", "event_other_root", "authenticity")
    }


def test_a_contract_that_nobody_trusts_anchors_nothing() -> None:
    world, file, trusted = anchored(public=True, at=NOW)
    ((key, block),) = trusted.items()
    other = {key: TrustedBlock(block.chain_id, True, frozenset({b"\1" * 20}))}
    assert found(world.verify(file, blocks=other)) == {
        ("log", "anchor", "event_other_contract", "authenticity")
    } | set(found(world.verify(file)))


def test_trust_in_blocks_has_one_digest_whatever_the_order() -> None:
    block = TrustedBlock(1, True, frozenset({b"\1" * 20, b"\2" * 20, b"\3" * 20}))
    first = {b"a" * 32: block, b"b" * 32: block}
    second = dict(reversed(list(first.items())))
    trust = World().trust
    assert trust(blocks=first).digest == trust(blocks=second).digest
    other = {**first, b"b" * 32: TrustedBlock(1, False, block.contracts)}
    assert trust(blocks=other).digest != trust(blocks=first).digest
