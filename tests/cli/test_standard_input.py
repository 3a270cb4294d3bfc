"""``-`` and ``/dev/stdin``: evidence that comes through a pipe, bounded like any file."""

from __future__ import annotations

import os
import pty
import subprocess

import pytest

from teeproof.evidence.files.kinds import MAX_FILE_BYTES
from tests.cli.conftest import AT
from tests.cli.test_program import PROGRAM


def piped(data: bytes, *arguments: object) -> tuple[int, str, str]:
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)], input=data, capture_output=True, check=False
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_a_quote_comes_through_a_pipe(simulated, name):
    folder = simulated()
    rest = [folder / name for name in ("collateral.json", "event_log.json", "app-compose.json")]
    rest += ["--policy", folder / "policy.toml"]
    quote = (folder / "quote.bin").read_bytes()
    code, out, _ = piped(quote, "verify", name, "--at", AT, *rest)
    assert code == 0
    assert out.startswith("TDX quote version 4 with a TD report 1.0 · standard input\n")
    flipped = quote[:200] + bytes([quote[200] ^ 1]) + quote[201:]
    assert piped(flipped, "verify", name, "--at", AT, *rest)[0] == 2


def test_any_piece_may_come_through_the_pipe(simulated):
    folder = simulated()
    policy = ("--policy", "genuine", "--at", AT)
    collateral = (folder / "collateral.json").read_bytes()
    code, out, _ = piped(collateral, "verify", folder / "quote.bin", "-", *policy)
    assert code == 4  # no more is wrong than that nobody pinned the simulator's root
    assert "files         quote.bin, standard input" in out
    assert "✓ tcb-info" in out
    code, out, _ = piped((folder / "quote.bin").read_bytes(), "show", "-")
    assert code == 0
    assert out.startswith("TDX quote · standard input\n")


@pytest.mark.parametrize(
    ("data", "names", "code", "words"),
    [
        (b"", ["-"], 2, "an empty file"),
        (b"\0" * (MAX_FILE_BYTES + 1), ["-"], 2, "standard input is too large"),
        (b"", ["-", "/dev/stdin"], 1, "standard input can be read only once"),
    ],
)
def test_host_cannot_send_what_is_nothing_or_too_much(data, names, code, words):
    found, out, err = piped(data, "verify", *names)
    assert (found, out) == (code, "")
    assert words in err


def test_a_terminal_is_not_waited_for():
    main, side = pty.openpty()
    done = subprocess.run(
        [PROGRAM, "verify", "-"], stdin=side, capture_output=True, check=False, timeout=300
    )
    os.close(main)
    os.close(side)
    assert done.returncode == 1
    assert b"standard input is a terminal" in done.stderr


def test_without_standard_input_it_says_so():
    done = subprocess.run(f"{PROGRAM} verify - <&-", shell=True, capture_output=True, check=False)
    assert done.returncode == 3
    assert b"standard input is closed" in done.stderr
