"""The KMS over HTTP: its routes, and a client that believes nothing without proof."""

from __future__ import annotations

import contextlib
import io
import json
import threading

import httpx
import pytest

from teeproof.cloud.kms.client import KmsClient
from teeproof.cloud.kms.requests import MAX_REQUEST_BYTES, write_request
from teeproof.cloud.kms.service import service
from teeproof.core.errors import Error, Malformed, NotAllowed, NotAuthentic, Unavailable
from teeproof.core.sealed import open_stream, seal
from teeproof.evidence.policy import parse_policy
from teeproof.web.running import serve_here
from tests.cloud.keeping import (
    KMS,
    OWNER,
    TRAINER,
    Kms,
    Vaulted,
    boot,
    job_of,
    machines,
    release_policy,
    request_of,
)


@contextlib.contextmanager
def serving(app):
    addresses, ready, stopped = [], threading.Event(), threading.Event()

    def listening(address):
        addresses.append(address)
        ready.set()

    thread = threading.Thread(
        target=serve_here, args=(app,), kwargs={"ready": listening, "stopped": stopped}
    )
    thread.start()
    ready.wait()
    try:
        yield addresses[0]
    finally:
        stopped.set()
        thread.join()


class Between:
    """Stands between the KMS and its client, and may change what is answered."""

    def __init__(self, app):
        self._app = app
        self.change = lambda path, body: body

    async def __call__(self, scope, receive, send):
        said = []

        async def keep(message):
            said.append(message)

        await self._app(scope, receive, keep)
        body = self.change(scope["path"], said[1]["body"])
        headers = [h for h in said[0]["headers"] if h[0] != b"content-length"]
        headers.append((b"content-length", b"%d" % len(body)))
        await send(said[0] | {"headers": headers})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def town(kms):
    between = Between(service(kms.keeper, kms.journal))
    with serving(between) as url:
        client = client_of(kms, url)
        yield kms, client, url, between
        client.close()


def client_of(kms, url, *, policy=None):
    return KmsClient(url, policy=policy or parse_policy(machines(KMS.compose_hash)), now=kms.clock)


def sealed_for(client, plain=b"orders", policy=None):
    policy = policy or release_policy()
    made = client.recipient(policy, owner=OWNER)
    out = io.BytesIO()
    header = seal(io.BytesIO(plain), out, recipients=[made.recipient], policy_digest=policy.digest)
    return Vaulted(header, policy, made.recipient, out.getvalue())


def test_the_whole_way_over_http(town):
    kms, client, _, _ = town
    file = sealed_for(client)
    job = job_of(file)
    challenge = client.challenge()
    me = boot(job, challenge, now=kms.clock)
    pairs = [(file.header.encode(), file.policy)]
    keys, said = client.released(me, job, challenge=challenge, files=pairs)
    plain = io.BytesIO()
    open_stream(io.BytesIO(file.data), plain, key=keys[file.id])
    assert plain.getvalue() == b"orders"
    assert said.statement.predicate.workload == me.name
    assert client.release(me, job, challenge=challenge, files=pairs)[file.id] == keys[file.id]
    gone = client.withdraw(file.recipient, owner=OWNER, file=file.id)
    assert gone.statement.predicate.order.file == file.id
    with pytest.raises(NotAllowed) as refused:
        client.release(me, job, challenge=challenge, files=pairs)
    assert refused.value.code == "withdrawn"
    assert "withdrawn it" in refused.value.detail


def test_a_hybrid_key_receives_grants_too(town):
    kms, client, _, _ = town
    file = sealed_for(client)
    job, challenge = job_of(file), client.challenge()
    me = boot(job, challenge, now=kms.clock, roles=[("seal", "mlkem768-x25519")])
    keys = client.release(me, job, challenge=challenge, files=[(file.header, file.policy)])
    assert file.read(keys[file.id]) == b"orders"


def test_a_client_believes_a_kms_again_that_was_restarted(town, tmp_path):
    kms, client, _, between = town
    assert client.identity.digest == kms.journal.me.digest
    before = client.identity.name
    kms.restart()
    between._app = service(kms.keeper, kms.journal)
    assert sealed_for(client)
    assert client.identity.name != before


def test_host_runs_another_program_as_kms(kms, tmp_path):
    other = Kms(tmp_path / "other", manifest=TRAINER_AS_KMS)
    with serving(service(other.keeper, other.journal)) as url:
        client = client_of(kms, url)
        with pytest.raises(NotAllowed) as refused:
            client.recipient(release_policy(), owner=OWNER)
        assert refused.value.got == TRAINER_AS_KMS.compose_hash
        client.close()
    other.close()


TRAINER_AS_KMS = type(TRAINER)("kms", "evil.kms", (), KMS.environment)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda _, body: body.replace(b'"signatures"', b'"Signatures"'), id="form"),
        pytest.param(lambda _, body: flipped(body, "sig"), id="signature"),
        pytest.param(lambda _, body: flipped(body, "payload"), id="payload"),
    ],
)
def test_host_changes_what_the_kms_answers(town, change):
    _, client, _, between = town
    assert sealed_for(client)
    between.change = change
    with pytest.raises((NotAuthentic, Malformed, Unavailable)):
        client.recipient(release_policy(), owner=OWNER)


def flipped(body, field):
    value = json.loads(body)
    if "statement" not in value:
        return body
    envelope = value["statement"]
    place = envelope["signatures"][0] if field == "sig" else envelope
    text = place[field]
    at = len(text) // 2
    place[field] = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
    return json.dumps(value).encode()


def test_host_gives_a_recipient_of_its_own(town):
    kms, client, _, between = town
    older = kms.keeper.recipient(release_policy(not_after=2**40), OWNER.sign_text(
        release_policy(not_after=2**40)))[1]  # fmt: skip

    def replay(path, body):
        if path != "/v1/recipients":
            return body
        return json.dumps({"statement": json.loads(older.encode())}).encode()

    between.change = replay
    with pytest.raises(NotAuthentic) as refused:
        client.recipient(release_policy(), owner=OWNER)
    assert refused.value.code == "kms_statement"


def test_host_answers_a_withdrawal_with_the_erasure_of_another_file(town):
    _, client, _, between = town
    one, two = sealed_for(client), sealed_for(client)
    first = client.withdraw(one.recipient, owner=OWNER, file=one.id)
    old = json.dumps({"statement": json.loads(first.envelope.encode())}).encode()
    between.change = lambda path, body: old if path == "/v1/withdraw" else body
    with pytest.raises(NotAuthentic) as refused:
        client.withdraw(two.recipient, owner=OWNER, file=two.id)
    assert refused.value.code == "kms_statement"


def test_host_swaps_a_grant(town):
    kms, client, _, between = town
    one, two = sealed_for(client, b"one"), sealed_for(client, b"two")
    job, challenge = job_of(one, two), client.challenge()
    me = boot(job, challenge, now=kms.clock)

    def swap(path, body):
        value = json.loads(body)
        if path == "/v1/release":
            a, b = value["grants"]
            value["grants"] = {a: value["grants"][b], b: value["grants"][a]}
        return json.dumps(value).encode()

    between.change = swap
    files = [(file.header, file.policy) for file in (one, two)]
    with pytest.raises(NotAllowed) as refused:
        client.release(me, job, challenge=challenge, files=files)
    assert refused.value.code == "grant_other_file"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"challenge":7}', b'{"challenge":"zz"}', b"\xff", b"[" * 10**5]
)
def test_host_answers_nonsense(town, body):
    _, client, _, between = town
    between.change = lambda *_: body
    with pytest.raises(Error):
        client.challenge()
    with pytest.raises(Error):
        _ = client.identity


def test_a_kms_that_is_not_there_is_said_to_be_unreachable(kms):
    client = client_of(kms, "http://127.0.0.1:9")
    with pytest.raises(Unavailable) as refused:
        client.challenge()
    assert refused.value.code == "service_unreachable"
    client.close()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "v1/release", b"", 400, "request_malformed"),
        ("POST", "v1/release", b"{}", 400, "request_malformed"),
        ("POST", "v1/withdraw", b'{"order":{},"signature":""}', 400, "request_malformed"),
        ("POST", "v1/recipients", b"[" * 1000, 400, "request_malformed"),
        ("POST", "v1/recipients", b" " * (MAX_REQUEST_BYTES + 1), 413, "too_large"),
        ("GET", "v1/release", None, 400, "method_wrong"),
        ("GET", "v1/nothing", None, 404, "route_unknown"),
        ("GET", "", None, 404, "route_unknown"),
        ("GET", "v1/identity?x=1", None, 404, "route_unknown"),
    ],
)
def test_errors_have_the_one_shape(town, method, path, body, status, code):
    _, _, url, _ = town
    with httpx.Client(timeout=60, trust_env=False) as web:
        answer = web.request(method, f"{url}/{path}", content=body)
    said = answer.json()
    assert (said["ok"], said["error"]) == (False, code)
    assert answer.status_code == (405 if code == "method_wrong" else status)


def test_a_refused_release_names_its_statement(town):
    kms, client, url, _ = town
    file = sealed_for(client)
    job, challenge = job_of(file, purpose="sell"), client.challenge()
    me = boot(job, challenge, now=kms.clock)
    body = write_request(request_of(me, challenge, job, file))
    with httpx.Client(timeout=60, trust_env=False) as web:
        answer = web.post(f"{url}/v1/release", content=body)
    assert answer.status_code == 403
    name = answer.headers["x-teeproof-statement"]
    assert kms.store.statement(bytes.fromhex(name.removeprefix("sha256:"))) is not None
