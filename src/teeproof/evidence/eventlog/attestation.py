"""Read dstack's versioned attestation: a quote, its event log and the guest's configuration in one.

Version 0 is SCALE (it opens with 0x00), version 1 a MessagePack map. RA-TLS certificates and the
guest agent's Attest call carry it. TDX, SEV-SNP and Nitro Enclaves are read here; a log comes out
as the JSON that ``parse`` takes, so a log has one way in. An SEV-SNP guest and an enclave have no
registers that grow: nothing ties events to their evidence, and they are left out.

Source: dstack-attest, ``attestation.rs`` and ``v1.rs``; SCALE: parity-scale-codec.

Trusts: nothing; it only reads.  Does not trust: the host that hands it over.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from teeproof.core import strictjson
from teeproof.core.errors import Error, Malformed, TooLarge
from teeproof.evidence.der import armoured
from teeproof.evidence.eventlog.event import Version
from teeproof.evidence.eventlog.parse import MAX_EVENTS
from teeproof.evidence.eventlog.scale import Scale

__all__ = ["MAX_ATTESTATION_BYTES", "Attestation", "parse_attestation"]

MAX_ATTESTATION_BYTES = 2 << 20  # room for a quote of 64 KiB and a log of 1 MiB; dstack: 10 MiB
_SCALE_TDX = 0  # AttestationQuote::DstackTdx
_SCALE_NITRO = 2  # AttestationQuote::DstackNitroEnclave
_SCALE_SNP = 3  # AttestationQuote::DstackAmdSevSnp
_KINDS = (_SCALE_TDX, _SCALE_NITRO, _SCALE_SNP)
_REPORT_DATA_BYTES = 64
_MAX_CERTIFICATES = 12
_PEM = b"-----BEGIN CERTIFICATE-----"
_U8 = range(256)


class Attestation(msgspec.Struct, frozen=True, kw_only=True):
    """What a versioned attestation carries. Nothing of it is verified.

    Attributes:
        version: 0 or 1.
        quote: the bytes of the quote, of the SEV-SNP report or of the Nitro document.
        event_log: JSON bytes for ``eventlog.parse``; events of firmware are often left out. None
            of an SEV-SNP guest and of an enclave.
        report_data: 64 bytes, a copy; the quote's own counts.
        config: JSON text with the VM's configuration.
        certificates: of an SEV-SNP guest, PEM of the certificates that came along.
        host_config: of an SEV-SNP guest, the MrConfigV3 document that HOST_DATA commits to.
    """

    version: int
    quote: bytes
    event_log: bytes | None
    report_data: bytes
    config: str
    certificates: bytes | None = None
    host_config: str | None = None

    @property
    def mr_config(self) -> bytes | None:
        """The MrConfigV3 document, if there is one."""
        if self.host_config:
            return self.host_config.encode()
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


class _TdxPlatform(msgspec.Struct, forbid_unknown_fields=True, tag_field="kind", tag="tdx"):
    data: _Tdx


class _Snp(msgspec.Struct, forbid_unknown_fields=True):
    report: Any
    cert_chain: list[Any]
    mr_config: str


class _SnpPlatform(msgspec.Struct, forbid_unknown_fields=True, tag_field="kind", tag="sev-snp"):
    data: _Snp


class _Nitro(msgspec.Struct, forbid_unknown_fields=True):
    nsm_quote: Any


class _NitroPlatform(
    msgspec.Struct, forbid_unknown_fields=True, tag_field="kind", tag="nitro-enclave"
):
    data: _Nitro


class _StackData(msgspec.Struct, forbid_unknown_fields=True):
    report_data: Any
    runtime_events: list[Any]
    config: str
    report_data_payload: str | None = None  # of a pod


class _Stack(msgspec.Struct, forbid_unknown_fields=True):
    kind: Literal["dstack", "dstack-pod"]
    data: _StackData


class _V1(msgspec.Struct, forbid_unknown_fields=True):
    version: Literal[1]
    platform: _TdxPlatform | _SnpPlatform | _NitroPlatform
    stack: _Stack


def parse_attestation(data: bytes) -> Attestation:
    """Return what a versioned attestation of a guest, or of a Nitro enclave, carries.

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
            f"this is not a dstack attestation of TDX, SEV-SNP or Nitro Enclaves: {error}",
            code="attestation_malformed",
            got=str(error)[:200],
        ) from None


def _parse_v0(data: bytes) -> Attestation:
    scale = Scale(data)
    scale.take(1)
    kind = scale.take(1)[0]
    if kind not in _KINDS:
        raise ValueError(f"platform {kind} is neither TDX nor SEV-SNP nor a Nitro enclave")
    quote = scale.octets()
    log, chain, document = None, None, None
    if kind == _SCALE_TDX:
        log = _log([_scale_event(scale) for _ in range(_few(scale.compact()))])
    elif kind == _SCALE_SNP:
        chain = _pem(scale.octets() for _ in range(_few_certificates(scale.compact())))
        document = scale.octets().decode()
    for _ in range(_few(scale.compact())):  # the runtime events once more; the log has them
        scale.octets()
        scale.octets()
    report_data = scale.take(_REPORT_DATA_BYTES)
    config = scale.octets().decode()
    scale.end()
    return Attestation(
        version=0,
        quote=quote,
        event_log=log,
        report_data=report_data,
        config=config,
        certificates=chain,
        host_config=document,
    )


def _scale_event(scale: Scale) -> _Event:
    imr, kind = scale.u32(), scale.u32()
    digest, name, payload = scale.octets(), scale.octets().decode(), scale.octets()
    return _Event(imr=imr, event_type=kind, digest=digest, event=name, event_payload=payload)


def _parse_v1(data: bytes) -> Attestation:
    value = msgspec.msgpack.decode(data)
    # Another encoding of the same map, such as one with a key twice, would be read differently.
    if msgspec.msgpack.encode(value) != data:
        raise ValueError("MessagePack in another form than the encoder writes")
    raw = msgspec.convert(value, _V1, strict=True)
    stack = raw.stack.data
    _few(len(stack.runtime_events))
    if (raw.stack.kind == "dstack-pod") != (stack.report_data_payload is not None):
        raise ValueError("a pod's attestation, and no other, has a report_data_payload")
    report_data = _octets(stack.report_data)
    if len(report_data) != _REPORT_DATA_BYTES:
        raise ValueError(f"report_data of {len(report_data)} bytes")
    return Attestation(
        version=1, report_data=report_data, config=stack.config, **_platform(raw.platform.data)
    )


def _platform(given: _Tdx | _Snp | _Nitro) -> dict[str, Any]:
    """Return the fields of an attestation that depend on the platform."""
    if isinstance(given, _Nitro):
        return {"quote": _octets(given.nsm_quote), "event_log": None}
    if isinstance(given, _Snp):
        _few_certificates(len(given.cert_chain))
        return {
            "quote": _octets(given.report),
            "event_log": None,
            "certificates": _pem(_octets(der) for der in given.cert_chain),
            "host_config": given.mr_config,
        }
    _few(len(given.event_log))
    return {"quote": _octets(given.quote), "event_log": _log(given.event_log)}


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


def _pem(certificates: Iterable[bytes]) -> bytes | None:
    """Return certificates as PEM; dstack's guests hand them on as they got them, DER or PEM."""
    texts = (each if each.startswith(_PEM) else armoured(each) for each in certificates)
    return b"".join(text.rstrip() + b"\n" for text in texts) or None


def _few_certificates(count: int) -> int:
    if count > _MAX_CERTIFICATES:
        raise ValueError(f"{count} certificates, and a chain has three")
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
