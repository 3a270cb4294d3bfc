"""Read what AMD writes into the certificate of an endorsement key: product, TCB, chip or cloud.

A VCEK is derived from one chip's secret and one TCB version, and names the chip (hwID). A VLEK is
derived from a secret that AMD lent to a cloud, and names the cloud (cspID) in its place.

Source: AMD 57230, "VCEK Certificate Fields" and "VLEK Certificate Fields"; the extensions lie below
OID 1.3.6.1.4.1.3704.1.

Trusts: nothing; the certificate is verified elsewhere.  Does not trust: the extensions' form.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from teeproof.core.errors import Malformed
from teeproof.evidence import der
from teeproof.evidence.sev_snp.certificates import AmdCertificate
from teeproof.evidence.sev_snp.tcb import Product, Tcb, product_named

__all__ = ["Vek", "VekKind", "Wanted", "parse_vek"]

VekKind = Literal["VCEK", "VLEK"]

_ARC = der.encode_oid("1.3.6.1.4.1.3704.1")
_PRODUCT, _TCB, _HWID, _CSP = b"\x02", b"\x03", b"\x04", b"\x05"
# Last arc of each security version number, in the order of the eight bytes.
_SPL: dict[Product, tuple[int, ...]] = {
    "Milan": (1, 2, 4, 5, 6, 7, 3, 8),
    "Genoa": (1, 2, 4, 5, 6, 7, 3, 8),
    "Turin": (9, 1, 2, 3, 5, 6, 7, 8),
}
_HWID_BYTES: dict[Product, int] = {"Milan": 64, "Genoa": 64, "Turin": 8}
_IA5 = 0x16
_UNREAD = (ValueError, KeyError, IndexError)


class Vek(msgspec.Struct, frozen=True, kw_only=True):
    """What AMD says of an endorsement key.

    Attributes:
        kind: the chip's own key, or one lent to a cloud.
        product_name: as the certificate has it, such as ``Milan-B0``.
        product: which product that is.
        tcb: the TCB version that the key was derived for.
        chip_id: 64 bytes, of a VCEK: the chip.
        csp_id: of a VLEK: the cloud.
    """

    kind: VekKind
    product_name: str
    product: Product
    tcb: Tcb
    chip_id: bytes | None
    csp_id: str | None


class Wanted(NamedTuple):
    """What a report claims of the key that signed it, to find its certificate among others.

    Attributes:
        kind: of key; None if the report names another.
        chip_id: 64 bytes; None if the host masked them, or the key is a cloud's.
        tcb: the eight bytes of the reported TCB version.
    """

    kind: VekKind | None
    chip_id: bytes | None
    tcb: bytes

    def fits(self, certificate: AmdCertificate) -> bool:
        """Whether a certificate may be the one's; one that nobody signed can fit, too."""
        try:
            vek = _parse(certificate.extensions)
        except _UNREAD:
            return False
        chip = self.chip_id is None or vek.chip_id in (None, self.chip_id)
        return chip and vek.kind == self.kind and vek.tcb.raw == self.tcb


def parse_vek(certificate: AmdCertificate) -> Vek:
    """Return what the certificate of an endorsement key says.

    Raises:
        Malformed: an extension is missing or in another form, or the product is unknown.
    """
    try:
        return _parse(certificate.extensions)
    except _UNREAD as error:
        raise Malformed(
            "the endorsement key's certificate does not say what it is for",
            code="vek_extension_malformed",
            expected="AMD's extensions: product, TCB version, and a chip or a cloud",
            got=str(error)[:200],
        ) from None


def _parse(extensions: dict[bytes, bytes]) -> Vek:
    name = _text(extensions[_ARC + _PRODUCT])
    product = product_named(name)
    if product is None:
        raise ValueError(f"a product that this version does not know: {name[:40]}")
    chip, cloud = extensions.get(_ARC + _HWID), extensions.get(_ARC + _CSP)
    if (chip is None) == (cloud is None):
        raise ValueError("it must name either a chip or a cloud")
    if chip is not None:
        chip = _hwid(chip, _HWID_BYTES[product])
    return Vek(
        kind="VCEK" if chip is not None else "VLEK",
        product_name=name,
        product=product,
        tcb=Tcb(bytes(_number(extensions, arc) for arc in _SPL[product]), product),
        # Turin's are shorter, and reports fill them up with zeros.
        chip_id=chip.ljust(64, b"\0") if chip is not None else None,
        csp_id=_text(cloud) if cloud is not None else None,
    )


def _hwid(value: bytes, size: int) -> bytes:
    """Return a chip id: AMD writes it bare, and some certificates have it in an OCTET STRING.

    The two differ in length, so no bare id can be read as a wrapped one, whatever it begins with.
    """
    if len(value) == size + 2 and value[:2] == bytes((der.OCTETS, size)):
        return value[2:]
    if len(value) != size:
        raise ValueError(f"a chip id of {len(value)} bytes, and this product's have {size}")
    return value


def _number(extensions: dict[bytes, bytes], arc: int) -> int:
    digits = der.only(extensions[_ARC + _TCB + bytes([arc])], der.INTEGER)
    if not digits or (len(digits) > 1 and digits[0] == 0 and digits[1] < 0x80):
        raise ValueError("a number that is not in its shortest form")  # X.690, 8.3.2
    value = int.from_bytes(digits, "big", signed=True)
    if not 0 <= value <= 255:
        raise ValueError(f"a security version number that is no byte: {value}")
    return value


def _text(value: bytes) -> str:
    text = der.only(value, _IA5).decode("ascii")
    if not text.isprintable() or not 1 <= len(text) <= 128:
        raise ValueError("a text that is empty, long or not printable")
    return text
