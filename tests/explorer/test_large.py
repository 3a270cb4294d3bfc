"""A log that is long: pages answer while it is read, and cost the same however long a list is."""

from __future__ import annotations

import shutil
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from teeproof.core.errors import NotAuthentic, Unavailable
from teeproof.explorer.app import make_app
from teeproof.explorer.log import beside, finding, keys
from teeproof.explorer.log.beside import Beside
from teeproof.explorer.log.content import Book
from teeproof.explorer.log.finding import Index
from teeproof.explorer.log.keys import Keys
from teeproof.explorer.log.roll import Roll, Said
from teeproof.proof.links import Subject
from teeproof.proof.log import crew
from teeproof.proof.log.storage.log import Log
from teeproof.proof.statement import Statement, Step
from teeproof.proof.verify import Trust
from teeproof.proof.workload import Identity
from tests.explorer.conftest import ask
from tests.proof.people import NOW, attester, digest, policy

MANY = 200


@pytest.fixture(scope="module")
def long_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of two hundred steps by one author."""
    directory = tmp_path_factory.mktemp("long") / "log"
    with Log.create(directory, origin="log.example/long") as log:
        author = Identity.boot(attester(), store=log, now=lambda: NOW)
        for number in range(MANY):
            subject = Subject({"sha256": digest(f"{number}")}, name="x")
            said = Step(author=author.name, step=f"step {number}")
            author.keep(Statement.of(said, subjects=(subject,)))
        log.publish()
    return directory


class Gate:
    """Holds whoever reads the log before each batch, until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, batches: int) -> None:
        self.opened, self.reached = threading.Event(), threading.Event()
        self.left, understood = batches * 64, finding.understood

        def held(log: Log, number: int, stored: Any, **more: Any) -> Any:
            if threading.current_thread().name == "teeproof-index":
                self.left -= 1
                if self.left < 0:
                    self.reached.set()
                    assert self.opened.wait(60)
            return understood(log, number, stored, **more)

        monkeypatch.setattr(finding, "understood", held)
        monkeypatch.setattr(finding, "AT_ONCE", 10)

    def open(self, book: Book) -> None:
        self.opened.set()
        thread = book.index._thread
        assert thread is not None
        thread.join(60)
        assert book.reading is None


def shown(directory: Path) -> tuple[Any, Book]:
    book = Book(directory, trust=Trust(policy=policy()), now=lambda: NOW)
    return make_app(book, command=str), book


def test_pages_answer_while_the_log_is_read_and_say_how_far(long_log, monkeypatch):
    gate = Gate(monkeypatch, batches=1)
    app, book = shown(long_log)
    assert ask(app, "GET", "/").status_code == 200
    assert gate.reached.wait(60)
    for path in ("/", "/here", "/log", "/words"):
        text = ask(app, "GET", path).text
        assert f"still reading the log: 64 of {MANY + 1} entries" in text, path
    assert ask(app, "GET", "/here.json").json()["reading"] == {"done": 64, "of": MANY + 1}
    latest = ask(app, "GET", "/index.json").json()
    assert latest["latest"][0]["title"] == f"step {MANY - 1}", "the end is told, not the beginning"
    assert latest["reading"]["done"] == 64
    one = latest["latest"][0]["id"].removeprefix("sha256:")
    assert ask(app, "GET", f"/p/{one}").status_code == 200
    gate.open(book)
    for path in ("/", "/here"):
        assert "still reading" not in ask(app, "GET", path).text
    assert "reading" not in ask(app, "GET", "/here.json").json()


def test_a_search_that_finds_nothing_yet_says_that_it_is_not_complete(long_log, monkeypatch):
    gate = Gate(monkeypatch, batches=1)
    app, book = shown(long_log)
    ask(app, "GET", "/")
    assert gate.reached.wait(60)
    early, late = digest("3"), digest(f"{MANY - 1}")
    assert ask(app, "GET", "/search.json", params={"q": early}).json()["found"]
    answer = ask(app, "GET", "/search.json", params={"q": late})
    assert (answer.status_code, answer.json()["error"]) == (503, "log_reading")
    assert f"64 of {MANY + 1} entries" in answer.json()["detail"]
    gate.open(book)
    (found,) = ask(app, "GET", "/search.json", params={"q": late}).json()["found"]
    assert found["meaning"] == "output of"
    missing = ask(app, "GET", "/search.json", params={"q": digest("nobody")})
    assert (missing.status_code, missing.json()["error"]) == (404, "nothing_found")


@pytest.mark.parametrize(
    "error", [NotAuthentic("the journal is damaged", code="log_corrupt"), KeyError("damaged")]
)
def test_what_ends_the_reading_of_a_log_is_told_of(long_log, monkeypatch, error):
    monkeypatch.setattr(finding, "AT_ONCE", 10)

    def damaged(self: Log, start: int = 0) -> Any:
        raise error
        yield

    monkeypatch.setattr(Log, "iterate", damaged)
    index = Index(long_log)
    index.roll()
    thread = index._thread
    assert thread is not None
    thread.join(60)
    with pytest.raises(type(error), match="damaged"):
        index.roll()


def test_what_is_read_in_a_thread_is_what_is_read_at_once(long_log, monkeypatch):
    whole = Index(long_log)
    whole.roll()
    monkeypatch.setattr(finding, "AT_ONCE", 0)
    index = Index(long_log)
    index.roll()
    thread = index._thread
    assert thread is not None
    thread.join(60)
    assert index.latest(50) == whole.latest(50)
    assert index.roll() == whole.roll()
    assert index.ties() == whole.ties()
    for text in (digest("7"), digest("7")[:6], "step 1"):
        assert index.find(text) == whole.find(text)


@pytest.mark.parametrize("broken", [False, True])
def test_what_a_crew_reads_is_what_is_read_at_once(long_log, monkeypatch, broken):
    whole = Index(long_log)
    whole.roll()
    monkeypatch.setattr(finding, "AT_ONCE", 0)
    monkeypatch.setattr(crew, "LEAST", 10)
    monkeypatch.setattr(crew, "_RANGE", 7)
    if broken:  # each of them ends at once: what they do not read is read by who asked them
        monkeypatch.setattr(finding, "_TASK", "teeproof.explorer.log.entries:none")
    index = Index(long_log, hands=2)
    index.roll()
    thread = index._thread
    assert thread is not None
    thread.join(120)
    assert index.latest(50) == whole.latest(50)
    assert (index.roll(), index.ties(), index.nodes()) == (
        whole.roll(), whole.ties(), whole.nodes()
    )  # fmt: skip
    assert index._taken.keys._places == whole._taken.keys._places


@pytest.fixture
def held_iteration(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Hold whoever reads a log in a thread after 70 entries, until the event is set."""
    opened, iterate = threading.Event(), Log.iterate

    def held(self: Log, start: int = 0) -> Any:
        for number, stored in enumerate(iterate(self, start)):
            if number == 70 and threading.current_thread().name == "teeproof-beside":
                assert opened.wait(60)
            yield stored

    monkeypatch.setattr(Log, "iterate", held)
    return opened


def copied(long_log: Path, directory: Path) -> Path:
    """Return a copy of a log without what was made of it."""
    without = shutil.ignore_patterns("links.db*", "index.sqlite-*")
    return Path(shutil.copytree(long_log, directory / "log", ignore=without))


def test_a_page_that_needs_all_of_a_long_log_says_how_far_it_is_and_holds_up_nobody(
    long_log, tmp_path, held_iteration, monkeypatch
):
    monkeypatch.setattr(beside, "AT_ONCE", 10)
    app, book = shown(copied(long_log, tmp_path))
    one = book.index.latest(1)[0].id
    for path, work in ((f"/p/{one}", book.linking), (f"/graph/{one}", book.graphs.gathering)):
        held_iteration.clear()
        for _ in range(2):
            answer = ask(app, "GET", f"{path}.json")
            assert (answer.status_code, answer.json()["error"]) == (503, "log_reading"), path
            assert f"of {MANY + 1} entries" in answer.json()["detail"]
        for other in ("/", "/here", "/log", f"/search?q={digest('3')[:9]}"):
            assert ask(app, "GET", other).status_code in (200, 303), other
        held_iteration.set()
        assert work.wait(60)
        assert ask(app, "GET", f"{path}.json").status_code == 200, path


@pytest.mark.parametrize(
    "error", [NotAuthentic("the journal is damaged", code="log_corrupt"), KeyError("damaged")]
)
def test_work_that_fails_is_told_once_and_tried_again(error):
    def failing(_: Any) -> None:
        raise error

    work = Beside()
    with pytest.raises(Unavailable, match="0 of 9,000 entries"):
        work.require(behind=9_000, work=failing, what="a test")
    assert work.wait(60)
    with pytest.raises(type(error), match="damaged"):
        work.require(behind=9_000, work=failing, what="a test")
    with pytest.raises(Unavailable):
        work.require(behind=9_000, work=lambda _: None, what="a test")
    assert work.wait(60)
    work.require(behind=0, work=failing, what="a test")


def test_the_graph_of_a_log_that_grew_reads_only_what_is_new(tmp_path, monkeypatch):
    starts: list[int] = []
    iterate = Log.iterate

    def counted(self: Log, start: int = 0) -> Any:
        starts.append(start)
        return iterate(self, start)

    monkeypatch.setattr(Log, "iterate", counted)
    with Log.create(tmp_path / "log", origin="log.example/grows") as log:
        author = Identity.boot(attester(), store=log, now=lambda: NOW)
        first = author.seal("first", outputs={"1": b"1"})
        log.publish()
        book = Book(tmp_path / "log", trust=Trust(policy=policy()), now=lambda: NOW)
        assert first.id in book.graphs.of(first.id).graph
        second = author.seal("second", outputs={"2": b"2"}, inputs={"part": first})
        log.publish()
        graph = book.graphs.of(second.id).graph
    assert second.id in graph
    assert first.id in graph.ancestors(second.id)
    assert starts == [0, 2]


class Counted(list[Any]):
    """A list that counts which of its items are looked at."""

    looks = 0

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        type(self).looks += len(found) if isinstance(at, slice) else 1
        return found


def rolled(count: int) -> Roll:
    """A roll of three kinds, in turn."""
    roll = Roll()
    for number in range(count):
        one, author = f"{number:064x}", (b"a" * 32).hex()
        roll.add(Said(number=number, id=one, type=f"kind {number % 3}", author=author, title="",
                      clause=""))  # fmt: skip
    return roll


@pytest.mark.parametrize("count", [1, 2, 299, 300, 1_000])
@pytest.mark.parametrize("kinds", [("kind 0",), ("kind 0", "kind 2"), ("kind 1", "none")])
def test_pages_of_a_list_together_are_the_list(count, kinds):
    roll = rolled(count)
    every = [n for n in range(count - 1, -1, -1) if f"kind {n % 3}" in kinds]
    pages = [roll.of(*kinds, start=start, count=70) for start in range(0, count + 70, 70)]
    assert [said.number for page in pages for said in page] == every


def test_a_page_of_a_long_list_costs_the_same_however_long_and_however_deep():
    looks = {}
    for count in (3_000, 30_000):
        roll = rolled(count)
        roll._types = {kind: Counted(said) for kind, said in roll._types.items()}
        for depth in (0, count // 2):
            Counted.looks = 0
            assert len(roll.of("kind 0", "kind 1", start=depth, count=50)) == 50
            looks[count, depth] = Counted.looks
    assert max(looks.values()) < 1_000, looks


def test_one_kind_by_an_author_costs_the_same_however_much_else_was_said():
    roll = rolled(30_000)
    author = (b"a" * 32).hex()
    roll._authors = {name: Counted(said) for name, said in roll._authors.items()}
    roll._kinds = {
        name: {kind: Counted(said) for kind, said in kinds.items()}
        for name, kinds in roll._kinds.items()
    }
    Counted.looks = 0
    found = roll.by(author, start=100, count=50, only="kind 1")
    assert [said.number for said in found] == [29_998 - 3 * at for at in range(100, 150)]
    assert Counted.looks < 1_000


def test_kinds_of_an_author_are_counted_once():
    roll = rolled(100)
    assert roll.kinds_by((b"a" * 32).hex()) == [("kind 0", 34), ("kind 1", 33), ("kind 2", 33)]


def test_keys_are_found_by_their_beginning_in_every_run(monkeypatch):
    monkeypatch.setattr(keys, "_RUN", 7)
    found = Keys()
    names = [digest(str(number)) for number in range(500)]
    for number, name in enumerate(names):
        found.put(name, "output of", number)
        if number % 50 == 0:
            assert [n for n, _, _ in found.matching(name[:9])] == [name]
    for beginning in {name[:1] for name in names}:
        expected = sorted(name for name in names if name.startswith(beginning))
        assert [n for n, _, _ in found.matching(beginning)] == expected[:200]
    lengths = [len(run) for run in found._runs]
    assert sum(lengths) == len(names)
    assert all(longer >= 2 * shorter for longer, shorter in pairwise(lengths))


def test_a_key_has_its_places_in_order_up_to_a_bound(monkeypatch):
    found = Keys()
    assert found.put("node", "node", -1, once=True)
    assert found.put("node", "node", -1, once=True)
    for number in range(250):
        found.put("node", "word for", number)
    places = list(found.matching("node"))
    assert places[0] == ("node", "node", -1)
    assert [number for _, _, number in places[1:]] == list(range(199))
    assert not found.put("node", "word for", 999)
    monkeypatch.setattr(keys, "MOST_KEYS", 1)
    assert found.absent == 0
    assert not found.put("other", "word for", 1)
    assert found.absent == 1


def test_search_says_how_much_it_has_no_room_for_and_still_finds_whole_ids(long_log, monkeypatch):
    app, book = shown(long_log)
    last = book.index.latest(1)[0].id
    whole = ask(app, "GET", "/search.json", params={"q": "step"}).json()
    assert whole["no_room_for"] == 0
    assert "found no room" not in ask(app, "GET", "/search", params={"q": "step"}).text
    monkeypatch.setattr(keys, "MOST_KEYS", 50)
    app, book = shown(long_log)
    twin = ask(app, "GET", "/search.json", params={"q": "step"}).json()
    assert twin["no_room_for"] == book.index.absent > MANY
    page = ask(app, "GET", "/search", params={"q": "step"}).text
    assert f"{book.index.absent:,} mentions of others found no room" in page
    missing = ask(app, "GET", "/search.json", params={"q": f"step {MANY - 1}"})
    assert (missing.status_code, missing.json()["error"]) == (404, "nothing_found")
    assert f"{book.index.absent:,} mentions of others found no room" in missing.json()["detail"]
    for query, meaning in ((last, "statement"), (digest(f"{MANY - 1}"), "output of")):
        (found,) = ask(app, "GET", "/search.json", params={"q": query}).json()["found"]
        assert (found["statement"], found["meaning"]) == (f"sha256:{last}", meaning)
        assert found["signed"]
    author = book.roll.machines()[0].id
    (found,) = book.index.find(author)[:1]
    assert found.key == author
    for bad in (digest("nobody"), last[:-1] + "g", last[:-1]):
        assert book.index.find(bad) == [], bad
