"""A node's page: what a machine offers to rent, whether a market admitted it, what became of it.

GET /node/<id>[.json]    by any of its identities
GET /node/<id>.proof     what the answer rests on, as a proof file
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from teeproof.explorer.answering import download, json_answer
from teeproof.explorer.log.together import Verifying
from teeproof.explorer.machines.node import NodePage, node_page
from teeproof.explorer.money.earnings import Claim, Earnings, Taken
from teeproof.explorer.pages.family import Site, aside, digest_of
from teeproof.explorer.telling.node import TEES, gpus_told, money_words, time_words, told_node

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from teeproof.explorer.telling.answer import Telling

__all__ = ["NodePages"]


class NodePages:
    """Pages of nodes."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._verifying = None if site.book is None else Verifying(site.book)
        self._earnings = None if site.book is None else Earnings(site.book, site.node)

    async def page(self, request: Request) -> Response:
        """The page."""
        page, taken = await self._read(request)
        one = page.file.id
        machine = None if page.node is None else page.node.evidence
        return self._site.pages.html(
            "node.html", title=page.file.name or f"Node {one[:16]}…", page=page, one=one,
            told=self._told(page), command=self._command(page), machine=machine,
            gpus=gpus_told(page.claim, machine), tees=TEES, money=money_words, time=time_words,
            taken=taken, twin=f"/node/{one}.json", proof=f"/node/{one}.proof",
            takes=[(f"/node/{one}.proof", f"{page.root[:16]}.proof")],
        )  # fmt: skip

    async def twin(self, request: Request) -> Response:
        """The same for programs."""
        page, taken = await self._read(request)
        verdict = page.together.verdict
        machine = None if page.node is None else page.node.evidence
        return json_answer({
            "id": f"sha256:{page.file.id}", "told": self._told(page).to_json(),
            "ok": verdict.ok, "exit_code": verdict.exit_code,
            "claim": msgspec.to_builtins(page.claim),
            "decision": msgspec.to_builtins(page.decision),
            "terms": msgspec.to_builtins(page.terms),
            "level": None if machine is None else machine.level,
            "gpus": {"told": gpus_told(page.claim, machine), "devices": page.devices},
            "statement": f"sha256:{page.root}",
            "admissions": [_admission(one, holds) for one, holds in page.admissions],
            "leases": [_lease(row) for row in page.leases],
            "lease_count": page.file.lease_count,
            "earned": {"leases": page.earned.leases, "totals": dict(page.earned.totals),
                       "markets": [f"sha256:{one}" for one in page.earned.markets]},
            "taken_on_chain": _taken(taken),
            "chosen": page.file.chosen, "passed_over": dict(page.file.passed_over),
            "left_out": page.left_out,
            "verdict": verdict.to_json(), "check_it_yourself": self._command(page),
        })  # fmt: skip

    async def file(self, request: Request) -> Response:
        """What the answer rests on."""
        (page, _), book = await self._read(request), self._site.log
        data = await aside(self._site, lambda: book.proof(bytes.fromhex(page.root)))
        return download(data, f"{page.root[:16]}.proof")

    async def _read(self, request: Request) -> tuple[NodePage, Taken]:
        one, book = digest_of(request.path_params["id"]).hex(), self._site.log
        verifying, earnings = self._verifying, self._earnings
        assert verifying is not None
        assert earnings is not None

        def work() -> tuple[NodePage, Taken]:
            page = node_page(book, verifying, one)
            return page, earnings.of(page)

        return await aside(self._site, work)

    def _command(self, page: NodePage) -> str:
        return self._site.command(f"sha256:{page.root}")

    def _told(self, page: NodePage) -> Telling:
        return told_node(page, command=self._command(page))


def _admission(one: Any, holds: str) -> dict[str, Any]:
    return {"statement": f"sha256:{one.id}", "market": f"sha256:{one.author}",
            "admitted": one.admitted, "reasons": list(one.codes), "at": one.at,
            "holds": holds}  # fmt: skip


def _lease(row: Any) -> dict[str, Any]:
    lease, closed = row.lease, row.closed
    return {
        "statement": f"sha256:{lease.id}", "lease": f"sha256:{lease.digest}",
        "market": f"sha256:{lease.author}", "renter": lease.renter, "rate": lease.rate,
        "asset": lease.asset, "opened": lease.opened,
        "holds": row.holds,
        "closed": None if closed is None else {
            "statement": f"sha256:{closed.id}", "reason": closed.reason, "paid": closed.paid,
            "refund": closed.refund, "seconds": closed.seconds, "beats": closed.beats,
            "at": closed.at,
        },
        "models": {name: count for name, (count, _) in lease.models.items()},
    }  # fmt: skip


def _taken(taken: Taken) -> dict[str, Any]:
    if taken.problem:
        return {
            "state": "not_checked",
            "problem": taken.problem,
            "addresses": list(taken.addresses),
        }
    return {
        "state": "asked", "problem": None, "addresses": list(taken.addresses),
        "embedded": taken.embedded,
        "blocks": {"first": taken.first, "last": taken.last},
        "totals": [{"asset": asset, "amount": str(amount), "text": text}
                   for asset, amount, text in taken.totals],
        "counted": taken.counted, "not_counted": taken.others, "not_looked_at": taken.unread,
        "more": taken.more, "claims": [_claim(one) for one in taken.claims],
    }  # fmt: skip


def _claim(one: Claim) -> dict[str, Any]:
    return {
        "answer": f"sha256:{one.answer}", "asset": one.asset, "amount": str(one.amount),
        "text": one.text, "payee": one.payee, "payer": one.payer, "block": one.block, "tx": one.tx,
        "standing": one.standing.to_json(),
    }  # fmt: skip
