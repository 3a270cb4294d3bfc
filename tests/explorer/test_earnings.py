"""What a node took on a chain counts only if it is its part of an answer that it gave."""

from __future__ import annotations

from dataclasses import replace

import pytest

from teeproof.chain.abi import Event
from teeproof.chain.account import Account
from teeproof.chain.client import Chain
from teeproof.chain.payments import Payments
from teeproof.chain.seen import Seen, seen_of
from teeproof.chain.standing import place_of, token_names
from teeproof.chain.token import Token
from teeproof.explorer.money import earnings
from teeproof.explorer.money.asking import FRESH, Lately
from teeproof.explorer.money.earnings import Earnings, Taken, of_leases
from teeproof.inference.fees import split
from teeproof.proof.source import read_record
from tests.chain.conftest import account, client, node  # noqa: F401  fixtures
from tests.chain.test_endpoint import Node
from tests.explorer.bazaar import Bazaar, busy_bazaar
from tests.explorer.test_owed import claimed, seen
from tests.inference.lineages import NODE, OWNER, Story
from tests.inference.test_fees import usual

CHAIN_ID = 31_337  # of the asset that the tests' receipts name


@pytest.fixture
def story() -> Story:
    return Story()


def leases(story: Story, answer: bytes) -> set[str]:
    read = read_record(story.source.statement(answer) or b"")
    return {one.digest.removeprefix("sha256:") for one in read.links if one.role == "node"}


def counted(story: Story, found: Seen, of: set[str], *, chain_id: int = CHAIN_ID) -> list[Event]:
    own, unread = of_leases(found, of, story.source, chain_id=chain_id)
    assert unread == 0
    return own


def test_a_claim_that_the_lineage_gives_the_address_counts(story: Story):
    answer = usual(story)
    event = claimed(answer, story, NODE)
    assert counted(story, seen(event), leases(story, answer)) == [event]


@pytest.mark.parametrize(
    "changes", [{"amount": 120_001}, {"token": "0x" + "01" * 20}, {"payee": "0x" + "66" * 20}]
)
def test_a_stranger_who_pays_the_address_something_else_adds_nothing(story: Story, changes: dict):
    answer = usual(story)
    event = claimed(answer, story, NODE)
    event = replace(event, values=dict(event.values) | changes)
    assert counted(story, seen(event), leases(story, answer)) == []


def test_a_claim_on_another_chain_adds_nothing(story: Story):
    answer = usual(story)
    event = claimed(answer, story, NODE)
    assert counted(story, seen(event), leases(story, answer), chain_id=CHAIN_ID + 1) == []


def test_an_answer_of_the_owners_other_machine_is_not_this_nodes(story: Story):
    one, other = usual(story), usual(story)
    events = claimed(one, story, NODE), claimed(other, story, NODE)
    assert leases(story, one) != leases(story, other)
    assert counted(story, seen(*events), leases(story, other)) == [events[1]]


def test_an_answer_that_the_log_lacks_or_that_is_no_receipt_adds_nothing(story: Story):
    answer = usual(story)
    event = claimed(answer, story, NODE)
    for other in (b"\x0d" * 32, story.lease().id):
        false = replace(event, values=dict(event.values) | {"answer": other})
        assert counted(story, seen(false), leases(story, answer)) == []


def test_stranger_who_claims_for_very_many_answers_is_not_read_to_the_end(
    story: Story, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(earnings, "_DIVIDED", 2)
    answer = usual(story)
    event = claimed(answer, story, NODE)
    junk = [
        replace(event, values=dict(event.values) | {"answer": bytes([number]) * 32})
        for number in range(4)
    ]
    own, unread = of_leases(
        seen(junk[0], event, *junk[1:], event), leases(story, answer), story.source,
        chain_id=CHAIN_ID,
    )  # fmt: skip
    assert (own, unread) == ([event, event], 3)


def test_claims_are_found_on_a_chain_by_whom_they_pay(
    client: Chain, account: Account, story: Story  # noqa: F811
):  # fmt: skip
    """By the node's own filter of an indexed address; another payee's claim is not among them."""
    token = Token.deploy(client, account, name="Test", symbol="tTST", decimals=6, cap=10**12)
    payments, found = Payments.deploy(client, account), split(usual(story), story.source)
    token.mint(account, to=account.address, amount=found.paid)
    payments.pay(account, answer=found.answer, token=token, amount=found.paid, root=found.root)
    for payee in (NODE, OWNER):
        payments.claim(
            account, payer=account, answer=found.answer, token=token, payee=payee,
            amount=found.parts[payee], proof=found.proof(payee),
        )  # fmt: skip
    told = seen_of(client, "Payments", "Claimed", {"answer": [found.answer], "payee": [NODE]})
    (event,) = told.events
    assert (event["payee"], event["amount"], event["token"]) == (NODE, 120_000, token.address)
    every = seen_of(client, "Payments", "Claimed", {"answer": [found.answer]})
    assert len(every.events) == 2
    assert token_names(client, place_of(client, token.address)) == ("tTST", 6)
    assert token_names(client, place_of(client, payments.address)) == ("", 0)


# The page, over a market's log in which no answer was paid.


@pytest.fixture(scope="module")
def bazaar(tmp_path_factory: pytest.TempPathFactory) -> Bazaar:
    return busy_bazaar(tmp_path_factory.mktemp("earning"))


def test_without_a_chain_the_page_says_that_none_was_asked(bazaar: Bazaar):
    taken = bazaar.twin("cheap")["taken_on_chain"]
    assert (taken["state"], len(taken["addresses"])) == ("not_checked", 1)
    assert taken["problem"].startswith("no chain was asked")
    assert "Not checked: no chain was asked" in bazaar.page("cheap")


def test_a_chain_without_a_claim_shows_nothing_and_says_where_it_looked(
    bazaar: Bazaar, client: Chain  # noqa: F811
):  # fmt: skip
    url = client.endpoint.url
    taken = bazaar.twin("cheap", chain=url)["taken_on_chain"]
    assert (taken["state"], taken["totals"], taken["claims"]) == ("asked", [], [])
    assert taken["blocks"]["last"] >= taken["blocks"]["first"] == 0
    assert "Nothing that this log bears out" in bazaar.page("cheap", chain=url)


def test_owner_of_a_node_makes_a_token_of_a_known_name_and_the_page_says_which_token_it_is(
    bazaar: Bazaar, monkeypatch: pytest.MonkeyPatch
):
    own = "0x" + "5c" * 20
    total = f"eip155:1/erc20:{own}", 10**12, "1000000 USDC"
    taken = Taken(totals=(total,), counted=1, addresses=(NODE,), last=9)
    monkeypatch.setattr(Earnings, "of", lambda *_: taken)
    page = " ".join(bazaar.page("cheap").split())
    assert f'<bdi>1000000 USDC</bdi> of the token <span class="id">{own}</span>' in page
    assert "A token's name is its own word" in page


@pytest.mark.parametrize("logs", [5, None, [5], [{}], [{"address": "<script>"}]])
def test_node_of_a_chain_that_answers_nonsense_breaks_no_page(bazaar: Bazaar, logs: object):
    odd = Node()
    block = {"number": "0x1", "hash": "0x" + "ab" * 32, "timestamp": "0x1"}
    results = {"eth_chainId": "0x7a69", "eth_getBlockByNumber": block, "eth_getLogs": logs}
    odd.answer = lambda asked: {
        "jsonrpc": "2.0", "id": asked["id"], "result": results.get(asked["method"])
    }  # fmt: skip
    try:
        taken = bazaar.twin("cheap", chain=odd.url)["taken_on_chain"]
        assert taken["state"] == "not_checked"
        assert taken["problem"].startswith("the node did not say:")
        assert "<script>" not in bazaar.page("cheap", chain=odd.url)
    finally:
        odd.close()


def test_a_question_is_asked_once_in_its_seconds_and_few_answers_are_kept():
    at, asked = [0.0], []
    lately: Lately[int, str] = Lately(most=2, clock=lambda: at[0])

    def ask(number: int) -> str:
        return lately.of(number, lambda: asked.append(number) or f"{number} at {at[0]}")

    assert [ask(1), ask(1), ask(2), ask(3)] == ["1 at 0.0", "1 at 0.0", "2 at 0.0", "3 at 0.0"]
    assert ask(3) == "3 at 0.0"
    ask(1)  # it was let go of for the third
    assert asked == [1, 2, 3, 1]
    at[0] = FRESH
    assert ask(3) == f"3 at {FRESH}"
