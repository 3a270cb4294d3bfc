"""Whatever others write stays text wherever a page shows it: every kind, every field, every page.

A log is filled with a statement of each kind of ours, in which each text that its type leaves open
is hostile; then every page that links lead to is read, with its twin.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urldefrag, urljoin
from xml.etree import ElementTree

import msgspec
import pytest

import teeproof.cli.chapters  # noqa: F401  every kind of statement, and its judge
from teeproof.cli.claims import claims
from teeproof.cli.explorer_desk import ExplorerDesk
from teeproof.core.digests import named, sha256
from teeproof.core.errors import TooLarge
from teeproof.evidence.files.kinds import identify
from teeproof.explorer.app import make_app
from teeproof.explorer.log.content import Book
from teeproof.proof import canonical
from teeproof.proof.links import Material, Subject
from teeproof.proof.log.storage.log import Log
from teeproof.proof.statement import _TYPES, Statement
from teeproof.proof.verify import Trust
from teeproof.proof.workload import Identity
from tests.explorer.conftest import ask
from tests.proof.people import NOW, attester, policy

MARKUP = """</dd></title></script><script>alert(1)</script><img src=x onerror=alert(2)>"'&{{7*7}}"""
TURNED = "\u202e\u2066\x1b[31m\x07"
LONG = "N" * 6_000  # a statement has at most 256 KiB
TEXTS = {"markup": MARKUP, "turned": f"a{TURNED}b", "long": f"{MARKUP}{LONG}"}
MOST_PAGES = 400
MOST_BYTES = 3 << 20  # of one page
OURS = {"/live.js", "/check.js", "/console.js"}


def hostile(kind: Any, text: str) -> Any:
    """Return a value of a type in which each text that the type leaves open is hostile."""
    inspect = msgspec.inspect
    if isinstance(kind, inspect.StructType):
        needed = msgspec.inspect.type_info(kind.cls).fields
        return {
            one.encode_name: hostile(one.type, text) for one in needed
            if one.name not in ("author", "cosigners", "materials")
        }  # fmt: skip
    if isinstance(kind, inspect.UnionType):
        return hostile(next(o for o in kind.types if not isinstance(o, inspect.NoneType)), text)
    if isinstance(kind, inspect.StrType):
        if kind.pattern:
            return _of_pattern(kind.pattern)
        return text[: kind.max_length] if kind.max_length is not None else text
    if isinstance(kind, inspect.LiteralType):
        return kind.values[0]
    if isinstance(kind, inspect.IntType):
        return max(1, kind.ge or 0)
    if isinstance(kind, inspect.DictType):
        return {hostile(kind.key_type, text): hostile(kind.value_type, text)}
    if isinstance(kind, inspect.VarTupleType | inspect.ListType):
        return [hostile(kind.item_type, text)]
    return {inspect.BoolType: True, inspect.NoneType: None, inspect.AnyType: text}[type(kind)]


def _of_pattern(pattern: str) -> str:
    counts = re.findall(r"\{(\d+)", pattern)
    start = "sha256:" if "sha256" in pattern else "0x" if "0x" in pattern else ""
    return start + "1" * (int(counts[-1]) if counts else 1)


def statements(author: Identity, text: str) -> Iterator[Statement]:
    """Yield a statement of each kind that takes such a text somewhere."""
    for name, kind in sorted(_TYPES.items()):
        if not kind.__module__.startswith("teeproof."):
            continue
        body = hostile(msgspec.inspect.type_info(kind), text) | {"author": author.name}
        try:
            said = msgspec.convert(body, kind)
        except msgspec.ValidationError:
            continue
        of = Material(role=text[:200], digest={"sha256": "ab" * 32}, name=text)
        made = Subject({"sha256": name.encode().hex()[:64].ljust(64, "0")}, name=text)
        with suppress(TooLarge):  # a few kinds have very many texts
            yield Statement.of(msgspec.structs.replace(said, materials=(of,)), subjects=(made,))


def receipt(author: Identity, text: str) -> bytes:
    """Return an answer's receipt with such texts; names are ASCII, else it is no receipt."""
    name = "".join(filter(str.isascii, text))
    usage = {"type": "x.usage", "asset": text, "amount": text, "shares": {name: 1},
             "prompt_tokens": 1, "completion_tokens": 1}  # fmt: skip
    links = {"type": "x.links", "role": text, "digest": named(sha256(b"x"))}
    first = {"type": "request.received", "body_hash": named(sha256(b"request"))}
    return canonical.encode({
        "api_version": "aci/1", "key_id": text, "receipt_id": text, "model": text,
        "workload_keyset_digest": author.record.keyset_digest, "signature": "00" * 64,
        "event_log": [first, usage, links, {"type": text, name: text}],
    })  # fmt: skip


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A log of hostile statements, how many of each text, and the numbers that no page may show."""
    place = tmp_path_factory.mktemp("hostile") / "log"
    counts: dict[str, int] = {}
    with Log.create(place, origin="log.example/hostile") as log:
        author = Identity.boot(attester(), store=log, now=lambda: NOW)
        for what, text in TEXTS.items():
            for statement in statements(author, text):
                author.keep(statement)
                counts[what] = counts.get(what, 0) + 1
            author.store.add_statement(receipt(author, text))
        log.publish()
        quote = next(blob for blob in author.blobs.values() if _is_quote(blob))
    return place, counts, claims(identify(quote), ppid=True)["platform"]["ppid"]


def _is_quote(blob: bytes) -> bool:
    return blob[:2] == b"\x04\x00"


@pytest.fixture(scope="module")
def app(filled):
    story = ({"label": MARKUP, "text": f"{MARKUP}{TURNED}", "ids": [], "real": True},)
    book = Book(filled[0], trust=Trust(policy=policy()), story=lambda: story, now=lambda: NOW)
    desk = ExplorerDesk(policy=policy(), logs=None, words=())
    return make_app(book, command=str, desk=desk, now=lambda: NOW)


class Read(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def crawl(app: Any) -> dict[str, Any]:
    """Return every page that links lead to, by address; no file to keep."""
    found: dict[str, Any] = {}
    ahead = ["/", "/here", "/search?q=a", f"/search?q={'%3Cscript%3E'}"]
    while ahead and len(found) < MOST_PAGES:
        path = ahead.pop(0)
        if path in found:
            continue
        answer = ask(app, "GET", path)
        if "attachment" in answer.headers.get("content-disposition", ""):
            continue
        found[path] = answer
        if answer.headers["content-type"].startswith("text/html"):
            page = Read()
            page.feed(answer.text)
            links = [attributes.get("href") or "#" for tag, attributes in page.tags if tag == "a"]
            ahead += [urldefrag(urljoin(path, link))[0] for link in links]
    return found


@pytest.fixture(scope="module")
def pages(app):
    return crawl(app)


def test_each_kind_takes_hostile_text_somewhere_and_every_page_of_it_is_read(filled, pages):
    _, counts, _ = filled
    assert min(counts[what] for what in TEXTS) >= 10, counts
    shown = [path for path in pages if re.fullmatch(r"/p/[0-9a-f]{64}", path)]
    assert len(shown) >= 20
    assert len(pages) < MOST_PAGES
    assert {answer.status_code for answer in pages.values()} <= {200, 303, 400, 404}


def test_author_puts_markup_into_every_field_and_no_page_has_an_element_of_theirs(pages):
    read = 0
    for path, answer in pages.items():
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        page = Read()
        page.feed(answer.text)
        read += 1
        assert "&#39;&amp;49" not in answer.text, path  # a text is never a template
        for tag, attributes in page.tags:
            assert tag not in ("img", "iframe", "object", "embed", "style", "base"), path
            assert not any(name.startswith("on") for name in attributes), (path, tag)
            if tag == "script":
                assert attributes.get("src") in OURS, path
            target = attributes.get("href") or attributes.get("src") or "/"
            assert target.startswith(("/", "#", "?")), (path, target)
            assert not target.startswith("//"), (path, target)
        titles = [tag for tag, _ in page.tags if tag in ("title", "h1")]
        assert sorted(titles) == ["h1", "title"], path
    assert read > 30


def test_author_turns_text_around_and_no_page_or_twin_does(pages):
    for path, answer in pages.items():
        for character in TURNED:
            if character.isprintable():
                continue
            assert character not in answer.text, (path, hex(ord(character)))


def test_author_writes_long_texts_and_no_page_grows_beyond_its_bound(pages):
    for path, answer in pages.items():
        assert len(answer.content) < MOST_BYTES, path
        if answer.headers["content-type"].startswith("text/html"):
            assert "N" * 4_001 not in answer.text, path


def test_twins_and_drawings_are_what_they_say_they_are(pages):
    kinds = {"json": 0, "svg": 0}
    for path, answer in pages.items():
        assert answer.headers["x-content-type-options"] == "nosniff", path
        if answer.headers["content-type"].startswith("application/json"):
            kinds["json"] += 1
            json.loads(answer.text)
        if answer.headers["content-type"].startswith("image/svg+xml"):
            kinds["svg"] += 1
            names = {
                one.tag.rpartition("}")[2] for one in ElementTree.fromstring(answer.text).iter()
            }
            assert names <= {"svg", "style", "a", "rect", "path", "text", "title", "g", "tspan"}, (
                path
            )
    assert min(kinds.values()) > 5, kinds


def test_a_twin_still_says_what_the_author_wrote(filled, pages):
    texts = [text for path, answer in pages.items() if path.endswith(".json")
             for text in _texts(json.loads(answer.text))]  # fmt: skip
    assert any(TURNED in text for text in texts)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for one in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from _texts(one)


def test_the_number_that_names_a_machine_for_ever_is_on_no_page_and_in_no_twin(filled, pages):
    ppid = filled[2]
    assert len(ppid) == 32
    for path, answer in pages.items():
        assert ppid not in answer.text.lower(), path
