"""A receipt that contradicts itself is refused, whoever signed it; a true one says what it says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from teeproof.core.clock import to_epoch, wall_clock
from teeproof.evidence.collect.simulated import SimulatedAttester
from teeproof.inference.checks import alive, check_receipt
from teeproof.inference.stream import Sent, events_of, stream_event
from teeproof.inference.usage import usage_event
from teeproof.inference.verify import check_answer
from teeproof.proof import canonical
from teeproof.proof.memory import MemorySource
from teeproof.proof.receipt import Receipt, model_event
from teeproof.proof.workload import Identity
from tests.inference.serving import ASSET, platform, policy
from tests.inference.talk import body, named

STREAM = b"data: {}\n\ndata: {}\n\ndata: [DONE]\n\n"
SHARES = {"node": 4000, "model": 3000, "data": 3000}


def server() -> Identity:
    attester = SimulatedAttester(platform(), now=wall_clock)
    return Identity.boot(attester, roles=["receipt"], store=MemorySource())


SERVER = server()


def signed(events: list[dict[str, Any]], **changes: Any) -> Receipt:
    document = {
        "api_version": "aci/1",
        "receipt_id": "rcpt-1",
        "chat_id": "chatcmpl-1",
        "model": "orders",
        "workload_keyset_digest": SERVER.record.keyset_digest,
        "endpoint": "/v1/chat/completions",
        "method": "POST",
        "served_at": to_epoch(wall_clock()),
        "event_log": [{"type": "request.received", "body_hash": named(body())}, *events],
        "key_id": "receipt",
    } | changes
    signature = SERVER.keyring.sign_receipt(canonical.encode(document))
    return Receipt.parse(canonical.encode(document | {"signature": signature.hex()}))


def said(response: bytes = STREAM, *, cut_by: str | None = None) -> list[dict[str, Any]]:
    sent = Sent()
    for event in events_of(response):
        sent.add(event)
    return [
        model_event(named(b"model"), statement=bytes(32)),
        usage_event(prompt=3, count=2, amount=300, asset=ASSET, shares=SHARES),
        stream_event(sent, cut_by=cut_by),
        {"type": "response.returned", "body_hash": sent.digest},
    ]


def cut_receipt() -> tuple[Identity, bytes, bytes, Receipt]:
    """A true receipt of a stream that the client left: who signed, request, response, receipt."""
    response = STREAM[:20]
    return SERVER, body(), response, signed(said(response, cut_by="client"))


def codes(receipt: Receipt) -> list[str | None]:
    return [check.code for check in check_receipt(receipt) if check.state == "failed"]


def test_a_true_receipt_passes_and_says_what_it_says() -> None:
    checks = check_receipt(signed(said()))
    assert [check.name for check in checks] == ["answer-model", "answer-usage", "answer-ending"]
    assert all(check.state == "passed" for check in checks)
    assert "3 events" in checks[2].detail
    assert "3 tokens of prompt and 2 of answer cost 300 of" in checks[1].detail


def test_an_answer_that_was_cut_is_told_by_whom() -> None:
    assert [c.detail for c in check_receipt(cut_receipt()[3])][2] == (
        "the answer was cut by the client after 2 events"
    )
    nothing = said(b"", cut_by="server")[:-1]
    assert codes(signed(nothing)) == []


def test_a_refusal_has_no_model() -> None:
    (check,) = check_receipt(signed([{"type": "x.refusal", "code": "model_unknown"}]))
    assert (check.state, "model_unknown" in check.detail) == ("passed", True)


def test_receipts_of_other_services_are_not_checked_here() -> None:
    (check,) = check_receipt(signed([model_event(named(b"m"))]))
    assert check.state == "not_checked"


def edited(at: int, **changes: Any) -> list[dict[str, Any]]:
    events = said()
    events[at] = {k: v for k, v in (events[at] | changes).items() if v != "absent"}
    return events


@pytest.mark.parametrize(
    ("events", "code"),
    [
        (said()[1:], "answer_model"),
        ([said()[0], *said()], "answer_model"),
        (edited(0, statement="absent"), "answer_model"),
        ([said()[0], *said()[2:]], "answer_usage"),
        ([said()[1], *said()], "answer_usage"),
        (edited(1, prompt_tokens=-1), "answer_usage"),
        (edited(1, prompt_tokens=True), "answer_usage"),
        (edited(1, completion_tokens="2"), "answer_usage"),
        (edited(1, amount=300), "answer_usage"),
        (edited(1, amount="0300"), "answer_usage"),
        (edited(1, amount="-1"), "answer_usage"),
        (edited(1, amount="9" * 79), "answer_usage"),
        (edited(1, amount=str(2**256)), "answer_usage"),
        (edited(1, amount="absent"), "answer_usage"),
        (edited(1, asset="ETH"), "answer_usage"),
        (edited(1, asset=ASSET.upper()), "answer_usage"),
        (edited(1, shares={"node": 10_001, "x": -1}), "answer_usage"),
        (edited(1, shares={"node": 9_999}), "answer_usage"),
        (edited(1, shares={}), "answer_usage"),
        (edited(1, shares=[10_000]), "answer_usage"),
        (edited(2, cut_by="client"), "answer_ending"),
        (edited(2, complete=False), "answer_ending"),
        (edited(2, complete=False, cut_by="nobody"), "answer_ending"),
        (edited(2, complete=1), "answer_ending"),
        (edited(2, events="3"), "answer_ending"),
        (edited(2, events=0), "answer_ending"),
        ([*said(), said()[2]], "answer_ending"),
        (said()[:-1], "answer_ending"),
        ([*said()[:-1], {"type": "x.refusal", "code": "x"}], "answer_refusal"),
        ([{"type": "x.refusal"}], "answer_refusal"),
    ],
)
def test_service_signs_what_contradicts_itself(events: list[dict[str, Any]], code: str) -> None:
    assert codes(signed(events)) == [code]


def test_an_answer_may_cost_all_units_that_a_token_can_have() -> None:
    assert codes(signed(edited(1, amount=str(2**256 - 1)))) == []


def test_an_answer_is_given_while_its_keys_are_valid() -> None:
    keys = SERVER.record.keys
    for at, state in (
        (keys.not_before, "passed"),
        (keys.not_after, "passed"),
        (keys.not_before - 1, "failed"),
        (keys.not_after + 1, "failed"),
    ):
        assert alive(signed(said(), served_at=at), SERVER.record).state == state
    assert alive(signed(said(), served_at="now"), SERVER.record).code == "answer_outside_keys"


def verdict(response: bytes, receipt: Receipt, **more: Any) -> list[str | None]:
    found = check_answer(
        response,
        request=body(),
        receipt=receipt,
        identity=SERVER.record,
        now=wall_clock(),
        **({"policy": policy(), "blobs": SERVER.blobs} | more),
    )
    assert found.ok is not bool(found.failures)
    return [check.code for check in found.failures]


def test_an_answer_with_everything_in_order_is_ok() -> None:
    assert verdict(STREAM, signed(said())) == []


def test_service_states_a_chain_over_other_events() -> None:
    assert verdict(STREAM, signed(edited(2, head=named(b"x")))) == ["stream_mismatch"]
    assert verdict(STREAM, signed(edited(2, events=4))) == ["stream_mismatch"]


def test_evidence_that_is_missing_is_missing_and_not_good() -> None:
    codes = verdict(STREAM, signed(said()), blobs={})
    assert codes == ["evidence_missing"]


def test_a_machine_that_is_not_expected_is_refused() -> None:
    assert "simulated_root" in "".join(map(str, verdict(STREAM, signed(said()), policy=None)))


def test_what_is_no_receipt_is_no_proof() -> None:
    assert verdict(STREAM, b"{}") == ["receipt_malformed"]  # type: ignore[arg-type]
    changed = json.loads(signed(said()).encode()) | {"model": "other"}
    assert verdict(STREAM, json.dumps(changed).encode()) == ["receipt_signature"]  # type: ignore[arg-type]
