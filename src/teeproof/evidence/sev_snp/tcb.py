"""AMD's TCB version: the security version numbers of the firmware that a key was derived for.

The eight bytes have one order on Milan and Genoa and another on Turin, whose first byte is the FMC
(a part that older products do not have). Which product it is says the report from version 3 on, by
CPUID family and model, and the certificate of the key that signed.

Source: AMD 56860, table "TCB_VERSION"; AMD 57230 for products, families and models.

Trusts: nothing; it only reads.  Does not trust: nothing comes from outside but bytes.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = ["PARTS", "PRODUCTS", "TCB_BYTES", "Product", "Tcb", "product_named", "product_of_cpuid"]

Product = Literal["Milan", "Genoa", "Turin"]
PRODUCTS: tuple[Product, ...] = ("Milan", "Genoa", "Turin")

TCB_BYTES = 8
PARTS = ("fmc", "bootloader", "tee", "snp", "microcode")

_ORDER: dict[Product, dict[str, int]] = {
    "Milan": {"bootloader": 0, "tee": 1, "snp": 6, "microcode": 7},
    "Genoa": {"bootloader": 0, "tee": 1, "snp": 6, "microcode": 7},
    "Turin": {"fmc": 0, "bootloader": 1, "tee": 2, "snp": 3, "microcode": 7},
}

# By CPUID family: first model, last model, product. Bergamo and Siena have Genoa's keys.
_MODELS: dict[int, tuple[tuple[int, int, Product], ...]] = {
    0x19: ((0x00, 0x0F, "Milan"), (0x10, 0x1F, "Genoa"), (0xA0, 0xAF, "Genoa")),
    0x1A: ((0x00, 0x11, "Turin"),),
}
_ALIASES: dict[str, Product] = {"Siena": "Genoa"}


class Tcb(msgspec.Struct, frozen=True):
    """One TCB version.

    Attributes:
        raw: its eight bytes.
        product: whose order they have.
    """

    raw: bytes
    product: Product

    @property
    def parts(self) -> dict[str, int]:
        """The security version number of each part that this product has."""
        return {part: self.raw[at] for part, at in _ORDER[self.product].items()}

    @property
    def reserved(self) -> bytes:
        """The bytes that mean nothing on this product; zero unless firmware is newer than this."""
        used = _ORDER[self.product].values()
        return bytes(byte for at, byte in enumerate(self.raw) if at not in used)

    def to_json(self) -> dict[str, Any]:
        """Return the parts for people and programs."""
        return self.parts

    def __str__(self) -> str:
        return ", ".join(f"{part} {number}" for part, number in self.parts.items())


def product_of_cpuid(family: int, model: int) -> Product | None:
    """Return which product a processor is; None if this version does not know it."""
    for first, last, product in _MODELS.get(family, ()):
        if first <= model <= last:
            return product
    return None


def product_named(name: str) -> Product | None:
    """Return the product that a certificate names, such as ``Milan-B0``; None if unknown."""
    family = name.partition("-")[0]
    return next((p for p in PRODUCTS if p == family), _ALIASES.get(family))
