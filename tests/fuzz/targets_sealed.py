"""Fuzz targets for sealed files: headers, grants, keys as text, and whole files."""

from __future__ import annotations

import io
from contextlib import suppress

from teeproof.core.errors import Error, Malformed
from teeproof.core.sealed import (
    Grant,
    PrivateRecipient,
    Recipient,
    open_sealed,
    open_stream,
    parse_header,
    read_header,
    unwrap_grant,
    unwrap_key,
    wrap_key,
)
from tests.core.sealed.scenes import ALICE, BOB, JOB, POLICY, sealed

_SMALL = b"a small file"
_FILE = sealed(_SMALL, [ALICE, BOB], policy_digest=POLICY)
_PLAIN = sealed(b"")
_HEADER = read_header(io.BytesIO(_FILE))


def fuzz_sealed_header(data: bytes) -> None:
    """A header is refused, or is exactly its own encoding."""
    with suppress(Malformed):
        assert parse_header(data).encode() == data


def fuzz_sealed_file(data: bytes) -> None:
    """What opens is one of the two files that were sealed, read either way."""
    target = io.BytesIO()
    with suppress(Error):
        open_stream(io.BytesIO(data), target, key=ALICE, threads=1)
        assert _was_sealed(data)
        assert target.getvalue() in (_SMALL, b"")
    with suppress(Error), open_sealed(io.BytesIO(data), key=ALICE) as reader:
        assert _was_sealed(data)
        assert reader.read() == target.getvalue()


def _was_sealed(data: bytes) -> bool:
    """Whether a file is one of ours; seeds that another process sealed have ids of their own."""
    ours = {_HEADER.file_id, read_header(io.BytesIO(_PLAIN)).file_id}
    return data in (_FILE, _PLAIN) or read_header(io.BytesIO(data)).file_id not in ours


def fuzz_seal_grant(data: bytes) -> None:
    """A grant is refused, or is its own encoding; only the one that was made opens."""
    with suppress(Error):
        grant = Grant.parse(data)
        assert grant.encode() == data
        unwrap_grant(grant, key=BOB, header=_HEADER, expected_job_digest=JOB)
        assert data == _grant()


def fuzz_seal_keys(data: bytes) -> None:
    """A text is refused, or is the one text form of its key."""
    text = data.decode("utf-8", "replace")
    with suppress(Malformed):
        assert Recipient.parse(text).text == text
    with suppress(Malformed):
        assert PrivateRecipient.parse(text).secret_text == text


def _grant() -> bytes:
    if not _MADE:
        key = unwrap_key(_HEADER, ALICE)
        grant = wrap_key(key, header=_HEADER, recipient=BOB.public, job_digest=JOB)
        _MADE.append(grant.encode())
    return _MADE[0]


_MADE: list[bytes] = []
SEEDS = {
    "fuzz_sealed_header": lambda: [_HEADER.encode(), read_header(io.BytesIO(_PLAIN)).encode()],
    "fuzz_sealed_file": lambda: [_FILE, _PLAIN],
    "fuzz_seal_grant": lambda: [_grant()],
    "fuzz_seal_keys": lambda: [
        key.encode() for k in (ALICE, BOB) for key in (k.public.text, k.secret_text)
    ],
}
