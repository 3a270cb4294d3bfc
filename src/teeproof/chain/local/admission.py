"""Which transactions a local chain takes: what Ethereum's rules and its nodes refuse, refused here.

    form        one of the types 0, 1, 2 and 4, in its only encoding; blobs are not taken
    chain       signed for this chain (EIP-155): without an id it could be replayed from another
    gas         what it costs at least (EIP-7623's floor too), and at most 2^24 (EIP-7825)
    fee         at least the block's base fee
    sender      a plain account (EIP-3607) that can pay fee and value
    nonce       the account's next one: a gap would have to be waited for, and is refused

Trusts: nothing.  Does not trust: whoever sends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rlp
from eth.exceptions import UnrecognizedTransactionType
from eth.vm.forks.prague.constants import (
    DELEGATION_DESIGNATION_PREFIX,
    STANDARD_TOKEN_COST,
    TOTAL_COST_FLOOR_PER_TOKEN,
)
from eth.vm.forks.prague.transactions import PragueTransactionBuilder
from eth_utils import ValidationError

from teeproof.chain.account import ORDER
from teeproof.chain.local.osaka import TRANSACTION_GAS_CAP
from teeproof.core.errors import Malformed, NotAllowed, TooLarge

if TYPE_CHECKING:
    from eth.abc import SignedTransactionAPI, StateAPI

__all__ = ["MAX_TRANSACTION_BYTES", "decode", "least_gas", "require_admissible"]

MAX_TRANSACTION_BYTES = 128 * 1024  # what nodes of the public network take: geth, txMaxSize
_MAX_INITCODE = 49_152  # EIP-3860
_INITCODE_WORD = 2  # EIP-3860; py-evm takes it later
_BLOB = 3  # EIP-4844
_GAS = 21_000  # Yellow Paper, appendix G


def decode(raw: bytes, *, chain_id: int) -> SignedTransactionAPI:
    """Return the transaction in ``raw``, signed for this chain.

    Raises:
        TooLarge: more than ``MAX_TRANSACTION_BYTES``.
        Malformed: not a transaction (``transaction_malformed``), or its signature is none.
        NotAllowed: ``transaction_blob``, ``transaction_other_chain``, ``gas_low``.
    """
    if len(raw) > MAX_TRANSACTION_BYTES:
        raise TooLarge(
            "the transaction is too large",
            expected=f"at most {MAX_TRANSACTION_BYTES} bytes",
            got=f"{len(raw)} bytes",
        )
    if raw[:1] == bytes((_BLOB,)):
        raise NotAllowed("this chain takes no blob transactions", code="transaction_blob")
    try:
        transaction = PragueTransactionBuilder.decode(raw)
        if transaction.encode() != raw:
            raise Malformed("the transaction is not in its only encoding")
        # EIP-2681, and what the fields of a header can count
        if max(transaction.nonce, transaction.gas) >= (1 << 64) - 1:
            raise Malformed("a nonce and gas stay below 2^64 - 1")
        if transaction.gas < (least := least_gas(transaction)):
            raise _refused("gas_low", "intrinsic gas too low", least, transaction.gas)
        transaction.validate()
        if transaction.s > ORDER // 2:
            raise Malformed("s is in the upper half (EIP-2)")
        transaction.sender  # noqa: B018  recovers the key, or raises
    except (rlp.exceptions.RLPException, ValidationError, UnrecognizedTransactionType) as error:
        raise _malformed(str(error)) from None
    except NotAllowed:
        raise
    except Malformed as error:
        raise _malformed(error.detail) from None
    except Exception as error:  # the libraries below promise no particular ones
        raise _malformed(type(error).__name__) from None
    if transaction.chain_id != chain_id:
        raise NotAllowed(
            "the transaction is signed for another chain: sign it for this one",
            code="transaction_other_chain",
            expected=str(chain_id),
            got="none" if transaction.chain_id is None else str(transaction.chain_id),
        )
    return transaction


def least_gas(transaction: Any) -> int:
    """Return the least gas that a transaction must have to be taken."""
    zeros = transaction.data.count(0)
    tokens = zeros + STANDARD_TOKEN_COST * (len(transaction.data) - zeros)
    floor: int = _GAS + TOTAL_COST_FLOOR_PER_TOKEN * tokens  # EIP-7623
    words = 0 if transaction.to else (len(transaction.data) + 31) // 32
    return max(int(transaction.intrinsic_gas) + _INITCODE_WORD * words, floor)


def require_admissible(
    transaction: SignedTransactionAPI, state: StateAPI, *, base_fee: int
) -> None:
    """Raise if the next block cannot take the transaction.

    Raises:
        NotAllowed: ``nonce_low``, ``nonce_high``, ``gas_high``, ``fee_low``, ``fee_malformed``,
            ``sender_contract``, ``funds_short``, ``initcode_large``.
    """
    sender = transaction.sender
    next_nonce = state.get_nonce(sender)
    if transaction.nonce < next_nonce:
        raise _refused("nonce_low", "nonce too low", next_nonce, transaction.nonce)
    if transaction.nonce > next_nonce:
        raise _refused("nonce_high", "nonce too high", next_nonce, transaction.nonce)
    if transaction.gas > TRANSACTION_GAS_CAP:
        raise _refused(
            "gas_high", "exceeds the cap of a transaction", TRANSACTION_GAS_CAP, transaction.gas
        )
    if transaction.max_priority_fee_per_gas > transaction.max_fee_per_gas:
        raise _refused(
            "fee_malformed",
            "max priority fee per gas higher than max fee per gas",
            f"at most {transaction.max_fee_per_gas}",
            transaction.max_priority_fee_per_gas,
        )
    if transaction.max_fee_per_gas < base_fee:
        raise _refused(
            "fee_low",
            "max fee per gas less than block base fee",
            base_fee,
            transaction.max_fee_per_gas,
        )
    code = state.get_code(sender)
    if code and not code.startswith(DELEGATION_DESIGNATION_PREFIX):
        raise NotAllowed("sender not an eoa: a contract signs nothing", code="sender_contract")
    cost = transaction.gas * transaction.max_fee_per_gas + transaction.value
    if (balance := state.get_balance(sender)) < cost:
        raise _refused("funds_short", "insufficient funds for gas * price + value", cost, balance)
    if not transaction.to and len(transaction.data) > _MAX_INITCODE:
        raise _refused(
            "initcode_large", "max initcode size exceeded", _MAX_INITCODE, len(transaction.data)
        )


def _refused(code: str, detail: str, expected: object, got: object) -> NotAllowed:
    return NotAllowed(
        f"{detail}: expected {expected}, got {got}",
        code=code,
        expected=str(expected),
        got=str(got),
    )


def _malformed(why: str) -> Malformed:
    return Malformed(
        "this is not a signed transaction", code="transaction_malformed", got=ascii(why[:200])[1:-1]
    )
