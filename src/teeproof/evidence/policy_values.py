"""What policies are made of beside texts and numbers: vendors' root keys, statuses, floors.

Trusts: nothing; it only names.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec

from teeproof.evidence.sev_snp.tcb import PARTS, Product

__all__ = ["AMD_ROOTS", "INTEL_ROOT", "Floor", "MinimumTcb", "TcbStatus", "Tee"]

# SHA-256 of the SubjectPublicKeyInfo of "Intel SGX Root CA" (valid 2018-05-21 to 2049-12-31), the
# root of every SGX and TDX certificate.
# Source: Intel PCS, Intel_SGX_Provisioning_Certification_RootCA.cer.
INTEL_ROOT = "sha256:a0af031289f5d5d4132f9186068a7fc13628633ba235777472e29b6b6c67a49e"

# The same of AMD's ARK-Milan (2020-10-22 to 2045-10-22), ARK-Genoa (2022-01-26 to 2047-01-26) and
# ARK-Turin (2023-05-15 to 2048-05-15): RSA-4096, self-signed, one for each product.
# Source: AMD's KDS cert_chain as google/go-sev-guest and virtee/sev carry it; the same keys stand
# in AMD's ask_ark_milan.cert, ask_ark_genoa.cert and ask_ark_turin.cert.
AMD_ROOTS = (
    "sha256:9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9",
    "sha256:429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831",
    "sha256:4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08",
)

Tee = Literal[
    "tdx", "sgx", "sev-snp", "nitro", "nvidia", "tpm", "azure-tdx", "azure-snp", "cca"
]  # fmt: skip
"""The kinds of machine that a policy may be for."""

TcbStatus = Literal[
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
    "TDRelaunchAdvised",
    "TDRelaunchAdvisedConfigurationNeeded",
]
"""Statuses that a policy may allow. ``Revoked`` is not among them: nobody can allow it."""


class Floor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """From this day on, collateral must carry at least this evaluation number."""

    since: date
    number: int


class MinimumTcb(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The least security versions of one of AMD's products; a part that is None may be any."""

    product: Product
    fmc: int | None = None
    bootloader: int | None = None
    tee: int | None = None
    snp: int | None = None
    microcode: int | None = None

    @property
    def parts(self) -> dict[str, int]:
        """The parts that have a least version."""
        given = {part: getattr(self, part) for part in PARTS}
        return {part: number for part, number in given.items() if number is not None}
