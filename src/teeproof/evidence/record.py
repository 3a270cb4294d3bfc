"""Evidence as it is collected, handed over and verified: a quote and what explains it.

The quote is signed, and so are the reports of GPUs and what vendors say. Everything else (event
log, compose file, key document) is believed as far as digests tie it to the quote, and no further.

Trusts: nothing; it only carries.  Does not trust: host, network.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from teeproof.evidence.endorsements import Collateral

__all__ = ["MAX_COMPOSE_BYTES", "MAX_EVENT_LOG_BYTES", "Evidence", "Platform"]

MAX_EVENT_LOG_BYTES = 1 << 20  # a dstack guest writes some 10 KiB
MAX_COMPOSE_BYTES = 1 << 20


class Platform(NamedTuple):
    """Which endorsements a machine needs.

    Attributes:
        tee: ``TDX`` or ``SGX``.
        fmspc: processor family, 12 hex digits.
        ca: which of Intel's CAs certified it: ``platform`` or ``processor``.
        root: fingerprint (``sha256:…``) of the root that its certificates end in.
    """

    tee: str
    fmspc: str
    ca: str
    root: str


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What one machine says of itself.

    Attributes:
        quote: the bytes of the quote, or of the SEV-SNP report, or of the GPUs' evidence where no
            machine's came along.
        event_log: JSON bytes of a dstack event log, if there is one.
        compose: the exact bytes of app-compose.json, if given.
        mr_config: the exact bytes of the MrConfigV3 document, if given.
        certificate: the RA-TLS certificate (DER) that carried the quote, if one did; the verifier
            checks that the quote names its key.
        certificates: PEM certificates and revocation lists of the machine's vendor that came along
            beside a report that carries none itself, in any order.
        gpus: the evidence of NVIDIA GPUs and switches (JSON) that came with a machine's quote.
        manifests: NVIDIA's manifests (RIMs), XML or the RIM service's JSON answer, in any order.
        ocsp: archived OCSP answers (DER) about NVIDIA's certificates, in any order.
        keyset_digest: ``sha256:…`` of the keyset of the key document that came along, if one did;
            the verifier checks that the quote commits to it.
        nonce: what went into the binding beside that keyset, as whoever handed over the evidence
            says. Nobody signed it: it makes the check possible, and shows no freshness.
        firmware_log: the log of firmware and boot loader (TCG's form, or CCEL), if given.
        tpm: the evidence of a TPM that came beside a machine's quote (JSON).
        platform_key: of Arm CCA, the platform's public key (JSON Web Key) as its endorser gives it.
        collateral: endorsements that came along; the verifier checks them like any other.
        name: what to call it in messages, such as a file name.
    """

    quote: bytes
    event_log: bytes | None = None
    compose: bytes | None = None
    mr_config: bytes | None = None
    certificate: bytes | None = None
    certificates: bytes | None = None
    gpus: bytes | None = None
    manifests: tuple[bytes, ...] = ()
    ocsp: tuple[bytes, ...] = ()
    keyset_digest: str | None = None
    nonce: str | None = None
    firmware_log: bytes | None = None
    tpm: bytes | None = None
    platform_key: bytes | None = None
    collateral: Collateral | None = None
    name: str = "evidence"
