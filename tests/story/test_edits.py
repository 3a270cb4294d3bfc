"""Five more ways to bend the story's proof; each is red, and names where."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from teeproof.cli.story.broken import edit_statement


def verify(folder, proof):
    done = subprocess.run(
        [sys.executable, "-m", "teeproof.cli", "verify", str(proof), "--json",
         "--policy", str(folder / "policy.toml"), "--logs", str(folder / "trusted-logs")],
        capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout)


def statements(told, kind):
    _, verdict = verify(told.folder, told.folder / "trade.proof")
    return [one["id"] for one in verdict["statements"] if one["type"].endswith(kind)]


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        pytest.param("training:v1", ('"right":', '"right":1'), id="trainer inflates its accuracy"),
        pytest.param("dataset:v1", ('"weight":', '"weight":9'), id="pool inflates a weight"),
        pytest.param("lease:v1", ('"payout":"0x', '"payout":"0xf'), id="market pays another"),
        pytest.param("release:v1", ('"decision":"released"', '"decision":"refused"'),
                     id="kms denies what it released"),
        pytest.param("node:v1", ('"cpus":1', '"cpus":8'), id="node claims more cores"),
    ],
)  # fmt: skip
def test_operator_edits_a_statement_of_the_lineage(told, tmp_path, kind, change):
    target = statements(told, kind)[0]
    proof = tmp_path / "edited.proof"

    def bend(text):
        if change[0] != '"payout":"0x':
            return text.replace(*change, 1)
        at = text.index(change[0]) + len(change[0])  # an address keeps its length
        return text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]

    edit_statement(told.folder / "trade.proof", proof, target, bend)
    code, verdict = verify(told.folder, proof)
    assert code == 2
    faults = verdict.get("faults", [])
    assert not faults or any(fault["check"]["name"] in ("signature", "inputs", "inclusion")
                             for fault in faults)  # fmt: skip
    assert faults or verdict["error"]
