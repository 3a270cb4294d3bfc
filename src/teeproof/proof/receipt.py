"""An ACI receipt, read as a statement: which answer was given to which request, by which keys.

A receipt's id is the SHA-256 of what its signature is over: the document without ``signature``, in
JCS. Its subjects are the bodies that its event log names; its inputs stand in events of ours:

    {"type": "x.model", "digest": "sha256:…", "statement": "sha256:…"}           the model that ran
    {"type": "x.links", "role": "…", "digest": "sha256:…", "statement": "…"}     any other input

Verifiers that do not know them ignore such events, as ACI asks of them.

Source: ACI specification (``aci/1``), section 7; JCS is RFC 8785.

Trusts: nothing.  Does not trust: whoever served the receipt.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec

from teeproof.core import strictjson
from teeproof.core.digests import named, parse_named, sha256
from teeproof.core.errors import Malformed
from teeproof.proof import canonical
from teeproof.proof.envelope import seal_of
from teeproof.proof.links import Link, Subject

__all__ = ["MAX_RECEIPT_BYTES", "RECEIPT_TYPE", "Receipt", "link_event", "model_event"]

RECEIPT_TYPE = "aci/1"
MAX_RECEIPT_BYTES = 256 << 10
MAX_EVENTS = 4096
_BODIES = {
    "request.received": "request",
    "request.forwarded": "forwarded-request",
    "response.returned": "response",
}
_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder(order="sorted")


class Receipt(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A receipt as parsed.

    Attributes:
        signed: the bytes that its signature is over.
        signature: 64 bytes, Ed25519.
        key_id: which key of the keyset signed.
        keyset_digest: ``sha256:…`` of the keyset, which names the author.
        subjects: request, forwarded request and response, as far as there are any.
        links: inputs.
        body: the whole document.
    """

    signed: bytes
    signature: bytes
    key_id: str
    keyset_digest: str
    subjects: tuple[Subject, ...]
    links: tuple[Link, ...]
    body: dict[str, Any]

    @classmethod
    def parse(cls, data: bytes) -> Receipt:
        """Return the receipt in any JSON encoding of it.

        Raises:
            TooLarge: more than ``MAX_RECEIPT_BYTES``.
            Malformed: not JSON, a key given twice or not in ASCII, a number with a fraction, a body
                named by two events, or not a receipt.
        """
        body = _load(data)
        try:
            signature = _from_hex(body.pop("signature"))
            canonical.reject_numbers(body)
            _require_ascii_names(body)
            return _read(body, signature)
        except (KeyError, TypeError, ValueError, AttributeError, Malformed) as error:
            raise _malformed(str(error) or type(error).__name__) from None

    def encode(self) -> bytes:
        """Return the whole document in JCS."""
        return canonical.encode(self.body | {"signature": self.signature.hex()})

    @cached_property
    def id(self) -> bytes:
        """SHA-256 of the signed bytes, 32 bytes."""
        return sha256(self.signed)

    @property
    def seal(self) -> bytes:
        """The digest by which a log entry commits to the signature, 32 bytes."""
        return seal_of(self.signature)

    @property
    def name(self) -> str:
        """The id as text."""
        return named(self.id)


def model_event(digest: str, *, statement: bytes | None = None) -> dict[str, str]:
    """Return the event that names the model that ran; ``digest`` is ``sha256:…`` of its root."""
    return {"type": "x.model", "digest": digest} | _of_statement(statement)


def link_event(role: str, digest: str, *, statement: bytes | None = None) -> dict[str, str]:
    """Return the event that names another input."""
    return {"type": "x.links", "role": role, "digest": digest} | _of_statement(statement)


def _of_statement(statement: bytes | None) -> dict[str, str]:
    return {} if statement is None else {"statement": named(statement)}


def _load(data: bytes) -> dict[str, Any]:
    """Decode fast what is canonical, and slowly, with every rule, what is not."""
    try:
        value = _decoder.decode(data) if len(data) <= MAX_RECEIPT_BYTES else None
        if value is not None and _encoder.encode(value) != data:
            value = None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        value = None
    if value is None:
        value = strictjson.loads(data, limit=MAX_RECEIPT_BYTES, what="receipt")
    if not isinstance(value, dict):
        raise _malformed(type(value).__name__)
    return value


def _from_hex(text: str) -> bytes:
    raw = bytes.fromhex(text)
    if raw.hex() != text:
        raise ValueError("a signature that is not 128 lower-case hex digits")
    return raw


def _require_ascii_names(value: Any) -> None:
    """Refuse names that RFC 8785 and we sort differently: beyond ASCII, code units are no order."""
    rest = [value]
    while rest:
        node = rest.pop()
        if isinstance(node, dict):
            if not all(map(str.isascii, node)):
                raise ValueError("a name outside ASCII")
            rest += [one for one in node.values() if type(one) is not str]
        elif isinstance(node, list):
            rest += node


def _read(body: dict[str, Any], signature: bytes) -> Receipt:
    if body["api_version"] != RECEIPT_TYPE:
        raise ValueError(f"api_version {body['api_version']!r:.60}")
    parse_named(body["workload_keyset_digest"])
    events = body["event_log"]
    if not 1 <= len(events) <= MAX_EVENTS or events[0]["type"] != "request.received":
        raise ValueError("the event log does not begin with request.received")
    if not all(isinstance(event["type"], str) for event in events):
        raise ValueError("an event whose type is not text")
    if not isinstance(body["key_id"], str) or len(signature) != 64:
        raise ValueError("no key id, or a signature that is not 64 bytes")
    return Receipt(
        signed=_encoder.encode(body),  # its numbers were looked at
        signature=signature,
        key_id=body["key_id"],
        keyset_digest=body["workload_keyset_digest"],
        subjects=tuple(_subjects(events)),
        links=tuple(_links(events)),
        body=body,
    )


def _subjects(events: list[dict[str, Any]]) -> list[Subject]:
    found: list[Subject] = []
    for event in events:
        name = _BODIES.get(event["type"])
        if name is not None:
            if any(name == subject.name for subject in found):
                raise ValueError(f"two events of the type {event['type']}")
            digest = parse_named(event["body_hash"]).hex()
            found.append(Subject({"sha256": digest}, name=name))
    return found


def _links(events: list[dict[str, Any]]) -> list[Link]:
    found = []
    for event in events:
        if event["type"] not in ("x.model", "x.links"):
            continue
        role = "model" if event["type"] == "x.model" else event["role"]
        if not isinstance(role, str) or not role:
            raise ValueError("a link without a role")
        statement = event.get("statement")
        parent = None if statement is None else parse_named(statement)
        found.append(Link(role, named(parse_named(event["digest"])), parent, None))
    return found


def _malformed(got: str) -> Malformed:
    return Malformed(
        "this is not an ACI receipt",
        code="receipt_malformed",
        expected="the document that GET /v1/aci/receipts/{id} serves",
        got=got[:300],
    )
