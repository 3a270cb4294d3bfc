"""The evidence of several GPUs and switches as NVIDIA's tools write it: a list in JSON.

The list stands alone, under ``evidences`` (nvattest) or under ``evidence_list`` (the request of a
verification service); one device may also stand without a list. Each item has ``evidence`` (a
report) and ``certificate`` (its PEM chain), both in base64, and copies of what the report says:
``arch``, ``nonce``, ``driver_version``, ``vbios_version``; some stand beside the list and speak of
every device. Nobody signed the copies: they are held against the report, and nothing else is made
of them. A token of a verification service is not evidence: it is somebody's word about it, and
often not even signed.

Trusts: nothing; it only reads.  Does not trust: sizes, counts, the copies.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any

from teeproof.core import strictjson
from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.evidence.nvidia import report as spdm
from teeproof.evidence.nvidia.report import Report

__all__ = [
    "MAX_BUNDLE_BYTES",
    "MAX_DEVICES",
    "Device",
    "has_shape",
    "joined",
    "looks_like",
    "parse",
    "refuse_tokens",
]

MAX_BUNDLE_BYTES = 1 << 20  # eight GPUs take 100 KB
MAX_DEVICES = 32
COPIES = ("arch", "nonce", "driver_version", "vbios_version")
_LISTS = ("evidences", "evidence_list")
_DEVICE = frozenset({"evidence", "certificate"})


@dataclass(frozen=True, slots=True)
class Device:
    """The evidence of one GPU or switch.

    Attributes:
        report: what the device signed.
        certificates: PEM, the device's first and the root last.
        copies: what came beside the report, unsigned, by its name in ``COPIES``.
    """

    report: Report
    certificates: bytes
    copies: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, report: bytes, certificates: bytes) -> Device:
        """Return the device of a report's bytes; raises what ``report.parse`` raises."""
        return cls(spdm.parse(report), certificates)


def parse(data: bytes | str) -> tuple[Device, ...]:
    """Return the devices in a JSON document.

    Raises:
        TooLarge: more than ``MAX_BUNDLE_BYTES``.
        Malformed: not such a list, more than ``MAX_DEVICES``, or a report that cannot be read.
        NotAuthentic: tokens of a verification service in place of evidence.
    """
    return tuple(_device(item, beside) for item, beside in _items(data))


def looks_like(data: bytes) -> bool:
    """Whether these bytes are to be read as GPU evidence; nothing is parsed."""
    start = data[:MAX_BUNDLE_BYTES]
    is_json = start.lstrip(b" \t\r\n")[:1] in (b"[", b"{")
    return is_json and all(b'"%s"' % name.encode() in start for name in _DEVICE)


def has_shape(value: Any) -> bool:
    """Whether parsed JSON has the shape of GPU evidence."""
    if isinstance(value, dict):
        value = next((value[name] for name in _LISTS if name in value), [value])
    first = value[0] if isinstance(value, list) and value else None
    return isinstance(first, dict) and first.keys() >= _DEVICE


def joined(*documents: bytes) -> bytes:
    """Return one document of the devices in several, such as GPUs and switches in files apart.

    Raises:
        Malformed, TooLarge, NotAuthentic: as ``parse``, of any of them or of all together.
        Malformed: a copy beside a list is not the device's own, so one of the two would be lost.
    """
    items = [_one_copy(item, beside) for data in documents for item, beside in _items(data)]
    _require_few(items)
    return strictjson.dumps(items).encode()


def _one_copy(item: dict[str, Any], beside: dict[str, Any]) -> dict[str, Any]:
    for name, copy in beside.items():
        if item.get(name) not in (None, copy):
            raise _malformed(f"one {name} of a device", "another beside the list of devices")
    return item | beside


def _items(data: bytes | str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the object of each device, and the copies that stand beside the list."""
    value = strictjson.loads(data, limit=MAX_BUNDLE_BYTES, what="GPU evidence")
    refuse_tokens(value)
    beside: dict[str, Any] = {}
    if isinstance(value, dict):
        lists = [name for name in _LISTS if name in value]
        if len(lists) > 1:
            raise _malformed("one list of devices", " and ".join(lists))
        if lists:
            beside = {name: value[name] for name in COPIES if value.get(name) is not None}
        value = value[lists[0]] if lists else [value]
    if not isinstance(value, list) or not value:
        raise _malformed("a list of devices", _kind(value))
    _require_few(value)
    for item in value:
        if not isinstance(item, dict):
            raise _malformed("an object for each device", _kind(item))
    return [(item, beside) for item in value]


def _require_few(items: list[Any]) -> None:
    if len(items) > MAX_DEVICES:
        raise _malformed(f"at most {MAX_DEVICES} devices", f"{len(items)} devices")


def _device(item: dict[str, Any], beside: dict[str, Any]) -> Device:
    given = [*beside.items(), *((n, item[n]) for n in COPIES if item.get(n) is not None)]
    copies = tuple(dict.fromkeys((name, _text(value, name)) for name, value in given))
    report = spdm.parse(_base64(item.get("evidence"), "evidence"))
    return Device(report, _base64(item.get("certificate"), "certificate"), copies)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or len(value) > 200:
        raise _malformed(f"a short text in {name}", _kind(value))
    return value


def _base64(value: Any, name: str) -> bytes:
    if not isinstance(value, str):
        raise _malformed(f"base64 in {name}", _kind(value))
    try:
        raw = b64decode(value, validate=True)
    except ValueError:
        raw = b""
    if not raw or b64encode(raw) != value.encode(errors="replace"):
        raise _malformed(f"base64 in {name}", value[:40])
    return raw


def refuse_tokens(value: Any) -> None:
    """Raise NotAuthentic where parsed JSON holds a verification service's tokens."""
    token = _first_token(value, 4)
    if token is None:
        return
    unsigned = _algorithm(token) == "none"
    raise NotAuthentic(
        "these are tokens that nobody signed (alg: none): anyone can write them, so they prove "
        "nothing. Give the evidence itself: each GPU's report and certificates"
        if unsigned
        else "these are tokens of a verification service, which are its word and not the GPU's "
        "evidence. Give the evidence itself: each GPU's report and certificates",
        code="gpu_token_unsigned" if unsigned else "gpu_token",
        expected="reports and certificates",
        got=f"a token with alg: {_algorithm(token)}",
    )


def _first_token(value: Any, depth: int) -> str | None:
    if isinstance(value, str):
        return value if value.startswith("eyJ") and value.count(".") == 2 else None
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if depth:
        for part in parts:
            found = _first_token(part, depth - 1)
            if found:
                return found
    return None


def _algorithm(token: str) -> str:
    head = token.partition(".")[0]
    try:
        value = strictjson.loads(
            b64decode(head + "=" * (-len(head) % 4), altchars="-_", validate=True),
            limit=4096,
            what="token's header",
        )
    except (ValueError, Malformed):
        return "unreadable"
    algorithm = value.get("alg") if isinstance(value, dict) else None
    return algorithm.lower()[:20] if isinstance(algorithm, str) else "unreadable"


def _kind(value: Any) -> str:
    return f"a value of type {type(value).__name__}"


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        f"this is not the evidence of GPUs: expected {expected}, got {got}",
        code="gpu_bundle_malformed",
        expected=expected,
        got=got,
    )
