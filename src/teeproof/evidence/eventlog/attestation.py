"""Read dstack's versioned attestation: a quote, its event log and the guest's configuration in one.

Version 0 is SCALE (it opens with 0x00), version 1 a MessagePack map. RA-TLS certificates and the
guest agent's Attest call carry it. Only TDX is read here; its log comes out as the JSON that
``parse`` takes, so a log has one way in.

Source: dstack-attest, ``attestation.rs`` and ``v1.rs``; SCALE: parity-scale-codec.

Trusts: nothing; it only reads.  Does not trust: the host that hands it over.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from teeproof.core import strictjson
from teeproof.core.errors import Error, Malformed, TooLarge
from teeproof.evidence.eventlog.event import Version
from teeproof.evidence.eventlog.parse import MAX_EVENTS

__all__ = ["MAX_ATTESTATION_BYTES", "Attestation", "parse_attestation"]

MAX_ATTESTATION_BYTES = 2 << 20  # room for a quote of 64 KiB and a log of 1 MiB; dstack: 10 MiB
_SCALE_TDX = 0  # AttestationQuote::DstackTdx
_U8 = range(256)


class Attestation(msgspec.Struct, frozen=True, kw_only=True):
    """What a versioned attestation carries. Nothing of it is verified.

    Attributes:
        version: 0 or 1.
        quote: the quote's bytes.
        event_log: JSON bytes for ``eventlog.parse``; events of firmware are often left out.
        report_data: 64 bytes, a copy; the quote's own counts.
        config: JSON text with the VM's configuration.
    """

    version: int
    quote: bytes
    event_log: bytes
    report_data: bytes
    config: str

    @property
    def mr_config(self) -> bytes | None:
        """The MrConfigV3 document in the configuration, if there is one."""
        try:
            value = strictjson.loads(self.config, limit=MAX_ATTESTATION_BYTES, what="VM config")
            if isinstance(value, dict) and isinstance(value.get("vm_config"), str):
                inner = value["vm_config"]
                nested = strictjson.loads(inner, limit=MAX_ATTESTATION_BYTES, what="VM config")
                value = nested | value if isinstance(nested, dict) else value
        except Error:
            return None
        document = value.get("mr_config") if isinstance(value, dict) else None
        return document.encode() if isinstance(document, str) else None


class _Event(msgspec.Struct, forbid_unknown_fields=True):
    imr: int
    event_type: int
    event: str
    event_payload: Any
    digest: Any = b""
    version: Version = 1
    preimage: str | None = None


class _Tdx(msgspec.Struct, forbid_unknown_fields=True):
    quote: Any
    event_log: list[_Event]


class _Platform(msgspec.Struct, forbid_unknown_fields=True):
    kind: Literal["tdx"]
    data: _Tdx


class _StackData(msgspec.Struct):
    report_data: Any
    config: str


class _Stack(msgspec.Struct, forbid_unknown_fields=True):
    kind: Literal["dstack", "dstack-pod"]
    data: _StackData


class _V1(msgspec.Struct, forbid_unknown_fields=True):
    version: Literal[1]
    platform: _Platform
    stack: _Stack


def parse_attestation(data: bytes) -> Attestation:
    """Return what a versioned attestation of a TDX guest carries.

    Raises:
        TooLarge: more than ``MAX_ATTESTATION_BYTES``, or too many events.
        Malformed: another format, another platform, bytes behind the end, or MessagePack in
            another form than the encoder writes.
    """
    if len(data) > MAX_ATTESTATION_BYTES:
        raise TooLarge(
            "this is too large for an attestation",
            expected=f"at most {MAX_ATTESTATION_BYTES} bytes",
            got=f"{len(data)} bytes",
        )
    try:
        return _parse_v0(data) if data[:1] == b"\0" else _parse_v1(data)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise Malformed(
            f"this is not a dstack attestation of a TDX guest: {error}",
            code="attestation_malformed",
            got=str(error)[:200],
        ) from None


class _Scale:
    """A cursor over SCALE bytes; every read checks its bounds."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise ValueError(f"{size} bytes are announced, {len(self.data) - self.at} are left")
        self.at += size
        return self.data[self.at - size : self.at]

    def compact(self) -> int:
        first = self.take(1)[0]
        mode, size = first & 3, (1, 2, 4, 0)[first & 3]
        if mode == 3:
            raise ValueError("a length of more than 1 GiB")
        value = int.from_bytes(bytes([first]) + self.take(size - 1), "little") >> 2
        if mode and value < (1 << 6 if mode == 1 else 1 << 14):
            raise ValueError("a length in more bytes than it needs")
        return value

    def octets(self) -> bytes:
        return self.take(self.compact())

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "little")


def _parse_v0(data: bytes) -> Attestation:
    scale = _Scale(data)
    scale.take(1)
    kind = scale.take(1)[0]
    if kind != _SCALE_TDX:
        raise ValueError(f"platform {kind} is not TDX")
    quote = scale.octets()
    log = [_scale_event(scale) for _ in range(_few(scale.compact()))]
    for _ in range(_few(scale.compact())):  # the runtime events once more; the log has them
        scale.octets()
        scale.octets()
    report_data = scale.take(64)
    config = scale.octets().decode()
    if scale.at != len(data):
        raise ValueError(f"{len(data) - scale.at} bytes behind the end")
    return Attestation(
        version=0, quote=quote, event_log=_log(log), report_data=report_data, config=config
    )


def _scale_event(scale: _Scale) -> _Event:
    imr, kind = scale.u32(), scale.u32()
    digest, name, payload = scale.octets(), scale.octets().decode(), scale.octets()
    return _Event(imr=imr, event_type=kind, digest=digest, event=name, event_payload=payload)


def _parse_v1(data: bytes) -> Attestation:
    value = msgspec.msgpack.decode(data)
    # Another encoding of the same map, such as one with a key twice, would be read differently.
    if msgspec.msgpack.encode(value) != data:
        raise ValueError("MessagePack in another form than the encoder writes")
    raw = msgspec.convert(value, _V1, strict=True)
    _few(len(raw.platform.data.event_log))
    return Attestation(
        version=1,
        quote=_octets(raw.platform.data.quote),
        event_log=_log(raw.platform.data.event_log),
        report_data=_octets(raw.stack.data.report_data),
        config=raw.stack.data.config,
    )


def _octets(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    # rmp-serde writes Vec<u8> as a list of numbers.
    if isinstance(value, list) and all(type(item) is int and item in _U8 for item in value):
        return bytes(value)
    raise ValueError("bytes are expected")


def _few(count: int) -> int:
    if count > MAX_EVENTS:
        raise TooLarge(
            "the attestation has too many events",
            code="event_log_too_long",
            expected=f"at most {MAX_EVENTS} events",
            got=f"{count} events",
        )
    return count


def _log(events: list[_Event]) -> bytes:
    return strictjson.dumps([_json_event(event) for event in events]).encode()


def _json_event(event: _Event) -> dict[str, Any]:
    payload = _octets(event.event_payload)
    value: dict[str, Any] = {
        "imr": event.imr,
        "event_type": event.event_type,
        "digest": _octets(event.digest).hex(),
        "event": event.event,
        "event_payload": payload.hex(),
    }
    if event.version != 1:
        value["version"] = event.version
    if event.preimage is not None:
        value["preimage"] = event.preimage
    return value
