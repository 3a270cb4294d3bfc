"""Fuzz targets for what servers answer, for the archive's records, and for its configuration."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from teeproof.core.errors import Malformed, NotAuthentic, Unavailable, Usage
from teeproof.evidence.fetch import amd, nvidia
from teeproof.evidence.fetch.services import Services, with_options
from teeproof.evidence.fetch.web import _retry_after
from teeproof.evidence.fetch.wire import list_of, pem_of_header, signed_document
from teeproof.evidence.kept.record import Kind
from teeproof.evidence.kept.records import Records
from teeproof.evidence.nvidia.ocsp import parse_answer
from teeproof.evidence.simulated.nvidia import answer
from teeproof.evidence.simulated.nvidia_pki import GpuVendor
from teeproof.evidence.simulated.nvidia_scene import GpuScene
from teeproof.evidence.simulated.snp.pki import Chip, SnpPki

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PKI, VENDOR = SnpPki(b"\x4e" * 32), GpuVendor(b"\x4e" * 32)
RECORDS = Records(Path("/nowhere"))
_SIGNATURE = b"ab" * 64


def fuzz_fetch_signed_document(data: bytes) -> None:
    """What comes out stands in the answer as it is, and is one JSON object."""
    with suppress(Malformed):
        document, signature = signed_document(data, "doc", limit=1 << 16, what="document")
        assert document in data
        assert isinstance(json.loads(document), dict)
        assert len(signature) == 64


def fuzz_fetch_header(data: bytes) -> None:
    """A header never gives more than it holds."""
    with suppress(Malformed):
        text = data.decode("latin-1")
        assert len(pem_of_header({"chain": text}, ("Chain",), what="chain")) <= len(text.encode())


def fuzz_fetch_list(data: bytes) -> None:
    """A list is given as it came, or is what its digits stand for."""
    found = list_of(data)
    assert found == data or found.hex() == data.strip(b' "\r\n').decode().lower()


def fuzz_fetch_retry_after(data: bytes) -> None:
    """A server cannot make us wait for less than nothing."""
    text = data.decode("latin-1")
    date = "Mon, 01 Jun 2026 00:00:00 GMT"
    found = _retry_after({"Retry-After": text, "Date": date})
    assert found is None or found >= 0
    other = _retry_after({"Retry-After": date, "Date": text})
    assert other is None or other >= 0


def fuzz_fetch_address(data: bytes) -> None:
    """What is accepted as an address is https, or on this machine."""
    with suppress(Usage):
        url = with_options(Services(), [f"kds={data.decode('latin-1')}"]).kds
        assert url.lower().startswith(("https://", "http://"))
        assert url.isascii()
        assert not set(url) & set("?#@ \n\r\t")


def fuzz_fetch_manifest_id(data: bytes) -> None:
    """What is asked for as a manifest is one step of a path, and nobody is reached offline."""
    name = data.decode("latin-1")
    try:
        nvidia.fetch_manifest(name, _OFFLINE)
    except Malformed:
        return
    except Unavailable:
        assert not set(name) & set("/?#%\\ \n")
        assert name.isascii()


def fuzz_fetch_nonce(data: bytes) -> None:
    """An answer whose nonce is read and one that is believed are read from the same bytes."""
    with suppress(Malformed):
        parse_answer(data)
        nonce = nvidia.nonce_of(data)
        assert nonce is None or len(nonce) <= len(data)


def fuzz_fetch_amd_certificates(data: bytes) -> None:
    """Whatever a server sends as certificates, none or parsed ones come of it."""
    with suppress(Malformed):
        amd.beside(data)
    with suppress(Malformed):
        amd.certificate(data)


def fuzz_kept_amd_key(data: bytes) -> None:
    """A key that is kept is the vendor's own, whatever else a stranger sends."""
    _kept("amd-key", dict(_KEY) | {"key": data}, root=PKI.root_fingerprint)


def fuzz_kept_amd_list(data: bytes) -> None:
    """A list that is kept is the vendor's own."""
    _kept("amd-crl", dict(_LIST) | {"list": data}, root=PKI.root_fingerprint)


def fuzz_kept_answer(data: bytes) -> None:
    """An answer that is kept is about the certificate that was asked about."""
    _kept("ocsp", dict(_ANSWER) | {"answer": data}, root=VENDOR.device_root.fingerprint)


def fuzz_kept_manifest(data: bytes) -> None:
    """A manifest that is kept names its product and version."""
    with suppress(Malformed, NotAuthentic):
        record = RECORDS.describe("rim", {"manifest": data})
        assert set(record.subject) == {"product", "version"}
        assert msgspec.json.decode(msgspec.json.encode(record), type=type(record)) == record


def _kept(kind: Kind, parts: dict[str, bytes], *, root: str) -> None:
    with suppress(Malformed, NotAuthentic):
        record = RECORDS.describe(kind, parts)
        assert record.root == root
        assert msgspec.json.decode(msgspec.json.encode(record), type=type(record)) == record


class _Offline:
    """A way to nowhere."""

    def get(self, *_: object, **__: object) -> None:
        raise Unavailable("nobody is asked")


_OFFLINE: Any = _Offline()
_CHAIN = PKI.vcek(Chip()).chain
_KEY = tuple(zip(("key", "authority", "root"), _CHAIN, strict=True))
_LIST = (
    ("list", PKI.crl(revoked=(1,), issued=NOW)),
    ("authority", _CHAIN[1]),
    ("root", _CHAIN[2]),
)
_ANSWER = (
    ("answer", answer(VENDOR, VENDOR.family, VENDOR.device_root, now=NOW)),
    ("certificate", VENDOR.family.der),
    ("issuer", VENDOR.device_root.der),
)


def _documents() -> list[bytes]:
    return [
        b'{"doc":{"a":[1,"}"]},"signature":"%s"}' % _SIGNATURE,
        b' {"signature":"%s" , "doc" : {"b":{}} } ' % _SIGNATURE,
    ]


SEEDS = {
    "fuzz_fetch_signed_document": _documents,
    "fuzz_fetch_header": lambda: [b"-----BEGIN%20CERTIFICATE-----%0A", b"a+b%"],
    "fuzz_fetch_list": lambda: [b"3082abcd\n", dict(_LIST)["list"]],
    "fuzz_fetch_retry_after": lambda: [b"7", b"Mon, 01 Jun 2026 00:00:30 GMT"],
    "fuzz_fetch_address": lambda: [
        b"https://kds.example:1/a",
        b"http://127.0.0.1",
        b"http://[::1]",
    ],
    "fuzz_fetch_manifest_id": lambda: [b"NV_GPU_DRIVER_GH100_550.90.07", b"../a"],
    "fuzz_fetch_nonce": lambda: [dict(_ANSWER)["answer"]],
    "fuzz_fetch_amd_certificates": lambda: [_CHAIN[0], _CHAIN[1]],
    "fuzz_kept_amd_key": lambda: [_CHAIN[0]],
    "fuzz_kept_amd_list": lambda: [dict(_LIST)["list"]],
    "fuzz_kept_answer": lambda: [dict(_ANSWER)["answer"]],
    "fuzz_kept_manifest": lambda: [rim.xml for rim in GpuScene(VENDOR, bytes(32), NOW).rims()],
}
