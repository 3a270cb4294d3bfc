"""The log's operator forks, rewrites, renames and backdates; or the prover does it for a log."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from teeproof.core.errors import Malformed
from teeproof.proof import canonical
from teeproof.proof.file import ProofFile
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.formats.entry import IDENTITY, STATEMENT, Entry, commitment
from teeproof.proof.log.formats.merkle import Tree, leaf_hash
from teeproof.proof.memory import MemoryLog
from teeproof.proof.statement import Statement
from tests.proof.attacks import tools
from tests.proof.attacks.tools import found, holds
from tests.proof.file.scenes import members, ordered, pack
from tests.proof.people import NOW, step, workload_named
from tests.proof.world import LOG_SEED, ONE, ORIGIN, TWO, World

AUTHOR, OTHER = workload_named("alice"), workload_named("mallory")


def scene(*, origin: str = ORIGIN, seed: bytes = LOG_SEED) -> tuple[World, Statement]:
    world = World(origin=origin, seed=seed)
    world.add(AUTHOR)
    statement = world.say(step(AUTHOR, "train", "model"), AUTHOR)
    world.publish()
    return world, statement


BROKEN = {("log", "inclusion", "inclusion_mismatch", "authenticity")}


@pytest.mark.parametrize("place", [0, 1])
def test_a_prover_who_changes_the_salt_of_an_entry_is_caught(place: int) -> None:
    world, statement = scene()
    file = world.export(statement)
    rows = tools.entries_of(file)
    rows[place]["salt"] = "00" * 32
    assert found(world.verify(tools.with_entries(file, rows))) == BROKEN
    assert holds(world.verify(file))


def test_a_prover_who_exchanges_two_entries_is_caught() -> None:
    world, statement = scene()
    file = world.export(statement)
    rows = tools.entries_of(file)
    rows[0]["index"], rows[1]["index"] = rows[1]["index"], rows[0]["index"]
    verdict = world.verify(tools.with_entries(file, rows[::-1]))
    assert found(verdict) == BROKEN


def test_a_prover_who_drops_an_entry_lacks_a_node() -> None:
    world, statement = scene()
    file = world.export(statement)
    with pytest.raises(Malformed) as refused:
        ProofFile.from_bytes(tools.with_entries(file, tools.entries_of(file)[1:]))
    assert refused.value.code == "nodes_missing"


def test_a_prover_who_drops_an_entry_and_gives_its_hash_has_an_unlogged_identity() -> None:
    world, statement = scene()
    file = world.export(statement)
    dropped = tools.with_entries(file, tools.entries_of(file)[1:])
    node = {tools.member(file, "nodes"): world.log._tree.node(0, 0)}
    assert found(world.verify(tools.rewritten(dropped, node))) == {
        ("identity", "inclusion", "not_logged", "policy")
    }


def test_a_prover_who_changes_the_kind_of_an_entry_is_refused() -> None:
    world, statement = scene()
    file = world.export(statement)
    rows = tools.entries_of(file)
    for change, code in (
        ({"kind": 2}, "entries_malformed"),
        ({"kind": 2, "identity": AUTHOR.digest.hex()}, "entry_kind_mismatch"),
        ({"kind": 3}, "entry_kind_mismatch"),
    ):
        with pytest.raises(Malformed) as refused:
            ProofFile.from_bytes(tools.with_entries(file, [rows[0], rows[1] | change]))
        assert refused.value.code == code


SEALS = {one.digest: one.record.seal for one in (AUTHOR, OTHER)}


def custom(entries: list[tuple[Entry, bytes, bytes]], roots: Statement, world: World) -> bytes:
    """A file with these entries in the log: each with its id and salt; signed and cosigned."""
    tree = Tree()
    for entry, _, _ in entries:
        tree.append(leaf_hash(entry.encode()))
    signed = tools.checkpoint_of(tree)
    lines = [one.cosign(signed.note.text, time=int(NOW.timestamp())) for one in (ONE, TWO)]
    rows = [
        {"id": key.hex(), "index": index, "kind": _kind(key), "salt": salt.hex()}
        for index, (_, key, salt) in enumerate(entries)
    ]
    file = world.export(roots)
    content = {n: d for n, d in members(file).items() if not n.startswith("log/")}
    folder = f"log/{part_folder(file)}/{tree.size:019d}/"
    content[f"{folder}checkpoints/{tree.size:019d}"] = signed.with_(*lines).encode()
    content[f"{folder}entries.json"] = canonical.encode(rows)
    content[f"{folder}nodes"] = b""
    return pack(ordered(content))


def _kind(key: bytes) -> int:
    return IDENTITY if key in (AUTHOR.digest, OTHER.digest) else STATEMENT


def part_folder(file: bytes) -> str:
    return tools.part_names(file)[0].split("/")[1]


def entry(kind: int, key: bytes, author: bytes) -> tuple[Entry, bytes, bytes]:
    salt = bytes([7]) * 32
    seal = SEALS[key] if key in SEALS else AUTHOR.sign(scene()[1]).seal(1)
    return Entry(kind, commitment(salt, key, seal), author), key, salt


def test_entries_made_by_hand_hold_if_they_are_right() -> None:
    world, statement = scene()
    entries = [
        entry(IDENTITY, AUTHOR.digest, AUTHOR.digest),
        entry(STATEMENT, statement.id, AUTHOR.digest),
    ]
    assert holds(world.verify(custom(entries, statement, world)))


@pytest.mark.parametrize(
    ("kind", "author"),
    [(STATEMENT, OTHER.digest), (STATEMENT, bytes(32)), (2, AUTHOR.digest), (3, AUTHOR.digest)],
    ids=["another", "nobody", "receipt", "identity"],
)
def test_a_log_that_enters_a_statement_under_another_author_or_kind_is_caught(
    kind: int, author: bytes
) -> None:
    world, statement = scene()
    entries = [
        entry(IDENTITY, AUTHOR.digest, AUTHOR.digest),
        entry(kind, statement.id, author),
    ]
    assert found(world.verify(custom(entries, statement, world))) == BROKEN


def test_a_log_that_nobody_trusts_counts_for_nothing() -> None:
    world, statement = scene(origin="elsewhere.example/b", seed=b"\5" * 32)
    trusted, _ = scene()
    verdict = world.verify(world.export(statement), logs=trusted.trust().logs)
    assert found(verdict) == {
        ("identity", "checkpoint", "log_unknown", "policy"),
        ("statement", "checkpoint", "log_unknown", "policy"),
    }
    assert (verdict.exit_code, verdict.time) == (4, None)


def test_a_log_with_the_trusted_name_and_another_key_counts_for_nothing() -> None:
    world, statement = scene(seed=b"\5" * 32)
    trusted, _ = scene()
    verdict = world.verify(world.export(statement), logs=trusted.trust().logs)
    assert {(where, name) for where, name, _, _ in found(verdict)} >= {
        ("identity", "checkpoint"),
        ("statement", "checkpoint"),
    }
    assert not verdict.ok
    assert verdict.time is None


def test_a_prover_who_forges_the_logs_signature_is_caught() -> None:
    world, statement = scene()
    file = world.export(statement)
    name = next(name for name in tools.part_names(file) if "checkpoints/" in name)
    signed = SignedCheckpoint.parse(members(file)[name])
    first, *others = signed.note.signatures
    forged = msgspec.structs.replace(first, signature=bytes(64))
    note = msgspec.structs.replace(signed.note, signatures=(forged, *others))
    changed = tools.rewritten(file, {name: note.encode()})
    assert ("log", "checkpoint", "checkpoint_signature", "authenticity") in found(
        world.verify(changed)
    )


def test_a_prover_who_shows_the_checkpoint_of_another_tree_is_caught() -> None:
    world, statement = scene()
    file = world.export(statement)
    other = World()
    other.add(OTHER)
    other.say(step(OTHER, "other", "words"), OTHER)
    other.publish()
    signed = other.log.first_checkpoint(1)
    name = next(name for name in tools.part_names(file) if "checkpoints/" in name)
    assert found(world.verify(tools.rewritten(file, {name: signed.encode()}))) == BROKEN


def two_histories(second: Callable[[MemoryLog], None]) -> tuple[World, Statement, bytes]:
    """A file with two parts of one log: of the history that witnesses saw, and of another one."""
    world, statement = scene()
    file = world.export(statement)
    fork = World()
    fork.source.log = fork.log = MemoryLog(ORIGIN, seed=LOG_SEED, random=lambda n: b"\3" * n)
    fork.add(OTHER)
    fork.add(AUTHOR)
    fork.put(AUTHOR.sign(statement))
    second(fork.log)
    fork.publish()
    content = members(file) | {
        name: data for name, data in members(fork.export(statement)).items() if "log/" in name
    }
    return world, statement, pack(ordered(content))


def test_a_log_that_forks_is_caught_where_both_histories_are_in_one_file() -> None:
    world, _, file = two_histories(lambda log: None)
    assert len(ProofFile.from_bytes(file).logs) == 2
    verdict = world.verify(file)
    assert found(verdict) == {("log", "consistency", "log_forked", "authenticity")}
    assert verdict.exit_code == 2


def test_a_prover_cannot_accuse_a_log_with_a_checkpoint_that_it_did_not_sign() -> None:
    world, statement = scene()
    fork = World(seed=b"\5" * 32)
    fork.add(OTHER)
    fork.add(AUTHOR)
    fork.put(AUTHOR.sign(statement))
    fork.publish()
    extra = {n: d for n, d in members(fork.export(statement)).items() if "log/" in n}
    file = pack(ordered(members(world.export(statement)) | extra))
    codes = {code for where, _, code, _ in found(world.verify(file)) if where == "log"}
    assert "log_parts_differ" in codes
    assert "log_forked" not in codes


def test_two_checkpoints_of_one_size_and_two_roots_are_a_fork() -> None:
    world, statement = scene()
    fork = World()
    fork.source.log = fork.log = MemoryLog(ORIGIN, seed=LOG_SEED, random=lambda n: b"\3" * n)
    fork.add(AUTHOR)
    fork.put(AUTHOR.sign(statement))
    fork.publish()
    later = fork.say(step(AUTHOR, "more", "noise", of=[("m", "model", statement)]), AUTHOR)
    fork.publish()
    content = members(fork.export(later))
    extra = {n: d for n, d in members(world.export(statement)).items() if "log/" in n}
    file = pack(ordered(content | extra))
    sizes = [part.sizes for part in ProofFile.from_bytes(file).logs]
    assert sizes == [(2,), (2, 3)]
    assert found(world.verify(file)) == {("log", "consistency", "log_forked", "authenticity")}


def test_two_parts_that_nothing_connects_are_not_said_to_be_one_history() -> None:
    world, statement = scene()
    early = world.export(statement)
    for word in "abc":
        world.say(step(AUTHOR, word, word), AUTHOR)
    last = world.say(step(AUTHOR, "last", "last", of=[("m", "model", statement)]), AUTHOR)
    world.publish()
    late = members(world.export(last))
    rows = tools.entries_of(pack(late))
    content = {n: d for n, d in late.items() if not n.startswith("log/")}
    mine = [row for row in rows if row["id"] == last.id.hex()]
    folder = f"log/{part_folder(early)}/{6:019d}/"
    content[f"{folder}checkpoints/{6:019d}"] = world.log.first_checkpoint(5).encode()
    content[f"{folder}entries.json"] = canonical.encode(mine)
    tree = world.log._tree
    content[f"{folder}nodes"] = tree.node(0, 4) + tree.node(2, 0)
    content |= {n: d for n, d in members(early).items() if n.startswith("log/")}
    verdict = world.verify(pack(ordered(content)))
    states = {check.name: check.state for check in verdict.logs[0].checks}
    assert holds(verdict)
    assert states["consistency"] == "not_checked"


def test_an_entry_that_two_logs_hold_counts_where_it_is_trusted() -> None:
    world, statement = scene()
    other = World(origin="elsewhere.example/b", seed=b"\5" * 32)
    other.add(AUTHOR)
    other.put(AUTHOR.sign(statement))
    other.publish(at=NOW - 10 * tools.DAY, by=[Cosigner("stranger.example/w", b"\6" * 32)])
    extra = {n: d for n, d in members(other.export(statement)).items() if "log/" in n}
    verdict = world.verify(pack(ordered(members(world.export(statement)) | extra)))
    assert holds(verdict)
    assert verdict.time == "2026-03-01T12:00:00Z"
    assert [log.checks[2].state for log in verdict.logs] == ["not_checked", "passed"]
