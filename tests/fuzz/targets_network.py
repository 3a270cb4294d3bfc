"""Fuzz targets for what nodes and renters send to a market, and what a market keeps."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import msgspec

from teeproof.cloud.owner import OwnerKey
from teeproof.core.errors import Error, Malformed
from teeproof.network.claim import NodeClaim
from teeproof.network.orders import CloseRequest
from teeproof.network.service import _refusal
from teeproof.network.terms import Terms
from tests.network.scenes import Node, Scene, claim, gpus, terms, wire


def fuzz_node_claim(data: bytes) -> None:
    """What is accepted is its own canonical form, and each value in it can be one."""
    with suppress(Malformed):
        found = NodeClaim.parse(data)
        assert found.encode() == data
        assert 0 < int(found.price) < 2**53


def fuzz_market_terms(data: bytes) -> None:
    """What is accepted is its own canonical form."""
    with suppress(Malformed):
        assert Terms.parse(data).encode() == data


def fuzz_market_registration(data: bytes) -> None:
    """Whatever a node sends, it is answered or refused, and the books stay as they were."""
    _asked(_scene().nodes.register, data)


def fuzz_market_renewal(data: bytes) -> None:
    """As a registration."""
    _asked(_scene().nodes.attest, data)


def fuzz_market_heartbeat(data: bytes) -> None:
    """Only a heartbeat that the node signed, and only once, moves its counter."""
    _asked(_scene().nodes.heartbeat, data)
    _asked(_scene().nodes.close, data)


def fuzz_market_order(data: bytes) -> None:
    """Only an order that its renter signed moves money, and none moves it out of the books."""
    _asked(_scene().renters.order, data)
    _asked(_scene().renters.close, data)


def _asked(call: object, data: bytes) -> None:
    scene = _scene()
    before = scene.market.number
    try:
        call(data)  # type: ignore[operator]
    except Error as error:
        refused = error
    else:
        refused = None
    if refused is not None:
        assert 400 <= _refusal(refused).status < 600
        assert scene.market.number == before, "a refusal has changed the books"
    scene.accounts()


@cache
def _scene() -> Scene:
    scene = Scene(Path(tempfile.mkdtemp(prefix="teeproof-fuzz-")), grant="1000")
    scene.node("one")
    return scene


def _registration() -> bytes:
    node = Node(_scene(), "two", hardware=gpus())
    node.boot()
    return wire(node.registration())


def _renewal() -> bytes:
    node = _scene().node(f"three-{_scene().market.number}")
    return wire(node.renewal())


def _heartbeat() -> bytes:
    node = _scene().node(f"four-{_scene().market.number}")
    node.counter = 1
    return node.heartbeat()


def _order() -> bytes:
    return _scene().signed(OwnerKey(bytes(32)), deposit="500").encode()


SEEDS = {
    "fuzz_node_claim": lambda: [claim(labels={"a": "b"}).encode(), claim(hardware=gpus()).encode()],
    "fuzz_market_terms": lambda: [terms().encode()],
    "fuzz_market_registration": lambda: [_registration()],
    "fuzz_market_renewal": lambda: [_renewal()],
    "fuzz_market_heartbeat": lambda: [_heartbeat()],
    "fuzz_market_order": lambda: [
        _order(),
        OwnerKey(bytes(32)).sign(CloseRequest(lease="sha256:" + "0" * 64)).encode(),
        msgspec.json.encode({}),
    ],
}
