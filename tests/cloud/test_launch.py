"""A workload behind the real wall: what it proves, what it can reach, how it ends."""

from __future__ import annotations

import base64
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import venv
from pathlib import Path

import httpx
import pytest

from teeproof.cloud import sandbox
from teeproof.cloud.image import Image
from teeproof.cloud.recognise import recognise
from teeproof.cloud.running import Running
from teeproof.core.clock import wall_clock
from teeproof.core.errors import NotAllowed, NotAuthentic, Unavailable, Usage
from teeproof.evidence.collect.simulated import SimulatedPlatform
from teeproof.proof import canonical
from teeproof.proof.identity import IdentityRecord
from tests.cloud.scenes import found, image, manifest, policy_for, start, walled

WRITABLE = {"/out", "/state", "/tmp"}
ROOT = Path(__file__).parents[2]


@pytest.fixture
def port():
    """A port of the host on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def neighbour():
    """A service of the host that answers with the path it was asked for."""

    class Echo(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.path.encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/base"
        server.shutdown()


def told(running: Running, step: str) -> dict:
    """What it said of a step, once it did."""
    while running.returncode is None:
        said = running.progress()
        if said is not None and said.get("step") == step:
            return said
        time.sleep(0.02)
    raise AssertionError(running.last_words())


def gone(pid: int) -> bool:
    """Whether a process ends; it is waited for, a minute at most."""
    for _ in range(600):
        try:
            if "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.1)
    return False


def record_of(shown: dict) -> tuple[IdentityRecord, dict[str, bytes]]:
    blobs = {name: base64.b64decode(text) for name, text in shown["blobs"].items()}
    return IdentityRecord.parse(canonical.encode(shown["record"])), blobs


@walled
def test_a_workload_behind_the_wall_proves_which_code_it_is(tmp_path):
    code = manifest("identity", SETTING="$HOME is text")
    seen = found(tmp_path, code)
    record, blobs = record_of(seen["me"])
    given = {"blob": blobs.__getitem__, "now": wall_clock()}
    known = recognise(record, policy=policy_for(code), **given)
    assert known.compose_hash == code.compose_hash
    assert record.claim.nonce == "from the resident"
    assert seen["environment"] == {"SETTING": "$HOME is text"}
    with pytest.raises(NotAllowed) as caught:
        recognise(record, policy=policy_for(manifest("look")), **given)
    assert caught.value.got == code.compose_hash
    launched = json.loads((tmp_path / "launch.json").read_text())
    assert launched["sandbox"] == "bubblewrap"
    assert launched["isolated"] is True
    assert launched["compose_hash"] == code.compose_hash


@walled
def test_a_workload_has_no_network_and_sees_no_file_of_the_host(tmp_path, port):
    secret = tmp_path / "secret"
    secret.write_text("the host's own")
    home = Path(os.environ["HOME"]) / "key"
    home.parent.mkdir(parents=True)
    home.write_text("the user's own")
    paths = [str(secret), str(home), "/etc/shadow", "/root/.bashrc", str(Path(__file__))]
    with socket.create_connection(("127.0.0.1", port)):  # from here, it can be reached
        pass
    seen = found(tmp_path, manifest("look", str(port), *paths))
    assert all(outcome != "done" for outcome in seen["network"])
    assert seen["interfaces"] == ["lo"]
    assert dict.fromkeys(paths, "FileNotFoundError") == {
        path: outcome.replace("PermissionError", "FileNotFoundError")
        for path, outcome in seen["read"].items()
    }
    assert sorted(seen["processes"]) == ["1", str(seen["pid"])]  # 1 is bubblewrap's own


@walled
def test_a_workload_writes_only_where_it_may_and_has_no_privilege(tmp_path, port):
    seen = found(tmp_path, manifest("look", str(port)))
    assert {folder for folder, outcome in seen["write"].items() if outcome == "done"} <= (
        WRITABLE | {"/run"}
    )
    assert {folder for folder, outcome in seen["write"].items() if outcome == "done"} >= WRITABLE
    assert seen["code"] != "done"
    status = dict(line.split(":\t", 1) for line in seen["status"].splitlines() if ":\t" in line)
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert seen["user"] != 0
    assert (tmp_path / "out" / "mark").read_bytes() == b"mark"
    assert (tmp_path / "state" / "mark").read_bytes() == b"mark"
    assert not (tmp_path / "in" / "mark").exists()


@walled
def test_a_workload_gets_no_variable_of_its_launcher(tmp_path, port, monkeypatch):
    monkeypatch.setenv("SOME_TOKEN", "the launcher's own")
    seen = found(tmp_path, manifest("look", str(port)))
    assert "SOME_TOKEN" not in seen["variables"]
    assert "the launcher's own" not in seen["variables"].values()


@walled
def test_a_workload_gets_no_more_memory_than_it_may_have(tmp_path):
    assert found(tmp_path / "a", manifest("hoard"), memory=4 << 30) == {"memory": "OSError"}
    assert found(tmp_path / "b", manifest("hoard"), memory=32 << 30) == {"memory": "done"}


@walled
def test_state_is_there_again_at_the_next_start_and_inputs_are_read(tmp_path):
    (tmp_path / "in").mkdir(mode=0o700)
    note = tmp_path / "in" / "note"
    note.write_text("for you")
    note.chmod(0o600)
    assert found(tmp_path, manifest("remember")) == {"starts": 1, "input": "for you"}
    assert found(tmp_path, manifest("remember")) == {"starts": 2, "input": "for you"}


@walled
def test_a_workload_serves_and_reaches_its_peers_through_the_wall(tmp_path, neighbour):
    with start(tmp_path, manifest("serve"), peers={"neighbour": neighbour}, serve=True) as running:
        running.ready(300)
        with httpx.Client(timeout=60, trust_env=False) as client:
            assert client.get(f"{running.url}/hello").content == b"heard: /base/hello"
            assert client.get(f"{running.url}/again").content == b"heard: /base/again"
        assert running.progress() == {"step": "serving"}
        assert running.stop(120) == 0


@walled
def test_the_same_code_gets_the_same_secrets_and_other_code_gets_others(tmp_path):
    first = found(tmp_path / "1", manifest("identity"))["keys"]
    again = found(tmp_path / "2", manifest("identity"))["keys"]
    other = found(tmp_path / "3", manifest("identity", SETTING="1"))["keys"]
    abroad = found(tmp_path / "4", manifest("identity"), platform=SimulatedPlatform.create())
    assert first == again
    assert len({*first.values(), *other.values(), *abroad["keys"].values()}) == 6


@walled
def test_what_a_workload_says_at_its_end_is_in_the_error(tmp_path):
    with start(tmp_path, manifest("fail")) as running, pytest.raises(Unavailable) as caught:
        running.finish(300)
    assert caught.value.code == "workload_ended"
    assert "nothing good comes of this" in caught.value.detail
    assert running.returncode == Usage.exit_code


@walled
def test_a_workload_that_ends_before_it_listens_is_not_waited_for(tmp_path):
    with start(tmp_path, manifest("fail"), serve=True) as running:
        with pytest.raises(Unavailable) as caught:
            running.ready()
        assert caught.value.code == "workload_ended"


@pytest.mark.parametrize("wall", [pytest.param("bubblewrap", marks=walled), "process"])
def test_stopping_a_workload_ends_all_that_it_started(tmp_path, wall):
    with start(tmp_path, manifest("wait"), sandbox=wall) as running:
        told(running, "waiting")
        mine = descendants(running.pid)
        assert len(mine) >= 1
        assert running.stop(120) == 128 + signal.SIGTERM
    assert all(map(gone, mine))


@pytest.mark.parametrize("wall", [pytest.param("bubblewrap", marks=walled), "process"])
def test_a_workload_ends_with_its_launcher_however_that_ends(tmp_path, wall):
    command = [sys.executable, "-m", "tests.cloud.launcher", tmp_path, image().folder, wall]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as launcher:
        said = json.loads(launcher.stdout.readline())
        assert said["said"]["step"] == "waiting"
        mine = [said["pid"], *descendants(said["pid"])]
        assert len(mine) >= 2
        launcher.kill()
    assert all(map(gone, mine))


def descendants(pid: int) -> list[int]:
    found, rest = [], [pid]
    while rest:
        for task in Path(f"/proc/{rest.pop()}/task").iterdir():
            children = [int(one) for one in (task / "children").read_text().split()]
            found += children
            rest += children
    return found


def test_without_a_wall_the_record_says_that_it_is_no_sandbox(tmp_path, port):
    code = manifest("look", str(port), str(Path(__file__)))
    with start(tmp_path, code, sandbox="process") as running:
        running.finish(300)
        assert not running.sandbox.isolates
    launched = json.loads((tmp_path / "launch.json").read_text())
    assert launched["isolated"] is False
    assert "NO SANDBOX" in launched["detail"]
    seen = json.loads((tmp_path / "out" / "found.json").read_text())
    assert seen["read"] == {str(Path(__file__)): "done"}  # indeed it is none
    assert seen["network"][1] == "done"


def test_a_wall_that_was_asked_for_and_is_not_there_is_no_silent_process(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "_problem", lambda: "bwrap is not installed")
    with pytest.raises(Unavailable) as caught:
        start(tmp_path, manifest("fail"), sandbox="bubblewrap")
    assert caught.value.code == "sandbox_unavailable"
    with pytest.raises(Usage):
        start(tmp_path, manifest("fail"), sandbox="none")


def test_host_changes_the_image_and_it_is_not_started(tmp_path):
    copy = Image.snapshot(tmp_path / "images")
    (copy.folder / "teeproof" / "py.typed").write_text("one byte more")
    code = manifest("identity")
    with pytest.raises(NotAuthentic) as caught:
        start(tmp_path, code, image=copy)
    assert caught.value.code == "image_mismatch"
    assert caught.value.expected == code.code
    assert not (tmp_path / "launch.json").exists()


def test_a_peer_whose_address_is_none_is_refused(tmp_path):
    for url in ("https://127.0.0.1", "ftp://x", "http://", "http://127.0.0.1:99999", "nothing"):
        with pytest.raises(Usage) as caught:
            start(tmp_path, manifest("fail"), peers={"neighbour": url})
        assert caught.value.code == "peer_address"


def test_a_workload_that_does_not_serve_has_no_address(tmp_path):
    with start(tmp_path, manifest("fail"), sandbox="process") as running:
        with pytest.raises(Usage):
            running.url  # noqa: B018
        running.wait(300)


@walled
def test_python_that_is_installed_below_tmp_runs_behind_the_wall(monkeypatch):
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        venv.create(folder / "env", symlinks=True)
        monkeypatch.setattr(sys, "prefix", str(folder / "env"))
        monkeypatch.setattr(sys, "executable", str(folder / "env" / "bin" / "python"))
        places = sandbox.Places(*(folder / field for field in sandbox.Places._fields))
        for place in places:
            place.mkdir()
        (places.tee / "etc").mkdir()
        wall = sandbox.wall("bubblewrap", places)
        done = subprocess.run(
            [*wall.command, "-c", "import os, sys; print(sys.prefix, os.listdir('/tmp'))"],
            env=wall.environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.split(maxsplit=1) == [sys.prefix, f"['{folder.name}']\n"]
