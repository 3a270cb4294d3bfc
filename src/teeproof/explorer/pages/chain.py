"""The chain: which one it is, our contracts on it, what was anchored, paid and is held there.

GET /chain                the page
GET /chain.json           the same for programs
GET /chain/tx/<hash>      a transaction: what it did, and what the log says of it
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from teeproof.agents.powers.money import amount_text
from teeproof.agents.telling import moment
from teeproof.chain.abi import Event
from teeproof.chain.seen import Transaction
from teeproof.chain.token import asset_of
from teeproof.core.errors import Unavailable, Usage
from teeproof.evidence.verdict import Check
from teeproof.explorer.answering import json_answer
from teeproof.explorer.log.finding import Found
from teeproof.explorer.money.earnings import amount_of
from teeproof.explorer.money.ledger import Ledger, Told
from teeproof.explorer.pages.family import Site, aside

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["ChainPages"]

_HASH = re.compile(r"0x[0-9a-f]{64}", re.ASCII)
_SPOKEN = 50  # statements that a transaction's page lists


class ChainPages:
    """The pages of the chain."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._ledger = None if site.book is None else Ledger(site.book, site.node)
        site.leads.append(self._lead)

    async def page(self, _: Request) -> Response:
        """The page."""
        told = await self._told()
        return self._site.pages.html(
            "chain.html", title=_title(told), told=told, moment=moment, amount=_amounts(told),
            funds=_funds(told), blocks=[_block(told, one) for one in told.anchors],
        )  # fmt: skip

    async def twin(self, _: Request) -> Response:
        """The same for programs."""
        told = await self._told()
        head, amount = told.head, _amounts(told)
        return json_answer({
            "node": told.node or None, "chain_id": told.chain_id, "embedded": told.embedded,
            "block": None if head is None else
            {"number": head.number, "hash": head.hash, "time": moment(head.timestamp)},
            "looked_at_from_block": told.first,
            "contracts": [_check(one) for one in told.contracts],
            "anchors": [
                {"size": one.size, "check": _check(one.check), "block": one.block,
                 "block_hash": one.block_hash, "contract": one.contract, "tx": one.tx,
                 "clock": moment(one.time), "proves_time": False}
                for one in told.anchors
            ],
            "payments": [
                {"answer": f"sha256:{one.answer}", "asset": one.asset, "amount": str(one.amount),
                 "text": amount(one.asset, one.amount), "kept": str(one.kept), "payer": one.payer,
                 "tx": one.tx, "check": _check(one.check),
                 "parts": [{"role": part.role, "why": part.why, "address": part.address,
                            "amount": str(part.amount), "taken": part.taken}
                           for part in one.parts]}
                for one in told.owed
            ],
            "funds": _funds(told),
            "problems": told.problems,
        })  # fmt: skip

    async def transaction(self, request: Request) -> Response:
        """A transaction."""
        values = await self._transaction(request)
        return self._site.pages.html("chain_tx.html", title="A transaction", **values)

    async def transaction_json(self, request: Request) -> Response:
        """The same for programs."""
        values = await self._transaction(request)
        found: Transaction | None = values["found"]
        return json_answer({
            "hash": values["hash"], "problem": values["why"] or None,
            "transaction": None if found is None else {
                "status": found.receipt.status, "block": found.receipt.block,
                "block_hash": found.receipt.block_hash, "from": found.sender, "to": found.to,
                "events": [{"contract": name, "event": event, "values": dict(pairs)}
                           for name, event, pairs in values["events"]],
                "other_events": found.others,
            },
            "statements": [one.to_json() for one in values["spoken"]],
        })  # fmt: skip

    async def _told(self) -> Told:
        _ = self._site.log
        assert self._ledger is not None
        return await aside(self._site, self._ledger.told)

    async def _transaction(self, request: Request) -> dict[str, Any]:
        name = request.path_params["hash"].lower()
        if not _HASH.fullmatch(name):
            raise Usage(
                "this is no transaction's hash", code="hash_malformed",
                expected="0x and 64 hex digits", got=name[:100],
            )  # fmt: skip
        book, ledger = self._site.log, self._ledger
        assert ledger is not None
        found, why = await aside(self._site, lambda: ledger.transaction(name))
        spoken = list(await aside(self._site, lambda: _spoken(book.index.find(name))))
        if found is None and not spoken:
            raise Unavailable(
                f"neither the log nor the chain knows this transaction: {why}",
                code="nothing_found", got=name,
            )  # fmt: skip
        events = [] if found is None else [_said(*one) for one in found.events]
        return {"hash": name, "found": found, "why": why, "spoken": spoken, "events": events}

    def _lead(self, query: str) -> str | None:
        """Return the page of the transaction that a whole hash names, if the chain has it."""
        name = query.strip().lower()
        if self._ledger is None or self._site.node is None or not _HASH.fullmatch(name):
            return None
        found, _ = self._ledger.transaction(name)
        return None if found is None else f"/chain/tx/{name}"


def _title(told: Told) -> str:
    if told.chain_id is None:
        return "The chain: not asked" if not told.node else "The chain: it does not answer"
    return f"{'An embedded chain' if told.embedded else 'The chain'}, {told.chain_id}"


def _spoken(found: list[Found]) -> list[Found]:
    return list({one.statement: one for one in found}.values())[:_SPOKEN]


def _said(contract: str, event: Event) -> tuple[str, str, list[tuple[str, str]]]:
    """Return an event in words: contract, name, and each parameter as text."""
    pairs = [
        (name[:40], ("0x" + value.hex()) if isinstance(value, bytes) else str(value)[:200])
        for name, value in event.values.items()
    ]
    return contract, event.name, pairs


def _amounts(told: Told) -> Any:
    """Return a function from an asset and an amount in base units to text."""
    known = {
        asset_of(state.chain_id, one.token.address): (one.symbol, one.decimals)
        for _, state in told.funds for one in state.holdings if one.token.code is not None
    }  # fmt: skip
    return lambda asset, amount: amount_of(asset, amount, known)


def _funds(told: Told) -> list[dict[str, Any]]:
    mandates = dict(told.mandates)
    return [
        {
            "agent": agent, "fund": state.place.address, "code": state.code,
            "listens_to": state.agent, "orders": state.nonce, "shares": str(state.shares),
            "holds": [amount_text(one, mandates[agent], one.amount) for one in state.holdings],
            "sells_a_day_at_most": [amount_text(one, mandates[agent], one.per_day)
                                    for one in state.holdings],
        }
        for agent, state in told.funds
    ]  # fmt: skip


def _block(told: Told, anchored: Any) -> tuple[Any, str]:
    """Return an anchor with what a person who trusts its block passes to the verifier."""
    local = "local:" if told.embedded else ""
    return anchored, f"--block {local}{told.chain_id}:{anchored.block_hash}:{anchored.contract}"


def _check(check: Check) -> dict[str, Any]:
    return {"name": check.name, "state": check.state, "detail": check.detail,
            "expected": check.expected, "got": check.got}  # fmt: skip
