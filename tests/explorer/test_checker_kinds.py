"""A workload writes statements of every kind with values that their kinds do not have.

For each kind values are drawn from its own fields, and some of them bent. A browser takes those
that the command reads, and no others: what it shows green has the form that its kind has.
"""

from __future__ import annotations

import base64
import copy
import json
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec import inspect

import teeproof.cli.chapters  # noqa: F401  every kind of statement
from teeproof.core.errors import Error
from teeproof.proof import statement
from teeproof.proof.envelope import IN_TOTO
from teeproof.proof.source import read_record
from tests.explorer.checking import results
from tests.explorer.forging import dumps

BENDS = 150  # of each kind
SEED = 2024
KINDS = sorted(statement._TYPES)

HARNESS = """
const results = [];
for (const given of JSON.parse(document.getElementById("cases").textContent)) {
  try {
    results.push((await $statements.readStatement($bytes.fromBase64(given))).known);
  } catch (error) {
    results.push(`${error.constructor.name}: ${error.message}`);
  }
}
document.getElementById("out").textContent = JSON.stringify(results);
"""

NAME = "sha256:" + "ab" * 32
SAID = {  # what statement.Predicate asks of its own fields, beyond their types
    "author": NAME, "cosigners": [], "materials": [{"digest": {"sha256": "cd" * 32}, "role": "x"}],
}  # fmt: skip


def drawn_of(info: Any, drawn: random.Random) -> Any:
    """A value that a type allows, with about half of what may be missing."""
    match info:
        case inspect.IntType():
            return drawn.choice((info.ge, info.le, drawn.randint(info.ge, info.le)))
        case inspect.StrType(pattern=str()):
            return "".join(drawn.choices("0123456789abcdef", k=64 if "64" in info.pattern else 32))
        case inspect.StrType():
            return drawn.choice(("", "x", "\u00e9", "\x1f\x7f\u2028", "\U0001f600", "0", "ab" * 32))
        case inspect.BoolType():
            return drawn.random() < 0.5
        case inspect.NoneType():
            return None
        case inspect.LiteralType():
            return drawn.choice(info.values)
        case inspect.VarTupleType():
            return [drawn_of(info.item_type, drawn) for _ in range(drawn.choice((0, 1, 1, 2)))]
        case inspect.DictType():
            return {key: drawn_of(info.value_type, drawn) for key in drawn.sample("abc", 2)}
        case inspect.UnionType():
            return drawn_of(drawn.choice(info.types), drawn)
    assert isinstance(info, inspect.StructType), info
    tag = {} if info.tag_field is None else {info.tag_field: info.tag}
    return tag | {
        field.encode_name: drawn_of(field.type, drawn)
        for field in info.fields
        if field.required or drawn.random() < 0.5
    }


def canonical_of(kind: type[statement.Predicate], value: Any) -> Any:
    """The same, without the defaults that are not spelt out."""
    return json.loads(msgspec.json.encode(msgspec.convert(value, kind)))


OTHERS = (
    None, True, -1, 0, 1, 2**32, 2**53 - 1, 2**53, 1.5, "", "x", "AB" * 32, "ab" * 31,
    "ab" * 32 + "\n", "\u0661" * 64, [], {}, [None],
)  # fmt: skip


def bent(value: Any, drawn: random.Random) -> Any:
    """A copy in which one value is another, is gone, or has a name more beside it."""
    value = copy.deepcopy(value)
    places: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        node = waiting.pop()
        for key in node if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], dict | list):
                waiting.append(node[key])
    parent, key = drawn.choice(places)

    def drop() -> None:
        del parent[key]

    def more() -> None:
        if isinstance(parent, dict):
            parent[drawn.choice(("a", "type", "__proto__", "constructor"))] = "x"
        else:
            parent.append(parent[key])

    def other() -> None:
        parent[key] = drawn.choice(OTHERS)

    def near() -> None:
        if isinstance(parent[key], str):
            parent[key] = drawn.choice((parent[key] + "0", parent[key][1:], parent[key].upper()))
        elif type(parent[key]) is int:
            parent[key] += drawn.choice((-1, 1))

    changes: tuple[Callable[[], None], ...] = (drop, more, other, near)
    drawn.choice(changes)()
    return value


def record(kind: str, predicate: Any) -> bytes:
    """An envelope around a statement; nobody looks at its signature here."""
    payload = dumps({
        "_type": statement.STATEMENT_TYPE, "predicate": predicate, "predicateType": kind,
        "subject": [{"digest": {"sha256": "ab" * 32}}],
    })  # fmt: skip
    return dumps({
        "payload": base64.b64encode(payload).decode(), "payloadType": IN_TOTO,
        "signatures": [{"keyid": "", "sig": base64.b64encode(bytes(64)).decode()}],
    })  # fmt: skip


def command(data: bytes) -> bool | str:
    """Whether the command knows the kind; the error's code where it does not read it."""
    try:
        read = read_record(data)
    except Error as error:
        return error.code
    return read.statement is not None and read.statement.known


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """By kind: each predicate, what the command says, and what a browser does."""
    drawn = random.Random(SEED)
    found: dict[str, list[Any]] = {}
    for kind in KINDS:
        info = inspect.type_info(statement._TYPES[kind])
        true = [
            canonical_of(statement._TYPES[kind], drawn_of(info, drawn) | SAID) for _ in range(5)
        ]
        found[kind] = true + [bent(drawn.choice(true), drawn) for _ in range(BENDS)]
    cases = [record(kind, one) for kind, given in found.items() for one in given]
    told = iter(results(tmp_path_factory.mktemp("kinds"), HARNESS, cases))
    return {
        kind: [(one, command(record(kind, one)), next(told)) for one in given]
        for kind, given in found.items()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_workload_bends_a_statement_of_each_kind_and_both_read_the_same(judged, kind):
    for predicate, here, told in judged[kind]:
        assert isinstance(here, bool) == isinstance(told, bool), (predicate, here, told)
        assert here == told or not isinstance(here, bool), (predicate, here, told)
        assert isinstance(told, bool) or told.startswith("Refused"), (predicate, told)


@pytest.mark.parametrize("kind", KINDS)
def test_some_of_each_kind_are_read_and_some_are_refused(judged, kind):
    read = [here is True for _, here, _ in judged[kind]]
    assert any(read)
    assert not all(read)
