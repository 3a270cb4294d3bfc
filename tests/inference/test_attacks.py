"""What a host, a client or a stranger may try with an answer, each by name."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from teeproof.core.clock import wall_clock
from teeproof.core.errors import Error, Malformed, NotAllowed, NotAuthentic, TooLarge
from teeproof.evidence.collect.simulated import (
    SimulatedAttester,
    SimulatedPlatform,
    opt_in_policy,
)
from teeproof.evidence.policy import load_policy, parse_policy
from teeproof.inference import workload
from teeproof.inference.client import Service
from teeproof.inference.link import Link, Reply
from teeproof.inference.verify import Expected, check_answer
from teeproof.proof import canonical
from teeproof.proof.workload import Identity
from tests.inference import models
from tests.inference.serving import ASSET, NAME, Hosted, hosted, platform, policy
from tests.inference.talk import (
    CHAT,
    HostileLink,
    body,
    events,
    get,
    named,
    post,
    raw,
    receipt_of,
)
from tests.inference.test_checks import cut_receipt

QUESTION = "sell half my ETH"


@pytest.fixture
def line(host: Hosted) -> Iterator[tuple[HostileLink, Service]]:
    """A client whose every byte goes through the host's hands."""
    link = HostileLink(host.url)
    service = Service(link, policy=policy(), now=wall_clock, random=secrets.token_hex)
    service.attest()
    yield link, service
    service.close()


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(Error) as refused:
        work()
    return refused.value.code


def ask(service: Service, **more: Any) -> Any:
    return service.ask(QUESTION, model=NAME, max_tokens=12, **more)


def test_an_honest_host_changes_nothing(line: tuple[HostileLink, Service], host: Hosted) -> None:
    link, service = line
    link.on_get = lambda path, reply: reply
    link.on_post = lambda request, reply: reply
    expected = Expected(
        model=host.root.name, statement=host.training.name, asset=ASSET, amount=400_000
    )
    for stream in (False, True):
        answer = ask(service, stream=stream, expected=expected)
        assert answer.verdict.ok
        assert len(answer.text) == 12
        assert all(check.state == "passed" for check in answer.verdict.checks)


def test_host_swaps_weights(tmp_path: Path, model: Path) -> None:
    """It hands the workload other weights beside the honest training statement."""
    other = models.make(tmp_path / "other", seed=8)
    host, honest = Hosted(tmp_path / "h", other), Hosted(tmp_path / "x", model)
    host.training, host.envelope = honest.training, honest.envelope
    host.document["statement"] = host.training.name
    with pytest.raises(NotAllowed) as refused:
        workload.main(host.prepare())
    assert refused.value.code == "model_not_answered_for"
    assert refused.value.got == host.root.name
    assert refused.value.expected == host.training.subjects[0].sha256


def test_host_flips_one_bit_of_the_weights(tmp_path: Path) -> None:
    host = Hosted(tmp_path / "h", models.make(tmp_path / "m"))
    file = host.model / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert code_of(lambda: workload.main(host.prepare())) == "model_not_answered_for"


def test_host_swaps_weights_and_their_statement(tmp_path: Path, host: Hosted) -> None:
    """It brings a training of its own: the receipt says so, and the client expects another."""
    wanted = Expected(model=host.root.name)
    with (
        hosted(tmp_path / "h", models.make(tmp_path / "m", seed=8)) as other,
        other.connect() as service,
        pytest.raises(NotAllowed) as refused,
    ):
        ask(service, expected=wanted)
    assert refused.value.code == "model_not_expected"
    assert (refused.value.expected, refused.value.got) == (host.root.name, other.root.name)


@pytest.mark.parametrize("stream", [False, True])
def test_host_edits_an_answer(line: tuple[HostileLink, Service], *, stream: bool) -> None:
    link, service = line

    def edit(_: bytes, reply: Reply) -> Reply:
        return reply._replace(body=reply.body.replace(b'"content":"', b'"content":"!', 1))

    link.on_post = edit
    assert code_of(lambda: ask(service, stream=stream)) == "response_mismatch"


def test_host_changes_one_byte_that_nobody_reads(line: tuple[HostileLink, Service]) -> None:
    link, service = line
    link.on_post = lambda _, reply: reply._replace(body=reply.body + b"\n")
    assert code_of(lambda: ask(service)) == "response_mismatch"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda value: value["event_log"][4].update(amount="1"), "receipt_signature"),
        (lambda value: value["event_log"][1].update(digest=named(b"x")), "receipt_signature"),
        (lambda value: value.update(key_id="statement"), "receipt_signature"),
        (lambda value: value.update(signature="00" * 64), "receipt_signature"),
        (lambda value: value.update(workload_keyset_digest=named(b"x")), "receipt_of_another"),
        (lambda value: value.update(api_version="aci/2"), "receipt_malformed"),
    ],
)
def test_host_edits_a_receipt(
    line: tuple[HostileLink, Service], change: Callable[[Any], None], code: str
) -> None:
    link, service = line

    def edit(path: str, reply: Reply) -> Reply:
        if "/receipts/" not in path:
            return reply
        value = json.loads(reply.body)
        change(value)
        return reply._replace(body=canonical.encode(value))

    link.on_get = edit
    assert code_of(lambda: ask(service)) == code


def test_host_serves_anothers_receipt(line: tuple[HostileLink, Service], host: Hosted) -> None:
    link, service = line
    others = get(host.url, f"/v1/aci/receipts/{post(host.url, body()).json()['id']}").content
    link.on_get = lambda path, reply: Reply(others, "") if "/receipts/" in path else reply
    assert code_of(lambda: ask(service)) == "request_mismatch"


def test_host_replays_an_old_answer(line: tuple[HostileLink, Service]) -> None:
    """The very same question: the nonce in it makes the old answer's receipt another's."""
    link, service = line
    kept: list[Reply] = []

    def replay(_: bytes, reply: Reply) -> Reply:
        kept.append(reply)
        return kept[0]

    link.on_post = replay
    first = ask(service)
    with pytest.raises(NotAuthentic) as refused:
        ask(service)
    assert refused.value.code == "request_mismatch"
    assert refused.value.expected == named(first.request)


def test_host_holds_a_question_back_for_an_hour(host: Hosted) -> None:
    """Its own clock says when; ours says that the answer is older than the question."""
    with host.connect() as service:
        honest = service.now
        service.now = lambda: honest().replace(year=honest().year + 1)
        service.attest = lambda: None  # type: ignore[method-assign]
        with pytest.raises(Error) as refused:
            ask(service)
    assert refused.value.code == "answer_old"


@pytest.mark.parametrize("keep", ["all but the end", "half"])
def test_host_drops_the_stream_early(line: tuple[HostileLink, Service], keep: str) -> None:
    link, service = line

    def drop(_: bytes, reply: Reply) -> Reply:
        end = reply.body.rfind(b"data: [DONE]") if keep != "half" else len(reply.body) // 2
        return reply._replace(body=reply.body[:end])

    link.on_post = drop
    assert code_of(lambda: ask(service, stream=True)) == "response_mismatch"


def test_host_cuts_the_service_off_and_shows_the_true_receipt_of_that() -> None:
    """A receipt of a cut stream is authentic, and no receipt of an answer."""
    identity, request, response, receipt = cut_receipt()
    verdict = check_answer(
        response, request=request, receipt=receipt, identity=identity.record,
        blobs=identity.blobs, now=wall_clock(), policy=policy(),
    )  # fmt: skip
    assert [check.code for check in verdict.failures] == ["answer_incomplete"]
    assert verdict.failures[0].got == "cut by client"


def test_host_shows_an_old_attestation(host: Hosted) -> None:
    link = HostileLink(host.url)
    old = link.get(f"/v1/aci/attestation?nonce={'0' * 64}")
    link.on_get = lambda path, reply: old if "/attestation" in path else reply
    service = Service(link, policy=policy(), now=wall_clock, random=secrets.token_hex)
    assert code_of(service.attest) == "attestation_not_fresh"
    service.close()


def test_host_puts_keys_of_its_own_beside_honest_evidence(host: Hosted) -> None:
    mine = Identity.boot(SimulatedAttester(platform(), now=wall_clock), roles=["receipt"])

    def swap(_: str, reply: Reply) -> Reply:
        value = json.loads(reply.body)
        value["teeproof"]["identity"] = json.loads(mine.record.encode())
        return reply._replace(body=json.dumps(value).encode())

    link = HostileLink(host.url)
    link.on_get = swap
    service = Service(link, policy=policy(), now=wall_clock, random=secrets.token_hex)
    assert code_of(service.attest) == "attestation_not_fresh"
    service.close()


def test_host_runs_it_on_a_machine_that_is_none(host: Hosted) -> None:
    """Simulated evidence is refused by who did not ask for it, and by who trusts another's."""
    for expected in (load_policy("standard"), None):
        with pytest.raises(Error) as refused:
            Service.connect(host.url, policy=expected)
        assert refused.value.exit_code in (2, 4)
    another = parse_policy(opt_in_policy(SimulatedPlatform.create()))
    with pytest.raises(Error):
        Service.connect(host.url, policy=another)


def test_host_asks_for_more_than_the_client_allows(host: Hosted) -> None:
    with host.connect() as service:
        for expected in (Expected(amount=300_000), Expected(asset=ASSET[:-1] + "0")):
            with pytest.raises(NotAllowed) as refused:
                ask(service, expected=expected)
            assert refused.value.code == "price_not_expected"


def test_host_gives_a_report_that_is_none(host: Hosted) -> None:
    link = HostileLink(host.url)
    service = Service(link, policy=policy(), now=wall_clock, random=secrets.token_hex)
    empty = b'{"teeproof":{"identity":{},"blobs":{},"fresh":{}}}'
    for made in (b"", b"{}", b"[]", b'{"teeproof":{}}', empty):
        link.on_get = lambda path, reply, made=made: Reply(made, "")
        with pytest.raises(Malformed):
            service.attest()
    service.close()


def test_client_forges_a_hash_header(host: Hosted) -> None:
    data = body()
    forged = {
        "x-request-hash": "f" * 64, "x-response-hash": "f" * 64, "x-receipt-id": "rcpt-mine",
        "x-aci-keyset-digest": named(b""), "content-digest": "sha-256=:AAAA:",
    }  # fmt: skip
    answer = post(host.url, data, **forged)
    found = receipt_of(host.url, answer.headers["x-receipt-id"])
    assert "ffff" not in json.dumps(found)
    assert found["receipt_id"] != "rcpt-mine"
    assert events(found)["request.received"]["body_hash"] == named(data)
    assert events(found)["response.returned"]["body_hash"] == named(answer.content)


@pytest.mark.parametrize("announced", [True, False])
def test_client_sends_a_megabyte(host: Hosted, *, announced: bool) -> None:
    data = body("x" * (1 << 20))
    with httpx.Client(timeout=120, verify=False) as client:
        refused = client.post(host.url + CHAT, content=data if announced else iter([data]))
    assert refused.status_code == 413
    error = refused.json()["error"]
    assert error["code"] == "too_large"
    assert (error["expected"], error["got"]) == ("at most 262144 bytes", f"{len(data)} bytes")
    assert "x-receipt-id" not in refused.headers
    with closing(Link(host.url)) as link, pytest.raises(TooLarge):
        link.post(CHAT, data)


def test_client_sends_just_what_is_allowed(host: Hosted) -> None:
    data = body()
    data += b" " * ((256 << 10) - len(data))
    assert post(host.url, data).status_code == 200
    assert post(host.url, data + b" ").status_code == 413


def test_client_floods(tmp_path: Path) -> None:
    """One answer is in the making, one question waits; the next is told to come again."""
    model = models.make(tmp_path / "m", max_position_embeddings=32768, eos_token_id=None)
    limits = {"tokens": 30_000, "running": 1, "waiting": 1}
    with hosted(tmp_path / "h", model, limits=limits) as host:
        leave = threading.Event()
        long = body(stream=True, max_tokens=30_000)

        def hold() -> None:
            with (
                httpx.Client(timeout=120, verify=False) as client,
                client.stream("POST", host.url + CHAT, content=long) as got,
            ):
                for _ in got.iter_raw():
                    if leave.is_set():
                        return

        holders = [threading.Thread(target=hold) for _ in range(2)]
        for holder in holders:
            holder.start()
        while get(host.url, "/health").json()["busy"] < 2:
            pass
        refused = [post(host.url, body()) for _ in range(5)]
        leave.set()
        for holder in holders:
            holder.join()
        while get(host.url, "/health").json()["busy"]:
            pass
        again = post(host.url, body())
    assert [answer.status_code for answer in refused] == [503] * 5
    assert {answer.json()["error"]["code"] for answer in refused} == {"service_busy"}
    assert all(answer.headers["retry-after"] == "2" for answer in refused)
    assert all("x-receipt-id" not in answer.headers for answer in refused)
    assert again.status_code == 200


def test_clients_that_ask_at_once_each_get_their_own_answer(host: Hosted) -> None:
    questions = [f"buy {number} BTC" for number in range(6)]
    alone = [raw(host.url, body(question))[1] for question in questions]
    found: dict[str, bytes] = {}

    def one(question: str) -> None:
        found[question] = raw(host.url, body(question))[1]

    threads = [threading.Thread(target=one, args=(question,)) for question in questions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    texts = [json.loads(found[question])["choices"] for question in questions]
    assert texts == [json.loads(answer)["choices"] for answer in alone]


def test_client_asks_for_evidence_all_the_time(host: Hosted) -> None:
    statuses = []

    def one() -> None:
        statuses.append(get(host.url, f"/v1/aci/attestation?nonce={'1' * 64}").status_code)

    threads = [threading.Thread(target=one) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 503}
    assert 200 in statuses
    assert get(host.url, "/v1/aci/attestation").status_code == 200
