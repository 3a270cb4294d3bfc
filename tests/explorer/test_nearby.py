"""The graph in a log that is too long for one: what is near is right, and the rest is counted."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from teeproof.core.errors import Unavailable
from teeproof.explorer.app import make_app
from teeproof.explorer.log import beside, graphs, nearby
from teeproof.explorer.log.content import Book
from teeproof.explorer.log.nearby import Drawn, Nearby
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.storage.log import Log
from teeproof.proof.verify import Trust
from teeproof.proof.workload import Identity
from tests.explorer.conftest import ask
from tests.proof.people import NOW, attester, policy

MANY = 60


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[bytes]]:
    """A log of sixty steps, each made of the one before; by two authors."""
    directory = tmp_path_factory.mktemp("near") / "log"
    with Log.create(directory, origin="log.example/near") as log:
        authors = [Identity.boot(attester(), store=log, now=lambda: NOW) for _ in range(2)]
        said: list[Any] = []
        for number in range(MANY):
            inputs = {"part": said[-1]} if said else {}
            said.append(
                authors[number % 2].seal(f"step {number}", outputs={"x": b"%d" % number},
                                         inputs=inputs)
            )  # fmt: skip
        log.publish()
    return directory, [one.id for one in said]


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every log is too long for one graph."""
    monkeypatch.setattr(graphs, "MOST_WHOLE", 10)


def near(directory: Path, one: bytes) -> Drawn:
    book = Book(directory, trust=Trust(policy=policy()), now=lambda: NOW)
    return book.graphs.of(one)


def test_what_is_near_in_a_long_log_is_what_the_whole_graph_has(chain, monkeypatch) -> None:
    directory, ids = chain
    whole = near(directory, ids[0])
    assert whole.partial is None
    monkeypatch.setattr(graphs, "MOST_WHOLE", 10)
    for one in (ids[0], ids[30], ids[-1]):
        found = near(directory, one)
        assert found.partial == (MANY + 2, MANY + 2, 0)
        assert set(found.graph.ancestors(one)) == set(whole.graph.ancestors(one))
        assert set(found.graph.descendants(one)) == set(whole.graph.descendants(one))
        assert {node.state for node in found.graph.nodes} == {"here"}


@pytest.mark.usefixtures("long")
def test_what_is_near_is_bounded_and_the_rest_is_counted(chain, monkeypatch) -> None:
    directory, ids = chain
    monkeypatch.setattr(nearby, "_MOST", 5)
    monkeypatch.setattr(nearby, "LATEST", 20)
    graph, partial = near(directory, ids[50])
    statements = {node.id for node in graph.nodes if node.kind == "statement"}
    assert statements == set(ids[46:56])
    assert partial == (MANY + 2, 20, 2), "the input of the last above, and a use of the last below"
    assert {node.state for node in graph.nodes} == {"here"}, "nothing unread is said to be missing"
    graph, partial = near(directory, ids[30])
    statements = {node.id for node in graph.nodes if node.kind == "statement"}
    assert statements == set(ids[26:31]), "the latest entries do not speak of it"
    assert partial == (MANY + 2, 20, 1)


@pytest.mark.usefixtures("long")
def test_a_bounded_number_of_authors_is_read(chain, monkeypatch) -> None:
    directory, ids = chain
    monkeypatch.setattr(nearby, "_PEOPLE", 1)
    graph, partial = near(directory, ids[-1])
    assert sum(node.kind == "identity" for node in graph.nodes) == 1
    assert partial == (MANY + 2, MANY + 2, MANY // 2)
    assert {node.state for node in graph.nodes} == {"here"}


@pytest.mark.usefixtures("long")
def test_the_page_and_its_twin_say_what_they_leave_out(chain, monkeypatch) -> None:
    directory, ids = chain
    book = Book(directory, trust=Trust(policy=policy()), now=lambda: NOW)
    app = make_app(book, command=str)
    page = ask(app, "GET", f"/graph/{ids[30].hex()}")
    assert page.status_code == 200
    assert f"in the latest {MANY + 2} entries. All that these name was read." in page.text
    monkeypatch.setattr(nearby, "_MOST", 5)
    page = ask(app, "GET", f"/graph/{ids[30].hex()}").text
    assert "2 names of inputs, uses or authors lead to what was not read, and are left out" in page
    twin = ask(app, "GET", f"/graph/{ids[30].hex()}.json").json()
    assert twin["partial"] == {"entries": MANY + 2, "looked": MANY + 2, "unread": 2}
    answer = ask(app, "GET", f"/graph/{bytes(32).hex()}.json")
    assert (answer.status_code, answer.json()["error"]) == (404, "statement_unknown")


@pytest.mark.usefixtures("long")
def test_a_long_log_is_read_for_its_graphs_in_a_thread(chain, monkeypatch) -> None:
    directory, ids = chain
    monkeypatch.setattr(beside, "AT_ONCE", 10)
    book = Book(directory, trust=Trust(policy=policy()), now=lambda: NOW)
    with Log.open(directory, read_only=True) as log, closing(Contents(log)) as contents:
        contents.follow()
    with pytest.raises(Unavailable, match=f"0 of {MANY + 2} entries"):
        book.graphs.of(ids[3])
    assert book.graphs.gathering.wait(60)
    assert ids[4] in book.graphs.of(ids[3]).graph.descendants(ids[3])


def test_what_is_remembered_of_a_log_that_grows_is_bounded(chain, monkeypatch) -> None:
    directory, _ = chain
    monkeypatch.setattr(nearby, "LATEST", 10)
    seen = Nearby()
    sizes = iter([15, 19, 25, 40, MANY + 2])
    with Log.open(directory, read_only=True) as log:
        for size in sizes:
            monkeypatch.setattr(Log, "size", size)
            behind = seen.behind(log)
            seen.follow(log)
            assert seen.done == size
            assert seen.done - seen.start <= 20
            assert len(seen._said) <= 20
            assert behind <= 10


def test_stranger_writes_statements_with_many_names_and_fewer_entries_are_remembered(
    chain, monkeypatch
) -> None:
    directory, _ = chain
    monkeypatch.setattr(nearby, "_MOST_NAMES", 12)
    seen = Nearby()
    with Log.open(directory, read_only=True) as log:
        seen.follow(log)
        assert seen.done == log.size
    assert 0 < len(seen._said) <= 6
    assert seen.done - seen.start <= 6
