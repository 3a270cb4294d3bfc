"""A pool's page: its terms in words, what came in and why it weighs what it does, what came of it.

GET /pool/<digest>         the page; <digest> is that of the pool's terms
GET /pool/<digest>.json    the same for programs
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from teeproof.core.text import many
from teeproof.data.factors import MILLION
from teeproof.data.statements import Scores
from teeproof.data.terms import PoolTerms
from teeproof.explorer.answering import json_answer
from teeproof.explorer.made.events import ROLES, percent
from teeproof.explorer.made.models import MOST_PARTS
from teeproof.explorer.made.pools import Came, Made, Pool, pool_of
from teeproof.explorer.made.rows import trained_json, withdrawn_json
from teeproof.explorer.made.standing import maker_of
from teeproof.explorer.pages.family import Site, aside, digest_of, page_number, proof_file
from teeproof.explorer.telling.proof import framed, told_proof

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["PoolPages"]

_DECISIONS = {"accepted": "accepted", "copy": "a copy: it earns nothing", "refused": "refused"}
_FAULTS = 3  # reasons of a refusal that a row tells


class PoolPages:
    """The pages of pools."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def page(self, request: Request) -> Response:
        """The page."""
        pool, number = await self._pool(request)
        verdict = pool.page.verdict
        command = self._site.command(pool.page.id)
        return self._site.pages.html(
            "pool.html", title=f"Pool {pool.terms.name}", pool=pool, number=number,
            faults=verdict.faults[:20],
            told=told_proof(verdict, pool.page.read, pool.page.body, command=command),
            sentence=framed(verdict, pool.page.read, _clause(pool)), command=command,
            takes=proof_file(pool.page.id),
            terms=_terms(pool.terms), maker=maker_of(verdict, pool.page.id),
            came=[(one, _DECISIONS.get(one.said.decision, "decided in a way not known here"),
                   _why(one)) for one in pool.came],
            made=[(one, _since(one)) for one in pool.made], left_out=pool.left_out,
            pages=max(1, -(-pool.count // MOST_PARTS)),
            earned=sorted(pool.earned.parts.items(), key=lambda each: -each[1])[:MOST_PARTS],
        )  # fmt: skip

    async def twin(self, request: Request) -> Response:
        """The same for programs."""
        pool, number = await self._pool(request)
        return json_answer(_json(pool, number))

    async def _pool(self, request: Request) -> tuple[Pool, int]:
        digest, number = digest_of(request.path_params["id"]).hex(), page_number(request)
        book = self._site.log
        found = await aside(self._site, lambda: pool_of(book, digest, start=number * MOST_PARTS))
        return found, number


def _clause(pool: Pool) -> str:
    sets, models = len(pool.made) + pool.more_made, len(pool.trained) + pool.more_trained
    since = len({part for one in pool.made for part in one.left})
    gone = f"; {since} of these {'were' if since > 1 else 'was'} withdrawn since" if since else ""
    return (
        f"the data pool “{pool.terms.name}” decided on {many(pool.count, 'contribution')}{gone};"
        f" of what it took, {many(sets, 'dataset')} and {many(models, 'model')} were made"
    )


def _terms(terms: PoolTerms) -> list[tuple[str, str, list[str]]]:
    """Return the terms in words: a question, the answer, and digests that belong to it."""
    shares = "; ".join(
        f"{percent(part)} to {ROLES.get(role, role)}"
        for role, part in sorted(terms.shares.items(), key=lambda each: -each[1])
    )
    return [
        ("Who may open a file to judge it?", "Machines that run one of these programs, and no"
         " person.", list(terms.validators)),
        ("Who may train on it?", "Machines that run one of these programs, for a job that they"
         " committed to before they got a key.", list(terms.trainers)),
        ("By what is value measured?", "By a sealed file of held-out orders, which nobody trains"
         " on.", [terms.held_out]),
        ("Who gets what of an answer's fee?", f"{shares}.", []),
        ("What does it take?", f"Files of {terms.min_records:,} to {terms.max_records:,} records of"
         f" the type “{terms.record}”, of at most {terms.max_bytes:,} bytes before sealing.", []),
        ("Can this be changed?", "No: a contributor consents to the digest of these terms, and"
         " other terms are another pool.", []),
    ]  # fmt: skip


def _why(one: Came) -> str:
    """Return why a contribution weighs what it does."""
    said = one.said
    if said.decision == "refused":
        faults = ", ".join(
            f"line {fault.line}: {fault.code[:40]}" if fault.line else fault.code[:40]
            for fault in said.reasons[:_FAULTS]
        )
        return f"{many(max(1, said.faults), 'fault')}: {faults or 'not told'}"
    if said.scores is None:
        return "nothing was measured"
    words = _measured(said.scores)
    if said.decision == "copy":
        return f"mostly what {many(len(said.copy_of), 'earlier file')} had; {words}"
    return words


def _measured(scores: Scores) -> str:
    return (
        f"{scores.records:,} records, {scores.new:,} of them new"
        f" (novelty {_share(scores.novelty)}); help with held-out orders {_share(scores.value)};"
        f" {scores.confirmed:,} texts say all that their order says (evidence"
        f" {_share(scores.evidence)})"
    )


def _share(parts: int) -> str:
    return f"{100 * parts / MILLION:.1f} %"


def _since(one: Made) -> str:
    said = []
    if one.left:
        said.append(
            f"{many(len(one.left), 'part')} withdrawn since: no later training gets that key, and"
            " models that were made before have seen it"
        )
    if one.claimed:
        said.append(
            f"of {many(one.claimed, 'part')} a withdrawal is claimed that does not hold, or was"
            " not checked here"
        )
    return "; ".join(said) or "nobody says that a part of it was withdrawn"


def _json(pool: Pool, number: int) -> dict[str, Any]:
    verdict = pool.page.verdict
    return {
        "pool": f"sha256:{pool.digest}",
        "sentence": framed(verdict, pool.page.read, _clause(pool)),
        "standing": pool.standing.to_json(), "about": pool.page.id, "left_out": pool.left_out,
        "all_tried": pool.all_tried,
        "terms": {
            "name": pool.terms.name, "validators": list(pool.terms.validators),
            "trainers": list(pool.terms.trainers), "held_out": pool.terms.held_out,
            "shares": dict(pool.terms.shares), "record": pool.terms.record,
            "min_records": pool.terms.min_records, "max_records": pool.terms.max_records,
            "max_bytes": pool.terms.max_bytes,
        },
        "contributions": {
            "count": pool.count, "page": number, "speakers": pool.speakers,
            "latest": [
                {"statement": f"sha256:{one.id.hex()}", "contribution": one.said.contribution,
                 "sequence": one.said.sequence, "decision": one.said.decision,
                 "weight": one.said.weight, "why": _why(one), "owner": one.said.consent.owner,
                 "payout": one.said.payout, "standing": one.standing.to_json(),
                 "withdrawn": withdrawn_json(one.withdrawn)}
                for one in pool.came
            ],
        },
        "datasets": [
            {"statement": f"sha256:{one.id.hex()}", "dataset": f"sha256:{one.digest}",
             "records": one.said.records, "parts": len(one.said.parts),
             "withdrawn_since": list(one.left), "withdrawals_claimed": one.claimed,
             "standing": one.standing.to_json()}
            for one in pool.made
        ],
        "more_datasets": pool.more_made,
        "models": [
            trained_json(one) for one in pool.trained
        ],
        "more_models": pool.more_trained,
        "earned": {
            "answers": pool.answers, "looked_at": pool.earned.looked, "counted": pool.earned.held,
            "by_account": [
                {"token": token, "account": account, "amount": str(amount),
                 "answers": pool.earned.counts[token, account]}
                for (token, account), amount in sorted(pool.earned.parts.items())
            ],
        },
    }  # fmt: skip
