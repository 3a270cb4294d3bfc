"""``teeproof show`` on what is neither evidence nor a proof, and ``verify`` that says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from teeproof.core.sealed import read_key
from teeproof.proof.opening import load
from tests.cli.test_verify_proof import AT, here

__all__ = ["here"]


@pytest.fixture
def files(teeproof, here):
    assert teeproof("keys", "new", "my.key").code == 0
    Path("my.pub").write_text(teeproof("keys", "show", "my.key").out)
    assert teeproof("seal", "logs", "--to", "my.pub", "-o", "data.sealed").code == 0
    assert teeproof("log", "init", "log", "--origin", "log.example/x").code == 0
    Path("checkpoint").write_bytes(Path("log/public/checkpoint").read_bytes())
    return here


def test_a_sealed_file_says_for_whom(teeproof, files):
    found = teeproof("show", "data.sealed", "--json").json
    assert found["kind"] == "sealed"
    assert found["recipients"][0]["recipient"] == read_key(Path("my.key")).public.digest.hex()
    assert found["bytes_behind_the_header"] > 0
    Path("data.sealed").write_bytes(Path("data.sealed").read_bytes()[:30])
    assert teeproof("show", "data.sealed").code == 2


def test_of_a_secret_key_nothing_secret_is_shown(teeproof, files):
    secret = Path("my.key").read_text().strip()
    for options in ((), ("--json",)):
        answer = teeproof("show", "my.key", *options)
        assert answer.code == 0
        for part in (secret, secret.split(":")[1], read_key(Path("my.key")).secret.hex()):
            assert part not in answer.out + answer.err
        assert Path("my.pub").read_text().strip() in answer.out
    assert answer.json["kind"] == "secret-key"
    assert teeproof("show", "my.key").out.startswith("SECRET KEY · my.key\n")
    Path("my.key").write_text(secret[:-9] + "\n")
    broken = teeproof("show", "my.key")
    assert broken.code == 2
    assert secret[30:60] not in broken.out + broken.err


def test_a_public_key_is_shown_whole(teeproof, files):
    found = teeproof("show", "my.pub", "--json").json
    assert (found["kind"], found["public"]) == ("public-key", Path("my.pub").read_text().strip())


def test_a_log_policy_says_whom_it_trusts(teeproof, files):
    found = teeproof("show", "logs", "--json").json
    assert found["kind"] == "log-policy"
    assert found["logs"][0]["key"] in Path("logs").read_text()
    assert [one["name"] for one in found["witnesses"]] == ["one", "three", "two"]
    Path("logs").write_text(Path("logs").read_text() + "log again\n")
    assert teeproof("show", "logs").code == 2


def test_a_log_says_its_key_and_size(teeproof, files):
    found = teeproof("show", "log", "--json").json
    assert (found["kind"], found["origin"], found["entries"]) == ("log", "log.example/x", 0)
    assert found["for_policies"] == f"log {found['key']}"
    screen = teeproof("show", "log").out
    assert "NOT VERIFIED: these are claims. Check them: teeproof log check log\n" in screen
    assert found["key"] in screen


def test_a_checkpoint_says_of_which_log_and_size(teeproof, files):
    found = teeproof("show", "checkpoint", "--json").json
    assert (found["kind"], found["log"], found["size"]) == ("checkpoint", "log.example/x", 0)


@pytest.mark.parametrize("name", ["my.pub", "logs", "log"])
def test_keys_are_whole_on_a_narrow_terminal(teeproof, files, monkeypatch, name):
    from teeproof.cli import main

    value = teeproof("show", name, "--json").json
    keys = [value.get("key"), value.get("public"), *(one["key"] for one in value.get("logs", []))]
    monkeypatch.setenv("COLUMNS", "60")
    lines = _printed(main, ["show", name], monkeypatch)
    for key in filter(None, keys):
        assert any(line.endswith(key) for line in lines)


def _printed(main, words, monkeypatch):
    import io
    import sys

    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(words) == 0
    stream.flush()
    return stream.buffer.getvalue().decode().splitlines()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("action.json", "a signed statement alone: it proves nothing without what it rests on"),
        ("data.sealed", "a sealed file: open it with teeproof open"),
        ("my.key", "a secret key"),
        ("my.pub", "a public key"),
        ("logs", "a log policy: it says which logs you trust: name it with --logs"),
        ("checkpoint", "a log's checkpoint"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--logs", "logs")])
def test_verify_says_what_it_is_and_what_to_do(teeproof, files, name, words, options):
    answer = teeproof("verify", name, *options, *AT, "--json")
    assert (answer.code, answer.json["error"]) == (1, "not_evidence")
    assert words in answer.json["detail"]
    assert Path("my.key").read_text()[25:60] not in answer.out


def test_an_identity_alone_and_a_saved_verdict_are_told_apart(teeproof, files):
    from tests.proof.people import workload_named

    Path("me.json").write_bytes(workload_named("agent").record.encode())
    assert "an identity record alone" in teeproof("verify", "me.json", *AT).err
    Path("saved.json").write_text(teeproof("verify", "action.proof", "--json", *AT).out)
    assert "a saved verdict on a proof" in teeproof("verify", "saved.json", *AT).err


def test_a_folder_of_proofs_is_no_folder_of_archives(here):
    from teeproof.core.errors import Usage

    with pytest.raises(Usage) as caught:
        load(".")
    assert "action.proof (a proof file: verify it by itself" in (caught.value.got or "")
    assert "unpack" not in (caught.value.got or "")
    Path("other.zip").write_bytes(b"PK\x03\x04" + bytes(26) + b"x.txt")
    with pytest.raises(Usage) as caught:
        load(".")
    assert "other.zip (a compressed file: unpack it first)" in (caught.value.got or "")


def test_what_is_understood_names_proofs(teeproof, here):
    Path("words.txt").write_text("Dear verifier, believe me.")
    answer = teeproof("verify", "words.txt", "--json")
    assert answer.json["error"] == "file_unknown"
    assert answer.json["expected"].startswith("a proof file; ")
