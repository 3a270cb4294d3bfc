"""Read what dstack's guest agent answers: one function per thing that is taken from an answer.

An answer is a JSON object whose bytes are hex and whose documents are JSON text. Lengths are
checked before anything is decoded. Only what a quote can prove is taken; the copies that stand
beside it (``report_data``, ``mrtd``, ``compose_hash``) are not.

Source: dstack's ``agent_rpc.proto``.

Trusts: nothing; it only decodes.  Does not trust: agent, host, network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from teeproof.core import strictjson
from teeproof.core.errors import Malformed
from teeproof.evidence.record import MAX_COMPOSE_BYTES, MAX_EVENT_LOG_BYTES
from teeproof.evidence.tdx import quote as tdx_quote

__all__ = ["compose", "event_log", "measured_compose", "mr_config", "quote", "release"]

Json = Mapping[str, Any]

_MAX_TCB_INFO_BYTES = 4 << 20  # the event log once more, and the compose file in JSON text
_MAX_VM_CONFIG_BYTES = 1 << 20
_RTMR3 = 3
_RUNTIME_EVENT = 0x08000001  # dstack's event type for what the guest itself measures
_MRCONFIGID_V3 = 3  # the first byte of an MRCONFIGID that commits to an MrConfigV3 document


def quote(answer: Json) -> tdx_quote.TdxQuote:
    """Return the answer's TDX quote."""
    text = _text(answer, "quote", 2 * tdx_quote.MAX_QUOTE_BYTES)
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raise malformed("a quote in hex", text[:60]) from None
    return tdx_quote.parse(raw)


def event_log(answer: Json) -> tuple[bytes | None, list[Any]]:
    """Return the event log's bytes as delivered, and its events; None and none if it is empty."""
    data = _text(answer, "event_log", MAX_EVENT_LOG_BYTES).encode()
    if not data:
        return None, []
    events = strictjson.loads(data, limit=MAX_EVENT_LOG_BYTES, what="event log")
    if not isinstance(events, list):
        raise malformed("an event log that is a list", shape(events))
    return data, events


def measured_compose(events: list[Any]) -> bytes | None:
    """Return the digest of app-compose.json that the event log claims was measured at boot."""
    for event in events:
        if (
            isinstance(event, dict)
            and event.get("imr") == _RTMR3
            and event.get("event_type") == _RUNTIME_EVENT
            and event.get("event") == "compose-hash"
        ):
            return _hex_or_none(event.get("event_payload"))
    return None


def compose(info: Json) -> bytes:
    """Return the exact bytes of app-compose.json in an answer to Info."""
    text = _text(info, "tcb_info", _MAX_TCB_INFO_BYTES)
    tcb_info = strictjson.loads(text, limit=_MAX_TCB_INFO_BYTES, what="tcb_info")
    if not isinstance(tcb_info, dict):
        raise malformed("a tcb_info that is an object", shape(tcb_info))
    return _text(tcb_info, "app_compose", MAX_COMPOSE_BYTES).encode()


def mr_config(answer: Json, mrconfigid: bytes) -> bytes | None:
    """Return the exact bytes of the MrConfigV3 document, where the quote commits to one.

    It stands as text in ``vm_config``; older hosts wrap that in another ``vm_config``.
    """
    if mrconfigid[0] != _MRCONFIGID_V3:
        return None
    level: Any = answer
    for _ in range(2):
        text = level.get("vm_config")
        if not isinstance(text, str) or not text:
            return None
        level = strictjson.loads(text, limit=_MAX_VM_CONFIG_BYTES, what="vm_config")
        if not isinstance(level, dict):
            raise malformed("a vm_config that is an object", shape(level))
        if "mr_config" in level:
            return _text(level, "mr_config", _MAX_VM_CONFIG_BYTES).encode()
    return None


def release(version: str) -> tuple[int, int]:
    """Return the first two numbers of a version such as ``0.5.11``; (0, 0) if it has none."""
    numbers = version.removeprefix("v").split(".")[:2]
    if len(numbers) < 2 or not all(number.isascii() and number.isdigit() for number in numbers):
        return (0, 0)
    return (int(numbers[0][:9]), int(numbers[1][:9]))


def shape(value: object) -> str:
    """Return what a value is, in a few words."""
    return f"text of {len(value)} characters" if isinstance(value, str) else type(value).__name__


def malformed(expected: str, got: str) -> Malformed:
    """Return the error for something that the protocol does not allow."""
    return Malformed("the answer is not dstack's", code="agent_answer", expected=expected, got=got)


def _text(answer: Json, name: str, limit: int) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or len(value) > limit:
        raise malformed(f"{name} as text of at most {limit} characters", shape(value))
    return value


def _hex_or_none(value: object) -> bytes | None:
    try:
        return bytes.fromhex(value) if isinstance(value, str) else None
    except ValueError:
        return None
