"""A new chain: its id, its funded account, its first block.

Whatever moment a first start is cut short at, the next one goes on: the key is kept before the
block that gives it its funds, and a key that is there is taken.

Trusts: the directory.  Does not trust: nobody else is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from teeproof.chain.account import Account, address_bytes
from teeproof.chain.local.store import Store
from teeproof.core.errors import Usage

__all__ = ["CHAIN_ID", "FUNDED_KEY", "FUNDS", "create"]

CHAIN_ID = 0x54454550  # "TEEP" in ASCII
FUNDED_KEY = "funded.key"
FUNDS = 10**24  # wei: a million units
_MAX_CHAIN_ID = (1 << 53) - 1  # what a number in JSON holds exactly


def create(
    store: Store,
    directory: Path,
    *,
    chain_id: int | None,
    finality: int | None,
    now: Callable[[], int],
    randomness: Callable[[int], bytes],
) -> None:
    """Make the first block; arguments as of ``LocalChain.open``.

    Raises:
        Usage: an id or a finality that no chain can have (``chain_malformed``).
    """
    from teeproof.chain.local.blocks import genesis  # noqa: PLC0415  loads py-evm

    chain_id = CHAIN_ID if chain_id is None else chain_id
    finality = finality or 0
    if not 1 <= chain_id <= _MAX_CHAIN_ID or finality < 0:
        raise Usage(
            "a chain's id is a number from 1 to 2^53 - 1, and its finality none below 0",
            code="chain_malformed",
            got=f"{chain_id}, {finality}",
        )
    key = directory / FUNDED_KEY
    if not key.exists():
        Account.new(randomness=randomness).save(key)
    address = address_bytes(Account.load(key).address)
    with store.changing():
        store.set_meta("chain_id", chain_id)
        store.set_meta("finality", finality)
        funds = {address: FUNDS}
        genesis(store, chain_id=chain_id, time=now(), balances=funds, coinbase=address)
