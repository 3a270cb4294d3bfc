"""``teeproof log monitor``: it follows a directory or a URL, and says what it found."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from teeproof.cli.log import monitor as log_monitor
from teeproof.cli.log.monitor import command
from teeproof.cli.running import run
from teeproof.core.errors import Unavailable
from teeproof.proof.log.http.asking import Witnesses
from teeproof.proof.log.storage.log import Log
from teeproof.proof.monitor import telling
from teeproof.proof.monitor.fork import verify_fork
from teeproof.proof.witness.app import App
from teeproof.proof.witness.client import Asked
from teeproof.proof.witness.witness import Witness
from tests.cli.program import Answer
from tests.proof.log.http.httplog import running, served, statement
from tests.proof.monitor.served import Served
from tests.proof.witness.scenes import (
    COSIGNER,
    ORIGIN,
    OTHER_LOG,
    SIGNER,
    STRANGER,
    Book,
    open_witness,
)

KEY = SIGNER.verifier.text()


@pytest.fixture
def monitor(capfd, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)

    def call(*arguments) -> Answer:
        capfd.readouterr()
        code = run(command, [str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Answer(code, captured.out, captured.err)

    return call


class Site:
    """An HTTP server for what a book says, which also takes what is sent to it."""

    def __init__(self, served: Served) -> None:
        self.served, self.got, self.answers = served, [], []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                path = self.path.removeprefix("/log/")
                try:
                    self._answer(200, site.served.read(path))
                except Unavailable:
                    self._answer(404, b"")

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                site.got.append((self.headers["content-type"], body))
                self._answer(site.answers.pop(0) if site.answers else 204, b"")

            def _answer(self, status, body):
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def site(book: Book, size: int | None = None) -> Iterator[Site]:
    made = Site(Served(book, size))
    thread = threading.Thread(target=made.server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        thread.join()
        made.server.server_close()


def test_a_log_s_directory_is_followed(monitor, tmp_path):
    folder = tmp_path / "log"
    with Log.create(folder, origin=ORIGIN, seed=bytes(range(32))) as log:
        for number in range(300):
            log.append(
                kind=1,
                statement_id=number.to_bytes(32, "big"),
                identity=bytes(32),
                seal=bytes(32),
                record=b"{}",
            )
        log.publish()
    answer = monitor(folder, "--key", KEY)
    assert answer.code == 0, answer.out + answer.err
    assert f"✓ {ORIGIN} · 300 entries verified" in answer.out
    assert monitor(folder, "--key", KEY, "--json").json["before"] == 300


def test_a_url_is_followed_and_remembered(monitor, tmp_path):
    book = Book.of(700)
    with site(book, 300) as served:
        url, state = f"{served.url}/log/", tmp_path / "state"
        first = monitor(url, "--key", KEY, "--state", state, "--json")
        assert (first.code, first.json["size"], first.json["before"]) == (0, 300, None)
        served.served.show(book, 700)
        second = monitor(url, "--key", KEY, "--state", state, "--json", "--all")
        assert (second.code, second.json["size"], second.json["before"]) == (0, 700, 300)
        assert second.json["findings"] == []


def test_an_honest_log_with_an_honest_witness_is_fine_level_behind_and_ahead(monitor, tmp_path):
    """The real server, a real witness, the real monitor, over HTTP."""
    with (
        served(tmp_path / "log") as log,
        Witness.open(tmp_path / "w", COSIGNER, logs=[log.log.verifier]) as witness,
        running(App(witness)) as url,
    ):
        key, asked = (
            log.log.verifier,
            Witnesses([Asked(url, COSIGNER.verifier)], prove=log.log.consistency_proof),
        )

        def cosign():
            assert asked(log.log.checkpoint()).lines

        def grow(*numbers):
            with log.client() as client:
                client.append_many([statement(number) for number in numbers])
            log.publisher.publish()

        def look():
            answer = monitor(
                log.url, "--key", key.text(), "--witness", url, "--state", tmp_path / "s", "--json"
            )
            assert (answer.code, answer.json["size"]) == (0, log.log.size), answer.out
            return [finding["code"] for finding in answer.json["findings"]]

        grow(1, 2, 3)
        cosign()
        assert look() == []
        grow(4)
        assert look() == ["vantage_behind"]
        cosign()
        assert look() == []
        before = log.log.checkpoint()
        grow(5)
        cosign()  # ahead of what a cache shows of the log
        log.between.change = lambda path, *_: (
            (200, before.encode()) if path == "/checkpoint" else None
        )
        answer = monitor(
            log.url, "--key", key.text(), "--witness", url, "--state", tmp_path / "s", "--json"
        )
        assert (answer.code, answer.json["size"]) == (0, 4), answer.out
        assert [finding["code"] for finding in answer.json["findings"]] == ["tiles_awaited"]
        log.between.change = lambda *_: None
        assert look() == []


@pytest.mark.parametrize("size", [200, 300, 350])
def test_log_that_forks_is_proven_bad_and_told_of(monitor, tmp_path, monkeypatch, size):
    monkeypatch.setattr(telling, "_FIRST_PAUSE", 0.0)
    book = Book.of(300)
    with site(book) as served:
        url, state = f"{served.url}/log", tmp_path / "state"
        assert monitor(url, "--key", KEY, "--state", state).code == 0
        served.served.show(book.fork(100).grow(100), size)
        served.answers = [500, 429]
        told = f"{served.url}/hook"
        answer = monitor(url, "--key", KEY, "--state", state, "--webhook", told)
        assert answer.code == 2
        assert "FORKED" in answer.out
        assert "log_forked" in answer.out
        proof = (state / "fork.proof").read_bytes()
        assert served.got == [("application/json", proof)] * 3
        again = monitor(url, "--key", KEY, "--state", state, "--every", "1", "--json")
    assert (again.code, again.json["forked"], again.json["ok"]) == (2, True, False)
    fork = verify_fork(proof, keys={ORIGIN: SIGNER.verifier})
    assert set(fork.sizes) == {300, size}


def test_a_webhook_that_takes_nothing_changes_no_exit_code(monitor, tmp_path, monkeypatch):
    monkeypatch.setattr(telling, "_FIRST_PAUSE", 0.0)
    book = Book.of(300)
    with site(book) as served:
        options = ["--key", KEY, "--state", tmp_path, "--webhook", served.url, "--json"]
        monitor(f"{served.url}/log", *options)
        served.served.show(book.fork(100))
        served.answers = [500] * 5
        answer = monitor(f"{served.url}/log", *options)
        assert len(served.got) == 5
    assert (answer.code, answer.json["webhook"]["error"]) == (2, "webhook_unavailable")


def test_log_that_shows_two_trees_is_caught_by_a_second_look_from_elsewhere(monitor, tmp_path):
    book = Book.of(300)
    with site(book) as here, site(book.fork(100)) as there:
        answer = monitor(
            f"{here.url}/log", "--key", KEY, "--also", f"{there.url}/log", "--state", tmp_path
        )
    assert answer.code == 2
    assert "split_view" in answer.out
    assert there.url in answer.out


def test_log_that_shows_a_witness_another_tree_is_caught(monitor, tmp_path):
    book = Book.of(300)
    with open_witness(tmp_path / "w") as witness:
        witness.add(book.fork(100).request(0))
        cosigned = witness.last(ORIGIN)
    with site(book) as here, site(book) as there:
        there.served.signed = cosigned
        there.served.read = lambda path: (
            cosigned.encode() if path.endswith("/checkpoint") else b"nothing"
        )
        answer = monitor(
            f"{here.url}/log", "--key", KEY, "--witness", there.url, "--state", tmp_path / "s"
        )
    assert answer.code == 2
    assert "split_view" in answer.out


def test_network_that_alters_what_is_served_makes_no_accusation(monitor, tmp_path):
    book = Book.of(300)
    with site(book) as served:
        served.served.alter = lambda path, data: data[:-1] + b"\0" if "tile" in path else data
        answer = monitor(f"{served.url}/log", "--key", KEY, "--state", tmp_path, "--json")
    assert (answer.code, answer.json["forked"], answer.json["proof"]) == (2, False, None)
    assert answer.json["findings"][0]["level"] == "refused"


def test_network_that_is_down_is_exit_code_3(monitor, tmp_path, monkeypatch):
    from teeproof.proof.log.http import transport as http_client

    monkeypatch.setattr(http_client, "_FIRST_PAUSE", 0.0)
    with site(Book.of(3)) as served:
        url = served.url
    answer = monitor(url, "--key", KEY, "--state", tmp_path)
    assert answer.code == 3
    assert "nothing verified" in answer.out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 1),
        (["--key", "nonsense"], 2),
        (["--key", KEY, "--key", OTHER_LOG.verifier.text()], 1),
        (["--key", KEY, "--once", "--every", "3"], 1),
        (["--key", KEY, "--webhook", "ftp://x"], 1),
        (["--key", KEY, "--also", "https://"], 1),
        (["--key", KEY], 3),
    ],
)
def test_what_cannot_be_done_is_an_error(monitor, tmp_path, arguments, code):
    assert monitor(tmp_path / "nothing", *arguments).code == code


def test_a_key_that_the_log_does_not_have_makes_no_accusation(monitor, tmp_path):
    with site(Book.of(9)) as served:
        url = f"{served.url}/log"
        key = STRANGER.verifier.text()
        answer = monitor(url, "--key", key, "--state", tmp_path, "--json")
    assert answer.code == 2
    assert [finding["code"] for finding in answer.json["findings"]] == ["log_unknown"]


def test_it_keeps_looking_until_the_log_is_proven_bad(monitor, tmp_path, monkeypatch):
    book, looks = Book.of(300), []
    with site(book, 100) as served:

        def sleep(_seconds):
            looks.append(1)
            served.served.show(book if len(looks) == 1 else book.fork(100))

        monkeypatch.setattr(log_monitor.time, "sleep", sleep)
        url = f"{served.url}/log"
        answer = monitor(url, "--key", KEY, "--state", tmp_path, "--every", "5", "--json")
    reports = [json.loads(part + "}") for part in answer.out.split("\n}\n")[:-1]]
    assert [report["size"] for report in reports] == [100, 300, 300]
    assert [report["forked"] for report in reports] == [False, False, True]
    assert answer.code == 2
