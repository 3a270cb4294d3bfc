"""MRTD: the memory that a TD starts with, page by page, as the TDX module hashes it.

    MEM.PAGE.ADD   128 bytes: the words, zeros to 16, the page's address 8, zeros
    MR.EXTEND      128 bytes in the same form, then 256 bytes of the page

Which of the two comes when is the VMM's choice. Some add a page and measure it at once; others
add all pages of a section first. Both give a value, and a machine has one of them.

Source: Intel, "TDX Module ABI Specification", TDH.MEM.PAGE.ADD and TDH.MR.EXTEND; Linux,
``tdx_gmem_post_populate`` (page by page); dstack-mr (both orders).

Trusts: SHA-384.  Does not trust: the image, whose sections were checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Literal

from teeproof.evidence.measure.image import PAGE
from teeproof.evidence.measure.ovmf import TdxSection

__all__ = ["ORDERS", "Order", "mrtd"]

Order = Literal["page", "section"]
ORDERS: dict[Order, str] = {
    "page": "each page is added and measured before the next (KVM of Linux 6.16, and newer)",
    "section": "all pages of a section are added, then measured (older KVM with TDX patches)",
}
_CHUNK = 256


def mrtd(sections: Sequence[TdxSection], *, order: Order) -> bytes:
    """Return MRTD, 48 bytes.

    Args:
        sections: of a TDX image, in its order.
        order: whether pages are measured as they are added.
    """
    state = hashlib.sha384()
    for section in sections:
        if section.added:
            for piece in _section(section, order):
                state.update(piece)
    return state.digest()


def _section(section: TdxSection, order: Order) -> Iterator[bytes]:
    pages = range(0, section.size, PAGE)
    for at in pages:
        yield _buffer(b"MEM.PAGE.ADD", section.address + at)
        if section.measured and order == "page":
            yield from _extended(section, at)
    if section.measured and order == "section":
        for at in pages:
            yield from _extended(section, at)


def _extended(section: TdxSection, page: int) -> Iterator[bytes]:
    content = bytes(section.content[page : page + PAGE]).ljust(PAGE, b"\0")
    for at in range(0, PAGE, _CHUNK):
        yield _buffer(b"MR.EXTEND", section.address + page + at)
        yield content[at : at + _CHUNK]


def _buffer(words: bytes, address: int) -> bytes:
    return words.ljust(16, b"\0") + address.to_bytes(8, "little") + bytes(104)
