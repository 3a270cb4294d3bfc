"""The whole lifecycle in one command: what it tells is true, and what it leaves can be checked."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys

import pytest

from teeproof.cli.story.telling import LABELS
from teeproof.explorer.report.claims import claims
from tests.readme_picture import PICTURE, picture, shape
from tests.transcripts import blocks, matches
from tests.vectors import ROOT

# Another machine has the base install: whatever an extra brings cannot be imported there.
ANOTHER_MACHINE = """
import sys
ABSENT = {"torch", "transformers", "numpy", "tokenizers", "safetensors", "rensa", "eth", "eth_abi",
          "eth_account", "openai", "web3", "uvicorn", "starlette", "jinja2", "aiohttp"}
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"{name} is no part of the base install", name=name)
sys.meta_path.insert(0, Absent())
from teeproof.cli.offline import run
sys.exit(run(sys.argv[1:]))
"""


def another_machine(folder, *words):
    home = folder / "a-home-of-its-own"
    done = subprocess.run(
        [sys.executable, "-c", ANOTHER_MACHINE, *words, "--json"],
        capture_output=True, check=False, env={"PATH": os.defpath, "HOME": str(home)},
    )  # fmt: skip
    assert done.stderr.startswith(b"network: off"), done.stderr
    return done.returncode, json.loads(done.stdout)


# What serves until it is ended, and what asks for a GPU, has tests of its own.
NOT_HERE = ("teeproof demo", "teeproof up", "teeproof explorer", "teeproof bench gpu")
SHOWN = sorted({claim.command for claim in claims() if claim.command})


@pytest.mark.parametrize("line", [
    line for line in SHOWN if line.startswith("teeproof") and not line.startswith(NOT_HERE)
])  # fmt: skip
def test_what_the_report_page_says_to_type_succeeds_beside_the_demo(told, vectors, tmp_path, line):
    (tmp_path / "demo").symlink_to(told.folder)
    words = [word.replace("$TEEPROOF_VECTORS", str(vectors)) for word in shlex.split(line)]
    done = subprocess.run(
        [sys.executable, "-m", "teeproof.cli", *words[1:]], cwd=tmp_path, capture_output=True,
        check=False, env=os.environ | {"TEEPROOF_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout


def test_the_readme_shows_what_the_demo_tells(told):
    readme = (ROOT / "README.md").read_text()
    (shown,) = [b.body for b in blocks(readme) if b.body.startswith("1 Network ")]
    steps, at = {label: step for step, label in LABELS.items()}, ""
    for line in shown.splitlines():
        at = line[:11].strip() or at
        assert any(matches(line[11:], one["text"]) for one in told.of(steps[at])), line


def test_the_picture_in_the_readme_is_what_the_explorer_draws(told):
    assert shape(PICTURE.read_text()) == shape(picture(told.folder))
    assert "<script" not in PICTURE.read_text()
    assert f"docs/{PICTURE.name}" in (ROOT / "README.md").read_text()


def test_every_part_of_the_story_is_told(told):
    steps = list(dict.fromkeys(line["step"] for line in told.lines))
    assert steps == ["real", "network", "data", "train", "answer", "agent", "paid", "proof",
                     "broken", "withdraw"]  # fmt: skip
    assert [line["step"] for line in told.lines if line["real"]] == ["real"]


def test_every_line_that_claims_something_names_what_shows_it(told):
    for line in told.lines:
        if line["step"] not in ("real", "broken"):
            assert line["ids"], line["text"]


def test_a_node_that_lacks_its_gpu_is_refused(told):
    admitted, refused, rented = told.of("network")
    assert len(admitted["facts"]["admitted"]) == 2
    assert refused["facts"]["codes"] == ["gpu_report_missing"]
    assert rented["facts"]["rate"] == 25


def test_a_copy_earns_nothing_and_honest_files_weigh_differently(told):
    sent, copy, dataset = told.of("data")
    assert sent["facts"]["orders"] == 1200
    assert len(set(sent["facts"]["weights"])) == 3
    assert min(sent["facts"]["weights"]) > 0
    assert (copy["facts"]["decision"], copy["facts"]["weight"]) == ("copy", 0)
    assert dataset["facts"]["records"] == 1200


def test_the_model_understands_orders_that_nobody_sent(told):
    _, found = told.of("train")
    facts = found["facts"]
    assert facts["held_out"] / facts["of"] >= 0.95
    assert facts["before"] / facts["of"] <= 0.05
    assert facts["without_first"] < facts["held_out"]


def test_the_answer_is_the_order_that_was_meant(told):
    (line,) = told.of("answer")
    assert line["facts"]["right"] is True
    assert json.loads(line["facts"]["answer"]) == {"sell": "ETH", "part": 0.5, "below": 2000}


def test_the_agent_trades_inside_its_mandate_and_moves_nothing_when_told_to_drain(told):
    traded, refused = told.of("agent")
    assert traded["facts"]["outcome"] == "traded"
    assert traded["facts"]["tx"].startswith("0x")
    assert refused["facts"]["outcome"] == "refused"
    assert "allow-list" in refused["facts"]["rules"]
    assert refused["facts"]["moved"] == 0


def test_the_fee_is_divided_to_the_last_unit(told):
    (line,) = told.of("paid")
    parts = line["facts"]["parts"]
    assert line["facts"]["conserved"] is True
    assert line["facts"]["kept"] == 0
    amounts = [round(float(part) * 10**6) for role in parts.values() for part in role]
    assert sum(amounts) == 300_000
    assert (parts["node"], parts["model"], len(parts["data"])) == (["0.12"], ["0.09"], 3)


def test_the_proof_holds_on_another_machine_that_pins_the_simulated_root(told):
    trust = ("--policy", told.folder / "policy.toml", "--logs", told.folder / "trusted-logs")
    code, verdict = another_machine(
        told.folder, "verify", str(told.folder / "trade.proof"), *map(str, trust)
    )
    assert (code, verdict["level"]) == (0, "simulated"), verdict.get("faults")
    types = {one["type"] for one in verdict["statements"]}
    assert {"aci/1", *(f"urn:teeproof:{kind}:v1" for kind in (
        "action", "training", "dataset", "contribution", "release", "lease", "node"
    ))} <= types  # fmt: skip
    checked = {check["name"] for one in verdict["statements"] for check in one["checks"]
               if check["state"] == "passed"}  # fmt: skip
    assert {"training-job", "training-keys", "training-data"} <= checked


def test_the_logs_checkpoint_stands_in_a_block_and_proves_no_time(told):
    line = told.of("proof")[1]
    facts = line["facts"]
    assert "RED" not in line["text"]
    trust = ("--policy", told.folder / "policy.toml", "--logs", told.folder / "trusted-logs")
    words = ("verify", *map(str, (told.folder / "trade.proof", *trust)), "--block")
    chain, digest, contract = facts["block"].removeprefix("local:").split(":")
    for block, code, state in (
        (facts["block"], 0, "not_checked"),  # the event is there; the chain's clock proves nothing
        (f"local:{chain}:{digest}:0x{'11' * 20}", 2, "failed"),  # not by a contract that is trusted
        (f"local:{int(chain) + 1}:{digest}:{contract}", 2, "failed"),
    ):
        found, value = another_machine(told.folder, *words, block)
        (check,) = [one for one in value["logs"][0]["checks"] if one["name"] == "anchor"]
        assert (found, check["state"]) == (code, state)


def test_another_machine_that_pins_no_simulated_root_refuses_it(told):
    code, verdict = another_machine(
        told.folder, "verify", str(told.folder / "trade.proof"),
        "--logs", str(told.folder / "trusted-logs"),
    )  # fmt: skip
    assert code == 4
    assert "simulated-root" in {fault["check"]["name"] for fault in verdict["faults"]}


def test_each_break_is_red_and_names_its_edge(told):
    broken = {line["facts"]["broken"]: line for line in told.of("broken")}
    assert set(broken) == {"image", "weight", "record", "log"}
    assert all("RED" in line["text"] for line in broken.values())
    assert broken["image"]["facts"]["code"] == "code_not_granted"
    assert broken["weight"]["facts"]["code"] == "model_not_expected"
    assert "signature" in broken["record"]["facts"]["check"]
    assert "two trees" in broken["log"]["text"]


def test_a_contributor_who_leaves_is_trained_on_no_more(told):
    _, refused = told.of("withdraw")
    assert refused["facts"]["code"] == "withdrawn"
    assert len(refused["facts"]["models"]) == 1


def test_each_id_that_was_told_verifies_from_the_log_alone(told):
    ids = list(dict.fromkeys(one for line in told.lines for one in line["ids"]))
    trust = ("--policy", told.folder / "policy.toml", "--logs", told.folder / "trusted-logs")
    short = [one.removeprefix("sha256:")[:8] for one in ids]
    code, verdict = another_machine(
        told.folder, "verify", str(told.folder / "log"), *short, *map(str, trust)
    )
    assert code == 0, verdict.get("faults", verdict)
    assert set(verdict["roots"]) == set(ids)


def test_host_reads_the_whole_folder_and_finds_no_order_of_a_contributor(told):
    from teeproof.cli import demo_orders

    needle = demo_orders.contribution(2)[123].text.encode()
    own = told.folder / "people"
    for path in told.folder.rglob("*"):
        if path.is_file() and not path.is_relative_to(own):
            assert needle not in path.read_bytes(), path
