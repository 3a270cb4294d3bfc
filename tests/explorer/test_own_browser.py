"""The check in the visitor's browser: it holds with an honest server, and is red with a liar."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest

from teeproof.explorer.app import make_app
from teeproof.explorer.log.content import Book
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.log.storage.log import Log
from teeproof.proof.verify import Trust
from tests.explorer.browser import PATIENCE, opened, served
from tests.proof.people import NOW, policy


@pytest.fixture(scope="module")
def browser():
    with opened() as found:
        yield found


class Lying:
    """Serves what the application does, with one byte of every proof file changed."""

    def __init__(self, app, at):
        self._app, self._at = app, at

    async def __call__(self, scope, receive, send):
        async def sending(message):
            body = message.get("body", b"")
            if message["type"] == "http.response.body" and body[:2] == b"PK":
                at = self._at if self._at >= 0 else len(body) + self._at
                body = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
            await send(message | {"body": body} if "body" in message else message)

        await self._app(scope, receive, sending)


def page_of(browser):
    """A page whose clock stands when the statements were made: nobody vouches for their time."""
    page = browser.new_page()
    page.clock.set_fixed_time(NOW)
    return page


def outcome(browser, url, shown, name="answer"):
    page = page_of(browser)
    page.goto(f"{url}/p/{shown.sealed[name].id.hex()}")
    page.wait_for_selector("proof-check[data-answer]")
    found = page.get_attribute("proof-check", "data-answer"), page.inner_text("proof-check")
    page.close()
    return found


def test_an_honest_server_holds(browser, shown):
    with served(shown.app) as url:
        answer, said = outcome(browser, url, shown)
    assert answer == "simulated"
    assert "SIMULATED machines" in said
    assert "cannot be made here" in said


def test_the_logs_that_the_reader_trusts_reach_the_check_line_by_line(browser, shown):
    with Log.open(shown.directory, read_only=True) as log:
        logs = f"log {log.verifier.text()}\nquorum none\n"
    trust = Trust(policy=policy(), logs=TlogPolicy.parse(logs.encode()))
    book = Book(shown.directory, trust=trust, now=lambda: NOW)
    with served(make_app(book, command=str)) as url:
        answer, said = outcome(browser, url, shown)
    assert answer == "simulated"
    assert "Logs" in said
    assert "failed" not in said


@pytest.mark.parametrize("at", [100, 2_000, 9_000, -400, -1])
def test_server_lies_about_one_byte_of_the_file(browser, shown, at):
    with served(Lying(shown.app, at)) as url:
        answer, said = outcome(browser, url, shown)
    assert answer == "failed"
    assert "NOT AUTHENTIC" in said


class Holding:
    """Serves what the application does, and a proof file only once it may go."""

    def __init__(self, app):
        self._app, self.go = app, threading.Event()

    async def __call__(self, scope, receive, send):
        if scope["path"].endswith(".proof"):
            await asyncio.to_thread(self.go.wait, PATIENCE)
        await self._app(scope, receive, send)


def test_while_it_checks_there_is_no_answer_yet(browser, shown):
    with served(holding := Holding(shown.app)) as url:
        page = page_of(browser)
        page.goto(f"{url}/p/{shown.sealed['answer'].id.hex()}")
        page.wait_for_selector("proof-check[aria-busy=true]")
        assert page.get_attribute("proof-check", "data-answer") is None
        holding.go.set()
        page.wait_for_selector("proof-check[data-answer=simulated]:not([aria-busy])")
        page.close()


def test_a_page_that_is_kept_checks_itself_without_the_server(browser, shown, tmp_path):
    with served(shown.app) as url:
        page = browser.new_page()
        page.goto(f"{url}/p/{shown.sealed['answer'].id.hex()}")
        with page.expect_download() as waiting:
            page.get_by_role("link", name="Keep a page that checks itself").click()
        waiting.value.save_as(tmp_path / "kept.html")
        page.close()
    page = page_of(browser)
    page.context.set_offline(True)
    page.goto((tmp_path / "kept.html").as_uri())
    page.wait_for_selector("proof-check[data-answer]")
    assert page.get_attribute("proof-check", "data-answer") == "simulated"
    page.close()


def test_without_scripts_the_page_says_what_to_do(browser, shown):
    with served(shown.app) as url:
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        page.goto(f"{url}/p/{shown.sealed['answer'].id.hex()}")
        assert "The command above needs no browser" in page.inner_text("proof-check")
        context.close()


WITHOUT = (
    "const real = SubtleCrypto.prototype.importKey;"
    "SubtleCrypto.prototype.importKey = function (form, key, kind, ...rest) {"
    "  if (kind === 'Ed25519') throw new DOMException('no', 'NotSupportedError');"
    "  return real.call(this, form, key, kind, ...rest);"
    "};"
)


def test_where_nobody_vouches_for_the_time_old_keys_say_nothing(browser, shown):
    with served(shown.app) as url:
        page = browser.new_page()
        page.clock.set_fixed_time(NOW + timedelta(days=8))
        page.goto(f"{url}/p/{shown.sealed['answer'].id.hex()}")
        page.wait_for_selector("proof-check[data-answer]")
        assert page.get_attribute("proof-check", "data-answer") == "failed"
        assert "nothing says that it was said before" in page.text_content("proof-check")
        page.close()


def without(browser, url, shown, script):
    """The outcome in a browser that lacks something."""
    context = browser.new_context()
    context.add_init_script(script)
    found = outcome(context, url, shown)
    context.close()
    return found


def test_a_browser_without_ed25519_checks_all_the_same(browser, shown):
    with served(shown.app) as url:
        answer, said = without(browser, url, shown, WITHOUT)
    assert answer == "simulated"
    assert "SIMULATED machines" in said


def test_server_lies_to_a_browser_without_ed25519(browser, shown):
    with served(Lying(shown.app, 2_000)) as url:
        answer, _ = without(browser, url, shown, WITHOUT)
    assert answer == "failed"


def test_a_browser_that_cannot_check_does_not_call_the_proof_false(browser, shown):
    # as where a page came by http from another machine
    script = "Object.defineProperty(globalThis.crypto, 'subtle', { value: undefined });"
    with served(shown.app) as url:
        answer, said = without(browser, url, shown, script)
    assert answer == "not_checked"
    assert "CANNOT TELL" in said
