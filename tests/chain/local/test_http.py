"""The process and its port: for programs of this machine, and nobody else."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from teeproof.chain.local.chain import LocalChain
from teeproof.chain.local.process import ChainProcess
from teeproof.chain.local.rpc import MAX_BODY
from teeproof.chain.local.serve import main
from teeproof.core.errors import Unavailable

BODY = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'
JSON = {"content-type": "application/json"}


def posted(node: ChainProcess, body: bytes = BODY, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(node.url, content=body, headers=JSON | named, timeout=60)


def test_a_program_of_this_machine_is_answered(node):
    found = posted(node)
    assert found.status_code == 200
    assert found.json()["result"] == hex(node.chain_id)
    assert found.headers["content-type"] == "application/json"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:99", "[::1]:8545", "127.1.2.3:8545"])
def test_a_host_that_is_this_machine_is_answered_under_any_port(node, host):
    assert posted(node, host=host).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "10.0.0.1", "0"]
)
def test_network_name_that_leads_here_is_refused(node, host):
    assert posted(node, host=host).status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000"])
def test_network_page_in_a_browser_is_refused(node, origin):
    assert posted(node, origin=origin).status_code == 403


def test_network_page_that_sends_a_form_is_refused(node):
    found = posted(node, content_type="text/plain")
    assert found.status_code == 415
    assert "application/json" in found.json()["error"]["message"]
    assert posted(node, content_type="application/json; charset=utf-8").status_code == 200


def test_only_posts_are_answered(node):
    assert httpx.get(node.url, headers=JSON, timeout=60).status_code == 405


def test_client_with_a_body_beyond_the_bound_is_refused_before_it_is_read(node):
    assert posted(node, b" " * (MAX_BODY + 1)).status_code == 413
    assert posted(node).status_code == 200


def test_client_that_announces_a_large_body_is_refused_at_once(node):
    host, port = node.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as sock:
        head = f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        sock.sendall(f"{head}Content-Length: {MAX_BODY + 1}\r\n\r\n".encode())
        assert b"413" in sock.recv(64)


def test_client_that_leaves_in_the_middle_harms_nobody(node):
    host, port = node.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as sock:
        head = f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        sock.sendall(f"{head}Content-Length: 500\r\n\r\n{{".encode())
    assert posted(node).status_code == 200


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:80", ":80", "example:80"])
def test_a_chain_listens_to_no_other_machine(tmp_path, capsys, address):
    assert main([str(tmp_path / "c"), "--listen", address]) == 4
    assert json.loads(capsys.readouterr().err)["error"] == "listen_exposed"
    assert not (tmp_path / "c").exists()


def test_a_second_process_for_one_directory_is_refused_and_says_why(tmp_path):
    with ChainProcess.start(tmp_path / "c"), pytest.raises(Unavailable) as caught:
        ChainProcess.start(tmp_path / "c")
    assert "chain_taken" in caught.value.got


def test_the_process_says_one_line_and_ends_when_told(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "teeproof.chain.local.serve", str(tmp_path / "c")],
        stdout=subprocess.PIPE,
    )
    said = json.loads(process.stdout.readline())
    assert set(said) == {"url", "chain_id", "pid", "funded"}
    assert said["pid"] == process.pid
    process.terminate()
    assert process.wait(120) == 0
    assert process.stdout.read() == b""
    process.stdout.close()


def test_the_process_ends_when_the_one_that_started_it_is_killed(tmp_path):
    code = "import sys, time; from pathlib import Path\n"
    code += "from teeproof.chain.local.process import ChainProcess\n"
    code += "process = ChainProcess.start(Path(sys.argv[1])); print(process.pid, flush=True)\n"
    code += "time.sleep(600)"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "c")], stdout=subprocess.PIPE
    ) as starter:
        pid = int(starter.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        starter.kill()
    until = time.monotonic() + 120
    while _runs(pid):
        assert time.monotonic() < until
        time.sleep(0.02)
    while not _opens(tmp_path / "c"):  # the last of its threads may hold it a moment longer
        assert time.monotonic() < until
        time.sleep(0.02)


def _opens(folder):
    try:
        LocalChain.open(folder).close()
    except Unavailable as error:
        if error.code != "chain_taken":
            raise
        return False
    return True


def _runs(pid):
    """Whether a process has not ended, even if nobody has asked how it did."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_network_page_that_names_its_origin_twice_is_refused(node):
    host, port = node.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as sock:
        head = f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        origins = "Origin: http://a\r\nOrigin: http://b\r\n"
        sock.sendall(f"{head}{origins}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY)
        assert b"403" in sock.recv(64)


def test_importing_the_chapter_loads_nothing_heavy():
    code = "import sys, teeproof.chain, teeproof.chain.client, teeproof.chain.outbox\n"
    code += "import teeproof.chain.anchors, teeproof.chain.local.chain, teeproof.chain.local.rpc\n"
    code += "heavy = {'eth', 'eth_abi', 'eth_utils', 'httpx', 'coincurve', 'web3', 'uvicorn'}\n"
    code += "print(sorted(heavy & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
