"""Each fuzz target stands a bounded number of strange inputs; ``make fuzz`` goes on for longer."""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.harness import discover, stands_mutations

TARGETS = discover()
MUTATIONS, EXAMPLES = 500, 50
each_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


@each_target
def test_a_parser_takes_its_seeds_and_what_was_found_before(target):
    for seed in target.seeds:
        target.run(seed)


@each_target
def test_a_parser_refuses_a_seed_that_ends_early_without_a_crash(target):
    for seed in target.seeds[:2]:
        for end in range(0, len(seed), max(1, len(seed) // 50)):
            target.run(seed[:end])


@each_target
def test_a_parser_stands_mutations_of_its_seeds(target):
    # CI draws the same each time, as of all that is random in the tests.
    seed = 0 if os.environ.get("CI") else random.randrange(1 << 32)
    stands_mutations(target, random.Random(seed), MUTATIONS)


@each_target
def test_a_parser_stands_any_bytes(target):
    @settings(max_examples=EXAMPLES)
    @given(st.binary(max_size=2048))
    def stands(data: bytes) -> None:
        target.run(data)

    stands()
