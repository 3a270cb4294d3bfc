"""States of signatures and certificates: changed bytes, foreign keys, twins.

Trusts: nothing; it only describes.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

import struct
from base64 import b64decode
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.hardware import Processor, QuotingEnclave
from teeproof.evidence.simulated.keys import ORDER
from teeproof.evidence.simulated.pki import IMPOSTOR, pem, pem_chain
from teeproof.evidence.simulated.platform import SimulatedPlatform
from teeproof.evidence.simulated.states.state import Scene, Setup, booted, forged, table

__all__ = ["STATES"]

# Offsets in a quote of version 4 (Intel TDX DCAP Quoting Library API, appendix 3).
_MRTD = 48 + 136
_SECTION_SIZE = 48 + 584
_SIGNATURE = _SECTION_SIZE + 4
_QE_REPORT = _SIGNATURE + 64 + 64 + 6
_QE_MRENCLAVE = _QE_REPORT + 64
_QE_REPORT_SIGNATURE = _QE_REPORT + 384
_OUTER_SIZE, _CHAIN_SIZE = _QE_REPORT - 4, _QE_REPORT_SIGNATURE + 64 + 2 + 32 + 2
_CHAIN = _CHAIN_SIZE + 4
_PEM_END = b"-----END CERTIFICATE-----\n"


def _flip(offset: int) -> Callable[[bytes], bytes]:
    return lambda quote: quote[:offset] + bytes([quote[offset] ^ 1]) + quote[offset + 1 :]


def _twin(s: int) -> int:
    """Return the other s with which the same signature holds."""
    return ORDER - s


def _high_s_quote(quote: bytes) -> bytes:
    at = _SIGNATURE + 32
    s = _twin(int.from_bytes(quote[at : at + 32], "big"))
    return quote[:at] + s.to_bytes(32, "big") + quote[at + 32 :]


def _high_s_leaf(quote: bytes) -> bytes:
    leaf, _, rest = quote[_CHAIN:].partition(_PEM_END)
    der = b64decode(b"".join(leaf.splitlines()[1:]))
    return _with_chain(quote, pem(_twin_certificate(der)) + rest)


def _twin_certificate(der: bytes) -> bytes:
    """Return the certificate with the other signature; what is signed stays the same."""
    # SEQUENCE { tbs, algorithm, BIT STRING { signature } }, all lengths in two bytes but the last.
    tbs_size = 4 + int.from_bytes(der[6:8], "big")
    head, tail = der[4 : 4 + tbs_size + 12], der[4 + tbs_size + 12 :]
    r, s = decode_dss_signature(tail[3:])
    signature = b"\0" + encode_dss_signature(r, _twin(s))
    inner = head + bytes([0x03, len(signature)]) + signature
    return b"\x30\x82" + len(inner).to_bytes(2, "big") + inner


def _with_chain(quote: bytes, chain: bytes) -> bytes:
    """Return the quote with another certificate chain, all lengths made to fit."""
    body, middle = quote[:_SECTION_SIZE], quote[_SIGNATURE:_OUTER_SIZE]
    inner = quote[_QE_REPORT:_CHAIN_SIZE] + struct.pack("<I", len(chain)) + chain
    section = middle + struct.pack("<I", len(inner)) + inner
    return body + struct.pack("<I", len(section)) + section


def _huge_section(quote: bytes) -> bytes:
    return quote[:_SECTION_SIZE] + b"\xff\xff\xff\xff" + quote[_SIGNATURE:]


def _pck_of_another_root(scene: Scene) -> Evidence:
    honest, stranger = scene.evidence(), scene.stranger()
    theirs = stranger.machine().quote(scene.report_data)
    return Evidence(
        quote=theirs,
        event_log=honest.event_log,
        compose=honest.compose,
        collateral=honest.collateral,
    )


def _pck_of_another_platform(scene: Scene) -> Evidence:
    honest, pki = scene.evidence(), scene.platform.pki
    other = scene.platform.machine(processor=Processor(name="machine 2"))
    chain = pem_chain(other.pck, pki.pck_ca, pki.root)
    return Evidence(
        quote=_with_chain(honest.quote, chain),
        event_log=honest.event_log,
        compose=honest.compose,
        collateral=honest.collateral,
    )


def _impostor(scene: Scene) -> Evidence:
    impostor = SimulatedPlatform(scene.stranger().pki.seed, names=IMPOSTOR)
    return impostor.machine().evidence(scene.report_data, now=scene.now)


def _foreign_root(scene: Scene) -> Evidence:
    honest, pki = scene.evidence(), scene.platform.pki
    chain = pem_chain(scene.machine(Setup()).pck, pki.pck_ca, scene.stranger().pki.root)
    return Evidence(
        quote=_with_chain(honest.quote, chain),
        event_log=honest.event_log,
        compose=honest.compose,
        collateral=honest.collateral,
    )


def _stranger(scene: Scene) -> Evidence:
    return scene.stranger().machine().evidence(scene.report_data, now=scene.now)


STATES = (
    *table(
        "accepted",
        (
            "trailing-bytes",
            "Bytes that nobody signed follow the quote; the evidence's identity must not change.",
            forged(lambda quote: quote + b"nobody signed this"),
        ),
        (
            "certificates-reformatted",
            "The quote's certificates have other line ends; the identity must not change.",
            forged(lambda quote: _with_chain(quote, quote[_CHAIN:].replace(b"\n", b"\r\n"))),
        ),
        (
            "twin-quote-signature",
            "The quote's signature is replaced by its twin; the identity must not change.",
            forged(_high_s_quote),
        ),
        (
            "twin-certificate-signature",
            "The PCK certificate's signature is replaced by its twin; the identity must stay.",
            forged(_high_s_leaf),
        ),
    ),
    *table(
        "not-authentic",
        ("quote-body-flipped", "One bit of the measured memory is flipped.", forged(_flip(_MRTD))),
        (
            "quote-signature-flipped",
            "One bit of the quote's signature is flipped.",
            forged(_flip(_SIGNATURE)),
        ),
        (
            "qe-report-flipped",
            "One bit of the quoting enclave's report is flipped.",
            forged(_flip(_QE_MRENCLAVE)),
        ),
        (
            "attestation-key-unvouched",
            "The quoting enclave vouches for another attestation key than the one that signed.",
            booted(Setup(enclave=QuotingEnclave(key_digest=bytes(32)))),
        ),
        (
            "pck-of-another-root",
            "The quote's certificates end in another root of the same name.",
            _pck_of_another_root,
        ),
        (
            "pck-of-another-platform",
            "The quote carries the PCK certificate of another machine of the same vendor.",
            _pck_of_another_platform,
        ),
        (
            "impostor-root",
            "A root that calls itself Intel SGX Root CA and is not Intel's vouches for everything.",
            _impostor,
        ),
        (
            "embedded-root-foreign",
            "The last certificate in the quote is another root than the one that signed.",
            _foreign_root,
        ),
        (
            "section-length-huge",
            "The quote claims a signature section of four gigabytes.",
            forged(_huge_section),
        ),
        ("quote-truncated", "The quote ends in the middle.", forged(lambda quote: quote[:2000])),
    ),
    *table(
        "not-allowed",
        (
            "simulator-of-another-machine",
            "Everything is in order, under the root of a simulator that the policy does not pin.",
            _stranger,
        ),
    ),
)
