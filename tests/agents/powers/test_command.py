"""``teeproof agent``: who can still change, stop or drain an agent, in a terminal and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from teeproof.agents import acted as module
from teeproof.cli import main
from tests.agents.powers.conftest import Launched, listing


@pytest.fixture
def files(launched: Launched, tmp_path: Path) -> tuple[Path, Path]:
    """The proof of an agent's last action, and the policy of its reader."""
    proof, policy = tmp_path / "last.proof", tmp_path / "policy.toml"
    proof.write_bytes(launched.export())
    code = launched.known.machine.code
    policy.write_text(listing(code or ""))
    return proof, policy


def asked(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    code = main(["agent", *map(str, words)])
    return code, capsys.readouterr().out


def test_the_table_answers_each_question(files, launched, capsys):
    proof, policy = files
    code, out = asked(capsys, proof, "--policy", policy, "--chain", launched.world.process.url)
    assert code == 0
    for question in ("drain its money", "move its keys", "change its code", "change its mandate",
                     "give it orders", "stop it", "read its memory"):  # fmt: skip
        assert f"  {question}" in out
    assert "known from" in out
    assert "Nobody can send it away" in out
    assert "refused by allow-list" in out
    assert "depositors take out" not in out
    assert "depositors take out" in asked(
        capsys, proof, "--policy", policy, "--chain", launched.world.process.url, "--all"
    )[1]  # fmt: skip


def test_json_has_the_same_and_each_reason(files, launched, capsys):
    proof, policy = files
    agent = launched.known.agent
    for name in (None, agent, agent[7:15], launched.known.statement[:20]):
        words = [proof, *([name] if name else []), "--policy", policy, "--json"]
        code, out = asked(capsys, *words, "--chain", launched.world.process.url)
        told = json.loads(out)
        assert (code, told["ok"], told["agent"]) == (0, True, agent)
    powers = {one["name"]: one for one in told["powers"]}
    assert powers["money"]["if_real"].startswith("Nobody can send it away")
    assert powers["code"]["reasons"][0]["ref"] == "compose_hash"
    assert [row["outcome"] for row in told["journal"]] == ["refused", "traded"]
    assert told["holding"]["checked"] is True


def test_strangers_who_crowd_a_turn_are_told_of(files, capsys, monkeypatch):
    found = module.acted_by

    def crowded(*given, **named):
        acted = found(*given, **named)
        return acted and replace(acted, crowded=(3,))

    monkeypatch.setattr(module, "acted_by", crowded)
    _, out = asked(capsys, files[0], "--policy", files[1])
    assert "CROWDED: so many statements claim turn 3" in out


def test_without_a_chain_the_money_is_not_checked(files, capsys):
    proof, policy = files
    code, out = asked(capsys, proof, "--policy", policy, "--json")
    told = json.loads(out)
    money = next(one for one in told["powers"] if one["name"] == "money")
    assert (code, money["state"], told["holding"]["checked"]) == (0, "not_checked", False)


def test_a_dead_node_is_told_and_the_rest_is_answered(files, capsys):
    proof, policy = files
    code, out = asked(capsys, proof, "--policy", policy, "--chain", "http://127.0.0.1:9", "--json")
    told = json.loads(out)
    money = next(one for one in told["powers"] if one["name"] == "money")
    assert (code, told["ok"], money["state"]) == (3, False, "not_checked")
    assert "does not answer" in money["who"]
    assert len(told["journal"]) == 2


def test_a_policy_that_does_not_list_its_code_is_not_met(files, tmp_path, capsys):
    proof, _ = files
    other = tmp_path / "other.toml"
    other.write_text(listing("ab" * 32))
    code, out = asked(capsys, proof, "--policy", other, "--json")
    powers = {one["name"]: one for one in json.loads(out)["powers"]}
    assert code == 4
    assert "your policy does not list this code" in powers["code"]["if_real"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("ab" * 32, "no such agent"), ("abcdef0123", "no such agent"), ("abc", "no agent's id"),
     ("xyzxyzxyz", "no agent's id")],
)  # fmt: skip
def test_an_agent_that_is_not_there_is_said_to_be_unknown(files, capsys, name, words):
    proof, _ = files
    assert main(["agent", str(proof), name]) in (1, 3)
    assert words in capsys.readouterr().err
    assert main(["agent", str(proof.parent)]) == 1


def test_a_proof_without_an_agent_names_none(tmp_path, capsys):
    from tests.proof.world import lifecycle

    world, said = lifecycle()
    (tmp_path / "a.proof").write_bytes(world.export(said["action"]))
    assert main(["agent", str(tmp_path / "a.proof")]) == 3
    assert "no such agent" in capsys.readouterr().err
