"""Fuzz targets for what the inference service and its clients read."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache

from teeproof.core.errors import Malformed, NotAllowed, Usage
from teeproof.inference.checks import check_receipt
from teeproof.inference.engine.config import LlamaConfig
from teeproof.inference.engine.prompt import Template
from teeproof.inference.engine.text import Stops, Tokens
from teeproof.inference.http import Call, nonce_of
from teeproof.inference.reading import read_report, text_of
from teeproof.inference.serving import Serving
from teeproof.inference.stream import Sent, events_of
from teeproof.inference.wire import Shape, parse_request
from teeproof.proof.receipt import Receipt
from tests.inference.models import CONFIG, TEMPLATE, tokenizer
from tests.inference.serving import PRICE
from tests.inference.talk import body


def fuzz_chat_request(data: bytes) -> None:
    """What is accepted can be put to a model: text, bounds, stops."""
    with suppress(Malformed, NotAllowed):
        request = parse_request(data)
        assert all(isinstance(one["content"], str) for one in request.conversation)
        assert request.most is None or request.most >= 1
        assert all(request.stops)
        Template(TEMPLATE).render(request.conversation)


def fuzz_serving_document(data: bytes) -> None:
    """What is accepted prices an answer with an amount that fits 256 bits."""
    with suppress(Malformed):
        usage = Serving.parse(data).usage(prompt=1 << 20, count=1 << 16)
        assert int(usage.get("amount", "0")) < 1 << 256


def fuzz_model_config(data: bytes) -> None:
    with suppress(Malformed):
        config = LlamaConfig.parse(data)
        assert config.heads % config.kv_heads == 0
        assert all(end < config.vocab for end in config.eos)


def fuzz_tokenizer(data: bytes) -> None:
    """What is accepted has no token beyond the model's vocabulary."""
    with suppress(Malformed):
        tokens = Tokens(data, vocab=1 << 16)
        assert all(token < 1 << 16 for token in tokens.encode("a b"))


def fuzz_chat_template(data: bytes) -> None:
    with suppress(Malformed, UnicodeDecodeError):
        text = data.decode()
        # A template that counts for ever is no finding: a model's maker may take its time.
        if len(text) <= 400 and not any(word in text for word in ("range", "for", "*", "%")):
            Template(text).render([{"role": "user", "content": "hi"}])


def fuzz_stops(data: bytes) -> None:
    """However a text comes in pieces, what is given is its beginning."""
    text = data.decode("latin-1")
    pieces = [text[at : at + 3] for at in range(0, len(text), 3)]
    stops = Stops(["ab", "bc\n", text[5:8] or "x"])
    given = "".join(map(stops.add, pieces)) + stops.end()
    assert text.startswith(given)
    assert stops.met or given == text


def fuzz_answer(data: bytes) -> None:
    with suppress(Malformed):
        assert isinstance(text_of(data), str)


def fuzz_events(data: bytes) -> None:
    sent = Sent()
    for event in events_of(data):
        sent.add(event)
    assert b"".join(events_of(data)) == data


def fuzz_attestation_report(data: bytes) -> None:
    with suppress(Malformed, Usage):
        read_report(data)


def fuzz_own_receipt(data: bytes) -> None:
    """Checks of a receipt end, whatever its events hold."""
    with suppress(Malformed):
        for check in check_receipt(Receipt.parse(data)):
            assert check.state in ("passed", "failed", "not_checked")


def fuzz_query(data: bytes) -> None:
    scope = {
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "query_string": data,
        "headers": [(b"authorization", data)],
    }
    with suppress(Malformed):
        nonce = nonce_of(Call.of(scope))
        assert nonce is None or len(bytes.fromhex(nonce)) == 32


@cache
def _receipt() -> bytes:
    from tests.inference.test_checks import said, signed

    return signed(said()).encode()


def _answers() -> list[bytes]:
    shape = Shape(chat_id="chatcmpl-1", model="m", created=1, salt="00")
    stream = shape.first() + shape.piece("a") + shape.last("stop") + b"data: [DONE]\n\n"
    return [shape.whole("a", finish="stop", prompt=1, count=1), stream]


SEEDS = {
    "fuzz_chat_request": lambda: [
        body(),
        body(stream=True, temperature=0.5, top_p=0.9, seed=1, stop=["a"], user="u"),
        body(messages=[{"role": "user", "content": [{"type": "text", "text": "a"}]}]),
        body(provider={"aci_verified": True}, metadata={"a": "b"}),
    ],
    "fuzz_serving_document": lambda: [json.dumps({"model": "m", "price": PRICE}).encode()],
    "fuzz_model_config": lambda: [json.dumps(CONFIG).encode()],
    "fuzz_tokenizer": lambda: [tokenizer().to_str().encode()],
    "fuzz_chat_template": lambda: [TEMPLATE.encode(), b"{{ raise_exception('x') }}"],
    "fuzz_stops": lambda: [b"abcabcbc\nab"],
    "fuzz_answer": _answers,
    "fuzz_events": _answers,
    "fuzz_attestation_report": lambda: [
        b'{"teeproof":{"identity":{"attachments":{},"envelope":{}},"blobs":{},"fresh":{}}}'
    ],
    "fuzz_own_receipt": lambda: [_receipt()],
    "fuzz_query": lambda: [b"nonce=" + b"0" * 64],
}
