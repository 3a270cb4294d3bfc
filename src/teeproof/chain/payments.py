"""Fees of answers on a chain: paid once, taken by those whom a Merkle root names.

    payments.pay(payer, answer=receipt_id, token=dollar, amount=300_000, root=tree.root)
    payments.claim(
        anybody, payer=…, answer=receipt_id, token=dollar, payee="0x…", amount=60_000, proof=…
    )

``merkle`` makes root and proofs, and ``inference.fees`` says who gets what of an answer's fee. What
is not claimed waits for ever; what a root promises to nobody stays in the contract.

Trusts: the node that the chain was connected to.  Does not trust: whoever carries a claim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from teeproof.chain import typed
from teeproof.chain.account import Account
from teeproof.chain.artifacts import at
from teeproof.chain.client import Chain, Mined
from teeproof.chain.token import Token
from teeproof.core.digests import keccak256

__all__ = ["Payment", "Payments", "nonce_of"]


def nonce_of(answer: bytes, root: bytes) -> bytes:
    """Return the EIP-3009 nonce with which a payer signs: it binds the answer and the division."""
    return keccak256(answer, root)


@dataclass(frozen=True, slots=True)
class Payment:
    """What was paid for an answer.

    Attributes:
        token: its address.
        amount: how much was paid.
        root: the Merkle root over who gets what.
        left: how much nobody has claimed yet.
    """

    token: str
    amount: int
    root: bytes
    left: int


class Payments:
    """The contract at an address; ``deploy`` makes a new one."""

    def __init__(self, chain: Chain, address: str) -> None:
        self.chain, self.contract = chain, at("Payments", address)

    @classmethod
    def deploy(cls, chain: Chain, account: Account) -> Payments:
        """Deploy a contract that nobody owns."""
        return cls(chain, chain.deploy(account, "Payments").address)

    @property
    def address(self) -> str:
        """Where it is."""
        return self.contract.address

    def payment_of(self, payer: str | Account, answer: bytes, token: Token) -> Payment | None:
        """Return what a payer paid for an answer in a token; None if nothing."""
        found = self.chain.call(self.contract, "payment_of", payer, answer, token.address)
        payment = Payment(token.address, *found)
        return payment if payment.amount else None

    def is_claimed(
        self, *, payer: str | Account, answer: bytes, token: Token, payee: str, amount: int
    ) -> bool:
        """Return whether a payee took its part."""
        leaf = payer, answer, token.address, payee, amount
        return bool(self.chain.call(self.contract, "is_claimed", *leaf))

    def pay(
        self, account: Account, *, answer: bytes, token: Token, amount: int, root: bytes
    ) -> Mined:
        """Pay for an answer; the contract is allowed to take exactly that, where it is not yet.

        Args:
            account: pays.
            answer: the receipt's id, 32 bytes.
            token: in which token.
            amount: how much, in base units.
            root: Merkle root over who gets what; the parts should add up to the amount.
        """
        token.allow(account, spender=self.contract, amount=amount)
        return self.chain.send(account, self.contract, "pay", answer, token.address, amount, root)

    def authorization(
        self, payer: str, *, answer: bytes, amount: int, root: bytes, until: int
    ) -> typed.ReceiveWithAuthorization:
        """Return what a payer without gas signs under the token's domain, for ``pay_signed``."""
        return typed.ReceiveWithAuthorization(
            owner=payer, to=self.address, value=amount, valid_after=0, valid_before=until,
            nonce=nonce_of(answer, root),
        )  # fmt: skip

    def pay_signed(
        self,
        account: Account,
        order: typed.ReceiveWithAuthorization,
        signature: bytes,
        *,
        answer: bytes,
        token: Token,
        root: bytes,
    ) -> Mined:
        """Carry a payment that a payer signed; neither answer, amount nor root can be changed."""
        return self.chain.send(
            account, self.contract, "pay_signed", order.owner, answer, token.address, order.value,
            root, order.valid_after, order.valid_before, *typed.split(signature),
        )  # fmt: skip

    def claim(
        self,
        account: Account,
        *,
        payer: str | Account,
        answer: bytes,
        token: Token,
        payee: str,
        amount: int,
        proof: Sequence[bytes],
    ) -> Mined:
        """Carry a payee's claim; the money goes to the payee, whoever ``account`` is."""
        return self.chain.send(
            account,
            self.contract,
            "claim",
            payer,
            answer,
            token.address,
            payee,
            amount,
            list(proof),
        )
