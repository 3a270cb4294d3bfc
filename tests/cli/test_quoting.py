"""What is suggested can be pasted, whatever the names in it are."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from teeproof.cli.quoting import program, shell

NAMES = [
    b"plain",
    b"two words",
    b"it's",
    b"-option",
    b"new\nline",
    b"not-utf8-\xff1",
    b"back\\slash\x07",
    "modèle".encode(),
    b'$(true)`x`"',
    "turned\u202earound".encode(),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_shell_reads_back_the_name(name):
    command = shell("printf", "%s", Path(os.fsdecode(name)))
    assert command.isprintable()
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
    assert done.stdout in (name, b"./" + name)


def test_a_path_is_never_taken_for_an_option_and_a_dash_stays_one():
    assert shell("teeproof", "verify", Path("-x")) == "teeproof verify ./-x"
    assert shell("teeproof", "verify", Path("-"), "--json") == "teeproof verify - --json"


def test_a_file_whose_name_is_no_utf8_can_be_verified_as_suggested(teeproof, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert teeproof("demo", "--short", "--keep", "demo").code == 0
    strange = os.fsdecode(b"demo/\xff1 it's.proof")
    os.rename("demo/answer.proof", strange)
    answer = teeproof("merge", strange, "-o", os.fsdecode(b"demo/\xfe.proof"))
    assert answer.code == 0
    (line,) = [line for line in answer.out.splitlines() if "teeproof verify" in line]
    command = line.partition("teeproof ")[2]
    assert command == r"verify $'demo/\376.proof'"
    done = subprocess.run(
        ["bash", "-c", f'printf "%s" {command.partition(" ")[2]}'], capture_output=True, check=True
    )
    assert Path(os.fsdecode(done.stdout)).is_file()


def test_a_program_that_the_shell_does_not_find_is_called_by_its_path(tmp_path, monkeypatch):
    started = tmp_path / "a venv" / "teeproof"
    started.parent.mkdir()
    started.write_text("#!/bin/sh\necho it runs $1\n")
    started.chmod(0o755)
    monkeypatch.setattr("sys.argv", [str(started), "demo"])
    monkeypatch.setenv("PATH", os.defpath)
    said = subprocess.run(["sh", "-c", shell(program(), "verify")], capture_output=True, check=True)
    assert said.stdout == b"it runs verify\n"
    monkeypatch.setenv("PATH", str(started.parent))
    assert program() == "teeproof"
    monkeypatch.setattr("sys.argv", ["pytest"])
    monkeypatch.setenv("PATH", os.defpath)
    assert program() == "teeproof"
