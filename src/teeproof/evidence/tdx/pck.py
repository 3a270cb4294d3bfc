"""Read Intel's SGX extension of a PCK certificate: which platform it is and how well patched.

Intel SGX PCK Certificate and Certificate Revocation List Profile Specification, 1.3.5
(OID 1.2.840.113741.1.13.1).

Trusts: nothing; the certificate is verified elsewhere.  Does not trust: the extension's form.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed
from teeproof.evidence import der
from teeproof.evidence.x509 import Certificate

__all__ = ["PckExtension", "parse_pck"]

_ARC = der.encode_oid("1.2.840.113741.1.13.1")

_PPID, _TCB, _PCEID, _FMSPC, _TYPE, _INSTANCE, _CONFIGURATION = range(1, 8)
_PCESVN, _CPUSVN = 17, 18


@dataclass(frozen=True, slots=True)
class PckExtension:
    """What Intel says of the platform that holds the certified key.

    Attributes:
        ppid: 16 bytes that name the platform for ever. Do not publish them.
        cpu_svn: 16 bytes, the CPU's security version in Intel's encoding.
        components: the 16 TCB component SVNs that TCB levels are compared with.
        pce_svn: security version of the provisioning enclave.
        pce_id: 2 bytes.
        fmspc: 6 bytes: family, model, stepping, platform, custom SKU.
        sgx_type: 0 standard, 1 scalable, 2 scalable with integrity.
        instance_id: 16 bytes for multi-package platforms, else None.
        dynamic_platform: whether packages can be added; None if the certificate does not say.
        cached_keys: whether Intel caches the platform's root keys; None likewise.
        smt: whether simultaneous multithreading is on; None likewise.
    """

    ppid: bytes
    cpu_svn: bytes
    components: tuple[int, ...]
    pce_svn: int
    pce_id: bytes
    fmspc: bytes
    sgx_type: int
    instance_id: bytes | None
    dynamic_platform: bool | None
    cached_keys: bool | None
    smt: bool | None

    @property
    def platform_id(self) -> str:
        """``sha256:…`` of the PPID, dstack's device_id: names the platform, not the PPID."""
        return named(sha256(self.ppid))


def parse_pck(certificate: Certificate) -> PckExtension:
    """Return the SGX extension of a PCK certificate.

    Raises:
        Malformed: the certificate has none, or its DER is wrong.
    """
    try:
        return _parse(certificate.extensions[_ARC])
    except (ValueError, KeyError, IndexError) as error:
        raise Malformed(
            "the PCK certificate has no readable SGX extension",
            code="pck_extension_malformed",
            got=str(error)[:200],
        ) from None


@lru_cache(maxsize=256)
def _parse(value: bytes) -> PckExtension:
    fields = _numbered(der.only(value, der.SEQUENCE), _ARC)
    tcb = _numbered(_typed(fields[_TCB], der.SEQUENCE), _ARC + bytes([_TCB]))
    configuration = _numbered(
        _typed(fields[_CONFIGURATION], der.SEQUENCE) if _CONFIGURATION in fields else b"",
        _ARC + bytes([_CONFIGURATION]),
    )
    return PckExtension(
        ppid=_octets(fields[_PPID], 16),
        cpu_svn=_octets(tcb[_CPUSVN], 16),
        components=tuple(_integer(tcb[index], 255) for index in range(1, 17)),
        pce_svn=_integer(tcb[_PCESVN], 65535),
        pce_id=_octets(fields[_PCEID], 2),
        fmspc=_octets(fields[_FMSPC], 6),
        sgx_type=_integer(fields[_TYPE], 255, tag=der.ENUMERATED),
        instance_id=_octets(fields[_INSTANCE], 16) if _INSTANCE in fields else None,
        dynamic_platform=_boolean(configuration.get(1)),
        cached_keys=_boolean(configuration.get(2)),
        smt=_boolean(configuration.get(3)),
    )


def clear_caches() -> None:
    """Forget every parsed extension (for measurements of cold runs)."""
    _parse.cache_clear()


def _numbered(data: bytes, arc: bytes) -> dict[int, tuple[int, bytes]]:
    """Return {last arc: (tag, value)} of a sequence of (OID under ``arc``, value) pairs."""
    found: dict[int, tuple[int, bytes]] = {}
    size = len(arc) + 1
    opening = bytes((der.OID, size)) + arc
    for tag, pair in der.elements(data):
        # Each pair is OID and value; the OID differs in its last arc alone.
        if tag != der.SEQUENCE or not pair.startswith(opening) or len(pair) < size + 2:
            raise ValueError("expected pairs of OID and value")
        if pair[size + 1] in found:
            raise ValueError("expected each OID once")
        found[pair[size + 1]] = _single(pair[size + 2 :])
    return found


def _single(value: bytes) -> tuple[int, bytes]:
    if len(value) >= 2 and value[1] < 0x80 and len(value) == 2 + value[1]:
        return value[0], value[2:]
    found = der.elements(value)
    if len(found) != 1:
        raise ValueError("expected one value for each OID")
    return found[0]


def _typed(element: tuple[int, bytes], tag: int) -> bytes:
    if element[0] != tag:
        raise ValueError(f"expected tag {tag:#04x}, got {element[0]:#04x}")
    return element[1]


def _octets(element: tuple[int, bytes], size: int) -> bytes:
    value = _typed(element, der.OCTETS)
    if len(value) != size:
        raise ValueError(f"expected {size} bytes, got {len(value)}")
    return value


def _integer(element: tuple[int, bytes], limit: int, *, tag: int = der.INTEGER) -> int:
    digits = _typed(element, tag)
    if not digits or (len(digits) > 1 and digits[0] == 0 and digits[1] < 0x80):
        raise ValueError("expected a number in its shortest form")  # X.690, 8.3.2
    value = int.from_bytes(digits, "big", signed=True)
    if not 0 <= value <= limit:
        raise ValueError(f"expected a number from 0 to {limit}")
    return value


def _boolean(element: tuple[int, bytes] | None) -> bool | None:
    if element is None:
        return None
    value = _typed(element, der.BOOLEAN)
    if value not in (b"\x00", b"\xff"):  # X.690, 11.1
        raise ValueError("expected a boolean")
    return value == b"\xff"
