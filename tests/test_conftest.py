"""The guards that conftest.py puts around every test really hold."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

import pytest

from teeproof.core.home import data_directory


@pytest.mark.parametrize("address", [("192.0.2.1", 443), ("example.invalid", 443)])
def test_a_connection_to_another_machine_fails_the_test(address):
    with socket.socket() as client, pytest.raises(pytest.fail.Exception, match=address[0]):
        client.connect(address)


def test_a_datagram_to_another_machine_fails_the_test():
    with (
        socket.socket(type=socket.SOCK_DGRAM) as client,
        pytest.raises(pytest.fail.Exception, match=r"192\.0\.2\.1"),
    ):
        client.sendto(b"x", ("192.0.2.1", 53))


def test_looking_up_another_machine_fails_the_test():
    with pytest.raises(pytest.fail.Exception, match=r"example\.invalid"):
        socket.create_connection(("example.invalid", 443))


def test_code_that_catches_every_exception_does_not_hide_the_attempt():
    def careless() -> None:
        with contextlib.suppress(Exception):
            socket.create_connection(("192.0.2.1", 443))

    with pytest.raises(pytest.fail.Exception):
        careless()


def test_a_connection_to_this_machine_is_free():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert client.getpeername() == server.getsockname()


def test_the_data_directory_of_a_test_is_empty_and_not_the_users():
    assert not data_directory(os.environ).exists()
    assert not Path.home().exists()
