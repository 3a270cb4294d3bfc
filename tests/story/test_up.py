"""``teeproof up``: real processes, from the first line to the last one that ends."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from teeproof.cli import demo_orders, main
from teeproof.explorer.console.stage import NAMES
from tests.story.conftest import PATIENCE, processes_of, until_none_of

pytestmark = pytest.mark.usefixtures("sandbox")


@dataclass
class Up:
    """A stack that is up: its process, what it printed with ``--json``, its home."""

    process: subprocess.Popen[str]
    said: dict[str, Any]
    home: Path

    @property
    def folder(self) -> Path:
        return Path(self.said["folder"])

    def ended(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=PATIENCE)
        return self.process.returncode


def begin(*words: str, home: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"TEEPROOF_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "teeproof.cli", "up", *words],
        env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def bring_up(*words: str, home: Path) -> Up:
    process = begin("--port", "0", "--json", *words, home=home)
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or lines[-1] != "}\n":
        line = process.stdout.readline()
        assert line, "".join(lines)
        lines.append(line)
    return Up(process, json.loads("".join(lines)), home)


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    found = bring_up("--through", "data", home=tmp_path_factory.mktemp("stack"))
    yield found
    if found.process.poll() is None:
        found.ended()


def test_it_says_where_it_is_and_which_parts_there_are(up):
    said = up.said
    assert (said["ok"], said["earlier"]) == (True, None)
    assert said["folder"] == str(up.home / "up")
    assert said["pid"] == up.process.pid
    parts = {part["name"]: part for part in said["parts"]}
    assert tuple(parts) == NAMES
    assert {name for name, part in parts.items() if part["state"] == "done"} == {"data"}
    assert {part["state"] for name, part in parts.items() if name != "data"} == {"waiting"}
    assert [len(line["ids"]) for line in parts["data"]["lines"]] == [3, 1, 1]
    assert parts["train"]["needs"] == ["data"]


def test_its_pages_show_what_ran_and_trust_the_code_that_ran_since_they_are_up(up):
    with httpx.Client(base_url=up.said["explorer"], timeout=60) as client:
        lines = client.get("/index.json").json()["lines"]
        assert [line["label"] for line in lines] == ["2 Data", "", ""]
        dataset = lines[-1]["ids"][0].removeprefix("sha256:")
        assert verdict_of(client, dataset)["level"] == "simulated"


def test_the_consoles_token_is_long_random_and_for_its_user_alone(up):
    address, _, token = up.said["console"].partition("?token=")
    assert address == up.said["explorer"] + "/console"
    assert len(base64.urlsafe_b64decode(token + "=")) == 32
    file = up.folder / "console.address"
    assert file.read_text() == up.said["console"] + "\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert token not in (up.folder / "world.json").read_text()


def test_a_part_is_started_from_the_console_and_its_code_is_trusted_from_then_on(up):
    with httpx.Client(base_url=up.said["explorer"], timeout=60) as client:
        assert client.get("/console/parts.json").status_code == 401
        client.get(up.said["console"], follow_redirects=True)
        form = re.search(r'name="form" value="([^"]+)"', client.get("/console/parts").text)
        own = {"origin": up.said["explorer"]}
        refused = client.post("/console/parts/network", data={"form": "another"}, headers=own)
        assert refused.status_code == 403
        assert parts_of(client)["network"]["state"] == "waiting"
        assert form is not None
        client.post("/console/parts/network", data={"form": form[1]}, headers=own)
        limit = time.monotonic() + PATIENCE
        while (part := parts_of(client)["network"])["state"] in ("waiting", "running"):
            assert time.monotonic() < limit, part
            time.sleep(0.2)
        assert (part["state"], len(part["lines"])) == ("done", 3), part["problem"]
        node = part["lines"][0]["ids"][0].removeprefix("sha256:")
        assert verdict_of(client, node)["level"] == "simulated"


def verdict_of(client, statement):
    """Return the verdict that its page gives, once witnesses have come to see the statement."""
    limit = time.monotonic() + PATIENCE
    while not (found := client.get(f"/p/{statement}.json").json()["verdict"])["ok"]:
        assert found["faults"][0]["check"]["code"] == "quorum_missed", found["faults"]
        assert time.monotonic() < limit, "no witness came to see it"
        time.sleep(0.2)
    return found


def parts_of(client):
    return {part["name"]: part for part in client.get("/console/parts.json").json()["parts"]}


def test_a_stranger_contributes_to_a_stack_and_takes_it_back(up, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TEEPROOF_HOME", str(up.home))
    file = tmp_path / "orders.jsonl"
    orders = demo_orders.held_out()
    file.write_bytes(b"".join(one.encode() + b"\n" for one in orders))
    owner = tmp_path / "owner.key"
    assert main(["data", "contribute", str(file), "--owner", str(owner), "--json"]) == 0
    given = json.loads(capsys.readouterr().out)
    assert given["statement"].startswith("sha256:")
    words = ["data", "withdraw", given["contribution"], "--owner", str(owner), "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["ok"]


def test_what_is_given_in_the_console_is_accepted_on_the_first_page_that_tells_of_it(up):
    orders = demo_orders.contribution(1, count=60, seed=20_262)
    data = b"".join(one.encode() + b"\n" for one in orders)
    own = {"origin": up.said["explorer"], "sec-fetch-site": "same-origin"}
    with httpx.Client(base_url=up.said["explorer"], timeout=PATIENCE) as client:
        client.get(up.said["console"], follow_redirects=True)
        form = re.search(r'name="form" value="([^"]+)"', client.get("/console").text)
        assert form is not None
        told = client.post(
            "/console/contribute", data={"form": form[1], "what": "file"},
            files={"file": ("mine.jsonl", data)}, headers=own, follow_redirects=True,
        )  # fmt: skip
    assert re.search(r"/console/contributions/[0-9a-f]{64}$", str(told.url)), told.text[-3000:]
    assert "ACCEPTED, by a SIMULATED machine" in told.text


def test_a_second_one_in_the_same_folder_is_refused_and_changes_nothing(up):
    before = (up.folder / "console.address").read_text()
    second = begin("--port", "0", "--json", home=up.home)
    out, _ = second.communicate(timeout=PATIENCE)
    assert (second.returncode, json.loads(out)["error"]) == (1, "up_running")
    assert (up.folder / "console.address").read_text() == before
    assert [entry.name for entry in up.home.iterdir()] == ["up"]


def test_a_port_that_is_taken_is_said_before_anything_is_made(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = begin("--port", port, "--json", home=tmp_path)
        out, _ = refused.communicate(timeout=PATIENCE)
    error = json.loads(out)
    assert (refused.returncode, error["error"]) == (3, "address_unavailable")
    assert "--port" in error["detail"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--through", "nothing"], "usage"),
        (["--through", "data", "--all"], "through_or_all"),
        (["--keep", "-"], "stdout_refused"),
        (["--port", "65536"], "usage"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(words, code, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["up", *words, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"] == code


def test_a_sigterm_ends_everything_and_the_next_one_keeps_what_people_gave(up):
    key = up.folder / "people" / "contributor-1.owner"
    kept = key.read_bytes()
    assert processes_of(up.home)
    assert up.ended() == 0
    assert until_none_of(up.home) == set()
    second = bring_up(home=up.home)
    try:
        earlier = up.home / "up-before-1"
        assert second.said["earlier"] == str(earlier)
        assert (earlier / "people" / key.name).read_bytes() == kept
        assert (earlier / "log").is_dir()
        assert {part["state"] for part in second.said["parts"]} == {"waiting"}
    finally:
        assert second.ended() == 0
    assert until_none_of(up.home) == set()


def test_host_kills_the_log_and_the_stack_ends_and_says_which(tmp_path):
    process = begin("--port", "0", home=tmp_path)
    assert process.stdout is not None
    for line in process.stdout:
        if "stop" in line:
            break
    found = subprocess.run(
        ["pgrep", "-f", f"log serve {tmp_path}"], capture_output=True, check=True
    ).stdout
    os.kill(int(found.split()[0]), signal.SIGKILL)
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3
    assert "the log ended by signal 9 (SIGKILL)" in out
    assert until_none_of(tmp_path) == set()


@pytest.mark.parametrize(
    ("ending", "amid", "code"),
    [
        (signal.SIGTERM, "witness-2", 0),
        (signal.SIGINT, "runs/market", 0),
        (signal.SIGKILL, "runs/market", -signal.SIGKILL),
    ],
    ids=["told while it comes up", "told amid a part", "killed amid a part"],
)
def test_however_it_is_ended_nothing_runs_on(tmp_path, ending, amid, code):
    process = begin("--port", "0", "--through", "network", "--keep", str(tmp_path / "mine"),
                    home=tmp_path)  # fmt: skip
    limit = time.monotonic() + PATIENCE
    while not processes_of(tmp_path / "mine" / amid) and time.monotonic() < limit:
        time.sleep(0.02)
    process.send_signal(ending)
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, out
    assert until_none_of(tmp_path / "mine") == set()
    assert "Traceback" not in out
