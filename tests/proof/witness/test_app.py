"""A witness over HTTP: each answer has the status and the body of c2sp.org/tlog-witness."""

from __future__ import annotations

import asyncio
import json

import pytest

from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.note import NoteSigner, SignatureLine
from teeproof.proof.log.formats.text import to_base64
from teeproof.proof.witness.app import App
from teeproof.proof.witness.request import MAX_REQUEST_BYTES, AddCheckpoint
from teeproof.proof.witness.state import origin_hash
from tests.proof.witness.scenes import COSIGNER, ORIGIN, SIGNER, STRANGER, Book, call, open_witness

ADD = "/add-checkpoint"


@pytest.fixture
def witness(tmp_path):
    with open_witness(tmp_path) as opened:
        yield opened


@pytest.fixture
def app(witness):
    return App(witness)


def post(app, request):
    return call(app, "POST", ADD, request.encode())


def test_a_cosignature_comes_as_a_signature_line(app):
    status, headers, body = post(app, Book.of(7).request(0))
    assert (status, headers["content-type"]) == (200, "text/plain; charset=utf-8")
    (line,) = SignatureLine.parse_lines(body)
    assert COSIGNER.verifier.owns(line)


def test_the_last_cosigned_checkpoint_is_served_to_monitors(app, witness):
    path = f"/{origin_hash(ORIGIN)}/checkpoint"
    assert call(app, "GET", path)[0] == 404
    _, _, line = post(app, Book.of(7).request(0))
    status, headers, body = call(app, "GET", path)
    assert status == 200
    assert SignedCheckpoint.parse(body) == Book.of(7).signed().with_(
        *SignatureLine.parse_lines(line)
    )
    status, again, nothing = call(app, "HEAD", path)
    assert (status, again, nothing) == (200, headers, b"")


def test_a_conflict_is_the_bare_size(app):
    post(app, Book.of(7).request(0))
    status, headers, body = post(app, Book.of(9).request(3))
    assert (status, headers["content-type"], body) == (409, "text/x.tlog.size", b"7\n")


def body_of(size_line: str) -> bytes:
    text = f"{ORIGIN}\n{size_line}\n{to_base64(bytes(32)).decode()}\n".encode()
    return b"old 0\n\n" + text + b"\n" + SIGNER.sign(text).encode()


UNKNOWN = NoteSigner("log.example/three", bytes(32))
FORGED = Book.of(9).request(7).encode().replace(b"\n9\n", b"\n8\n")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (Book.of(3, signer=UNKNOWN).request(0).encode(), 404, "origin_unknown"),
        (Book.of(9, signer=STRANGER).request(7).encode(), 403, "log_unknown"),
        (FORGED, 403, "checkpoint_signature"),
        (AddCheckpoint(9, (), Book.of(8).signed()).encode(), 400, "old_size_above"),
        (AddCheckpoint(7, (), Book.of(7).fork(2).signed()).encode(), 422, "equal_size_other_root"),
        (Book.of(9).fork(2).request(7).encode(), 422, "consistency_mismatch"),
        (AddCheckpoint(7, (), Book.of(9).signed()).encode(), 422, "consistency_mismatch"),
        (body_of("0"), 422, "empty_tree_root"),
        (body_of("00"), 400, "number_malformed"),
        (b"old 7\n", 400, "request_malformed"),
        (bytes(MAX_REQUEST_BYTES + 1), 413, "too_large"),
    ],
)
def test_what_is_refused_is_refused_with_its_status_and_code(app, body, status, code):
    post(app, Book.of(7).request(0))
    found, headers, answer = call(app, "POST", ADD, body)
    said = json.loads(answer)
    assert (found, said["error"], said["ok"]) == (status, code, False)
    assert headers["content-type"] == "application/json"
    assert post(app, Book.of(9).request(7))[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", ADD, 405),
        ("POST", f"/{origin_hash(ORIGIN)}/checkpoint", 405),
        ("GET", "/", 404),
        ("GET", "//checkpoint", 404),
        ("GET", f"/{origin_hash(ORIGIN)}/checkpoint/", 404),
        ("GET", f"/{origin_hash(ORIGIN).upper()}/checkpoint", 404),
        ("POST", "/x/add-checkpoint", 404),
    ],
)
def test_other_pages_and_methods_are_refused(app, method, path, status):
    assert call(app, method, path)[0] == status


def test_a_prefix_stands_before_every_route(witness):
    app = App(witness, prefix="/w1")
    body = Book.of(7).request(0).encode()
    assert call(app, "POST", "/w1" + ADD, body)[0] == 200
    assert call(app, "POST", ADD, body)[0] == 404
    assert call(app, "POST", "/w1x" + ADD, body)[0] == 404


@pytest.mark.parametrize("length", [str(MAX_REQUEST_BYTES + 1), "-1", "9" * 13, "x"])
def test_client_a_length_that_is_too_large_is_refused_before_the_body(app, length):
    assert call(app, "POST", ADD, b"", {"content-length": length})[0] == 413


def run(app, receive):
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": ADD, "headers": []}
    asyncio.run(app(scope, receive, send))
    return sent


def test_client_a_body_that_never_ends_is_cut_off(witness):
    async def receive():
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"o", "more_body": True}

    (start, body) = run(App(witness, seconds=0.1), receive)
    assert start["status"] == 408
    assert json.loads(body["body"])["error"] == "body_late"


def test_client_a_body_that_grows_without_end_is_cut_off(app):
    async def receive():
        return {"type": "http.request", "body": bytes(1 << 16), "more_body": True}

    assert run(app, receive)[0]["status"] == 413


def test_client_who_goes_away_is_not_answered(app):
    async def receive():
        return {"type": "http.disconnect"}

    assert run(app, receive) == []


def test_a_witness_with_too_much_to_do_says_so(witness):
    app = App(witness, most=1)
    body = Book.of(7).request(0).encode()

    async def at_once(count, seconds):
        scope = {"type": "http", "method": "POST", "path": ADD, "headers": []}
        sent = []

        async def send(message):
            sent.append(message)

        async def slow():
            await asyncio.sleep(seconds)
            return {"type": "http.request", "body": body}

        await asyncio.gather(*(app(scope, slow, send) for _ in range(count)))
        await app(scope, slow, send)
        return sent

    def statuses(sent):
        return sorted(m["status"] for m in sent if "status" in m)

    in_work = asyncio.run(at_once(3, 0))
    assert statuses(in_work) == [200, 409, 503, 503]
    assert (b"retry-after", b"2") in in_work[0]["headers"]
    assert statuses(asyncio.run(at_once(9, 0.1)))[-1] == 503


def test_client_bodies_that_arrive_slowly_keep_nobody_from_the_witness(witness):
    app = App(witness, most=1)
    body = Book.of(7).request(0).encode()

    async def never():
        await asyncio.sleep(60)

    async def at_once():
        return {"type": "http.request", "body": body}

    async def all_together():
        scope = {"type": "http", "method": "POST", "path": ADD, "headers": []}
        sent = []

        async def send(message):
            sent.append(message)

        slow = [asyncio.ensure_future(app(scope, never, send)) for _ in range(7)]
        await asyncio.sleep(0)
        await app(scope, at_once, send)
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        return sent

    assert [m["status"] for m in asyncio.run(all_together()) if "status" in m] == [200]


def test_a_server_that_starts_and_stops_is_answered(app):
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message["type"])

    asyncio.run(app({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
