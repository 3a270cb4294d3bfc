"""The list of attacks is complete: each item has a test, and each test is there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

ITEMS = {*range(1, 57)}
ATTACKERS = "host|operator|network|client|workload|vendor"
_HERE = Path(__file__).parent


def _modules() -> list[ModuleType]:
    names = sorted(path.stem for path in _HERE.glob("test_*.py") if path != Path(__file__))
    modules = [importlib.import_module(f"tests.evidence.attacks.{name}") for name in names]
    return [module for module in modules if hasattr(module, "CHECKLIST")]


def test_every_item_of_the_list_has_a_test_in_one_place() -> None:
    items = [item for module in _modules() for item in module.CHECKLIST]
    assert sorted(items) == sorted(ITEMS)


@pytest.mark.parametrize("module", _modules(), ids=lambda module: module.__name__.split(".")[-1])
def test_every_test_that_the_list_names_is_there_and_names_its_attacker(module: ModuleType) -> None:
    for item, names in module.CHECKLIST.items():
        assert names, item
        for name in names:
            assert callable(getattr(module, name)), name
            assert re.match(rf"test_({ATTACKERS})_", name), name
