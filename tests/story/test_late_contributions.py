"""Who contributes before the training is trained on; who took it back, or cannot be, is not."""

from __future__ import annotations

import pytest

from teeproof.cli import demo_orders
from teeproof.cli.story import data, train
from teeproof.cli.story.world import World
from teeproof.cloud.owner import OwnerKey
from teeproof.data.contribute import contribute, withdraw
from tests.story.test_crash import quiet
from tests.training.school import SMALL

pytestmark = pytest.mark.usefixtures("sandbox")
PAYOUT = "0x" + "77" * 20


def test_a_stranger_contributes_before_the_training_and_is_in_it(tmp_path):
    folder, say = tmp_path / "world", quiet()
    with World(folder) as world:
        pooled = data.tell(world, say)

        def give(seed, **options):
            path = tmp_path / f"{seed}.jsonl"
            orders = demo_orders.contribution(1, count=60, seed=seed)
            path.write_bytes(b"".join(one.encode() + b"\n" for one in orders))
            owner = OwnerKey.new()
            made = contribute(
                path, owner=owner, pool=pooled.pool, kms=pooled.kms, terms=pooled.terms,
                payout=PAYOUT, **options,
            )  # fmt: skip
            assert made.decision == "accepted"
            return made.contribution, owner

        in_time, _ = give(7)
        gone, owner = give(8)
        withdraw(gone, owner=owner, pool=pooled.pool, kms=pooled.kms)
        briefly, _ = give(9, lifetime=3_600)  # under a policy that the training does not know
        model = train.tell(world, say, pooled, recipe=SMALL)
        (line,) = [one for one in say.lines if one.step == "train" and "more" in one.facts]
        assert set(line.facts["more"]) == {in_time, briefly}
        sources = {one.contribution for one in model.said.sources}
        assert sources == {in_time, *(one.contribution for one in pooled.contributed)}
