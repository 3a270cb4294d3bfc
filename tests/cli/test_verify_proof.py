"""``teeproof verify`` and ``show`` on proofs, log entries, forks and logs."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from teeproof.cli.simulate import write_folder
from teeproof.core.clock import format_time
from teeproof.evidence.collect.simulated import opt_in_policy
from teeproof.proof.file import ProofFile, merge, tlog_proof
from teeproof.proof.log.checkpoint import Checkpoint, sign_checkpoint
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.log import Log
from teeproof.proof.log.note import NoteSigner
from teeproof.proof.monitor.fork import ForkProof
from tests.proof.people import NOW, platform, step, workload_named
from tests.proof.world import LATER, LOG_SEED, ONE, ORIGIN, TWO, World, lifecycle, log_policy

AT = ("--at", format_time(LATER))


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    world, said = lifecycle()
    Path("action.proof").write_bytes(world.export(said["action"]))
    Path("logs").write_bytes(log_policy(world.log).encode())
    Path("policy.toml").write_text(opt_in_policy(platform()))
    action = said["action"]
    Path("action.json").write_bytes(world.source.statement(action.id) or b"")
    Path("action.tlog-proof").write_bytes(tlog_proof(world.source, action.id))
    return tmp_path


def verify(teeproof, *more: str):
    return teeproof("verify", *more, "--policy", "policy.toml", *AT)


def test_a_proof_is_verified_with_everything_named(teeproof, here):
    answer = verify(teeproof, "action.proof", "--logs", "logs")
    assert answer.code == 0, answer.out
    words = (
        "proof · action.proof",
        "SIMULATED – made by a simulator",
        f"no later than {format_time(NOW)}",
        "statements, inputs first",
        "contribute",
        "validate of",
        "trade of",
        "the quorum cosigned: one, two",
        "SIMULATED, AND ALLOWED AS SUCH · 6 statements, 4 identities, 1 log, 0 checks failed",
    )
    places = [answer.out.index(word) for word in words]
    assert places == sorted(places)


def test_its_json_twin_says_the_same(teeproof, here):
    value = verify(teeproof, "action.proof", "--logs", "logs", "--json").json
    assert value["ok"] is True
    assert value["type"] == "urn:teeproof:proof-verdict:v1"
    assert value["level"] == "simulated"
    assert [one["title"] for one in value["statements"]][-1] == "trade"
    assert value["input"] == {"name": "action.proof"}


def test_without_a_policy_simulated_machines_are_not_allowed(teeproof, here):
    answer = teeproof("verify", "action.proof", "--logs", "logs", *AT)
    assert answer.code == 4
    assert "SIMULATED, NOT ALLOWED" in answer.out
    assert "which says: trade" in answer.out


def test_without_log_keys_no_time_is_believed(teeproof, here):
    answer = verify(teeproof, "action.proof")
    assert answer.code == 0
    assert "nobody that you trust vouches for when" in answer.out


def test_the_authors_policy_is_held_against_the_author(teeproof, here):
    Path("author.toml").write_text(opt_in_policy(platform()) + f'mrtd = ["{"00" * 48}"]\n')
    answer = verify(teeproof, "action.proof", "--author-policy", "author.toml")
    assert answer.code == 4
    assert "the root's author is not whom you expect" in answer.out


def test_many_proofs_are_verified_at_once(teeproof, here):
    with ProofFile.open(Path("action.proof")) as proof:
        merge([proof, proof], Path("other.proof"))
    answer = verify(teeproof, ".", "--logs", "logs")
    assert answer.code == 0
    assert answer.out.count("AND ALLOWED AS SUCH") == 2
    both = verify(teeproof, "action.proof", "other.proof", "--json").json
    assert [one["input"]["name"] for one in both["verdicts"]] == ["action.proof", "other.proof"]


def test_host_flips_one_byte_of_the_file(teeproof, here):
    data = bytearray(Path("action.proof").read_bytes())
    data[len(data) // 2] ^= 1
    Path("action.proof").write_bytes(data)
    answer = verify(teeproof, "action.proof", "--logs", "logs")
    assert answer.code == 2


def test_prover_changes_a_signature_and_mends_the_file(teeproof, here):
    from teeproof.cli.demo_proof import _change_a_byte

    with ProofFile.open(Path("action.proof")) as proof:
        ids = {proof.read(one).title: one for one in proof.statement_ids}  # type: ignore[union-attr]

    class Victim:
        id = ids["validate"]

    _change_a_byte(Path("action.proof"), Path("changed.proof"), Victim())  # type: ignore[arg-type]
    answer = verify(teeproof, "changed.proof", "--logs", "logs")
    assert answer.code == 2
    named = " ← ".join(
        f"{word} {ids[word].hex()[:8]}" for word in ("trade", "answer", "train", "validate")
    )
    assert named in answer.out
    assert "✗ signature" in answer.out


def test_a_log_entry_is_verified_with_its_record(teeproof, here):
    answer = teeproof("verify", "action.tlog-proof", "action.json", "--logs", "logs", *AT)
    assert answer.code == 0, answer.out + answer.err
    assert "LOGGED" in answer.out
    twin = teeproof("verify", "action.tlog-proof", "action.json", "--logs", "logs", *AT, "--json")
    assert twin.json["cosigned_by"] == ["one", "two"]


def test_prover_shows_the_log_entry_of_another_record(teeproof, here):
    author = workload_named("agent")
    other = author.sign(step(author, "steal", "all")).encode()
    Path("other.json").write_bytes(other)
    answer = teeproof("verify", "action.tlog-proof", "other.json", "--logs", "logs", *AT)
    assert answer.code == 2


@pytest.mark.parametrize("more", [(), ("action.json",), ("--logs", "logs")])
def test_a_log_entry_needs_its_record_and_keys(teeproof, here, more):
    assert teeproof("verify", "action.tlog-proof", *more).code == 1


def test_a_fork_convicts_the_log(teeproof, here):
    signer = NoteSigner(ORIGIN, LOG_SEED)
    one, two = (sign_checkpoint(Checkpoint(ORIGIN, 5, bytes([n]) * 32), signer) for n in (1, 2))
    Path("fork.proof").write_bytes(ForkProof.of(one, two).encode())
    answer = teeproof("verify", "fork.proof", "--logs", "logs")
    assert answer.code == 2
    assert "THE LOG HAS FORKED" in answer.out
    twin = teeproof("verify", "fork.proof", "--logs", "logs", "--json")
    assert twin.json["error"] == "log_forked"
    assert teeproof("verify", "fork.proof").code == 1


def test_network_accuses_an_honest_log(teeproof, here):
    signer = NoteSigner(ORIGIN, bytes(32))
    one, two = (sign_checkpoint(Checkpoint(ORIGIN, 5, bytes([n]) * 32), signer) for n in (1, 2))
    Path("fork.proof").write_bytes(ForkProof.of(one, two).encode())
    answer = teeproof("verify", "fork.proof", "--logs", "logs")
    assert answer.code == 2
    assert "THE LOG HAS FORKED" not in answer.out


def test_statements_in_a_log_on_this_machine_are_verified(teeproof, here):
    author = workload_named("agent")
    with Log.create(Path("log"), origin=ORIGIN, seed=LOG_SEED) as log:
        contents = Contents(log)
        contents.add_identity(author.record.encode(), author.blobs)
        said = step(author, "trade", "trade")
        contents.add_statement(author.sign(said).encode())
        signed = log.publish()
        time = int(NOW.timestamp())
        lines = [one.cosign(signed.note.text, time=time) for one in (ONE, TWO)]
        log.add_cosignatures(signed.checkpoint.size, lines)
        contents.close()
    answer = verify(teeproof, "log", said.name, "--logs", "logs")
    assert answer.code == 0, answer.out + answer.err
    assert verify(teeproof, "log", said.id.hex(), "--json").json["roots"] == [said.name]
    assert verify(teeproof, "log").code == 1
    assert verify(teeproof, "log", "abc").code == 1
    assert verify(teeproof, "log", "00" * 32).code == 3


@pytest.mark.parametrize(
    "options",
    [("--block", "1:00:00"), ("--block", "x"), ("--endorsements", "logs"), ("--logs", "missing")],
    ids=str,
)
def test_options_that_cannot_be_meant_are_refused(teeproof, here, options):
    assert verify(teeproof, "action.proof", *options).code in (1, 3)


def test_options_of_proofs_say_nothing_about_evidence(teeproof, here):
    from teeproof.cli.simulate import files_of
    from teeproof.evidence.collect.simulated import simulate, states

    evidence = simulate("up-to-date", bytes(64), platform=platform(), now=NOW)
    files = files_of(evidence, policy="", state=states()["up-to-date"])
    write_folder(Path("evidence"), files)
    answer = teeproof("verify", "evidence", "--logs", "logs")
    assert answer.code == 1
    assert "--logs" in answer.err


def test_show_says_what_a_proof_claims_without_checking(teeproof, here):
    answer = teeproof("show", "action.proof")
    assert answer.code == 0
    assert "NOT VERIFIED" in answer.out
    assert "trade" in answer.out
    value = teeproof("show", "action.proof", "--json").json
    assert len(value["statements"]) == 6
    assert value["logs"][0]["log"] == ORIGIN


def test_show_says_what_parts_of_a_proof_claim(teeproof, here):
    with zipfile.ZipFile("action.proof") as archive:
        archive.extractall("parts")
    identity = next(Path("parts/identities").iterdir())
    for path, word in (
        (identity, "statement ed25519"),
        (Path("action.json"), "trade"),
        (Path("action.tlog-proof"), ORIGIN),
    ):
        answer = teeproof("show", str(path))
        assert answer.code == 0
        assert word in answer.out
    assert json.loads(teeproof("show", str(identity), "--json").out)["kind"] == "identity"


def test_a_proof_with_thousands_of_statements_is_summed_up(teeproof, here):
    world = World()
    author = workload_named("busy")
    world.add(author)
    said = [world.say(step(author, "count", f"{n}"), author) for n in range(40)]
    world.publish()
    Path("many.proof").write_bytes(world.export(*said))
    answer = verify(teeproof, "many.proof")
    assert "40 ×" in answer.out
    every = verify(teeproof, "many.proof", "--all")
    assert every.out.count("count · by") == 40


def test_statements_of_a_log_are_exported_and_merged(teeproof, here):
    author = workload_named("agent")
    with Log.create(Path("log"), origin=ORIGIN, seed=LOG_SEED) as log:
        contents = Contents(log)
        contents.add_identity(author.record.encode(), author.blobs)
        one, two = step(author, "buy", "bought"), step(author, "sell", "sold")
        for said in (one, two):
            contents.add_statement(author.sign(said).encode())
        log.publish()
        contents.close()
    for said, name in ((one, "one.proof"), (two, "two.proof")):
        answer = teeproof("log", "export", "log", said.name, "-o", name)
        assert answer.code == 0, answer.err
    assert teeproof("log", "export", "log", one.name, "-o", "one.proof").code == 1, "it is there"
    done = teeproof("merge", "one.proof", "two.proof", "-o", "both.proof", "--json").json
    assert (done["statements"], done["identities"]) == (2, 1)
    direct = teeproof("log", "export", "log", one.name, two.name, "-o", "direct.proof", "--json")
    assert direct.json["bytes"] == done["bytes"]
    assert Path("direct.proof").read_bytes() == Path("both.proof").read_bytes()
    assert verify(teeproof, "both.proof").code == 0
    assert teeproof("log", "export", "log", "00" * 32, "-o", "x.proof").code == 3
    assert not Path("x.proof").exists()
