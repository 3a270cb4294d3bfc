"""Transactions that are sent once, whatever happens to the sender.

    outbox = Outbox.open(path, chain=chain, account=account)
    mined = outbox.send("pay:9f2c", payments, "pay", …)     again with this key: the same result

What is to be done gets a key from the caller. Its nonce is taken, and the transaction signed, in
one database transaction; only then is it broadcast, and always the same bytes. So a process that
dies anywhere in between goes on when it is opened again: what no block holds is broadcast once
more, also after a reorganisation threw it out. Two transactions with one nonce can never both
stand, which is why raising the fees (``bump``) is safe too.

An outbox needs its account for itself. Where another program used the nonce, nothing is guessed:
``nonce_taken`` is raised, and ``renew`` signs anew once the caller has seen to it.

Trusts: the node, about what stands in blocks; the file.  Does not trust: the moment of a crash.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teeproof.chain.account import Account
from teeproof.chain.answers import Mined, Receipt, mined
from teeproof.chain.client import Chain, Contract
from teeproof.chain.outboxfile import Attempt, OutboxFile, Row
from teeproof.core.digests import framed_sha256
from teeproof.core.errors import NotAllowed, Unavailable, Usage

__all__ = ["Entry", "Outbox"]

_MAX_KEY = 200
_PATIENCE = 180.0  # seconds
_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Entry:
    """How far something has come.

    Attributes:
        key: the caller's.
        nonce: its place among the account's transactions.
        tx_hash: the attempt that a block holds, or the newest.
        block: the height of that block; None while there is none.
        status: 1 it stands, 0 the contract refused it; None while no block holds it.
        final: nothing will undo it.
        lost: another transaction has its nonce; see ``Outbox.renew``.
    """

    key: str
    nonce: int
    tx_hash: str
    block: int | None = None
    status: int | None = None
    final: bool = False
    lost: bool = False


class Outbox:
    """The transactions of one account on one chain; see ``open``. Any thread may call it."""

    def __init__(self, file: OutboxFile, chain: Chain, account: Account) -> None:
        self._file, self._chain, self._account = file, chain, account
        self._turn = threading.RLock()

    @classmethod
    def open(cls, path: Path, *, chain: Chain, account: Account) -> Outbox:
        """Return the outbox in a file, after broadcasting again what no block holds.

        Raises:
            Unavailable: another process has it (``outbox_taken``), or the node is not reached.
            NotAuthentic: it is of another account or chain (``outbox_other``).
        """
        name = f"{chain.chain_id}/{chain.block(0).hash}"  # ids are not unique, first blocks are
        outbox = cls(OutboxFile(path, account=account.address, chain=name), chain, account)
        try:
            outbox.reconcile()
        except BaseException:
            outbox.close()
            raise
        return outbox

    @property
    def address(self) -> str:
        """The account's address."""
        return self._account.address

    def close(self) -> None:
        """Give the file back."""
        with self._turn:
            self._file.close()

    def __enter__(self) -> Outbox:
        """Use it in a ``with`` statement."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def send(
        self,
        key: str,
        contract: Contract,
        function: str,
        *arguments: Any,
        value: int = 0,
        gas: int | None = None,
        patience: float = _PATIENCE,
    ) -> Mined:
        """Do something once, and return how it ended once a block holds it.

        Raises:
            NotAllowed: the contract says no (``reverted``): before anything is kept where that can
                be seen, else in its block, and then for good under this key; the node says no; or
                another program used the nonce (``nonce_taken``).
            Usage: the key stands for something else (``key_reused``).
            Unavailable: no block holds it yet (``not_mined``); it is kept, and broadcast again.
        """
        self.put(key, contract, function, *arguments, value=value, gas=gas)
        receipt = self.wait(key, patience=patience)
        if receipt.status != 1:
            data = contract.interface.call(function, arguments)
            raise self._chain.failed(receipt, self._account, contract.address, data, value)
        return mined(receipt, contract)

    def put(
        self,
        key: str,
        contract: Contract,
        function: str,
        *arguments: Any,
        value: int = 0,
        gas: int | None = None,
    ) -> Entry:
        """Keep what is to be done, signed, without broadcasting it; raises as ``send``."""
        if not 0 < len(key) <= _MAX_KEY:
            raise Usage(f"a key has 1 to {_MAX_KEY} characters", code="key_malformed")
        data = contract.interface.call(function, arguments)
        to = contract.address
        request = framed_sha256("teeproof.outbox.v1", to.encode(), data, str(value).encode())
        with self._turn:
            row = self._file.row(key)
            if row is None:
                if gas is None:
                    gas = self._chain.enough_gas(self._account, to, data, value)
                row = self._file.add(
                    key,
                    request,
                    least=self._chain.nonce(self._account),
                    fields=self._chain.fields(0, to, data, value=value, gas=gas),
                    sign=self._account.sign,
                )
            elif row.request != request:
                raise Usage(
                    f"the key {key!a} stands for something else: take a key for each thing",
                    code="key_reused",
                )
            return self._seen(row)

    def wait(self, key: str, *, patience: float = _PATIENCE) -> Receipt:
        """Broadcast until a block holds it, and return the receipt; raises as ``send``."""
        until = time.monotonic() + patience
        pauses = iter(_PAUSES)
        while True:
            with self._turn:
                row = self._required(key)
                if (found := self._receipt(row)) is not None:
                    return found
                for earlier in self._file.open_rows():  # a node takes nonces in their order only
                    if earlier.nonce < row.nonce:
                        self._pushed(earlier)
                entry = self._pushed(row)
            if entry.lost:
                raise NotAllowed(
                    "another transaction of the account has this nonce: give the outbox an account"
                    " of its own, and renew the send if it is still wanted",
                    code="nonce_taken",
                    got=str(entry.nonce),
                )
            if entry.block is None:
                if time.monotonic() > until:
                    raise Unavailable(
                        "no block holds the transaction yet: it is kept, and sent again",
                        code="not_mined",
                        got=entry.tx_hash,
                    )
                time.sleep(next(pauses, _PAUSES[-1]))

    def entry(self, key: str) -> Entry | None:
        """Return how far something has come; None if there is no such key."""
        with self._turn:
            row = self._file.row(key)
            return None if row is None else self._seen(row)

    def reconcile(self) -> tuple[Entry, ...]:
        """Look at everything that is not final, and broadcast again what no block holds.

        Raises:
            NotAllowed: the node refuses something for another reason than that it has it.
        """
        with self._turn:
            return tuple(self._pushed(row) for row in self._file.open_rows())

    def bump(self, key: str) -> Entry:
        """Offer at least an eighth more for the same thing under the same nonce."""
        with self._turn:
            row = self._required(key)
            if self._receipt(row) is None:
                self._offer_more(row, self._file.attempts(row.nonce)[-1])
            return self._pushed(row)

    def renew(self, key: str) -> Entry:
        """Sign something anew, under another nonce, whose nonce another transaction has for good.

        Raises:
            NotAllowed: it may still come to stand (``nonce_open``).
        """
        with self._turn:
            row = self._required(key)
            if self._receipt(row) or self._chain.nonce(self._account, "finalized") <= row.nonce:
                raise NotAllowed(
                    "the transaction may still come to stand: a second one could do it twice",
                    code="nonce_open",
                    got=str(row.nonce),
                )
            row = self._file.renew(
                row,
                least=self._chain.nonce(self._account),
                fields=self._chain.fields(0, row.to, row.data, value=row.value, gas=row.gas),
                sign=self._account.sign,
            )
            return self._pushed(row)

    def _required(self, key: str) -> Row:
        row = self._file.row(key)
        if row is None:
            raise Usage(f"nothing has the key {key!a}", code="key_unknown")
        return row

    def _receipt(self, row: Row) -> Receipt | None:
        hashes = [row.ended] if row.ended else [one.hash for one in self._file.attempts(row.nonce)]
        found = (self._chain.receipt(one) for one in reversed(hashes))
        return next((receipt for receipt in found if receipt is not None), None)

    def _seen(self, row: Row) -> Entry:
        """Return how far it has come, and keep it once that is for good."""
        receipt = self._receipt(row)
        if receipt is None:
            newest = row.ended or self._file.attempts(row.nonce)[-1].hash
            lost = row.ended is None and self._chain.nonce(self._account) > row.nonce
            # A block may have taken it since it was looked for.
            if not lost or self._receipt(row) is None:
                return Entry(row.key, row.nonce, newest, final=row.ended is not None, lost=lost)
            return self._seen(row)
        final = row.ended is not None or self._is_final(receipt)
        if final and row.ended is None:
            self._file.end(row.key, receipt.tx_hash)
        place = (receipt.block, receipt.status)
        return Entry(row.key, row.nonce, receipt.tx_hash, *place, final=final)

    def _is_final(self, receipt: Receipt) -> bool:
        if receipt.block > self._chain.block("finalized").number:
            return False
        return self._chain.block(receipt.block).hash == receipt.block_hash

    def _pushed(self, row: Row) -> Entry:
        """Broadcast it if no block holds it, and return how far it has come."""
        entry = self._seen(row)
        if entry.block is not None or entry.lost or row.ended:
            return entry
        newest = self._file.attempts(row.nonce)[-1]
        try:
            self._broadcast(newest)
        except NotAllowed as error:
            if error.code != "fee_low":
                raise
            self._broadcast(self._offer_more(row, newest))
        return self._seen(row)

    def _broadcast(self, attempt: Attempt) -> None:
        try:
            self._chain.endpoint.ask("eth_sendRawTransaction", "0x" + attempt.raw.hex())
        except NotAllowed as error:
            # nonce_low: a block holds it, or it is lost; nonce_high: an earlier one comes first.
            if error.code not in ("transaction_known", "nonce_low", "nonce_high", "underpriced"):
                raise

    def _offer_more(self, row: Row, last: Attempt) -> Attempt:
        now = self._chain.fields(row.nonce, row.to, row.data, value=row.value, gas=row.gas)
        # Nodes replace a transaction where both fees are a tenth higher (geth's PriceBump).
        tip = max(last.max_tip * 9 // 8 + 1, now.max_tip)
        fee = max(last.max_fee * 9 // 8 + 1, now.max_fee, tip)
        fields = now._replace(max_fee=fee, max_tip=tip)
        self._file.add_attempt(row.nonce, fields, self._account.sign(fields))
        return self._file.attempts(row.nonce)[-1]
