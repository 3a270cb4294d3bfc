"""Strangers write much to a log in others' names: what those signed stays where it can be seen."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from teeproof.core.digests import parse_named, sha256
from teeproof.core.errors import TooLarge
from teeproof.explorer.app import make_app
from teeproof.explorer.log import content as contents_of
from teeproof.explorer.log import signing as signings
from teeproof.explorer.log import taken
from teeproof.explorer.log.content import Book
from teeproof.explorer.log.finding import Index
from teeproof.explorer.log.signing import LeftOut
from teeproof.proof.envelope import Envelope, Signature
from teeproof.proof.links import Subject
from teeproof.proof.log.choice import Choice
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.storage.log import Log
from teeproof.proof.log.storage.lookup import Lookup
from teeproof.proof.statement import Statement, Step
from teeproof.proof.verify import Trust
from teeproof.proof.workload import Identity
from tests.explorer.conftest import ask
from tests.proof.people import NOW, attester, policy

FLOOD = 300  # more than any list of the index has


def said(author: Identity, step: str, output: bytes) -> Statement:
    return Statement.of(
        Step(author=author.name, step=step),
        subjects=(Subject({"sha256": output.hex()}, name="thing"),),
    )


def unsigned(statement: Statement, author: Identity) -> bytes:
    return Envelope(statement.payload, (Signature(author.name, bytes(64)),)).encode()


@pytest.fixture
def logged(tmp_path: Path) -> Callable[..., Path]:
    """Return what makes a log: ``adds`` is given a workload that is in it, and its contents."""

    def make(adds: Callable[[Identity, Contents], Any]) -> Path:
        with Log.create(tmp_path / "log", origin="log.example/flood") as log:
            author = Identity.boot(attester(), store=log, now=lambda: NOW)
            with closing(Contents(log)) as contents:
                adds(author, contents)
            log.publish()
        return tmp_path / "log"

    return make


def test_stranger_floods_in_an_authors_name_and_nothing_is_pushed_out(logged: Any) -> None:
    thing = b"t" * 32

    def adds(author: Identity, contents: Contents) -> None:
        for number in range(FLOOD):
            contents.add_statement(unsigned(said(author, f"early {number}", thing), author))
        contents.add_statement(author.sign(said(author, "true", thing)).encode())
        for number in range(FLOOD):
            contents.add_statement(unsigned(said(author, f"late {number}", thing), author))

    index = Index(logged(adds))
    assert [one.title for one in index.latest()] == ["true"]
    roll = index.roll()
    assert [one.title for one in roll.of(*roll.types())] == ["true"]
    found = index.find(thing.hex())
    assert (found[0].title, found[0].signed) == ("true", True)
    assert {one.signed for one in found[1:]} == {False}
    assert len(found) < 20
    assert index.left_out().total == 2 * FLOOD


def test_the_pages_say_what_they_leave_out_and_only_then(logged: Any) -> None:
    authors: list[Identity] = []

    def adds(author: Identity, contents: Contents) -> None:
        authors.append(author)
        contents.add_statement(author.sign(said(author, "true", b"t" * 32)).encode())
        contents.add_statement(unsigned(said(author, "untrue <b>", b"t" * 32), author))

    log = logged(adds)
    book = Book(log, trust=Trust(policy=policy()), now=lambda: NOW)
    app = make_app(book, command=str)
    one = f"/identity/{authors[0].digest.hex()}"
    for path in ("/", "/here", one):
        page = ask(app, "GET", path).text
        assert "Left out: 1 record, as whoever it names as the author did not sign it." in page
        assert "untrue" not in page
    assert "1: whoever these name as their author" in ask(app, "GET", "/log").text
    for path in ("/index.json", "/here.json", "/log.json"):
        assert ask(app, "GET", path).json()["left_out"] == 1
    assert ask(app, "GET", f"{one}.json").json()["beside"]["left_out"] == 1
    search = ask(app, "GET", "/search", params={"q": (b"t" * 32).hex()}).text
    assert search.count("not signed by the author that it names") == 1
    assert search.index("true") < search.index("not signed by")


def test_a_log_of_signed_statements_leaves_nothing_out(shown: Any) -> None:
    assert shown.book.left_out.total == 0
    for path in ("/", "/here", "/log"):
        assert "did not sign" not in ask(shown.app, "GET", path).text


def test_stranger_enters_a_statement_with_a_false_signature_before_its_author(logged: Any) -> None:
    def adds(author: Identity, contents: Contents) -> None:
        statement = said(author, "true", b"t" * 32)
        contents.add_statement(unsigned(statement, author))
        contents.add_statement(author.sign(statement).encode())
        true = author.sign(statement)
        changed = bytes([true.signatures[0].sig[0] ^ 1]) + true.signatures[0].sig[1:]
        contents.add_statement(Envelope(true.payload, (Signature(author.name, changed),)).encode())

    index = Index(logged(adds))
    assert [(one.title, one.number) for one in index.latest()] == [("true", 2)]
    (found,) = index.find((b"t" * 32).hex())
    assert found.signed


def test_an_author_whose_identity_comes_later_is_listed_then(tmp_path: Path) -> None:
    clock = [0.0]
    with Log.create(tmp_path / "log", origin="log.example/late") as log:
        late = Identity.boot(attester(), now=lambda: NOW)
        with closing(Contents(log)) as contents:
            contents.add_statement(late.sign(said(late, "early", b"e" * 32)).encode())
            contents.publish()
            index = Index(tmp_path / "log", clock=lambda: clock[0])
            assert index.latest() == []
            assert index.left_out().total == 1
            contents.add_identity(late.record.encode(), late.blobs)
            contents.publish()
    clock[0] += 2
    assert [one.title for one in index.latest()] == ["early"]
    assert [one.signed for one in index.find((b"e" * 32).hex())] == [True]


def test_stranger_enters_a_copy_of_an_identity_without_its_quote(tmp_path: Path) -> None:
    """Neither an unsigned copy, nor one that names other evidence, hides what machine it is."""
    with Log.create(tmp_path / "log", origin="log.example/copies") as log:
        true, other = (Identity.boot(attester(), now=lambda: NOW) for _ in range(2))
        record = true.record
        swapped = type(record)(envelope=record.envelope, attachments=other.record.attachments)
        forged = Envelope(
            record.envelope.payload,
            tuple(Signature(one.keyid, bytes(len(one.sig))) for one in record.envelope.signatures),
        )
        unowned = type(record)(envelope=forged, attachments=record.attachments)
        with closing(Contents(log)) as contents:
            contents.add_identity(unowned.encode(), {})
            contents.add_identity(swapped.encode(), other.blobs)
            contents.add_identity(record.encode(), true.blobs)
            contents.add_identity(other.record.encode(), other.blobs)
            contents.publish()
    roll = Index(tmp_path / "log").roll()
    assert roll.machine_count == 2
    first, second = (roll.machine(one.digest.hex()) for one in (true, other))
    assert first is not None
    assert second is not None
    assert first.labels["platform"] == second.labels["platform"]
    assert {one.id for one in roll.alike(first.labels["platform"])} == {first.id, second.id}


def test_strangers_fill_what_is_kept_of_the_unsigned_and_no_more(
    logged: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taken, "_UNSIGNED_KEYS", 5)

    def adds(author: Identity, contents: Contents) -> None:
        for number in range(40):
            thing = number.to_bytes(32, "big")
            contents.add_statement(unsigned(said(author, f"{number}", thing), author))
        contents.add_statement(author.sign(said(author, "true", b"t" * 32)).encode())

    index = Index(logged(adds))
    assert [one.title for one in index.find((b"t" * 32).hex())] == ["true"]
    assert len(index._taken.unsigned) == 5
    assert index.left_out().total == 40
    monkeypatch.setattr(signings, "MOST_THINGS", 2)
    counted = LeftOut()
    for name in "abcab":
        counted.add(("pool", name))
    assert [counted.of("pool", name) for name in "abc"] == [2, 2, 0]
    assert counted.total == 5


def test_one_flipped_bit_of_a_signature_leaves_a_statement_out(logged: Any) -> None:
    def adds(author: Identity, contents: Contents) -> None:
        true = author.sign(said(author, "true", b"t" * 32))
        for at in range(0, 64, 9):
            sig = bytearray(true.signatures[0].sig)
            sig[at] ^= 1
            contents.add_statement(
                Envelope(true.payload, (Signature(author.name, bytes(sig)),)).encode()
            )

    index = Index(logged(adds))
    assert index.latest() == []
    assert index.left_out().total == 8


def test_strangers_claim_to_have_made_a_thing_and_no_page_judges_their_claims(
    logged: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index holds what its author signed; beyond a bound of that, the page says so."""
    made: list[bytes] = []

    def adds(author: Identity, contents: Contents) -> None:
        thing = sha256(b"x")
        for number in range(FLOOD):
            contents.add_statement(unsigned(said(author, f"{number}", thing), author))
        contents.add_statement(author.sign(said(author, "true", thing)).encode())
        use = author.seal("use", outputs={"y": b"y"}, inputs={"x": b"x"})
        made.append(use.id)
        contents.add_statement(author.sign(said(author, "second", thing)).encode())

    log = logged(adds)
    judged: list[bytes] = []
    whole = Choice.is_made
    monkeypatch.setattr(Choice, "is_made", lambda self, one: judged.append(one) or whole(self, one))
    book = Book(log, trust=Trust(policy=policy()), now=lambda: NOW)
    page = book.page(made[0])
    reads = book.reads([parse_named(one.id) for one in page.verdict.statements])
    assert {one.title for one in reads} == {"use", "true", "second"}
    assert len(set(judged)) == 2
    monkeypatch.setattr(contents_of, "_MOST_MAKERS", 1)
    twin = ask(make_app(Book(log, trust=Trust(policy=policy())), command=str), "GET",
               f"/p/{made[0].hex()}.json")  # fmt: skip
    assert twin.json()["error"] == "too_large"
    monkeypatch.setattr(contents_of, "_MOST_MAKERS", 2)
    monkeypatch.setattr(contents_of, "_MOST_IN_PROOF", 2)
    with pytest.raises(TooLarge, match="more statements than a page verifies"):
        Book(log, trust=Trust(policy=policy())).page(made[0])
    monkeypatch.setattr(contents_of, "_MOST_IN_PROOF", 3)
    assert Book(log, trust=Trust(policy=policy()), now=lambda: NOW).page(made[0]).verdict.ok


def test_stranger_enters_many_copies_of_a_statement_and_they_are_not_read(
    logged: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    true: list[Statement] = []

    def adds(author: Identity, contents: Contents) -> None:
        true.append(said(author, "true", b"t" * 32))
        contents.add_statement(author.sign(true[0]).encode())
        for number in range(FLOOD):
            copy = Signature(author.name, number.to_bytes(64, "big"))
            contents.add_statement(Envelope(true[0].payload, (copy,)).encode())

    log, read = logged(adds), list[int]()
    whole = Log.stored
    monkeypatch.setattr(Log, "stored", lambda self, at: read.append(at) or whole(self, at))
    lookup = Lookup.stored
    monkeypatch.setattr(Lookup, "stored", lambda self, at: read.append(at) or lookup(self, at))
    book = Book(log, trust=Trust(policy=policy()), now=lambda: NOW)
    (found,) = book.reads([true[0].id])
    assert found.title == "true"
    assert max(read) == 2  # the identity is entry 0


def test_an_index_made_before_is_made_anew_with_signed_makers_alone(logged: Any) -> None:
    """What was entered before its author's identity is found too, once that is there."""

    def adds(author: Identity, contents: Contents) -> None:
        late = Identity.boot(attester(), now=lambda: NOW)
        contents.add_statement(late.sign(said(late, "early", b"e" * 32)).encode())
        contents.add_statement(unsigned(said(late, "false", b"e" * 32), late))
        contents.add_identity(late.record.encode(), late.blobs)

    log = logged(adds)
    with Log.open(log, read_only=True) as opened, closing(Contents(opened)) as contents:
        assert len(contents._links.makers(b"e" * 32)) == 1


@pytest.mark.parametrize("what", ["a named pipe", "a device", "a link to itself", "too large"])
def test_stranger_hands_over_a_log_whose_files_are_none_and_no_page_waits(
    logged: Any, what: str
) -> None:
    log = logged(lambda author, contents: author.seal("true", outputs={"x": b"x"}))
    book = Book(log, trust=Trust(policy=policy()), now=lambda: NOW)
    app = make_app(book, command=str)
    assert ask(app, "GET", "/log").status_code == 200
    for place in (log / "public" / "checkpoint", *(log / "journal").iterdir()):
        kept = place.read_bytes()
        place.unlink()
        if what == "a named pipe":
            os.mkfifo(place)
        elif what == "too large":
            place.touch()
            os.truncate(place, 1 << 40)
        else:
            place.symlink_to("/dev/zero" if what == "a device" else place.name)
        page = ask(make_app(Book(log, trust=Trust(policy=policy())), command=str), "GET", "/log")
        assert page.status_code in (500, 503)
        assert "That did not work" in page.text
        place.unlink()
        place.write_bytes(kept)
