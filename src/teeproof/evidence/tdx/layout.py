"""The parts that Intel's quote versions 4 and 5 share: header, TD report bodies, signature section.

Intel TDX DCAP Quoting Library API, appendix 3 ("Quote Format"); all integers are little-endian.
A view holds the bytes and reads a field when it is asked for, so parsing costs next to nothing.

Trusts: nothing; it only reads.  Does not trust: lengths and types in the bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from teeproof.core.errors import Malformed

__all__ = [
    "HEADER_BYTES",
    "TD10_BYTES",
    "TD15_BYTES",
    "Header",
    "SignatureSection",
    "TdReport10",
    "TdReport15",
    "malformed",
]

HEADER_BYTES = 48
TD10_BYTES = 584
TD15_BYTES = 648
QE_REPORT_BYTES = 384  # an SGX report body

ECDSA_P256 = 2  # attestation key type
TEE_TDX = 0x81
TEE_SGX = 0
INTEL_QE_VENDOR = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")

CERT_DATA_PCK_CHAIN = 5  # PEM: PCK leaf, intermediate, root
CERT_DATA_QE_REPORT = (
    6  # QE report, its signature, authentication data, then another certification data
)


class _View:
    """Read-only fields over bytes."""

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash(self.raw)


class Header(_View):
    """The 48 bytes that open every quote."""

    __slots__ = ()

    @property
    def version(self) -> int:
        """Quote version: 3, 4 or 5."""
        return int.from_bytes(self.raw[0:2], "little")

    @property
    def key_type(self) -> int:
        """Attestation key type: 2 is ECDSA over P-256, 3 ECDSA over P-384."""
        return int.from_bytes(self.raw[2:4], "little")

    @property
    def tee_type(self) -> int:
        """0 for SGX, 0x81 for TDX."""
        return int.from_bytes(self.raw[4:8], "little")

    @property
    def qe_vendor(self) -> bytes:
        """16 bytes: who made the quoting enclave."""
        return self.raw[12:28]

    @property
    def user_data(self) -> bytes:
        """20 bytes: the first 16 name the QE's platform; no verifier needs them."""
        return self.raw[28:48]


class TdReport10(_View):
    """A TD report as TDX 1.0 makes it: 584 bytes."""

    __slots__ = ()
    name = "TD report 1.0"

    @property
    def tee_tcb_svn(self) -> bytes:
        """16 security version numbers: [0] module SVN, [1] module version, then the loader's."""
        return self.raw[0:16]

    @property
    def mrseam(self) -> bytes:
        """48 bytes: measurement of the TDX module."""
        return self.raw[16:64]

    @property
    def mrsignerseam(self) -> bytes:
        """48 bytes: the TDX module's signer; all zero for Intel's own."""
        return self.raw[64:112]

    @property
    def seamattributes(self) -> bytes:
        """8 bytes: attributes of the TDX module; all zero in production."""
        return self.raw[112:120]

    @property
    def tdattributes(self) -> bytes:
        """8 bytes: attributes of the trust domain, such as debug."""
        return self.raw[120:128]

    @property
    def xfam(self) -> bytes:
        """8 bytes: processor features that the trust domain may use."""
        return self.raw[128:136]

    @property
    def mrtd(self) -> bytes:
        """48 bytes: measurement of the trust domain's initial memory."""
        return self.raw[136:184]

    @property
    def mrconfigid(self) -> bytes:
        """48 bytes: set by the host at start; dstack puts the application's configuration here."""
        return self.raw[184:232]

    @property
    def mrowner(self) -> bytes:
        """48 bytes: set by the host at start."""
        return self.raw[232:280]

    @property
    def mrownerconfig(self) -> bytes:
        """48 bytes: set by the host at start."""
        return self.raw[280:328]

    @property
    def rtmrs(self) -> tuple[bytes, bytes, bytes, bytes]:
        """RTMR0 to RTMR3, 48 bytes each: what was measured while the machine ran."""
        raw = self.raw
        return raw[328:376], raw[376:424], raw[424:472], raw[472:520]

    @property
    def report_data(self) -> bytes:
        """64 bytes chosen by the workload."""
        return self.raw[520:584]


class TdReport15(TdReport10):
    """A TD report as TDX 1.5 makes it: 648 bytes."""

    __slots__ = ()
    name = "TD report 1.5"

    @property
    def tee_tcb_svn2(self) -> bytes:
        """16 bytes: the TCB as of now, where ``tee_tcb_svn`` is the one at the domain's launch."""
        return self.raw[584:600]

    @property
    def mrservicetd(self) -> bytes:
        """48 bytes: the service TD (migration) bound to this domain; zero if none."""
        return self.raw[600:648]


@dataclass(frozen=True, slots=True)
class SignatureSection:
    """What follows the signed region: the signature, and how its key hangs on Intel's root.

    Attributes:
        quote_signature: 64 bytes, r then s, by the attestation key over the signed region.
        attestation_key: 64 bytes, x then y on P-256.
        qe_report: 384 bytes, the SGX report of the quoting enclave.
        qe_report_signature: 64 bytes by the PCK key over ``qe_report``.
        qe_auth_data: bytes that the QE hashes together with the attestation key.
        pck_chain: PEM, leaf first.
        endorsed: all of the above but ``quote_signature``, as one slice: two quotes of one
            platform share it, so what follows from it is computed once.
    """

    quote_signature: bytes
    attestation_key: bytes
    qe_report: bytes
    qe_report_signature: bytes
    qe_auth_data: bytes
    pck_chain: bytes
    endorsed: bytes

    @classmethod
    def parse(cls, raw: bytes) -> SignatureSection:
        """Return the section of a quote v4 or v5; every length must add up exactly."""
        # signature 64, key 64, outer type 2 and size 4, QE report 384, its signature 64, size 2
        if len(raw) < 584:
            raise malformed("signature section", "at least 584 bytes", f"{len(raw)} bytes")
        outer_type, outer_size = struct.unpack_from("<HI", raw, 128)
        if outer_type != CERT_DATA_QE_REPORT:
            raise malformed(
                "certification data", f"type {CERT_DATA_QE_REPORT}", f"type {outer_type}"
            )
        if outer_size != len(raw) - 134:
            raise malformed("certification data", f"{len(raw) - 134} bytes", f"{outer_size} bytes")
        (auth_size,) = struct.unpack_from("<H", raw, 582)
        inner = 584 + auth_size
        if inner + 6 > len(raw):
            raise malformed(
                "QE authentication data", f"at most {len(raw) - 590} bytes", f"{auth_size} bytes"
            )
        inner_type, inner_size = struct.unpack_from("<HI", raw, inner)
        if inner_type != CERT_DATA_PCK_CHAIN:
            raise malformed(
                "PCK certification data",
                f"type {CERT_DATA_PCK_CHAIN}, a PEM chain",
                f"type {inner_type}",
            )
        if inner_size != len(raw) - inner - 6:
            raise malformed("PCK chain", f"{len(raw) - inner - 6} bytes", f"{inner_size} bytes")
        return cls(
            quote_signature=raw[0:64],
            attestation_key=raw[64:128],
            qe_report=raw[134:518],
            qe_report_signature=raw[518:582],
            qe_auth_data=raw[584:inner],
            pck_chain=raw[inner + 6 :],
            endorsed=raw[64:],
        )


def malformed(what: str, expected: str, got: str) -> Malformed:
    """Return the error for a quote whose bytes do not add up."""
    return Malformed(
        f"the quote's {what} is malformed: expected {expected}, got {got}",
        code="quote_malformed",
        expected=expected,
        got=got,
    )
