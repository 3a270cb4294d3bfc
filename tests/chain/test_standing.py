"""What a node says of a fund: the very state, and a node that lies about form, size or pace."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator

import pytest

from teeproof.chain import artifacts
from teeproof.chain.account import Account
from teeproof.chain.client import Chain
from teeproof.chain.endpoint import Endpoint
from teeproof.chain.fund import Asset, Fund
from teeproof.chain.local.process import ChainProcess
from teeproof.chain.making import doubt_of
from teeproof.chain.onlooker import Onlooker
from teeproof.chain.payments import Payments
from teeproof.chain.pool import Pool
from teeproof.chain.standing import NO_CODE, fund_state, place_of
from teeproof.chain.token import Token
from teeproof.core.errors import Error, Malformed, TooLarge, Unavailable
from tests.chain.nodes import NOBODY, program
from tests.chain.test_endpoint import Node

AGENT = Account(b"\x0a" * 32).address


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainProcess]:
    with ChainProcess.start(tmp_path_factory.mktemp("standing") / "c") as found:
        yield found


@pytest.fixture(scope="module")
def fund(process: ChainProcess) -> Iterator[Fund]:
    with Chain.connect(process.url) as chain:
        by = process.funded
        tokens = [Token.deploy(chain, by, name=f"T{n}", symbol=f"t{n}", decimals=6, cap=10**18)
                  for n in (1, 2)]  # fmt: skip
        pool = Pool.deploy(chain, by, *tokens)
        made = Fund.deploy(
            chain, by, agent=AGENT, identity=b"\x1d" * 32, venues=[pool.address],
            assets=[Asset(tokens[0].address, 5, 7), Asset(tokens[1].address, 0, 0)],
        )  # fmt: skip
        tokens[0].mint(by, to=by, amount=1000)
        made.deposit(by, shares=10, most={tokens[0].address: 1000})
        yield made


@pytest.fixture
def odd() -> Iterator[Node]:
    node = Node()
    yield node
    node.close()


def test_the_state_of_a_fund_is_that_of_one_block(process: ChainProcess, fund: Fund):
    onlooker = Onlooker(process.url, patience=600)
    state = onlooker.ask(lambda chain, tick: fund_state(chain, fund.address, in_time=tick))
    onlooker.close()
    assert (state.code, state.agent, state.identity) == ("Fund", AGENT, "sha256:" + "1d" * 32)
    assert (state.nonce, state.shares, state.chain_id) == (0, 10, fund.chain.chain_id)
    first, second = state.holdings
    assert (first.symbol, first.decimals, first.amount) == ("t1", 6, 1000)
    assert (first.per_trade, first.per_day, second.per_day) == (5, 7, 0)
    assert [one.code for one in (first.token, second.token, *state.venues)] == [
        "TestToken", "TestToken", "Pool",
    ]  # fmt: skip


def test_how_a_fund_and_its_tokens_were_made_is_shown_by_their_transactions(
    process: ChainProcess, fund: Fund
):
    with Chain.connect(process.url) as chain:
        state = fund_state(chain, fund.address)
    assert [one.doubt for one in (state.place, *(held.token for held in state.holdings))] == [
        ""
    ] * 3


def test_node_that_showed_how_a_fund_was_made_is_asked_once_more_after_a_reorganisation(
    odd: Node, fund: Fund
):
    asked: list[str] = []
    heads: dict[str, str] = {}

    def answer(given: dict[str, object]) -> object:
        method, params = str(given["method"]), given["params"]
        asked.append(method)
        result = fund.chain.endpoint.ask(method, *params)  # type: ignore[misc]
        if method == "eth_getBlockByNumber":
            result = result | heads
        return {"jsonrpc": "2.0", "id": given["id"], "result": result}

    odd.answer = answer
    with Chain.connect(odd.url) as chain:
        last = chain.block().number
        for times in (1, 1):
            assert doubt_of(chain, "Fund", fund.address, last=last) == ""
            assert asked.count("eth_getBlockReceipts") == times
        heads["hash"] = "0x" + "ab" * 32
        assert "did not say" in doubt_of(chain, "Fund", fund.address, last=last)


@pytest.mark.parametrize(
    ("instead", "doubt"),
    [
        ({"eth_getBlockReceipts": []}, "another contract did"),
        ({"eth_getBlockReceipts": [{"status": "0x0"}, 5]}, "another contract did"),
        ({"eth_getBlockReceipts": None}, "did not say"),
        ({"eth_getTransactionByHash": None}, "another contract did"),
        ({"eth_getTransactionByHash": {"to": NOBODY, "input": "0x"}}, "another contract did"),
        ({"eth_getTransactionByHash": {"to": None, "input": "0x00"}}, "carries other code"),
        ({"eth_getTransactionByHash": {"to": None}}, "did not say"),
    ],
)
def test_node_that_does_not_show_how_a_fund_was_made_leaves_a_doubt(
    odd: Node, fund: Fund, instead, doubt
):
    _answering(odd, fund, **instead)
    with Chain.connect(odd.url) as chain:
        state = fund_state(chain, fund.address)
    assert (state.code, doubt in state.place.doubt) == ("Fund", True)
    assert all(doubt in one.token.doubt for one in state.holdings)


def test_every_contract_is_recognised_by_its_code_and_by_no_byte_less(fund: Fund):
    chain, by = fund.chain, None
    known = {
        "Fund": fund.address, "Pool": fund.venues[0], "TestToken": fund.assets[0].token,
    }  # fmt: skip
    del by
    for name, address in known.items():
        code = chain.code(address)
        assert artifacts.recognise(code) == name
        for twin in (code[:-1], code + b"\0", bytes((code[0] ^ 1,)) + code[1:],
                     code[:100] + bytes((code[100] ^ 1,)) + code[101:]):  # fmt: skip
            assert artifacts.recognise(twin) != name
    assert artifacts.recognise(b"") is None
    nobody = place_of(chain, NOBODY)
    assert (nobody.code, nobody.digest) == (None, NO_CODE)


def test_what_the_layout_says_is_what_a_deployment_leaves(process: ChainProcess):
    with Chain.connect(process.url) as chain:
        for name, address in (
            ("Payments", Payments.deploy(chain, process.funded).address),
            ("Anchors", chain.deploy(process.funded, "Anchors").address),
        ):
            runtime = artifacts.load(name).runtime
            assert (chain.code(address), runtime.immutables) == (runtime.code, 0)


@pytest.mark.parametrize("tail", [b"", b"\0\0", b"\0\x03", b"\xff\xff", b"\x80\0\x03", b"\x05" * 9])
def test_bytecode_without_the_compilers_end_is_refused(tail: bytes):
    import dataclasses

    artifact = dataclasses.replace(artifacts.load("Fund"), bytecode=b"\x60" * 40 + tail)
    with pytest.raises(Malformed):
        _ = artifact.runtime


def test_code_that_is_not_ours_is_asked_nothing(process: ChainProcess, fund: Fund):
    with Chain.connect(process.url) as chain:
        receipt = chain.transact(process.funded, None, program(b"\x5f\x5f\xfd"))  # reverts
        assert receipt.created is not None
        state = fund_state(chain, receipt.created)
        assert (state.code, state.agent, state.holdings) == (None, None, ())
        assert state.place.digest != NO_CODE
        assert fund_state(chain, NOBODY).place.digest == NO_CODE


def _answering(odd: Node, fund: Fund, **instead: object) -> None:
    """Have a node repeat the real one, but for some methods."""

    def answer(asked: dict[str, object]) -> object:
        method = str(asked["method"])
        result = instead[method] if method in instead else fund.chain.endpoint.ask(
            method, *asked["params"]  # type: ignore[misc]
        )  # fmt: skip
        return {"jsonrpc": "2.0", "id": asked["id"], "result": result}

    odd.answer = answer


@pytest.mark.parametrize(
    "instead",
    [
        {"eth_call": "0x"},
        {"eth_call": "0x" + "00" * 31},
        {"eth_call": "0x" + "ff" * 64},
        {"eth_call": "zz"},
        {"eth_call": 5},
        {"eth_getCode": "0x0"},
        {"eth_getCode": None},
        {"eth_getBlockByNumber": {}},
        {"eth_getBlockByNumber": None},
        {"eth_getBlockByNumber": {"number": "0x" + "1" * 100_000}},
        {"eth_chainId": "0x" + "f" * 65},
        {"eth_chainId": "-0x1"},
        {"eth_chainId": "0x1_0"},
        {"eth_chainId": []},
    ],
)
def test_node_that_answers_nonsense_is_refused_with_a_reason(odd: Node, fund: Fund, instead):
    _answering(odd, fund, **instead)
    onlooker = Onlooker(odd.url, patience=600)
    with pytest.raises(Error) as caught:
        onlooker.ask(lambda chain, tick: fund_state(chain, fund.address, in_time=tick))
    onlooker.close()
    assert caught.value.code


def test_node_that_tells_of_thousands_of_assets_is_refused(odd: Node, fund: Fund):
    word = lambda number: f"{number:064x}"  # noqa: E731
    many = "0x" + word(32) + word(9) + word(0) * 9 * 3
    _answering(odd, fund, eth_call=many)
    onlooker = Onlooker(odd.url, patience=600)
    with pytest.raises(Malformed) as caught:
        onlooker.ask(lambda chain, tick: fund_state(chain, fund.address, in_time=tick))
    onlooker.close()
    assert caught.value.code == "node_malformed"


def test_node_that_answers_more_than_a_page_needs_is_cut_off(odd: Node):
    odd.raw = b'"' + b"x" * (2 << 20) + b'"'
    onlooker = Onlooker(odd.url, patience=600)
    with pytest.raises(TooLarge):
        onlooker.chain()
    onlooker.close()


def test_node_that_drips_is_left(odd: Node):
    class Dripping(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("content-length", "100000")
            self.end_headers()
            try:
                for _ in range(1000):
                    self.wfile.write(b" ")
                    self.wfile.flush()
                    time.sleep(0.01)
            except OSError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Dripping)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        found = Endpoint(f"http://127.0.0.1:{server.server_port}", within=0.1)
        with pytest.raises(Unavailable) as caught:
            found.ask("eth_chainId")
        assert caught.value.code == "node_slow"
        found.close()
    finally:
        server.shutdown()
        server.server_close()


def test_node_whose_answers_add_up_to_too_long_is_left(fund: Fund):
    ticks = iter(range(0, 10_000, 5))  # each look at the clock is five seconds later
    onlooker = Onlooker(fund.chain.endpoint.url, clock=lambda: float(next(ticks)))
    with pytest.raises(Unavailable) as caught:
        onlooker.ask(lambda chain, tick: fund_state(chain, fund.address, in_time=tick))
    assert caught.value.code == "node_slow"
    onlooker.close()


def test_node_that_replaces_the_block_meanwhile_is_asked_again(odd: Node, fund: Fund):
    heads = iter(range(100))

    def answer(asked: dict[str, object]) -> object:
        result = fund.chain.endpoint.ask(str(asked["method"]), *asked["params"])  # type: ignore[misc]
        if asked["method"] == "eth_getBlockByNumber":
            result = result | {"hash": f"0x{next(heads):064x}"}
        return {"jsonrpc": "2.0", "id": asked["id"], "result": result}

    odd.answer = answer
    with Chain.connect(odd.url) as chain, pytest.raises(Unavailable) as caught:
        fund_state(chain, fund.address)
    assert caught.value.code == "chain_moving"
