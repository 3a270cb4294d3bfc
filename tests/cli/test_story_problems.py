"""A fault in the demo's server or a thread: one sentence on the screen, the rest in a file."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import SimpleNamespace

import httpx
import pytest

from teeproof.cli.story import problems as module
from teeproof.cli.story.page import serve_page
from teeproof.cli.story.problems import PROBLEMS, Problems
from teeproof.proof.log.storage.log import Log
from tests.proof.people import policy

pytest.importorskip("starlette")


@pytest.fixture(autouse=True)
def loggers():
    """As in a process that serves nothing else: each server sets its level for all of them."""
    some = [logging.getLogger(name) for name in ("uvicorn", "uvicorn.error")]
    before = [(one, one.level, one.propagate, one.handlers) for one in some]
    for one in some:
        one.propagate, one.handlers = True, []
        one.setLevel(logging.ERROR)
    yield
    for one, level, propagate, handlers in before:
        one.propagate, one.handlers = propagate, handlers
        one.setLevel(level)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def problems(tmp_path, told) -> Problems:
    return Problems(tmp_path, told.append)


def in_a_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def fail() -> None:
    raise ZeroDivisionError("no part of it")


def test_a_pages_fault_is_written_down_and_told_once_and_the_terminal_stays_clean(
    tmp_path, problems, told, capfd
):  # fmt: skip
    with Log.create(tmp_path / "log", origin="log.example/faulty") as log:
        log.publish()
        logs = f"log {log.verifier.text()}\nquorum none\n"
    (tmp_path / "policy.toml").write_text("")
    (tmp_path / "trusted-logs").write_text(logs)
    world = SimpleNamespace(
        notary=SimpleNamespace(directory=tmp_path / "log", policy=logs), policy=policy(),
        policy_path=tmp_path / "policy.toml", logs_path=tmp_path / "trusted-logs",
        folder=tmp_path, urls={}, kms_policy="", codes={}, contracts={},
    )  # fmt: skip
    with problems.kept(), serve_page(world, fail) as served:
        assert httpx.get(f"{served.url}/nowhere").status_code == 404
        assert not (tmp_path / PROBLEMS).exists()
        assert [httpx.get(served.url).status_code for _ in range(2)] == [500, 500]
    written = (tmp_path / PROBLEMS).read_text()
    assert (written.count("Traceback"), written.count("in fail")) == (2, 2)
    assert told == [
        "A fault of teeproof itself, ZeroDivisionError: no part of it: see"
        f" {tmp_path / PROBLEMS}"
    ]  # fmt: skip
    assert capfd.readouterr() == ("", "")


def test_a_threads_fault_is_written_down_and_what_python_did_before_is_put_back(
    problems, told, capfd
):  # fmt: skip
    before = threading.excepthook, list(logging.getLogger().handlers)
    with problems.kept():
        in_a_thread(fail)
    assert (threading.excepthook, list(logging.getLogger().handlers)) == before
    assert len(told) == 1
    assert "in fail" in problems.path.read_text()
    assert capfd.readouterr().err == ""


def test_what_a_library_logs_as_an_error_is_kept_and_less_is_not(problems, told):
    with problems.kept():
        logging.getLogger("uvicorn.error").error("the socket %s is gone\x1b[2J", 7)
        logging.getLogger("uvicorn.error").warning("a request that is none")
    assert problems.path.read_text() == "uvicorn.error: the socket 7 is gone\x1b[2J\n"
    (sentence,) = told
    assert sentence.startswith("uvicorn.error reports: the socket 7 is gone\\x1b[2J: see ")


def test_stranger_who_causes_a_fault_again_and_again_fills_neither_disk_nor_screen(
    problems, told, monkeypatch
):  # fmt: skip
    monkeypatch.setattr(module, "_MOST", 2_000)
    with problems.kept():
        for number in range(50):
            in_a_thread(fail)
            logging.getLogger("teeproof").error(f"kind {number}")
    assert len(told) == 20
    assert 2_000 <= problems.path.stat().st_size < 4_000
