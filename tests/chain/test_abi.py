"""Interfaces: what is encoded, what is decoded, and what is refused; and reasons of reverts."""

from __future__ import annotations

import pytest
from eth_abi import encode

from teeproof.chain.abi import Contract, Interface
from teeproof.chain.account import Account
from teeproof.chain.revert import reason_of
from teeproof.core.digests import keccak256
from teeproof.core.errors import Malformed, Usage

ADDRESS = "0x" + "ab" * 20


def parameter(kind: str, name: str = "x", **more) -> dict:
    return {"name": name, "type": kind, **more}


PAIR = parameter("tuple[]", components=[parameter("uint256"), parameter("address")])
ABI = [
    {"type": "function", "name": "f", "inputs": [], "outputs": [parameter("uint256")]},
    {"type": "function", "name": "f", "inputs": [parameter("uint8")], "outputs": []},
    {"type": "function", "name": "g", "inputs": [PAIR], "outputs": [PAIR, parameter("bool")]},
    {"type": "event", "name": "E", "anonymous": False, "inputs": [
        parameter("address", "who", indexed=True), parameter("string", "text", indexed=True),
        parameter("uint256", "many", indexed=False)]},
]  # fmt: skip
INTERFACE = Interface(ABI)


def log(*topics: bytes, data: bytes) -> dict:
    return {
        "address": ADDRESS, "topics": ["0x" + one.hex() for one in topics],
        "data": "0x" + data.hex(), "blockNumber": "0x5", "blockHash": "0x11",
        "transactionHash": "0x22", "logIndex": "0x3",
    }  # fmt: skip


E = keccak256(b"E(address,string,uint256)")
WHO = bytes(12) + bytes.fromhex(ADDRESS[2:])


def test_a_function_is_chosen_by_its_number_of_arguments():
    assert INTERFACE.call("f", []) == keccak256(b"f()")[:4]
    assert INTERFACE.call("f", [5]) == keccak256(b"f(uint8)")[:4] + (5).to_bytes(32, "big")
    with pytest.raises(Usage):
        INTERFACE.call("f", [1, 2])


def test_tuples_and_whatever_has_an_address_are_encoded():
    account = Account(b"\1" * 32)
    contract = Contract(ADDRESS, INTERFACE)
    expected = encode(["(uint256,address)[]"], [[(1, account.address), (2, ADDRESS)]])
    data = INTERFACE.call("g", [[(1, account), (2, contract)]])
    assert data == keccak256(b"g((uint256,address)[])")[:4] + expected


def test_results_are_nothing_one_value_or_several():
    word = (7).to_bytes(32, "big")
    assert INTERFACE.result("f", [], word) == 7
    assert INTERFACE.result("f", [1], b"") is None
    data = encode(["(uint256,address)[]", "bool"], [[(1, ADDRESS)], True])
    assert INTERFACE.result("g", [()], data) == (((1, ADDRESS),), True)


@pytest.mark.parametrize("data", [b"", bytes(31), b"\xff" * 64])
def test_node_that_returns_what_does_not_fit_is_refused(data):
    with pytest.raises(Malformed):
        INTERFACE.result("g", [()], data)


def test_an_event_has_its_values_and_its_place():
    found = INTERFACE.event(log(E, WHO, bytes(32), data=(9).to_bytes(32, "big")))
    assert dict(found.values) == {"who": ADDRESS, "text": bytes(32), "many": 9}
    assert (found.block, found.log_index, found.tx_hash) == (5, 3, "0x22")


def test_an_event_of_another_interface_is_none():
    assert INTERFACE.event(log(bytes(32), data=b"")) is None
    assert INTERFACE.event(log(data=b"")) is None


@pytest.mark.parametrize(
    "bad",
    [
        log(E, WHO, data=bytes(32)),
        log(E, WHO, bytes(32), bytes(32), data=bytes(32)),
        log(E, WHO, bytes(32), data=bytes(31)),
        log(E, b"\xff" * 32, bytes(32), data=bytes(32)),
        log(E, WHO, bytes(32), data=bytes(32)) | {"blockNumber": None},
        log(E, WHO, bytes(32), data=bytes(32)) | {"topics": None},
        log(E, WHO, bytes(32), data=bytes(32)) | {"topics": ["0xzz"]},
        {},
    ],
    ids=range(8),
)
def test_node_that_gives_half_an_event_is_refused(bad):
    with pytest.raises(Malformed):
        INTERFACE.event(bad)


def test_topics_are_filtered_by_indexed_parameters_of_fixed_size():
    assert INTERFACE.topics("E", {"who": ADDRESS}) == ["0x" + E.hex(), "0x" + WHO.hex(), None]
    for wanted in ({"many": 5}, {"text": "x"}, {"other": 1}):
        with pytest.raises(Usage):
            INTERFACE.topics("E", wanted)


ERROR, PANIC = bytes.fromhex("08c379a0"), bytes.fromhex("4e487b71")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", ""),
        (ERROR + encode(["string"], ["Fund: limit"]), "Fund: limit"),
        (ERROR + encode(["string"], ["a\x1b\n"]), "a\\x1b\\n"),
        (ERROR + encode(["string"], ["x" * 999]), "x" * 200),
        (PANIC + encode(["uint256"], [0x11]), "a number overflowed"),
        (PANIC + encode(["uint256"], [0x99]), "panic 0x99"),
        (b"\1\2\3\4", "an error of its own, 0x01020304"),
        (b"\1", "an error of its own, 0x01"),
        (ERROR, "an error of its own, 0x08c379a0"),
        (ERROR + b"\xff" * 64, "an error of its own, 0x08c379a0"),
        (ERROR + encode(["string"], ["Fund: limit"])[:70], "an error of its own, 0x08c379a0"),
    ],
)
def test_a_reason_is_read_and_never_more_than_that(data, reason):
    assert reason_of(data) == reason
