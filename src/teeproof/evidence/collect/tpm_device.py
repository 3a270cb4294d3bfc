"""Send one command to a TPM 2.0 and read its answer, over a device file or a socket.

``/dev/tpmrm0`` is Linux's TPM with its resource manager. A unix socket's path, or ``host:port``,
reaches a software TPM (swtpm), which takes the same bytes.

Trusts: nothing; an answer is bytes until a quote proves it.  Does not trust: TPM, host.
"""

from __future__ import annotations

import os
import select
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from teeproof.core.errors import Unavailable, Usage

__all__ = ["MAX_ANSWER_BYTES", "Channel", "open_channel"]

MAX_ANSWER_BYTES = 4096  # the largest that TPMs of PC clients give
HEADER_BYTES = 10
_FAULTS: tuple[tuple[type[OSError], str, str], ...] = (
    (FileNotFoundError, "tpm_missing", "there is none: give the machine a TPM 2.0"),
    (ConnectionRefusedError, "tpm_refused", "nobody listens there: is the software TPM running?"),
    (PermissionError, "tpm_forbidden", "this user may not open it: join the group tss"),
    (TimeoutError, "tpm_timeout", "it did not answer in time: is another program holding it?"),
)


class Channel(Protocol):
    """Something that carries commands to a TPM."""

    def __call__(self, command: bytes) -> bytes:
        """Return the TPM's answer to one command."""


@contextmanager
def open_channel(address: str, *, timeout: float) -> Iterator[Channel]:
    """Open the TPM at an address, and close it afterwards.

    Args:
        address: a device file, a unix socket's path, or ``host:port``.
        timeout: seconds for each command.

    Raises:
        Usage: the address is neither.
        Unavailable: it cannot be opened; later, when a command is not answered.
    """
    try:
        kind = _kind(address)
        if kind == "device":
            with _device(address, timeout) as channel:
                yield _told(channel, address)
        else:
            with _connected(address, kind, timeout) as connection:
                yield _told(lambda command: _exchange(connection, command, timeout), address)
    except OSError as error:
        raise _unreached(address, error) from None


def _told(channel: Channel, address: str) -> Channel:
    def ask(command: bytes) -> bytes:
        answer = channel(command)
        if len(answer) < HEADER_BYTES or len(answer) != int.from_bytes(answer[2:6], "big"):
            raise Unavailable(
                f"what answers at {address} is no TPM 2.0",
                code="tpm_answer_malformed",
                expected="an answer as long as it says",
                got=f"{len(answer)} bytes: {answer[:HEADER_BYTES].hex()}",
            )
        return answer

    return ask


def _kind(address: str) -> str:
    host, colon, port = address.rpartition(":")
    if "/" not in address and colon and host and port.isdigit():
        return "tcp"
    if not address.startswith("/"):
        raise Usage(
            "this is no TPM's address",
            code="tpm_address",
            expected="/dev/tpmrm0, a unix socket's path, or host:port",
            got=address[:100],
        )
    return "unix" if stat.S_ISSOCK(os.stat(address).st_mode) else "device"


@contextmanager
def _device(address: str, timeout: float) -> Iterator[Channel]:
    handle = os.open(address, os.O_RDWR | os.O_CLOEXEC)
    try:

        def ask(command: bytes) -> bytes:
            os.write(handle, command)
            if not select.select([handle], [], [], timeout)[0]:
                raise TimeoutError
            return os.read(handle, MAX_ANSWER_BYTES)

        yield ask
    finally:
        os.close(handle)


@contextmanager
def _connected(address: str, kind: str, timeout: float) -> Iterator[socket.socket]:
    if kind == "unix":
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        with connection:
            connection.connect(address)
            yield connection
    else:
        host, _, port = address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=timeout) as connection:
            yield connection


def _exchange(connection: socket.socket, command: bytes, timeout: float) -> bytes:
    deadline = time.monotonic() + timeout
    connection.sendall(command)
    answer = _read(connection, HEADER_BYTES, deadline)
    size = int.from_bytes(answer[2:6], "big")
    left = min(size, MAX_ANSWER_BYTES) - len(answer)
    return answer + _read(connection, max(0, left), deadline)


def _read(connection: socket.socket, size: int, deadline: float) -> bytes:
    found = b""
    while len(found) < size:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        part = connection.recv(size - len(found))
        if not part:
            break
        found += part
    return found


def _unreached(address: str, error: OSError) -> Unavailable:
    for kind, code, advice in _FAULTS:
        if isinstance(error, kind):
            return Unavailable(f"the TPM at {address} cannot be asked: {advice}", code=code)
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    return Unavailable(
        f"the TPM at {address} cannot be asked: {reason}", code="tpm_unreachable", got=reason
    )
