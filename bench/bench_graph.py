"""How fast a graph is made and asked: beside parsing alone, and a search over plain integers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from bench.measure import Row, beside
from teeproof.core.digests import named, sha256
from teeproof.proof.envelope import Envelope, Signature
from teeproof.proof.graph import Graph
from teeproof.proof.links import Material, Subject
from teeproof.proof.source import read_record
from teeproof.proof.statement import Statement, Step

SIZES = (1_000, 10_000, 100_000)
WIDTH = 3  # inputs of each statement
AUTHORS = [named(sha256(b"author %d" % number)) for number in range(16)]


def rows() -> Iterator[Row]:
    """Yield the rows for each number of statements."""
    for size in SIZES:
        yield from _of(size)


def _of(size: int) -> Iterator[Row]:
    records, ids = _history(size)
    rounds = 3 if size > 10_000 else 5
    reads = [read_record(record) for record in records]
    what = f"{size:,} statements with {WIDTH} inputs each"

    def joined() -> dict[bytes, list[bytes]]:
        makers = {bytes.fromhex(s.digest["sha256"]): r.id for r in reads for s in r.subjects}
        return {r.id: [makers[bytes.fromhex(link.digest[7:])] for link in r.links] for r in reads}

    ours, limit = beside(lambda: Graph.of_records(reads), joined, rounds=rounds)
    yield Row(f"graph of {what}, parsed before", ours, limit, "one dict by digest, one of lists")
    if size <= 10_000:
        ours, limit = beside(
            lambda: Graph.of_records(records), lambda: [*map(read_record, records)], rounds=rounds
        )
        yield Row(f"graph of {what}, from bytes", ours, limit, "parsing the records", goal=0.5)
    graph = Graph.of_records(reads)
    numbers = {node.id: number for number, node in enumerate(graph.nodes)}
    up: list[list[int]] = [[] for _ in numbers]
    down: list[list[int]] = [[] for _ in numbers]
    for edge in graph.edges:
        up[numbers[edge.below]].append(numbers[edge.above])
        down[numbers[edge.above]].append(numbers[edge.below])
    last, first = numbers[ids[-1]], numbers[ids[0]]
    plain = "breadth-first search, dict and deque, over ints"

    found = len(_search(last, up)) - 1
    assert len(graph.ancestors(ids[-1])) == found
    ours, limit = beside(lambda: graph.ancestors(ids[-1]), lambda: _search(last, up), rounds=rounds)
    yield Row(f"its {found:,} ancestors", ours, limit, plain, goal=0.7)
    key = sha256(b"data 0").hex()
    found = len(graph.touched(key).nodes)
    assert found == len(_search(first, down)) - 1
    ours, limit = beside(lambda: graph.touched(key), lambda: _search(first, down), rounds=rounds)
    yield Row(f"the {found:,} that its first data touched", ours, limit, plain, goal=0.7)


def _search(start: int, adjacent: list[list[int]]) -> dict[int, None]:
    found = {start: None}
    queue = deque([start])
    while queue:
        for following in adjacent[queue.popleft()]:
            if following not in found:
                found[following] = None
                queue.append(following)
    return found


def _history(size: int) -> tuple[list[bytes], list[bytes]]:
    """Return records in which each statement is made of others not long before it."""
    records: list[bytes] = []
    ids: list[bytes] = []
    for number in range(size):
        before = sorted({max(0, number - step) for step in (1, 2, 17)} - {number})[-WIDTH:]
        materials = tuple(
            Material(role="input", digest=_digest(each), statement=named(ids[each]))
            for each in before
        )
        author = AUTHORS[number % len(AUTHORS)]
        statement = Statement.of(
            Step(author=author, step="make", materials=materials),
            subjects=(Subject(_digest(number), name=f"data {number}"),),
        )
        ids.append(statement.id)
        records.append(Envelope(statement.payload, (Signature("", bytes(64)),)).encode())
    return records, ids


def _digest(number: int) -> dict[str, str]:
    return {"sha256": sha256(b"data %d" % number).hex()}
