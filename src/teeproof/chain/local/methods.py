"""The methods of Ethereum's JSON-RPC that a local chain answers.

    eth_*       what web3.py and other clients ask: blocks, receipts, state, calls, fees, events
    net_*, web3_*   who is answering
    teeproof_mine, teeproof_reorg   empty blocks, and a reorganisation, for those who follow chains

Filters, subscriptions and accounts of the node are not here: it holds no key of a client.

Trusts: the chain.  Does not trust: the client.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from teeproof.chain.local import inputs, views
from teeproof.chain.local.chain import LocalChain
from teeproof.chain.local.inputs import BlockRef
from teeproof.chain.local.store import Block
from teeproof.chain.local.views import hexed
from teeproof.core.errors import Malformed, NotAllowed, Unavailable
from teeproof.core.version import VERSION

__all__ = ["MAX_EVENTS", "Methods"]

MAX_EVENTS = 10_000  # in one answer, as nodes of public chains have it
_TIP = 10**6  # wei: nobody competes for a place here
_MAX_MINED = 1_000
_MAX_HISTORY = 1_024  # EIP-1559's fee history, in blocks
_MAX_PERCENTILES = 100


class Methods:
    """The methods over one chain; ``table`` has them by name."""

    def __init__(self, chain: LocalChain) -> None:
        self._chain = chain
        self.table: dict[str, Callable[..., Any]] = {
            "eth_chainId": lambda: hexed(chain.chain_id),
            "eth_blockNumber": lambda: hexed(chain.head().number),
            "eth_syncing": lambda: False,
            "eth_accounts": list,
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getBlockReceipts": self._block_receipts,
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getTransactionCount": lambda who, at="latest": hexed(
                self._state(at).get_nonce(inputs.address(who, "address"))
            ),
            "eth_getBalance": lambda who, at="latest": hexed(
                self._state(at).get_balance(inputs.address(who, "address"))
            ),
            "eth_getCode": lambda who, at="latest": hexed(
                self._state(at).get_code(inputs.address(who, "address"))
            ),
            "eth_getStorageAt": self._storage,
            "eth_call": self._call,
            "eth_estimateGas": self._estimate,
            "eth_gasPrice": lambda: hexed(self._base_fee() + _TIP),
            "eth_maxPriorityFeePerGas": lambda: hexed(_TIP),
            "eth_feeHistory": self._fee_history,
            "eth_sendRawTransaction": lambda raw: hexed(chain.send(self.raw(raw))),
            "eth_getLogs": self._logs,
            "net_version": lambda: str(chain.chain_id),
            "net_listening": lambda: True,
            "web3_clientVersion": lambda: f"teeproof/{VERSION}/osaka",
            "teeproof_mine": self._mine,
            "teeproof_reorg": self._reorganise,
        }

    @staticmethod
    def raw(value: Any) -> bytes:
        """Return the bytes of a transaction that is sent."""
        return inputs.data(value, "transaction")

    def _found(self, reference: BlockRef) -> Block | None:
        """Return the block that is meant; for ``pending`` the last one."""
        chain = self._chain
        if reference.hash is not None:
            return chain.block(reference.hash)
        if reference.number is not None:
            return chain.at(reference.number)
        if reference.tag == "earliest":
            return chain.at(0)
        if reference.tag in ("safe", "finalized"):
            return chain.finalized()
        return chain.head()

    def _required(self, reference: BlockRef) -> Block:
        block = self._found(reference)
        if block is None:
            raise Unavailable("header not found: there is no such block", code="block_unknown")
        return block

    def _state(self, at: Any) -> Any:
        return self._chain.state(self._required(inputs.block_ref(at)))

    def _block_by_number(self, at: Any, full: Any = False) -> Any:
        return self._shown(self._found(inputs.block_ref(at)), full)

    def _block_by_hash(self, digest: Any, full: Any = False) -> Any:
        return self._shown(self._chain.block(inputs.word(digest, "block hash")), full)

    def _shown(self, block: Block | None, full: Any) -> Any:
        whole = inputs.flag(full, "second parameter")
        if block is None:
            return None
        return views.block_json(block, self._chain.transactions(block.hash), full=whole)

    def _block_receipts(self, at: Any) -> Any:
        by_hash = isinstance(at, str) and len(at) == 66
        reference = BlockRef(hash=inputs.word(at, "block")) if by_hash else inputs.block_ref(at)
        block = self._found(reference)
        if block is None:
            return None
        return [views.receipt_json(tx, block) for tx in self._chain.transactions(block.hash)]

    def _transaction(self, digest: Any) -> Any:
        return self._placed(digest, views.transaction_json)

    def _receipt(self, digest: Any) -> Any:
        return self._placed(digest, views.receipt_json)

    def _placed(self, digest: Any, view: Callable[[Any, Block], Any]) -> Any:
        transaction = self._chain.transaction(inputs.word(digest, "transaction hash"))
        block = None if transaction is None else self._chain.block(transaction.block)
        return None if block is None else view(transaction, block)

    def _storage(self, who: Any, slot: Any, at: Any = "latest") -> str:
        address = inputs.address(who, "address")
        # Clients write the slot as a quantity or as 32 bytes.
        full = isinstance(slot, str) and len(slot) == 66
        place = int.from_bytes(inputs.word(slot, "slot"), "big") if full else None
        if place is None:
            place = inputs.quantity(slot, "slot")
        value: int = self._state(at).get_storage(address, place)
        return hexed(value.to_bytes(32, "big"))

    def _call(self, request: Any, at: Any = "latest") -> str:
        reference = inputs.block_ref(at)
        block = None if reference.tag == "pending" else self._required(reference)
        outcome = self._chain.call(_tried(request), block)
        if outcome.error is None:
            return hexed(outcome.output)
        raise NotAllowed(
            "execution reverted" if outcome.reverted else outcome.error,
            code="reverted" if outcome.reverted else "call_failed",
            got=hexed(outcome.output),
        )

    def _estimate(self, request: Any, at: Any = "pending") -> str:
        inputs.block_ref(at)  # gas is estimated for the next block, whatever is named
        return hexed(self._chain.estimate(_tried(request)))

    def _base_fee(self) -> int:
        fee: int = self._chain.pending().execution_context.base_fee_per_gas
        return fee

    def _fee_history(self, count: Any, newest: Any, percentiles: Any = None) -> Any:
        wanted = percentiles or []
        if (
            not isinstance(wanted, list)
            or len(wanted) > _MAX_PERCENTILES
            or not all(isinstance(one, int | float) and 0 <= one <= 100 for one in wanted)
        ):
            raise Malformed("percentiles are numbers from 0 to 100", code="param_malformed")
        last = self._required(inputs.block_ref(newest))
        most = min(inputs.quantity(count, "number of blocks", limit=1 << 63), _MAX_HISTORY)
        first = max(0, last.number - most + 1)
        blocks = [self._required(BlockRef(number=n)) for n in range(first, last.number + 1)]
        fields = [views.header_fields(block) for block in blocks]
        after = self._found(BlockRef(number=last.number + 1))
        following = (
            views.header_fields(after)["baseFeePerGas"] if after else hexed(self._base_fee())
        )
        answer = {
            "oldestBlock": hexed(first),
            "baseFeePerGas": [*(one["baseFeePerGas"] for one in fields), following],
            "gasUsedRatio": [int(one["gasUsed"], 16) / int(one["gasLimit"], 16) for one in fields],
        }
        if wanted:
            pairs = zip(blocks, fields, strict=True)
            answer["reward"] = [self._tips(block, one, wanted) for block, one in pairs]
        return answer

    def _tips(self, block: Block, fields: dict[str, Any], wanted: Sequence[float]) -> list[str]:
        base = int(fields["baseFeePerGas"], 16)
        paid = sorted(
            (tx.gas_price - base, tx.gas_used) for tx in self._chain.transactions(block.hash)
        )
        total = sum(gas for _, gas in paid)
        tips = []
        for percentile in wanted:
            tip, passed = 0, 0
            for tip, gas in paid:  # noqa: B007  the last one looked at is the answer
                passed += gas
                if passed * 100 >= percentile * total:
                    break
            tips.append(hexed(tip))
        return tips

    def _logs(self, wanted: Any) -> Any:
        found = inputs.log_filter(wanted)
        if found.block is not None:
            self._required(BlockRef(hash=found.block))
            events = self._chain.events(0, 0, found.addresses, block=found.block)
        else:
            first, last = self._height(found.first), self._height(found.last)
            events = self._chain.events(first, last, found.addresses)
        taken = [event for event in events if found.takes(event.topics)]
        if len(taken) > MAX_EVENTS:
            raise NotAllowed(
                f"query returned more than {MAX_EVENTS} results: ask for fewer blocks at once",
                code="too_many_events",
            )
        return [views.event_json(event) for event in taken]

    def _height(self, reference: BlockRef) -> int:
        if reference.number is not None:
            return reference.number  # a range may end above the last block
        return self._required(reference).number

    def _mine(self, count: Any = "0x1") -> str:
        return hexed(self._chain.mine(inputs.quantity(count, "count", limit=_MAX_MINED + 1)).hash)

    def _reorganise(self, depth: Any, again: Any = False) -> str:
        blocks = inputs.quantity(depth, "depth", limit=_MAX_MINED + 1)
        return hexed(self._chain.reorganise(blocks, again=inputs.flag(again, "again")).hash)


def _tried(request: Any) -> Any:
    from teeproof.chain.local.calls import Call  # noqa: PLC0415  loads py-evm

    asked = inputs.call_request(request)
    call = Call(sender=asked.sender, to=asked.to, data=asked.data, value=asked.value)
    return call if asked.gas is None else call._replace(gas=asked.gas)
