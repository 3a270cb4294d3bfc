"""Who asks and who answers agree: an error crosses the wire as itself, and nothing grows on it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from teeproof.core.errors import (
    Error,
    Malformed,
    NotAllowed,
    NotAuthentic,
    TooLarge,
    Unavailable,
    Usage,
)
from teeproof.web.asgi import (
    Answer,
    Request,
    no_such_path,
    refusal,
    require_method,
    respond,
    status_of,
)
from teeproof.web.asking import Asker, said
from teeproof.web.running import serve_here
from tests.sim.vendors import self_signed, vendors

LIMIT = 1000


class Service:
    """A service that answers as it is told, on a port of this machine."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.answer = Answer(200, b"text/plain", b"")
        self.lines: list[tuple[str, dict[str, object]]] = []
        self.seen: list[bytes | None] = []
        self.url = ""

    async def __call__(self, scope, receive, send) -> None:
        await respond(
            scope, receive, send, find=self._find, say=self._say, fault="a mistake here",
            refuse=lambda error: refusal(error, status_of(error)),
        )  # fmt: skip

    async def _find(self, request: Request) -> Answer:
        self.seen.append(request.header(b"accept-encoding"))
        if self.error is not None:
            raise self.error
        return self.answer

    def _say(self, event: str, **fields: object) -> None:
        self.lines.append((event, fields))


@pytest.fixture
def service() -> Iterator[Service]:
    made, listens, stopped = Service(), threading.Event(), threading.Event()

    def ready(url: str) -> None:
        made.url = url
        listens.set()

    thread = threading.Thread(
        target=lambda: serve_here(made, ready=ready, stopped=stopped), daemon=True
    )
    thread.start()
    assert listens.wait(60)
    yield made
    stopped.set()
    thread.join(60)


@pytest.fixture
def asker(service: Service) -> Iterator[Asker]:
    made = Asker(service.url, noun="shop")
    yield made
    made.close()


@pytest.mark.parametrize(
    "error",
    [
        TooLarge("it is too large", expected="at most 7", got="8"),
        Malformed("it is no letter", code="letter_malformed"),
        NotAuthentic("it is not signed", code="letter_unsigned"),
        NotAllowed("not by you", code="writer_unknown", expected="anna", got="berta"),
        Unavailable("it is closed", code="shop_closed"),
        no_such_path("a/b"),
    ],
)
def test_an_error_crosses_the_wire_as_itself(service: Service, asker: Asker, error: Error) -> None:
    service.error = error
    with pytest.raises(Error) as met:
        asker.post("letters", b"x")
    assert type(met.value) is type(error)
    assert met.value.to_json() == error.to_json()
    assert [(event, facts["error"]) for event, facts in service.lines] == [("refused", error.code)]


def test_another_method_than_a_path_knows_is_a_mistake_of_who_asks(
    service: Service, asker: Asker
) -> None:
    require_method("GET", "GET, HEAD")
    with pytest.raises(Usage) as meant:
        require_method("POST", "GET, HEAD")
    service.error = meant.value
    with pytest.raises(Usage) as met:
        asker.post("letters", b"x")
    assert (met.value.code, met.value.expected, met.value.got) == (
        "method_wrong", "GET, HEAD", "POST",
    )  # fmt: skip


def test_client_is_told_nothing_of_a_fault_and_the_operator_its_kind(
    service: Service, asker: Asker
) -> None:
    service.error = ZeroDivisionError("a secret")
    with pytest.raises(Unavailable) as met:
        asker.get("letters")
    assert (met.value.code, met.value.detail) == ("internal", "a mistake here")
    assert [(event, facts["error"]) for event, facts in service.lines] == [
        ("fault", "ZeroDivisionError")
    ]


def test_network_an_answer_that_is_one_byte_too_long_is_not_taken(
    service: Service, asker: Asker
) -> None:
    service.answer = service.answer._replace(body=bytes(LIMIT))
    assert asker.get("letters", limit=LIMIT) == bytes(LIMIT)
    service.answer = service.answer._replace(body=bytes(LIMIT + 1))
    with pytest.raises(TooLarge, match="the shop answers with more"):
        asker.get("letters", limit=LIMIT)


def test_network_a_refusal_that_does_not_end_is_not_read(service: Service, asker: Asker) -> None:
    service.answer = Answer(400, b"text/plain", bytes(1 << 20))
    with pytest.raises(TooLarge):
        asker.get("letters", limit=2 << 20)


def test_nothing_is_compressed_on_the_way(service: Service, asker: Asker) -> None:
    asker.get("letters")
    assert service.seen == [b"identity"]


def test_where_nobody_listens_it_is_said_what_is_missing() -> None:
    for url in ("http://127.0.0.1:9", "http://127.0.0.1:x", "nothing"):
        asker = Asker(url, noun="shop")
        with pytest.raises(Unavailable, match="the shop at") as met:
            asker.get("letters")
        assert met.value.code == "shop_unreachable"
        asker.close()


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (b'{"error":"shop_closed","detail":"d","more":1}', {"error": "shop_closed", "detail": "d"}),
        (b'{"error":"Shop Closed\\n","detail":"d"}', {"detail": "d"}),
        (b'{"error":7,"detail":[]}', {}),
        (b'{"detail":"d","detail":"e"}', {}),
        (b"[" * 100_000, {}),
        (b"[]", {}),
        (b"", {}),
    ],
)
def test_network_a_strange_refusal_says_no_more_than_it_says(
    body: bytes, texts: dict[str, str]
) -> None:
    assert said(body) == texts
    assert said(b'{"detail":"%b"}' % (b"x" * 50), longest=7) == {"detail": "x" * 7}


def test_a_server_that_starts_and_stops_is_answered() -> None:
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message["type"])

    asyncio.run(Service()({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.parametrize("scheme", ["https", "HTTPS", "hTTpS"])
def test_network_a_server_that_nobody_vouches_for_is_not_asked_however_https_is_written(
    tmp_path: Path, scheme: str
) -> None:
    private, certificate = self_signed()
    (tmp_path / "both.pem").write_bytes(private + certificate)
    with vendors(tmp_path / "both.pem") as served:
        served.serve("/letters", b"yes")
        made = Asker(f"{scheme}{served.url.removeprefix('https')}", noun="shop")
        with pytest.raises(Unavailable) as met:
            made.get("letters")
        made.close()
    assert met.value.code == "shop_unreachable"
    assert "CERTIFICATE_VERIFY_FAILED" in str(met.value.got)
    assert served.asked == []
