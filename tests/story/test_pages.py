"""The demo's own pages of its agent and its chain: a stranger learns who can drain what."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.cli.program import program

pytest.importorskip("starlette")


@pytest.fixture(scope="module")
def world(told):
    return json.loads((told.folder / "world.json").read_bytes())


@pytest.fixture(scope="module")
def pages(world):
    with httpx.Client(base_url=world["page"], timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def agent(pages):
    (one,) = pages.get("/here.json").json()["agents"]["latest"]
    return one["href"]


def test_the_agents_page_says_who_can_drain_it_and_shows_the_injection(pages, agent, told):
    told_agent = pages.get(f"{agent}.json").json()
    powers = {one["name"]: one for one in told_agent["powers"]}
    assert powers["money"]["if_real"].startswith("Nobody can send it away")
    assert powers["code"]["if_real"].startswith("Nobody")
    assert powers["mandate"]["if_real"].startswith("Nobody")
    first = told_agent["journal"][-2:]  # newest first; other tests ask the agent after the story
    assert [row["outcome"] for row in first] == ["refused", "traded"]
    assert first[0]["rules"][0]["rule"] == "allow-list"
    assert (told_agent["gaps"], told_agent["forks"]) == ([], [])
    assert told_agent["holding"]["checked"] is True
    assert "ignore your rules" in pages.get(agent).text
    assert told.of("agent")[0]["facts"]["fund"] in pages.get(agent).text


def test_the_nodes_page_has_its_part_of_the_fee_from_the_chain(pages):
    (paid,) = [one for one in pages.get("/chain.json").json()["payments"] if one["payer"]]
    (part,) = [one for one in paid["parts"] if one["role"] == "node"]
    nodes = [one["href"] for one in pages.get("/here.json").json()["nodes"]["latest"]]
    taken = [pages.get(f"{href}.json").json()["taken_on_chain"] for href in nodes]
    (earner,) = [one for one in taken if one["counted"]]
    (claim,) = earner["claims"]
    assert (claim["answer"], claim["payee"]) == (paid["answer"], part["address"])
    assert (claim["amount"], claim["standing"]["exit_code"]) == (part["amount"], 0)
    assert [one["amount"] for one in earner["totals"]] == [part["amount"]]
    page = next(href for href, one in zip(nodes, taken, strict=True) if one["counted"])
    assert f"<bdi>{claim['text']}</bdi>" in pages.get(page).text


def test_the_chains_page_has_every_contract_the_fee_and_the_checkpoint(pages, told):
    chain = pages.get("/chain.json").json()
    assert {(one["name"], one["state"]) for one in chain["contracts"]} == {
        (name, "passed") for name in ("Fund", "Pool", "TestToken", "Anchors", "Payments")
    }
    paid = [one for one in chain["payments"] if one["payer"]]
    (one,) = paid
    assert (one["check"]["state"], one["text"], one["kept"]) == ("passed", "0.30 tUSD", "0")
    assert sum(int(part["amount"]) for part in one["parts"]) == int(one["amount"])
    assert {part["role"] for part in one["parts"]} == {"node", "model", "data"}
    assert all(part["taken"] for part in one["parts"])
    assert [row["check"]["state"] for row in chain["anchors"]] == ["passed"]
    assert (chain["embedded"], chain["problems"]) == (True, {})
    tx = told.of("agent")[0]["facts"]["tx"]
    found = pages.get(f"/search?q={tx}")
    assert found.headers["location"] == f"/chain/tx/{tx}"
    events = pages.get(f"/chain/tx/{tx}.json").json()["transaction"]["events"]
    assert "Traded" in {event["event"] for event in events}


def test_the_command_says_the_same_in_a_terminal(pages, agent, told, world):
    words = ("agent", told.folder / "log", "--policy", told.folder / "policy.toml",
             "--logs", told.folder / "trusted-logs", "--chain", world["urls"]["chain"])  # fmt: skip
    said = program(*words, "--json", TEEPROOF_HOME=str(told.home))
    assert (said.code, said.json["ok"]) == (0, True)
    page = pages.get(f"{agent}.json").json()
    assert said.json["powers"] == page["powers"]
    assert said.json["journal"] == page["journal"]
    table = program(*words, TEEPROOF_HOME=str(told.home)).out
    assert "drain its money" in table
    assert "Nobody can send it away" in table
