"""The openai package over the verifying transport: a whole answer is a checked one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from teeproof.core.errors import NotAllowed, NotAuthentic
from teeproof.inference.client import NONCE
from teeproof.inference.transport import Verifying
from teeproof.inference.verify import Expected
from tests.inference.serving import NAME, Hosted
from tests.inference.talk import named

QUESTION: Any = [{"role": "user", "content": "sell half my ETH"}]


class Host(httpx.BaseTransport):
    """The network, in the host's hands: it may change the bytes of answers."""

    def __init__(self, old: bytes = b"", new: bytes = b"", *, cut: bool = False) -> None:
        self.inner = httpx.HTTPTransport()
        self.old, self.new, self.cut = old, new, cut
        self.requests: list[bytes] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request.read())
        response = self.inner.handle_request(request)
        body = b"".join(response.iter_raw()).replace(self.old, self.new, 1)
        response.close()
        if self.cut:
            body = body[: body.rfind(b"data: ")]
        names = ("content-length", "transfer-encoding")
        headers = {k: v for k, v in response.headers.items() if k not in names}
        return httpx.Response(response.status_code, headers=headers, stream=Pieces(body))

    def close(self) -> None:
        self.inner.close()


class Pieces(httpx.SyncByteStream):
    """A body in pieces of seven bytes."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def __iter__(self) -> Iterator[bytes]:
        for at in range(0, len(self.body), 7):
            yield self.body[at : at + 7]


class Client:
    """An openai client over a verifying transport over a host."""

    def __init__(self, host: Hosted, network: Host, expected: Expected | None = None) -> None:
        self.service = host.connect(api_key="mine")
        self.transport = Verifying(self.service, expected=expected, inner=network)
        self.http = httpx.Client(transport=self.transport)
        self.openai = OpenAI(
            base_url=f"{host.url}/v1", api_key="mine", max_retries=0, http_client=self.http
        )

    def ask(self, **more: Any) -> Any:
        return self.openai.chat.completions.create(
            model=NAME, messages=QUESTION, max_tokens=12, **more
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.openai.close()
        self.service.close()


def test_answers_are_checked_underneath_the_openai_package(host: Hosted) -> None:
    network = Host()
    with Client(host, network, Expected(model=host.root.name)) as client:
        whole = client.ask()
        pieces = [chunk.choices[0].delta.content or "" for chunk in client.ask(stream=True)]
        assert client.openai.models.list().data[0].id == NAME
    assert "".join(pieces) == whole.choices[0].message.content
    assert [verdict.ok for _, verdict in client.transport.checked] == [True, True]
    sent = [json.loads(request)["metadata"][NONCE] for request in network.requests[:2]]
    assert len(set(sent)) == 2
    stated = [receipt.subjects[0].sha256 for receipt, _ in client.transport.checked]
    assert stated == [named(request) for request in network.requests[:2]]


def test_pieces_come_as_they_are_made_and_only_the_end_waits(host: Hosted) -> None:
    with Client(host, Host()) as client:
        stream = client.ask(stream=True)
        assert next(iter(stream)).choices
        assert client.transport.checked == []
        list(stream)
        assert len(client.transport.checked) == 1


def test_host_edits_an_answer_under_the_openai_package(host: Hosted) -> None:
    with (
        Client(host, Host(b'"content":"', b'"content":"!')) as client,
        pytest.raises(NotAuthentic) as refused,
    ):
        client.ask()
    assert refused.value.code == "response_mismatch"


@pytest.mark.parametrize(
    "network",
    [
        Host(b'"content":"', b'"content":"!'),
        Host(b"data: [DONE]", b"data:[DONE]"),
        Host(cut=True),
        Host(b"[DONE]\n\n", b"[DONE]\n\ndata: more\n\n"),
    ],
    ids=["edited", "reworded", "cut", "longer"],
)
def test_host_edits_a_stream_under_the_openai_package(host: Hosted, network: Host) -> None:
    with Client(host, network) as client, pytest.raises(NotAuthentic) as refused:
        list(client.ask(stream=True))
    assert refused.value.code == "response_mismatch"


def test_host_runs_another_model_under_the_openai_package(host: Hosted) -> None:
    with (
        Client(host, Host(), Expected(model=named(b"another"))) as client,
        pytest.raises(NotAllowed) as refused,
    ):
        list(client.ask(stream=True))
    assert refused.value.code == "model_not_expected"


def test_what_the_service_refuses_is_the_openai_packages_own_error(host: Hosted) -> None:
    with Client(host, Host()) as client, pytest.raises(openai.BadRequestError) as refused:
        client.ask(temperature=3)
    assert refused.value.code == "request_out_of_bounds"
