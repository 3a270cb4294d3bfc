"""Sealed files: encrypted for named recipients, tied to a policy, readable at any place.

    seal, seal_file          a stream or file, for 1 to 64 recipients
    open_stream, open_file   all of it, to a stream or file
    open_sealed              any part of it: a ``SealedReader``
    read_header              what it says without a key
    wrap_key, unwrap_grant   its data key, handed on for one job

    file = header (``header``) ‖ payload (``segments``: Tink's AES256_GCM_HKDF_1MB)

The payload's associated data holds the header's digest, so neither fits another.

What a sealed file does not show: who made it. Anybody can seal for a public key, and recipients of
one file hold the same data key, so each can forge it for the others. A statement with the sealed
file's digest says who. Its size, its recipients and its policy's digest are not secret.
"""

from __future__ import annotations

from teeproof.core.sealed.files import open_file, seal_file
from teeproof.core.sealed.grants import Grant, unwrap_grant, wrap_key
from teeproof.core.sealed.header import Header, parse_header, read_header
from teeproof.core.sealed.keyfiles import read_key, read_recipient, write_key
from teeproof.core.sealed.keys import DataKey, unwrap_key
from teeproof.core.sealed.reader import SealedReader, open_sealed
from teeproof.core.sealed.recipients import HYBRID, X25519, PrivateRecipient, Recipient
from teeproof.core.sealed.streams import open_stream, seal

__all__ = [
    "HYBRID",
    "X25519",
    "DataKey",
    "Grant",
    "Header",
    "PrivateRecipient",
    "Recipient",
    "SealedReader",
    "generate_recipient",
    "open_file",
    "open_sealed",
    "open_stream",
    "parse_header",
    "read_header",
    "read_key",
    "read_recipient",
    "seal",
    "seal_file",
    "unwrap_grant",
    "unwrap_key",
    "wrap_key",
    "write_key",
]


def generate_recipient(*, hybrid: bool = False) -> PrivateRecipient:
    """Return a fresh key pair; ``hybrid`` also holds against a quantum computer."""
    return PrivateRecipient.new(hybrid=hybrid)
