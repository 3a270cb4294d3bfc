"""What an account has earned by answers: what the chain paid out, and why, by each lineage.

The chain's events say which part of which answer's fee an account took. Why it is that much follows
from the log alone: the receipt's shares, and the weights of all whose data the model was trained
on. Where the two differ, that is said.

Trusts: the chain's node, for what was paid.  Does not trust: whoever wrote the records.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from teeproof.core.digests import named, parse_named
from teeproof.core.errors import Error
from teeproof.explorer.console.port import Earned

if TYPE_CHECKING:
    from teeproof.chain.client import Chain, Event
    from teeproof.chain.token import Token

__all__ = ["earned"]

MOST = 100  # answers that are shown of one account: the latest


@dataclass(frozen=True, slots=True)
class _Paid:
    """A part of a fee: for which answer, by whom, in which token, how much; None if unclaimed."""

    answer: bytes
    payer: str
    token: str
    amount: int | None


def earned(
    chain: Chain,
    log: Path,
    *,
    payments: str,
    account: str,
    answers: Collection[str],
    others: Mapping[str, int],
) -> tuple[Earned, ...]:
    """Return what an account got of which answers, newest first.

    Args:
        chain: where fees are paid.
        log: the directory of the log that has the lineage.
        payments: the contract that takes fees.
        account: whose part.
        answers: receipts in whose lineage the account is, for parts that nobody has claimed yet.
        others: of an answer, how many more contributions of this account its model was trained on.

    Raises:
        Error: the chain does not answer.
    """
    from teeproof.chain.token import Token  # noqa: PLC0415  eth_abi

    found = _paid(chain, payments=payments, account=account, answers=answers)
    tokens: dict[str, Token] = {}
    told = []
    for one in reversed(found[-MOST:]):
        token = tokens.setdefault(one.token, Token(chain, one.token))
        told.append(_told(one, token, log, account=account, others=others))
    return tuple(one for one in told if one is not None)


def _paid(chain: Chain, *, payments: str, account: str, answers: Collection[str]) -> list[_Paid]:
    from teeproof.chain.payments import Payments  # noqa: PLC0415  as above

    contract = Payments(chain, payments).contract
    claimed = chain.events(contract, "Claimed", payee=account)
    taken = {(event["answer"], str(event["payer"]).lower()) for event in claimed}
    found = [(event.block, event.log_index, _of(event, event["amount"])) for event in claimed]
    wanted = {parse_named(name) for name in answers}
    for event in chain.events(contract, "Paid") if wanted else ():
        key = event["answer"], str(event["payer"]).lower()
        if event["answer"] in wanted and key not in taken:
            found.append((event.block, event.log_index, _of(event, None)))
    return [one for _, _, one in sorted(found, key=lambda each: each[:2])]


def _of(event: Event, amount: int | None) -> _Paid:
    return _Paid(bytes(event["answer"]), str(event["payer"]), str(event["token"]).lower(), amount)


def _told(
    one: _Paid, token: Token, log: Path, *, account: str, others: Mapping[str, int]
) -> Earned | None:
    """Return a part with its reason; None for one that is not claimed and not owed."""
    from teeproof.inference.fees import split  # noqa: PLC0415  as above
    from teeproof.inference.lineage import Lineage  # noqa: PLC0415
    from teeproof.proof.log.contents import Contents  # noqa: PLC0415
    from teeproof.proof.log.storage.log import Log  # noqa: PLC0415

    fee, percent, weight, weights, owed, why = "", 0, 0, 0, None, ""
    try:
        with Log.open(log, read_only=True) as opened, closing(Contents(opened)) as contents:
            divided = split(one.answer, contents)
            lineage = Lineage(contents)
            receipt = lineage.receipt(one.answer)
            data = lineage.earners(receipt)["data"]
        fee = f"{token.text(divided.amount)} {token.symbol}"
        percent = _share(receipt.body)
        weight = sum(earner.weight for earner in data if earner.address == account)
        weights = sum(earner.weight for earner in data)
        owed = divided.parts.get(account)
    except Error as error:
        why = error.detail
    amount = owed if one.amount is None else one.amount
    if amount is None:
        return None
    if not why and owed != amount:
        why = "the lineage in the log owes this account another amount"
    return Earned(
        answer=named(one.answer), amount=amount, symbol=token.symbol, decimals=token.decimals,
        fee=fee, percent=percent, weight=weight, weights=weights,
        others=others.get(named(one.answer), 0), claimed=one.amount is not None, doubt=why,
    )  # fmt: skip


def _share(body: Mapping[str, object]) -> int:
    """Return how many basis points of the fee a receipt gives to data."""
    events = body.get("event_log")
    for event in events if isinstance(events, list) else ():
        shares = event.get("shares") if event.get("type") == "x.usage" else None
        if isinstance(shares, dict) and type(shares.get("data")) is int:
            return int(shares["data"])
    return 0
