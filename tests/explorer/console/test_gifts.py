"""What the console tells of contributions: from a real pool's statements in a real log."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace as replaced

import teeproof.data.verify  # noqa: F401  its judges are asked by verify_proof
from teeproof.cli.console.gifts import LocalGifts
from teeproof.cli.console.ledger import Ledger
from teeproof.cli.contributing import _write_down, names_beside
from teeproof.cli.joining import Joined
from teeproof.cloud.job import Job
from teeproof.cloud.kms.policy import Withdrawal
from teeproof.core.clock import to_epoch
from teeproof.core.digests import parse_named
from teeproof.data.terms import PoolTerms
from teeproof.explorer.console.port import Earned, Given, Made
from teeproof.explorer.console.telling import earned_text, part_text, told, why_earned
from teeproof.explorer.log.content import Book
from teeproof.proof.envelope import Envelope, Signature
from teeproof.proof.links import Subject
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.log.storage.log import Log
from teeproof.proof.source import read_record
from teeproof.proof.statement import Statement
from teeproof.proof.verify import Trust
from teeproof.proof.workload import Identity
from teeproof.training.statements import Accuracy, Source, Training
from tests.data.scenes import (
    ALICE,
    BOB,
    CAROL,
    EVE,
    NOW,
    Place,
    honest,
    order,
    payout,
    send,
    submission,
    validator,
)
from tests.explorer.console.scenes import Person, app_of
from tests.proof.people import attester, policy

WITNESS = Cosigner("witness.example/late", b"\7" * 32)
PART = Earned(
    answer="sha256:" + "ab" * 32, amount=32_517, symbol="tUSD", decimals=6, fee="0.30 tUSD",
    percent=3000, weight=61_058_731, weights=169_000_000, others=0, claimed=True,
)  # fmt: skip


@dataclass
class Scene:
    """A folder with a log, and the ids of what Alice gave."""

    folder: Path
    log: Path
    first: str
    second: str


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Alice gives two files and takes one back; Bob gives one, and Alice's again."""
    folder = tmp_path_factory.mktemp("gifts")
    with Log.create(folder / "log", origin="log.example/gifts") as log:
        made = Place(folder)
        made.store = Contents(log)
        made.store.add_identity(validator().record.encode(), validator().blobs)
        pool = made.open()
        first, second = submission(honest(1)), submission(honest(2))
        send(pool, first)
        send(pool, submission(honest(3), BOB))
        send(pool, submission(honest(1), BOB))
        send(pool, second)
        pool.dataset()
        pool.withdraw(second.consent.contribution, *order(second, ALICE))
        made.close()
        log.publish()
    return Scene(folder, folder / "log", first.consent.contribution, second.consent.contribution)


def gifts_of(place, tmp_path, owner, *, trusted=True):
    key = tmp_path / "owner.key"
    key.write_text(f"teeproof-owner-secret:{owner._secret.hex()}\n")
    trust = Trust(policy=policy()) if trusted else Trust()
    book = Book(place.log, trust=trust, now=lambda: NOW)
    return LocalGifts(lambda: Joined(tmp_path, {}, ""), book=book, key_file=key, now=lambda: NOW)


def test_an_owner_sees_what_is_theirs_and_nobody_elses(place, tmp_path):
    found = gifts_of(place, tmp_path, ALICE).given()
    assert [one.id for one in found] == [place.second, place.first]
    second, first = found
    assert (first.withdrawn, len(first.datasets)) == (None, 1)
    assert second.withdrawn is not None
    assert all(one.verdict is not None and one.verdict.ok for one in found)
    assert gifts_of(place, tmp_path, CAROL).given() == []
    assert LocalGifts(lambda: Joined(tmp_path / "new", {}, ""),
                      book=Book(place.log, trust=Trust())).given() == ()  # fmt: skip


def watched(place, folder):
    """Return the same for a reader who believes a witness, and what has it see the log."""
    shutil.copytree(place.log, folder / "log")
    with Log.open(folder / "log", read_only=True) as log:
        lines = f"log {log.verifier.text()}\nwitness w {WITNESS.verifier.text()}\nquorum w\n"
    trust = Trust(policy=policy(), logs=TlogPolicy.parse(lines.encode()))

    def see():
        with Log.open(folder / "log") as log:
            newest = log.checkpoint()
            line = WITNESS.cosign(newest.note.text, time=to_epoch(NOW - timedelta(seconds=5)))
            log.add_cosignatures(newest.checkpoint.size, [line])

    return Book(folder / "log", trust=trust, now=lambda: NOW), see


def test_what_was_told_before_witnesses_saw_it_is_not_told_after(place, tmp_path):
    gifts = gifts_of(place, tmp_path, ALICE)
    gifts._book, see = watched(place, tmp_path)
    young = gifts.given()
    assert [one.verdict.ok for one in young] == [False, False]
    assert [one.withdrawn for one in young] == [None, None]
    see()
    second, first = gifts.given()
    assert first.verdict.ok
    assert second.verdict.ok
    assert second.withdrawn is not None


def test_who_gave_something_is_answered_once_witnesses_saw_it(place, tmp_path):
    gifts = gifts_of(place, tmp_path, ALICE)
    gifts._book, see = watched(place, tmp_path)
    looks = []

    def now():
        looks.append(NOW)
        if len(looks) == 3:
            see()
        return NOW

    gifts._now = now
    name = Ledger(place.log, owner=ALICE.public).found()[0].statement
    gifts._until_witnessed(name)
    assert len(looks) == 3
    assert gifts._book.page(parse_named(name)).verdict.ok


def lied(place, folder, *made):
    """Return the same scene, in whose log a stranger has signed more."""
    shutil.copytree(place.log, folder / "log")
    with Log.open(folder / "log") as log:
        stranger = Identity.boot(attester(), store=log, now=lambda: NOW)
        for one in made:
            subjects = (Subject({"sha256": "ab" * 32}),)
            stranger.keep(Statement.of(replaced(one, author=stranger.name), subjects=subjects))
        log.publish()
    return replace(place, folder=folder, log=folder / "log")


def test_stranger_says_that_a_contribution_was_taken_back(place, tmp_path):
    """Its owner is not told that the key is erased, and can still have it erased."""
    second, first = gifts_of(place, tmp_path, ALICE).given()
    name, consent = second.withdrawn, first.said.consent
    with Log.open(place.log, read_only=True) as log, closing(Contents(log)) as contents:
        real = read_record(contents.statement(parse_named(name)) or b"").statement.predicate
    plain = replaced(real, contribution=place.first)
    forged = Withdrawal(file=consent.file, recipient=consent.recipient, time=1)
    unsigned = replaced(plain, order=forged, signature=EVE.sign_text(forged))
    own = replaced(unsigned, owner=EVE.public)
    lies = lied(place, tmp_path, plain, unsigned, own)
    second, first = gifts_of(lies, tmp_path, ALICE).given()
    assert (first.withdrawn, second.withdrawn) == (None, name)
    person = Person(app_of(gifts=gifts_of(lies, tmp_path, ALICE)))
    person.enter()
    page = person.get(f"/console/contributions/{place.first}").text
    assert "It is withdrawn" not in page
    assert "Erase its key for ever" in page


def test_pool_without_standing_says_what_the_owner_did_order(place, tmp_path):
    """The owner's order is real, and whoever says that it was followed is nobody."""
    gifts = gifts_of(place, tmp_path, ALICE, trusted=False)
    assert [one.withdrawn for one in gifts.given()] == [None, None]


def test_stranger_writes_contributions_in_an_owners_name_until_there_is_no_room(
    place, tmp_path, monkeypatch
):
    monkeypatch.setattr("teeproof.cli.console.ledger.MOST", 3)
    first = Ledger(place.log, owner=ALICE.public).found()[1].said
    many = [replaced(first, contribution=f"{number:064x}") for number in range(4)]
    other = replaced(first.consent, salt="00" * 32)
    many.append(replaced(first, consent=other, contribution=other.contribution))
    lies = lied(place, tmp_path, *many)
    found = Ledger(lies.log, owner=ALICE.public).found()
    assert [one.said.contribution for one in found] == [place.second, place.first]


def training(contribution: str) -> Training:
    """What a program says that learnt from a contribution."""
    job = Job(purpose="train", files=(), parameters={}, materials=())
    none = Accuracy(right=0, of=0)
    source = Source(contribution=contribution, file="ab" * 16, records=100)
    return Training(
        author="", job=job, challenge="", release="", sources=(source,), left_out=0,
        parameters={}, libraries={}, processor="", summary={}, before=none, after=none,
        chain="", payout="",
    )  # fmt: skip


def test_stranger_says_that_a_model_learnt_from_a_file_and_its_owner_is_not_told_so(
    place, tmp_path
):
    lies = lied(place, tmp_path, training(place.first))
    _, first = gifts_of(lies, tmp_path, ALICE).given()
    assert [one.models for one in Ledger(lies.log, owner=ALICE.public).found()][1]
    assert (first.models, first.answers, first.unknown) == ((), 0, "")
    assert told(first).earned_because.startswith("No model has been trained on it yet")


def test_strangers_say_so_until_there_is_no_room_and_what_it_earned_is_not_called_nothing(
    place, tmp_path, monkeypatch
):
    monkeypatch.setattr("teeproof.cli.console.ledger._MOST_EACH", 2)
    many = [replaced(training(place.first), challenge=str(number)) for number in range(3)]
    lies = lied(place, tmp_path, *many)
    second, first = gifts_of(lies, tmp_path, ALICE).given()
    assert (told(first).earned, second.unknown) == ("not known", "")
    assert told(first).earned_because == ("So many statements name it that not all were looked at.")
    with Log.open(lies.log) as log, closing(Contents(log)) as contents:
        author = Identity.boot(attester(), store=log, now=lambda: NOW)
        said = Statement.of(replaced(training(place.second), author=author.name),
                            subjects=(Subject({"sha256": "ab" * 32}),))  # fmt: skip
        contents.add_statement(Envelope(said.payload, (Signature("", bytes(64)),)).encode())
        log.publish()
    found = Ledger(lies.log, owner=ALICE.public).found()
    assert found[0].models == [], "its author did not sign it"


def test_each_decision_is_told_with_its_numbers(place, tmp_path):
    second, first = map(told, gifts_of(place, tmp_path, ALICE).given())
    copy, own = map(told, gifts_of(place, tmp_path, BOB).given())
    assert (first.badge, second.badge, copy.badge) == ("ACCEPTED", "WITHDRAWN", "A COPY")
    assert first.tone == own.tone == "simulated"  # never green
    scores = gifts_of(place, tmp_path, ALICE).given()[1].said.scores
    assert scores is not None
    assert f"{scores.new} new records" in first.because
    assert [value for name, value, _ in first.scores if name == "New"] == [str(scores.new)]
    assert "near-duplicates of what others sent before" in copy.because
    assert (copy.worth, copy.earned_because) == (
        "worth nothing", "What weighs nothing earns nothing.",
    )  # fmt: skip


def test_operator_whose_machine_is_not_trusted_is_told_in_red(place, tmp_path):
    found = gifts_of(place, tmp_path, ALICE, trusted=False).given()
    words = [told(one) for one in found]
    assert {(one.tone, one.badge) for one in words} == {("bad", "THE POOL'S WORD DOES NOT HOLD")}


def test_pool_that_is_not_up_is_told_and_the_log_is_still_shown(place, tmp_path):
    person = Person(app_of(gifts=gifts_of(place, tmp_path, ALICE)))
    person.enter()
    page = person.get("/console").text
    assert "There is no pool on this machine yet" in page
    assert f"/console/contributions/{place.first}" in page
    assert 'type="file"' not in page
    one = person.get(f"/console/contributions/{place.second}").text
    assert "It is withdrawn" in one
    assert "Erase its key for ever" not in one
    assert person.get("/console/contributions/" + "0" * 64).status_code == 404
    twin = person.get(f"/console/contributions/{place.first}.json").json()
    assert (twin["decision"], twin["checked"]) == ("accepted", True)


def test_client_withdraws_without_the_box_and_nothing_is_erased(place, tmp_path):
    person = Person(app_of(gifts=gifts_of(place, tmp_path, ALICE)))
    person.enter()
    path = f"/console/contributions/{place.first}"
    answer = person.post(f"{path}/withdraw", {"form": person.secret(path)})
    assert (answer.status_code, "not_sure" in answer.text) == (400, True)
    answer = person.post(f"{path}/withdraw", {"form": person.secret(path), "sure": "yes"})
    assert "part_missing" in answer.text  # its twin gets as far as the pool


def test_a_ledger_that_follows_finds_what_came_meanwhile(tmp_path):
    with Log.create(tmp_path / "log", origin="log.example/follow") as log:
        made = Place(tmp_path)
        made.store = Contents(log)
        made.store.add_identity(validator().record.encode(), validator().blobs)
        pool = made.open()
        ledger = Ledger(tmp_path / "log", owner=ALICE.public)
        log.publish()
        assert ledger.found() == []
        send(pool, submission(honest(1)))
        log.publish()
        assert [one.said.payout for one in ledger.found()] == [payout(ALICE)]
        made.close()


def test_what_an_owner_calls_a_file_stays_beside_the_key(tmp_path):
    key = tmp_path / "owner.key"
    _write_down(key, "ab" * 32, "mine\nnot a line of its own\ud800")
    _write_down(key, "cd" * 32, "x" * 500)
    assert (tmp_path / "owner.files").stat().st_mode & 0o077 == 0
    names = names_beside(key)
    assert names["ab" * 32].startswith(r"mine\nnot a line")
    assert len(names["cd" * 32]) == 120
    with (tmp_path / "owner.files").open("ab") as file:
        file.write(b"rubbish\n")
    assert set(names_beside(key)) == {"ab" * 32, "cd" * 32}
    assert names_beside(tmp_path / "none.key") == {}


def given_with(place, tmp_path, **more) -> Given:
    return replace(gifts_of(place, tmp_path, ALICE).given()[1], **more)


def test_earnings_are_told_with_the_whole_reason(place, tmp_path):
    words = told(given_with(place, tmp_path, earned=(PART,)))
    assert words.earned == "0.032517 tUSD"
    assert (
        words.earned_because
        == why_earned(PART)
        == (
            "30 % of the fee of 0.30 tUSD goes to data; your file weighs 61.1 of the 169.0 records'"
            " worth that the model learnt from: 36.1 %."
        )
    )
    several = replace(PART, others=2, claimed=False)
    assert "your 3 files together weigh 61.1" in why_earned(several)
    assert "waits in the contract" in why_earned(several)
    doubted = replace(PART, doubt="the lineage in the log owes this account another amount")
    assert "why it is this much is not shown" in why_earned(doubted)


def test_an_answers_part_is_counted_once_and_tokens_are_not_added_up():
    other = replace(PART, symbol="tEUR", amount=1_500_000)
    assert earned_text([PART, PART, other]) == "0.032517 tUSD + 1.50 tEUR"
    assert earned_text([PART, replace(PART, answer="sha256:" + "cd" * 32)]) == "0.065034 tUSD"
    assert earned_text([]) == ""
    copied = [replace(PART, token=token, answer=token) for token in ("0x01", "0x02")]
    assert earned_text(copied) == "0.032517 tUSD (0x01) + 0.032517 tUSD (0x02)"
    assert part_text(other) == "1.50 tEUR"


def test_nothing_earned_has_its_reason(place, tmp_path):
    model = Made(statement="sha256:" + "ee" * 32, records=100)
    for more, words in (
        ({}, "No model has been trained on it yet"),
        ({"models": (model,)}, "1 model learnt from it; no fee was paid yet."),
        ({"models": (model,), "answers": 2}, "1 model learnt from it and gave 2 answers; no fee"),
        (
            {"unknown": "the chain could not be asked: the node"},
            "The chain could not be asked: the node",
        ),
    ):
        one = told(given_with(place, tmp_path, **more))
        assert one.earned_because.startswith(words)
        assert one.earned == ("not known" if "unknown" in more else "nothing yet")


class Meanwhile:
    """Gifts of nobody: while a file is judged, the owner's other page does something."""

    def __init__(self, terms: PoolTerms) -> None:
        self.terms = lambda: terms
        self.sent: list[bytes] = []
        self.also: Callable[[], object] = lambda: None

    def owner(self) -> None:
        return None

    def given(self) -> tuple[Given, ...]:
        return ()

    def contribute(self, name: str, data: bytes) -> str:
        self.sent.append(data)
        self.also()
        return "ab" * 32


def test_what_is_typed_on_another_page_while_a_file_is_sent_is_neither_lost_nor_sent_twice(place):
    gifts = Meanwhile(Ledger(place.log, owner=ALICE.public).found()[0].said.terms)
    person = Person(app_of(gifts=gifts))
    person.enter()
    form = {"form": person.secret("/console")}

    def type_one(part: str) -> None:
        line = {"text": f"sell {part} of my ETH", "side": "sell", "asset": "ETH", "part": part}
        assert person.post("/console/orders", form | line).status_code == 303

    answers = []

    def also() -> None:
        type_one("0.25")
        again = person.post("/console/contribute", form | {"what": "typed"})
        answers.append("another file is being judged" in again.text)

    gifts.also = also
    type_one("0.5")
    assert person.post("/console/contribute", form | {"what": "typed"}).status_code == 303
    assert (answers, len(gifts.sent)) == ([True], 1)
    assert person.get("/console/index.json").json()["typed"] == 1
    gifts.also = lambda: None
    person.post("/console/contribute", form | {"what": "typed"})
    assert [b"0.5" in one for one in gifts.sent] == [True, False]
    assert person.get("/console/index.json").json()["typed"] == 0
