"""Bytes get through the wall as they are, both ways, and no further."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from pathlib import Path

import pytest

from teeproof.cloud.bridge import Bridge
from teeproof.core.errors import Usage


@pytest.fixture
def short():
    with tempfile.TemporaryDirectory(prefix="tb-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def echo():
    """A server that sends back, turned round, all that it got before the end of the stream."""
    listening = socket.create_server(("127.0.0.1", 0))

    def work():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                data = b""
                while more := connection.recv(65536):
                    data += more
                connection.sendall(data[::-1])

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


def through(address, data):
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as connection:
        connection.connect(address)
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        found = b""
        while more := connection.recv(65536):
            found += more
    return found


def port_of(url):
    return "127.0.0.1", int(url.rsplit(":", 1)[1].partition("/")[0])


def test_all_three_ways_in_a_row_change_nothing(short, echo):
    bridge = Bridge.shared()
    peer, served = short / "peer.sock", short / "served.sock"
    lent = bridge.lend(echo, peer)
    inside = bridge.reach(f"{echo}/base/", peer)
    assert inside.endswith("/base")
    lent_again = bridge.lend(inside, served)
    outside = bridge.expose(served)
    data = bytes(range(256)) * 5000
    assert through(port_of(outside.url), data) == data[::-1]
    assert through(str(peer), b"") == b""
    for lane in (outside, lent_again, lent):
        lane.close()


def test_many_connections_at_once_do_not_mix(short, echo):
    bridge = Bridge.shared()
    lent = bridge.lend(echo, short / "peer.sock")
    found = {}

    def work(number):
        data = bytes([number]) * 10_000
        found[number] = through(str(short / "peer.sock"), data) == data

    threads = [threading.Thread(target=work, args=(n,)) for n in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys(range(30), True)
    lent.close()


def test_a_peer_that_is_not_there_closes_the_connection(short):
    lent = Bridge.shared().lend("http://127.0.0.1:9", short / "peer.sock")
    with contextlib.suppress(OSError):  # wherever it is when the other side hangs up
        assert through(str(short / "peer.sock"), b"hello") == b""
    lent.close()


def test_a_gateway_waits_for_a_workload_that_is_alive_and_not_for_a_dead_one(short):
    path, alive = short / "late.sock", threading.Event()
    alive.set()
    lane = Bridge.shared().expose(path, alive=alive.is_set)
    answers = []
    client = threading.Thread(
        target=lambda: answers.append(through(port_of(lane.url), b"are you there?"))
    )
    client.start()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        connection, _ = listening.accept()
        with connection:
            assert connection.recv(100) == b"are you there?"
            connection.sendall(b"now I am")
        client.join()
    assert answers == [b"now I am"]
    path.unlink()
    alive.clear()
    with contextlib.suppress(OSError):  # wherever it is when the other side hangs up
        assert through(port_of(lane.url), b"and now?") == b""
    lane.close()


def test_a_lane_that_is_closed_takes_nothing(short, echo):
    lane = Bridge.shared().expose(short / "x.sock")
    address = port_of(lane.url)
    lane.close()
    with pytest.raises(ConnectionError):
        through(address, b"hello")


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:80", "https://x", "unix:///x", "http://", "http://x:port", "http://x:-1"]
)
def test_only_addresses_of_peers_are_lent(short, url):
    with pytest.raises(Usage) as refused:
        Bridge.shared().lend(url, short / "peer.sock")
    assert refused.value.code == "peer_address"
