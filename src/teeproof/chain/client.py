"""Chain: calls, transactions, events and deployments, over any node's JSON-RPC.

    chain = Chain.connect("http://127.0.0.1:8545")
    fund = chain.deploy(account, "Fund", …)
    chain.call(fund, "shares", account)
    mined = chain.send(account, fund, "deposit", 5)      raises where the contract says no
    chain.events(fund, "Deposited", depositor=account)

What the node says is believed here: whoever needs a proof asks ``chain.anchors``. A transaction is
sent once and waited for; who must send exactly once, across crashes, uses ``chain.outbox``.

Trusts: the node.  Does not trust: the form of its answers.
"""

from __future__ import annotations

import time
from typing import Any

from teeproof.chain.abi import Artifact, Contract, Event, Interface
from teeproof.chain.account import Account, Fields
from teeproof.chain.answers import (
    BlockHead,
    Mined,
    Receipt,
    block_head,
    events_in,
    in_bytes,
    in_list,
    in_number,
    mined,
    receipt_of,
)
from teeproof.chain.endpoint import Endpoint
from teeproof.core.errors import Malformed, NotAllowed, NotAuthentic, Unavailable

__all__ = ["Artifact", "BlockHead", "Chain", "Contract", "Event", "Mined", "Receipt"]

GAS_CAP = 1 << 24  # EIP-7825
MAX_TIP = 100 * 10**9  # wei per unit of gas, many times what Ethereum's blocks ask for
_PATIENCE = 180.0  # seconds: 15 blocks of Ethereum
_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
_RETRIES = 20  # other senders of the same account may take the nonce in between
_NONCE_TAKEN = ("nonce_low", "transaction_known", "underpriced")


class Chain:
    """A chain behind a node; see ``connect``."""

    def __init__(self, endpoint: Endpoint, chain_id: int) -> None:
        self.endpoint, self.chain_id = endpoint, chain_id

    @classmethod
    def connect(cls, url: str, *, expected_chain_id: int | None = None) -> Chain:
        """Return the chain of the node at a URL.

        Raises:
            Unavailable: it cannot be reached. NotAuthentic: it is of another chain
            (``chain_other``). Usage: this is no URL.
        """
        endpoint = Endpoint(url)
        chain_id = in_number(endpoint.ask("eth_chainId"), "chain id")
        if expected_chain_id not in (None, chain_id):
            raise NotAuthentic(
                f"the node at {url} is of another chain: name one of the chain you mean",
                code="chain_other", expected=str(expected_chain_id), got=str(chain_id),
            )  # fmt: skip
        return cls(endpoint, chain_id)

    def close(self) -> None:
        """Close the connection."""
        self.endpoint.close()

    def __enter__(self) -> Chain:
        """Use it in a ``with`` statement."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def block(self, at: str | int = "latest") -> BlockHead:
        """Return a block by tag (``latest``, ``finalized``, …), height or hash.

        Raises:
            Unavailable: there is none (``block_unknown``).
        """
        by_hash = isinstance(at, str) and len(at) == 66
        method = "eth_getBlockByHash" if by_hash else "eth_getBlockByNumber"
        found = self.endpoint.ask(method, _at(at), False)
        if found is None:
            raise Unavailable(f"the node has no block {at}", code="block_unknown", got=str(at))
        return block_head(found)

    def balance(self, who: str | Account | Contract, at: str | int = "latest") -> int:
        """Return an account's balance in wei."""
        return in_number(self.endpoint.ask("eth_getBalance", _who(who), _at(at)), "balance")

    def nonce(self, who: str | Account, at: str | int = "latest") -> int:
        """Return how many transactions an account has sent."""
        return in_number(self.endpoint.ask("eth_getTransactionCount", _who(who), _at(at)), "nonce")

    def code(self, who: str | Contract, at: str | int = "latest") -> bytes:
        """Return a contract's code; empty where there is none."""
        return in_bytes(self.endpoint.ask("eth_getCode", _who(who), _at(at)), "code")

    def call(
        self,
        contract: Contract,
        function: str,
        *arguments: Any,
        at: str | int = "latest",
        sender: str | Account | None = None,
    ) -> Any:
        """Return what a function gives: one value, a tuple of several, or None.

        Raises:
            NotAllowed: it reverts (``reverted``, with the reason in ``got``).
            Malformed: what came back does not fit (``abi_malformed``): is it this contract?
        """
        interface = contract.interface
        asked = {"to": contract.address, "data": _hex(interface.call(function, arguments))}
        if sender is not None:
            asked["from"] = _who(sender)
        data = in_bytes(self.endpoint.ask("eth_call", asked, _at(at)), "result")
        return interface.result(function, arguments, data)

    def events(
        self,
        contract: Contract,
        name: str,
        *,
        first: int = 0,
        last: str | int = "latest",
        most: int | None = None,
        **wanted: Any,
    ) -> list[Event]:
        """Return a contract's events of one name, in order; of more than ``most``, the latest.

        ``wanted`` are indexed parameters: values, or lists of alternatives.
        """
        asked = {"address": contract.address, "topics": contract.interface.topics(name, wanted)}
        asked |= {"fromBlock": hex(first), "toBlock": _at(last)}
        logs = in_list(self.endpoint.ask("eth_getLogs", asked))
        return list(events_in(logs if most is None else logs[-most:], contract))

    def send(
        self,
        account: Account,
        contract: Contract,
        function: str,
        *arguments: Any,
        value: int = 0,
        gas: int | None = None,
    ) -> Mined:
        """Send a transaction to a function, and return it once it stands in a block.

        Raises:
            NotAllowed: the contract says no (``reverted``, the reason in ``got``), before anything
                is sent where it can be seen beforehand; or the node does.
            Unavailable: no block took it in time (``not_mined``).
        """
        data = contract.interface.call(function, arguments)
        receipt = self.transact(account, contract.address, data, value=value, gas=gas)
        return mined(receipt, contract)

    def transfer(self, account: Account, to: str | Account | Contract, value: int) -> Mined:
        """Send wei to an account."""
        return mined(self.transact(account, _who(to), b"", value=value), None)

    def deploy(self, account: Account, artifact: str | Artifact, *arguments: Any) -> Contract:
        """Deploy a contract of ours by name, or any other, and return it.

        Raises:
            As ``send``.
        """
        if isinstance(artifact, str):
            from teeproof.chain.artifacts import load  # noqa: PLC0415  reads a file

            artifact = load(artifact)
        interface = Interface(artifact.abi)
        data = artifact.bytecode + interface.construct(arguments)
        receipt = self.transact(account, None, data)
        if receipt.created is None:
            raise Malformed("the node does not say what was deployed", code="node_malformed")
        return Contract(receipt.created, interface)

    def transact(
        self,
        account: Account,
        to: str | None,
        data: bytes,
        *,
        value: int = 0,
        gas: int | None = None,
    ) -> Receipt:
        """Sign, send and wait; see ``send``."""
        gas = self.enough_gas(account, to, data, value) if gas is None else gas
        for last in (False,) * (_RETRIES - 1) + (True,):
            nonce = self.nonce(account, "pending")
            signed = account.sign(self.fields(nonce, to, data, value=value, gas=gas))
            try:
                self.endpoint.ask("eth_sendRawTransaction", _hex(signed.raw))
            except NotAllowed as error:
                # Another of the account's transactions has this nonce, sent by somebody else with
                # the same key; be it the same bytes, this one was not done.
                if error.code not in _NONCE_TAKEN or last:
                    raise
                continue
            receipt = self.wait(_hex(signed.hash))
            if receipt.status != 1:
                raise self.failed(receipt, account, to, data, value)
            return receipt
        raise AssertionError("the last attempt returns or raises")

    def fields(
        self, nonce: int, to: str | None, data: bytes, *, value: int = 0, gas: int
    ) -> Fields:
        """Return a transaction with fees that hold while the base fee doubles."""
        # A tip is paid in full, unlike the base fee: a node that lies about it would cost dearly.
        tip = min(in_number(self.endpoint.ask("eth_maxPriorityFeePerGas"), "tip"), MAX_TIP)
        most = 2 * self.block().base_fee + tip
        return Fields(self.chain_id, nonce, to, data, value, gas, most, tip)

    def enough_gas(self, account: Account, to: str | None, data: bytes, value: int = 0) -> int:
        """Return what the node estimates, and a fifth on top."""
        asked = _message(account, to, data, value)
        gas = in_number(self.endpoint.ask("eth_estimateGas", asked), "gas")
        return min(gas + gas // 5, GAS_CAP)

    def receipt(self, tx_hash: str) -> Receipt | None:
        """Return what became of a transaction; None while no block holds it."""
        found = self.endpoint.ask("eth_getTransactionReceipt", tx_hash)
        return None if found is None else receipt_of(found)

    def wait(self, tx_hash: str, *, patience: float = _PATIENCE) -> Receipt:
        """Return the receipt as soon as a block holds the transaction.

        Raises:
            Unavailable: none does in ``patience`` seconds (``not_mined``).
        """
        until = time.monotonic() + patience
        pauses = iter(_PAUSES)
        while (found := self.receipt(tx_hash)) is None:
            if time.monotonic() > until:
                raise Unavailable(
                    "no block holds the transaction yet: it may still come to stand in one",
                    code="not_mined", got=tx_hash,
                )  # fmt: skip
            time.sleep(next(pauses, _PAUSES[-1]))
        return found

    def failed(
        self, receipt: Receipt, account: Account, to: str | None, data: bytes, value: int
    ) -> NotAllowed:
        """Return the error of a transaction that failed in its block, with its reason."""
        asked = _message(account, to, data, value)
        reason = "no reason"
        try:
            self.endpoint.ask("eth_call", asked, hex(receipt.block))
        except NotAllowed as error:
            reason = error.got or reason
        return NotAllowed(
            f"the transaction failed in block {receipt.block}: {reason}",
            code="reverted", got=reason,
        )  # fmt: skip


def _message(account: Account, to: str | None, data: bytes, value: int) -> dict[str, str]:
    message = {"from": account.address, "data": _hex(data), "value": hex(value)}
    return message if to is None else message | {"to": to}


def _who(who: str | Account | Contract) -> str:
    return who if isinstance(who, str) else who.address


def _at(at: str | int) -> str:
    return hex(at) if isinstance(at, int) else at


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
