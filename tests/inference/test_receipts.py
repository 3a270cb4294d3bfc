"""A receipt is of the very bytes, is there when the answer ends, and stays there."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from teeproof.core.errors import Unavailable
from teeproof.inference.client import Service
from teeproof.inference.keeping import Keeper
from teeproof.inference.store import ReceiptStore
from teeproof.inference.stream import Sent, events_of
from teeproof.proof.memory import MemorySource
from teeproof.proof.receipt import Receipt
from tests.inference import models
from tests.inference.serving import ASSET, Hosted, hosted, people, policy
from tests.inference.talk import body, events, get, hang_up_after, named, post, raw, receipt_of
from tests.inference.test_checks import SERVER, said, signed


@pytest.mark.parametrize("stream", [False, True])
def test_a_receipt_is_of_the_bytes_that_crossed_the_wire(host: Hosted, *, stream: bool) -> None:
    data = b" \n" + body(stream=stream) + b"\r\n"
    headers, got = raw(host.url, data)
    kinds = events(receipt_of(host.url, headers["x-receipt-id"]))
    assert kinds["request.received"]["body_hash"] == named(data)
    assert kinds["response.returned"]["body_hash"] == named(got)
    assert kinds["x.stream"]["complete"] is True
    assert kinds["x.stream"]["cut_by"] is None


def test_a_stream_is_whole_events_of_which_the_last_is_done(host: Hosted) -> None:
    headers, got = raw(host.url, body(stream=True, stream_options={"include_usage": True}))
    assert headers["content-type"] == "text/event-stream"
    pieces = list(events_of(got))
    assert b"".join(pieces) == got
    assert pieces[-1] == b"data: [DONE]\n\n"
    assert all(piece.startswith(b"data: ") and piece.endswith(b"\n\n") for piece in pieces)
    chunks = [json.loads(piece[6:]) for piece in pieces[:-1]]
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [chunk["usage"]["completion_tokens"] for chunk in chunks if "usage" in chunk] == [12]


def test_the_chain_shows_which_prefix_somebody_saw(host: Hosted) -> None:
    headers, got = raw(host.url, body(stream=True))
    stated = events(receipt_of(host.url, headers["x-receipt-id"]))["x.stream"]
    seen, heads = Sent(), []
    for event in events_of(got):
        seen.add(event)
        heads.append(named(b"") if seen.events == 0 else f"sha256:{seen.head.hex()}")
    assert (stated["events"], stated["head"]) == (len(heads), heads[-1])
    assert len(set(heads)) == len(heads)
    assert seen.digest == named(got)


def test_a_receipt_says_what_ran_where_and_what_it_costs(host: Hosted) -> None:
    found = receipt_of(host.url, post(host.url, body()).headers["x-receipt-id"])
    kinds = events(found)
    assert list(kinds) == [
        "request.received", "x.model", "x.links", "x.generation", "x.usage", "x.stream",
        "response.returned",
    ]  # fmt: skip
    assert kinds["x.model"]["digest"] == host.root.name
    assert kinds["x.model"]["statement"] == host.training.name
    assert (kinds["x.links"]["role"], kinds["x.links"]["statement"]) == ("node", host.lease.name)
    usage = kinds["x.usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (17, 12)
    assert (usage["amount"], usage["asset"]) == (str(300_000 + 10 * 29), ASSET)
    assert usage["shares"] == {"node": 4000, "model": 3000, "data": 3000}
    assert (found["endpoint"], found["method"]) == ("/v1/chat/completions", "POST")


def test_an_answer_holds_what_no_receipt_shows(host: Hosted) -> None:
    answer = post(host.url, body())
    found = receipt_of(host.url, answer.headers["x-receipt-id"])
    salt = answer.json()["salt"]
    assert len(salt) == 32
    assert salt not in json.dumps(found)


def test_the_receipt_is_there_when_the_last_event_is_read(host: Hosted) -> None:
    with (
        httpx.Client(timeout=120, verify=False) as client,
        client.stream("POST", f"{host.url}/v1/chat/completions", content=body(stream=True)) as got,
    ):
        name, seen = got.headers["x-receipt-id"], b""
        assert get(host.url, f"/v1/aci/receipts/{name}").status_code in (200, 404)
        for part in got.iter_raw():
            seen += part
            if b"[DONE]" in seen:
                break
        assert receipt_of(host.url, name)["receipt_id"] == name


def test_receipts_are_found_by_both_ids_and_are_in_the_log(host: Hosted) -> None:
    answer = post(host.url, body())
    by_chat = receipt_of(host.url, answer.json()["id"])
    assert by_chat == receipt_of(host.url, answer.headers["x-receipt-id"])
    receipt = Receipt.parse(json.dumps(by_chat).encode())
    assert host.store.statement(receipt.id) is not None
    assert receipt.id in host.store.producers(named(answer.content))


def test_client_asks_for_the_receipt_of_another_credential(host: Hosted) -> None:
    name = post(host.url, body(), authorization="Bearer mine").headers["x-receipt-id"]
    path = f"/v1/aci/receipts/{name}"
    assert get(host.url, path, authorization="Bearer mine").status_code == 200
    none, wrong = get(host.url, path), get(host.url, path, authorization="Bearer other")
    assert (none.status_code, none.json()["error"]["type"]) == (401, "unauthorized")
    assert (wrong.status_code, wrong.json()["error"]["type"]) == (404, "not_found")
    assert wrong.json()["error"]["code"] == "receipt_unknown"


def test_old_receipts_and_their_signer_outlive_a_restart(tmp_path: Path, model: Path) -> None:
    host = Hosted(tmp_path, model)
    host.start()
    answer = post(host.url, body())
    host.stop()
    host.start()
    try:
        found = receipt_of(host.url, answer.json()["id"])
        signer = found["workload_keyset_digest"]
        assert signer != get(host.url, "/health").headers["x-aci-keyset-digest"]
        kept = get(host.url, f"/v1/aci/identities/{signer}").json()
        assert kept["identity"]["envelope"]["payload"]
        assert kept["blobs"]
        assert get(host.url, "/health").json()["receipts"] == 1
    finally:
        host.stop()


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that goes on for as long as one likes: it has no end token."""
    folder = tmp_path_factory.mktemp("long") / "m"
    return models.make(folder, max_position_embeddings=32768, eos_token_id=None)


def wait_for(host: Hosted, count: int) -> None:
    """Wait until so many receipts are kept and nobody is being answered."""
    until = time.monotonic() + 300
    while True:
        told = get(host.url, "/health").json()
        if told["receipts"] >= count and not told["busy"]:
            return
        assert time.monotonic() < until, told
        time.sleep(0.02)


def only_receipt(host: Hosted) -> dict[str, Any]:
    with sqlite3.connect(host.folder / "state" / "receipts.sqlite") as base:
        ((document,),) = base.execute("SELECT document FROM receipt").fetchall()
    base.close()
    return dict(json.loads(document))


LIMITS = {"tokens": 30_000, "running": 1, "waiting": 1}


@pytest.mark.parametrize("stream", [True, False])
def test_client_hangs_up(tmp_path: Path, long: Path, *, stream: bool) -> None:
    with hosted(tmp_path, long, limits=LIMITS) as host:
        data = body(stream=stream, max_tokens=30_000)
        got = hang_up_after(host.url, data, 1000 if stream else 0)
        wait_for(host, 1)
    kinds = events(only_receipt(host))
    assert kinds["request.received"]["body_hash"] == named(data)
    assert kinds["x.stream"]["complete"] is False
    assert kinds["x.stream"]["cut_by"] == "client"
    assert kinds["x.usage"]["completion_tokens"] < 30_000
    if stream:
        seen = got.partition(b"\r\n\r\n")[2]
        assert kinds["x.stream"]["events"] >= 3
        assert seen
        assert kinds["response.returned"]["body_hash"] != named(b"")
    else:
        assert kinds["x.stream"]["events"] == 0
        assert "response.returned" not in kinds


def test_host_stops_the_service_in_the_middle_of_a_stream(tmp_path: Path, long: Path) -> None:
    """The grace is over at once: the service's own task is cancelled, as uvicorn does then."""
    host = Hosted(tmp_path, long, limits=LIMITS)
    service, store = host.service()
    sent: list[dict[str, Any]] = []

    async def run() -> None:
        asked = [{"type": "http.request", "body": body(stream=True, max_tokens=30_000)}]

        async def receive() -> dict[str, Any]:
            if asked:
                return asked.pop()
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Any) -> None:
            sent.append(message)
            if len(sent) == 8:
                task.cancel()

        task = asyncio.ensure_future(service(host.scope(), receive, send))
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    service.close()
    kinds = events(only_receipt(host))
    got = b"".join(message.get("body", b"") for message in sent)
    assert (kinds["x.stream"]["complete"], kinds["x.stream"]["cut_by"]) == (False, "server")
    assert kinds["response.returned"]["body_hash"] in (
        named(got),
        named(got[: got.rfind(b"data:")]),
    )
    assert b"[DONE]" not in got
    store.close()


def test_a_model_that_breaks_ends_its_answer_and_says_so(tmp_path: Path, long: Path) -> None:
    host = Hosted(tmp_path, long, limits=LIMITS)
    service, store = host.service()
    llama = service._engine._llama
    honest, calls = llama.scores, []

    def breaks(tokens: Any, cache: Any) -> Any:
        calls.append(tokens)
        if len(calls) == 5:
            raise ZeroDivisionError
        return honest(tokens, cache)

    llama.scores = breaks
    status, got = asyncio.run(host.talk(service, body(stream=True)))
    service.close()
    kinds = events(only_receipt(host))
    assert status == 200
    assert list(events_of(got))[-1].startswith(b'data: {"error":{"message":"the model made')
    assert (kinds["x.stream"]["complete"], kinds["x.stream"]["cut_by"]) == (False, "engine")
    assert kinds["response.returned"]["body_hash"] == named(got)
    store.close()


@pytest.mark.parametrize("stream", [False, True])
def test_no_answer_ends_well_that_the_disk_does_not_take(
    tmp_path: Path, model: Path, *, stream: bool
) -> None:
    host = Hosted(tmp_path, model)
    service, store = host.service()
    store.close()
    status, got = asyncio.run(host.talk(service, body(stream=stream)))
    service.close()
    assert b"receipts_unavailable" in got
    assert b"[DONE]" not in got
    assert status == (200 if stream else 503)


class Away(MemorySource):
    """A log that can be reached now and then."""

    there = False

    def add_statement(self, data: bytes) -> bytes:
        if not self.there:
            raise Unavailable("away", code="log_unreachable")
        return super().add_statement(data)


def test_a_log_that_is_away_gets_every_receipt_later(tmp_path: Path, host: Hosted) -> None:
    receipts = [
        Receipt.parse(
            get(host.url, f"/v1/aci/receipts/{post(host.url, body()).json()['id']}").content
        )
        for _ in range(3)
    ]
    log, clock = Away(), [0.0]
    identity, _ = people()
    with Service.connect(host.url, policy=policy()) as service:
        record, blobs = service.identity.encode(), service.blobs
    keyset = service.identity.keyset_digest
    before, identity.store = identity.store, log
    store = ReceiptStore(tmp_path / "r.sqlite")
    try:
        keeper = Keeper(store, identity, clock=lambda: clock[0])
        store.put_identity(keyset, record, blobs)
        for receipt in receipts[:2]:
            keeper.keep(receipt, credential=None)
        assert store.counts == (2, 2)
        log.there = True
        keeper.keep(receipts[2], credential=None)
        assert store.counts == (3, 3)  # it is not asked again so soon
        clock[0] += 6
        assert keeper.append() == 3
        assert store.counts == (3, 0)
        assert all(log.statement(receipt.id) for receipt in receipts)
        assert log.identity_of_keyset(keyset) is not None
    finally:
        identity.store = before
        store.close()


class Slow(MemorySource):
    """A log that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def add_statement(self, data: bytes) -> bytes:
        self.go_on.wait(60)
        return super().add_statement(data)


def test_a_log_that_is_slow_holds_up_no_answer(tmp_path: Path) -> None:
    receipt, log = signed(said()), Slow()
    before, SERVER.store = SERVER.store, log
    store = ReceiptStore(tmp_path / "r.sqlite")
    try:
        log.add_identity(SERVER.record.encode(), SERVER.blobs)
        keeper = Keeper(store, SERVER, patience=0.01)
        keeper.keep(receipt, credential=None)
        assert store.counts == (1, 1)
        log.go_on.set()
        keeper.append()
        assert store.counts == (1, 0)
        assert log.statement(receipt.id) == receipt.encode()
    finally:
        SERVER.store = before
        keeper.close()
        store.close()


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no").write_bytes(b"not a database, but long enough to be looked at" * 50)
    with sqlite3.connect(tmp_path / "new") as base:
        base.execute("PRAGMA user_version = 2")
    base.close()
    for name in ("no", "new", "missing/deep"):
        with pytest.raises(Unavailable) as refused:
            ReceiptStore(tmp_path / name)
        assert refused.value.code == "receipts_unavailable"
