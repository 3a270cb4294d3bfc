"""The data key of a sealed file: made, wrapped for recipients by HPKE, and unwrapped.

What a wrapped key is bound to stands in HPKE's ``info``, a framed SHA-256 (``core.digests``) over

    "teeproof.seal-wrap.v1", suite, recipient's digest, policy digest or nothing, file id

so that a wrapped key which is moved to another file, policy or recipient does not open. The tag of
the header shows two things: nobody without the data key edited the header, and all recipients hold
the same data key. The second matters: AES-GCM alone lets a sender craft one file that opens to one
plaintext under one key and to another under a second.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from teeproof.core.digests import framed_sha256
from teeproof.core.errors import Malformed, NotAllowed, NotAuthentic, Usage
from teeproof.core.sealed.header import (
    FILE_ID,
    MAX_RECIPIENTS,
    Header,
    Wrapped,
    order_problem,
)
from teeproof.core.sealed.recipients import PrivateRecipient, Recipient, Suite

__all__ = ["DataKey", "Key", "make_header", "require_digest", "unwrap", "unwrap_key"]

_WRAP = "teeproof.seal-wrap.v1"
_HEADER = b"teeproof.sealed-header.v1"
_SIZE = 32


@dataclass(frozen=True, slots=True)
class DataKey:
    """The key of one file's payload. Whoever holds it can read the file, and forge it."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse another size."""
        if len(self.secret) != _SIZE:
            raise Malformed("a data key has 32 bytes", code="data_key_malformed")

    def tag(self, untagged: bytes) -> bytes:
        """Return the tag of a header that holds this key."""
        key = HKDF(algorithm=SHA256(), length=_SIZE, salt=None, info=_HEADER).derive(self.secret)
        return hmac.digest(key, untagged, "sha256")

    def require(self, header: Header) -> None:
        """Raise unless this key is the one that the header was made with, and nothing was edited.

        Raises:
            NotAuthentic: code ``header_not_authentic``.
        """
        if not hmac.compare_digest(self.tag(header.untagged), header.tag):
            raise NotAuthentic(
                "the header of this file was edited, or belongs to another data key: get the file"
                " again",
                code="header_not_authentic",
            )


Key = PrivateRecipient | DataKey


def make_header(
    recipients: Sequence[Recipient],
    *,
    policy_digest: bytes | None = None,
    random: Callable[[int], bytes] = os.urandom,
) -> tuple[Header, DataKey]:
    """Return the header of a new file, and its fresh data key.

    Raises:
        Usage: codes ``recipients_missing``, ``recipients_too_many``, ``recipient_repeated``,
            ``digest_size``.
        Malformed: code ``recipient_low_order``.
    """
    if policy_digest is not None:
        require_digest(policy_digest, "policy")
    _require_some(recipients)
    file_id, key = random(FILE_ID), DataKey(random(_SIZE))
    entries = tuple(
        Wrapped(r.suite, r.digest, r.encrypt(key.secret, info=info))
        for r in sorted(recipients, key=lambda r: r.digest)
        for info in [_info(r.suite, r.digest, policy_digest, file_id)]
    )
    if order_problem(entries):
        raise Usage("a recipient is named twice: name it once", code="recipient_repeated")
    untagged = Header(file_id, policy_digest, entries, b"").untagged
    return Header(file_id, policy_digest, entries, key.tag(untagged)), key


def unwrap_key(header: Header, key: PrivateRecipient) -> DataKey:
    """Return the data key that a header holds for a recipient.

    Raises:
        NotAllowed: code ``not_a_recipient``: the file is sealed for others.
        NotAuthentic: codes ``wrapped_key_not_authentic``, ``header_not_authentic``.
    """
    public = key.public
    entry = next((e for e in header.recipients if e.recipient == public.digest), None)
    if entry is None or entry.suite != public.suite:
        raise _not_a_recipient(header, public)
    info = _info(entry.suite, entry.recipient, header.policy_digest, header.file_id)
    data_key = DataKey(key.decrypt(entry.wrapped, info=info))
    data_key.require(header)
    return data_key


def unwrap(header: Header, key: Key) -> DataKey:
    """Return the data key, from a recipient's key pair or as it was granted.

    Raises:
        NotAllowed, NotAuthentic: as ``unwrap_key``.
    """
    if isinstance(key, PrivateRecipient):
        return unwrap_key(header, key)
    key.require(header)
    return key


def require_digest(value: bytes, what: str) -> None:
    """Raise unless a value has the size of a SHA-256.

    Raises:
        Usage: code ``digest_size``.
    """
    if len(value) != _SIZE:
        raise Usage(
            f"the digest of a {what} has 32 bytes", code="digest_size", got=f"{len(value)} bytes"
        )


def _info(suite: Suite, recipient: bytes, policy: bytes | None, file_id: bytes) -> bytes:
    return framed_sha256(_WRAP, suite.name.encode(), recipient, policy or b"", file_id)


def _require_some(recipients: Sequence[Recipient]) -> None:
    if not recipients:
        raise Usage("name at least one recipient", code="recipients_missing")
    if len(recipients) > MAX_RECIPIENTS:
        raise Usage(
            "a file has at most 64 recipients: seal it for a service that grants the key on",
            code="recipients_too_many",
            got=str(len(recipients)),
        )


def _not_a_recipient(header: Header, public: Recipient) -> NotAllowed:
    listed = ", ".join(f"{e.recipient.hex()[:16]}… ({e.suite.name})" for e in header.recipients[:8])
    rest = len(header.recipients) - 8
    return NotAllowed(
        "this key does not open the file, which is sealed for others: use one of their keys, or"
        " have it sealed for yours",
        code="not_a_recipient",
        expected=listed + (f" and {rest} more" if rest > 0 else ""),
        got=f"{public.digest.hex()[:16]}… ({public.suite.name})",
    )
