"""Fuzz targets for pages of made things: receipts, forms and trainings that strangers wrote."""

from __future__ import annotations

import asyncio
import re
import warnings
from contextlib import suppress
from xml.etree import ElementTree

import msgspec

from teeproof.core import strictjson
from teeproof.core.errors import Error
from teeproof.explorer.drawn.curves import curve
from teeproof.explorer.made.answers import BODIES, compared
from teeproof.explorer.made.events import MOST_EVENTS, events_of, price_of, tokens_of
from teeproof.explorer.made.models import size_of
from teeproof.explorer.made.pasted import read_pasted
from teeproof.explorer.pages.model import drawings
from teeproof.explorer.telling.times import moment
from teeproof.training.findings import curve_holds, weights_hold
from teeproof.training.statements import Training

_FORM = b"multipart/form-data; boundary=b"


def fuzz_receipt_events(data: bytes) -> None:
    """Whatever a receipt says is told in bounded words, and costs a number or nothing."""
    with suppress(Error):
        body = strictjson.loads(data, limit=1 << 18)
        if isinstance(body, dict):
            told = events_of(body)
            assert len(told) <= MOST_EVENTS
            assert all(len(kind) <= 60 and len(words) < 1_000 for kind, words in told)
            price, tokens = price_of(body), tokens_of(body)
            assert price is None or (price.amount > 0 and sum(price.shares.values()) == 10_000)
            assert tokens is None or min(tokens) >= 0
            assert moment(body.get("served_at")) is None or type(body["served_at"]) is int


def fuzz_body_form(data: bytes) -> None:
    """A form is read or refused; only the two bodies are taken from it, each once."""
    from starlette.requests import Request

    messages = iter([{"type": "http.request", "body": data, "more_body": False}])

    async def receive() -> dict[str, object]:
        return next(messages, {"type": "http.disconnect"})

    scope = {"type": "http", "method": "POST", "path": "/answer/x", "query_string": b"",
             "headers": [(b"content-type", _FORM)]}  # fmt: skip
    with suppress(Error), warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # as in targets_explorer
        found = asyncio.run(read_pasted(Request(scope, receive)))
        assert found
        assert set(found) <= set(BODIES)
        for which, one in found.items():
            told = compared(which, one.data, None, pasted=one.pasted)
            assert not told.same
            again = compared(which, one.data, told.got, pasted=one.pasted)
            assert again.same


def fuzz_told_training(data: bytes) -> None:
    """Whatever a trainer tells is judged, and drawn as one drawing of bounded size, or not."""
    try:
        said = msgspec.json.decode(data, type=Training)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return
    for check in (curve_holds(said), weights_hold(said, ())):
        assert check.state in ("passed", "failed", "not_checked")
    for drawing in drawings(said):
        assert len(drawing) < 20_000
        if drawing:
            tree = ElementTree.fromstring(drawing)
            assert tree.tag.endswith("svg")
            assert not re.search(r"nan|inf", drawing.partition("<polyline")[2])
    for one in said.tensors:
        assert size_of(one) is None or size_of(one) >= 0  # type: ignore[operator]


def fuzz_curve(data: bytes) -> None:
    """Any numbers are drawn inside the drawing's edges."""
    try:
        points = msgspec.json.decode(data, type=list[tuple[int, float]])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return
    made = curve([(step % 1000, abs(value)) for step, value in points[:64]], title="x")
    if made:
        spots = re.findall(r"([0-9.e+-]+),([0-9.e+-]+)", made.partition("<polyline")[2])
        assert all(0 <= float(x) <= 420 and 0 <= float(y) <= 220 for x, y in spots)


def _forms() -> list[bytes]:
    text = b'--b\r\ncontent-disposition: form-data; name="request"\r\n\r\n{"a":1}\r\n'
    file = (b'--b\r\ncontent-disposition: form-data; name="response_file"; filename="x"\r\n\r\n'
            b"data: {}\n\n\r\n")  # fmt: skip
    return [text + b"--b--\r\n", text + file + b"--b--\r\n", file + b"--b--\r\n"]


def _receipts() -> list[bytes]:
    from tests.inference.test_checks import said, signed

    return [signed(said()).encode(), signed([{"type": "x.refusal", "code": "busy"}]).encode()]


def _trainings() -> list[bytes]:
    from tests.bending import truths

    root = truths()["urn:teeproof:training:v1"].root.statement
    assert root is not None
    return [msgspec.json.encode(root.predicate)]


SEEDS = {
    "fuzz_receipt_events": _receipts,
    "fuzz_body_form": _forms,
    "fuzz_told_training": _trainings,
    "fuzz_curve": lambda: [b"[[1,2.5],[2,1.0],[9,0]]", b"[[0,0]]", b"[[1,1e308],[2,1e-308]]"],
}
