"""The SGX extension of a PCK certificate, in the DER that Intel writes.

Intel SGX PCK Certificate and CRL Profile Specification, revision 1.5, section 2.3.5.

Trusts: nothing; it only encodes.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from cryptography.x509 import ObjectIdentifier

from teeproof.evidence.simulated.hardware import Processor

__all__ = ["SGX_EXTENSION_OID", "sgx_extension"]

SGX_EXTENSION_OID = ObjectIdentifier("1.2.840.113741.1.13.1")

_OID_PREFIX = bytes.fromhex("2a864886f84d010d01")  # 1.2.840.113741.1.13.1
_SGX_TYPE_SCALABLE = 1  # SGX without integrity tree, as every TDX machine has it


def sgx_extension(processor: Processor) -> bytes:
    """Return the extension's value for this processor."""
    return _sequence(
        _entry([1], _octets(processor.ppid)),
        _entry([2], _tcb(processor)),
        _entry([3], _octets(processor.pce_id)),
        _entry([4], _octets(processor.fmspc)),
        _entry([5], _element(0x0A, bytes([_SGX_TYPE_SCALABLE]))),
        _entry([6], _octets(processor.platform_instance_id)),
        _entry([7], _configuration(processor)),
    )


def _tcb(processor: Processor) -> bytes:
    components = [_entry([2, i], _integer(svn)) for i, svn in enumerate(processor.cpu_svn, start=1)]
    pce_svn = _entry([2, 17], _integer(processor.pce_svn))
    return _sequence(*components, pce_svn, _entry([2, 18], _octets(processor.cpu_svn)))


def _configuration(processor: Processor) -> bytes:
    flags = (processor.dynamic, processor.cached_keys, processor.smt)
    return _sequence(*(_entry([7, i], _boolean(flag)) for i, flag in enumerate(flags, start=1)))


def _entry(arcs: list[int], value: bytes) -> bytes:
    return _sequence(_element(0x06, _OID_PREFIX + bytes(arcs)), value)


def _integer(value: int) -> bytes:
    # One more bit than the value has: DER integers are signed.
    return _element(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _boolean(value: bool) -> bytes:
    return _element(0x01, b"\xff" if value else b"\x00")


def _octets(value: bytes) -> bytes:
    return _element(0x04, value)


def _sequence(*parts: bytes) -> bytes:
    return _element(0x30, b"".join(parts))


def _element(tag: int, value: bytes) -> bytes:
    size = len(value)
    if size < 0x80:
        return bytes([tag, size]) + value
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + value
