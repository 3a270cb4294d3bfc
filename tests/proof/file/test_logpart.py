"""Entries, checkpoints and nodes of a log in a proof file: none idle, none missing, none twice."""

from __future__ import annotations

import msgspec
import pytest

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, TooLarge, Unavailable, Usage
from teeproof.proof.file import Anchor, ProofFile, names, tlog_proof
from teeproof.proof.file.logpart import EntryRef, encode_entries, needed, read_entries
from teeproof.proof.log.formats.checkpoint import Checkpoint, SignedCheckpoint, sign_checkpoint
from teeproof.proof.log.formats.entry import IDENTITY, RECEIPT, STATEMENT, Entry, commitment
from teeproof.proof.log.formats.merkle import multiproof, roots
from teeproof.proof.log.formats.note import NoteSigner
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.log.formats.tlogproof import TlogProof, verify
from tests.proof.file import scenes

FOLDER = "log/log.example%2fa/0000000000000000007/"
NEW = 7  # entries of the story's log under its last checkpoint
OLD = 4


def parts() -> dict[str, bytes]:
    return scenes.members(scenes.answer())


def refused(content: dict[str, bytes], code: str) -> Malformed:
    with pytest.raises(Malformed) as error:
        ProofFile.from_bytes(scenes.pack(scenes.ordered(content)))
    assert error.value.code == code, (error.value.code, error.value.detail, error.value.got)
    return error.value


def checkpoint_name(size: int) -> str:
    return f"{FOLDER}checkpoints/{size:019d}"


def entries() -> dict[bytes, EntryRef]:
    return read_entries(parts()[FOLDER + "entries.json"])


def with_entries(changed: dict[bytes, EntryRef]) -> dict[str, bytes]:
    return parts() | {FOLDER + "entries.json": encode_entries(changed)}


def test_entries_and_nodes_lead_to_every_checkpoint():
    with ProofFile.from_bytes(scenes.answer()) as file:
        (part,) = file.logs
        assert part.sizes == (OLD, NEW)
        found = roots(file.leaves(part), part.nodes, part.sizes)
        assert found == {s.checkpoint.size: s.checkpoint.root for s in part.checkpoints}


def test_each_entry_has_its_first_checkpoint():
    _, ids = scenes.story()
    with ProofFile.from_bytes(scenes.answer()) as file:
        sizes = {word: file.logged(ids[word]).checkpoint.checkpoint.size for word in ("dataset",
                 "model", "answer")}  # fmt: skip
        assert sizes == {"dataset": OLD, "model": NEW, "answer": NEW}
        (part,) = file.logs
        assert [s.checkpoint.size for s in part.covering(0)] == [OLD, NEW]
        assert [s.checkpoint.size for s in part.covering(OLD)] == [NEW]


def test_identities_stand_in_the_log_too():
    with ProofFile.from_bytes(scenes.answer()) as file:
        kinds = {ref.kind for ref in file.logs[0].entries.values()}
        assert kinds == {STATEMENT, RECEIPT, IDENTITY}
        place = file.logged(scenes.person("alice").digest)
        assert (place.kind, place.index) == (IDENTITY, 0)


def test_prover_adds_a_node():
    nodes = parts()[FOLDER + "nodes"]
    refused(parts() | {FOLDER + "nodes": nodes + bytes(32)}, "nodes_superfluous")
    refused(parts() | {FOLDER + "nodes": nodes + b"!"}, "nodes_superfluous")


def test_prover_leaves_out_a_node_of_a_sparse_proof():
    held, ids = scenes.story()
    content = scenes.members(scenes.exported(held, ids["dataset"]))
    name = next(name for name in content if name.endswith("/nodes"))
    assert len(content[name]) > 32
    refused(content | {name: content[name][:-32]}, "nodes_missing")
    refused(content | {name: content[name][:-1]}, "nodes_missing")


def test_prover_lists_one_index_twice():
    changed = entries()
    one, two, *_ = changed
    changed[two] = msgspec.structs.replace(changed[two], index=changed[one].index)
    refused(with_entries(changed), "entry_repeated")


def test_prover_lists_one_id_twice():
    raw = parts()[FOLDER + "entries.json"]
    first = raw[1 : raw.index(b"}") + 1]
    again = first.replace(b'"index":0', b'"index":9')
    refused(parts() | {FOLDER + "entries.json": raw[:-1] + b"," + again + b"]"}, "entry_repeated")


def test_prover_lists_entries_in_another_order():
    raw = parts()[FOLDER + "entries.json"]
    rows = raw[2:-2].split(b"},{")
    other = b"[{" + b"},{".join(reversed(rows)) + b"}]"
    refused(parts() | {FOLDER + "entries.json": other}, "entry_repeated")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        pytest.param(b'"kind":3', b'"kind":4', "entries_malformed", id="unknown kind"),
        pytest.param(b'"index":0', b'"index":-1', "entries_malformed", id="negative index"),
        pytest.param(b'"index":0', b'"index":0.5', "entries_malformed", id="fraction"),
        pytest.param(b'"index":0', b'"index":9007199254740992', "entries_malformed", id="2^53"),
        pytest.param(b'"index":0', b'"index":"0"', "entries_malformed", id="text"),
        pytest.param(b'"salt":"', b'"salt":"00', "entries_malformed", id="long salt"),
        pytest.param(b'"salt":"', b'"salt":"zz', "entries_malformed", id="no hex"),
        pytest.param(b'"id":"', b'"id":"00', "entries_malformed", id="long id"),
        pytest.param(b'"index":0', b'"index": 0', "not_canonical", id="space"),
        pytest.param(b'"index":0', b'"index":0,"key":1', "entries_malformed", id="further field"),
        pytest.param(b'"index":0', b'"index":0,"index":0', "not_canonical", id="key twice"),
        pytest.param(b"[{", b"{", "entries_malformed", id="no list"),
    ],
)  # fmt: skip
def test_prover_writes_an_entry_in_another_way(old, new, code):
    raw = parts()[FOLDER + "entries.json"]
    assert old in raw
    refused(parts() | {FOLDER + "entries.json": raw.replace(old, new, 1)}, code)


def test_prover_writes_a_digest_in_upper_case():
    raw = parts()[FOLDER + "entries.json"]
    first = raw.index(b'"id":"') + 6
    upper = raw[:first] + raw[first : first + 64].upper() + raw[first + 64 :]
    assert upper != raw
    refused(parts() | {FOLDER + "entries.json": upper}, "not_canonical")


def test_prover_calls_a_statement_a_receipt():
    changed = entries()
    _, ids = scenes.story()
    ref = changed[ids["model"]]
    changed[ids["model"]] = EntryRef(RECEIPT, ref.index, ref.salt, bytes(32))
    refused(with_entries(changed), "entry_kind_mismatch")


def test_prover_lists_an_entry_of_a_statement_that_is_not_there():
    changed = entries() | {bytes(32): EntryRef(STATEMENT, 6, bytes(32))}
    refused(with_entries(changed) | {FOLDER + "nodes": b""}, "proof_superfluous")


def test_prover_lists_an_entry_under_no_checkpoint():
    changed = entries()
    key = max(changed, key=lambda key: changed[key].index)
    changed[key] = msgspec.structs.replace(changed[key], index=NEW)
    refused(with_entries(changed), "entry_uncovered")


def test_prover_adds_a_log_without_entries():
    refused(with_entries({}), "proof_superfluous")


@pytest.mark.parametrize("name", ["entries.json", "nodes"])
def test_prover_leaves_out_a_member_of_a_log(name):
    content = parts()
    del content[FOLDER + name]
    refused(content, "log_part_incomplete")


def test_prover_leaves_out_the_checkpoints():
    content = {n: d for n, d in parts().items() if "checkpoints/" not in n}
    refused(content, "log_part_incomplete")


def test_prover_puts_in_a_checkpoint_of_another_log():
    log = scenes.new_log("log.example/b")
    for index in range(NEW):
        log.append(STATEMENT, bytes([index]) * 32, bytes(32), bytes(32))
    refused(
        parts() | {checkpoint_name(NEW): log.publish().encode()}, "checkpoint_of_another_origin"
    )


def test_prover_names_a_checkpoint_by_another_size():
    content = parts()
    content[checkpoint_name(5)] = content.pop(checkpoint_name(OLD))
    refused(content, "member_mismatch")


def test_prover_names_a_folder_by_another_size():
    content = {n.replace("0000007/", "0000008/"): d for n, d in parts().items()}
    refused(content, "member_mismatch")


def test_prover_adds_a_checkpoint_that_no_entry_needs():
    held, _ = scenes.story()
    later = sign_checkpoint(Checkpoint(held.log.origin, 8, bytes(32)), held.log._signer)
    content = {
        name.replace("0000007/", "0000008/"): data for name, data in parts().items()
    } | {FOLDER.replace("07/", "08/") + f"checkpoints/{8:019d}": later.encode()}  # fmt: skip
    refused(content, "proof_superfluous")


def test_prover_substitutes_a_later_checkpoint_and_makes_the_statement_younger_only():
    """The format allows it; the verifier reads a later time, or none, from it."""
    held, ids = scenes.story()
    with scenes.opened(scenes.View(held, NEW), ids["dataset"]) as file:
        assert file.logged(ids["dataset"]).checkpoint.checkpoint.size == NEW


def signed(size: int, *names: str) -> SignedCheckpoint:
    text = Checkpoint("o", size, sha256(b"%d" % size))
    found = sign_checkpoint(text, NoteSigner("o", b"\1" * 32))
    lines = [NoteSigner(name, sha256(name.encode())).sign(found.note.text) for name in names]
    return found.with_(*lines)


@pytest.mark.parametrize(
    ("checkpoints", "indexes", "anchored", "kept"),
    [
        pytest.param([signed(3)], [0], [], {3}, id="one"),
        pytest.param([signed(3), signed(5)], [0], [], {3}, id="a later one is idle"),
        pytest.param([signed(3), signed(5)], [0, 3], [], {3, 5}, id="each needed"),
        pytest.param([signed(3), signed(5)], [3], [], {5}, id="one before all entries"),
        pytest.param([signed(3), signed(5, "w")], [0], [], {3, 5}, id="a further signer"),
        pytest.param([signed(3, "w"), signed(5)], [0], [], {3}, id="fewer signers"),
        pytest.param(
            [signed(3, "v"), signed(5, "w"), signed(7, "v")], [0], [], {3, 5}, id="one of"
        ),
        pytest.param([signed(3), signed(5)], [0], [5], {3, 5}, id="anchored"),
        pytest.param([], [], [], set(), id="nothing"),
    ],
)
def test_checkpoints_are_kept_where_an_entry_needs_them(checkpoints, indexes, anchored, kept):
    assert needed(checkpoints, indexes, anchored) == kept


def test_prover_adds_checkpoints_until_comparing_them_takes_long():
    many = [signed(size, f"w{size}") for size in range(1, 258)]
    assert len(needed(many[:256], [0])) == 256
    with pytest.raises(TooLarge) as error:
        needed(many, [0])
    assert error.value.code == "checkpoints_too_many"


def test_an_anchor_goes_with_its_checkpoint():
    held, ids = scenes.story()
    later = held.log.first_checkpoint(NEW - 1)
    with scenes.opened(held, ids["dataset"], anchors=[(later, b"a block")]) as file:
        (part,) = file.logs
        assert part.sizes == (OLD, NEW)
        assert part.anchors == (Anchor(NEW, b"a block"),)
        assert scenes.exported(file, ids["dataset"]) == scenes.exported(
            held, ids["dataset"], anchors=[(later, b"a block")]
        )


def test_an_anchor_of_another_log_is_refused_at_export():
    held, ids = scenes.story()
    other = scenes.new_log("log.example/b")
    other.append(STATEMENT, bytes(32), bytes(32), bytes(32))
    for signed_, document in [
        (other.publish(), b"a block"),
        (held.log.first_checkpoint(0), bytes(256 * 1024 + 1)),
    ]:
        with pytest.raises(Usage) as error:
            scenes.exported(held, ids["dataset"], anchors=[(signed_, document)])
        assert error.value.code == "anchor_unused"


def test_prover_adds_an_anchor_of_a_checkpoint_that_is_not_there():
    name = f"{FOLDER}anchors/{5:019d}-{sha256(b'x').hex()}"
    refused(parts() | {name: b"x"}, "anchor_without_checkpoint")
    right = f"{FOLDER}anchors/{NEW:019d}-{sha256(b'x').hex()}"
    with ProofFile.from_bytes(scenes.pack(scenes.ordered(parts() | {right: b"x"}))) as file:
        assert file.logs[0].anchors == (Anchor(NEW, b"x"),)
    refused(parts() | {right: b"y"}, "member_mismatch")


def test_prover_adds_a_huge_anchor():
    huge = bytes((256 << 10) + 1)
    name = f"{FOLDER}anchors/{NEW:019d}-{sha256(huge).hex()}"
    refused(parts() | {name: huge}, "too_large")


def test_prover_splits_a_log_into_too_many_parts():
    content = parts()
    for size in range(10, 80):
        for name in ("entries.json", "nodes"):
            content[FOLDER.replace(f"{NEW:019d}", f"{size:019d}") + name] = b"[]"
    refused(content, "proof_too_large")


def test_one_statement_s_proof_is_a_text_that_any_client_reads():
    held, ids = scenes.story()
    key = held.log.verifier
    policy = TlogPolicy.parse(f"log {key.text()}\nquorum none\n")
    with ProofFile.from_bytes(scenes.answer()) as file:
        for source in (held, file):
            proof = TlogProof.parse(tlog_proof(source, ids["model"]))
            entry = Entry(
                STATEMENT,
                commitment(proof.extra[:32], ids["model"], proof.extra[32:]),
                scenes.person("bob").digest,
            )
            assert verify(proof, entry.encode(), policy=policy, now=0).log
        assert tlog_proof(file, ids["answer"]) == tlog_proof(held, ids["answer"])


def test_what_no_log_holds_has_no_log_proof():
    alice = scenes.person("alice")
    held = scenes.source(alice)
    root = held.add_statement(scenes.step(alice, "a"))
    with pytest.raises(Unavailable) as error:
        tlog_proof(held, root)
    assert error.value.code == "not_logged"
    assert error.value.got == named(root)


def test_a_node_that_a_file_does_not_know_is_asked_of_the_log():
    held, ids = scenes.story()
    with scenes.opened(held, ids["dataset"]) as file:
        place = file.logged(ids["dataset"])
        assert place.node(0, place.index) == held.logged(ids["dataset"]).node(0, place.index)
        with pytest.raises(Unavailable) as error:
            place.node(0, 1000)
        assert error.value.code == "nodes_unknown"


def test_prover_lists_the_entry_of_a_receipt_whose_author_is_not_there():
    carol = scenes.person("carol")
    gone = (names.identity_name(carol.digest), names.blob_name(named(sha256(b"quote of carol"))))
    content = {name: data for name, data in parts().items() if name not in gone}
    changed = entries()
    del changed[carol.digest]
    raw = {FOLDER + "entries.json": encode_entries(changed)}
    held, _ = scenes.story()
    wanted = multiproof((ref.index for ref in changed.values()), (OLD, NEW))
    raw[FOLDER + "nodes"] = b"".join(held.log._tree.node(*node) for node in wanted)
    refused(content | raw, "entry_author_missing")
