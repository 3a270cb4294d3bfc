"""A process that cannot reach any network, and that still verifies."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, env=os.environ
    )


def test_it_says_how_the_network_was_cut_off_and_runs_the_command():
    done = run("-m", "teeproof.cli.offline", "--version")
    assert done.returncode == 0
    assert done.stdout.startswith("teeproof ")
    assert done.stderr.startswith("network: off: ")


def test_whatever_opens_a_socket_ends_the_process():
    script = (
        "from teeproof.cli.offline import isolate; isolate(); print('cut', flush=True);"
        "import socket\n"
        "try:\n socket.socket()\nexcept BaseException as e: print('caught', e)\n"
        "print('still here')"
    )
    done = run("-c", script)
    assert done.stdout == "cut\n"
    assert done.returncode == 97
    assert "tried to open a socket" in done.stderr


@pytest.mark.parametrize(
    "attempt",
    [
        "import os; os.system('true')",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.fork()",
        "import os; os.posix_spawn('/bin/true', ['true'], {})",
    ],
)
def test_whatever_starts_another_program_ends_the_process(attempt: str):
    done = run("-c", f"from teeproof.cli.offline import isolate; isolate(); {attempt}")
    assert done.returncode == 97
    assert "start another program" in done.stderr


def test_where_there_are_no_namespaces_sockets_are_refused_all_the_same():
    script = (
        "import sys; from teeproof.cli import offline; sys.platform = 'darwin'\n"
        "print(offline.isolate(), flush=True)\n"
        "import socket; socket.socket()"
    )
    done = run("-c", script)
    assert done.stdout.startswith("off: no sockets (")
    assert done.returncode == 97
