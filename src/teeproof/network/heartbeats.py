"""What a node signs while it works: heartbeats, and the end of a lease that it wants to end.

They are signed by the node's ``statement`` key under a media type of their own, so none can be
shown as a statement. A heartbeat names node, identity and lease, and carries a counter that only
rises: sent twice, under another lease or after another one, it is refused.

Trusts: nothing.  Does not trust: the node, the network.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeVar

import msgspec

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, NotAuthentic, TooLarge
from teeproof.proof import canonical
from teeproof.proof.envelope import Envelope, Signature, pae
from teeproof.proof.links import Integer
from teeproof.proof.signing import holds_ed25519
from teeproof.proof.workload import Identity

__all__ = [
    "HEARTBEAT_TYPE",
    "MAX_DOCUMENT_BYTES",
    "NODE_CLOSE_TYPE",
    "SIGNED_BY_NODE",
    "Heartbeat",
    "NodeClose",
    "beat_digest",
    "read_signed",
    "require_signed",
    "sign_as_node",
]

HEARTBEAT_TYPE: Final = "urn:teeproof:heartbeat:v1"
NODE_CLOSE_TYPE: Final = "urn:teeproof:node-close:v1"
SIGNED_BY_NODE: Final = "application/vnd.teeproof.node+json"
MAX_DOCUMENT_BYTES = 4096

T = TypeVar("T")


class Heartbeat(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A sign of life.

    Attributes:
        type: always ``urn:teeproof:heartbeat:v1``.
        node: the node's name in the market, ``sha256:…``.
        identity: whose key signs, ``sha256:…``: the node's newest identity.
        lease: under which lease it works, ``sha256:…``; empty if under none.
        counter: greater than in every heartbeat of this node before.
    """

    type: Literal["urn:teeproof:heartbeat:v1"] = HEARTBEAT_TYPE
    node: str
    identity: str
    lease: str
    counter: Integer


class NodeClose(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A node ends a lease.

    Attributes:
        type: always ``urn:teeproof:node-close:v1``.
        node: the node's name in the market, ``sha256:…``.
        lease: ``sha256:…``.
    """

    type: Literal["urn:teeproof:node-close:v1"] = NODE_CLOSE_TYPE
    node: str
    lease: str


def sign_as_node(identity: Identity, document: Any) -> Envelope:
    """Return a document in an envelope that the node's ``statement`` key signed."""
    payload = canonical.encode(document)
    signature = identity.keyring.sign(pae(payload, SIGNED_BY_NODE))
    return Envelope(payload, (Signature(identity.name, signature),), SIGNED_BY_NODE)


def read_signed(data: bytes, *, kind: type[T], what: str) -> tuple[Envelope, T]:
    """Return envelope and document of a node; the signature is checked by ``require_signed``.

    Raises:
        TooLarge: beyond what such a document can have.
        Malformed: no envelope, another media type, not canonical, an unknown key.
    """
    if len(data) > 4 * MAX_DOCUMENT_BYTES:
        raise TooLarge(f"the {what} is too large", expected=f"at most {MAX_DOCUMENT_BYTES} bytes")
    envelope = Envelope.parse(data)
    if envelope.payload_type != SIGNED_BY_NODE:
        raise Malformed(
            f"this was signed as something else than a node's {what}",
            code="payload_type_wrong",
            expected=SIGNED_BY_NODE,
            got=envelope.payload_type[:100],
        )
    document = canonical.decode(envelope.payload, limit=MAX_DOCUMENT_BYTES, what=what, kind=kind)
    return envelope, document


def require_signed(envelope: Envelope, *, key: bytes, what: str) -> None:
    """Raise NotAuthentic (``node_signature``) unless a node's key signed an envelope."""
    if not holds_ed25519(key, envelope.signed, envelope.signatures[0].sig):
        raise NotAuthentic(
            f"the node's newest key did not sign this {what}: sign with the identity that was"
            " admitted last",
            code="node_signature",
            expected=f"a signature of {key.hex()[:16]}…",
        )


def beat_digest(envelope: Envelope) -> str:
    """Return ``sha256:…`` of a heartbeat's payload."""
    return named(sha256(envelope.payload))
