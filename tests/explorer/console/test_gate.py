"""Who gets into the console, and who does not: each attacker has a test."""

from __future__ import annotations

import os
import socket

import pytest

from teeproof.core.errors import Usage
from teeproof.explorer.app import make_app
from teeproof.explorer.console.gate import Gate
from teeproof.explorer.console.guard import Guard
from teeproof.explorer.console.peers import user_of
from teeproof.explorer.console.port import Answered, Console
from tests.explorer.console.scenes import OWN, PORT, TOKEN, Person, app_of

ROUTES = (
    "/console", "/console/index.json", "/console/", "/console/parts", "/console/talk",
    "/console/sample.jsonl", "/console/contributions/" + "0" * 64, "/console/nothing-here",
    "/console/console.js", "/consoles", "/console/events",
)  # fmt: skip


class Echo:
    """Says what it was asked, as a model whose receipt cannot be had."""

    def __init__(self):
        self.asked = []

    def model(self):
        return "echo"

    def close(self):
        pass

    def ask(self, text):
        self.asked.append(text)
        return Answered(text=text, receipt=None, state="not_checked", level=None, checks=(),
                        why="no receipt", milliseconds=1, fee="")  # fmt: skip


@pytest.fixture
def echo():
    return Echo()


@pytest.fixture
def app(echo):
    return app_of(talk=echo)


@pytest.fixture
def person(app):
    return Person(app)


@pytest.fixture
def inside(person):
    assert person.enter().status_code == 303
    return person


def test_an_explorer_alone_has_no_console():
    person = Person(make_app(None, command=lambda name: name))
    for path in ROUTES:
        assert person.get(path).status_code == 404
    assert "/console" not in person.get("/").text


def test_the_token_in_the_address_becomes_a_cookie_and_leaves_the_address(person):
    answer = person.enter()
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")
    cookie = answer.headers["set-cookie"]
    for word in (f"teeproof-console-{PORT}=", "HttpOnly", "SameSite=strict", "Path=/console"):
        assert word in cookie
    assert TOKEN not in cookie
    page = person.get("/console")
    assert page.status_code == 200
    assert TOKEN not in page.text
    assert (page.headers["referrer-policy"], page.headers["cache-control"]) == (
        "no-referrer", "no-store",
    )  # fmt: skip
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]


def test_other_user_without_the_token_gets_one_answer_on_every_route(person):
    answers = {
        (answer.status_code, answer.content, answer.headers["content-type"])
        for path in ROUTES
        for answer in (
            person.get(path), person.get(path, params={"token": TOKEN[:-1] + "u"}),
            person.get(path, headers={"cookie": f"teeproof-console-{PORT}={TOKEN}"}),
        )
    }  # fmt: skip
    answers |= {
        (answer.status_code, answer.content, answer.headers["content-type"])
        for answer in (person.ask("POST", "/console/talk"), person.ask("PUT", "/console"),
                       person.ask("POST", "/console/nothing-here", content=b"x" * 100_000))
    }  # fmt: skip
    assert len(answers) == 1
    ((status, body, _),) = answers
    assert status == 401
    assert b"/console?token=" in body  # where the address was printed


def test_other_site_tries_many_tokens_and_the_right_one_still_opens(app, inside):
    """A page of another site can send such requests as fast as it likes, from this very browser."""
    other = Person(app)
    sent = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    statuses = {other.get("/console", params={"token": f"{number:043}"}, headers=sent).status_code
                for number in range(100)}  # fmt: skip
    assert statuses == {401}
    assert other.enter(TOKEN[:-1]).status_code == 401
    assert other.enter().status_code == 303
    assert inside.get("/console").status_code == 200


def guard_of(app):
    (guard,) = [one for one in app.user_middleware if one.cls is Guard]
    return guard


def test_a_token_that_could_be_guessed_is_refused():
    with pytest.raises(Usage, match="guessed"):
        Gate("short")


def test_the_cookie_of_another_console_opens_nothing(inside, echo):
    other = Person(app_of(talk=echo))
    other.cookies = inside.cookies
    assert other.get("/console").status_code == 401


def test_other_site_posts_with_the_owners_cookie_and_nothing_is_done(inside, echo):
    data = {"form": inside.secret(), "text": "sell all"}
    for headers in (
        {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
        {"origin": "http://127.0.0.1:9999", "sec-fetch-site": "same-site"},  # another port here
        {"origin": "null", "sec-fetch-site": "cross-site"},
        {"origin": "null", "sec-fetch-site": "none"},
        {"origin": OWN, "sec-fetch-site": "cross-site"},
        {"origin": "https://evil.example", "sec-fetch-site": "same-origin"},
    ):
        answer = inside.post("/console/talk", data, headers=headers)
        assert (answer.status_code, "form_foreign" in answer.text) == (403, True), headers
    silent = inside.ask("POST", "/console/talk", data=data)  # no browser of today is silent
    assert silent.status_code == 403
    nowhere = inside.ask("POST", "/console/talk", data=data, headers={"origin": "null"})
    assert nowhere.status_code == 403
    assert echo.asked == []
    assert inside.post("/console/talk", data).status_code == 303
    assert echo.asked == ["sell all"]
    # What Chromium says of a form on a page that sends no referrer.
    assert inside.post("/console/talk", data, headers={"origin": "null"}).status_code == 303


def test_other_site_has_no_form_secret_and_a_near_one_is_refused(inside, echo):
    secret = inside.secret()
    near = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    for form in ({}, {"form": ""}, {"form": near}, {"form": TOKEN}):
        answer = inside.post("/console/talk", form | {"text": "x"})
        assert (answer.status_code, "form_foreign" in answer.text) == (403, True)
    assert echo.asked == []


def test_rebinding_name_is_answered_nothing_even_with_token_and_cookie(app, inside):
    inside.url = f"http://rebound.example:{PORT}"
    for answer in (inside.get("/console"), inside.enter(), inside.post("/console/talk", {})):
        assert answer.status_code == 400
        assert "console" not in answer.text.lower()
        assert "set-cookie" not in answer.headers


def test_other_users_connection_is_nobodys_even_with_token_and_cookie(echo):
    """A cookie goes to every port of 127.0.0.1: who listens on one may have been sent it."""
    whose = {"user": os.getuid()}
    app = app_of(talk=echo)
    guard_of(app).kwargs["whose"] = lambda client, server: whose["user"]
    person = Person(app)
    assert person.enter().status_code == 303
    assert person.get("/console").status_code == 200
    whose["user"] = os.getuid() + 1
    assert person.get("/console").status_code == 401
    assert person.enter().status_code == 401
    whose["user"] = 0  # root may forward for others, and needs no console
    assert person.get("/console").status_code == 200
    whose["user"] = None  # the kernel does not tell: the cookie decides
    assert person.get("/console").status_code == 200


@pytest.mark.parametrize(("family", "host"), [
    (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"),
])  # fmt: skip
def test_the_kernel_tells_whose_a_connection_is(family, host):
    with socket.socket(family) as listening:
        try:
            listening.bind((host, 0))
        except OSError:
            pytest.skip(f"there is no {host} here")
        listening.listen()
        with socket.create_connection(listening.getsockname()[:2]) as client:
            ends = client.getsockname()[:2], listening.getsockname()[:2]
            assert user_of(*ends) == os.getuid()
            assert user_of((host, 1), ends[1]) is None
            assert user_of(("not an address", 1), ends[1]) is None


def test_a_list_of_sockets_that_is_none_tells_nothing(tmp_path):
    table = tmp_path / "tcp"
    for content in (b"", b"\xff\xfe", b"head\nshort line\n", b"head\n" + b"a " * 9):
        table.write_bytes(content)
        assert user_of(("127.0.0.1", 1), ("127.0.0.1", 2), tables=(table,)) is None
    line = "0: 0100007F:0001 0100007F:0002 01 0:0 0:0 0 1234 0"
    table.write_text(f"head\n{line}\n")
    assert user_of(("127.0.0.1", 1), ("127.0.0.1", 2), tables=(table,)) == 1234
    assert user_of(("127.0.0.1", 1), ("127.0.0.1", 3), tables=(table,)) is None


def test_console_none_of_whose_parts_exist_says_so(inside):
    for path in ("/console/parts", "/console/events"):
        assert inside.get(path).status_code == 404
    assert Console(token=TOKEN).gifts is None
