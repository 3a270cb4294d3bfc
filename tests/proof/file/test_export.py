"""A proof holds its roots and all that they rest on; what is missing is named."""

from __future__ import annotations

import io
import tracemalloc

import pytest

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, Unavailable, Usage
from teeproof.proof.file import ProofFile, export, names
from teeproof.proof.memory import MemorySource
from tests.proof import people
from tests.proof.file import scenes

ALICE, BOB, CAROL = (scenes.person(name) for name in ("alice", "bob", "carol"))


def chain(length: int) -> tuple[MemorySource, bytes]:
    """Statements, each made of the one before."""
    held = scenes.source(ALICE)
    last: bytes | None = None
    for number in range(length):
        inputs = [] if last is None else [(str(number - 1), last)]
        last = held.add_statement(scenes.step(ALICE, str(number), inputs=inputs))
    assert last is not None
    return held, last


def test_a_proof_holds_parents_authors_cosigners_and_evidence(tmp_path):
    held, ids = scenes.story()
    done = export(held, [ids["answer"]], tmp_path / "a.proof")
    assert done == (3, 3, 4, (tmp_path / "a.proof").stat().st_size)
    assert [path.name for path in tmp_path.iterdir()] == ["a.proof"]
    assert (tmp_path / "a.proof").read_bytes() == scenes.answer()
    with ProofFile.open(tmp_path / "a.proof") as file:
        assert file.blob(named(sha256(b"quote of carol"))) == b"quote of carol"


def test_a_proof_holds_nothing_that_its_root_does_not_rest_on():
    held, ids = scenes.story()
    with scenes.opened(held, ids["dataset"]) as file:
        assert file.statement_ids == (ids["dataset"],)
        assert file.identity_digests == (ALICE.digest,)


def test_real_workloads_are_exported_with_their_evidence():
    booted = people.workload_named("exported", "receipt")
    held = MemorySource(scenes.new_log())
    held.add_identity(booted.record.encode(), booted.blobs)
    root = held.add_statement(booted.sign(people.step(booted, "train", "model")).encode())
    held.log.publish()
    with scenes.opened(held, root) as file:
        record = file.record(booted.digest)
        evidence = record.evidence(lambda digest: file.blob(digest) or b"")
        assert evidence.quote == booted.blobs[record.attachments["quote"]]
        assert file.missing_edges() == ()


def test_a_link_without_a_statement_brings_those_that_made_the_data():
    held = scenes.source(ALICE, BOB)
    made = {held.add_statement(scenes.step(who, "data")) for who in (ALICE, BOB)}
    root = held.add_statement(scenes.step(ALICE, "model", inputs=[("data", None)]))
    with scenes.opened(held, root) as file:
        assert set(file.statement_ids) == {*made, root}


def test_a_link_that_nobody_made_leaves_no_hole():
    held = scenes.source(ALICE)
    root = held.add_statement(scenes.step(ALICE, "model", inputs=[("data", None)]))
    with scenes.opened(held, root) as file:
        assert file.missing_edges() == ()


def test_a_source_that_lacks_a_parent_is_told_which():
    held = scenes.source(ALICE)
    root = held.add_statement(scenes.step(ALICE, "model", inputs=[("data", bytes(32))]))
    with pytest.raises(Unavailable) as error:
        scenes.exported(held, root)
    assert error.value.code == "closure_incomplete"
    for part in (named(root), "input", named(bytes(32))):
        assert part in error.value.detail
    with scenes.opened(held, root, allow_missing=True) as file:
        assert file.missing_edges() == ((root, "input", named(bytes(32))),)


@pytest.mark.parametrize(
    ("present", "role"), [([BOB], "author"), ([ALICE], "cosigner"), ([], "author")]
)
def test_a_source_that_lacks_a_person_is_told_whom(present, role):
    held = scenes.source(*present)
    root = held.add_statement(scenes.step(ALICE, "a", cosigners=[BOB]))
    with pytest.raises(Unavailable) as error:
        scenes.exported(held, root)
    assert error.value.code == "closure_incomplete"
    assert f"as its {role}" in error.value.detail
    with scenes.opened(held, root, allow_missing=True) as file:
        assert len(file.missing_edges()) == 2 - len(present)


def test_a_source_that_lacks_a_receipt_s_author_is_told_its_keyset():
    held = MemorySource()
    root = held.add_statement(scenes.receipt(CAROL, "answer"))
    with pytest.raises(Unavailable) as error:
        scenes.exported(held, root)
    assert CAROL.record.keyset_digest in error.value.detail


def test_a_source_that_lacks_evidence_is_told_whose():
    held = MemorySource()
    held.add_identity(ALICE.record.encode(), {"event_log": b"[]"})
    root = held.add_statement(scenes.step(ALICE, "a"))
    with pytest.raises(Unavailable) as error:
        scenes.exported(held, root)
    assert f"{ALICE.name} names {named(sha256(b'quote of alice'))} as its evidence" in (
        error.value.detail
    )
    with scenes.opened(held, root, allow_missing=True) as file:
        assert [edge.role for edge in file.missing_edges()] == ["evidence"]


def test_a_root_that_the_source_lacks_is_never_left_out():
    with pytest.raises(Unavailable) as error:
        scenes.exported(scenes.source(ALICE), bytes(32), allow_missing=True)
    assert error.value.code == "closure_incomplete"


def test_a_proof_of_nothing_is_refused():
    with pytest.raises(Usage) as error:
        scenes.exported(scenes.source(ALICE))
    assert error.value.code == "roots_missing"


def test_identities_come_with_those_before_them_and_the_rotations():
    second = scenes.person("second", previous=ALICE.digest)
    third = scenes.person("third", previous=second.digest)
    held = scenes.source(ALICE, second, third)
    turns = {
        held.add_statement(scenes.rotation(*pair)) for pair in ((ALICE, second), (second, third))
    }
    root = held.add_statement(scenes.step(third, "a"))
    with scenes.opened(held, root) as file:
        assert set(file.statement_ids) == {*turns, root}
        assert set(file.identity_digests) == {ALICE.digest, second.digest, third.digest}


def test_the_past_of_an_identity_is_exported_as_far_as_it_is_known():
    second = scenes.person("second", previous=ALICE.digest)
    held = scenes.source(second)
    root = held.add_statement(scenes.step(second, "a"))
    with scenes.opened(held, root) as file:
        assert file.identity_digests == (second.digest,)
        assert file.missing_edges() == ()


def test_the_future_of_an_identity_is_not_exported():
    second = scenes.person("second", previous=ALICE.digest)
    held = scenes.source(ALICE, second)
    turn = held.add_statement(scenes.rotation(ALICE, second))
    root = held.add_statement(scenes.step(ALICE, "a"))
    with scenes.opened(held, root) as file:
        assert file.statement_ids == (root,)
    with scenes.opened(held, turn) as file:
        assert set(file.identity_digests) == {ALICE.digest, second.digest}


def test_what_is_no_rotation_is_not_taken_for_one():
    second = scenes.person("second", previous=ALICE.digest)
    held = scenes.source(ALICE, BOB, second)
    # Bob says that he made the second identity, which is nobody's rotation.
    from teeproof.proof.links import Subject
    from teeproof.proof.statement import Statement, Step

    claim = Statement.of(
        Step(author=BOB.name, step="claim"), subjects=(Subject({"sha256": second.digest.hex()}),)
    )
    held.add_statement(scenes.signed(claim, BOB).encode())
    root = held.add_statement(scenes.step(second, "a"))
    with scenes.opened(held, root) as file:
        assert file.statement_ids == (root,)


def test_prover_makes_data_of_each_other_and_export_ends():
    held = scenes.source(ALICE)
    ids = [
        held.add_statement(scenes.step(ALICE, a, inputs=[(b, None)]))
        for a, b in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "d"))
    ]
    with scenes.opened(held, *ids) as file:
        assert set(file.statement_ids) == set(ids)


def test_prover_makes_a_chain_deeper_than_any_stack():
    held, root = chain(3000)
    with scenes.opened(held, root) as file:
        assert len(file.statement_ids) == 3000


def test_prover_makes_every_statement_of_every_other():
    """A popular digest is looked up once, not once for each statement that used it."""
    held = scenes.source(ALICE)
    ids = [
        held.add_statement(scenes.step(ALICE, "x", inputs=[("x", None)], word=str(number)))
        for number in range(300)
    ]
    asked = []

    class Counting:
        def __getattr__(self, name):
            return getattr(held, name)

        def producers(self, digest):
            asked.append(digest)
            return held.producers(digest)

    with scenes.opened(Counting(), ids[0]) as file:
        assert len(file.statement_ids) == 300
    assert asked == [scenes.of("x")]


class Lying:
    """A source that returns something else than it was asked for."""

    def __init__(self, held: MemorySource, **answers: object) -> None:
        self._held, self._answers = held, answers

    def __getattr__(self, name):
        if name in self._answers:
            return lambda _: self._answers[name]
        return getattr(self._held, name)


def test_host_answers_with_another_statement():
    held, ids = scenes.story()
    with pytest.raises(Malformed) as error:
        scenes.exported(Lying(held, statement=held.statement(ids["model"])), ids["dataset"])
    assert error.value.code == "member_mismatch"


def test_host_answers_with_another_identity():
    held, ids = scenes.story()
    with pytest.raises(Malformed) as error:
        scenes.exported(Lying(held, identity=held.identity(BOB.digest)), ids["dataset"])
    assert error.value.code == "member_mismatch"


def test_host_answers_with_other_evidence():
    held, ids = scenes.story()
    with pytest.raises(Malformed) as error:
        scenes.exported(Lying(held, blob=b"other"), ids["dataset"])
    assert error.value.code == "member_mismatch"


def test_an_envelope_of_another_writer_is_written_in_the_one_way():
    held = scenes.source(ALICE)
    envelope = scenes.step(ALICE, "a")
    loose = b" " + envelope[:-1] + b', "note": "ignored by DSSE"}\n'
    root = held.add_statement(loose)
    with scenes.opened(held, root) as file:
        assert file.statement(root) == envelope


def test_attachments_are_carried_if_a_statement_speaks_of_them():
    held = scenes.source(ALICE)
    held.add_blob(b"dataset")
    root = held.add_statement(scenes.step(ALICE, "model", inputs=[("dataset", None)]))
    with scenes.opened(held, root, attach=[scenes.of("dataset")]) as file:
        assert file.blob(scenes.of("dataset")) == b"dataset"
        assert scenes.exported(file, root, attach=[scenes.of("dataset")]) == scenes.exported(
            held, root, attach=[scenes.of("dataset")]
        )
    with scenes.opened(held, root) as file:
        assert file.blob(scenes.of("dataset")) is None
    with pytest.raises(Unavailable) as error:
        scenes.exported(held, root, attach=[scenes.of("model")])
    assert error.value.code == "attachment_missing"


def test_an_attachment_that_no_statement_speaks_of_is_refused():
    held = scenes.source(ALICE)
    root = held.add_statement(scenes.step(ALICE, "model"))
    with pytest.raises(Usage) as error:
        scenes.exported(held, root, attach=[held.add_blob(b"roots of my own")])
    assert error.value.code == "attachment_unnamed"


def test_what_is_not_yet_under_a_checkpoint_is_exported_without_a_place():
    held = scenes.source(ALICE, log=scenes.new_log())
    held.log.publish()
    root = held.add_statement(scenes.step(ALICE, "a"))
    with scenes.opened(held, root) as file:
        assert file.logged(root) is None
        assert file.logged(ALICE.digest) is not None


def test_an_export_that_fails_leaves_nothing_behind(tmp_path):
    held = scenes.source(ALICE)
    root = held.add_statement(scenes.step(ALICE, "model", inputs=[("data", bytes(32))]))
    target = tmp_path / "a.proof"
    target.write_bytes(b"before")
    with pytest.raises(Unavailable):
        export(held, [root], target)
    with pytest.raises(Malformed):
        export(Lying(held, blob=b"other"), [root], target, allow_missing=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.proof"]
    assert target.read_bytes() == b"before"


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    held, ids = scenes.story()
    with pytest.raises(Unavailable) as error:
        export(held, [ids["dataset"]], tmp_path / "none" / "a.proof")
    assert error.value.code == "out_unavailable"


def test_progress_counts_what_was_found_and_then_what_was_written():
    held, ids = scenes.story()
    steps: list[tuple[int, int]] = []
    scenes.exported(held, ids["answer"], progress=lambda done, total: steps.append((done, total)))
    found = [done for done, total in steps if not total]
    written = [(done, total) for done, total in steps if total]
    assert found == [1, 2, 3]
    assert written == sorted(written)
    assert written[-1][0] == written[-1][1]


def test_reading_a_blob_needs_no_memory_for_the_others(tmp_path):
    held = scenes.source(ALICE)
    big = [bytes([number]) * (1 << 20) for number in range(8)]
    digests = [held.add_blob(data) for data in big]
    from teeproof.proof.links import Material, Subject
    from teeproof.proof.statement import Statement, Step

    materials = tuple(Material(digest={"sha256": d[7:]}, role="part") for d in digests)
    statement = Statement.of(
        Step(author=ALICE.name, step="x", materials=materials),
        subjects=(Subject(scenes.data("a")),),
    )
    root = held.add_statement(scenes.signed(statement, ALICE).encode())
    export(held, [root], tmp_path / "a.proof", attach=digests)
    tracemalloc.start()
    with ProofFile.open(tmp_path / "a.proof") as file:
        assert file.blob(digests[3]) == big[3]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


def test_the_source_is_read_member_by_member():
    """No statement is asked for before the one before it was written."""
    held, root = chain(20)
    stream = io.BytesIO()
    written: list[int] = []

    class Watching:
        def __getattr__(self, name):
            return getattr(held, name)

        def blob(self, digest):
            written.append(stream.tell())
            return held.blob(digest)

    export(Watching(), [root], stream)
    content = scenes.members(stream.getvalue())
    statements = sum(len(d) for n, d in content.items() if n.startswith(names.STATEMENTS))
    assert min(written) > statements


def test_a_receipt_without_its_author_is_exported_without_its_place_in_the_log():
    held, ids = scenes.story()
    missing = Lying(held, identity_of_keyset=None)
    with scenes.opened(missing, ids["answer"], allow_missing=True) as file:
        assert file.logged(ids["answer"]) is None
        assert file.logged(ids["model"]) is not None
        assert [edge.role for edge in file.missing_edges()] == ["keyset"]


def test_prover_hands_many_identities_over_in_many_statements_and_each_is_read_once():
    people_ = [scenes.person(f"p{number}", previous=ALICE.digest) for number in range(20)]
    held = scenes.source(ALICE, *people_)
    from teeproof.proof.identity import Rotation
    from teeproof.proof.links import Subject
    from teeproof.proof.statement import Statement

    for reason in range(20):
        subjects = tuple(Subject({"sha256": person.digest.hex()}) for person in people_)
        turn = Statement.of(Rotation(author=ALICE.name, reason=str(reason)), subjects=subjects)
        held.add_statement(scenes.signed(turn, ALICE).encode())
    root = held.add_statement(scenes.step(people_[0], "a"))
    asked = []

    class Counting:
        def __getattr__(self, name):
            asked.append(name)
            return getattr(held, name)

    with scenes.opened(Counting(), root) as file:
        assert len(file.statement_ids) == 21
        assert len(file.identity_digests) == 21
    assert asked.count("statement") <= 3 * 21
    assert asked.count("identity") <= 3 * 21
