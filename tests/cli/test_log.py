"""teeproof log: make, serve, fill, publish, prove and check a log, and kill its server."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from teeproof.core.clock import wall_clock
from teeproof.core.digests import named, sha256
from teeproof.core.errors import Error
from teeproof.evidence.collect.simulated import opt_in_policy
from teeproof.proof.envelope import Envelope, Signature
from teeproof.proof.file import ProofFile
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.formats.note import VerifierKey
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.log.formats.tiles import entries_path, tile_path
from teeproof.proof.log.formats.tlogproof import TlogProof, verify
from teeproof.proof.log.http.client import LogClient
from teeproof.proof.log.http.tokens import first_token
from teeproof.proof.log.storage.log import Log
from teeproof.proof.witness.app import App
from teeproof.proof.witness.witness import Witness
from teeproof.proof.workload import Identity
from tests.cli.program import Answer, program
from tests.proof.attacks.tools import receipt as receipt_of
from tests.proof.log.http.httplog import (
    identity,
    receipt,
    running,
    statement,
    statement_id,
    unsigned,
)
from tests.proof.people import attester, platform, step, workload_named
from tests.proof.witness.scenes import COSIGNER

PROGRAM = Path(sys.executable).with_name("teeproof")
ORIGIN = "log.example/cli"
NOW = 2_000_000_000


class Server:
    """``teeproof log serve`` in a process of its own."""

    def __init__(self, folder: Path, *options: object) -> None:
        self.folder = folder
        with (folder.parent / "stderr.txt").open("w") as stderr:
            self.process = subprocess.Popen(
                [PROGRAM, "log", "serve", folder, "--listen", "127.0.0.1:0", "--json", *options],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        lines = []
        while not lines or lines[-1] != "}\n":
            lines.append(self.process.stdout.readline())
            assert lines[-1], (folder.parent / "stderr.txt").read_text()
        self.about = json.loads("".join(lines))
        assert "url" in self.about, self.about

    @property
    def reach(self) -> tuple[object, ...]:
        return (self.about["url"], "--key", self.about["vkey"])

    @property
    def token(self) -> tuple[object, ...]:
        return ("--token-file", self.about["token_file"])

    def client(self) -> LogClient:
        key = VerifierKey.parse(self.about["vkey"])
        token = first_token(Path(self.about["token_file"]))
        return LogClient(self.about["url"], key, token=token, sleep=lambda _: None)

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.stdout.close()
        return self.process.wait(timeout=120)

    @property
    def said(self) -> str:
        return (self.folder.parent / "stderr.txt").read_text()


def fill(
    server: Server, taken: Callable[[bytes, tuple[int, bytes]], None], *, start: int = 0
) -> list[threading.Thread]:
    """Append from six clients until the server is gone; tell of each acknowledged record."""

    def work(number: int) -> None:
        with contextlib.suppress(Error), server.client() as client:
            for n in range(10_000):
                data = statement(start + 10_000 * number + n)
                promise = client.append(data)
                taken(statement_id(data), (promise.index, promise.salt))

    workers = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for worker in workers:
        worker.start()
    return workers


@pytest.fixture
def made(teeproof, tmp_path):
    """A new log's directory."""
    answer = teeproof("log", "init", tmp_path / "log", "--origin", ORIGIN)
    assert answer.code == 0, answer.err
    return tmp_path / "log"


@pytest.fixture
def server(made):
    found = Server(made, "--every", "0.1")
    yield found
    found.stop(signal.SIGKILL)


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "step.json"
    path.write_bytes(statement())
    return path


def key_of(folder: Path) -> VerifierKey:
    with Log.open(folder, read_only=True) as log:
        return log.verifier


def many(path: Path, *numbers: int) -> Path:
    path.write_bytes(b"".join(statement(n) + b"\n" for n in numbers))
    return path


def test_a_log_is_made_once_with_a_key_of_its_own(teeproof, tmp_path):
    answer = teeproof("log", "init", tmp_path / "log", "--origin", ORIGIN, "--json")
    said = answer.json
    assert VerifierKey.parse(said["vkey"]).name == ORIGIN
    assert TlogPolicy.parse(f"{said['policy']}\nquorum none\n").logs[ORIGIN]
    again = teeproof("log", "init", tmp_path / "log", "--origin", ORIGIN)
    assert again.code == 1
    other = teeproof("log", "init", tmp_path / "other", "--origin", ORIGIN, "--json").json
    assert other["vkey"] != said["vkey"]
    assert teeproof("log", "init", tmp_path / "third", "--origin", "a name").code == 2


def test_a_log_that_nobody_serves_is_filled_published_proved_and_checked(
    teeproof, made, record, tmp_path
):
    added = teeproof("log", "append", made, record, "--json").json
    assert [(row["index"], row["proved"]) for row in added] == [(0, False)]
    early = teeproof("log", "prove", made, added[0]["id"])
    assert early.code == 3
    assert teeproof("log", "publish", made).code == 0
    out = tmp_path / "step.tlog-proof"
    answer = teeproof("log", "prove", made, added[0]["id"], "-o", out)
    assert answer.code == 0
    assert str(out) in answer.out
    with Log.open(made) as log:
        proof = TlogProof.parse(out.read_bytes())
        policy = TlogPolicy.parse(f"log {log.verifier.text()}\nquorum none\n")
        assert verify(proof, log.entry(0), policy=policy, now=NOW).log
        assert proof.extra[:32].hex() == added[0]["salt"]
    assert teeproof("log", "prove", made, 0).out.encode() == out.read_bytes()
    twin = teeproof("log", "prove", made, 0, "--json").json
    assert (twin["index"], twin["proof"].encode()) == (0, out.read_bytes())
    checked = teeproof("log", "check", made)
    assert checked.code == 0
    assert "1 in 1 bundle, 0 faults" in checked.out


def test_a_token_holder_who_enters_words_first_does_not_get_their_proof(teeproof, made, tmp_path):
    author = workload_named("author")
    said = step(author, "train", "model")
    honest = author.sign(said)
    forged = Envelope(said.payload, (Signature("", bytes(64)),))
    for number, one in enumerate((author.record, forged, honest)):
        path = tmp_path / f"{number}.json"
        path.write_bytes(one.encode())
        assert teeproof("log", "append", made, path).code == 0
    assert teeproof("log", "publish", made).code == 0
    proof = TlogProof.parse(teeproof("log", "prove", made, said.name).out.encode())
    assert (proof.index, proof.extra[32:]) == (2, honest.seal(1))


def test_a_token_holder_who_took_a_keyset_first_makes_no_receipt_look_changed(teeproof, made):
    author = workload_named("author", "receipt")
    with Log.open(made) as log, contextlib.closing(Contents(log)) as contents:
        contents.add_identity(unsigned(author.record).encode(), author.blobs)
        contents.add_identity(author.record.encode(), author.blobs)
        contents.add_statement(receipt_of(author, "hello"))
        contents.publish()
    checked = teeproof("log", "check", made)
    assert (checked.code, "0 faults" in checked.out) == (0, True), checked.out


def test_what_is_not_in_the_log_has_no_proof(teeproof, made):
    assert teeproof("log", "prove", made, named(sha256(b"x"))).code == 3
    assert teeproof("log", "prove", made, "7").code in (1, 3)
    assert teeproof("log", "prove", made, "9" * 30).code == 1
    assert teeproof("log", "prove", made, "step.json").code == 2


def test_records_come_one_per_file_or_one_per_line_and_spread_over_lines(teeproof, made, tmp_path):
    pretty = tmp_path / "pretty.json"
    pretty.write_text(json.dumps(json.loads(statement(1)), indent=2))
    lines = many(tmp_path / "many.ndjson", 2, 3, 1)
    who = identity()
    paper = tmp_path / "receipt.json"
    paper.write_bytes(who.encode() + b"\n" + receipt(who.keyset_digest) + b"\n\n")
    rows = teeproof("log", "append", made, pretty, lines, paper, "--json").json
    assert [row["index"] for row in rows] == [0, 1, 2, 0, 3, 4]
    assert rows[1]["file"].endswith("many.ndjson:1")
    teeproof("log", "publish", made)
    assert teeproof("log", "check", made).code == 3, "the identity's evidence did not come along"


@pytest.fixture(scope="module")
def proof(tmp_path_factory):
    """A proof file that a workload saved on its own; no log is in it."""
    path = tmp_path_factory.mktemp("proof") / "x.proof"
    me = Identity.boot(attester(at=wall_clock()))
    first = me.seal("train", outputs={"model": b"weights"})
    made = me.seal("answer", outputs={"answer": b"42"}, inputs={"model": first})
    made.save(path)
    return path, made, me


def test_a_proof_file_goes_into_a_log_here_with_its_evidence(teeproof, made, proof, tmp_path):
    path, answer, me = proof
    rows = teeproof("log", "append", made, path, "--json").json
    assert [row["index"] for row in rows] == [0, 1, 2]
    assert [row["evidence_missing"] for row in rows] == [[], [], []]
    assert rows[0]["file"] == f"{path}: {me.name}"
    teeproof("log", "publish", made)
    checked = teeproof("log", "check", made, "--json").json
    assert checked["evidence"] == {"blobs": len(me.blobs), "missing_or_changed": 0}
    out = tmp_path / "y.proof"
    exported = teeproof("log", "export", made, answer.name, "-o", out)
    assert exported.code == 0, exported.err
    with ProofFile.open(out) as found:
        assert found.logged(answer.id).index > 0
    again = subprocess.run(
        [PROGRAM, "log", "append", made, "-", "--json"],
        input=path.read_bytes(),
        capture_output=True,
        check=True,
    )
    assert [row["index"] for row in json.loads(again.stdout)] == [0, 1, 2]


OTHER = Cosigner("other.example/w", b"\x07" * 32)


@pytest.fixture
def witnessed(made, tmp_path):
    """Return what publishes a log by a policy: one witness of it answers, the other is gone."""

    @contextlib.contextmanager
    def opened():
        with socket.create_server(("127.0.0.1", 0)) as taken:
            gone = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with (
            Witness.open(tmp_path / "w", COSIGNER, logs=[key_of(made)]) as witness,
            running(App(witness)) as url,
        ):
            yield url, gone

    def publish(teeproof, quorum: str, *options: object, other: bool = True) -> Answer:
        known = tmp_path / "trusted-logs"
        with opened() as (url, gone):
            known.write_text(
                f"log {key_of(made).text()}\n"
                f"witness one {COSIGNER.verifier.text()} {url}\n"
                f"witness other {OTHER.verifier.text()}{f' {gone}' if other else ''}\n"
                f"group both {2 if quorum == 'all' else 1} one other\n"
                f"quorum {quorum if quorum in ('none', 'other') else 'both'}\n"
            )
            options = [str(one).replace("GONE", gone) for one in options]
            return teeproof("log", "publish", made, "--logs", known, *options)

    return publish


@pytest.mark.parametrize("quorum", ["any", "none"])
def test_a_quorum_is_enough_and_the_witness_that_lacks_is_named(teeproof, witnessed, quorum):
    answer = witnessed(teeproof, quorum, "--json")
    assert (answer.code, answer.json["ok"], answer.json["quorum"]) == (0, True, True)
    assert answer.json["cosigned_by"] == [COSIGNER.verifier.name]
    (complaint,) = answer.json["complaints"]
    assert complaint.startswith("other.example/w ")
    said = witnessed(teeproof, quorum).out
    assert "– not cosigned" in said
    assert "other.example/w" in said
    assert "reached, as the policy counts" in said


@pytest.mark.parametrize(("quorum", "other"), [("all", True), ("all", False), ("other", False)])
def test_without_the_quorum_it_ends_with_3_whoever_is_missing(teeproof, witnessed, quorum, other):
    answer = witnessed(teeproof, quorum, "--json", other=other)
    assert (answer.code, answer.json["ok"], answer.json["quorum"]) == (3, False, False)
    (complaint,) = answer.json["complaints"]
    assert complaint.startswith("other.example/w ")
    assert ("url_missing" in complaint) is not other
    said = witnessed(teeproof, quorum, other=other)
    assert (said.code, "✗ quorum" in said.out, "not reached" in said.out) == (3, True, True)


def test_a_witness_that_is_named_beside_the_policy_must_cosign_too(teeproof, witnessed, made):
    named = ("--witness", f"{OTHER.verifier.text()} GONE")
    answer = witnessed(teeproof, "any", *named, "--json")
    assert (answer.code, answer.json["ok"], answer.json["quorum"]) == (3, False, True)


def test_a_proof_file_goes_into_a_served_log_and_comes_out_with_the_time_that_it_was_witnessed(
    teeproof, made, proof, tmp_path
):
    path, answer, _ = proof
    known = tmp_path / "trusted-logs"
    with (
        Witness.open(tmp_path / "w", COSIGNER, logs=[key_of(made)]) as witness,
        running(App(witness)) as url,
    ):
        known.write_text(
            f"log {key_of(made).text()}\nwitness w {COSIGNER.verifier.text()} {url}\nquorum w\n"
        )
        server = Server(made, "--every", "0.1", "--logs", known)
        try:
            reach = (server.about["url"], "--logs", known)
            sent = teeproof("log", "append", *reach, *server.token, path, "--wait", "--json")
            assert [row["evidence_missing"] for row in sent.json] == [[], [], []]
            assert teeproof("log", "prove", *reach, *server.token, answer.name).code == 0
        finally:
            server.stop()
    out = tmp_path / "y.proof"
    export = ("log", "export", made, answer.name, "-o", out, "--logs", known)
    assert teeproof(*export).code == 0
    rules = tmp_path / "policy.toml"
    rules.write_text(opt_in_policy(platform()))
    words = ("verify", out, "--logs", known, "--policy", rules)
    verdict = teeproof(*words, "--json")
    assert verdict.code == 0, verdict.out
    (root,) = (one for one in verdict.json["statements"] if one["id"] == answer.name)
    assert root["time"] is not None
    alone = teeproof("verify", path, "--logs", known, "--policy", rules, "--json")
    assert alone.code == 4, "the file that went in has no time"


def test_an_identity_without_its_evidence_is_taken_and_that_is_said(
    teeproof, made, proof, tmp_path
):
    _, _, me = proof
    record = tmp_path / "identity.json"
    record.write_bytes(me.record.encode())
    said = teeproof("log", "append", made, record)
    assert said.code == 0
    assert "evidence" in said.out
    assert f"teeproof log append {made} x.proof" in said.out
    twin = teeproof("log", "append", made, record, "--json").json
    assert twin[0]["evidence_missing"] == sorted(me.blobs)
    server = Server(made)
    try:
        sent = teeproof("log", "append", *server.reach, *server.token, record, "--json").json
        assert sent[0]["evidence_missing"] == sorted(me.blobs)
    finally:
        server.stop()


@pytest.mark.parametrize("change", ["remove", "alter"])
def test_host_evidence_that_is_gone_or_changed_fails_the_check(teeproof, made, proof, change):
    path, _, me = proof
    teeproof("log", "append", made, path)
    teeproof("log", "publish", made)
    assert teeproof("log", "check", made).code == 0
    if change == "remove":
        shutil.rmtree(made / "blobs")
        code, error, wrong = 3, "evidence_missing", len(me.blobs)
    else:
        blob = next(path for path in (made / "blobs").rglob("*") if path.is_file())
        blob.write_bytes(b"\0" + blob.read_bytes()[1:])
        code, error, wrong = 2, "log_corrupt", 1
    answer = teeproof("log", "check", made, "--json")
    assert (answer.code, answer.json["ok"]) == (code, False)
    assert {fault["error"] for fault in answer.json["faults"]} == {error}
    assert answer.json["evidence"] == {"blobs": len(me.blobs), "missing_or_changed": wrong}
    assert (
        f"{wrong} of {len(me.blobs)} blobs missing or changed" in teeproof("log", "check", made).out
    )


def test_a_file_that_is_no_proof_but_begins_like_one_is_refused(teeproof, made, tmp_path):
    path = tmp_path / "x.proof"
    path.write_bytes(b"PK\x03\x04 and nothing that follows")
    assert teeproof("log", "append", made, path).code == 2
    assert teeproof("log", "publish", made, "--json").json["size"] == 0


def test_a_log_s_key_can_be_shown_again_and_written_as_a_policy(teeproof, made, record, tmp_path):
    teeproof("log", "append", made, record)
    teeproof("log", "publish", made)
    key, policy = key_of(made).text(), tmp_path / "trusted-logs"
    shown = teeproof("log", "show", made, "--logs-out", policy)
    assert shown.code == 0
    assert f"  for policies  log {key}\n" in shown.out
    assert TlogPolicy.parse(policy.read_bytes()).logs[ORIGIN].key.text() == key
    assert teeproof("log", "check", made, "--logs", policy).code == 0
    twin = teeproof("log", "show", made, "--json").json
    assert (twin["ok"], twin["vkey"], twin["size"], twin["cosignatures"]) == (True, key, 1, [])
    assert twin["checkpoint"].startswith(f"{ORIGIN}\n1\n")
    before = policy.read_bytes()
    assert teeproof("log", "show", made, "--logs-out", policy).code == 1
    other = ("log", "init", tmp_path / "other", "--origin", "log.example/other")
    assert teeproof(*other, "--logs-out", policy).code == 1
    assert not (tmp_path / "other").exists(), "nothing is made before it is known to fit"
    assert policy.read_bytes() == before
    assert teeproof(*other, "--logs-out", policy, "--force").code == 0
    assert "log.example/other" in TlogPolicy.parse(policy.read_bytes()).logs
    assert teeproof("log", "show", tmp_path / "nothing").code == 3


def test_of_a_log_in_pieces_what_is_left_is_shown(teeproof, made):
    key = key_of(made).text()
    (made / "index.sqlite").unlink()
    answer = teeproof("log", "show", made, "--json")
    assert (answer.code, answer.json["ok"], answer.json["vkey"]) == (3, False, key)
    assert answer.json["error"]["error"] == "log_index"
    assert "teeproof log publish" in teeproof("log", "show", made).out
    teeproof("log", "publish", made)
    shutil.rmtree(made / "public")
    answer = teeproof("log", "check", made, "--json")
    assert (answer.code, answer.json["error"]) == (3, "served_missing")
    assert teeproof("log", "publish", made).code == 0
    assert teeproof("log", "check", made).code == 0


def test_host_a_key_that_others_could_read_is_said(teeproof, made):
    (made / "key").chmod(0o644)
    for words in (("show", made), ("check", made)):
        assert "could use key" in teeproof("log", *words).out
        assert "could use key" in teeproof("log", *words, "--json").json["warning"]
    server = Server(made)
    server.stop()
    assert "event=exposed files=key" in server.said
    assert teeproof("log", "show", made, "--json").json["warning"] is None, "it was mended"
    (made / "key").chmod(0o644)
    assert "could use key" in teeproof("log", "publish", made).err


def test_a_proof_overwrites_nothing_unless_it_is_told_to(teeproof, made, record, tmp_path):
    teeproof("log", "append", made, record)
    teeproof("log", "publish", made)
    kept = tmp_path / "keep.txt"
    kept.write_text("mine")
    answer = teeproof("log", "prove", made, 0, "-o", kept, "--json")
    assert (answer.code, answer.json["error"]) == (1, "out_taken")
    assert kept.read_text() == "mine"
    assert teeproof("log", "prove", made, 0, "-o", kept, "--force").code == 0
    assert TlogProof.parse(kept.read_bytes()).index == 0


def test_a_log_with_a_new_key_and_an_old_one_is_found_by_either(teeproof, server, tmp_path):
    new = VerifierKey(ORIGIN, 1, Cosigner("x", b"\x01" * 32).verifier.public_key).text()
    policy = tmp_path / "policy"
    policy.write_text(f"log {new}\nlog {server.about['vkey']}\nquorum none\n")
    assert teeproof("log", "check", server.about["url"], "--logs", policy).code == 0
    assert teeproof("log", "check", server.about["url"], "--key", new).code == 2


def test_over_the_network_evidence_is_not_checked_and_that_is_said(teeproof, server):
    assert "not checked" in teeproof("log", "check", *server.reach).out
    assert teeproof("log", "check", *server.reach, "--json").json["evidence"] is None


def test_a_bad_record_is_named_and_nothing_is_appended(teeproof, made, record, tmp_path):
    bad = tmp_path / "bad.ndjson"
    bad.write_bytes(statement(7) + b"\n{}\n")
    answer = teeproof("log", "append", made, record, bad)
    assert answer.code == 2
    assert "bad.ndjson:2" in answer.err
    assert teeproof("log", "publish", made, "--json").json["size"] == 0
    empty = tmp_path / "empty"
    empty.touch()
    assert teeproof("log", "append", made, empty).code == 2
    assert teeproof("log", "append", made, record, "--wait").code == 1


def test_records_come_on_standard_input(made):
    done = subprocess.run(
        [PROGRAM, "log", "append", made, "-", "--json"],
        input=statement(1) + b"\n" + statement(2) + b"\n",
        capture_output=True,
        check=True,
    )
    assert [row["index"] for row in json.loads(done.stdout)] == [0, 1]


def test_a_served_log_is_filled_and_proved_over_http(teeproof, server, record, tmp_path):
    lines = many(tmp_path / "many", *range(1, 600))
    reach, token = server.reach, server.token
    rows = teeproof("log", "append", *reach, *token, record, lines, "--wait", "--json").json
    assert [row["index"] for row in rows] == list(range(600))
    assert all(row["proved"] and row["published_by"] for row in rows)
    proof = teeproof("log", "prove", *reach, *token, rows[5]["id"])
    assert TlogProof.parse(proof.out.encode()).extra[:32].hex() == rows[5]["salt"]
    public = TlogProof.parse(teeproof("log", "prove", *reach, 5).out.encode())
    assert (public.index, public.extra) == (5, None)
    checked = teeproof("log", "check", *reach)
    assert checked.code == 0, checked.err
    assert "600 in 3 bundles, 0 faults" in checked.out
    assert server.stop() == 0
    assert "event=stopped size=600" in server.said
    assert first_token(Path(server.about["token_file"])) not in server.said


def test_a_token_is_made_once_and_only_for_its_owner(server, made):
    path = Path(server.about["token_file"])
    assert path == made / "tokens"
    assert path.stat().st_mode & 0o777 == 0o600
    token = first_token(path)
    server.stop()
    again = Server(made)
    assert first_token(path) == token
    assert again.stop(signal.SIGINT) == 0


def test_a_file_of_tokens_that_others_may_read_is_refused(teeproof, made, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("me 0123456789abcdef\n")
    tokens.chmod(0o644)
    answer = teeproof("log", "serve", made, "--token-file", tokens, "--json")
    assert (answer.code, answer.json["error"]) == (1, "token_file_open")


def test_without_a_key_nothing_from_elsewhere_is_believed(teeproof, server, record):
    url = server.about["url"]
    for words in (("check", url), ("prove", url, 0), ("append", url, record, *server.token)):
        answer = teeproof("log", *words, "--json")
        assert (answer.code, answer.json["error"]) == (1, "key_missing")


def test_network_a_log_with_another_key_fails_the_check(teeproof, server):
    other = Cosigner("x", b"\x01" * 32).verifier
    key = VerifierKey(ORIGIN, 1, other.public_key).text()
    answer = teeproof("log", "check", server.about["url"], "--key", key, "--json")
    assert (answer.code, answer.json["error"]) == (2, "log_unknown")


def test_a_wrong_token_and_no_token_are_refused(teeproof, server, record, tmp_path):
    answer = teeproof("log", "append", *server.reach, record, "--json")
    assert (answer.code, answer.json["error"]) == (4, "token_missing")
    tokens = tmp_path / "wrong"
    tokens.write_text("me 0123456789abcdef\n")
    tokens.chmod(0o600)
    answer = teeproof("log", "append", *server.reach, record, "--token-file", tokens, "--json")
    assert (answer.code, answer.json["error"]) == (4, "token_wrong")


def test_one_writer_at_a_time_and_any_reader(teeproof, server, made, record):
    answer = teeproof("log", "append", made, record, "--json")
    assert (answer.code, answer.json["error"]) == (3, "log_locked")
    assert teeproof("log", "check", made).code == 0


def test_a_quorum_that_is_not_met_is_not_allowed(teeproof, server, tmp_path):
    witness = Cosigner("witness.example/w", b"\x01" * 32).verifier.text()
    policy = tmp_path / "policy.txt"
    policy.write_text(f"log {server.about['vkey']}\nwitness w {witness}\nquorum w\n")
    answer = teeproof("log", "check", server.about["url"], "--logs", policy)
    assert answer.code == 4
    assert "quorum" in answer.out
    twin = teeproof("log", "check", server.about["url"], "--logs", policy, "--json").json
    assert (twin["ok"], twin["quorum"], twin["faults"]) == (False, False, [])


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (tile_path(0, 0), "tile_mismatch"),
        (tile_path(0, 1, 44), "tile_mismatch"),
        (tile_path(1, 0, 1), "tile_mismatch"),
        (entries_path(0), "entries_mismatch"),
        (entries_path(1, 44), "entries_mismatch"),
    ],
)
def test_host_one_bit_anywhere_fails_the_check(teeproof, made, tmp_path, path, code):
    teeproof("log", "append", made, many(tmp_path / "many", *range(300)))
    teeproof("log", "publish", made)
    assert teeproof("log", "check", made).code == 0
    file = made / "public" / path
    data = bytearray(file.read_bytes())
    data[21] ^= 4
    file.write_bytes(data)
    answer = teeproof("log", "check", made, "--json")
    assert answer.code == 2
    assert code in [fault["error"] for fault in answer.json["faults"]]
    shown = teeproof("log", "check", made)
    assert shown.code == 2
    assert "✗" in shown.out


def test_a_missing_tile_is_unavailable_and_the_check_goes_on(teeproof, made, tmp_path):
    teeproof("log", "append", made, many(tmp_path / "many", *range(300)))
    teeproof("log", "publish", made)
    (made / "public" / entries_path(0)).unlink()
    answer = teeproof("log", "check", made, "--json")
    assert answer.code == 3
    assert [fault["error"] for fault in answer.json["faults"]] == ["tile_missing"]


def test_a_copy_of_the_public_folder_is_the_log(made, teeproof, tmp_path):
    """Static files on any server are enough: a bare one serves a copy."""
    teeproof("log", "append", made, many(tmp_path / "many", *range(300)))
    teeproof("log", "publish", made)
    shutil.copytree(made / "public", tmp_path / "copy")
    with Log.open(made) as log:
        key = log.verifier.text()
    code = (
        "import http.server,sys,functools;"
        "s=http.server.ThreadingHTTPServer(('127.0.0.1',0),functools.partial("
        "http.server.SimpleHTTPRequestHandler,directory=sys.argv[1]));"
        "print(s.server_port,flush=True);s.serve_forever()"
    )
    bare = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "copy"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        url = f"http://127.0.0.1:{bare.stdout.readline().strip()}"
        answer = teeproof("log", "check", url, "--key", key)
        assert answer.code == 0, answer.err
    finally:
        bare.kill()
        bare.stdout.close()
        bare.wait()


def test_host_kills_the_server_and_every_acknowledged_append_is_there(made):
    """Killed with SIGKILL while clients append; opened again, and asked for each of them."""
    acknowledged: dict[bytes, tuple[int, bytes]] = {}
    for start in (0, 100_000):
        server, enough = Server(made, "--every", "0.05"), threading.Event()

        def taken(name: bytes, place: tuple[int, bytes], enough: threading.Event = enough) -> None:
            acknowledged[name] = place
            if len(acknowledged) > start / 500 + 200:  # noqa: B023  called in this round only
                enough.set()

        workers = fill(server, taken, start=start)
        assert enough.wait(300)
        server.stop(signal.SIGKILL)
        for worker in workers:
            worker.join()
    assert len(acknowledged) > 400
    with Log.open(made) as log:
        for name, place in acknowledged.items():
            found = log.find(name)
            assert (found.index, found.salt) == place
        log.publish()
    assert program("log", "check", made).code == 0


def test_a_server_that_is_told_to_stop_answers_what_it_was_asked(made):
    server = Server(made)
    results: list[int] = []
    enough = threading.Event()

    def taken(_: bytes, place: tuple[int, bytes]) -> None:
        results.append(place[0])
        if len(results) > 50:
            enough.set()

    workers = fill(server, taken)
    assert enough.wait(300)
    assert server.stop() == 0
    for worker in workers:
        worker.join()
    with Log.open(made) as log:
        assert set(results) <= set(range(log.size))
        assert log.published_size == log.size, "what was taken was published before the end"


def test_an_address_that_is_taken_or_none_is_said(teeproof, server, made, tmp_path):
    teeproof("log", "init", tmp_path / "other", "--origin", ORIGIN)
    taken = server.about["url"].removeprefix("http://")
    for address, code in ((taken, 3), ("here", 1), ("127.0.0.1:99999", 1)):
        answer = teeproof("log", "serve", tmp_path / "other", "--listen", address)
        assert answer.code == code, answer.err
    answer = teeproof("log", "serve", tmp_path / "other", "--every", "0")
    assert answer.code == 1
    answer = teeproof("log", "serve", tmp_path / "other", "--witness", "somebody")
    assert answer.code == 1
    assert teeproof("log", "serve", tmp_path / "nothing").code == 3


def test_the_group_offers_what_it_lists(teeproof):
    listed = teeproof("log", "--help")
    assert listed.code == 0
    assert max(map(len, listed.out.splitlines())) <= 80
    for name in ("init", "serve", "show", "append", "publish", "prove", "check"):
        assert f"  {name} " in listed.out
        assert teeproof("log", name, "--help").code == 0
    assert teeproof("log", "nothing").code == 1
    assert os.environ["TEEPROOF_HOME"] not in listed.out
