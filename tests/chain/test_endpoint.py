"""A node that lies about the form of its answers, or says no in the words that nodes use."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator

import pytest

from teeproof.chain.client import Chain
from teeproof.chain.endpoint import MAX_ANSWER, Endpoint
from teeproof.core.errors import Error, Malformed, NotAllowed, TooLarge, Unavailable, Usage


class Node:
    """A node that answers what it is told to."""

    def __init__(self) -> None:
        self.answer: Callable[[dict], object] = lambda _: None
        self.raw: bytes | None = None
        node = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                body = json.dumps(node.answer(asked)).encode() if node.raw is None else node.raw
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except ConnectionError:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def result(self, value: object) -> None:
        self.answer = lambda asked: {"jsonrpc": "2.0", "id": asked["id"], "result": value}

    def error(self, **error: object) -> None:
        self.answer = lambda asked: {"jsonrpc": "2.0", "id": asked["id"], "error": error}

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def odd() -> Iterator[Node]:
    node = Node()
    yield node
    node.close()


@pytest.fixture
def endpoint(odd) -> Iterator[Endpoint]:
    found = Endpoint(odd.url)
    yield found
    found.close()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": -32000, "message": "nonce too low: next nonce 5, tx nonce 4"}, "nonce_low"),
        ({"code": -32000, "message": "nonce too high"}, "nonce_high"),
        ({"code": -32000, "message": "already known"}, "transaction_known"),
        ({"code": -32000, "message": "replacement transaction underpriced"}, "underpriced"),
        ({"code": -32000, "message": "insufficient funds for gas * price + value"}, "funds_short"),
        ({"code": -32000, "message": "something else"}, "node_refused"),
        ({"code": 3, "message": "execution reverted", "data": "0x"}, "reverted"),
        ({"code": -32000, "message": "execution reverted", "data": "0x1234"}, "reverted"),
        ({"code": 3, "message": "execution reverted", "data": "0xzz"}, "reverted"),
        ({}, "node_refused"),
    ],
)
def test_the_words_of_nodes_have_codes(odd, endpoint, error, code):
    odd.error(**error)
    with pytest.raises(NotAllowed) as caught:
        endpoint.ask("eth_call")
    assert caught.value.code == code


def test_a_node_without_the_method_is_told_apart(odd, endpoint):
    odd.error(code=-32601, message="the method eth_getBlockReceipts does not exist")
    with pytest.raises(Unavailable) as caught:
        endpoint.ask("eth_getBlockReceipts")
    assert caught.value.code == "method_missing"


def test_node_that_hides_control_characters_in_an_error_shows_them(odd, endpoint):
    odd.error(code=-32000, message="\x1b[2J" + "x" * 10_000)
    with pytest.raises(NotAllowed) as caught:
        endpoint.ask("eth_call")
    assert "\x1b" not in caught.value.detail
    assert len(caught.value.detail) < 500


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"<html>", b"{}", b"[]", b"5", b'{"id":1}', b'{"id":1,"error":5}', b"[1]", b"null",
        b'{"id":99,"result":"0x1"}', b'{"id":1,"result":1,"result":2}', b"[" * 100 + b"]" * 100,
    ],
)  # fmt: skip
def test_node_that_answers_no_json_rpc_is_refused(odd, endpoint, raw):
    odd.raw = raw
    with pytest.raises(Error) as caught:
        endpoint.ask("eth_chainId")
    assert caught.value.code == "node_malformed"


def test_node_that_answers_without_end_is_cut_off(odd, endpoint):
    odd.raw = b'"' + b"x" * MAX_ANSWER + b'"'
    with pytest.raises(TooLarge):
        endpoint.ask("eth_chainId")


def test_a_node_that_is_not_there_is_named():
    with pytest.raises(Unavailable) as caught:
        Chain.connect("http://127.0.0.1:1")
    assert caught.value.code == "node_unreachable"
    assert "127.0.0.1:1" in caught.value.detail


@pytest.mark.parametrize("url", ["", "127.0.0.1:8545", "ftp://x", "http://", "file:///etc/passwd"])
def test_a_url_of_no_node_is_refused(url):
    with pytest.raises(Usage):
        Chain.connect(url)


RECEIPT = {
    "transactionHash": "0x11", "blockNumber": "0x1", "blockHash": "0x22", "status": "0x1",
    "gasUsed": "0x1", "contractAddress": None, "logs": [],
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [{"status": None}, {"status": 1}, {"logs": None}, {"blockNumber": "one"}, {"blockHash": 5}],
)
def test_node_whose_receipt_has_another_form_is_refused(odd, change):
    odd.result("0x1")
    with Chain.connect(odd.url) as chain:
        odd.result(RECEIPT)
        assert chain.receipt("0x11").status == 1
        odd.result(RECEIPT | change)
        with pytest.raises(Malformed):
            chain.receipt("0x11")
        odd.result(5)
        with pytest.raises(Malformed):
            chain.receipt("0x11")


@pytest.mark.parametrize("value", [5, None, "x", "0xzz", []])
def test_node_whose_numbers_are_none_is_refused(odd, value):
    odd.result("0x1")
    with Chain.connect(odd.url) as chain:
        odd.result(value)
        for ask in (lambda: chain.balance("0x11"), lambda: chain.code("0x11")):
            with pytest.raises(Malformed):
                ask()


def test_answers_of_a_batch_are_matched_by_their_ids(odd, endpoint):
    def turned(asked: list) -> list:
        return [{"jsonrpc": "2.0", "id": one["id"], "result": one["method"]} for one in asked][::-1]

    odd.answer = turned
    assert endpoint.results([("a", ()), ("b", ())]) == ["a", "b"]
    odd.answer = lambda asked: turned(asked)[:1]
    with pytest.raises(Malformed):
        endpoint.results([("a", ()), ("b", ())])
    odd.answer = lambda _: {"jsonrpc": "2.0", "id": None, "error": {"code": -1, "message": "no"}}
    with pytest.raises(Error):
        endpoint.results([("a", ()), ("b", ())])
