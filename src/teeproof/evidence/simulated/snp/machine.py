"""A simulated SEV-SNP machine: it launches a guest, reports, and hands over evidence.

Trusts: whoever holds the seed.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from teeproof.core.digests import sha256, sha384
from teeproof.evidence.der import armoured
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.snp.pki import Chip, SnpPki, Veked

__all__ = ["POLICY", "SnpGuest", "SnpMachine", "write_body", "write_report"]

POLICY = 0x3_0000  # bit 17 must be one; bit 16 allows two threads on a core
DEBUG, MIGRATE_MA, SINGLE_SOCKET = 1 << 19, 1 << 18, 1 << 20
_ECDSA = ec.ECDSA(hashes.SHA384(), deterministic_signing=True)  # RFC 6979
_TURIN = "Turin"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnpGuest:
    """A guest as firmware reports it, and what the platform says of itself.

    Attributes:
        version: of the report.
        policy: 8 bytes as a number: what the host may do with the guest.
        vmpl: privilege level of whoever asks.
        guest_svn: version of the guest.
        platform_info: 8 bytes as a number: ECC memory by default.
        author_key: whether an author certified the ID key.
        signing_key: 0 for VCEK, 1 for VLEK; what the report says.
        masked: whether the chip's id is hidden.
        migration_agent: 32 bytes; all ones without one.
        reported_tcb: eight bytes, if they are not the chip's.
        reserved: bytes from 0x208 on, for firmware that is newer than its specification.
    """

    version: int = 3
    policy: int = POLICY
    vmpl: int = 0
    guest_svn: int = 2
    platform_info: int = 0b100100
    author_key: bool = True
    signing_key: int = 0
    masked: bool = False
    migration_agent: bytes = b"\xff" * 32
    reported_tcb: bytes | None = None
    reserved: bytes = b""


class SnpMachine:
    """One machine of a simulated AMD, with a guest.

    Args:
        pki: the vendor.
        chip: the processor.
        guest: what runs on it.
    """

    def __init__(
        self, pki: SnpPki, *, chip: Chip | None = None, guest: SnpGuest | None = None
    ) -> None:
        self.pki = pki
        self.chip = chip or Chip()
        self.guest = guest or SnpGuest()

    @property
    def key(self) -> Veked:
        """The key that signs: the chip's own, or the cloud's."""
        lent = self.guest.signing_key == 1
        return self.pki.vlek(self.chip) if lent else self.pki.vcek(self.chip)

    def report(self, report_data: bytes) -> bytes:
        """Return a report over 64 bytes."""
        return write_report(write_body(self.chip, self.guest, report_data), self.key.key)

    def evidence(
        self,
        report_data: bytes,
        *,
        chain: tuple[bytes, ...] | None = None,
        crl: bytes | None = None,
    ) -> Evidence:
        """Return a report, its certificates, and a revocation list if there is one."""
        ders = [*(self.key.chain if chain is None else chain), *([crl] if crl else [])]
        return Evidence(
            quote=self.report(report_data),
            certificates=b"".join(map(armoured, ders)) or None,
            name=f"simulated {self.chip.name}",
        )


def write_body(chip: Chip, guest: SnpGuest, report_data: bytes) -> bytes:
    """Return the 672 bytes that are signed (AMD 56860, ATTESTATION_REPORT)."""
    body = bytearray(0x2A0)

    def put(at: int, value: bytes) -> None:
        body[at : at + len(value)] = value

    def number(at: int, value: int, size: int) -> None:
        put(at, value.to_bytes(size, "little"))

    number(0x00, guest.version, 4)
    number(0x04, guest.guest_svn, 4)
    number(0x08, guest.policy, 8)
    put(0x10, _made_up("family", 16))
    put(0x20, _made_up("image", 16))
    number(0x30, guest.vmpl, 4)
    number(0x34, 1, 4)
    number(0x40, guest.platform_info, 8)
    number(0x48, guest.signing_key << 2 | guest.author_key, 4)
    put(0x50, report_data)
    put(0x90, sha384(b"SIMULATED SEV-SNP guest"))
    put(0xC0, _made_up("host data", 32))
    put(0xE0, sha384(b"SIMULATED ID key"))
    put(0x110, sha384(b"SIMULATED author key"))
    put(0x140, sha256(b"SIMULATED report id ", report_data))
    put(0x160, guest.migration_agent)
    put(0x180, guest.reported_tcb or chip.tcb)
    if guest.version >= 3:
        put(0x188, bytes(chip.cpuid))
    if not guest.masked:
        put(0x1A0, chip.hwid)
    for at in (0x38, 0x1E0, 0x1F0):
        put(at, chip.tcb)
    for at in (0x1E8, 0x1EC):
        put(at, bytes([29, 55, 1]))
    if guest.version >= 5:
        number(0x1F8, 1, 8)
        number(0x200, 1, 8)
    put(0x208, guest.reserved)
    return bytes(body)


def write_report(body: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return body and signature: r and s, 72 bytes each, then zeros."""
    r, s = decode_dss_signature(key.sign(body, _ECDSA))
    return body + r.to_bytes(72, "little") + s.to_bytes(72, "little") + bytes(368)


def _made_up(what: str, size: int) -> bytes:
    return sha256(f"SIMULATED {what}".encode())[:size]
