"""``teeproof keys``, ``seal`` and ``open``: from a key to a sealed file and back."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from teeproof.cli.seal import progress_bar
from teeproof.core.digests import named
from teeproof.core.sealed import parse_header, read_header, read_key
from tests.core.sealed.scenes import POLICY


@pytest.fixture
def keys(teeproof, tmp_path, monkeypatch):
    """Make a folder with two key pairs and a file in it, and go there."""
    monkeypatch.chdir(tmp_path)
    for name, options in (("a", ()), ("b", ("--hybrid",))):
        assert teeproof("keys", "new", f"{name}.key", *options).code == 0
        Path(f"{name}.pub").write_text(teeproof("keys", "show", f"{name}.key").out)
    Path("data").write_bytes(b"content\n")
    return tmp_path


def mode(name: str) -> int:
    return stat.S_IMODE(Path(name).stat().st_mode)


def test_a_key_is_made_for_its_owner_only_and_its_public_half_shown(teeproof, keys):
    assert mode("a.key") == 0o600
    for name, suite in (("a", "x25519"), ("b", "mlkem768-x25519")):
        shown = teeproof("keys", "show", f"{name}.key")
        assert shown.code == 0
        assert shown.out == read_key(Path(f"{name}.key")).public.text + "\n"
        twin = teeproof("keys", "show", f"{name}.key", "--json").json
        assert twin["public"] + "\n" == shown.out
        assert twin["suite"] == suite
        assert twin["public_key"] in twin["public"]


def test_making_a_key_never_shows_or_overwrites_a_secret(teeproof, keys):
    before = Path("a.key").read_bytes()
    again = teeproof("keys", "new", "a.key")
    assert again.code == 1
    assert Path("a.key").read_bytes() == before
    secret = read_key(Path("a.key")).secret.hex()
    for answer in (
        again,
        teeproof("keys", "new", "c.key", "--json"),
        teeproof("keys", "show", "a.key", "--json"),
        teeproof("seal", "data", "--to", "a.key"),
        teeproof("seal", "data", "--to", Path("a.key").read_text().strip()),
    ):
        assert secret[:16] not in answer.out + answer.err


def test_a_file_is_sealed_for_two_and_either_opens_it(teeproof, keys):
    sealed = teeproof("seal", "data", "--to", "a.pub", "--to", Path("b.pub").read_text().strip())
    assert sealed.code == 0, sealed.err
    assert "✓ data.sealed" in sealed.out
    assert "teeproof open data.sealed --key KEYFILE" in sealed.out
    for name in ("a", "b"):
        opened = teeproof("open", "data.sealed", "--key", f"{name}.key", "-o", f"from-{name}")
        assert opened.code == 0, opened.err
        assert Path(f"from-{name}").read_bytes() == b"content\n"
        assert mode(f"from-{name}") == 0o600


def test_json_says_what_the_header_says(teeproof, keys):
    arguments = ("seal", "data", "--to", "a.pub", "--policy-digest", named(POLICY), "--json")
    said = teeproof(*arguments).json
    header = read_header(io.BytesIO(Path("data.sealed").read_bytes()))
    assert parse_header(header.encode()) == header
    assert said == {"file": "data.sealed", "bytes": Path("data.sealed").stat().st_size} | (
        header.to_json()
    )
    assert said["policy_digest"] == named(POLICY)
    Path("data").unlink()
    back = teeproof("open", "data.sealed", "--key", "a.key", "--json").json
    assert back == said | {"file": "data", "bytes": 8}
    Path("data").unlink()
    assert named(POLICY) in teeproof("open", "data.sealed", "--key", "a.key").out


def test_nothing_is_overwritten_without_force(teeproof, keys):
    assert teeproof("seal", "data", "--to", "a.pub").code == 0
    before = Path("data.sealed").read_bytes()
    refused = teeproof("seal", "data", "--to", "a.pub")
    assert refused.code == 1
    assert "--force" in refused.err
    assert Path("data.sealed").read_bytes() == before
    assert teeproof("open", "data.sealed", "--key", "a.key").code == 1
    assert teeproof("seal", "data", "--to", "b.pub", "--force").code == 0
    assert teeproof("open", "data.sealed", "--key", "b.key", "--force").code == 0
    assert mode("data") == 0o600


def test_a_wrong_key_names_whom_the_file_is_for(teeproof, keys):
    teeproof("seal", "data", "--to", "a.pub")
    answer = teeproof("open", "data.sealed", "--key", "b.key", "-o", "out", "--json")
    assert answer.code == 4
    assert answer.json["error"] == "not_a_recipient"
    wanted = teeproof("keys", "show", "a.key", "--json").json["recipient"]
    assert wanted[:16] in answer.json["expected"]
    assert not Path("out").exists()


def test_host_changed_the_file(teeproof, keys):
    teeproof("seal", "data", "--to", "a.pub")
    Path("data.sealed").write_bytes(Path("data.sealed").read_bytes()[:-1])
    answer = teeproof("open", "data.sealed", "--key", "a.key", "-o", "out")
    assert answer.code == 2
    assert "cut short" in answer.err
    assert not Path("out").exists()
    assert [p.name for p in Path().iterdir() if p.name.endswith(".part")] == []


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("seal", "data"), 1, "usage"),
        (("seal", "data", "--to", "nobody.pub"), 3, "file_unavailable"),
        (("seal", "data", "--to", "data"), 2, "recipient_malformed"),
        (("seal", "data", "--to", "teeproof-seal-x25519:00:00"), 2, "recipient_malformed"),
        (("seal", "data", "--to", "a.key"), 2, "recipient_secret"),
        (("seal", "data", "--to", "a.pub", "--to", "a.pub"), 1, "recipient_repeated"),
        (("seal", "nothing", "--to", "a.pub"), 3, "file_unavailable"),
        (("seal", ".", "--to", "a.pub", "-o", "x"), 1, "not_a_file"),
        (("seal", "-", "--to", "a.pub"), 1, "out_unnamed"),
        (("seal", "data", "--to", "a.pub", "-o", "no/where"), 3, "out_unavailable"),
        (("seal", "data", "--to", "a.pub", "--policy-digest", "md5:0"), 2, "digest_malformed"),
        (("open", "data", "--key", "a.key"), 1, "out_unnamed"),
        (("open", "data", "--key", "a.key", "-o", "x"), 2, "not_sealed"),
        (("open", "data", "--key", "a.pub", "-o", "x"), 2, "key_public"),
        (("open", "data", "--key", "no.key", "-o", "x"), 3, "file_unavailable"),
        (("keys", "show", "data"), 2, "recipient_malformed"),
        (("keys", "new", "no/where.key"), 3, "out_unavailable"),
    ],
)
def test_what_cannot_be_done_says_why(teeproof, keys, arguments, code, error):
    before = sorted(p.name for p in Path().iterdir())
    answer = teeproof(*arguments, "--json")
    assert answer.code == code
    assert answer.json["error"] == error
    assert sorted(p.name for p in Path().iterdir()) == before


def test_standard_input_is_sealed_to_its_end(teeproof, keys):
    program = Path(sys.executable).with_name("teeproof")
    done = subprocess.run(
        [program, "seal", "-", "--to", "a.pub", "-o", "piped.sealed", "--json"],
        input=b"piped",
        capture_output=True,
        env=os.environ,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["file"] == "piped.sealed"
    assert teeproof("open", "piped.sealed", "--key", "a.key").code == 0
    assert Path("piped").read_bytes() == b"piped"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_bar_is_shown_for_large_files_on_a_terminal_only(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with progress_bar("small", 1000) as progress:
        assert progress is None
    with progress_bar("[red]large\x1b[2J", 1 << 30) as progress:
        assert progress is not None
        progress(1 << 29)
    assert r"[red]large\x1b[2J" in screen.getvalue()  # neither markup nor an escape
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress_bar("large", 1 << 30) as progress:
        assert progress is None
