"""The service as its clients see it: the unmodified openai package, and bare HTTP."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from teeproof.evidence.binding import report_data_for
from teeproof.evidence.naming import report_data_of
from teeproof.evidence.record import Evidence
from teeproof.proof.keyset import Keyset
from tests.inference.serving import ASSET, NAME, Hosted, hosted
from tests.inference.talk import CHAT, body, events, get, named, post, raw, receipt_of

QUESTION: Any = [{"role": "user", "content": "sell half my ETH"}]


def sdk(host: Hosted, **options: Any) -> OpenAI:
    return OpenAI(base_url=f"{host.url}/v1", api_key="any", max_retries=0, **options)


def test_the_openai_package_gets_an_answer(host: Hosted) -> None:
    with sdk(host) as client:
        raw_answer = client.chat.completions.with_raw_response.create(
            model=NAME, messages=QUESTION, max_tokens=20
        )
        answer = raw_answer.parse()
        models = [one.id for one in client.models.list()]
    assert models == [NAME]
    assert answer.model == NAME
    assert answer.choices[0].finish_reason == "length"
    assert len(answer.choices[0].message.content or "") == 20
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (17, 20)
    found = receipt_of(host.url, answer.id, authorization="Bearer any")
    assert found["receipt_id"] == raw_answer.headers["x-receipt-id"]
    assert events(found)["response.returned"]["body_hash"] == named(raw_answer.content)


def test_the_openai_package_gets_a_stream_with_the_same_text(host: Hosted) -> None:
    with sdk(host) as client:
        whole = client.chat.completions.create(model=NAME, messages=QUESTION, max_tokens=20)
        chunks = list(
            client.chat.completions.create(
                model=NAME,
                messages=QUESTION,
                max_tokens=20,
                stream=True,
                stream_options={"include_usage": True},
            )
        )
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "length"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 20
    assert len({chunk.id for chunk in chunks}) == 1


def test_the_openai_package_shows_what_is_refused_and_why(host: Hosted) -> None:
    with sdk(host) as client:
        with pytest.raises(openai.NotFoundError) as unknown:
            client.chat.completions.create(model="gpt-5", messages=QUESTION)
        with pytest.raises(openai.BadRequestError) as tools:
            client.chat.completions.create(
                model=NAME,
                messages=QUESTION,
                tools=[{"type": "function", "function": {"name": "f"}}],
            )
    assert unknown.value.code == "model_unknown"
    assert unknown.value.body == {
        "message": "this service does not have that model: see GET /v1/models",
        "type": "not_found",
        "code": "model_unknown",
        "param": None,
        "expected": NAME,
        "got": "gpt-5",
    }
    assert tools.value.code == "request_malformed"
    assert "tools" in str(tools.value.body)


def test_every_answer_says_whose_it_is(host: Hosted) -> None:
    answers = [
        post(host.url, body()),
        post(host.url, b"{"),
        get(host.url, "/v1/models"),
        get(host.url, "/nothing"),
        get(host.url, "/health"),
    ]
    keyset = answers[0].headers["x-aci-keyset-digest"]
    assert keyset.startswith("sha256:")
    for answer in answers:
        assert answer.headers["x-aci-version"] == "aci/1"
        assert answer.headers["x-aci-keyset-digest"] == keyset
    assert all("x-receipt-id" in answer.headers for answer in answers[:2])


def test_the_model_says_its_digest_its_origin_and_its_price(host: Hosted) -> None:
    described = get(host.url, f"/v1/models/{NAME}").json()
    assert described == get(host.url, "/v1/models").json()["data"][0]
    assert described["digest"] == host.root.name
    assert described["statement"] == host.training.name
    assert described["price"]["asset"] == ASSET


def test_the_attestation_is_over_the_keys_and_the_nonce(host: Hosted) -> None:
    nonce = secrets.token_hex(32)
    report = get(host.url, f"/v1/aci/attestation?nonce={nonce}").json()
    keyset = Keyset.parse(json.dumps(report["attestation"]["workload_keyset"]).encode())
    assert keyset.digest == report["workload_keyset_digest"]
    bound = report_data_for(keyset.digest, nonce=nonce)
    assert report["attestation"]["report_data"] == bound[:32].hex()
    evidence = report["attestation"]["evidence"]
    quote = Evidence(
        quote=bytes.fromhex(evidence["quote"]),
        event_log=evidence["event_log"].encode(),
        compose=evidence["app_compose"].encode(),
    )
    assert report_data_of(quote) == bound
    assert report["attestation"]["tee_type"] == "tdx"
    assert report["service_capabilities"]["serving"] == "direct"
    assert report["attestation"]["source_provenance"]["image_digest"] == "sha256:" + "0" * 64


def test_an_attestation_without_a_nonce_says_so_in_its_binding(host: Hosted) -> None:
    report = get(host.url, "/v1/aci/attestation").json()
    bound = report_data_for(report["workload_keyset_digest"], nonce=None)
    assert report["attestation"]["report_data"] == bound[:32].hex()


@pytest.mark.parametrize("nonce", ["", "00", "A" * 64, "g" * 64, "0" * 66])
def test_a_nonce_of_another_form_is_refused(host: Hosted, nonce: str) -> None:
    refused = get(host.url, f"/v1/aci/attestation?nonce={nonce}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "nonce_malformed")
    assert refused.json()["error"]["type"] == "invalid_request_error"


def message(**changes: Any) -> dict[str, Any]:
    return {"role": "user", "content": "x"} | changes


IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}
SESSION = {"aci_session_ids": ["a" * 64]}
LONG = "x" * 250
REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "another model": ({"model": "gpt-5"}, 404, "model_unknown"),
    "no messages": ({"messages": []}, 400, "request_out_of_bounds"),
    "a role that is none": ({"messages": [message(role="tool")]}, 400, "request_malformed"),
    "an image": ({"messages": [message(content=[IMAGE])]}, 400, "request_malformed"),
    "two answers": ({"n": 2}, 400, "request_malformed"),
    "log probabilities": ({"logprobs": True}, 400, "request_malformed"),
    "penalties": ({"frequency_penalty": 1.0}, 400, "request_malformed"),
    "a hot temperature": ({"temperature": 2.5}, 400, "request_out_of_bounds"),
    "no share at all": ({"top_p": 0}, 400, "request_out_of_bounds"),
    "a negative seed": ({"seed": -1}, 400, "request_out_of_bounds"),
    "an empty stop": ({"stop": ""}, 400, "request_out_of_bounds"),
    "five stops": ({"stop": list("abcde")}, 400, "request_out_of_bounds"),
    "no tokens": ({"max_tokens": 0}, 400, "request_out_of_bounds"),
    "more tokens than are given": ({"max_tokens": 513}, 400, "max_tokens_exceeded"),
    "two bounds": ({"max_tokens": 5, "max_completion_tokens": 5}, 400, "request_malformed"),
    "an upstream session": ({"provider": SESSION}, 412, "session_not_accepted"),
    "an ACI word that nobody knows": ({"provider": {"aci_other": 1}}, 400, "request_malformed"),
    "a long prompt": ({"messages": [message(content=LONG)]}, 400, "context_length_exceeded"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "status", "code"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_refused_has_a_reason_and_a_receipt(
    host: Hosted, changes: dict[str, Any], status: int, code: str
) -> None:
    data = body(**changes)
    refused = post(host.url, data)
    assert refused.status_code == status
    assert refused.json()["error"]["code"] == code
    found = receipt_of(host.url, refused.headers["x-receipt-id"])
    kinds = events(found)
    assert list(kinds) == ["request.received", "x.refusal", "response.returned"]
    assert kinds["request.received"]["body_hash"] == named(data)
    assert kinds["x.refusal"]["code"] == code
    assert kinds["response.returned"]["body_hash"] == named(refused.content)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"7", b"\xff", b'{"model":"a","model":"b"}', b"[" * 9000]
)
def test_what_is_no_request_is_refused_too(host: Hosted, data: bytes) -> None:
    refused = post(host.url, data)
    assert refused.status_code == 400
    assert receipt_of(host.url, refused.headers["x-receipt-id"])["model"] is None


def test_a_long_prompt_is_told_how_long_it_may_be(host: Hosted) -> None:
    error = post(host.url, body("x" * 250)).json()["error"]
    assert error["expected"] == "at most 256 tokens"
    assert error["got"] == "251 of the prompt and 12 of the answer"


def test_a_constraint_that_a_direct_service_fulfils_is_accepted(host: Hosted) -> None:
    assert post(host.url, body(provider={"aci_verified": True})).status_code == 200


@pytest.mark.parametrize(
    ("path", "method", "status", "code"),
    [
        ("/nothing", "GET", 404, "route_unknown"),
        ("/v1/models/other", "GET", 404, "route_unknown"),
        ("/v1/models", "POST", 405, "method_wrong"),
        (CHAT, "GET", 405, "method_wrong"),
        ("/v1/aci/receipts/rcpt-0", "GET", 404, "receipt_unknown"),
        ("/v1/aci/receipts/%27%20OR%201", "GET", 404, "receipt_unknown"),
        ("/v1/aci/identities/sha256:00", "GET", 404, "identity_unknown"),
    ],
)
def test_what_is_not_there_is_said(
    host: Hosted, path: str, method: str, status: int, code: str
) -> None:
    with httpx.Client(timeout=120, verify=False) as client:
        answer = client.request(method, host.url + path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_settings_have_their_effect_and_stand_in_the_receipt(host: Hosted) -> None:
    def ask(**more: Any) -> tuple[str, dict[str, Any]]:
        answer = post(host.url, body(**more))
        assert answer.status_code == 200, answer.text
        found = receipt_of(host.url, answer.headers["x-receipt-id"])
        return answer.json()["choices"][0]["message"]["content"], events(found)["x.generation"]

    plain, how = ask()
    assert (how["temperature"], how["top_p"], how["max_tokens"]) == ("0", "1", 12)
    assert ask(temperature=0)[0] == plain
    drawn = [ask(temperature=1.3, seed=seed, top_p=0.95) for seed in (5, 5, 6)]
    assert drawn[0] == drawn[1]
    assert drawn[0][0] != drawn[2][0]
    assert drawn[0][1] | {"seed": 5, "temperature": "1.3", "top_p": "0.95"} == drawn[0][1]
    assert ask(stop=plain[4:6])[0] == plain[: plain.find(plain[4:6])]
    assert ask(max_tokens=None, max_completion_tokens=3)[0] == plain[:3]
    whole, how = ask(max_tokens=None)
    assert how["max_tokens"] == 239
    assert whole.startswith(plain)


def test_a_question_of_several_parts_is_one_text(host: Hosted) -> None:
    parts = [{"type": "text", "text": "sell half"}, {"type": "text", "text": " my ETH"}]
    one = post(host.url, body(messages=[{"role": "user", "content": parts}])).json()
    assert one["choices"] == post(host.url, body()).json()["choices"]


CANARY = "zq7canaryxw"


def test_prompts_and_answers_are_in_no_log_and_in_no_file(
    tmp_path: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with hosted(tmp_path, model) as host:
        answer = post(host.url, body(CANARY), authorization=f"Bearer {CANARY}")
        raw(host.url, body(CANARY, stream=True))
        post(host.url, body(CANARY, model=CANARY))
        post(host.url, body(CANARY, **{CANARY: 1}))
        get(host.url, f"/{CANARY}")
        post(host.url, CANARY.encode())
    printed = capfd.readouterr()
    files = b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())
    said = answer.json()["choices"][0]["message"]["content"]
    assert printed.err.count("event=answered") == 2
    assert printed.err.count("event=refused") == 4
    for secret in (CANARY, said):
        assert secret not in printed.err + printed.out
        assert secret.encode() not in files
