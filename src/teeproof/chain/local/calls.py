"""Calls without a block: what would happen, and how much gas it would take.

Importing this module loads py-evm, which takes a second.

Trusts: nothing.  Does not trust: whoever asks; a call has at most 2^24 gas, as a transaction has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from eth.exceptions import Revert, VMError
from eth.vm.forks.prague.transactions import PragueTransactionBuilder
from eth.vm.spoof import SpoofTransaction
from eth_utils import ValidationError

from teeproof.chain.local.admission import least_gas
from teeproof.chain.local.blocks import charged
from teeproof.chain.local.osaka import TRANSACTION_GAS_CAP
from teeproof.core.errors import NotAllowed

__all__ = ["Call", "Outcome", "estimate", "run"]

_STIPEND = 2_300  # Yellow Paper, appendix G: what a call that carries value is given on top
_CLOSE = 64  # an estimate is at most 1/64 too high


class Call(NamedTuple):
    """What is to be tried: 20 bytes each of sender and callee; no callee deploys ``data``."""

    sender: bytes = bytes(20)
    to: bytes | None = None
    data: bytes = b""
    value: int = 0
    gas: int = TRANSACTION_GAS_CAP


class Outcome(NamedTuple):
    """What came of it: the output, or the data of a revert; the gas; what went wrong, if it did."""

    output: bytes
    gas_used: int
    error: str | None
    reverted: bool


def run(call: Call, state: Any) -> Outcome:
    """Return what a call does to a state, which is then of no further use.

    Raises:
        NotAllowed: the sender lacks the value (``funds_short``), or the gas is too little
            (``gas_low``).
    """
    gas = min(call.gas, TRANSACTION_GAS_CAP)
    # Who only asks pays nothing: no fee is due, as with other nodes.
    state.execution_context._base_fee_per_gas = 0
    unsigned = PragueTransactionBuilder.new_unsigned_dynamic_fee_transaction(
        chain_id=state.execution_context.chain_id,
        nonce=state.get_nonce(call.sender),
        max_priority_fee_per_gas=0,
        max_fee_per_gas=0,
        gas=gas,
        to=call.to or b"",
        value=call.value,
        data=call.data,
        access_list=(),
    )
    if gas < (least := least_gas(unsigned)):
        raise NotAllowed(
            f"intrinsic gas too low: expected {least}, got {gas}", code="gas_low", got=str(gas)
        )
    transaction = SpoofTransaction(unsigned, from_=call.sender)
    try:
        computation = state.apply_transaction(transaction)
    except (ValidationError, VMError) as error:
        balance = state.get_balance(call.sender)
        if call.value <= balance:
            raise NotAllowed(
                f"the call cannot be run: {error}", code="call_failed", got=str(error)[:200]
            ) from None
        raise NotAllowed(
            f"insufficient funds for transfer: expected {call.value}, got {balance}",
            code="funds_short",
            expected=str(call.value),
            got=str(balance),
        ) from None
    failure = computation.error if computation.is_error else None
    return Outcome(
        output=computation.output,
        gas_used=charged(unsigned, computation),
        error=None if failure is None else f"{type(failure).__name__}: {failure}"[:200],
        reverted=isinstance(failure, Revert),
    )


def estimate(call: Call, pending: Callable[[], Any]) -> int:
    """Return enough gas for a call; ``pending`` gives a fresh state each time.

    Raises:
        NotAllowed: it fails with all the gas that it may have (``reverted`` with the data as
            ``got``, or ``call_failed``); see also ``run``.
    """
    most = min(call.gas, TRANSACTION_GAS_CAP)
    first = run(call._replace(gas=most), pending())
    if first.error is not None:
        raise NotAllowed(
            "execution reverted" if first.reverted else f"the call fails: {first.error}",
            code="reverted" if first.reverted else "call_failed",
            got="0x" + first.output.hex(),
        )

    def enough(gas: int) -> bool:
        try:
            return run(call._replace(gas=gas), pending()).error is None
        except NotAllowed:
            return False

    # A refund is paid back at the end, a stipend and 1/64 are held back on the way (EIP-150).
    low, high = first.gas_used - 1, most
    guess = min((first.gas_used + first.gas_used // 4 + _STIPEND) * 64 // 63, most)
    if enough(first.gas_used):
        return first.gas_used
    if enough(guess):
        high = guess
    while high - low > high // _CLOSE:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
