"""The OpenAI chat format: what a request may ask for, and what answers and refusals look like.

A parameter that is not honoured is refused, never ignored: a receipt covers the whole request, so
everything in it must have had its effect. What is honoured: ``model``, ``messages`` of text,
``stream`` with ``include_usage``, ``temperature``, ``top_p``, ``seed``, ``stop``, ``max_tokens``
(or ``max_completion_tokens``), and ``user`` and ``metadata``, which change nothing. Without a
temperature the answer is the one of the greatest scores.

Source: OpenAI API reference, chat completions; ACI specification (``aci/1``), 5.3 and 10.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from teeproof.core import strictjson
from teeproof.core.errors import Error, Malformed, NotAllowed
from teeproof.web import asgi

__all__ = ["DONE", "MAX_BODY", "ChatRequest", "Shape", "error_body", "parse_request", "status_of"]

MAX_BODY = 256 << 10
"""The most bytes of a request."""
DONE = b"data: [DONE]\n\n"

_MAX_MESSAGES = 256
_MAX_STOPS, _MAX_STOP = 4, 64
_GREATEST_SEED = (1 << 53) - 1


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of a message; text only."""

    type: Literal["text"]
    text: str


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[_Part]
    name: str | None = None


class _StreamOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    include_usage: bool = False


class _Provider(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """ACI's constraints; a direct service fulfils ``aci_verified`` and has no sessions."""

    aci_verified: bool = False
    aci_session_ids: list[str] | None = None


class _Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: Literal["text"]


class ChatRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A request for one answer, checked; the names are OpenAI's."""

    model: str
    messages: list[_Message]
    stream: bool = False
    stream_options: _StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: Literal[1] | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    provider: _Provider | None = None
    response_format: _Text | None = None

    @property
    def conversation(self) -> list[dict[str, str]]:
        """The messages as role and text."""
        return [{"role": one.role, "content": _flat(one.content)} for one in self.messages]

    @property
    def stops(self) -> tuple[str, ...]:
        """The texts that end the answer."""
        given = self.stop
        return () if given is None else (given,) if isinstance(given, str) else tuple(given)

    @property
    def most(self) -> int | None:
        """The greatest number of tokens that is asked for."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    @property
    def include_usage(self) -> bool:
        """Whether a stream shall end with its usage."""
        return self.stream_options is not None and self.stream_options.include_usage


def parse_request(body: bytes) -> ChatRequest:
    """Return what a body asks for.

    Raises:
        TooLarge: more than ``MAX_BODY`` bytes.
        Malformed: no JSON, a key given twice, something that is not honoured, or out of bounds.
        NotAllowed: code ``session_not_accepted``: sessions of an aggregator, which this is not.
    """
    value = strictjson.loads(body, limit=MAX_BODY, what="request")
    try:
        request = msgspec.convert(value, ChatRequest, strict=True)
    except msgspec.ValidationError as error:
        raise Malformed(
            "this is not a request that this service honours in full: leave out what it does not"
            " know",
            code="request_malformed",
            expected="a chat completion of text; see the documentation for its parameters",
            got=str(error)[:300],
        ) from None
    _check(request)
    return request


def _check(request: ChatRequest) -> None:
    provider = request.provider
    if provider is not None and provider.aci_session_ids is not None:
        raise NotAllowed(
            "this service runs the model itself and has no upstream sessions: leave out"
            " aci_session_ids",
            code="session_not_accepted",
        )
    _within("messages", len(request.messages), 1, _MAX_MESSAGES)
    _within("temperature", request.temperature, 0, 2)
    _within("top_p", request.top_p, 1e-6, 1)
    _within("seed", request.seed, 0, _GREATEST_SEED)
    _within("max_tokens", request.most, 1, 1 << 20)
    _within("stop", len(request.stops), 0, _MAX_STOPS)
    for stop in request.stops:
        _within("characters in stop", len(stop), 1, _MAX_STOP)
    if request.max_tokens is not None and request.max_completion_tokens is not None:
        raise Malformed(
            "max_tokens and max_completion_tokens say the same: give one", code="request_malformed"
        )


def _within(name: str, value: float | None, least: float, most: float) -> None:
    if value is not None and not least <= value <= most:
        raise Malformed(
            f"{name} is out of bounds",
            code="request_out_of_bounds",
            expected=f"{name} from {least} to {most}",
            got=str(value),
        )


def _flat(content: str | list[_Part]) -> str:
    return content if isinstance(content, str) else "".join(part.text for part in content)


class Shape:
    """Writes one answer, whole or as the events of a stream.

    Args:
        chat_id: its id.
        model: the model's name.
        created: seconds since 1970.
        salt: random text that stands in the answer and nowhere else: without it, who sees a
            receipt could try short answers until one has the digest.
    """

    def __init__(self, *, chat_id: str, model: str, created: int, salt: str) -> None:
        self._common = {"id": chat_id, "created": created, "model": model, "salt": salt}

    def whole(self, text: str, *, finish: str, prompt: int, count: int) -> bytes:
        """Return the body of an answer that is not streamed."""
        choice = {
            "index": 0, "finish_reason": finish, "logprobs": None,
            "message": {"role": "assistant", "content": text},
        }  # fmt: skip
        return _encode(
            self._common
            | {"object": "chat.completion", "choices": [choice], "usage": _usage(prompt, count)}
        )

    def first(self) -> bytes:
        """Return the event that opens a stream."""
        return self._event({"role": "assistant", "content": ""})

    def piece(self, text: str) -> bytes:
        """Return an event with text."""
        return self._event({"content": text})

    def last(self, finish: str) -> bytes:
        """Return the event that says why the answer ended."""
        return self._event({}, finish)

    def usage(self, *, prompt: int, count: int) -> bytes:
        """Return the event with what was used."""
        return self._chunk({"choices": [], "usage": _usage(prompt, count)})

    def _event(self, delta: dict[str, str], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return self._chunk({"choices": [choice]})

    def _chunk(self, more: dict[str, Any]) -> bytes:
        return b"data: " + _encode(
            self._common | {"object": "chat.completion.chunk"} | more
        ) + b"\n\n"  # fmt: skip


def _usage(prompt: int, count: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": count, "total_tokens": prompt + count}


_encode = msgspec.json.Encoder().encode

_BY_CODE = {
    "model_unknown": 404,
    "receipt_unknown": 404,
    "identity_unknown": 404,
    "credential_missing": 401,
    "session_not_accepted": 412,
    "body_late": 408,
}
_TYPES = {401: "unauthorized", 404: "not_found", 412: "session_not_accepted"}  # ACI, section 10


def status_of(error: Error) -> int:
    """Return the HTTP status for an error."""
    return asgi.status_of(error, _BY_CODE)


def error_body(error: Error) -> bytes:
    """Return the body of a refusal: OpenAI's shape, with what was expected and what came inside."""
    status = status_of(error)
    other = "invalid_request_error" if status < 500 else "server_error"
    inside = {
        "message": error.detail,
        "type": _TYPES.get(status, other),
        "code": error.code,
        "param": None,
        "expected": error.expected,
        "got": error.got,
    }
    return _encode({"error": inside})
