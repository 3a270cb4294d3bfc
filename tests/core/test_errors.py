"""One error tree: the one that is drawn, with exit codes and one JSON shape."""

from __future__ import annotations

import pickle
import re

import pytest

from teeproof.core import errors
from teeproof.core.errors import Error, Malformed, NotAllowed, TooLarge, Unavailable

ROW = re.compile(r"^    (?P<branches>[│├└─ ]*)(?P<name>[A-Z]\w+) +exit (?P<code>\d)", re.MULTILINE)


def drawn() -> dict[str, tuple[str | None, int]]:
    """Return {class: (parent, exit code)} as the module's docstring draws it."""
    path: list[str] = []
    tree = {}
    for row in ROW.finditer(errors.__doc__ or ""):
        depth = len(row["branches"]) // 4
        del path[depth:]
        tree[row["name"]] = (path[-1] if path else None, int(row["code"]))
        path.append(row["name"])
    return tree


def real(root: type[Error] = Error, parent: str | None = None) -> dict[str, tuple[str | None, int]]:
    tree = {root.__name__: (parent, root.exit_code)}
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            tree |= real(child, root.__name__)
    return tree


def test_the_tree_in_the_docstring_is_the_tree_in_the_code():
    assert drawn() == real()
    assert set(drawn()) == set(errors.__all__)


def test_exit_codes_are_the_promised_ones():
    assert {name: code for name, (_, code) in drawn().items()} == {
        "Error": 2,
        "Usage": 1,
        "Malformed": 2,
        "TooLarge": 2,
        "NotAuthentic": 2,
        "Unavailable": 3,
        "NotAllowed": 4,
    }


@pytest.mark.parametrize("name", sorted(errors.__all__))
def test_each_class_has_a_code_of_its_own_that_programs_can_match(name):
    kind = getattr(errors, name)
    codes = [getattr(errors, other).default_code for other in errors.__all__]
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.default_code)
    assert codes.count(kind.default_code) == 1


def test_every_error_has_one_json_shape():
    error = NotAllowed("too old: ask for a fresh one", code="too_old", expected="7 d", got="31 d")
    assert error.to_json() == {
        "ok": False,
        "error": "too_old",
        "detail": "too old: ask for a fresh one",
        "expected": "7 d",
        "got": "31 d",
    }
    assert list(Unavailable("no such file").to_json()) == list(error.to_json())
    assert str(error) == error.detail


def test_an_error_without_a_code_takes_its_class_default():
    assert Malformed("x").code == "malformed"
    assert TooLarge("x").code == "too_large"


def test_an_error_survives_a_process_boundary():
    error = pickle.loads(pickle.dumps(TooLarge("x", code="c", expected="e", got="g")))
    assert isinstance(error, TooLarge)
    assert error.to_json() == TooLarge("x", code="c", expected="e", got="g").to_json()
