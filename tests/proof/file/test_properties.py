"""What holds for every graph of statements, every log and every choice of roots."""

from __future__ import annotations

import io
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from teeproof.core.digests import parse_named
from teeproof.core.errors import Error, Malformed, TooLarge
from teeproof.proof.file import ProofFile, merge, names
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.formats.merkle import roots
from teeproof.proof.memory import MemorySource
from teeproof.proof.source import read_record
from tests.proof.file import scenes

FIRST, SECOND = scenes.person("first"), scenes.person("unrelated")
PEOPLE = (FIRST, scenes.person("next", previous=FIRST.digest), SECOND)
WITNESSES = [Cosigner(f"w{i}.example", bytes([i + 3]) * 32) for i in range(2)]


@dataclass(frozen=True)
class Plan:
    """One statement: who says it, as what, of which earlier ones, and what the log does then."""

    author: int
    receipt: bool
    inputs: tuple[tuple[int, bool], ...]
    cosigner: int
    publish: bool
    witness: int


PLANS = st.lists(
    st.builds(
        Plan,
        author=st.integers(0, 2),
        receipt=st.booleans(),
        inputs=st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=3).map(tuple),
        cosigner=st.integers(0, 3),
        publish=st.booleans(),
        witness=st.integers(0, 3),
    ),
    min_size=1,
    max_size=12,
)
PICKS = st.lists(st.integers(0, 30), min_size=1, max_size=3)


def build(plans: list[Plan]) -> tuple[MemorySource, list[bytes]]:
    held = scenes.source(*PEOPLE, log=scenes.new_log())
    held.add_statement(scenes.rotation(PEOPLE[0], PEOPLE[1]))
    ids: list[bytes] = []
    for number, plan in enumerate(plans):
        inputs = [
            (str(place % number), ids[place % number] if named else None)
            for place, named in plan.inputs
            if number
        ]
        author = PEOPLE[plan.author]
        cosigners = [PEOPLE[plan.cosigner]] if plan.cosigner not in (plan.author, 3) else []
        data = (
            scenes.receipt(author, str(number), inputs=inputs)
            if plan.receipt
            else scenes.step(author, str(number), inputs=inputs, cosigners=cosigners)
        )
        ids.append(held.add_statement(data))
        if plan.publish:
            cosigned(held, plan.witness)
    return held, ids


def cosigned(held: MemorySource, witness: int) -> None:
    signed = held.log.publish()
    lines = [w.cosign(signed.note.text, time=1_770_000_000) for w in WITNESSES[:witness]]
    held.log.add_cosignatures(signed.checkpoint.size, lines)


def rests_on(held: MemorySource, wanted: list[bytes]) -> tuple[set[bytes], set[bytes]]:
    """The closure, told again in the simplest way."""
    statements: set[bytes] = set()
    identities: set[bytes] = set()
    waiting = list(wanted)
    while waiting:
        key = waiting.pop()
        if key in statements:
            continue
        statements.add(key)
        read = read_record(held.statement(key))
        for link in read.links:
            waiting += [link.statement] if link.statement else held.producers(link.digest)
        people = [*read.cosigners, read.author or held.identity_of_keyset(read.keyset or "")]
        if PEOPLE[1].digest in people or read.type.endswith(":rotation:v1"):
            people += [PEOPLE[0].digest, PEOPLE[1].digest]
            waiting += held.producers(PEOPLE[1].name)
        identities.update(person for person in people if person)
    return statements, identities


def sound(file: ProofFile) -> None:
    for part in file.logs:
        found = roots(file.leaves(part), part.nodes, part.sizes)
        assert found == {s.checkpoint.size: s.checkpoint.root for s in part.checkpoints}


@settings(max_examples=60)
@given(PLANS, PICKS)
def test_a_proof_holds_its_closure_and_reads_back(plans, picks):
    held, ids = build(plans)
    wanted = [ids[pick % len(ids)] for pick in picks]
    with scenes.opened(held, *wanted) as file:
        statements, identities = rests_on(held, wanted)
        assert set(file.roots) == set(wanted)
        assert set(file.statement_ids) == statements
        assert set(file.identity_digests) == identities
        assert file.missing_edges() == ()
        sound(file)
        for key in (*file.statement_ids, *file.identity_digests):
            mine, logs = file.logged(key), held.logged(key)
            assert (mine is None) == (logs is None)
            if mine is not None:
                assert (mine.index, mine.checkpoint) == (logs.index, logs.checkpoint)
        assert scenes.exported(file, *wanted) == scenes.exported(held, *wanted)


@settings(max_examples=60)
@given(PLANS, PICKS, PICKS)
def test_merging_commutes_and_says_what_the_source_would(plans, picks, others):
    held, ids = build(plans)
    one = [ids[pick % len(ids)] for pick in picks]
    two = [ids[pick % len(ids)] for pick in others]
    files = [scenes.opened(held, *one), scenes.opened(held, *two)]
    both, back = io.BytesIO(), io.BytesIO()
    merge(files, both)
    merge(files[::-1], back)
    assert both.getvalue() == back.getvalue()
    merged = ProofFile.from_bytes(both.getvalue())
    sound(merged)
    again = io.BytesIO()
    merge([merged, *files], again)
    assert again.getvalue() == both.getvalue()
    if len(merged.logs) <= 1:
        assert both.getvalue() == scenes.exported(held, *one, *two)


@settings(max_examples=60)
@given(PLANS, PLANS)
def test_merging_proofs_of_different_days_keeps_every_place(plans, more):
    held, ids = build(plans)
    cosigned(held, 1)
    early = scenes.opened(held, ids[-1])
    later, all_ids = build([*plans, *more])
    assert all_ids[: len(ids)] == ids
    later.log.publish()
    late = scenes.opened(later, all_ids[-1])
    stream = io.BytesIO()
    merge([early, late], stream)
    both = ProofFile.from_bytes(stream.getvalue())
    sound(both)
    for file in (early, late):
        for part in file.logs:
            for key in part.entries:
                size = both.logged(key).checkpoint.checkpoint.size
                assert size <= file.logged(key).checkpoint.checkpoint.size


@settings(max_examples=150)
@given(st.data())
def test_prover_changes_one_byte_and_the_file_is_refused_or_another(data):
    raw = bytearray(scenes.answer())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    try:
        file = ProofFile.from_bytes(bytes(raw))
        blobs = [file.blob(digest) for digest in file.blob_digests]
    except Malformed:
        return
    raise AssertionError(f"a changed byte at {place} went unseen: {blobs}")


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    *scenes.members(scenes.answer()),
                    names.statement_name(bytes(32)),
                    names.identity_name(bytes(32)),
                    names.blob_name("sha256:" + "0" * 64),
                    "log/a/0000000000000000001/nodes",
                ]
            ),
            st.one_of(st.sampled_from([*scenes.members(scenes.answer()).values()]), st.binary()),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_prover_shuffles_members_and_only_the_true_file_is_accepted(changes):
    content = scenes.members(scenes.answer()) | dict(changes)
    raw = scenes.pack(scenes.ordered(content))
    try:
        file = ProofFile.from_bytes(raw)
        for digest in file.blob_digests:
            file.blob(digest)
        for part in file.logs:
            found = roots(file.leaves(part), part.nodes, part.sizes)
            if any(found[s.checkpoint.size] != s.checkpoint.root for s in part.checkpoints):
                return  # nodes and salts are judged by the verifier
    except (Malformed, TooLarge):
        return
    assert raw == scenes.answer()


@settings(max_examples=200)
@given(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_origins_and_their_folders_go_one_to_one(origin):
    try:
        escaped = names.escape(origin)
    except Error:
        return
    assert names.unescape(escaped) == origin
    assert names.rank(names.part_folder(origin, 1) + "nodes") == 5
    assert parse_named("sha256:" + "0" * 64) == bytes(32)
