"""The TPM attester with no TPM, with something else at its address, and with a lying one."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from teeproof.core.errors import Unavailable, Usage
from teeproof.evidence.collect.tpm import TpmAttester

D = bytes(32)


@contextmanager
def tpm_that_says(*answers: bytes):
    """Listen on a unix socket and give these answers, whatever is asked; then hang up."""
    with TemporaryDirectory(prefix="tpm-") as folder, socket.socket(socket.AF_UNIX) as listener:
        path = f"{folder}/tpm"
        listener.bind(path)
        listener.listen(1)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                for answer in answers:
                    connection.recv(4096)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield path
        thread.join(60)


def answer(body: bytes = b"", code: int = 0, size: int | None = None) -> bytes:
    size = 10 + len(body) if size is None else size
    return b"\x80\x01" + size.to_bytes(4, "big") + code.to_bytes(4, "big") + body


def refusal(address: str, **how) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        TpmAttester(address, event_log=None, **how).quote(D)
    return caught.value


def test_a_machine_without_a_tpm_is_told_so(tmp_path):
    error = refusal(str(tmp_path / "tpmrm0"))
    assert error.code == "tpm_missing"
    assert "give the machine a TPM 2.0" in error.detail


def test_a_socket_where_nobody_listens_is_told(tmp_path):
    with TemporaryDirectory(prefix="tpm-") as folder:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{folder}/tpm")
        assert refusal(f"{folder}/tpm").code == "tpm_refused"


@pytest.mark.parametrize("address", ["tpm", "host", "host:port", ":5", "./tpm"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(Usage) as caught:
        TpmAttester(address, event_log=None).quote(D)
    assert caught.value.code == "tpm_address"


def test_a_tpm_over_tcp_is_reached():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer(code=0x101))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        error = refusal(f"127.0.0.1:{port}")
        thread.join(60)
    assert (error.code, error.got) == ("tpm_error", "response code 0x101")
    assert "failure mode" in error.detail


HOSTILE = {
    "silence, then nothing": b"",
    "a short header": b"\x80\x01\0",
    "a size of nothing": answer(size=0),
    "a size of less than it sends": answer(b"x" * 20, size=12)[:11],
    "a huge size": answer(size=0xFFFFFFFF),
    "an answer that ends early": answer(b"\x80\0\0\0"),
    "a key of no bytes": answer(b"\x80\0\0\0" + bytes(4) + b"\0\0"),
    "a key that is too large": answer(b"\x80\0\0\0" + bytes(4) + b"\xff\xff" + bytes(100)),
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
}


@pytest.mark.parametrize("said", HOSTILE.values(), ids=HOSTILE)
def test_whatever_answers_instead_of_a_tpm_is_refused_in_words(said):
    with tpm_that_says(said) as path:
        error = refusal(path, timeout=2)
    assert error.code in ("tpm_answer_malformed", "tpm_unreachable", "tpm_timeout")
    assert error.exit_code == 3


def test_a_tpm_that_never_answers_is_not_waited_for():
    with TemporaryDirectory(prefix="tpm-") as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/tpm")
        listener.listen(1)
        assert refusal(f"{folder}/tpm", timeout=0.2).code == "tpm_timeout"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0x922, "try again"),
        (0x9A2, "password"),
        (0x18B, "no such object"),
        (0x7FF, "look its code up"),
    ],
)
def test_what_a_tpm_refuses_is_said_in_words(code, words):
    with tpm_that_says(answer(code=code)) as path:
        error = refusal(path)
    assert error.code == "tpm_error"
    assert words in error.detail


def test_an_address_is_refused_before_anything_is_asked():
    with pytest.raises(Usage):
        TpmAttester("/dev/null", event_log=None).attest(bytes(31))


def test_a_file_that_is_no_tpm_is_refused(tmp_path):
    path = tmp_path / "file"
    path.touch()
    assert refusal(str(path), timeout=2).exit_code == 3


def test_the_firmwares_log_comes_along_where_it_may_be_read(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"events")
    assert TpmAttester("/dev/null", event_log=log)._log() == b"events"
    assert TpmAttester("/dev/null", event_log=tmp_path / "none")._log() is None
    log.write_bytes(bytes((1 << 20) + 1))
    assert TpmAttester("/dev/null", event_log=log)._log() is None
    assert TpmAttester("/dev/null", event_log=None)._log() is None
    assert Path("/dev/null").exists()
