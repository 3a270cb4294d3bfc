"""Parse an attestation report: an SPDM request and its signed response, with every length checked.

DMTF DSP0274 1.1.0: GET_MEASUREMENTS (10.11.1, 37 bytes with nonce and slot), MEASUREMENTS (10.11.2)
and its measurement blocks. Inside the response's opaque data NVIDIA writes type-length-value fields
of its own, which say driver, VBIOS, board and mode. All integers are little-endian. The device
signs request and response together, so nothing in a report is outside the signature.

Trusts: nothing; it only reads.  Does not trust: lengths, counts and texts in the bytes.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from teeproof.core.errors import Malformed, TooLarge

__all__ = ["MAX_REPORT_BYTES", "Report", "parse"]

MAX_REPORT_BYTES = 16 << 10  # real ones have some 4 KB
REQUEST_BYTES = 37
SIGNATURE_BYTES = 96  # r then s, P-384
DIGEST_BYTES = 48  # SHA-384

_REQUEST = bytes((0x11, 0xE0))  # SPDM 1.1, GET_MEASUREMENTS
_RESPONSE = bytes((0x11, 0x60))  # SPDM 1.1, MEASUREMENTS
_SIGNED, _ALL = 0x01, 0xFF  # the request's parameters: with a signature, every measurement
_DMTF = 0x01  # the only specification of a measurement block

# NVIDIA's fields inside the opaque data. Source: NVIDIA/nvtrust, local verifier.
DRIVER_VERSION, VBIOS_VERSION, NVDEC0_STATUS = 3, 6, 11
CHIP_SKU, PROJECT, PROJECT_SKU, FWID = 15, 17, 18, 20
CHIP_INFO, FEATURE_FLAG = 35, 36
FEATURES = {0: "SPT", 1: "MPT", 2: "PPCIE"}  # single and multi-GPU passthrough, protected PCIe
_NVDEC0_DISABLED = 0x55

_TEXT = re.compile(rb"[A-Za-z0-9._-]{1,32}")


@dataclass(frozen=True, slots=True)
class Report:
    """One device's report.

    Attributes:
        raw: the bytes as they came.
        signed: the bytes that the device signed: request, and response but for the signature.
        signature: 96 bytes, r then s.
        nonce: 32 bytes that the requester chose.
        measurements: index of a DMTF block (from 1 on) -> 48 bytes.
        opaque: NVIDIA's fields by number.
    """

    raw: bytes
    signed: bytes
    signature: bytes
    nonce: bytes
    measurements: dict[int, bytes]
    opaque: dict[int, bytes]

    @property
    def driver(self) -> str | None:
        """Version of the driver, such as ``550.144.03``; a switch has none."""
        return self._text(DRIVER_VERSION)

    @property
    def vbios(self) -> str | None:
        """Version of the VBIOS, such as ``96.00.5E.00.01``; of a switch, of its firmware."""
        raw = self.opaque.get(VBIOS_VERSION)
        if raw is None or len(raw) != 8:
            return self._text(VBIOS_VERSION)
        low, high = raw[3::-1], raw[4:5]
        return ".".join(f"{byte:02X}" for byte in low + high)

    @property
    def board(self) -> tuple[str, str, str] | None:
        """Project, project SKU and chip SKU: what a VBIOS is made for."""
        project, sku, chip = map(self._text, (PROJECT, PROJECT_SKU, CHIP_SKU))
        return (project, sku, chip) if project and sku and chip else None

    @property
    def chip_info(self) -> str | None:
        """The chip's name as newer reports give it, such as ``GB100``."""
        return self._text(CHIP_INFO)

    @property
    def fwid(self) -> bytes | None:
        """48 bytes: digest of the firmware that made the report, as the report gives it."""
        return self.opaque.get(FWID)

    @property
    def feature(self) -> str | None:
        """How the device is used: SPT, MPT or PPCIE; older reports do not say."""
        raw = self.opaque.get(FEATURE_FLAG)
        if raw is None:
            return None
        value = int.from_bytes(raw, "little")
        return FEATURES.get(value, f"unknown ({value})")

    @property
    def nvdec0_disabled(self) -> bool:
        """Whether the first video decoder is off, so that its firmware is not measured."""
        return self.opaque.get(NVDEC0_STATUS) == bytes([_NVDEC0_DISABLED])

    def _text(self, field: int) -> str | None:
        value = self.opaque.get(field, b"").rstrip(b"\0")
        return value.decode() if value else None


def parse(raw: bytes) -> Report:
    """Return the report in ``raw``.

    Raises:
        TooLarge: more than ``MAX_REPORT_BYTES``.
        Malformed: not such a report, or a length that does not add up to the last byte.
    """
    if len(raw) > MAX_REPORT_BYTES:
        raise TooLarge(
            "this is too large for a GPU's report",
            expected=f"at most {MAX_REPORT_BYTES} bytes",
            got=f"{len(raw)} bytes",
        )
    least = REQUEST_BYTES + 8 + 32 + 2 + SIGNATURE_BYTES
    if len(raw) < least:
        raise _malformed("length", f"at least {least} bytes", f"{len(raw)} bytes")
    _check_heads(raw)
    count, size = raw[41], int.from_bytes(raw[42:45], "little")
    end = 45 + size
    if end + 34 + SIGNATURE_BYTES > len(raw):
        raise _malformed("measurement record", f"at most {len(raw)} bytes", f"{size} bytes")
    (opaque_size,) = struct.unpack_from("<H", raw, end + 32)
    signed_end = end + 34 + opaque_size
    if signed_end + SIGNATURE_BYTES != len(raw):
        raise _malformed(
            "length", f"{signed_end + SIGNATURE_BYTES} bytes by its parts", f"{len(raw)} bytes"
        )
    report = Report(
        raw=raw,
        signed=raw[:signed_end],
        signature=raw[signed_end:],
        nonce=raw[4:36],
        measurements=_measurements(raw[45:end], count),
        opaque=_fields(raw[end + 34 : signed_end]),
    )
    _check_fields(report.opaque)
    return report


def _check_heads(raw: bytes) -> None:
    if raw[:2] != _REQUEST or not raw[2] & _SIGNED or raw[3] != _ALL:
        raise _malformed(
            "request",
            "SPDM 1.1 GET_MEASUREMENTS of all measurements, signed (11e001ff)",
            raw[:4].hex(),
        )
    if raw[37:39] != _RESPONSE:
        raise _malformed("response", "SPDM 1.1 MEASUREMENTS (1160)", raw[37:39].hex())


def _measurements(record: bytes, count: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(record):
        if at + 7 > len(record):
            raise _malformed("measurement block", "7 bytes of head", f"{len(record) - at} bytes")
        index, kind, size, _, value_size = struct.unpack_from("<BBHBH", record, at)
        value = record[at + 7 : at + 7 + value_size]
        if kind != _DMTF or size != value_size + 3 or len(value) != value_size:
            raise _malformed(
                f"measurement block {index}",
                "a DMTF block whose sizes agree",
                f"kind {kind}, sizes {size} and {value_size}",
            )
        if value_size != DIGEST_BYTES:
            raise _malformed(
                f"measurement block {index}", f"{DIGEST_BYTES} bytes", f"{value_size} bytes"
            )
        if index == 0 or index in found:
            raise _malformed("measurement block", "each index once, from 1 on", f"{index} again")
        found[index] = value
        at += 7 + value_size
    if len(found) != count or not found:
        raise _malformed("number of measurements", f"{count}", f"{len(found)}")
    return found


def _fields(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        if at + 4 > len(data):
            raise _malformed("opaque data", "4 bytes of head", f"{len(data) - at} bytes")
        field, size = struct.unpack_from("<HH", data, at)
        at += 4
        if at + size > len(data):
            raise _malformed(f"field {field}", f"at most {len(data) - at} bytes", f"{size} bytes")
        if field in found:
            raise _malformed("opaque data", "each field once", f"field {field} twice")
        found[field] = data[at : at + size]
        at += size
    return found


def _check_fields(opaque: dict[int, bytes]) -> None:
    """Check the fields that are read later, so that reading them cannot fail."""
    texts = [DRIVER_VERSION, CHIP_SKU, PROJECT, PROJECT_SKU, CHIP_INFO]
    if len(opaque.get(VBIOS_VERSION, b"")) != 8:
        texts.append(VBIOS_VERSION)
    for field in texts:
        value = opaque.get(field, b"").rstrip(b"\0")
        if value and not _TEXT.fullmatch(value):
            raise _malformed(
                f"field {field}", "letters, digits, '.', '_' and '-'", value[:32].hex()
            )
    if len(opaque.get(FEATURE_FLAG, b"")) > 8:
        raise _malformed("feature flag", "at most 8 bytes", f"{len(opaque[FEATURE_FLAG])} bytes")
    if len(opaque.get(FWID, bytes(DIGEST_BYTES))) != DIGEST_BYTES:
        raise _malformed("firmware id", f"{DIGEST_BYTES} bytes", f"{len(opaque[FWID])} bytes")


def _malformed(what: str, expected: str, got: str) -> Malformed:
    return Malformed(
        f"the GPU report's {what} is malformed: expected {expected}, got {got}",
        code="gpu_report_malformed",
        expected=expected,
        got=got,
    )
