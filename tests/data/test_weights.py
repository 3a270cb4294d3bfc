"""Honest data earns; copies, noise and wrong labels earn less; every number is repeatable."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from teeproof.core.errors import Unavailable, Usage
from teeproof.data import novelty
from teeproof.data.novelty import Index, Sketches, normalise
from teeproof.data.records import Record
from teeproof.data.value import HeldOut, value_of
from teeproof.data.weights import Measured, measure
from tests.data.scenes import SEED, held_out, honest


def sketched(records: Sequence[Record], seed: bytes = SEED) -> Sketches:
    return Sketches.of([record.text for record in records], seed=seed)


def measured(
    records: Sequence[Record], index: Index | None = None, confirmed: int = -1
) -> Measured:
    index = index or Index(seed=SEED)
    return measure(
        records,
        twins=index.twins(sketched(records)),
        confirmed=len(records) if confirmed < 0 else confirmed,
        held_out=held_out(),
    )


def after(*files: Sequence[Record]) -> Index:
    index = Index(seed=SEED)
    for number, records in enumerate(files, 1):
        index.add(number, sketched(records))
    return index


def noise(records: Sequence[Record], *, seed: int = 5) -> list[Record]:
    source = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz      "
    return [
        Record("".join(source.choice(letters) for _ in range(30)), record.order)
        for record in records
    ]


def mislabelled(records: Sequence[Record], *, seed: int = 5) -> list[Record]:
    orders = [record.order for record in records]
    random.Random(seed).shuffle(orders)
    return [Record(r.text, order) for r, order in zip(records, orders, strict=True)]


def test_honest_data_of_three_people_gets_three_weights_of_one_order():
    files = [honest(seed) for seed in (1, 2, 3)]
    weights = [measured(f, after(*files[:n])).weight for n, f in enumerate(files)]
    assert len(set(weights)) == 3
    assert max(weights) < 3 * min(weights)


def test_a_second_run_finds_every_number_again():
    index, files = after(honest(1)), [honest(2), honest(1), mislabelled(honest(3))]
    first = [measured(records, index) for records in files]
    assert [measured(records, index) for records in files] == first
    assert [measured(records, after(honest(1))) for records in files] == first


def test_another_seed_changes_the_sketches_and_not_what_is_new():
    one, other = sketched(honest(1)), sketched(honest(1), b"another seed of thirty-two bytes")
    assert one.rows != other.rows
    counts = set()
    for number in range(3):
        index = Index(seed=bytes([number]) * 32)
        counts.add(
            tuple(twin is None for twin in index.twins(sketched(honest(2), index_seed(number))))
        )
    assert len(counts) == 1


def index_seed(number: int) -> bytes:
    return bytes([number]) * 32


def test_contributor_sends_a_copy():
    copy = measured(honest(1), after(honest(2), honest(1)))
    assert copy.is_copy
    assert (copy.weight, copy.new, copy.originals) == (0, 0, (2,))


@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        str.title,
        lambda text: text.replace(" ", "   ") + " ",
        lambda text: text + ".",
        lambda text: text.replace(",", ""),
        lambda text: "please " + text,
        lambda text: text + " now",
    ],
    ids=["capitals", "titles", "spaces", "dot", "no commas", "please", "now"],
)
def test_contributor_sends_a_near_copy(change):
    records = [Record(change(record.text), record.order) for record in honest(1)]
    random.Random(1).shuffle(records)
    copy = measured(records, after(honest(2), honest(1)))
    assert copy.is_copy
    assert copy.weight == 0
    assert copy.originals[0] == 2
    assert measured(honest(3), after(honest(2), honest(1))).weight > 0


def test_contributor_copies_from_several():
    mixed = [*honest(1)[:50], *honest(2)[:40], *honest(3)[:30]]
    copy = measured(mixed, after(honest(1), honest(2)))
    assert copy.is_copy
    assert copy.originals == (1, 2)


def test_contributor_sends_one_record_again_and_again():
    repeated = measured([honest(1)[0]] * 120)
    assert repeated.new == 1
    assert repeated.weight < measured(honest(1)).weight // 100


def test_contributor_pads_a_file_with_what_is_known():
    padded = measured([*honest(1), *honest(2)[:100]], after(honest(2)))
    alone = measured(honest(1), after(honest(2)))
    assert not padded.is_copy
    assert padded.known >= 100
    assert padded.weight <= alone.weight


def test_contributor_sends_noise():
    assert measured(noise(honest(1))).weight < measured(honest(1)).weight // 100


def test_contributor_mislabels_a_file():
    assert measured(mislabelled(honest(1))).weight < measured(honest(1)).weight // 20


def test_contributor_mixes_noise_or_wrong_labels_into_a_file():
    good = list(honest(1))
    whole = measured(good).weight
    for bad in (noise(good), mislabelled(good)):
        assert measured([*good[:60], *bad[60:]]).weight < whole * 3 // 4


def test_honest_data_takes_nearly_all_of_what_four_kinds_earn():
    """The market of the research: honest, copies, noise, mislabelled, as many records each."""
    good = honest(1)
    index = after(good)
    earned = {
        "honest": measured(good).weight,
        "copy": measured(good, index).weight,
        "noise": measured(noise(good), index).weight,
        "mislabelled": measured(mislabelled(honest(2)), index).weight,
    }
    assert earned["honest"] > 0.95 * sum(earned.values())


def test_what_nothing_speaks_for_counts_half():
    whole, half = measured(honest(1)), measured(honest(1), confirmed=0)
    assert (whole.evidence, half.evidence) == (1_000_000, 500_000)
    assert half.weight == whole.weight // 2
    assert (whole.level, half.level) == (1, 0)


def test_dividing_a_file_earns_no_more():
    records = honest(1)
    index = after(records[:60])
    parts = measured(records[:60]).weight + measured(records[60:], index).weight
    assert parts <= measured(records).weight


def test_a_file_that_is_withdrawn_is_new_again():
    index = after(honest(1), honest(2))
    index.remove(1)
    index.remove(1)
    assert measured(honest(1), index).new == measured(honest(1), after(honest(2))).new
    assert measured(honest(2), index).is_copy


def test_sketches_read_back():
    one = sketched(honest(1))
    assert Sketches.decode(one.encode()).rows == one.rows
    assert Sketches.decode(Sketches([]).encode()).rows == ()
    assert Index(seed=SEED).twins(Sketches([])) == []


def test_a_text_is_normalised_to_what_a_copy_cannot_change_for_free():
    assert normalise("  SELL,  half my ETH below 2,000.50! ") == "sell half my eth below 2000.50"
    assert normalise("25% of my SOL.") == "25% of my sol"


def test_a_held_out_set_must_be_large_enough_to_measure():
    with pytest.raises(Usage) as caught:
        HeldOut.of(honest(1)[:19])
    assert caught.value.code == "held_out_small"
    assert value_of([], held_out()) == 0


def test_value_lies_between_nothing_and_one():
    for records in (honest(1), noise(honest(1)), mislabelled(honest(2)), honest(9, 600)):
        assert 0 <= value_of(records, held_out()) <= 1_000_000
    same = [Record("sell half my ETH", honest(1)[0].order)] * 40
    assert value_of(same, HeldOut.of(same)) == 0  # with one kind of answer, chance is certainty


def test_a_pool_without_its_libraries_says_so_before_the_first_file(monkeypatch):
    monkeypatch.setattr(novelty, "find_spec", lambda name: None if name == "rensa" else name)
    with pytest.raises(Unavailable, match="pip install") as caught:
        Index(seed=SEED)
    assert caught.value.code == "extra_missing"
