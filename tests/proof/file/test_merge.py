"""Several files become one: the same whatever their order, and nothing lost that counts."""

from __future__ import annotations

import io
from itertools import permutations

import pytest

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, NotAuthentic, TooLarge, Usage
from teeproof.proof.envelope import Envelope, Signature
from teeproof.proof.file import ProofFile, merge, names
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.formats.merkle import roots
from teeproof.proof.memory import MemoryLog, MemorySource
from tests.proof.file import scenes

ALICE, BOB = scenes.person("alice"), scenes.person("bob")
WITNESS = Cosigner("witness.example/w", b"\7" * 32)


def merged(*files: bytes) -> bytes:
    stream = io.BytesIO()
    merge([ProofFile.from_bytes(file) for file in files], stream)
    return stream.getvalue()


def sound(data: bytes) -> ProofFile:
    """A file whose every part leads to every checkpoint in it."""
    file = ProofFile.from_bytes(data)
    for part in file.logs:
        found = roots(file.leaves(part), part.nodes, part.sizes)
        assert found == {s.checkpoint.size: s.checkpoint.root for s in part.checkpoints}
    return file


def everyway(*files: bytes) -> ProofFile:
    """The one file that they make in every order."""
    results = {merged(*order) for order in permutations(files)}
    assert len(results) == 1
    (data,) = results
    assert merged(data) == merged(data, data) == data
    assert merged(data, *files) == data
    return sound(data)


def grown(*sizes: int) -> tuple[MemorySource, list[bytes]]:
    """A source whose log has checkpoints of these sizes, and its statements by index."""
    held = scenes.source(ALICE, log=scenes.new_log())
    ids = [ALICE.digest]
    for size in sizes:
        while held.log.size < size:
            ids.append(held.add_statement(scenes.step(ALICE, str(held.log.size))))
        held.log.publish()
    return held, ids


def test_a_file_merged_with_itself_stays_as_it_is():
    assert merged(scenes.answer()) == scenes.answer()
    assert merged(scenes.answer(), scenes.answer()) == scenes.answer()


def test_a_proof_of_a_part_adds_nothing_but_its_root():
    held, ids = scenes.story()
    part = scenes.exported(held, ids["model"])
    both = everyway(scenes.answer(), part)
    assert set(both.roots) == {ids["answer"], ids["model"]}
    assert len(both.statement_ids) == 3


def test_two_proofs_of_one_log_become_what_the_log_would_have_exported():
    held, ids = scenes.story()
    files = [scenes.exported(held, ids[word]) for word in ("dataset", "other", "answer")]
    both = everyway(*files)
    expected = scenes.exported(held, ids["dataset"], ids["other"], ids["answer"])
    assert both.digest == sha256(expected)


def test_proofs_of_different_logs_stand_side_by_side():
    files = []
    for origin in ("b.example", "a.example"):
        held = scenes.source(ALICE, log=scenes.new_log(origin))
        root = held.add_statement(scenes.step(ALICE, origin))
        held.log.publish()
        files.append(scenes.exported(held, root))
    both = everyway(*files)
    assert [part.origin for part in both.logs] == ["a.example", "b.example"]
    assert all(ALICE.digest in part.entries for part in both.logs)


def test_checkpoints_that_nobody_can_connect_stay_in_parts_of_their_own():
    held, ids = grown(6, 12)
    early = scenes.exported(scenes.View(held, 6), ids[1])
    late = scenes.exported(scenes.View(held, 12), ids[11])
    both = everyway(early, late)
    assert [part.sizes for part in both.logs] == [(6,), (12,)]
    assert both.logged(ids[1]).checkpoint.checkpoint.size == 6
    assert both.logged(ids[11]).checkpoint.checkpoint.size == 12
    assert both.logged(ALICE.digest).checkpoint.checkpoint.size == 6
    assert ALICE.digest not in both.logs[1].entries  # the first part shows it earlier


def test_a_log_s_own_export_connects_them():
    held, ids = grown(6, 12)
    early = scenes.exported(scenes.View(held, 6), ids[1])
    late = scenes.exported(scenes.View(held, 12), ids[11])
    whole = scenes.exported(held, ids[2], ids[10])
    both = everyway(early, late, whole)
    assert [part.sizes for part in both.logs] == [(6, 12)]


def test_the_earliest_checkpoint_is_kept_and_later_ones_dropped():
    held, ids = grown(4, 8)
    early = scenes.exported(scenes.View(held, 4), ids[1])
    late = scenes.exported(scenes.View(held, 8), ids[1])
    both = everyway(early, late)
    assert both.digest == sha256(early)


def test_a_later_checkpoint_that_others_signed_is_kept_too():
    held, ids = grown(4, 8)
    text = held.log.first_checkpoint(7).note.text
    held.log.add_cosignatures(8, [WITNESS.cosign(text, time=1_770_000_000)])
    early = scenes.exported(scenes.View(held, 4), ids[1])
    late = scenes.exported(scenes.View(held, 8), ids[1])
    both = everyway(early, late)
    assert sorted(size for part in both.logs for size in part.sizes) == [4, 8]


def test_prover_cannot_drop_a_cosigned_checkpoint_with_an_earlier_bare_one():
    held, ids = grown(4, 12)
    text = held.log.first_checkpoint(11).note.text
    held.log.add_cosignatures(12, [WITNESS.cosign(text, time=1_770_000_000)])
    good = scenes.exported(scenes.View(held, 12), ids[1])
    bare = scenes.exported(scenes.View(held, 4), ids[1])
    names_ = {
        line.name
        for part in everyway(good, bare).logs
        for signed in part.covering(part.entries[ids[1]].index)
        for line in signed.note.signatures
    }
    assert WITNESS.verifier.name in names_


def test_cosignatures_of_one_checkpoint_are_put_together():
    held, ids = grown(4)
    files = []
    for seed in (8, 9):
        witness = Cosigner(f"w{seed}.example", bytes([seed]) * 32)
        text = held.log.first_checkpoint(3).note.text
        before = held.log._archive[4]
        held.log.add_cosignatures(4, [witness.cosign(text, time=1_770_000_000)])
        files.append(scenes.exported(held, ids[1]))
        held.log._archive[4] = before
    (part,) = everyway(*files).logs
    lines = [line.name for line in part.checkpoints[0].note.signatures]
    assert lines == ["log.example/a", "w8.example", "w9.example"]


def test_log_shows_two_histories_and_merging_catches_it():
    files = []
    for word in ("one", "another"):
        held = scenes.source(ALICE, log=scenes.new_log())
        root = held.add_statement(scenes.step(ALICE, word))
        held.log.publish()
        files.append(scenes.exported(held, root))
    with pytest.raises(NotAuthentic) as error:
        merged(*files)
    assert error.value.code == "log_forked"


def test_log_shows_two_histories_of_different_sizes_and_merging_catches_it():
    files = []
    for word, extra in (("one", 1), ("another", 3)):
        held = scenes.source(ALICE, log=scenes.new_log())
        root = held.add_statement(scenes.step(ALICE, word))
        for number in range(extra):
            held.add_statement(scenes.step(ALICE, str(number)))
        held.log.publish()
        files.append(scenes.exported(held, root))
    with pytest.raises(NotAuthentic) as error:
        merged(*files)
    assert error.value.code == "log_forked"


def test_prover_hides_false_nodes_behind_another_s_true_ones():
    held, ids = scenes.story()
    content = scenes.members(scenes.exported(held, ids["dataset"]))
    name = next(name for name in content if name.endswith("/nodes"))
    false = scenes.pack(content | {name: bytes(32) + content[name][32:]})
    with pytest.raises(NotAuthentic) as error:
        merged(scenes.answer(), false)
    assert error.value.code in ("nodes_mismatch", "log_forked")
    with pytest.raises(NotAuthentic) as error:
        merged(false)
    assert error.value.code == "nodes_mismatch"


def test_further_signatures_of_one_statement_are_put_together():
    envelope = Envelope.parse(scenes.step(ALICE, "a"))
    files = []
    for note in (b"x", b"y"):
        held = scenes.source(ALICE)
        more = (*envelope.signatures, Signature("", note * 64))
        root = held.add_statement(Envelope(envelope.payload, more).encode())
        files.append(scenes.exported(held, root))
    both = Envelope.parse(everyway(*files).statement(root))
    assert both.signatures[0] == envelope.signatures[0]
    assert {one.sig for one in both.signatures[1:]} == {b"x" * 64, b"y" * 64}


def test_statements_that_not_the_same_have_signed_are_not_put_together():
    held, other = scenes.source(ALICE, BOB), scenes.source(ALICE, BOB)
    envelope = scenes.step(ALICE, "a", cosigners=[BOB])
    root = held.add_statement(envelope)
    one = scenes.exported(held, root)
    other.add_statement(scenes.signed_again(envelope, BOB))
    with pytest.raises(Malformed) as error:
        merged(one, scenes.exported(other, root))
    assert error.value.code == "statement_conflict"


def test_prover_signs_until_an_envelope_is_full():
    payload = Envelope.parse(scenes.step(ALICE, "a"))
    files = []
    for start in (0, 10):
        held = scenes.source(ALICE)
        more = tuple(Signature("", bytes([start + i]) * 64) for i in range(10))
        root = held.add_statement(Envelope(payload.payload, more).encode())
        files.append(scenes.exported(held, root))
    with pytest.raises(Malformed) as error:
        merged(*files)
    assert error.value.code == "statement_conflict"


def test_a_receipt_with_two_signatures_is_not_chosen_between():
    carol = scenes.person("carol")
    held, other = scenes.source(carol), scenes.source(carol)
    data = scenes.receipt(carol, "answer")
    root = held.add_statement(data)
    one = scenes.exported(held, root)
    cut = data.index(b'"signature":"') + 13
    other.add_statement(data[:cut] + b"0" * 8 + data[cut + 8 :])
    with pytest.raises(Malformed) as error:
        merged(one, scenes.exported(other, root))
    assert error.value.code == "statement_conflict"


def test_the_identity_record_with_more_evidence_is_kept():
    held = scenes.source(ALICE)
    root = held.add_statement(scenes.step(ALICE, "a"))
    full = scenes.exported(held, root)
    less = {"quote": ALICE.record.attachments["quote"]}
    record = IdentityRecord(envelope=ALICE.record.envelope, attachments=less)
    other = MemorySource()
    other.add_identity(record.encode(), ALICE.blobs)
    other.add_statement(scenes.step(ALICE, "a"))
    both = everyway(full, scenes.exported(other, root))
    assert scenes.exported(other, root) != full
    assert both.digest == sha256(full)


def test_an_identity_with_two_signatures_is_not_chosen_between():
    held = scenes.source(ALICE)
    root = held.add_statement(scenes.step(ALICE, "a"))
    one = scenes.exported(held, root)
    envelope = ALICE.record.envelope
    less = Envelope(envelope.payload, envelope.signatures[:1])
    record = IdentityRecord(envelope=less, attachments=ALICE.record.attachments)
    other = MemorySource()
    other.add_identity(record.encode(), ALICE.blobs)
    other.add_statement(scenes.step(ALICE, "a"))
    with pytest.raises(Malformed) as error:
        merged(one, scenes.exported(other, root))
    assert error.value.code == "statement_conflict"


def test_an_identity_with_twin_quotes_is_not_chosen_between():
    held = scenes.source(ALICE)
    one = scenes.exported(held, held.add_statement(scenes.step(ALICE, "a")))
    twins = dict(ALICE.blobs) | {"quote": ALICE.blobs["quote"] + bytes(16)}
    attachments = {name: named(sha256(blob)) for name, blob in twins.items()}
    record = IdentityRecord(envelope=ALICE.record.envelope, attachments=attachments)
    other = MemorySource()
    other.add_identity(record.encode(), twins)
    two = scenes.exported(other, other.add_statement(scenes.step(ALICE, "b")))
    for files in ((one, two), (two, one)):
        with pytest.raises(Malformed, match="different evidence") as error:
            merged(*files)
        assert error.value.code == "statement_conflict"
    assert everyway(one, one).digest == sha256(one)


def test_holes_are_filled_by_other_files():
    _, ids = scenes.story()
    content = scenes.members(scenes.answer())
    gone = (names.statement_name(ids["dataset"]), names.blob_name(named(sha256(b"quote of bob"))))
    holes = scenes.pack({n: d for n, d in content.items() if n not in gone and n[:4] != "log/"})
    assert len(ProofFile.from_bytes(holes).missing_edges()) == 2
    filled = everyway(holes, scenes.answer())
    assert filled.missing_edges() == ()
    assert filled.digest == sha256(scenes.answer())
    assert ProofFile.from_bytes(merged(holes)).missing_edges()


def test_anchors_and_attachments_are_kept():
    held = scenes.source(ALICE, log=scenes.new_log())
    held.add_blob(b"a")
    root = held.add_statement(scenes.step(ALICE, "a"))
    signed = held.log.publish()
    files = [
        scenes.exported(held, root, anchors=[(signed, b"one")]),
        scenes.exported(held, root, anchors=[(signed, b"two")], attach=[scenes.of("a")]),
    ]
    both = everyway(*files)
    assert {anchor.document for anchor in both.logs[0].anchors} == {b"one", b"two"}
    assert both.blob(scenes.of("a")) == b"a"


def test_two_checkpoints_of_one_size_with_different_words_are_refused():
    from teeproof.proof.log.formats.checkpoint import Checkpoint, sign_checkpoint

    held, ids = grown(4)
    one = scenes.exported(held, ids[1])
    log: MemoryLog = held.log
    text = Checkpoint(log.origin, 4, log._tree.root(4), ("a line",))
    log._archive[4] = sign_checkpoint(text, log._signer)
    with pytest.raises(Usage) as error:
        merged(one, scenes.exported(held, ids[1]))
    assert error.value.code == "checkpoints_differ"


def test_nothing_is_not_merged():
    with pytest.raises(Usage):
        merge([], io.BytesIO())


def test_a_file_may_be_replaced_by_its_merger(tmp_path):
    held, ids = scenes.story()
    path = tmp_path / "a.proof"
    path.write_bytes(scenes.exported(held, ids["other"]))
    with ProofFile.open(path) as one, ProofFile.from_bytes(scenes.answer()) as two:
        merge([one, two], path)
    with ProofFile.open(path) as both:
        assert set(both.roots) == {ids["other"], ids["answer"]}


def test_more_checkpoints_than_a_file_may_hold_apart_are_refused_before_it_is_written(monkeypatch):
    held, ids = grown(6, 12)
    files = [
        scenes.exported(scenes.View(held, 6), ids[1]),
        scenes.exported(scenes.View(held, 12), ids[11]),
    ]
    assert len(everyway(*files).logs) == 2
    monkeypatch.setattr("teeproof.proof.file.sheets.MAX_PARTS", 1)
    with pytest.raises(TooLarge) as error:
        merged(*files)
    assert error.value.code == "proof_too_large"


def test_many_days_of_one_log_merge_into_what_opens():
    sizes = range(6, 120, 7)
    held, ids = grown(*sizes)
    files = [scenes.exported(scenes.View(held, size), ids[size - 2]) for size in sizes]
    both = sound(merged(*files))
    assert len(both.roots) == len(files)
    assert sum(len(part.sizes) for part in both.logs) == len(files)
    assert merged(*reversed(files)) == merged(*files)
