"""Why a contract said no: the reason in the data of a revert.

    Error(string)    what ``assert condition, "reason"`` and ``require`` give
    Panic(uint256)   what a compiler's own checks give
    others           an error of the contract's own, shown as its first four bytes

Source: Solidity's documentation, "Error handling"; Vyper follows it.

Trusts: nothing.  Does not trust: the contract; its text is shown in ASCII and cut.
"""

from __future__ import annotations

__all__ = ["reason_of"]

_ERROR = bytes.fromhex("08c379a0")  # Error(string)
_PANIC = bytes.fromhex("4e487b71")  # Panic(uint256)
_PANICS = {
    0x01: "an assertion failed",
    0x11: "a number overflowed",
    0x12: "division by zero",
    0x32: "an index is out of bounds",
}
_MOST = 200


def reason_of(data: bytes) -> str:
    """Return the reason in words; empty where the contract gave none."""
    selector, body = data[:4], data[4:]
    if not data:
        return ""
    if selector == _ERROR and (text := _text(body)) is not None:
        return text
    if selector == _PANIC and len(body) == 32:
        number = int.from_bytes(body, "big")
        return _PANICS.get(number, f"panic {number:#x}"[:_MOST])
    return f"an error of its own, 0x{selector.hex()}"


def _text(body: bytes) -> str | None:
    """Return an ABI-encoded text; None if it is none."""
    start = int.from_bytes(body[:32], "big")
    if len(body) < 64 or start > len(body) - 32:
        return None
    size = int.from_bytes(body[start : start + 32], "big")
    text = body[start + 32 : start + 32 + size]
    if len(text) != size:
        return None
    return ascii(text.decode(errors="replace"))[1:-1][:_MOST]
