"""``-`` on both sides: files that come through a pipe, and files that go into one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.test_program import PROGRAM
from tests.cli.test_verify_proof import AT, here

__all__ = ["here"]


def piped(data: bytes, *words: str) -> tuple[int, bytes, str]:
    done = subprocess.run([PROGRAM, *words], input=data, capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr.decode()


def _sealing(teeproof) -> bytes:
    assert teeproof("keys", "new", "my.key").code == 0
    Path("my.pub").write_text(teeproof("keys", "show", "my.key").out)
    Path("data").write_bytes(b"content\n")
    assert teeproof("seal", "data", "--to", "my.pub").code == 0
    return Path("data.sealed").read_bytes()


def test_a_proof_comes_through_a_pipe(teeproof, here):
    data = Path("action.proof").read_bytes()
    trust = ("--logs", "logs", "--policy", "policy.toml", *AT)
    code, out, _ = piped(data, "verify", "-", *trust)
    assert code == 0
    assert out.decode().startswith("proof · standard input\n")
    assert piped(data[:-1], "verify", "-", *trust)[0] == 2
    code, out, _ = piped(data, "show", "-")
    assert code == 0
    assert "Check them: teeproof verify -\n" in out.decode()
    assert piped(data, "graph", "-")[0] == 0


def test_a_record_comes_through_a_pipe_beside_its_log_proof(teeproof, here):
    record = Path("action.json").read_bytes()
    words = ("verify", "action.tlog-proof", "-", "--logs", "logs", *AT)
    assert piped(record, *words)[0] == 0
    assert piped(record.replace(b'"', b'"', 1)[:-2], *words)[0] == 2
    code, out, _ = piped(record, "show", "-")
    assert code == 0
    assert out.decode().startswith("statement in a DSSE envelope · standard input\n")


def test_host_sends_a_proof_that_does_not_end(teeproof, here):
    code, _, err = piped(b"PK\x03\x04" + bytes(64 << 20), "verify", "-")
    assert code == 2
    assert "standard input is too large for a proof" in err


def test_a_merged_proof_goes_into_a_pipe(teeproof, here):
    trust = ("--logs", "logs", "--policy", "policy.toml", *AT)
    code, out, err = piped(b"", "merge", "action.proof", "action.proof", "-o", "-")
    assert (code, err) == (0, "")
    assert out == Path("action.proof").read_bytes()
    assert piped(out, "verify", "-", *trust)[0] == 0
    assert not Path("-").exists()
    assert piped(out, "merge", "-", "action.proof", "-o", "-")[1] == out


def test_what_is_sealed_and_opened_goes_through_pipes(teeproof, here):
    _sealing(teeproof)
    code, sealed, err = piped(b"content\n", "seal", "-", "--to", "my.pub", "-o", "-")
    assert (code, err) == (0, "")
    code, plain, err = piped(sealed, "open", "-", "--key", "my.key", "-o", "-")
    assert (code, plain, err) == (0, b"content\n", "")
    assert piped(sealed, "open", "-", "--key", "my.key", "-o", "plain")[0] == 0
    assert Path("plain").read_bytes() == b"content\n"
    code, _, err = piped(sealed, "open", "-", "--key", "my.key")
    assert code == 1
    assert "name the file to write with -o" in err
    assert not Path("-").exists()


def test_host_changes_the_last_byte_and_no_plaintext_comes_out(teeproof, here):
    sealed = _sealing(teeproof)
    broken = sealed[:-1] + bytes([sealed[-1] ^ 1])
    code, plain, _ = piped(broken, "open", "-", "--key", "my.key", "-o", "-")
    assert (code, plain) == (2, b"")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("merge", "action.proof", "-o", "-", "--json"), "stdout_taken"),
        (("seal", "data", "--to", "my.pub", "-o", "-", "--json"), "stdout_taken"),
        (("open", "data.sealed", "--key", "my.key", "-o", "-", "--json"), "stdout_taken"),
        (("keys", "new", "-", "--json"), "stdout_refused"),
        (("simulate", "--out", "-", "--json"), "stdout_refused"),
        (("demo", "--short", "--keep", "-", "--json"), "stdout_refused"),
        (("demo", "--once", "--keep", "-", "--json"), "stdout_refused"),
    ],
)
def test_nowhere_a_file_is_made_that_is_called_like_standard_output(teeproof, here, words, code):
    _sealing(teeproof)
    answer = teeproof(*words)
    assert (answer.code, answer.json["error"]) == (1, code)
    assert not Path("-").exists()


def test_a_full_disk_behind_standard_output_is_an_error(teeproof, here):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [PROGRAM, "merge", "action.proof", "-o", "-"],
            stdout=full, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    assert done.returncode == 74
    assert b"standard output cannot be written" in done.stderr


@pytest.mark.parametrize("kind", ["device", "pipe", "link to a pipe"])
@pytest.mark.parametrize("command", ["merge", "seal", "open", "export"])
def test_whoever_forces_it_does_not_replace_what_is_no_file(teeproof, here, command, kind):
    _sealing(teeproof)
    assert teeproof("log", "init", "log", "--origin", "log.example/x").code == 0
    target = "/dev/full" if kind == "device" else "out"
    if kind != "device":
        os.mkfifo("out" if kind == "pipe" else "real")
    if kind == "link to a pipe":
        Path("out").symlink_to("real")
    before = os.lstat(target)
    words = {
        "merge": ("merge", "action.proof"),
        "seal": ("seal", "data", "--to", "my.pub"),
        "open": ("open", "data.sealed", "--key", "my.key"),
        "export": ("log", "export", "log", "00" * 32),
    }
    answer = teeproof(*words[command], "-o", target, "--force", "--json")
    assert (answer.code, answer.json["error"]) == (1, "not_a_file")
    assert os.lstat(target) == before


def test_a_link_is_written_through(teeproof, here):
    Path("real.proof").write_bytes(b"old")
    Path("link.proof").symlink_to("real.proof")
    assert teeproof("merge", "action.proof", "-o", "link.proof").code == 1
    assert teeproof("merge", "action.proof", "-o", "link.proof", "--force").code == 0
    assert Path("link.proof").is_symlink()
    assert Path("real.proof").read_bytes() == Path("action.proof").read_bytes()
