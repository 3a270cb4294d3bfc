"""``teeproof verify`` and ``show`` on proofs, log entries, forks and logs."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest

from teeproof.cli.asked import _blocks
from teeproof.cli.simulate import write_simulated
from teeproof.core.clock import format_time
from teeproof.core.errors import Usage
from teeproof.evidence.collect.simulated import opt_in_policy
from teeproof.proof.envelope import Envelope
from teeproof.proof.file import ProofFile, merge, tlog_proof
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.formats.checkpoint import Checkpoint, sign_checkpoint
from teeproof.proof.log.formats.note import NoteSigner
from teeproof.proof.log.storage.log import Log
from teeproof.proof.monitor.fork import ForkProof
from teeproof.proof.opening import load
from teeproof.proof.opening import verify as tp_verify
from tests.cli.program import program
from tests.proof.attacks.test_operators import anchored
from tests.proof.attacks.tools import receipt
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
        "claims        a program did the step “trade”",
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
    assert "To test with this simulator all the same, add" in answer.out


def test_of_a_broken_proof_no_option_is_offered_that_would_not_mend_it(teeproof, here):
    data = bytearray(Path("action.proof").read_bytes())
    data[len(data) // 2] ^= 1
    Path("action.proof").write_bytes(data)
    answer = teeproof("verify", "action.proof", "--logs", "logs", *AT)
    assert answer.code == 2
    assert "NOT AUTHENTIC" in answer.out
    assert "To test with this simulator" not in answer.out


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
    write_simulated(Path("evidence"), files)
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


def test_host_damages_the_head_of_one_proof_in_a_directory(teeproof, here):
    """What is called a proof is not passed over for what it holds."""
    Path("all").mkdir()
    data = Path("action.proof").read_bytes()
    Path("all/a.proof").write_bytes(data)
    assert verify(teeproof, "all").code == 0
    Path("all/b.proof").write_bytes(b"XX" + data[2:])
    answer = verify(teeproof, "all", "--json")
    assert answer.code == answer.json["exit_code"] == 2
    good, bad = answer.json["verdicts"]
    assert good["ok"] is True
    assert bad["ok"] is False
    assert (bad["error"], bad["input"]["name"]) == ("zip_headers_differ", "b.proof")
    screen = verify(teeproof, "all")
    assert screen.code == 2
    assert screen.out.splitlines()[-1] == "2 proofs: 1 holds, 1 refused: b.proof"
    for order in (("all/a.proof", "all/b.proof"), ("all/b.proof", "all/a.proof")):
        assert verify(teeproof, *order).out.splitlines()[-1] == screen.out.splitlines()[-1]
    Path("all/a.proof").unlink()
    assert verify(teeproof, "all").code == 2


def test_host_puts_a_pipe_where_a_proof_should_be(teeproof, here):
    os.mkfifo("pipe.proof")
    assert verify(teeproof, "pipe.proof", "--json").json["error"] == "not_a_file"
    assert teeproof("show", "pipe.proof", "--json").json["error"] == "not_a_file"
    Path("all").mkdir()
    os.mkfifo("all/a.proof")
    assert verify(teeproof, "all").code == 1
    with pytest.raises(Usage):
        load("pipe.proof")


def test_host_names_a_proof_like_standard_input(teeproof, here):
    Path("-").write_bytes(Path("action.proof").read_bytes())
    answer = program("verify", "-", *AT)
    assert answer.code != 0
    assert "standard input" in answer.err


@pytest.mark.parametrize("name", ["a" * 300, "loop", "locked/x", "/dev/zero", "missing"])
def test_whatever_cannot_be_read_is_one_error(teeproof, here, name):
    Path("loop").symlink_to("loop")
    answer = verify(teeproof, name, "--json")
    assert answer.code in (1, 3)
    assert answer.json["error"] in ("file_unavailable", "not_a_file")


def test_a_directory_of_proofs_goes_with_nothing_else(teeproof, here):
    answer = verify(teeproof, ".", "action.json", "--json")
    assert answer.json["error"] == "files_do_not_belong"


def test_a_receipt_is_found_in_a_log_with_the_identity_that_signed_it(teeproof, here):
    world = World()
    server = workload_named("server", "receipt")
    world.add(server)
    data = receipt(server, "answer")
    said = world.source.add_statement(data)
    world.publish()
    Path("receipt.json").write_bytes(data)
    Path("server.json").write_bytes(server.record.encode())
    Path("entry.tlog-proof").write_bytes(tlog_proof(world.source, said))
    Path("agent.json").write_bytes(workload_named("agent").record.encode())
    words = ("verify", "entry.tlog-proof", "receipt.json")
    assert teeproof(*words, "server.json", "--logs", "logs", *AT).code == 0
    assert teeproof(*words, "--logs", "logs", *AT).code == 3
    assert teeproof(*words, "agent.json", "--logs", "logs", *AT).code == 3
    assert teeproof(*words, "receipt.json", "--logs", "logs", *AT).code == 2
    assert teeproof(*words, "server.json", "server.json", "--logs", "logs", *AT).code == 1


@pytest.mark.parametrize("option", ["--author-policy", "--block"])
def test_options_that_say_nothing_about_a_log_entry_are_refused(teeproof, here, option):
    value = "policy.toml" if option == "--author-policy" else f"1:{'00' * 32}:{'00' * 20}"
    words = ("verify", "action.tlog-proof", "action.json", "--logs", "logs", *AT)
    answer = teeproof(*words, option, value, "--json")
    assert answer.json["error"] == "option_unused"


@pytest.mark.parametrize("chain", ["1_0", " 1", "-1", "0", "", "١", "1" * 5000])
def test_a_chain_is_a_number_in_digits(teeproof, here, chain):
    answer = verify(teeproof, "action.proof", "--block", f"{chain}:{'00' * 32}:{'00' * 20}")
    assert answer.code == 1


def test_a_block_named_twice_trusts_both_contracts_and_is_of_one_chain() -> None:
    block, one, two = "11" * 32, "22" * 20, "33" * 20
    (found,) = _blocks([f"1:{block}:{one}", f"1:0x{block}:{two}"]).values()
    assert found.contracts == {bytes.fromhex(one), bytes.fromhex(two)}
    with pytest.raises(Usage):
        _blocks([f"1:{block}:{one}", f"5:{block}:{one}"])


@pytest.mark.parametrize("out", ["action.proof/x", "missing/x", "."])
def test_a_file_that_cannot_be_written_is_one_error(teeproof, here, out):
    answer = teeproof("merge", "action.proof", "-o", out, "--force", "--json")
    assert answer.code in (1, 3)
    assert answer.json["ok"] is False


def test_merge_writes_over_nothing_unasked_not_even_a_link(teeproof, here):
    Path("link.proof").symlink_to("nowhere")
    for out in ("action.proof", "link.proof", "logs"):
        before = sorted(Path().iterdir())
        assert teeproof("merge", "action.proof", "-o", out).code == 1
        assert sorted(Path().iterdir()) == before
    assert teeproof("merge", "action.proof", "-o", "action.proof", "--force").code == 0
    assert verify(teeproof, "action.proof").code == 0


def test_server_dates_a_receipt_beyond_the_calendar(teeproof, here):
    from tests.proof.test_receipt import published

    Path("receipt.json").write_text(json.dumps(published(served_at=2**53 - 1)))
    assert teeproof("show", "receipt.json", "--json").json["served_at"] == 2**53 - 1


def test_keys_of_a_log_policy_are_given_as_a_path_as_bytes_or_parsed(here):
    with pytest.raises(Usage) as refused:
        tp_verify("action.proof", logs=7, now=LATER)  # type: ignore[call-overload]
    assert refused.value.code == "logs_malformed"
    assert tp_verify("action.proof", logs="logs", now=LATER).logs
    assert tp_verify("action.proof", logs=Path("logs").read_bytes(), now=LATER).logs


def test_host_hides_a_bad_proof_behind_good_ones(teeproof, here):
    """Of several verdicts the worst is the answer, wherever it stands."""
    data = bytearray(Path("action.proof").read_bytes())
    world = World()
    author = workload_named("agent")
    world.add(author)
    other = workload_named("other")
    said = step(author, "steal", "all")
    world.put(Envelope(said.payload, other.sign(step(other, "x", "y")).signatures))
    Path("bad.proof").write_bytes(world.export(said))
    for order in (("bad.proof", "action.proof"), ("action.proof", "bad.proof")):
        answer = verify(teeproof, *order, "--json")
        assert answer.code == answer.json["exit_code"] == 2
        assert answer.json["ok"] is False
        assert teeproof("verify", *order, *AT).code == 2, "and not 4, which is milder"
    Path("cut.proof").write_bytes(data[:-1])
    answer = verify(teeproof, "action.proof", "cut.proof", "--json")
    assert answer.code == 2
    assert answer.json["ok"] is False


def test_simulated_machines_are_never_called_authentic(teeproof, here):
    """Also where their simulator is trusted and something else is not as the policy wants it."""
    Path("wants.toml").write_text(opt_in_policy(platform()) + f'mrtd = ["{"00" * 48}"]\n')
    answer = teeproof("verify", "action.proof", "--policy", "wants.toml", *AT)
    assert answer.code == 4
    assert "SIMULATED, NOT ALLOWED" in answer.out
    assert "AUTHENTIC, NOT" not in answer.out
    world = World()
    author = workload_named("agent")
    world.add(author)
    said = world.say(step(author, "trade", "trade"), author)
    world.publish(by=())
    Path("alone.proof").write_bytes(world.export(said))
    answer = verify(teeproof, "alone.proof", "--logs", "logs")
    assert answer.code == 4
    assert "SIMULATED, NOT ALLOWED" in answer.out


def test_a_block_that_a_person_names_dates_a_statement(teeproof, here):
    world, file, trusted = anchored(public=True, at=NOW)
    Path("anchored.proof").write_bytes(file)
    Path("log-alone").write_text(f"log {world.log.verifier.text()}\nquorum none\n")
    ((digest, block),) = trusted.items()
    (contract,) = block.contracts
    words = ("anchored.proof", "--logs", "log-alone", "--json")
    name = f"{block.chain_id}:0x{digest.hex()}:0x{contract.hex()}"
    assert verify(teeproof, *words, "--block", name).json["time"] == format_time(NOW)
    assert verify(teeproof, *words).json["time"] is None
    other = f"{block.chain_id}:{digest.hex()}:{'11' * 20}"
    assert verify(teeproof, *words, "--block", other).code == 2
    both = verify(teeproof, *words, "--block", other, "--block", name)
    assert both.json["time"] == format_time(NOW)
    text = verify(teeproof, *words[:-1], "--block", other)
    assert "NOT AUTHENTIC" in text.out
    # The same chain, in the word of who trusts nobody who makes its blocks.
    local = verify(teeproof, *words, "--block", f"local:{name}")
    assert (local.code, local.json["time"]) == (0, None)
    ((check,),) = (
        [c for c in log["checks"] if c["name"] == "anchor"] for log in local.json["logs"]
    )
    assert (check["state"], "sets its clock" in check["detail"]) == ("not_checked", True)
    assert verify(teeproof, *words, "--block", f"local:{other}").code == 2
    twice = verify(teeproof, *words, "--block", name, "--block", f"local:{name}")
    assert twice.json["error"] == "block_malformed"


def test_log_publishes_before_witnesses_see_it_and_the_first_cosigned_checkpoint_is_taken(
    teeproof, here
):
    """A checkpoint that nobody cosigned is earlier, and dates nothing."""
    author = workload_named("agent")
    with Log.create(Path("log"), origin=ORIGIN, seed=LOG_SEED) as log:
        contents = Contents(log)
        contents.add_identity(author.record.encode(), author.blobs)
        said = step(author, "trade", "trade")
        contents.add_statement(author.sign(said).encode())
        log.publish()
        contents.add_statement(author.sign(step(author, "trade", "more")).encode())
        signed = log.publish()
        lines = [one.cosign(signed.note.text, time=int(NOW.timestamp())) for one in (ONE, TWO)]
        log.add_cosignatures(signed.checkpoint.size, lines)
        contents.close()
    words = ("--logs", "logs", "--json")
    assert verify(teeproof, "log", said.name, *words).json["time"] == format_time(NOW)
    for name, more, time in (
        ("with.proof", ("--logs", "logs"), format_time(NOW)),
        ("without.proof", (), None),
    ):
        assert teeproof("log", "export", "log", said.name, "-o", name, *more).code == 0
        assert verify(teeproof, name, *words).json["time"] == time
