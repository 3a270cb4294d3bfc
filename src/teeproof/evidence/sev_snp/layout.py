"""The fields of an SEV-SNP attestation report, 1184 bytes, as firmware writes them.

Source: AMD 56860 (SEV Secure Nested Paging Firmware ABI), table "ATTESTATION_REPORT"; all integers
are little-endian. A view holds the bytes and reads a field when it is asked for.

Trusts: nothing; it only reads.  Does not trust: what any field says.
"""

from __future__ import annotations

from teeproof.evidence.sev_snp.tcb import Product, Tcb, product_of_cpuid

__all__ = [
    "BODY_BYTES",
    "GUEST_POLICY",
    "KEY_INFO",
    "PLATFORM_INFO",
    "REPORT_BYTES",
    "ReportBody",
    "named_bits",
]

REPORT_BYTES = 0x4A0
BODY_BYTES = 0x2A0  # what is signed; the rest is the signature

# Table "Guest Policy". Bits 0-15 are the least firmware version, bit 17 must be one.
GUEST_POLICY = {
    16: "SMT",
    18: "MIGRATE_MA",
    19: "DEBUG",
    20: "SINGLE_SOCKET",
    21: "CXL_ALLOW",
    22: "MEM_AES_256_XTS",
    23: "RAPL_DIS",
    24: "CIPHERTEXT_HIDING_DRAM",
    25: "PAGE_SWAP_DISABLE",
}
_POLICY_KNOWN = 0x0002_FFFF | sum(1 << bit for bit in GUEST_POLICY)
_POLICY_ONE = 1 << 17

# Table "PLATFORM_INFO".
PLATFORM_INFO = {
    0: "SMT_EN",
    1: "TSME_EN",
    2: "ECC_EN",
    3: "RAPL_DIS",
    4: "CIPHERTEXT_HIDING_DRAM_EN",
    5: "ALIAS_CHECK_COMPLETE",
    7: "TIO_EN",
}
_PLATFORM_KNOWN = sum(1 << bit for bit in PLATFORM_INFO)

# The word at 0x48: bit 0, bit 1, and in bits 2-4 the key that signed.
KEY_INFO = {0: "AUTHOR_KEY_EN", 1: "MASK_CHIP_KEY"}
_KEY_KNOWN = 0x1F


class ReportBody:
    """The 672 signed bytes of a report."""

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def _number(self, at: int, size: int) -> int:
        return int.from_bytes(self.raw[at : at + size], "little")

    @property
    def version(self) -> int:
        """Version of the report's format: 2 to 5."""
        return self._number(0x00, 4)

    @property
    def guest_svn(self) -> int:
        """Security version of the guest, as its ID block says; 0 without one."""
        return self._number(0x04, 4)

    @property
    def policy(self) -> int:
        """8 bytes: what the host may do with the guest; fixed at launch."""
        return self._number(0x08, 8)

    @property
    def family_id(self) -> bytes:
        """16 bytes of the ID block."""
        return self.raw[0x10:0x20]

    @property
    def image_id(self) -> bytes:
        """16 bytes of the ID block."""
        return self.raw[0x20:0x30]

    @property
    def vmpl(self) -> int:
        """Privilege level of whoever in the guest asked for the report; 0 is the highest."""
        return self._number(0x30, 4)

    @property
    def signature_algorithm(self) -> int:
        """1 is ECDSA over P-384 with SHA-384."""
        return self._number(0x34, 4)

    @property
    def platform_info(self) -> int:
        """8 bytes: how the platform is set up."""
        return self._number(0x40, 8)

    @property
    def key_info(self) -> int:
        """4 bytes: which key signed, and what is masked."""
        return self._number(0x48, 4)

    @property
    def signing_key(self) -> int:
        """0 is the chip's own key (VCEK), 1 one that a cloud was lent (VLEK), 7 none."""
        return self.key_info >> 2 & 7

    @property
    def report_data(self) -> bytes:
        """64 bytes chosen by the guest."""
        return self.raw[0x50:0x90]

    @property
    def measurement(self) -> bytes:
        """48 bytes: digest of the guest's initial memory and registers."""
        return self.raw[0x90:0xC0]

    @property
    def host_data(self) -> bytes:
        """32 bytes chosen by the host at launch; the guest cannot change them."""
        return self.raw[0xC0:0xE0]

    @property
    def id_key_digest(self) -> bytes:
        """48 bytes: SHA-384 of the key that signed the guest's ID block; zero without one."""
        return self.raw[0xE0:0x110]

    @property
    def author_key_digest(self) -> bytes:
        """48 bytes: SHA-384 of the key that certified the ID key; zero without one."""
        return self.raw[0x110:0x140]

    @property
    def report_id(self) -> bytes:
        """32 bytes that name the running guest."""
        return self.raw[0x140:0x160]

    @property
    def report_id_ma(self) -> bytes:
        """32 bytes that name its migration agent; all ones if it has none."""
        return self.raw[0x160:0x180]

    @property
    def cpuid(self) -> tuple[int, int, int] | None:
        """Family, model and stepping; None before version 3."""
        return (self.raw[0x188], self.raw[0x189], self.raw[0x18A]) if self.version >= 3 else None

    @property
    def product(self) -> Product | None:
        """The product by CPUID; None before version 3, and if it is unknown."""
        return product_of_cpuid(*self.cpuid[:2]) if self.cpuid else None

    @property
    def chip_id(self) -> bytes:
        """64 bytes that name the chip for ever; zero if the host masked them."""
        return self.raw[0x1A0:0x1E0]

    def tcb(self, which: str, product: Product) -> Tcb:
        """Return a TCB version: ``current``, ``reported``, ``committed`` or ``launch``."""
        at = {"current": 0x38, "reported": 0x180, "committed": 0x1E0, "launch": 0x1F0}[which]
        return Tcb(self.raw[at : at + 8], product)

    @property
    def firmware(self) -> tuple[str, str]:
        """The SNP firmware that runs, and the one that cannot be undercut any more."""
        current, committed = self.raw[0x1E8:0x1EB], self.raw[0x1EC:0x1EF]
        # build, minor, major
        return tuple(f"{v[2]}.{v[1]}.{v[0]}" for v in (current, committed))  # type: ignore[return-value]

    @property
    def mitigations(self) -> tuple[int, int] | None:
        """Mitigations that were verified at launch, and those that are now; None before 5."""
        return (self._number(0x1F8, 8), self._number(0x200, 8)) if self.version >= 5 else None

    @property
    def masked(self) -> bool:
        """Whether the host keeps the guest from learning which chip it runs on."""
        return not any(self.chip_id)

    @property
    def reserved(self) -> tuple[str, ...]:
        """What is set although the specification reserves it: places and bits, in words.

        Everything here is signed, so the firmware itself wrote it; only firmware that is newer
        than this program does.
        """
        raw = self.raw
        spans = {
            "0x4c": raw[0x4C:0x50],
            "0x188": raw[0x18B if self.version >= 3 else 0x188 : 0x1A0],
            "0x1eb": raw[0x1EB:0x1EC] + raw[0x1EF:0x1F0],
            "0x1f8": raw[0x208 if self.version >= 5 else 0x1F8 :],
        }
        words = {
            "guest policy": self.policy & ~_POLICY_KNOWN | ~self.policy & _POLICY_ONE,
            "platform info": self.platform_info & ~_PLATFORM_KNOWN,
            "key info": self.key_info & ~_KEY_KNOWN,
        }
        return (
            *(f"bytes at {place}" for place, value in spans.items() if any(value)),
            *(f"{name} {bits:#x}" for name, bits in words.items() if bits),
        )


def named_bits(value: int, names: dict[int, str]) -> list[str]:
    """Return the names of the bits that are set."""
    return [name for bit, name in names.items() if value >> bit & 1]
