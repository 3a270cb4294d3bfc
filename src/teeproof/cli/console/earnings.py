"""What an account has earned by answers: what the chain paid out, and why, by each lineage.

The chain's events say which part of which answer's fee an account took. Why it is that much follows
from the log alone: the receipt's shares, and the weights of all whose data the model was trained
on. Where the two differ, that is said.

Trusts: the chain's node, for what was paid.  Does not trust: whoever wrote the records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from teeproof.core.digests import named, parse_named
from teeproof.core.errors import Error
from teeproof.explorer.console.port import Earned

if TYPE_CHECKING:
    from teeproof.chain.client import Chain, Event
    from teeproof.chain.payments import Payment
    from teeproof.chain.token import Token
    from teeproof.inference.fees import Split

__all__ = ["Found", "earned"]

MOST = 100  # parts that are shown of one account: the latest
_LOOKS = 2_000  # events of a kind that are read: the latest
_ANSWERS = 4_096  # answers whose payments are asked for: the latest
_AT_ONCE = 256  # of which in one question


class Found(NamedTuple):
    """Parts of answers' fees, newest first; ``more``: whether some may be unread."""

    parts: tuple[Earned, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class _Paid:
    """An event: what was paid for which answer; an amount if it is what the account took of it."""

    answer: bytes
    token: str
    paid: Payment | None
    taken: int | None


@dataclass(frozen=True, slots=True)
class _Due:
    """What the log says of an answer's fee; none of it, and why, where that cannot be told."""

    divided: Split | None
    percent: int
    weight: int
    weights: int
    doubt: str


def earned(
    chain: Chain,
    log: Path,
    *,
    payments: str,
    account: str,
    answers: Sequence[str],
    others: Mapping[str, int],
) -> Found:
    """Return what an account got of which answers, newest first.

    Anybody may pay anything for any answer, in a coin of his own too. So what waits counts only
    where it is the payment that the answer asks for, and what was taken only in that token.

    Args:
        chain: where fees are paid.
        log: the directory of the log that has the lineage.
        payments: the contract that takes fees.
        account: whose part.
        answers: receipts in whose lineage the account is, the latest last; others are left out.
        others: of an answer, how many more contributions of this account its model was trained on.

    Raises:
        Error: the chain does not answer.
    """
    from teeproof.chain.token import Token  # noqa: PLC0415  eth_abi

    found, more = _paid(chain, payments=payments, account=account, answers=answers)
    tokens: dict[str, Token] = {}
    dues: dict[bytes, _Due] = {}
    told: list[Earned] = []
    for one in reversed(found):
        if one.answer not in dues:
            dues[one.answer] = _due(log, one.answer, account=account)
        due = dues[one.answer]
        if not _counts(one, due, account=account):
            continue
        token = tokens.setdefault(one.token, Token(chain, one.token))
        told.append(_told(one, due, token, account=account, others=others))
        if len(told) == MOST:
            more = True
            break
    return Found(tuple(told), more)


def _paid(
    chain: Chain, *, payments: str, account: str, answers: Sequence[str]
) -> tuple[list[_Paid], bool]:
    """Return what was paid for answers and not taken, and what was taken, oldest first.

    Anybody may pay for any answer: a node is only asked about those of this account.
    """
    from teeproof.chain.payments import Payments  # noqa: PLC0415  as above

    contract = Payments(chain, payments).contract
    wanted = [parse_named(name) for name in answers[-_ANSWERS:]]
    ours = frozenset(wanted)
    claimed: list[Event] = []
    paid: list[Event] = []
    more = len(answers) > _ANSWERS
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        taken_ = chain.events(contract, "Claimed", most=_LOOKS, payee=account, answer=some)
        paid_ = chain.events(contract, "Paid", most=_LOOKS, answer=some)
        more |= _LOOKS in (len(taken_), len(paid_))
        claimed += taken_
        paid += paid_
    taken = {_key(event) for event in claimed}
    found = [
        (event.block, event.log_index, _of(event, taken=event["amount"]))
        for event in claimed
        if event["answer"] in ours
    ]
    for event in paid:
        if event["answer"] in ours and _key(event) not in taken:
            found.append((event.block, event.log_index, _of(event, taken=None)))
    return [one for _, _, one in sorted(found, key=lambda each: each[:2])], more


def _key(event: Event) -> tuple[bytes, str, str]:
    """Return what the contract keeps payments by."""
    return event["answer"], str(event["payer"]).lower(), str(event["token"]).lower()


def _of(event: Event, *, taken: int | None) -> _Paid:
    from teeproof.chain.payments import Payment  # noqa: PLC0415  as above

    answer, token, paid = bytes(event["answer"]), str(event["token"]).lower(), None
    if taken is None:
        amount = int(event["amount"])
        paid = Payment(token, amount, bytes(event["root"]), amount)
    return _Paid(answer, token, paid, taken)


def _due(log: Path, answer: bytes, *, account: str) -> _Due:
    from teeproof.inference.fees import split  # noqa: PLC0415  as above
    from teeproof.inference.lineage import Lineage  # noqa: PLC0415
    from teeproof.proof.log.contents import Contents  # noqa: PLC0415
    from teeproof.proof.log.storage.log import Log  # noqa: PLC0415

    try:
        with Log.open(log, read_only=True) as opened, closing(Contents(opened)) as contents:
            divided = split(answer, contents)
            lineage = Lineage(contents)
            receipt = lineage.receipt(answer)
            data = lineage.earners(receipt)["data"]
    except Error as error:
        return _Due(None, 0, 0, 0, error.detail)
    return _Due(
        divided, _share(receipt.body), sum(one.weight for one in data if one.address == account),
        sum(one.weight for one in data), "",
    )  # fmt: skip


def _counts(one: _Paid, due: _Due, *, account: str) -> bool:
    """Return whether an event is of the fee that the answer asks for, as far as that is known."""
    if due.divided is None:
        return one.taken is not None  # it was taken; the words say that the reason is not shown
    if one.token != due.divided.token:
        return False
    if one.paid is None:
        return True
    with suppress(Error):
        due.divided.require_paid(one.paid)
        return account in due.divided.parts
    return False


def _told(
    one: _Paid, due: _Due, token: Token, *, account: str, others: Mapping[str, int]
) -> Earned:
    """Return a part with its reason."""
    fee, owed, why = "", None, due.doubt
    if due.divided is not None:
        fee = f"{token.text(due.divided.amount)} {token.symbol}"
        owed = due.divided.parts.get(account)
    amount = owed if one.taken is None else one.taken
    assert amount is not None  # so it counts
    if not why and owed != amount:
        why = "the lineage in the log owes this account another amount"
    return Earned(
        answer=named(one.answer), amount=amount, symbol=token.symbol, decimals=token.decimals,
        fee=fee, percent=due.percent, weight=due.weight, weights=due.weights,
        others=others.get(named(one.answer), 0), claimed=one.taken is not None, doubt=why,
        token=one.token,
    )  # fmt: skip


def _share(body: Mapping[str, object]) -> int:
    """Return how many basis points of the fee a receipt gives to data."""
    events = body.get("event_log")
    for event in events if isinstance(events, list) else ():
        shares = event.get("shares") if event.get("type") == "x.usage" else None
        if isinstance(shares, dict) and type(shares.get("data")) is int:
            return int(shares["data"])
    return 0
