"""The market over HTTP, with its client: each answer, each refusal with its status and words."""

from __future__ import annotations

import json

import httpx
import pytest

from teeproof.cloud.owner import OwnerKey
from teeproof.core.errors import Malformed, NotAllowed, NotAuthentic, TooLarge, Unavailable
from teeproof.network.client import MarketClient, NoMatch
from teeproof.network.gate import MAX_BODY
from teeproof.network.node import Worker
from teeproof.network.orders import Need
from teeproof.proof.verify import Trust
from teeproof.proof.verify.identities import judge_identity
from teeproof.proof.verify.places import not_logged
from tests.network.scenes import ANY, GRANT, Served, claim, gpus, node_inside, policy, terms


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    market = Served(tmp_path_factory.mktemp("market"))
    yield market
    market.stop()


@pytest.fixture
def client(served):
    with MarketClient(served.url) as found:
        yield found


@pytest.fixture
def worker(served, client, tmp_path, request):
    name = request.node.name.replace("_", "-")[:60].rstrip("-").lower()
    found = Worker(
        node_inside(tmp_path, served.url, machine=name),
        client,
        claim(name, region=name[-8:].strip("-")),
    )
    assert found.register().admitted
    return found


def here(worker, **changes):
    return Need(tee=("sim",), regions=(worker.claim.region,), **changes)


def test_a_renter_gets_a_lease_and_the_node_learns_of_it(client, worker):
    owner = OwnerKey.new()
    matched = client.order(owner, need=here(worker), greatest_price=100, deposit=10_000)
    assert matched.node == worker.node
    assert client.lease(matched.lease).state == "waiting"
    pulse = worker.beat()
    assert (pulse.lease, pulse.state) == (matched.lease, "running")
    assert client.lease(matched.lease).state == "running"
    assert worker.attest().admitted
    assert worker.beat().state == "running"
    assert client.balance(owner.public).held == 10_000
    view = client.close(owner, matched.lease)
    assert view.closing.reason == "renter_closed"
    assert worker.beat().lease == ""
    assert client.balance(owner.public).balance == GRANT - view.earned


def test_a_node_leaves_its_lease(client, worker):
    owner = OwnerKey.new()
    matched = client.order(owner, need=here(worker), greatest_price=100, deposit=10_000)
    worker.beat()
    worker.leave()
    assert client.lease(matched.lease).closing.reason == "node_closed"


def test_a_worker_whose_renewal_was_answered_to_nobody_goes_on(client, worker, monkeypatch):
    honest = client.attest

    def lost(*arguments, **options):
        honest(*arguments, **options)
        raise Unavailable("the answer was lost", code="market_unreachable")

    monkeypatch.setattr(client, "attest", lost)
    with pytest.raises(Unavailable):
        worker.attest()
    assert worker.beat().time
    monkeypatch.setattr(client, "attest", lambda *_, **__: lost)
    worker._following = worker.identity.rotate(nonce="never sent")
    assert worker.beat().time  # under the identity that the market knows


def test_an_order_that_nothing_meets_says_what_came_closest(client, worker):
    with pytest.raises(NoMatch) as refused:
        client.order(OwnerKey.new(), need=here(worker, cpus=64), greatest_price=9, deposit=999)
    assert refused.value.code == "no_offer_meets_order"
    assert "breaks cpus (wanted 64 cores, has 8 cores)" in refused.value.detail
    assert refused.value.matched.match.startswith("sha256:")


def test_node_claims_an_h100_over_http(served, client, tmp_path):
    inside = node_inside(tmp_path, served.url, machine="liar")
    admission = Worker(inside, client, claim("liar", hardware=gpus())).register()
    assert not admission.admitted
    assert admission.reason == "claims 1 H100 and brings no GPU report"


def test_the_markets_own_identity_can_be_verified(client):
    view = client.market()
    record, blobs = client.identity()
    assert (record.name, view.terms) == (view.identity, terms())
    verdict = judge_identity(
        record, blob=blobs.__getitem__, place=not_logged(Trust()), now=view.time,
        policy=policy(), further=None, both_paths=True, known={},
    )  # fmt: skip
    assert verdict.ok, verdict.failures


def ask(served, method, path, **options):
    answer = httpx.request(method, f"{served.url}/{path}", **options)
    body = answer.json()
    assert set(body) == {"ok", "error", "detail", "expected", "got"}
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, body["error"]


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "code"),
    [
        ("GET", "v1/nothing", None, 404, "route_unknown"),
        ("GET", "", None, 404, "route_unknown"),
        ("GET", "v1/market/more", None, 404, "route_unknown"),
        ("GET", "v1/leases", None, 404, "route_unknown"),
        ("GET", "v1/market?x=1", None, 404, "route_unknown"),
        ("GET", "v1/orders", None, 405, "method_wrong"),
        ("POST", "v1/market", b"", 405, "method_wrong"),
        ("DELETE", "v1/leases/" + "0" * 64, None, 405, "method_wrong"),
        ("GET", "v1/leases/" + "0" * 64, None, 404, "lease_unknown"),
        ("GET", "v1/leases/%2e%2e", None, 400, "digest_malformed"),
        ("GET", "v1/accounts/nobody", None, 400, "owner_malformed"),
        ("POST", "v1/orders", b"{", 400, "json_malformed"),
        ("POST", "v1/heartbeats", b"\xff", 400, "json_malformed"),
        ("POST", "v1/nodes", b"[]", 400, "registration_malformed"),
        ("POST", "v1/attestations", b"{}", 400, "renewal_malformed"),
        ("POST", "v1/closings", b"{}", 400, "envelope_malformed"),
        ("POST", "v1/nodes", b" " * (MAX_BODY + 1), 413, "too_large"),
    ],
)
def test_client_sends_what_makes_no_sense(served, method, path, content, status, code):
    assert ask(served, method, path, content=content) == (status, code)


def test_renter_forges_another_renters_order_over_http(served, client):
    owner = OwnerKey.new()
    view = client.market()
    body = {
        "id": "order-000001", "market": view.digest, "renter": owner.public, "need": ANY,
        "greatest_price": "1", "deposit": "1", "not_after": view.time + 60,
        "type": "urn:teeproof:order:v1",
    }  # fmt: skip
    forged = OwnerKey.new().sign(body)
    assert ask(served, "POST", "v1/orders", content=forged.encode()) == (401, "owner_signature")


def test_each_refusal_comes_back_as_the_error_that_it_was(client):
    owner = OwnerKey.new()
    with pytest.raises(NotAllowed) as refused:
        client.order(owner, greatest_price=1, deposit=GRANT + 1)
    assert (refused.value.code, refused.value.got) == ("balance_short", str(GRANT))
    with pytest.raises(Malformed):
        client.order(owner, greatest_price=0, deposit=1)
    with pytest.raises(Unavailable) as refused:
        client.lease("sha256:" + "0" * 64)
    assert refused.value.code == "lease_unknown"
    with pytest.raises(NotAuthentic):
        client.place(OwnerKey.new().sign(_order_of(client, owner)))
    with pytest.raises(TooLarge):
        client._post("v1/orders", b" " * (MAX_BODY + 1), dict)


def _order_of(client, owner):
    view = client.market()
    return {
        "id": "order-000002", "market": view.digest, "renter": owner.public, "need": ANY,
        "greatest_price": "1", "deposit": "1", "not_after": view.time + 60,
        "type": "urn:teeproof:order:v1",
    }  # fmt: skip


def test_where_no_market_listens_it_is_unavailable():
    with MarketClient("http://127.0.0.1:9") as client, pytest.raises(Unavailable) as refused:
        client.market()
    assert refused.value.code == "market_unreachable"


def answering(status, body):
    client = MarketClient("http://127.0.0.1:9")
    answer = httpx.Response(status, stream=httpx.ByteStream(body))
    client._asker._http = httpx.Client(transport=httpx.MockTransport(lambda _: answer))
    return client


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (200, b"{}", Malformed, "market_answer_malformed"),
        (200, b"[1", Malformed, "json_malformed"),
        (200, json.dumps({"challenge": 1, "until": 2}).encode(), Malformed,
         "market_answer_malformed"),
        (500, b"{}", Unavailable, "market_refused"),
        (403, b"[]", NotAllowed, "market_refused"),
        (403, b'{"error":7,"detail":[]}', NotAllowed, "market_refused"),
        (302, b"{}", Unavailable, "market_refused"),
    ],
)  # fmt: skip
def test_market_answers_nonsense(status, body, kind, code):
    with pytest.raises(kind) as refused:
        answering(status, body).challenge()
    assert refused.value.code == code


def test_market_shows_no_identity():
    with pytest.raises(Malformed):
        answering(200, b'{"identity":{},"blobs":{}}').identity()
    with pytest.raises(Malformed):
        answering(200, b'{"identity":1}').identity()
