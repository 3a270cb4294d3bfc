"""Take a Nitro document out of dstack's versioned attestation, version 0 (SCALE).

After the version and the platform stand the document, the runtime events (an enclave has none),
report_data and the configuration. Nothing of it is signed but the document, so the rest is only
walked over: it must be whole, and nothing may follow.

Source: dstack-attest, ``attestation.rs``; SCALE: parity-scale-codec. Read off real attestations.

Trusts: nothing; it only reads.  Does not trust: the host that hands it over.
"""

from __future__ import annotations

from teeproof.core.errors import Malformed, TooLarge

__all__ = ["MAX_CARRIER_BYTES", "is_carrier", "nitro_document"]

MAX_CARRIER_BYTES = 1 << 20  # real ones have 5 KB
_HEAD = b"\x00\x02"  # version 0, AttestationQuote: DstackNitroEnclave
_REPORT_DATA_BYTES = 64


def is_carrier(data: bytes) -> bool:
    """Whether this says that it is a versioned attestation of a Nitro enclave."""
    return data.startswith(_HEAD)


def nitro_document(data: bytes) -> bytes:
    """Return the attestation document inside.

    Raises:
        TooLarge: more than ``MAX_CARRIER_BYTES``.
        Malformed: another version or platform, runtime events, or a length that does not add up.
    """
    if len(data) > MAX_CARRIER_BYTES:
        raise TooLarge(
            "this is too large for an attestation of a Nitro enclave",
            expected=f"at most {MAX_CARRIER_BYTES} bytes",
            got=f"{len(data)} bytes",
        )
    try:
        if not is_carrier(data):
            raise ValueError("it is of another version or platform")
        document, at = _octets(data, len(_HEAD))
        events, at = _compact(data, at)
        if events:
            raise ValueError("it has runtime events, which no enclave measures")
        config, at = _octets(data, at + _REPORT_DATA_BYTES)
        config.decode()
        if at != len(data):
            raise ValueError(f"{len(data) - at} bytes behind the end")
    except ValueError as error:
        raise Malformed(
            f"this is not a dstack attestation of a Nitro enclave: {error}",
            code="attestation_malformed",
            got=str(error)[:200],
        ) from None
    return document


def _octets(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _compact(data, at)
    if size > len(data) - at:
        raise ValueError(f"{size} bytes are announced, {max(0, len(data) - at)} are left")
    return data[at : at + size], at + size


def _compact(data: bytes, at: int) -> tuple[int, int]:
    """Return a number in SCALE's compact form, below 1 GiB, and where it ends."""
    mode = data[at] & 3 if at < len(data) else 3
    width = (1, 2, 4, 0)[mode]
    if not width or width > len(data) - at:
        raise ValueError("it ends early, or has a length of more than 1 GiB")
    value = int.from_bytes(data[at : at + width], "little") >> 2
    if mode and value < (1 << 6 if mode == 1 else 1 << 14):
        raise ValueError("a length in more bytes than it needs")
    return value, at + width
