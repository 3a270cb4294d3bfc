"""The pages: what they show, what they refuse, and that nothing of others becomes markup."""

from __future__ import annotations

import re
from html import unescape
from xml.etree import ElementTree

import pytest

from teeproof.explorer.app import make_app
from teeproof.explorer.drawn.drawing import MOST, draw
from teeproof.explorer.log import content
from teeproof.explorer.log.content import Book
from teeproof.proof.graph import Graph
from teeproof.proof.log.storage.log import Log
from teeproof.proof.memory import MemorySource
from teeproof.proof.verify import Trust
from teeproof.proof.workload import Identity
from tests.explorer.conftest import ask
from tests.proof.people import NOW, attester, policy, step, workload_named

SVG = "{http://www.w3.org/2000/svg}"


def test_the_story_links_each_line_to_what_shows_it(get, shown):
    page = get("/")
    answer = shown.sealed["answer"].id.hex()
    assert page.status_code == 200
    assert f'href="/p/{answer}"' in page.text
    assert "it says &lt;42&gt;" in page.text
    assert page.text.count('class="real">REAL') == 2  # the legend, and the one real line
    assert get("/index.json").json()["lines"][0]["ids"] == [shown.sealed["answer"].name]


def test_a_proof_is_shown_with_its_verdict_its_inputs_and_the_command(get, shown):
    answer = shown.sealed["answer"]
    page = get(f"/p/{answer.id.hex()}").text
    assert "SIMULATED, AND ALLOWED AS SUCH" in page
    assert f"teeproof verify log {answer.id.hex()[:8]}" in page
    assert f"/p/{shown.sealed['model'].id.hex()}" in page
    assert "not checked" in page
    assert "proves nothing against the server" in page


def test_its_twin_in_json_has_the_same_verdict(get, shown):
    twin = get(f"/p/{shown.sealed['answer'].id.hex()}.json").json()
    assert twin["verdict"]["ok"] is True
    assert twin["verdict"]["level"] == "simulated"
    assert twin["statement"]["predicate"]["step"] == "answer"


def test_author_writes_markup_into_a_statement(get, shown):
    page = get(f"/p/{shown.sealed['hostile'].id.hex()}").text
    assert page.count("<script") == 1, "our own, and none of the author's"
    assert '<script src="/check.js" defer>' in page
    assert '"><i>' not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_drawing_has_a_link_for_each_statement_and_an_edge_for_each_input(get, shown):
    answer = get(f"/g/{shown.sealed['answer'].id.hex()}.svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    tree = ElementTree.fromstring(answer.text)
    links = [one.get("href") for one in tree.iter(f"{SVG}a")]
    named = ("answer", "model", "part-0", "part-1", "part-2")
    assert sorted(links) == sorted(f"/p/{shown.sealed[one].id.hex()}" for one in named)
    assert len(list(tree.iter(f"{SVG}path"))) == 5


def test_no_page_may_load_or_run_anything_from_elsewhere(get, shown):
    for path in ("/", f"/p/{shown.sealed['answer'].id.hex()}", "/nowhere"):
        policy = get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", get(path).text)


def test_network_points_a_strange_name_at_the_explorer(get):
    assert get("/", host="evil.example").status_code == 400


@pytest.mark.parametrize("text", ["zz", "00" * 31, "%00", "é" * 64, "0" * 4000])
def test_what_is_no_id_is_refused_in_words_and_in_json(get, text):
    page, twin = get(f"/p/{text}"), get(f"/p/{text}.json")
    assert (page.status_code, twin.status_code) == (400, 400)
    assert "no statement&#39;s id" in page.text or "no statement's id" in unescape(page.text)
    assert twin.json()["error"] == "id_malformed"


def test_a_statement_that_the_log_does_not_hold_is_not_there(get):
    twin = get(f"/p/{'ab' * 32}.json")
    assert (twin.status_code, twin.json()["error"]) == (404, "statement_unknown")
    assert get(f"/p/{'ab' * 32}").status_code == 404
    assert get("/elsewhere").status_code == 404


def test_a_large_drawing_is_cut_and_says_so():
    author = workload_named("author")
    source = MemorySource()
    source.add_identity(author.record.encode(), author.blobs)
    parts = [step(author, f"collect {number}", f"data-{number}") for number in range(MOST + 20)]
    for part in parts:
        source.add_statement(author.sign(part).encode())
    inputs = [("part", f"data-{number}", part) for number, part in enumerate(parts)]
    root = step(author, "sum", "total", of=inputs)
    source.add_statement(author.sign(root).encode())
    svg = draw(Graph.of(source, roots=[root.id]), root=root.id, href=lambda one: f"/p/{one.hex()}")
    assert "and 21 statements more" in svg
    assert len(list(ElementTree.fromstring(svg).iter(f"{SVG}a"))) == MOST


def test_a_page_is_made_again_once_the_log_has_published_more(tmp_path):
    with Log.create(tmp_path / "log", origin="log.example/grows") as log:
        author = Identity.boot(attester(), store=log, now=lambda: NOW)
        first = author.seal("answer", outputs={"x": b"x"})
        log.publish()
        book = Book(tmp_path / "log", trust=Trust(policy=policy()), now=lambda: NOW)
        page = book.page(first.id)
        assert book.page(first.id) is page, "and kept until then"
        second = author.seal("answer", outputs={"y": b"y"})
        assert book.page(first.id) is page, "what is not published changes nothing"
        log.publish()
        assert book.page(first.id) is not page
        assert book.page(second.id).read.id == second.id


@pytest.mark.parametrize("path", ["/no/such/page", "/p/00000000", "/search?q=zz"])
def test_an_error_is_told_in_a_sentence_and_leads_on(get, path):
    page = get(path)
    assert page.status_code >= 400
    said = re.search(r'<p class="lead">(.*?)</p>', page.text)
    assert said is not None
    assert said[1][0].isupper()
    assert said[1].endswith(".")
    for way_on in ('action="/search"', 'href="/here"', 'href="/"'):
        assert way_on in page.text


def test_the_navigation_says_where_one_is(get):
    assert '<a href="/log" aria-current="page">Log</a>' in get("/log").text
    assert 'aria-current="page"' not in get("/").text


def test_the_words_come_before_who_can_do_what(get):
    page = get("/words").text
    assert page.index("<h2>The words</h2>") < page.index('<h2 id="powers">')
    assert page.index('href="#powers"') < page.index("<h2>The words</h2>")


def test_the_first_digits_of_an_id_in_an_address_are_one_step_from_the_statement(get):
    page = get("/p/12ab34cd").text
    assert 'value="12ab34cd"' in page
    hostile = get('/p/"><script>').text
    assert "<script>" not in hostile


def test_clients_ask_for_a_proof_again_and_it_is_made_once(shown, monkeypatch):
    made, real = [], content.export

    def export(*given, **more):
        made.append(1)
        return real(*given, **more)

    monkeypatch.setattr(content, "export", export)
    book = Book(shown.directory, trust=Trust(policy=policy()), now=lambda: NOW)
    app = make_app(book, command=str)
    one = shown.sealed["answer"].id.hex()
    answers = [ask(app, "GET", f"/p/{one}{end}") for end in ("", ".proof", ".html", ".proof")]
    assert ({answer.status_code for answer in answers}, len(made)) == ({200}, 1)
    assert answers[1].content == answers[3].content
    monkeypatch.setattr(content, "_MOST_FILE", 10)
    other = shown.sealed["model"].id.hex()
    for _ in range(2):
        assert ask(app, "GET", f"/p/{other}.proof").status_code == 200
    assert len(made) == 3, "what is large is not kept"
