"""How a contract came to stand where it does: whether its own creation code made it.

    doubt_of(chain, "Fund", "0x…", last=head.number)     "" if so, or why that is not shown

The code at an address does not say who made it. Other creation code may leave the same program with
other beginnings: with shares that nobody paid for, markets that it does not tell of, or an
allowance, given in its name, by which somebody takes whatever it comes to hold. So the transaction
that made it is looked for, and must carry the shipped creation code, followed by its arguments; a
transaction makes one contract, at an address of its own. What another contract made is not shown.

The block is searched for by whether the code stands there, in as many questions as its number has
digits to the base of 2: the node must keep past states. What it showed is remembered while that
block stands, so that a page that is looked at often asks one question.

Source: the Yellow Paper, 7, for what a transaction without a receiver does.

Trusts: the node, for what it says of the chain; the shipped artifacts.
Does not trust: the form, size and pace of its answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from teeproof.chain.answers import BlockHead, in_bytes, in_list
from teeproof.chain.artifacts import load
from teeproof.chain.client import Chain
from teeproof.core.errors import Error

__all__ = ["doubt_of"]

_NOT_TOLD = "the node did not say which transaction made it: ask one that keeps past states"
_BY_ANOTHER = "no transaction made it by itself: another contract did"
_MOST_SHOWN = 256
# What a node showed once holds while the block stands: the key names node, chain and contract.
_SHOWN: dict[tuple[str, int, str, str], BlockHead] = {}
_OTHER_CODE = "the transaction that made it carries other code than the shipped contract's"


def doubt_of(
    chain: Chain, name: str, address: str, *, last: int, in_time: Callable[[], None] = lambda: None
) -> str:
    """Return why it is not shown that a contract's own creation code made it; empty if it is.

    Args:
        chain: the node.
        name: of the shipped contract whose code stands at the address.
        address: where it stands, lower case.
        last: a block in which it stands there.
        in_time: called between questions; raises when it has been long enough.
    """
    key = (chain.endpoint.url, chain.chain_id, name, address)
    try:
        if (shown := _SHOWN.get(key)) is not None and chain.block(shown.number).hash == shown.hash:
            return ""
        block = chain.block(_first(chain, address, last, in_time))
        sent = _making(chain, address, block)
    except Error:
        return _NOT_TOLD
    if sent is None:
        return _BY_ANOTHER
    if not sent.startswith(load(name).bytecode):
        return _OTHER_CODE
    if len(_SHOWN) >= _MOST_SHOWN:
        _SHOWN.clear()
    _SHOWN[key] = block
    return ""


def _first(chain: Chain, address: str, last: int, in_time: Callable[[], None]) -> int:
    """Return the first block in which code stands at an address."""
    before = -1
    while last - before > 1:
        in_time()
        middle = (before + last) // 2
        if chain.code(address, middle):
            last = middle
        else:
            before = middle
    return last


def _making(chain: Chain, address: str, block: BlockHead) -> bytes | None:
    """Return what the transaction carried that made a contract; None if none in the block did."""
    receipts = in_list(chain.endpoint.ask("eth_getBlockReceipts", block.hash))
    for receipt in receipts:
        if not isinstance(receipt, Mapping) or receipt.get("status") != "0x1":
            continue
        created, tx_hash = receipt.get("contractAddress"), receipt.get("transactionHash")
        if isinstance(created, str) and created.lower() == address and isinstance(tx_hash, str):
            sent: Any = chain.endpoint.ask("eth_getTransactionByHash", tx_hash)
            if isinstance(sent, Mapping) and sent.get("to") is None:
                return in_bytes(sent.get("input"), "transaction's input")
    return None
