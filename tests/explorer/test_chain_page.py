"""The page of the chain: contracts by their code, anchors against the log, transactions."""

from __future__ import annotations

import pytest

from teeproof.chain.anchors import origin_of
from teeproof.chain.seen import seen_of
from tests.agents.conftest import chain_process, shared  # noqa: F401  fixtures
from tests.agents.powers.conftest import Launched, launched  # noqa: F401  a fixture
from tests.chain.nodes import program
from tests.chain.test_endpoint import Node
from tests.explorer.acting import ORIGIN, Acting, acting, app
from tests.explorer.conftest import ask


@pytest.fixture(scope="module")
def here(launched: Launched, tmp_path_factory: pytest.TempPathFactory) -> Acting:  # noqa: F811
    return acting(launched, tmp_path_factory.mktemp("acting") / "log")


def fresh(here: Acting, launched: Launched) -> dict:  # noqa: F811
    """The chain as an explorer that was just started shows it."""
    return ask(app(here.book, launched.world.process.url), "GET", "/chain.json").json()


def test_contracts_are_told_by_their_code(here: Acting, launched: Launched):  # noqa: F811
    told = fresh(here, launched)
    states = {(one["name"], one["state"]) for one in told["contracts"]}
    assert states == {(name, "passed") for name in ("Fund", "Pool", "TestToken", "Anchors")}
    assert (told["embedded"], told["problems"]) == (True, {})
    page = ask(here.app, "GET", "/chain").text
    assert "An embedded chain" in page
    assert "proves no time" in page
    assert launched.world.market.fund.address in page


def test_anchors_are_held_against_the_log_itself(here: Acting, launched: Launched):  # noqa: F811
    (one,) = fresh(here, launched)["anchors"]
    assert (one["check"]["state"], one["contract"]) == ("passed", here.anchors)
    assert one["size"] == here.book.facts().published
    assert one["proves_time"] is False
    page = ask(here.app, "GET", "/chain").text
    assert f"--block local:{launched.world.process.chain_id}:" in page


def test_host_that_anchored_another_log_is_found_out(here: Acting, launched: Launched):  # noqa: F811
    market = launched.world.market
    contract = market.chain.deploy(market.owner, "Anchors")
    origin, size = origin_of(ORIGIN), here.book.facts().published
    market.chain.send(market.owner, contract, "register", origin, market.owner.address)
    market.chain.send(market.owner, contract, "anchor", origin, size, b"\x0b" * 32)
    market.chain.send(market.owner, contract, "anchor", origin, size + 9, b"\x0c" * 32)
    states = {
        one["check"]["state"] for one in fresh(here, launched)["anchors"]
        if one["contract"] == contract.address
    }  # fmt: skip
    assert states == {"failed", "not_checked"}  # another root; and more than this copy has


def test_stranger_whose_code_repeats_our_events_is_not_counted(
    here: Acting, launched: Launched  # noqa: F811
):  # fmt: skip
    from teeproof.chain.artifacts import at

    market, origin = launched.world.market, origin_of(ORIGIN)
    topic = at("Anchors", here.anchors).interface.topic("Anchored")
    # PUSH32 origin, PUSH32 topic, PUSH1 64, PUSH0, LOG2, STOP: Anchored(origin, 0, 0)
    code = b"\x7f" + origin + b"\x7f" + topic + bytes.fromhex("60405fa200")
    receipt = market.chain.transact(market.owner, None, program(code))
    assert receipt.created is not None
    market.chain.transact(market.owner, receipt.created, b"")
    seen = seen_of(market.chain, "Anchors", "Anchored", {"origin": [origin]})
    assert receipt.created in [one.address for one in seen.strangers]
    assert receipt.created not in [one.address for one in seen.events]
    told = fresh(here, launched)
    assert receipt.created not in [one["contract"] for one in told["anchors"]]
    (row,) = [one for one in told["contracts"] if receipt.created in one["detail"]]
    assert (row["state"], "not counted" in row["detail"]) == ("not_checked", True)


def test_without_a_node_the_page_says_what_it_lacks_and_what_the_log_says(
    here: Acting, launched: Launched  # noqa: F811
):  # fmt: skip
    page = ask(here.alone, "GET", "/chain").text
    assert "connected to no node" in page
    assert launched.known.mandate.fund in page
    told = ask(here.alone, "GET", "/chain.json").json()
    assert (told["chain_id"], told["contracts"], told["anchors"]) == (None, [], [])
    assert "no node" in told["problems"]["chain"]


def test_a_transaction_is_told_with_what_the_log_says_of_it(
    here: Acting, launched: Launched  # noqa: F811
):  # fmt: skip
    effect = launched.acted.turns[0].action.ending.effect
    assert effect is not None
    for given in (effect.tx, str(effect.tx).upper().replace("X", "x")):
        told = ask(here.app, "GET", f"/chain/tx/{given}.json").json()
        events = {one["event"] for one in told["transaction"]["events"]}
        assert {"Traded", "Swapped", "Transfer"} <= events
        assert told["transaction"]["status"] == 1
        assert [one["statement"][7:] for one in told["statements"]] == [here.statements[0]]
    page = ask(here.app, "GET", f"/chain/tx/{effect.tx}").text
    assert f"/p/{here.statements[0]}" in page
    found = ask(here.app, "GET", f"/search?q={effect.tx}")
    assert found.headers["location"] == f"/chain/tx/{effect.tx}"
    alone = ask(here.alone, "GET", f"/chain/tx/{effect.tx}")
    assert (alone.status_code, f"/p/{here.statements[0]}" in alone.text) == (200, True)
    assert ask(here.alone, "GET", f"/search?q={effect.tx}").headers["location"].startswith("/p/")


@pytest.mark.parametrize(
    ("name", "status"), [("0x" + "ab" * 32, 404), ("0x12", 400), ("ab" * 33, 400)]
)
def test_a_transaction_that_nobody_knows_is_said_to_be_none(here: Acting, name: str, status: int):
    for one in (here.app, here.alone):
        assert ask(one, "GET", f"/chain/tx/{name}").status_code == status


EVENT = {
    "address": "0x" + "ab" * 20, "topics": [], "data": "0x", "blockNumber": "0x1",
    "blockHash": "0x" + "cd" * 32, "transactionHash": "0x" + "ef" * 32, "logIndex": "0x0",
}  # fmt: skip


def _whole(log: object, topics: list[str]) -> object:
    """Give an event without topics or data those of an anchor."""
    if not isinstance(log, dict) or log.get("topics") != []:
        return log
    data = "0x" + "00" * 64 if log["data"] == "0x" else log["data"]
    return log | {"topics": topics, "data": data}


@pytest.mark.parametrize(
    "logs",
    [
        5, None, [5], [None], [{}], [[]], [EVENT | {"address": "<script>"}],
        [EVENT | {"blockHash": "<script>"}], [EVENT | {"transactionHash": 7}],
        [EVENT | {"blockNumber": "0x" + "f" * 5000}], [EVENT | {"data": "0x0"}],
        [EVENT | {"topics": ["0x"]}], [EVENT | {"logIndex": "-0x1"}],
        [EVENT | {"address": f"0x{number:040x}"} for number in range(400)],
    ],
)  # fmt: skip
def test_node_that_makes_up_events_breaks_no_page(here: Acting, launched: Launched, logs):  # noqa: F811
    from teeproof.chain.artifacts import at

    topic = "0x" + at("Anchors", here.anchors).interface.topic("Anchored").hex()
    full = [topic, "0x" + origin_of(ORIGIN).hex()]
    if isinstance(logs, list):
        logs = [_whole(one, full) for one in logs]
    endpoint = launched.world.market.chain.endpoint
    odd = Node()

    def answer(asked: dict) -> object:
        result = logs if asked["method"] == "eth_getLogs" else endpoint.ask(
            asked["method"], *asked["params"]
        )  # fmt: skip
        return {"jsonrpc": "2.0", "id": asked["id"], "result": result}

    odd.answer = answer
    try:
        lying = app(here.book, odd.url)
        page = ask(lying, "GET", "/chain")
        assert page.status_code == 200
        assert "<script>" not in page.text
        told = ask(lying, "GET", "/chain.json").json()
        assert told["anchors"] == []
        assert ("Fund", "passed") in {(one["name"], one["state"]) for one in told["contracts"]}
    finally:
        odd.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"transactionHash": "0x" + "11" * 32}, {"blockHash": "zz"}, {"status": "0x" + "1" * 70},
        {"logs": [{}]}, {"logs": None}, {"blockNumber": "0x" + "f" * 64},
    ],
)  # fmt: skip
def test_node_that_lies_about_a_transaction_is_not_believed(
    here: Acting, launched: Launched, changes  # noqa: F811
):  # fmt: skip
    effect = launched.acted.turns[0].action.ending.effect
    endpoint = launched.world.market.chain.endpoint
    odd = Node()

    def answer(asked: dict) -> object:
        result = endpoint.ask(asked["method"], *asked["params"])
        if asked["method"] == "eth_getTransactionReceipt":
            result = result | changes
        return {"jsonrpc": "2.0", "id": asked["id"], "result": result}

    odd.answer = answer
    try:
        told = ask(app(here.book, odd.url), "GET", f"/chain/tx/{effect.tx}.json").json()
        assert told["transaction"] is None
        assert "the node did not say" in told["problem"]
    finally:
        odd.close()
