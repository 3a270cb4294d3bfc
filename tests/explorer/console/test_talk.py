"""Talk to a real service: each answer's receipt is checked, and a hostile host is told as one."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import closing, suppress
from types import SimpleNamespace

import httpx
import pytest

from teeproof.cli.console.talk import LocalTalk
from teeproof.cli.joining import Joined
from teeproof.core.errors import Error
from teeproof.evidence.collect.simulated import application_policy
from teeproof.explorer.console.talking import LONGEST, MOST_TURNS
from tests.explorer.browser import served
from tests.explorer.console.scenes import Person, app_of
from tests.explorer.console.test_gate import Echo
from tests.inference.conftest import host, model  # noqa: F401  fixtures of a real service
from tests.inference.serving import platform

HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(2)>\u202e}0002:"woleb"\x1b[31m'


class Host:
    """Whoever carries the bytes between client and service, and may change them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.edit = lambda path, status, body: (status, body)
        self.seen: list[str] = []

    async def __call__(self, scope, receive, send):
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        path = scope["path"] + (
            "?" + scope["query_string"].decode() if scope["query_string"] else ""
        )
        headers = {k: v for k, v in scope["headers"] if k in (b"authorization", b"content-type")}
        async with httpx.AsyncClient(timeout=60) as client:
            answer = await client.request(
                scope["method"], self.url + path, content=body, headers=headers
            )
        self.seen.append(scope["path"])
        status, data = self.edit(scope["path"], answer.status_code, answer.content)
        kept = [(b"content-type", answer.headers["content-type"].encode())]
        if "x-receipt-id" in answer.headers:
            kept.append((b"x-receipt-id", answer.headers["x-receipt-id"].encode()))
        await send({"type": "http.response.start", "status": status, "headers": kept})
        await send({"type": "http.response.body", "body": data})


@pytest.fixture
def between(host):  # noqa: F811
    with served(app := Host(host.url)) as url:
        yield SimpleNamespace(app=app, url=url)


@pytest.fixture
def talk(between, host, tmp_path):  # noqa: F811
    (tmp_path / "policy.toml").write_text(application_policy(platform(), compose_hash=[]))
    codes = {"model": host.inside.manifest.compose_hash}
    with closing(LocalTalk(lambda: Joined(tmp_path, {"model": between.url}, "", codes))) as one:
        yield one


@pytest.fixture
def person(talk):
    one = Person(app_of(talk=talk))
    one.enter()
    return one


def say(person, text="sell half my ETH"):
    answer = person.post("/console/talk", {"form": person.secret(), "text": text})
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/talk#last")
    return person.get("/console/talk").text, person.get("/console/talk.json").json()["turns"][-1]


def test_each_answer_has_its_receipt_beside_it(person):
    page, turn = say(person)
    assert turn.get("state") == "passed", turn
    assert turn["level"] == "simulated"
    assert "SIMULATED: the receipt holds" in page
    assert f"/answer/{turn['receipt'].removeprefix('sha256:')}" in page
    assert {check["name"] for check in turn["checks"]} >= {"answer-model", "answer-usage"}
    assert turn["fee"].startswith("3")  # 300,000 units and some for each token
    assert "DO NOT RELY" not in page


def test_host_edits_an_answer_and_it_is_shown_and_marked(person, between):
    def edit(path, status, body):
        if path != "/v1/chat/completions":
            return status, body
        value = json.loads(body)
        value["choices"][0]["message"]["content"] = HOSTILE
        return status, json.dumps(value).encode()

    between.app.edit = edit
    page, turn = say(person)
    assert (turn["state"], turn["answer"]) == ("failed", HOSTILE)
    assert "DO NOT RELY ON THIS" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    for raw in ("<script>alert", "<img", "\u202e", "\x1b"):
        assert raw not in page
    between.app.edit = lambda path, status, body: (status, body)
    assert say(person)[1]["state"] == "passed"  # its twin


def test_host_withholds_the_receipt_and_the_answer_is_shown_as_unchecked(person, between):
    between.app.edit = lambda path, status, body: (
        (404, b"{}") if path.startswith("/v1/aci/receipts") else (status, body)
    )
    page, turn = say(person)
    assert (turn["state"], turn["receipt"], turn["checks"]) == ("not_checked", None, [])
    assert "NOT CHECKED: nothing shows who said this" in page


def test_host_runs_other_code_and_is_asked_nothing(talk, between, host, tmp_path):  # noqa: F811
    other = LocalTalk(lambda: Joined(tmp_path, {"model": between.url}, "", {"model": "ab" * 32}))
    with pytest.raises(Error) as refused:
        other.ask("sell half my ETH")
    assert refused.value.exit_code == 4
    assert "/v1/chat/completions" not in between.app.seen
    assert talk.ask("sell half my ETH").state == "passed"  # its twin


@pytest.mark.parametrize("models", [
    b'{"data":[]}', b'{"data":[{}]}', b'{"data":[{"id":7}]}', b'{"data":[{"id":""}]}',
    b'{"data":[{"id":"' + b"x" * 500 + b'"}]}',
])  # fmt: skip
def test_host_says_that_there_is_no_model(person, between, models):
    between.app.edit = lambda path, status, body: (
        (status, models) if path == "/v1/models" else (status, body)
    )
    page, turn = say(person)
    assert turn["error"]["error"] == "answer_malformed"
    assert "No answer: the service names no model" in page


class Trickle:
    """A host that sends a byte now and then, so that no wait is ever long, and never ends."""

    def __init__(self, head: bytes) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.asked, self._ended = threading.Event(), threading.Event()
        self._head = head
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            client, _ = self.socket.accept()
            with client:
                client.recv(65536)
                client.sendall(self._head)
                self.asked.set()
                while not self._ended.wait(0.05):
                    client.sendall(b"x")

    def close(self) -> None:
        self._ended.set()
        self.socket.close()
        self._thread.join(60)


HEADS = [
    pytest.param(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n", id="body"),
    pytest.param(b"HTTP/1.1 200 OK\r\nx-a: ", id="header"),
]


@pytest.mark.parametrize("head", HEADS)
def test_host_trickles_and_its_answer_is_given_up(head, monkeypatch, tmp_path):
    monkeypatch.setattr("teeproof.cli.console.talk._PATIENCE", 0.5)
    with closing(Trickle(head)) as host:  # noqa: F811
        (tmp_path / "policy.toml").write_text(application_policy(platform(), compose_hash=[]))
        reach = lambda: Joined(tmp_path, {"model": host.url}, "", {"model": "ab" * 32})  # noqa: E731
        with closing(LocalTalk(reach)) as talk, pytest.raises(Error) as refused:
            talk.ask("sell half my ETH")
    assert refused.value.code == "service_unreachable"
    assert "it took longer than 0.5 s" in refused.value.detail


@pytest.mark.parametrize("head", HEADS)
def test_host_trickles_and_the_console_ends_nevertheless(head, tmp_path):
    problems = []
    with closing(Trickle(head)) as host:  # noqa: F811
        (tmp_path / "policy.toml").write_text(application_policy(platform(), compose_hash=[]))
        talk = LocalTalk(lambda: Joined(tmp_path, {"model": host.url}, "", {"model": "ab" * 32}))

        def ask() -> None:
            with pytest.raises(Error) as refused:
                talk.ask("sell half my ETH")
            problems.append(refused.value)

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        assert host.asked.wait(120)
        talk.close()
        asking.join(120)
        with pytest.raises(Error):
            talk.ask("and once more")
    assert [one.code for one in problems] == ["service_unreachable"]


def test_service_that_is_gone_is_told_and_comes_back(person, between):
    between.app.edit = lambda path, status, body: (503, b'{"error": {"message": "down"}}')
    page, turn = say(person)
    assert "No answer: " in page
    assert turn["error"]["ok"] is False
    between.app.edit = lambda path, status, body: (status, body)
    assert say(person)[1]["state"] == "passed"


def test_a_model_that_is_not_served_yet_says_which_part_makes_it(tmp_path):
    person = Person(app_of(talk=LocalTalk(lambda: Joined(tmp_path, {}, ""))))
    person.enter()
    page = person.get("/console/talk").text
    assert "No model is served on this machine yet" in page
    assert "<textarea" not in page


@pytest.mark.parametrize(("text", "code"), [
    ("", "question_length"), ("x" * (LONGEST + 1), "question_length"),
    ("sell\x00all", "question_unprintable"), ("sell \u202eall", "question_unprintable"),
    ("sell\x1b[2Jall", "question_unprintable"), ("sell\u200ball", "question_unprintable"),
])  # fmt: skip
def test_client_sends_a_prompt_that_is_not_what_it_looks_like(text, code):
    echo = Echo()
    person = Person(app_of(talk=echo))
    person.enter()
    secret = person.secret()
    answer = person.post("/console/talk", {"form": secret, "text": text})
    assert code in answer.text
    assert echo.asked == []
    assert not set(answer.text) & set("\x00\x1b\u202e\u200b")
    person.post("/console/talk", {"form": secret, "text": "sell\r\nall"})
    assert echo.asked == ["sell\nall"]


def test_the_conversation_is_bounded_and_can_be_forgotten():
    person = Person(app_of(talk=Echo()))
    person.enter()
    secret = person.secret()
    for number in range(MOST_TURNS + 3):
        person.post("/console/talk", {"form": secret, "text": f"question {number}"})
    turns = person.get("/console/talk.json").json()["turns"]
    assert (len(turns), turns[0]["question"]) == (MOST_TURNS, "question 3")
    person.post("/console/talk/forget", {"form": secret})
    assert person.get("/console/talk.json").json()["turns"] == []
