"""A key that pays for transactions: its address, and what it signs.

    Account.new()          a random key
    Account.load(path)     one that lies in a file which only its owner reads
    account.sign(fields)   a transaction of EIP-1559 -> Signed(raw, hash)

Source: EIP-155 (chain ids), EIP-1559 (the fields), EIP-2718 (the envelope).

Trusts: the file's permissions, this code.  Does not trust: a node; it never sees the key.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from teeproof.core.digests import keccak256
from teeproof.core.errors import Malformed, NotAllowed
from teeproof.core.reading import read_bounded
from teeproof.core.writing import PRIVATE, write_file
from teeproof.proof.anchor import rlp

__all__ = ["ORDER", "Account", "Fields", "Signed", "address_bytes", "address_of"]

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # SEC 2, 2.4.1
_DYNAMIC_FEE = b"\x02"  # EIP-1559
_MAX_KEY_FILE = 128


class Fields(NamedTuple):
    """A transaction before it is signed.

    ``to`` is None for a deployment; amounts are in wei, fees in wei per unit of gas.
    """

    chain_id: int
    nonce: int
    to: str | None
    data: bytes
    value: int
    gas: int
    max_fee: int
    max_tip: int


class Signed(NamedTuple):
    """A signed transaction: what is broadcast, and its hash, 32 bytes."""

    raw: bytes
    hash: bytes


class Account:
    """A secp256k1 key of 32 bytes; it shows its address and hides its secret.

    Raises:
        Malformed: no such key exists (``key_malformed``).
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32 or not 0 < int.from_bytes(secret, "big") < ORDER:
            raise Malformed(
                "this is not a key of secp256k1",
                code="key_malformed",
                expected="32 bytes, not zero, below the order of the curve",
                got=f"{len(secret)} bytes",
            )
        from coincurve import PrivateKey  # noqa: PLC0415  50 ms, and not every import signs

        self._key = PrivateKey(secret)
        self.address = address_of(self._key.public_key.format(compressed=False))

    def __repr__(self) -> str:
        """Show the address alone."""
        return f"Account({self.address})"

    @classmethod
    def new(cls, *, randomness: Callable[[int], bytes] = os.urandom) -> Account:
        """Return an account with a random key."""
        return cls(randomness(32))

    @classmethod
    def load(cls, path: Path) -> Account:
        """Return the account whose key a file holds as 64 hexadecimal digits.

        Raises:
            NotAllowed: others may read the file (``key_exposed``).
            Unavailable: there is no such file. Malformed: it holds no key.
        """
        text = read_bounded(path, limit=_MAX_KEY_FILE, what="key")
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            raise NotAllowed(
                f"{path} may be read by others: make a new key, and keep it with mode 600",
                code="key_exposed",
                expected="600",
                got=f"{mode:o}",
            )
        try:
            return cls(bytes.fromhex(text.decode().strip().removeprefix("0x")))
        except ValueError:
            raise Malformed(
                f"{path} holds no key", code="key_malformed", expected="64 hexadecimal digits"
            ) from None

    def save(self, path: Path) -> None:
        """Write the key to a new file that only its owner reads.

        Raises:
            Usage: there is a file of that name. Unavailable: it cannot be written.
        """
        write_file(path, self._key.secret.hex().encode() + b"\n", overwrite=False, mode=PRIVATE)

    def sign_digest(self, digest: bytes) -> bytes:
        """Return r, s (32 bytes each, s in its lower half) and the parity, 0 or 1, as 65 bytes."""
        return self._key.sign_recoverable(digest, hasher=None)

    def sign(self, fields: Fields) -> Signed:
        """Return the signed transaction."""
        number = rlp.from_uint
        items: list[rlp.Item] = [
            *(number(fields.chain_id), number(fields.nonce)),
            *(number(fields.max_tip), number(fields.max_fee), number(fields.gas)),
            b"" if fields.to is None else address_bytes(fields.to),
            *(number(fields.value), fields.data, []),  # the last: no access list
        ]
        signature = self.sign_digest(keccak256(_DYNAMIC_FEE, rlp.encode(items)))
        r, s = (int.from_bytes(signature[at : at + 32], "big") for at in (0, 32))
        signed = _DYNAMIC_FEE + rlp.encode([*items, number(signature[64]), number(r), number(s)])
        return Signed(signed, keccak256(signed))


def address_of(public_key: bytes) -> str:
    """Return the address of a public key of 65 bytes (uncompressed): 0x and 40 digits."""
    return "0x" + keccak256(public_key[1:])[-20:].hex()


def address_bytes(text: str) -> bytes:
    """Return the 20 bytes of an address: 0x and 40 digits, in either case.

    Raises:
        Malformed: anything else (``address_malformed``).
    """
    digits = text[2:]
    if text[:2] != "0x" or len(digits) != 40 or digits.strip("0123456789abcdefABCDEF"):
        raise Malformed(
            "this is not an address",
            code="address_malformed",
            expected="0x and 40 hexadecimal digits",
            got=ascii(text[:60])[1:-1],
        )
    return bytes.fromhex(digits)
