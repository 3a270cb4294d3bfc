"""An Ethereum block header: its hash, and the three fields that a proof of time rests on.

Fields are known by their position (Yellow Paper, 4.4). Forks append: London the base fee, Shanghai
the withdrawals root, Cancun three fields of blobs and beacon, Prague the requests hash. What later
forks append is taken as it comes; the hash covers it.

Trusts: nothing; whoever knows the hash knows the header.  Does not trust: the bytes.
"""

from __future__ import annotations

import msgspec

from teeproof.core.digests import keccak256
from teeproof.core.errors import Malformed
from teeproof.proof.anchor import rlp

__all__ = ["MAX_FIELDS", "MAX_HEADER_BYTES", "NUMBERS", "SIZES", "Header", "parse"]

MAX_HEADER_BYTES = 1 << 13  # mainnet: about 650; chains with validators in the extra data: 2,000
MAX_FIELDS = 32  # 15 at genesis, 21 since Prague
MAX_TIME = 253_402_300_799  # the last second of the year 9999; beyond it are milliseconds

# By position: parent, uncles, coinbase, state, transactions, receipts, bloom, mix hash, nonce.
SIZES = {0: 32, 1: 32, 2: 20, 3: 32, 4: 32, 5: 32, 6: 256, 13: 32, 14: 8}
# Difficulty, number, gas limit, gas used, time: the most bytes that the number may have.
NUMBERS = {7: 32, 8: 8, 9: 8, 10: 8, 11: 8}
_FIRST_FIELDS = 15
_RECEIPTS, _NUMBER, _TIME = 5, 8, 11


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What we read of a block header.

    Attributes:
        hash: 32 bytes, Keccak-256 of the header's RLP.
        parent: 32 bytes, the hash of the block before.
        receipts_root: 32 bytes, the root of the trie of receipts.
        number: how many blocks came before.
        time: seconds since 1970, as the block's proposer wrote them.
    """

    hash: bytes
    parent: bytes
    receipts_root: bytes
    number: int
    time: int


def parse(raw: bytes) -> Header:
    """Return the header in ``raw``.

    Raises:
        TooLarge: more than ``MAX_HEADER_BYTES``.
        Malformed: not canonical RLP (``rlp_malformed``), or a field of another form
            (``header_malformed``).
    """
    fields = rlp.strings(
        rlp.decode(raw, limit=MAX_HEADER_BYTES, what="block header"), what="block header"
    )
    if not _FIRST_FIELDS <= len(fields) <= MAX_FIELDS:
        raise _malformed(f"{_FIRST_FIELDS} to {MAX_FIELDS} fields", f"{len(fields)}")
    for position, size in SIZES.items():
        if len(fields[position]) != size:
            raise _malformed(f"{size} bytes in field {position}", f"{len(fields[position])} bytes")
    numbers = {
        position: rlp.uint(fields[position], size=size, what=f"field {position} of the header")
        for position, size in NUMBERS.items()
    }
    if numbers[_TIME] > MAX_TIME:
        raise _malformed("a time in seconds, before the year 10000", str(numbers[_TIME]))
    return Header(
        hash=keccak256(raw),
        parent=fields[0],
        receipts_root=fields[_RECEIPTS],
        number=numbers[_NUMBER],
        time=numbers[_TIME],
    )


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        "this is not an Ethereum block header", code="header_malformed", expected=expected, got=got
    )
