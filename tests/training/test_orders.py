"""The demo's orders: valid, the same each time, three languages, and a copy that is found out."""

from __future__ import annotations

import re

import pytest

from teeproof.cli.demo_orders import CONTRIBUTORS, SHOWN, contribution, held_out, near_copy
from teeproof.data.novelty import Index, Sketches
from teeproof.data.records import read_records
from teeproof.data.samples import file_of
from teeproof.data.value import HeldOut
from teeproof.data.weights import measure

NUMBERS = (1, 2, 3)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_pool_finds_no_fault_with_what_a_contributor_sends(number):
    records = contribution(number)
    contents = read_records(file_of(records))
    assert contents.require() == records
    assert len({record.text for record in records}) == 400


def test_a_seed_gives_the_same_bytes_and_another_seed_others():
    for number in NUMBERS:
        assert file_of(contribution(number)) == file_of(contribution(number, seed=2025))
        assert file_of(contribution(number)) != file_of(contribution(number, seed=1))
    assert held_out() == held_out(seed=2025) != held_out(seed=1)


def test_nobody_sent_what_is_held_out():
    sent = {record.text for number in NUMBERS for record in contribution(number)}
    asked = held_out()
    assert asked[0] == SHOWN
    assert len({record.text for record in asked}) == 200
    assert not sent & {record.text for record in asked}
    own = [contribution(number, seed=5, count=50) for number in NUMBERS]
    others = {record.text for records in own for record in records}
    assert not others & {record.text for record in held_out(contributions=own, count=300)}


def test_each_contributor_has_words_that_no_other_has():
    words = [
        {word for record in contribution(number) for word in re.findall("[A-Za-z]+", record.text)}
        for number in NUMBERS
    ]
    for number, own in enumerate(words):
        others = set().union(*(said for n, said in enumerate(words) if n != number))
        assert len(own - others) >= 5
        assert len(own & others) >= 3
    assets = [set(one.assets) for one in CONTRIBUTORS]
    assert set.intersection(*assets) == {"ETH"}


def test_what_is_held_out_needs_all_three():
    only = [{record.text.split()[0] for record in contribution(number)} for number in NUMBERS]
    first = [record.text.split()[0] for record in held_out()]
    for number, words in enumerate(only):
        others = set().union(*(said for n, said in enumerate(only) if n != number))
        assert sum(word in words - others for word in first) > 20


def test_contributor_sends_a_near_copy_and_it_weighs_nothing():
    records, copy = contribution(1), near_copy(contribution(1))
    assert copy == near_copy(contribution(1))
    changed = {record.text for record in copy} - {record.text for record in records}
    assert len(changed) > 200
    seed, index = b"s" * 32, Index(seed=b"s" * 32)
    weights = []
    for number, sent in enumerate((records, contribution(2), contribution(3), copy)):
        contents = read_records(file_of(sent))
        sketches = Sketches.of([record.text for record in contents.require()], seed=seed)
        found = measure(
            sent, twins=index.twins(sketches), confirmed=contents.confirmed,
            held_out=HeldOut.of(held_out()),
        )  # fmt: skip
        weights.append(found.weight)
        if not found.is_copy:
            index.add(number, sketches)
    assert min(weights[:3]) > 0
    assert weights[3] == 0
