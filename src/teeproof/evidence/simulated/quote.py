"""Write a TDX quote, version 4 or 5, byte by byte as Intel's quoting library does.

Intel TDX DCAP Quoting Library API, appendix 3. This code shares nothing with the parser under
``evidence/tdx``: a mistake in one shows against the other.

Trusts: whoever holds the keys.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

import struct
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import ec

from teeproof.core.digests import sha256
from teeproof.evidence.simulated.hardware import Domain, QuotingEnclave
from teeproof.evidence.simulated.keys import raw_public_key, sign_raw

__all__ = [
    "BodyType",
    "Version",
    "certification",
    "qe_report",
    "signed_region",
    "td_report",
    "wrap",
]

Version = Literal[4, 5]
BodyType = Literal["1.0", "1.5"]

_BODY_TYPES = {"1.0": 2, "1.5": 3}
_TDX = 0x81
_ECDSA_P256 = 2
_PCK_CHAIN, _QE_REPORT = 5, 6  # certification data types
_AUTH_DATA = bytes(range(32))  # what Intel's quoting enclave puts there


def td_report(
    domain: Domain,
    *,
    mrconfigid: bytes,
    rtmrs: tuple[bytes, bytes, bytes, bytes],
    report_data: bytes,
    body: BodyType,
) -> bytes:
    """Return the TD report: 584 bytes for TDX 1.0, 648 for 1.5."""
    fields = [
        (domain.tee_tcb_svn, 16),
        (domain.mrseam, 48),
        (domain.mrsignerseam, 48),
        (domain.seamattributes, 8),
        (domain.tdattributes, 8),
        (domain.xfam, 8),
        (domain.mrtd, 48),
        (mrconfigid, 48),
        (domain.mrowner, 48),
        (domain.mrownerconfig, 48),
        *((rtmr, 48) for rtmr in rtmrs),
        (report_data, 64),
    ]
    if body == "1.5":
        fields += [(domain.tee_tcb_svn2, 16), (domain.mrservicetd, 48)]
    return _join(fields)


def qe_report(
    enclave: QuotingEnclave, *, cpu_svn: bytes, attestation_key: ec.EllipticCurvePrivateKey
) -> bytes:
    """Return the quoting enclave's SGX report, 384 bytes."""
    key_digest = enclave.key_digest or sha256(raw_public_key(attestation_key), _AUTH_DATA)
    return _join(
        [
            (cpu_svn, 16),
            (enclave.miscselect, 4),
            (bytes(28), 28),
            (enclave.attributes, 16),
            (sha256(b"SIMULATED TD quoting enclave"), 32),
            (bytes(32), 32),
            (enclave.mrsigner, 32),
            (bytes(96), 96),
            (struct.pack("<HH", enclave.isvprodid, enclave.isvsvn), 4),
            (bytes(60), 60),
            (key_digest + bytes(32), 64),
        ]
    )


def certification(
    report: bytes,
    *,
    pck_key: ec.EllipticCurvePrivateKey,
    attestation_key: ec.EllipticCurvePrivateKey,
    pck_chain: bytes,
) -> bytes:
    """Return what stands behind the quote's own signature; it is the same for all of a machine."""
    chain = struct.pack("<HI", _PCK_CHAIN, len(pck_chain)) + pck_chain
    inner = (
        report + sign_raw(pck_key, report) + struct.pack("<H", len(_AUTH_DATA)) + _AUTH_DATA + chain
    )
    return raw_public_key(attestation_key) + struct.pack("<HI", _QE_REPORT, len(inner)) + inner


def signed_region(
    report: bytes, *, version: Version, body: BodyType, vendor: bytes, qe: bytes
) -> bytes:
    """Return header and report: the bytes that the attestation key signs."""
    header = struct.pack("<HHIHH", version, _ECDSA_P256, _TDX, 0, 0) + vendor + qe[:16] + bytes(4)
    if version == 5:
        header += struct.pack("<HI", _BODY_TYPES[body], len(report))
    return header + report


def wrap(signed: bytes, *, attestation_key: ec.EllipticCurvePrivateKey, certified: bytes) -> bytes:
    """Return the whole quote: signed region, length, signature, certification."""
    signature = sign_raw(attestation_key, signed)
    return signed + struct.pack("<I", len(signature) + len(certified)) + signature + certified


def _join(fields: list[tuple[bytes, int]]) -> bytes:
    # A field of the wrong size would shift everything behind it.
    for number, (value, size) in enumerate(fields):
        if len(value) != size:
            raise ValueError(f"field {number} takes {size} bytes, got {len(value)}")
    return b"".join(value for value, _ in fields)
