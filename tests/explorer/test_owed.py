"""What was paid for an answer counts only if it is what its receipt's lineage asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from teeproof.chain.abi import Event
from teeproof.chain.seen import Seen
from teeproof.explorer.money.owed import owed
from teeproof.inference.fees import split
from tests.inference.lineages import NODE, Story
from tests.inference.test_fees import usual

PLACE, OTHER_PLACE, PAYER = "0x" + "70" * 20, "0x" + "71" * 20, "0x" + "9a" * 20


@pytest.fixture
def story() -> Story:
    return Story()


def event(name: str, address: str = PLACE, **values: object) -> Event:
    return Event(name, values, address, 7, "0x" + "cd" * 32, "0x" + "ef" * 32, 0)


def seen(*events: Event) -> Seen:
    return Seen(events=events, places=(), strangers=(), first=0, last=9, more=False)


def paid(answer: bytes, story: Story, **changes: object) -> Event:
    """The payment that the lineage asks for, but for these changes."""
    divided = split(answer, story.source)
    values = {"answer": answer, "payer": PAYER, "token": divided.token, "amount": divided.paid,
              "root": divided.root} | changes  # fmt: skip
    return event("Paid", **values)


def claimed(answer: bytes, story: Story, payee: str, **changes: object) -> Event:
    divided = split(answer, story.source)
    values = {"answer": answer, "payee": payee, "payer": PAYER, "token": divided.token,
              "amount": divided.parts[payee]} | changes  # fmt: skip
    return event("Claimed", **values)


def test_a_payment_that_the_lineage_asks_for_is_paid_and_each_part_says_why(story: Story):
    answer = usual(story)
    taken = seen(claimed(answer, story, NODE))
    (one,) = owed([answer], story.source, seen(paid(answer, story)), taken)
    assert (one.check.state, one.payer, one.amount, one.kept) == ("passed", PAYER, 300_000, 0)
    assert [(part.role, part.amount) for part in one.parts] == [
        ("node", 120_000), ("model", 90_000), ("data", 60_000), ("data", 20_000), ("data", 10_000),
    ]  # fmt: skip
    assert [part.taken for part in one.parts] == [True, False, False, False, False]
    assert all(part.why for part in one.parts)


@pytest.mark.parametrize(
    "changes", [{"amount": 299_999}, {"root": bytes(32)}, {"token": "0x" + "01" * 20}]
)
def test_payer_who_pays_something_else_is_found_out(story: Story, changes: dict):
    answer = usual(story)
    taken = seen(claimed(answer, story, NODE))
    (one,) = owed([answer], story.source, seen(paid(answer, story, **changes)), taken)
    assert (one.check.state, one.check.code) == ("failed", "payment_differs")
    assert {part.taken for part in one.parts} == {None}


def test_a_stranger_who_pays_a_trifle_first_does_not_hide_the_payment(story: Story):
    answer = usual(story)
    trifle = paid(answer, story, payer="0x" + "66" * 20, amount=1)
    for events in ((trifle, paid(answer, story)), (paid(answer, story), trifle)):
        (one,) = owed([answer], story.source, seen(*events), seen())
        assert (one.check.state, one.payer) == ("passed", PAYER)


@pytest.mark.parametrize(
    "changes", [{"payer": "0x" + "66" * 20}, {"amount": 1}, {"token": "0x" + "01" * 20}]
)
def test_a_claim_of_another_payment_is_not_this_ones(story: Story, changes: dict):
    answer = usual(story)
    taken = seen(claimed(answer, story, NODE, **changes))
    (one,) = owed([answer], story.source, seen(paid(answer, story)), taken)
    assert not any(part.taken for part in one.parts)
    elsewhere = replace(claimed(answer, story, NODE), address=OTHER_PLACE)
    (one,) = owed([answer], story.source, seen(paid(answer, story)), seen(elsewhere))
    assert not any(part.taken for part in one.parts)


def test_without_a_chain_it_is_what_the_log_says_is_owed(story: Story):
    answer = usual(story)
    (one,) = owed([answer], story.source, None, None)
    assert (one.check.state, one.payer, one.parts[0].taken) == ("not_checked", None, None)
    (one,) = owed([answer], story.source, seen(), seen())
    assert (one.check.state, "no payment" in one.check.detail) == ("not_checked", True)


def test_an_answer_that_the_source_lacks_is_owed_to_nobody(story: Story):
    assert owed([b"\x0d" * 32], story.source, None, None) == []
