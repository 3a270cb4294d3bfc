"""``teeproof log witness``: a process that cosigns over HTTP, and stops when it is told."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from teeproof.cli.log.witness import command
from teeproof.cli.running import run
from teeproof.proof.log.formats.note import VerifierKey
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.monitor.fork import verify_fork
from teeproof.proof.monitor.source import Url
from teeproof.proof.witness.client import ask
from teeproof.proof.witness.state import origin_hash
from tests.cli.program import Answer
from tests.proof.witness.scenes import COSIGNER, ORIGIN, SIGNER, Book

NAME = "witness.example/w1"
SCRIPT = (
    "import sys; from teeproof.cli.log.witness import command;"
    "from teeproof.cli.running import run; sys.exit(run(command))"
)


@pytest.fixture
def witness(capfd):
    def call(*arguments) -> Answer:
        capfd.readouterr()
        code = run(command, [str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Answer(code, captured.out, captured.err)

    return call


@contextmanager
def serving(*arguments) -> Iterator[tuple[dict, subprocess.Popen]]:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *map(str, arguments), "--json", "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        lines = iter(process.stdout.readline, "}\n")
        yield json.loads("".join(lines) + "}"), process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)


def asked(about, book, size=None):
    signed = book.signed(size)
    prove = lambda old: book.tree.consistency_proof(old, signed.checkpoint.size)  # noqa: E731
    return ask(about["url"], signed, prove, key=VerifierKey.parse(about["vkey"]))


def test_the_first_start_makes_a_key_and_says_what_to_do_with_it(witness, tmp_path):
    folder = tmp_path / "w"
    made = witness(folder, "--name", NAME, "--json")
    assert made.code == 0
    policy = f"{made.json['policy_line']}\nquorum w1\n"
    assert TlogPolicy.parse(policy).witnesses["w1"].key.text() == made.json["vkey"]
    again = witness(folder)
    assert made.json["vkey"] in again.out
    assert f"teeproof log witness {folder} --log VKEY" in again.out


@pytest.mark.parametrize("columns", ["40", "80"])
def test_what_is_copied_is_whole_on_a_narrow_terminal_and_json_is_json(
    witness, tmp_path, monkeypatch, columns
):
    monkeypatch.setenv("COLUMNS", columns)
    folder = tmp_path / "w"
    made = witness(folder, "--name", NAME, "--json").json
    said = [line.strip() for line in witness(folder).out.splitlines()]
    for whole in (made["vkey"], made["policy_line"], f"teeproof log witness {folder} --log VKEY"):
        assert any(line.endswith(whole) for line in said), said


def test_a_witness_without_a_name_is_not_made(witness, tmp_path):
    answer = witness(tmp_path / "w", "--json")
    assert (answer.code, answer.json["error"]) == (1, "witness_name_missing")
    assert not (tmp_path / "w").exists()
    assert witness(tmp_path / "w", "--name", "a b").code == 2


def test_a_witness_keeps_its_name(witness, tmp_path):
    witness(tmp_path, "--name", NAME)
    answer = witness(tmp_path, "--name", "witness.example/w2", "--json")
    assert (answer.code, answer.json["error"]) == (1, "witness_name_fixed")
    assert witness(tmp_path, "--name", NAME).code == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--log", "nonsense"], 2),
        (["--log", COSIGNER.verifier.text()], 1),
        (["--logs", "no-such-file"], 3),
        (["--log", SIGNER.verifier.text(), "--listen", "nowhere"], 1),
    ],
)
def test_what_cannot_be_served_is_an_error(witness, tmp_path, arguments, code):
    assert witness(tmp_path, "--name", NAME, *arguments).code == code


def test_an_address_that_is_taken_is_an_error(witness, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        key = SIGNER.verifier.text()
        assert witness(tmp_path, "--name", NAME, "--log", key, "--listen", address).code == 3


def test_a_log_is_cosigned_over_http_and_a_fork_of_it_is_kept_as_a_proof(tmp_path):
    policy = tmp_path / "policy"
    policy.write_text(f"log {SIGNER.verifier.text()}\nquorum none\n")
    folder, book = tmp_path / "w", Book.of(300)
    with serving(folder, "--name", NAME, "--logs", policy) as (about, process):
        assert about["logs"] == [ORIGIN]
        (line,) = asked(about, book, 200)
        assert asked(about, book)
        with pytest.raises(Exception, match="equal_size_other_root"):
            asked(about, book.fork(100))
        with closing(Url(f"{about['url']}/{origin_hash(ORIGIN)}")) as source:
            served = source.read("checkpoint")
        assert served.startswith(book.signed().encode())
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0
    assert f"event=cosigned origin={ORIGIN} size=300" in said
    assert "error=equal_size_other_root" in said
    assert line.name == NAME
    (proof,) = (folder / "forks").glob("*.proof")
    assert verify_fork(proof.read_bytes(), keys={ORIGIN: SIGNER.verifier}).sizes == (300, 300)


def test_a_second_process_is_kept_out_and_a_later_one_remembers(tmp_path, witness):
    key, book = SIGNER.verifier.text(), Book.of(300)
    with serving(tmp_path, "--name", NAME, "--log", key) as (about, _):
        asked(about, book)
        second = witness(tmp_path, "--log", key, "--json")
        assert (second.code, second.json["error"]) == (3, "witness_running")
    with (
        serving(tmp_path, "--log", key) as (about, _),
        pytest.raises(Exception, match="larger tree"),
    ):
        asked(about, book, 200)
