"""A fork.proof convinces anyone who knows the log's key, and nothing else passes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core import strictjson
from teeproof.core.errors import Error, Malformed, NotAuthentic, TooLarge
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.merkle import multiproof
from teeproof.proof.log.formats.note import MAX_NOTE_BYTES, Note
from teeproof.proof.monitor.evidence import first_difference, manner, prove_fork
from teeproof.proof.monitor.fork import MAX_FORK_BYTES, Difference, ForkProof, verify_fork
from tests.proof.witness.scenes import ORIGIN, OTHER_LOG, SIGNER, STRANGER, Book, entry

KEYS = {ORIGIN: SIGNER.verifier}
SIZES = [(1, 1), (7, 7), (2, 3), (7, 9), (8, 9), (8, 300), (255, 256), (256, 300), (299, 300)]


def proof_of(a, size_a, b, size_b, *, whole=True):
    return prove_fork(
        a.signed(size_a),
        b.signed(size_b),
        get_a=a.tree.node if whole or size_a > size_b else None,
        get_b=b.tree.node if whole or size_b >= size_a else None,
    )


def refusal(proof, keys=KEYS):
    with pytest.raises(NotAuthentic) as caught:
        verify_fork(proof.encode(), keys=keys)
    return caught.value.code


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("whole", [True, False], ids=["both trees known", "one tree known"])
@pytest.mark.parametrize("swapped", [False, True])
def test_two_trees_that_differ_are_proven_at_any_two_sizes(sizes, whole, swapped):
    book = Book.of(300)
    fork = book.fork(sizes[0] - 1)
    pair = (fork, sizes[1], book, sizes[0]) if swapped else (book, sizes[0], fork, sizes[1])
    proof = proof_of(*pair, whole=whole)
    assert ForkProof.parse(proof.encode()) == proof
    found = verify_fork(proof.encode(), keys=KEYS)
    assert (found.origin, found.sizes) == (ORIGIN, sizes)
    assert found.index == (sizes[0] - 1 if whole else None)
    assert str(sizes[1]) in found.sentence()


@pytest.mark.parametrize("sizes", SIZES)
def test_stranger_s_proof_against_a_log_that_only_grew_is_refused(sizes):
    book = Book.of(300)
    assert refusal(proof_of(book, sizes[0], book, sizes[1])) == "not_a_fork"


def test_an_entry_alone_proves_it():
    book, fork = Book.of(300), Book.of(300).fork(100)
    whole = proof_of(book, 200, fork, 300)
    found = verify_fork(
        ForkProof(whole.first, whole.second, (), whole.difference).encode(), keys=KEYS
    )
    assert found.index == 100
    assert found.leaves == (book.tree.node(0, 100), fork.tree.node(0, 100))
    assert found.checkpoints == (book.signed(200), fork.signed())


@pytest.mark.parametrize("character", ["[", '"', "\\", "é"])
def test_log_no_text_that_it_signs_keeps_its_fork_from_being_proven(character):
    line = character * ((MAX_NOTE_BYTES - 400) // len(character.encode()))
    book, fork = Book.of(9), Book.of(9).fork(3)
    proof = ForkProof.of(book.signed(9, line), fork.signed(9, line))
    assert verify_fork(proof.encode(), keys=KEYS).sizes == (9, 9)


def test_two_extension_lines_are_no_fork():
    book = Book.of(9)
    assert refusal(ForkProof.of(book.signed(9), book.signed(9, "more"))) == "not_a_fork"


def test_stranger_two_checkpoints_alone_of_two_sizes_prove_nothing():
    book, fork = Book.of(300), Book.of(300).fork(100)
    assert refusal(ForkProof.of(book.signed(200), fork.signed(300))) == "not_a_fork"


def test_stranger_a_failed_consistency_proof_proves_nothing():
    book = Book.of(300)
    nodes = [bytes([n]) * 32 for n in range(len(multiproof((), (200, 300))))]
    proof = ForkProof.of(book.signed(200), book.signed(300), nodes=nodes)
    assert refusal(proof) == "not_a_fork"


def test_stranger_nodes_of_another_tree_prove_nothing():
    book, fork = Book.of(300), Book.of(300).fork(100)
    nodes = proof_of(book, 200, fork, 300).nodes
    proof = ForkProof.of(book.signed(200), book.signed(300), nodes=nodes)
    assert refusal(proof) == "not_a_fork"


@given(st.integers(2, 299), st.data())
def test_stranger_no_change_of_an_honest_log_s_nodes_makes_a_proof(size, data):
    good = proof_of(HONEST, size, HONEST, 300)
    nodes = list(good.nodes)
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, max(len(nodes) - 1, 0)))
        what = data.draw(st.sampled_from(["alter", "swap", "drop", "repeat"]))
        if what == "alter":
            nodes[at] = data.draw(st.binary(min_size=32, max_size=32))
        elif what == "swap":
            nodes[at], nodes[0] = nodes[0], nodes[at]
        elif what == "drop" and len(nodes) > 1:
            del nodes[at]
        else:
            nodes.insert(at, nodes[at])
    proof = ForkProof(good.first, good.second, tuple(nodes), good.difference)
    assert refusal(proof) == "not_a_fork"


HONEST = Book.of(300)


def test_stranger_an_entry_that_is_no_leaf_of_a_tree_proves_nothing():
    book, fork = Book.of(300), Book.of(300).fork(100)
    good = proof_of(book, 200, fork, 300)
    d = good.difference
    false = [
        Difference(d.index, (d.leaves[0], d.leaves[0]), (d.paths[0], d.paths[0])),
        Difference(d.index, d.leaves[::-1], d.paths),
        Difference(d.index, d.leaves, d.paths[::-1]),
        Difference(d.index + 1, d.leaves, d.paths),
        Difference(250, d.leaves, d.paths),
    ]
    for difference in false:
        for nodes in (good.nodes, ()):
            assert refusal(ForkProof(good.first, good.second, nodes, difference)) == "not_a_fork"


def test_stranger_two_entries_of_an_honest_log_prove_nothing():
    book = Book.of(300)
    paths = [tuple(book.tree.inclusion_proof(n, s)) for n, s in ((5, 200), (6, 300))]
    leaves = (book.tree.node(0, 5), book.tree.node(0, 6))
    difference = Difference(5, leaves, (paths[0], paths[1]))
    proof = ForkProof.of(book.signed(200), book.signed(300), difference=difference)
    assert refusal(proof) == "not_a_fork"


def test_stranger_checkpoints_that_the_log_did_not_sign_are_refused():
    forged = Book.of(9, signer=STRANGER).fork(3)
    assert refusal(ForkProof.of(Book.of(9).signed(), forged.signed())) == "log_unknown"
    book, fork = Book.of(9), Book.of(9).fork(3)
    stolen = Note(fork.signed().note.text, book.signed().note.signatures)
    forged = SignedCheckpoint(fork.signed().checkpoint, stolen)
    assert refusal(ForkProof.of(book.signed(), forged)) == "checkpoint_signature"


def test_a_log_whose_key_is_not_known_cannot_be_judged():
    proof = ForkProof.of(Book.of(9).signed(), Book.of(9).fork(3).signed())
    assert refusal(proof, {}) == "log_unknown"
    assert refusal(proof, {ORIGIN: STRANGER.verifier}) == "log_unknown"


def test_a_log_with_two_keys_is_judged_by_both():
    fork = Book.of(9, signer=STRANGER).fork(3)
    proof = ForkProof.of(Book.of(9).signed(), fork.signed())
    keys = {ORIGIN: (SIGNER.verifier, STRANGER.verifier)}
    assert verify_fork(proof.encode(), keys=keys).sizes == (9, 9)


def test_two_logs_do_not_contradict_each_other():
    proof = ForkProof.of(Book.of(9).signed(), Book.of(8, signer=OTHER_LOG).signed())
    assert refusal(proof, KEYS | {OTHER_LOG.verifier.name: OTHER_LOG.verifier}) == "not_a_fork"


@pytest.mark.parametrize("index", [0, 5, 99, 199])
def test_stranger_one_entry_that_both_trees_hold_proves_nothing(index):
    book = Book.of(300)
    leaf = book.tree.node(0, index)
    paths = tuple(tuple(book.tree.inclusion_proof(index, size)) for size in (200, 300))
    difference = Difference(index, (leaf, leaf), paths)
    proof = ForkProof.of(book.signed(200), book.signed(300), difference=difference)
    assert refusal(proof) == "not_a_fork"


def test_the_smaller_checkpoint_stands_first():
    pair = sorted([Book.of(9).signed(), Book.of(9).fork(3).signed()], key=lambda x: x.encode())
    assert verify_fork(ForkProof(*pair).encode(), keys=KEYS)
    assert refusal(ForkProof(*reversed(pair))) == "not_a_fork"
    good = proof_of(Book.of(9), 7, Book.of(9).fork(3), 9)
    assert refusal(ForkProof(good.second, good.first, good.nodes)) == "not_a_fork"


def test_equal_sizes_need_no_nodes_and_bear_none():
    book, fork = Book.of(9), Book.of(9).fork(3)
    assert refusal(ForkProof.of(book.signed(), fork.signed(), nodes=[bytes(32)])) == "not_a_fork"


def valid() -> dict:
    return json.loads(proof_of(Book.of(9), 7, Book.of(9).fork(3), 9).encode())


def changed(path, value):
    document = valid()
    *way, last = path
    place = document
    for step in way:
        place = place[step]
    if value is KeyError:
        del place[last]
    else:
        place[last] = value
    return strictjson.dumps(document).encode() + b"\n"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null\n",
        b"[]\n",
        b"{}\n",
        strictjson.dumps(valid()).encode(),
        json.dumps(valid(), ensure_ascii=False).encode() + b"\n",
        changed(["type"], "urn:teeproof:fork:v2"),
        changed(["more"], None),
        changed(["nodes"], KeyError),
        changed(["nodes"], "AAAA"),
        changed(["nodes"], [None]),
        changed(["nodes", 0], "AAAA"),
        changed(["checkpoints"], []),
        changed(["checkpoints"], ["", ""]),
        changed(["checkpoints", 0], "A"),
        changed(["checkpoints", 0], 7),
        changed(["entry", "index"], True),
        changed(["entry", "index"], -1),
        changed(["entry", "index"], 3.0),
        changed(["entry", "more"], 1),
        changed(["entry", "leaves", 0], KeyError),
        changed(["entry", "paths", 0], KeyError),
        changed(["entry"], []),
    ],
)
def test_what_is_no_fork_proof_is_malformed(data):
    with pytest.raises(Malformed):
        verify_fork(data, keys=KEYS)


def test_stranger_a_huge_proof_is_refused_before_it_is_read():
    with pytest.raises(TooLarge):
        verify_fork(b" " * (MAX_FORK_BYTES + 1), keys=KEYS)
    hashes = valid()["nodes"][:1] * 1000
    with pytest.raises(Malformed):
        verify_fork(changed(["nodes"], hashes), keys=KEYS)


def test_network_no_changed_byte_of_a_proof_goes_unnoticed():
    data = proof_of(Book.of(9), 7, Book.of(9).fork(3), 9).encode()
    for at in range(len(data)):
        with pytest.raises(Error):
            verify_fork(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], keys=KEYS)


def test_the_first_difference_is_found_at_any_place():
    book = Book.of(70)
    for at in range(70):
        changed_at = Book([*book.entries[:at], entry(at, by=5), *book.entries[at + 1 :]])
        for size in (at, at + 1, 70):
            found = first_difference(size, book.tree.node, changed_at.tree.node)
            assert found == (at if at < size else None)


ENTRIES = [entry(n) for n in range(40)]


@pytest.mark.parametrize(
    ("new", "code"),
    [
        ([*ENTRIES[:5], entry(99), *ENTRIES[6:]], "log_rewrote"),
        ([*ENTRIES[:5], *ENTRIES[6:]], "log_dropped"),
        ([*ENTRIES[:5], *ENTRIES[8:]], "log_dropped"),
        ([*ENTRIES[:5], entry(99), *ENTRIES[5:]], "log_inserted"),
        ([*ENTRIES[:5], ENTRIES[6], ENTRIES[5], *ENTRIES[7:]], "log_reordered"),
        ([*ENTRIES[:5], *(entry(n, by=3) for n in range(5, 40))], "log_forked"),
    ],
)
def test_what_was_done_is_named(new, code):
    a, b = Book(ENTRIES).tree, Book(new).tree
    assert manner((a.size, b.size), 5, a.node, b.node) == code
