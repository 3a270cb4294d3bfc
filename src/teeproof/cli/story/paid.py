"""Part 6 of the demo: the answer's fee goes to node, model and data, by the receipt's lineage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teeproof.cli.story.data import SHARES
from teeproof.cli.story.money import FEE, Money
from teeproof.cli.story.telling import Teller
from teeproof.cli.story.world import World

if TYPE_CHECKING:
    from teeproof.inference.fees import Split

__all__ = ["Paid", "tell"]


@dataclass(frozen=True)
class Paid:
    """A fee that was paid and claimed.

    Attributes:
        split: who gets what.
        before: what each payee had before, by address.
        after: and after.
    """

    split: Split
    before: dict[str, int]
    after: dict[str, int]


def tell(world: World, say: Teller, receipt: str, *, money: Money) -> Paid:
    """Pay for an answer, have everyone claim, and count that not a unit is lost."""
    from teeproof.inference.fees import split  # noqa: PLC0415
    from teeproof.proof.log.contents import Contents  # noqa: PLC0415
    from teeproof.proof.log.storage.log import Log  # noqa: PLC0415

    say.step("paid", "6 Paid")
    say.now("the receipt's lineage says who gets what")
    world.envelope(receipt)
    with Log.open(world.notary.directory, read_only=True) as log:
        divided = split(receipt, Contents(log), expected_shares=SHARES)
    payer, dev = world.account("payer"), world.dev()
    dollar, payments = money.dollar, money.payments
    say.now("the fee is paid, and each takes its part")
    supply, held = money.supply(), dollar.balance_of(payer)
    before = {payee: dollar.balance_of(payee) for payee in divided.parts}
    payments.pay(payer, answer=divided.answer, token=dollar, amount=divided.paid, root=divided.root)
    divided.require_paid(payments.payment_of(payer, divided.answer, dollar))
    for payee, amount in divided.parts.items():
        payments.claim(
            dev, payer=payer, answer=divided.answer, token=dollar, payee=payee, amount=amount,
            proof=divided.proof(payee),
        )  # fmt: skip
    after = {payee: dollar.balance_of(payee) for payee in divided.parts}
    conserved = (
        sum(after.values()) - sum(before.values())
        == held - dollar.balance_of(payer)
        == divided.paid
        and dollar.balance_of(payments.contract) == 0
        and money.supply() == supply
    )
    by_role = {
        role: [dollar.text(one.amount) for one in divided.payees if one.role == role]
        for role in ("node", "model", "data")
    }
    say.line(
        f"a fee of {dollar.text(FEE)} {dollar.symbol} = node {', '.join(by_role['node'])}"
        f" + model {', '.join(by_role['model'])}"
        f" + contributors {', '.join(by_role['data'])}"
        + (f" + kept {dollar.text(divided.kept)}" if divided.kept else "")
        + ("" if conserved else " -> RED: not conserved"),
        ids=[receipt],
        parts=by_role,
        kept=divided.kept,
        conserved=conserved,
    )
    return Paid(divided, before, after)
