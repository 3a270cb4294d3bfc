"""The explorer's pages in a second engine, Firefox: live, by keyboard, and without scripts."""

from __future__ import annotations

import pytest

import tests.explorer.test_browser as pages
from teeproof.explorer.app import make_app
from teeproof.explorer.log.content import Book
from teeproof.proof.log.storage.log import Log
from teeproof.proof.verify import Trust
from teeproof.proof.workload import Identity
from tests.explorer.browser import PATIENCE, SIZES, served
from tests.explorer.console.scenes import TOKEN, app_of
from tests.explorer.console.test_parts import LINE, Late, Stage
from tests.explorer.test_dropping import AT, proof_files, real_files
from tests.explorer.test_own_browser import Lying
from tests.proof.people import NOW, attester, policy

site, client, paths = pages.site, pages.client, pages.paths

ANSWERED = "document.querySelector('proof-check').dataset.answer"
FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
PAPER = {False: "rgb(255, 255, 255)", True: "rgb(20, 23, 26)"}  # by whether it is dark


def test_every_page_loads_without_a_complaint_and_fits_light_and_dark(firefox, site, paths):
    with firefox.page() as page:
        for path in paths:
            page.goto(site + path)
            for size, (dark, paper) in zip(SIZES, PAPER.items(), strict=True):  # each once
                page.resize(size)
                assert page.evaluate(FITS), (path, size)
                with firefox.preferring(dark=dark):
                    page.until(f"getComputedStyle(document.body).backgroundColor === '{paper}'")
            assert firefox.complaints() == [], path


def test_fields_beside_each_other_are_as_high(firefox, site):
    with firefox.page() as page:
        page.goto(f"{site}/verify")
        high = page.evaluate("['policy', 'at'].map(id => document.getElementById(id).offsetHeight)")
    assert high[0] == high[1]


def test_what_a_page_may_not_do_is_heard(firefox, site):
    """Were there a complaint, the test above would see it."""
    with firefox.page() as page:
        page.goto(f"{site}/words")
        page.evaluate("document.body.append(Object.assign(new Image(), {src: 'http://a.example'}))")
        page.evaluate("setTimeout(() => nowhere())")
        page.evaluate("new Promise(done => setTimeout(done, 100))")
        heard = " ".join(firefox.complaints())
    assert "blocked the loading of a resource (img-src)" in heard
    assert "nowhere is not defined" in heard


def outcome(firefox, url, shown):
    with firefox.page(now=NOW) as page:
        page.goto(f"{url}/p/{shown.sealed['answer'].id.hex()}")
        found = page.until(ANSWERED), page.text("proof-check")
        assert firefox.complaints() == []
        return found


def test_an_honest_server_holds(firefox, site, shown):
    answer, told = outcome(firefox, site, shown)
    assert answer == "simulated"
    assert "SIMULATED machines" in told


@pytest.mark.parametrize("at", [2_000, -400])
def test_server_lies_about_one_byte_of_the_file(firefox, shown, at):
    with served(Lying(shown.app, at)) as url:
        answer, told = outcome(firefox, url, shown)
    assert (answer, "NOT AUTHENTIC" in told) == ("failed", True)


def test_what_is_said_meanwhile_appears_by_itself(firefox, tmp_path):
    with Log.create(tmp_path / "log", origin="log.example/live") as log:
        log.publish()
        book = Book(tmp_path / "log", trust=Trust(policy=policy()), now=lambda: NOW)
        with served(make_app(book, command=str)) as url, firefox.page() as page:
            page.goto(url)
            assert "Nothing yet: reload this page." in page.text("main")
            page.until("document.getElementById('live').textContent.includes('by themselves')")
            said = Identity.boot(attester(), store=log, now=lambda: NOW).seal(
                "answer", outputs={"a": b"4"}
            )
            log.publish()
            page.until(f"document.querySelector('#latest a[href=\"/p/{said.id.hex()}\"]') !== null")
            assert "Nothing yet" not in page.text("main")
            assert firefox.complaints() == []


def enter(page, url):
    page.goto(f"{url}/console?token={TOKEN}")
    page.goto(f"{url}/console/parts")


def test_the_console_is_opened_by_its_token_and_follows_its_parts(firefox):
    stage = Stage()
    with served(app_of(stage=stage)) as url, firefox.page() as page:
        page.goto(f"{url}/console/parts")
        assert "Run the story" not in page.text("main")
        enter(page, url)
        reach(page, "Start")
        with page.leaving():
            page.press("Enter")
        assert stage.started == [("network", False)]
        page.until("document.body.textContent.includes('… running')")
        stage.set("network", state="done", progress=None, saying="", lines=(LINE,))
        page.until("document.body.textContent.includes('<b>3</b> files')")  # nobody reloaded it
        assert firefox.complaints() == []


def test_whoever_leaves_the_console_while_it_asks_leaves_no_complaint(firefox):
    with served(late := Late(app_of(stage=Stage()))) as url, firefox.page() as page:
        enter(page, url)
        assert late.asked.wait(PATIENCE)
        page.goto(f"{url}/words")  # Firefox breaks off what the page asked for
        late.go.set()
        assert firefox.complaints() == []


def reach(page, label):
    """Go to what has a label by the Tab key alone."""
    for _ in range(60):
        page.press("Tab")
        if page.evaluate("(document.activeElement.textContent || '').trim()") == label:
            assert page.evaluate("document.activeElement.matches(':focus-visible')")
            return
    raise AssertionError(f"the keyboard does not reach {label}")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_files_are_chosen_and_checked_by_keyboard(firefox, site, tmp_path, scripts):
    quote, collateral, record = real_files(tmp_path)
    good, bad = proof_files(tmp_path)
    told = {}
    with firefox.preferring(scripts=scripts), firefox.page() as page:
        for name, at, files in (
            ("quote", record.now.isoformat(), (quote, collateral)), ("good", AT, (good,)),
            ("bad", AT, (bad,)),
        ):  # fmt: skip
            page.goto(f"{site}/verify")
            page.choose("#file", *files)
            page.evaluate("document.querySelector('#at').focus()")
            page.press(*at)
            reach(page, "Check")
            with page.leaving():
                page.press("Enter")
            told[name] = page.text("main")
        assert firefox.complaints() == []
    assert "AUTHENTIC AND ALLOWED" in told["quote"]
    assert "SIMULATED" in told["good"]
    assert "NOT AUTHENTIC" not in told["good"]
    assert "NOT AUTHENTIC" in told["bad"]


def test_without_scripts_every_page_tells_what_it_must_and_searches(firefox, site, shown, paths):
    one = shown.sealed["answer"].id.hex()
    with firefox.preferring(scripts=False), firefox.page() as page:
        for path in paths:
            page.goto(site + path)
            assert page.text("main h1").strip(), path
            assert page.text("footer .command").strip(), path
        page.goto(f"{site}/p/{one}")
        assert "The command above needs no browser" in page.text("proof-check")
        page.goto(site)
        assert page.text("#live") == ""  # and does not say that it follows
        page.evaluate("document.querySelector('#q').focus()")
        with page.leaving():
            page.press(*one[:12], "Enter")
        assert page.evaluate("location.pathname") == f"/p/{one}"
        assert firefox.complaints() == []


def test_without_scripts_the_console_starts_a_part_and_reloads_while_it_runs(firefox):
    stage = Stage()
    with served(app_of(stage=stage)) as url, firefox.preferring(scripts=False), \
            firefox.page() as page:  # fmt: skip
        enter(page, url)
        reach(page, "Start")
        with page.leaving():
            page.press("Enter")
        assert stage.started == [("network", False)]
        assert "… running" in page.text("main")
        stage.set("network", state="done", progress=None, saying="", lines=(LINE,))
        page.until("document.body.textContent.includes('<b>3</b> files')")
        assert firefox.complaints() == []
