"""Parse the report of Azure's paravisor: a header, the hardware's report, and the runtime data.

    0x000   "HCLA", version, sizes: nobody signed these
    0x020   the hardware's report: 1184 bytes of SEV-SNP, or a TDX report of 1024 bytes
    0x4c0   size, version, kind of report, kind of hash, size of what follows
    0x4d4   runtime data: JSON with the TPM's keys; report_data begins with its digest

Source: Azure, "Virtual TPMs in Azure confidential VMs"; OpenHCL, ``attestation`` data types.

Trusts: nothing; it only reads.  Does not trust: lengths and kinds in the bytes.
"""

from __future__ import annotations

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from typing import Any, Literal

from teeproof.core import strictjson
from teeproof.core.errors import Malformed, TooLarge
from teeproof.evidence.tpm.public import rsa_spki

__all__ = ["MAX_HCL_BYTES", "HclReport", "malformed", "parse", "unbase64"]

MAX_HCL_BYTES = 64 << 10  # real ones have 2600
SNP_BYTES, TD_BYTES = 1184, 1024
AK = "HCLAkPub"
_MAGIC = b"HCLA"
_REPORT, _REQUEST = 0x20, 0x4C0
_HEADER = struct.Struct("<IIIII")
_KINDS: dict[int, Literal["sev-snp", "tdx"]] = {2: "sev-snp", 4: "tdx"}
_HASHES = {1: "sha256", 2: "sha384", 3: "sha512"}


@dataclass(frozen=True, slots=True)
class HclReport:
    """A report of Azure's paravisor.

    Attributes:
        kind: whose report is inside.
        report: the hardware's report, as it stands there.
        hash: name of the hash by which report_data commits to ``runtime``.
        runtime: the runtime data, byte for byte.
        ak: the TPM's attestation key, SubjectPublicKeyInfo (DER).
        configuration: what the paravisor says of the machine (``vm-configuration``).
        user_data: text that the guest had the paravisor put in; hex of up to 64 bytes.
    """

    kind: Literal["sev-snp", "tdx"]
    report: bytes
    hash: str
    runtime: bytes
    ak: bytes
    configuration: dict[str, Any]
    user_data: str


def parse(raw: bytes) -> HclReport:
    """Return the report in ``raw``.

    Raises:
        TooLarge: more than ``MAX_HCL_BYTES``.
        Malformed: not such a report, a length that does not add up, or no single RSA key of the
            name ``HCLAkPub`` in the runtime data.
    """
    if len(raw) > MAX_HCL_BYTES:
        raise TooLarge(
            "this is too large for a report of Azure's paravisor",
            expected=f"at most {MAX_HCL_BYTES} bytes",
            got=f"{len(raw)} bytes",
        )
    start = _REQUEST + _HEADER.size
    if raw[:4] != _MAGIC or len(raw) < start:
        raise malformed(f"HCLA and {start} bytes or more", f"{raw[:4].hex()}, {len(raw)} bytes")
    whole, _, kind, hashed, size = _HEADER.unpack_from(raw, _REQUEST)
    if kind not in _KINDS or hashed not in _HASHES:
        raise malformed("a kind of report and of hash that we know", f"{kind} and {hashed}")
    runtime, rest = raw[start : start + size], raw[start + size :]
    if whole != _HEADER.size + size or len(runtime) != size or any(rest):
        raise malformed("runtime data, and zeros behind it", f"{len(runtime)} of {size} bytes")
    named = _KINDS[kind]
    end = _REPORT + (SNP_BYTES if named == "sev-snp" else TD_BYTES)
    value = _object(strictjson.loads(runtime, limit=MAX_HCL_BYTES, what="runtime data"))
    configuration, user_data = value.get("vm-configuration", {}), value.get("user-data", "")
    if not isinstance(configuration, dict) or not isinstance(user_data, str):
        raise malformed("vm-configuration as an object, user-data as text", "something else")
    return HclReport(
        kind=named,
        report=raw[_REPORT:end],
        hash=_HASHES[hashed],
        runtime=runtime,
        ak=_ak(value.get("keys")),
        configuration=configuration,
        user_data=user_data,
    )


def _ak(keys: object) -> bytes:
    listed = keys if isinstance(keys, list) else []
    found = [_object(key) for key in listed if _object(key).get("kid") == AK]
    if len(found) != 1:
        raise malformed(f"one key called {AK} in the runtime data", f"{len(found)} of them")
    key = found[0]
    if key.get("kty") != "RSA" or key.get("key_ops", ["sign"]) != ["sign"]:
        raise malformed(f"{AK} as an RSA key for signing", f"{str(key.get('kty'))[:20]}")
    modulus, exponent = _number(key.get("n")), _number(key.get("e"))
    return rsa_spki(modulus, exponent)


def _number(text: object) -> int:
    data = unbase64(text if isinstance(text, str) else "")
    if not data or data[0] == 0 or len(data) > 512:
        raise malformed("numbers of an RSA key", f"{len(data)} bytes")
    return int.from_bytes(data, "big")


def unbase64(text: str) -> bytes:
    """Return what this base64url stands for (RFC 4648, 5): one form, with padding or without."""
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (Base64Error, ValueError):
        raise malformed("base64url", "something else") from None
    written = urlsafe_b64encode(data).decode()
    if text not in (written, written.rstrip("=")):
        raise malformed("base64url in its only form", "another form of the same bytes")
    return data


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise malformed("objects in the runtime data", f"a {type(value).__name__}")
    return value


def malformed(expected: str, got: str) -> Malformed:
    """Return the error for a report whose bytes do not add up."""
    return Malformed(
        f"the report of Azure's paravisor is malformed: expected {expected}, got {got}",
        code="hcl_malformed",
        expected=expected,
        got=got,
    )
