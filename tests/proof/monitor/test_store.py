"""A monitor's memory survives a loss of power at any step: it is as before, or as after."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from teeproof.core.errors import Usage
from teeproof.proof.log.formats.merkle import Tree
from teeproof.proof.log.storage.disk import Disk
from teeproof.proof.monitor.levels import Levels
from tests.proof.monitor.served import Served, monitor_of, open_store
from tests.proof.witness.fragile import Fragile, PowerLoss
from tests.proof.witness.scenes import Book


@pytest.mark.parametrize("seed", range(3))
def test_host_that_cuts_the_power_at_any_step_damages_no_memory(tmp_path, seed):
    rng, book = random.Random(seed), Book.of(900)
    grew = 0
    for number in range(8):
        folder = tmp_path / str(number)
        open_store(folder).close()
        for _ in range(8):
            disk = Fragile(folder, rng)
            with open_store(folder, disk=disk) as store:
                before = store.verified
                size = rng.randint(before, 900)
                disk.after = rng.randrange(60)
                with suppress(PowerLoss):
                    monitor_of(store, Served(book, size), again=lambda _: ()).look()
                disk.after = None
            disk.lose()
            with open_store(folder) as again:
                assert again.verified in (before, size)
                assert again.root(again.verified) == book.tree.root(again.verified)
                grew += again.verified > before
    assert grew > 8


def test_a_fork_that_was_proven_is_durable_or_found_again(tmp_path):
    rng, book = random.Random(0), Book.of(300)
    served, kept = Served(book), 0
    for after in range(12):
        folder = tmp_path / str(after)
        with open_store(folder) as store:
            monitor_of(store, served.show(book)).look()
        disk = Fragile(folder, rng)
        with open_store(folder, disk=disk) as store, suppress(PowerLoss):
            disk.after = after
            monitor_of(store, served.show(book.fork(100))).look()
        disk.lose()
        with open_store(folder) as store:
            kept += store.proof_path.exists()
            assert monitor_of(store, served).look().fork.sizes == (300, 300)
    assert 0 < kept < 12


def test_a_tree_on_disk_has_the_nodes_of_a_tree_in_memory(tmp_path):
    rng, tree, levels = random.Random(3), Tree(), Levels(tmp_path, Disk())
    while tree.size < 600:
        leaves = [rng.randbytes(32) for _ in range(rng.choice([1, 2, 3, 64, 255]))]
        tree.extend(leaves)
        levels.extend(b"".join(leaves))
        levels.sync()
        cut = rng.randint(tree.size - len(leaves), tree.size)
        levels.cut(cut)
        levels.extend(b"".join(leaves[cut - (tree.size - len(leaves)) :]))
    assert levels.size == tree.size
    for level in range(10):
        for index in range(tree.size >> level):
            assert levels.node(level, index) == tree.node(level, index)
        with pytest.raises(Usage):
            levels.node(level, tree.size >> level)
    levels.close()
