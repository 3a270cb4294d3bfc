"""``teeproof verify`` on files that are missing, damaged, many, or of a simulator."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from teeproof.evidence.collect.simulated import reference_policy
from teeproof.proof.file import ProofFile
from tests.cli.test_verify_proof import AT, here, verify
from tests.proof.people import NOW, platform

__all__ = ["here"]


@pytest.mark.parametrize(
    "words",
    [
        ("nofile.proof",),
        ("nofile.proof", "--logs", "logs"),
        ("nofile.proof", "--author-policy", "strict"),
        ("action.proof", "nofile.proof"),
        ("nofile.proof", "action.proof"),
        ("action.tlog-proof", "nofile.proof", "--logs", "logs"),
        ("log", "nofile.proof"),
    ],
)
def test_a_missing_file_is_called_missing(teeproof, here, words):
    answer = verify(teeproof, *words, "--json")
    assert (answer.code, answer.json["error"]) == (3, "file_unavailable")
    assert ("log" if words[0] == "log" else "nofile.proof") in answer.json["detail"]


def test_several_proofs_end_with_one_line(teeproof, here):
    data = Path("action.proof").read_bytes()
    Path("b.proof").write_bytes(data)
    answer = verify(teeproof, "action.proof", "b.proof")
    assert answer.out.splitlines()[-1] == "2 proofs: 2 hold"
    Path("y.proof").write_bytes(data[:-1])
    Path("z.proof").write_bytes(data[:-1])
    answer = verify(teeproof, "y.proof", "action.proof", "z.proof", "b.proof")
    assert answer.code == 2
    assert answer.out.splitlines()[-1] == "4 proofs: 2 hold, 2 refused: y.proof, z.proof"
    assert answer.out.count("SIMULATED, AND ALLOWED AS SUCH") == 2
    assert answer.out.count("  error ") == 2
    one = teeproof("verify", "action.proof", "y.proof", *AT)
    assert one.out.splitlines()[-1] == "2 proofs: 1 not allowed: action.proof, 1 refused: y.proof"
    assert "proofs: " not in verify(teeproof, "action.proof").out


def test_the_json_of_several_has_an_object_for_each(teeproof, here):
    Path("y.proof").write_bytes(b"PK\x03\x04")
    answer = verify(teeproof, "y.proof", "action.proof", "--json")
    assert (answer.code, answer.json["exit_code"], answer.json["ok"]) == (2, 2, False)
    bad, good = answer.json["verdicts"]
    assert bad == {
        "ok": False, "error": "proof_not_zip", "detail": bad["detail"], "expected": None,
        "got": "PK\\x03\\x04", "exit_code": 2, "input": {"name": "y.proof"},
    }  # fmt: skip
    assert good["exit_code"] == 0


def test_a_wrong_option_is_no_fault_of_every_proof(teeproof, here):
    Path("b.proof").write_bytes(Path("action.proof").read_bytes())
    answer = verify(teeproof, "action.proof", "b.proof", "--block", "x", "--json")
    assert (answer.code, answer.json["error"]) == (1, "block_malformed")


def test_nothing_is_said_of_secrecy_where_nothing_is_established(teeproof, here):
    whole = verify(teeproof, "action.proof")
    assert "confidential  no: simulated evidence keeps no secret" in whole.out
    Path("damaged.proof").write_bytes(_damaged(Path("action.proof").read_bytes()))
    answer = verify(teeproof, "damaged.proof")
    assert answer.code == 2
    assert "level         none – nothing is established" in answer.out
    assert "confidential  unknown: nothing is established" in answer.out
    assert verify(teeproof, "damaged.proof", "--json").json["confidential"] is False
    assert "this is not a proof file" not in answer.out
    assert "the proof's member blobs/" in answer.out


def _damaged(data: bytes) -> bytes:
    """Flip a byte of a quote, and mend nothing."""
    with ProofFile.from_bytes(data) as proof:
        blob = max((proof.blob(digest) or b"" for digest in proof.blob_digests), key=len)
    at = data.index(blob) + len(blob) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_a_refused_simulator_comes_with_the_option_that_accepts_it(teeproof, here, simulated):
    folder = simulated()
    for words in (("action.proof", *AT), (str(folder), "--at", "2026-03-01T12:00:00Z")):
        refused = teeproof("verify", *words)
        assert refused.code == 4
        option = shlex.split(refused.out.splitlines()[-1])
        assert option[0] == "--set"
        accepted = teeproof("verify", *words, *option)
        assert accepted.code == 0
        assert "--set" not in accepted.out


def test_what_was_accepted_before_stays_accepted(teeproof, here):
    root = "sha256:" + "11" * 32
    refused = teeproof("verify", "action.proof", *AT, "--set", f"simulated_roots={root}")
    option = shlex.split(refused.out.splitlines()[-1])
    assert option[1] == f"simulated_roots={root},{platform().root_fingerprint}"
    assert teeproof("verify", "action.proof", *AT, *option).code == 0


@pytest.mark.parametrize("option", ["--policy", "--author-policy"])
def test_a_policy_of_one_quote_is_refused_for_proofs(teeproof, here, option):
    Path("one.toml").write_text(reference_policy(platform(), report_data=bytes(64)))
    answer = teeproof("verify", "action.proof", *AT, option, "one.toml", "--json")
    assert (answer.code, answer.json["error"]) == (1, "policy_of_one_quote")
    assert "report_data" in answer.json["detail"]
    Path("any.toml").write_text(reference_policy(platform()))
    answer = teeproof("verify", "action.proof", *AT, option, "any.toml", "--json")
    assert answer.json.get("error") != "policy_of_one_quote"


def test_this_machines_simulator_has_a_policy_that_serves_for_proofs(
    teeproof, here, monkeypatch, tmp_path
):
    from teeproof.cli import demo_proof
    from teeproof.core.home import data_directory
    from teeproof.evidence.collect.simulated import open_platform

    ours = open_platform(data_directory(os.environ))
    said = teeproof("policy", "simulated")
    assert (said.code, said.out) == (0, teeproof("policy", "show", "simulated").out)
    assert f'"{ours.root_fingerprint}"' in said.out
    Path("own.toml").write_text(said.out)
    (tmp_path / "story").mkdir()
    monkeypatch.setattr(demo_proof.SimulatedPlatform, "create", classmethod(lambda cls: ours))
    demo_proof.tell(tmp_path / "story", lambda: NOW)
    proof = tmp_path / "story" / "answer.proof"
    assert teeproof("verify", proof, *AT, "--policy", "own.toml").code == 0
    assert teeproof("verify", proof, *AT, "--policy", "policy.toml").code == 4
    twin = teeproof("policy", "simulated", "--json").json
    assert ours.root_fingerprint in twin["policy"]["simulated_roots"]
    unknown = teeproof("verify", "action.proof", "--policy", "simulated")
    assert "teeproof policy simulated > simulated.toml" in unknown.err


def test_one_reason_is_said_once(teeproof, here):
    assert teeproof("log", "init", "log", "--origin", "other.example/log").code == 0
    key = teeproof("show", "log", "--json").json["for_policies"]
    Path("others").write_text(f"{key}\nquorum none\n")
    answer = verify(teeproof, "action.proof", "--logs", "others")
    assert answer.code == 4
    failed = answer.out[answer.out.index("what does not hold") :]
    assert failed.count("✗ ") == 1
    assert "identities " in failed
    assert "and 6 statements, such as: trade " in failed
    assert "10 checks failed, for 1 reason" in failed
    twin = verify(teeproof, "action.proof", "--logs", "others", "--json").json
    assert len(twin["faults"]) == 10


def test_one_signing_key_is_not_called_all(teeproof, here):
    assert "all 1 " not in verify(teeproof, "action.proof", "--all").out
