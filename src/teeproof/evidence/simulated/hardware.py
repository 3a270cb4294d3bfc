"""What a simulated machine is made of: processor, quoting enclave, trust domain.

Every value is made up and says so: the FMSPC spells ``SIM``, and every measurement is the digest of
a sentence that begins with SIMULATED. The defaults describe a machine with nothing wrong.

Trusts: nothing; it only describes.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from teeproof.core.digests import sha256, sha384

__all__ = ["Domain", "Processor", "QuotingEnclave", "measurement", "patched"]

FMSPC = b"SIM\0\0\0"


def measurement(what: str) -> bytes:
    """Return a made-up 48-byte measurement of something."""
    return sha384(f"SIMULATED {what}".encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """What Intel wrote into the PCK certificate.

    Attributes:
        name: tells one machine from another; its keys and its PPID follow from it.
        fmspc: 6 bytes, the platform family.
        pce_id: 2 bytes.
        cpu_svn: 16 security version numbers; the first is the rung of the TCB ladder
            (see ``collateral.LADDER``).
        pce_svn: version of the provisioning enclave.
        dynamic: whether packages may be added to the platform.
        cached_keys: whether Intel keeps the platform's keys.
        smt: whether simultaneous multithreading is on.
    """

    name: str = "machine 1"
    fmspc: bytes = FMSPC
    pce_id: bytes = bytes(2)
    cpu_svn: bytes = bytes([10, 3, 2, 2, 4, 1, 0, 5]) + bytes(8)
    pce_svn: int = 11
    dynamic: bool = False
    cached_keys: bool = False
    smt: bool = False

    @property
    def ppid(self) -> bytes:
        """16 bytes that name the machine."""
        return sha256(b"SIMULATED PPID ", self.name.encode())[:16]

    @property
    def platform_instance_id(self) -> bytes:
        """16 bytes that name the platform's current set of packages."""
        return sha256(b"SIMULATED platform instance ", self.name.encode())[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotingEnclave:
    """The SGX enclave that turns TD reports into quotes.

    Attributes:
        mrsigner: 32 bytes, who signed the enclave.
        isvprodid: product id; Intel's TD quoting enclave is 2.
        isvsvn: security version.
        attributes: 16 bytes: flags (0x01 initialised, 0x02 debug, 0x04 64-bit), then XFRM.
        miscselect: 4 bytes.
        key_digest: what its report says instead of the attestation key's digest, if it lies.
        vendor: 16 bytes in the quote header; Intel's by default, as every verifier demands it.
    """

    mrsigner: bytes = sha256(b"SIMULATED TD quoting enclave signer")
    isvprodid: int = 2
    isvsvn: int = 6
    attributes: bytes = bytes([0x15, 0, 0, 0, 0, 0, 0, 0, 0xE7, 0, 0, 0, 0, 0, 0, 0])
    miscselect: bytes = bytes(4)
    key_digest: bytes | None = None
    vendor: bytes = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """A trust domain as the TDX module reports it; RTMRs and MRCONFIGID come from the guest.

    Attributes:
        tee_tcb_svn: 16 version numbers at launch: module SVN, module version, late microcode.
        tee_tcb_svn2: the same as of now; only TDX 1.5 reports it.
        mrseam: 48 bytes, the TDX module.
        mrsignerseam: 48 bytes; zero for Intel's own module.
        seamattributes: 8 bytes; zero in production.
        tdattributes: 8 bytes, a little-endian bit field; bit 28 is SEPT_VE_DISABLE.
        xfam: 8 bytes.
        mrtd: 48 bytes, the initial memory.
        mrowner: 48 bytes.
        mrownerconfig: 48 bytes.
        mrservicetd: 48 bytes; zero unless a service TD is bound. Only TDX 1.5 reports it.
    """

    tee_tcb_svn: bytes = bytes([6, 1, 3]) + bytes(13)
    tee_tcb_svn2: bytes = bytes([6, 1, 3]) + bytes(13)
    mrseam: bytes = measurement("TDX module 1.5")
    mrsignerseam: bytes = bytes(48)
    seamattributes: bytes = bytes(8)
    tdattributes: bytes = (1 << 28).to_bytes(8, "little")
    xfam: bytes = bytes.fromhex("e702060000000000")
    mrtd: bytes = measurement("firmware OVMF")
    mrowner: bytes = bytes(48)
    mrownerconfig: bytes = bytes(48)
    mrservicetd: bytes = bytes(48)


def patched(svn: int, *, pce_svn: int = 11) -> Processor:
    """Return a processor that stands on this rung of the TCB ladder."""
    honest = Processor()
    return replace(honest, cpu_svn=bytes([svn]) + honest.cpu_svn[1:], pce_svn=pce_svn)
