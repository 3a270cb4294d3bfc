"""The other pages: search, the live list, the log, graphs, words, costs, the report."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any
from xml.etree import ElementTree

import pytest

from teeproof.core.errors import Error
from teeproof.explorer.answering import Listeners
from teeproof.explorer.app import make_app
from teeproof.explorer.log.content import Book
from teeproof.explorer.log.finding import Index
from teeproof.explorer.report.claims import FINDINGS, claims
from teeproof.proof.log.storage.log import Log
from teeproof.proof.verify import Trust
from teeproof.proof.workload import Identity
from tests.explorer.conftest import ask
from tests.proof.people import NOW, attester, digest, policy

PAGES = ("/", "/here", "/verify", "/log", "/words", "/cost", "/report")
TWINS = (
    "/index.json",
    "/here.json",
    "/verify.json",
    "/log.json",
    "/words.json",
    "/cost.json",
    "/report.json",
)


def test_each_page_has_a_twin_and_names_the_command_that_checks(get):
    for page, twin in zip(PAGES, TWINS, strict=True):
        text = get(page).text
        assert twin in text, page
        assert "proves nothing against the server" in text
        assert '<pre class="command">teeproof ' in text
        assert get(twin).headers["content-type"] == "application/json"


def test_a_page_has_landmarks_one_heading_and_a_way_past_the_menu(get, shown):
    for page in (*PAGES, f"/p/{shown.sealed['answer'].id.hex()}", "/nowhere"):
        text = get(page).text
        assert len(re.findall(r"<h1\b", text)) == 1, page
        assert '<a class="skip" href="#main">' in text
        assert '<html lang="en">' in text
        for landmark in ("<header>", "<main ", "<footer>", "<nav "):
            assert landmark in text, (page, landmark)


def test_the_five_answers_stand_on_the_page_of_a_statement(get, shown):
    page = get(f"/p/{shown.sealed['answer'].id.hex()}").text
    assert "On SIMULATED machines, a program did the step “answer”." in page
    for words in (
        "Who ran this?", "A program in a simulated Intel TDX machine; no person is named",
        "Are the machines real?", "No. A simulator made the evidence",
        "Could their operator read it?", "Assume yes",
        "What was not checked?", "What do I do next?", "Treat it as a rehearsal",
    ):  # fmt: skip
        assert words in page, words
    twin = get(f"/p/{shown.sealed['answer'].id.hex()}.json").json()
    assert [one["question"] for one in twin["told"]["answers"]] == [
        "Who ran this?", "When was it said?", "How strong is it?", "What was not checked?",
        "What do I do next?",
    ]  # fmt: skip


def test_a_proof_that_was_downloaded_verifies(get, shown, tmp_path):
    from teeproof.proof.file import ProofFile
    from teeproof.proof.verify import verify_proof

    given = get(f"/p/{shown.sealed['answer'].id.hex()}.proof")
    assert given.headers["content-disposition"].startswith('attachment; filename="')
    with ProofFile.from_bytes(given.content) as proof:
        assert proof.roots == (shown.sealed["answer"].id,)
        assert verify_proof(proof, now=NOW, trust=Trust(policy=policy())).ok


@pytest.mark.parametrize(
    ("what", "of"),
    [
        ("id", lambda shown: shown.sealed["answer"].id.hex()),
        ("named", lambda shown: shown.sealed["answer"].name),
        ("beginning", lambda shown: shown.sealed["answer"].id.hex()[:12].upper()),
        ("cut", lambda shown: f"{shown.sealed['answer'].id.hex()[:16]}…"),
    ],
)
def test_an_id_or_its_beginning_leads_to_the_page(get, shown, what, of):
    answer = get("/search", params={"q": f" {of(shown)} "})
    assert answer.status_code == 303, what
    assert answer.headers["location"] == f"/p/{shown.sealed['answer'].id.hex()}"


def test_a_digest_of_data_finds_who_made_it_and_who_used_it(get, shown):
    from teeproof.core.digests import sha256

    found = get("/search.json", params={"q": sha256(b"m").hex()}).json()["found"]
    meanings = {(one["meaning"], one["statement"]) for one in found}
    assert meanings == {
        ("output of", shown.sealed["model"].name), ("input of", shown.sealed["answer"].name),
    }  # fmt: skip
    page = get("/search", params={"q": sha256(b"m").hex()})
    assert page.status_code == 200
    assert "2 pages speak of" in page.text


def test_a_machine_is_found_by_its_platform_and_its_measurement(get, shown):
    twin = get(f"/p/{shown.sealed['model'].id.hex()}.json").json()
    facts = twin["verdict"]["identities"][0]["evidence"]["facts"]
    for key in (facts["platform"]["id"], facts["mrtd"]):
        found = get("/search.json", params={"q": key}).json()["found"]
        assert any("of the machine that said" in one["meaning"] for one in found)
        assert shown.sealed["model"].name in {one["statement"] for one in found}


def test_an_identity_finds_what_it_said_and_a_word_what_was_done(get, shown):
    author = get(f"/p/{shown.sealed['model'].id.hex()}.json").json()["statement"]["predicate"]
    found = get("/search.json", params={"q": author["author"]}).json()["found"]
    assert {one["meaning"] for one in found} == {"identity", "identity that said"}
    assert found[0]["page"] == f"/identity/{author['author'].removeprefix('sha256:')}"
    assert len(found) == 5  # its own page, three contributions and the model
    assert len(get("/search.json", params={"q": "Contribute"}).json()["found"]) == 3


def test_a_transaction_an_account_and_a_receipt_are_found_in_what_was_said(tmp_path):
    tx, account = f"0x{'ab' * 32}", f"0x{'cd' * 20}"
    with Log.create(tmp_path / "log", origin="log.example/tokens") as log:
        author = Identity.boot(attester(), store=log, now=lambda: NOW)
        told = {"tx": tx, "payout": account.upper().replace("0X", "0x"), "receipt": "rcpt-12345678"}
        said = author.seal("pay", outputs={"x": b"x"}, parameters=told)
        log.publish()
    index = Index(tmp_path / "log")
    for key, meaning in (
        (tx, "transaction or block named by"), (account, "account named by"),
        ("rcpt-12345678", "receipt id in"),
    ):  # fmt: skip
        (found,) = index.find(key)
        assert (found.meaning, found.statement) == (meaning, said.id.hex())


@pytest.mark.parametrize("form", ["{}", "sha256:{}", " {}\n"])
def test_an_id_that_is_pasted_where_files_are_checked_leads_to_what_it_names(get, shown, form):
    text = form.format(shown.sealed["answer"].id.hex())
    answer = ask(shown.app, "POST", "/verify", data={"text": text})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/search?q={text.strip()}")
    assert ask(shown.app, "POST", "/verify.json", data={"text": text}).status_code == 400
    short = ask(shown.app, "POST", "/verify", data={"text": text.strip()[:-1]})
    assert short.status_code == 400


def test_what_nothing_names_says_what_could_be_searched(get):
    answer = get("/search", params={"q": digest("nobody made this")})
    assert answer.status_code == 404
    assert "a transaction" in answer.text
    twin = get("/search.json", params={"q": digest("nobody made this")}).json()
    assert twin["error"] == "nothing_found"


@pytest.mark.parametrize("query", ["", "abc", "x" * 5_000, "<svg onload=1>", "%00", "\u202e" * 9])
def test_client_searches_for_what_is_none(get, query):
    answer = get("/search", params={"q": query})
    assert answer.status_code in (400, 404)
    assert "<svg" not in answer.text
    assert "\u202e" not in answer.text
    assert "set-cookie" not in answer.headers


def test_the_index_follows_the_log_at_most_once_a_second(tmp_path):
    clock = [0.0]
    with Log.create(tmp_path / "log", origin="log.example/live") as log:
        author = Identity.boot(attester(), store=log, now=lambda: NOW)
        author.seal("first", outputs={"1": b"1"})
        log.publish()
        index = Index(tmp_path / "log", clock=lambda: clock[0])
        assert [one.title for one in index.latest()] == ["first"]
        author.seal("second", outputs={"2": b"2"})
        log.publish()
        assert [one.title for one in index.latest()] == ["first"]
        clock[0] += 1.5
        assert [one.title for one in index.latest()] == ["second", "first"]


def test_a_new_statement_is_sent_to_who_listens(tmp_path, monkeypatch):
    from teeproof.explorer.answering import Pages
    from teeproof.explorer.pages import home
    from teeproof.explorer.pages.family import Site
    from teeproof.explorer.shelf import Shelf

    monkeypatch.setattr(home, "_EVERY", 0.01)
    with Log.create(tmp_path / "log", origin="log.example/live") as log:
        author = Identity.boot(attester(), store=log, now=lambda: NOW)
        author.seal("first", outputs={"1": b"1"})
        log.publish()
        book = Book(tmp_path / "log", trust=Trust(policy=policy()))
        monkeypatch.setattr("teeproof.explorer.log.finding._EVERY", 0.0)
        site = Site(pages=Pages(), book=book, desk=None, shelf=Shelf(now=lambda: NOW), command=str)

        async def listen() -> str:
            stream = home.HomePages(site)._stream()
            assert (await anext(stream)).startswith("retry:")
            author.seal("second <b>", outputs={"2": b"2"})
            log.publish()
            events = [await anext(stream) for _ in range(3)]
            await stream.aclose()
            return next(event for event in events if event.startswith("id:"))

        event = asyncio.run(listen())
    (line,) = re.findall(r"(?m)^data: (.*)$", event)
    assert json.loads(line)["title"] == "second <b>"
    assert event.endswith("\n\n")


def test_clients_ask_to_listen_at_one_moment_and_no_more_than_may_are_let_in():
    listeners, statuses = Listeners(3), list[int | str]()

    async def events() -> AsyncIterator[str]:
        yield "retry: 1\n\n"
        await asyncio.Event().wait()

    async def one(gone: asyncio.Event) -> None:
        async def receive() -> dict[str, str]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        try:
            answer = listeners.stream(events())
        except Error as error:
            statuses.append(error.code)
        else:
            await answer({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)

    async def crowd() -> None:
        for _ in range(2):  # whoever left has left their place
            gone = asyncio.Event()
            asking = [asyncio.create_task(one(gone)) for _ in range(8)]
            while len(statuses) < 8:
                await asyncio.sleep(0)
            gone.set()
            await asyncio.gather(*asking)
            assert sorted(map(str, statuses)) == ["200"] * 3 + ["busy"] * 5
            statuses.clear()

    asyncio.run(crowd())


def test_the_log_says_what_was_checked_of_its_checkpoint_and_with_whose_keys(get, shown):
    page = get("/log").text
    assert "log.example/explorer" in page
    assert "nobody told this explorer which logs and witnesses to trust" in page
    twin = get("/log.json").json()
    assert {one["state"] for one in twin["checks"]} == {"not_checked"}
    assert twin["signed_by_unknown"] == ["log.example/explorer"]
    assert twin["entries"] == twin["published"]
    assert twin["root"] == base_root(twin["checkpoint"])


def test_a_log_is_checked_with_the_key_that_the_explorer_was_told(shown):
    from teeproof.proof.log.formats.policy import TlogPolicy

    with Log.open(shown.directory, read_only=True) as log:
        key = log.verifier.text()
    for text, state in ((f"log {key}\nquorum none\n", "passed"), (_other_key(key), "failed")):
        trust = Trust(policy=policy(), logs=TlogPolicy.parse(text))
        app = make_app(Book(shown.directory, trust=trust, now=lambda: NOW), command=str)
        checks = ask(app, "GET", "/log.json").json()["checks"]
        assert checks[0]["name"] == "checkpoint"
        assert (checks[0]["state"] == "passed") == (state == "passed")


def _other_key(key: str) -> str:
    """A policy with another key of the same origin."""
    from teeproof.proof.log.formats.note import NoteSigner

    name = key.partition("+")[0]
    return f"log {NoteSigner(name, bytes(32)).verifier.text()}\nquorum none\n"


def base_root(checkpoint: str) -> str:
    import base64

    return base64.b64decode(checkpoint.split("\n")[2]).hex()


def test_a_graph_shows_what_a_statement_was_made_of_and_what_was_made_of_it(get, shown):
    model = shown.sealed["model"].id.hex()
    page = get(f"/graph/{model}").text
    assert page.count("<svg") == 2
    above, below = page.split("What was made of it")
    assert f"/graph/{shown.sealed['part-0'].id.hex()}" in above
    assert f"/graph/{shown.sealed['answer'].id.hex()}" in below
    twin = get(f"/graph/{model}.json").json()
    assert twin["verified"] is False
    assert {node["id"] for node in twin["nodes"]} >= {shown.sealed["answer"].name}
    assert get(f"/graph/{'ab' * 32}").status_code == 404


def test_the_report_is_narrowed_to_a_finding(get):
    for finding in FINDINGS:
        shown = get("/report.json", params={"finding": finding}).json()["claims"]
        assert len(shown) == sum(one.finding == finding for one in claims())
    page = get("/report", params={"finding": "contradicted"}).text
    assert 'aria-current="page">' in page
    assert get("/report", params={"finding": "<b>"}).status_code == 400


def test_a_prediction_has_the_numbers_of_the_command(get):
    from teeproof.bench.platforms import find_platform
    from teeproof.bench.predict import Workload, find_model, predict

    model = find_model("llama-3.1-8b")
    work = Workload(name=model.name, layers=model.layers, parameters=model.parameters,
                    bits=model.bits)  # fmt: skip
    wanted = predict(work, find_platform("h200-tdx"))
    asked = {"model": "llama-3.1-8b", "on": "h200-tdx", "batch": "", "step_ms": ""}
    found = get("/cost.json", params=asked).json()["prediction"]
    assert found["tokens_lost"]["value"] == wanted.tokens_lost.value
    assert f"{wanted.tokens_lost.value:.2f} %" in get("/cost", params=asked).text


@pytest.mark.parametrize(
    "asked",
    [{"on": "nowhere", "model": "llama-3.1-8b"}, {"on": "h200-tdx", "model": "<b>"},
     {"on": "h200-tdx", "layers": "x", "parameters": "1"},
     {"on": "h200-tdx", "layers": "1", "parameters": "nan"},
     {"on": "h200-tdx", "layers": "-1", "parameters": "1e9"},
     {"on": "h200-tdx", "layers": "1", "parameters": "inf"}],
)  # fmt: skip
def test_client_asks_for_the_cost_of_what_is_none(get, asked):
    answer = get("/cost.json", params=asked)
    assert answer.status_code == 400
    assert set(answer.json()) == {"ok", "error", "detail", "expected", "got"}


def test_the_plots_are_whole_drawings_with_each_number_as_text(get):
    drawings = re.findall(r"<svg.*?</svg>", get("/cost").text, re.DOTALL)
    assert len(drawings) == 7, "one of all, and one for each model on each GPU"
    for drawing in drawings:
        texts = ElementTree.fromstring(drawing).iter("{http://www.w3.org/2000/svg}text")
        words = [text.text or "" for text in texts]
        assert sum("%" in word for word in words) >= 12
        assert any("percent" in word for word in words), "the axis has its unit"


def test_author_writes_a_name_of_a_hundred_thousand_characters(get, shown):
    one = shown.sealed["long"].id.hex()
    for path in (f"/p/{one}", f"/graph/{one}", "/", f"/g/{one}.svg"):
        answer = get(path)
        assert answer.status_code == 200
        assert len(answer.content) < 200_000, path
        assert "L" * 5_000 not in answer.text
        assert "\u202e" not in answer.text


def test_an_explorer_without_a_log_says_so(tmp_path):
    app = make_app(None, command=str)
    assert ask(app, "GET", "/").status_code == 200
    for path in ("/log.json", f"/p/{'ab' * 32}.json", "/search.json?q=abcd", "/events"):
        answer = ask(app, "GET", path)
        assert answer.status_code == 404, path
    assert ask(app, "GET", "/log.json").json()["error"] == "route_unknown"


def test_a_method_that_a_page_does_not_know_is_refused_in_the_one_shape(post):
    answer = post("/log.json")
    assert (answer.status_code, answer.json()["error"]) == (405, "method_wrong")


def test_a_page_is_written_again_when_its_verdict_is_new(tmp_path):
    from datetime import timedelta

    clock = [NOW]
    with Log.create(tmp_path / "log", origin="log.example/again") as log:
        author = Identity.boot(attester(), store=log, now=lambda: NOW)
        one = author.seal("first", outputs={"1": b"1"})
        log.publish()
        book = Book(tmp_path / "log", trust=Trust(policy=policy()), now=lambda: clock[0])
        app = make_app(book, command=str)
        first = ask(app, "GET", f"/p/{one.id.hex()}").text
        assert ask(app, "GET", f"/p/{one.id.hex()}").text == first
        assert "SIMULATED, AND ALLOWED AS SUCH" in first
        clock[0] += timedelta(days=3650)  # by then the endorsements are out of date
        assert "NOT AUTHENTIC" in ask(app, "GET", f"/p/{one.id.hex()}").text


def test_a_visitor_finds_a_node_of_a_graph_by_id_digest_name_and_author(get, shown):
    answer, part = shown.sealed["answer"].id.hex(), shown.sealed["part-2"]
    node = next(n for n in get(f"/graph/{answer}.json").json()["nodes"]
                if n["id"] == part.name)  # fmt: skip
    digest = node["outputs"][0]["digest"]
    for text in (part.name, part.id.hex()[:12], digest, digest[7:20].upper()):
        page = get(f"/graph/{answer}", params={"find": text}).text
        assert "1 statement is named by" in page, text
        assert page.count('class="box found"') == 1
        trail = page[page.index('id="found"') : page.index('id="above"')]
        assert re.findall(r"/graph/([0-9a-f]{64})", trail) == [
            answer, shown.sealed["model"].id.hex(), part.id.hex()]  # fmt: skip
    by_author = get(f"/graph/{answer}.json", params={"find": node["author"]}).json()["found"]
    assert len(by_author) == 4, "the trainer said the parts and the model"
    assert "0 statements are named by" in get(f"/graph/{answer}?find=nothing-here").text
    assert get(f"/graph/{answer}?find=%C3%A9").status_code == 400


def test_the_list_beside_a_graph_has_every_statement_of_a_kind(get, shown):
    answer = shown.sealed["answer"].id.hex()
    page = get(f"/graph/{answer}?kind=contribute").text
    listed = page[page.index('id="list"') :]
    parts = [shown.sealed[f"part-{number}"].id.hex() for number in range(3)]
    assert sorted(re.findall(r"/p/([0-9a-f]{64})", listed)) == sorted(parts)
    after = get(f"/graph/{answer}?kind=contribute&from=2").text
    assert len(re.findall(r"/p/[0-9a-f]{64}", after[after.index('id="list"') :])) == 1
    for bad in ("-1", "x", "²", "1" * 10):
        assert get(f"/graph/{answer}", params={"kind": "a", "from": bad}).status_code == 400


def test_author_writes_markup_into_a_word_and_a_name_of_the_graph(get, shown):
    hostile = shown.sealed["hostile"].id.hex()
    for query in ({}, {"find": "<script>"}, {"kind": "<script>alert(1)</script>"}):
        page = get(f"/graph/{hostile}", params=query).text
        assert "<script" not in page
        assert '"><i>' not in page


def test_author_names_more_inputs_than_the_twin_of_a_graph_may_list(get, shown, monkeypatch):
    answer = shown.sealed["answer"].id.hex()
    whole = get(f"/graph/{answer}.json").json()
    assert whole["left_out"] == 0
    monkeypatch.setattr("teeproof.explorer.pages.graph._MOST_EDGES", 8)
    cut = get(f"/graph/{answer}.json").json()
    assert 0 < len(cut["edges"]) <= 8
    assert cut["left_out"] + len(cut["nodes"]) == len(whole["nodes"])
    assert cut["left_out"] > 0
