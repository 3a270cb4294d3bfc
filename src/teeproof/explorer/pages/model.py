"""A model's page: when it was trained, by which machine, on what, how good it is said to be.

GET /model/<digest>          the page
GET /model/<digest>.json     the same for programs

What the trainer's statement claims is told with whose word it is; of what is only listed, such as
answers, each own page says what holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING, Any

from teeproof.evidence.verdict import not_checked
from teeproof.explorer.answering import json_answer
from teeproof.explorer.drawn.curves import curve
from teeproof.explorer.log.content import Book
from teeproof.explorer.made.events import price_of, tokens_of
from teeproof.explorer.made.models import Model, model_of, size_of
from teeproof.explorer.made.rows import Trained, trained_json, withdrawn_json
from teeproof.explorer.made.standing import Maker, maker_of, standing_of
from teeproof.explorer.pages.family import Site, aside, digest_of, page_number, proof_file
from teeproof.explorer.telling.proof import framed, told_proof
from teeproof.explorer.telling.times import day, moment
from teeproof.training.curve import MOST_POINTS
from teeproof.training.statements import Training

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["ModelPages", "drawings"]

_ANSWERS = 100  # on one page
_SHOWN_TENSORS = 512
_UNWEIGHED = not_checked(
    "training-weights",
    "whether the model's root follows from what is listed was not checked: the claim has no form",
)


class ModelPages:
    """The pages of models."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def page(self, request: Request) -> Response:
        """The page."""
        digest, number = digest_of(request.path_params["id"]).hex(), page_number(request)
        values = await aside(self._site, lambda: self._values(digest, number))
        return self._site.pages.html("model.html", **values)

    async def twin(self, request: Request) -> Response:
        """The same for programs."""
        digest, number = digest_of(request.path_params["id"]).hex(), page_number(request)
        return json_answer(await aside(self._site, lambda: self._json(digest, number)))

    def _values(self, digest: str, number: int) -> dict[str, Any]:
        book = self._site.log
        model = model_of(book, digest)
        page, said = model.page, model.said
        values: dict[str, Any] = {
            "model": model, "said": said, "title": f"Model {digest[:8]}", "number": number,
            "answers": _answers(book, digest, number), "pages": _pages(book, digest),
            "count": book.ties.count("answers", digest), "command": "teeproof verify LOG ID",
            "page": page, "told": None, "left_out": _left_out(book, digest),
        }  # fmt: skip
        if page is None or said is None:
            return values
        command = self._site.command(page.id)
        told = told_proof(page.verdict, page.read, page.body, command=command)
        maker = maker_of(page.verdict, page.id)
        own = page.verdict.statement(page.id).checks
        loss, score = drawings(said)
        return values | {
            "told": told, "command": command, "maker": maker, "own": own,
            "takes": proof_file(page.id),
            "sentence": framed(page.verdict, page.read, _clause(model, said)),
            "rows": list(_rows(model, said, maker)), "faults": page.verdict.faults[:20],
            "loss": loss, "score": score, "points": said.losses[:MOST_POINTS],
            "standing": standing_of(page.verdict),
            "tensors": [
                (one, size_of(one), " × ".join(map(str, one.shape)) or "one number")
                for one in said.tensors[:_SHOWN_TENSORS]
            ],
            "parameters": _parameters(said), "files": page.read.subjects[:_SHOWN_TENSORS],
            "weights": next((one for one in own if one.name == "training-weights"), _UNWEIGHED),
            "beside": [_beside(one) for one in _every(model, said)],
        }  # fmt: skip

    def _json(self, digest: str, number: int) -> dict[str, Any]:
        book = self._site.log
        model = model_of(book, digest)
        page, said = model.page, model.said
        body: dict[str, Any] = {
            "model": f"sha256:{digest}",
            "claims": [
                {"statement": f"sha256:{one.id.hex()}", "standing": one.standing.to_json()}
                for one in model.claims
            ],
            "claimed": model.claimed, "left_out": _left_out(book, digest),
            "answers": {
                "count": book.ties.count("answers", digest), "page": number,
                "latest": [one | {"when": one["when"]} for one in _answers(book, digest, number)],
            },
        }  # fmt: skip
        if page is None or said is None:
            return body
        return body | {
            "sentence": framed(page.verdict, page.read, _clause(model, said)),
            "statement": page.id,
            "standing": standing_of(page.verdict).to_json(),
            "maker": maker_of(page.verdict, page.id).to_json(),
            "trained_no_later_than": page.verdict.statement(page.id).time,
            "held_out": {"before": said.before.right, "after": said.after.right,
                         "of": said.after.of, "whose_word": "the trainer's"},
            "losses": [[one.step, one.loss] for one in said.losses],
            "looks": [[one.step, one.right] for one in said.looks],
            "tensors": [
                {"name": one.name, "dtype": one.dtype, "shape": list(one.shape),
                 "bytes": size_of(one), "sha256": one.sha256}
                for one in said.tensors
            ],
            "files": [{"name": one.name, "digest": one.digest} for one in page.read.subjects],
            "pool": None if model.pool is None else f"sha256:{model.pool}",
            "parts": [
                {"contribution": one.part.contribution, "sequence": one.part.sequence,
                 "records": one.part.records, "used": one.used, "weight": one.part.weight,
                 "share_millionths": one.share, "payout": one.part.payout,
                 "withdrawn": withdrawn_json(one.withdrawn)}
                for one in model.parts
            ],
            "more_parts": model.more_parts,
            "left_out_records": said.left_out,
            "keys": said.release,
            "owner": said.payout,
            "others": [
                trained_json(one) for one in model.others
            ],
            "more_others": model.more_others,
        }  # fmt: skip


def _clause(model: Model, said: Training) -> str:
    assert model.page is not None
    records = sum(source.records for source in said.sources)
    when = day(model.page.verdict.statement(model.page.id).time)
    time = f", no later than {when}," if when else ""
    files = f"{len(said.sources)} contribution{'s' * (len(said.sources) != 1)}"
    return (
        f"a trainer made this model{time} from {files} with {records:,} records; by its own word"
        f" it gets {said.after.right} of {said.after.of} held-out orders wholly right"
    )


def _rows(model: Model, said: Training, maker: Maker) -> Iterator[tuple[str, str, str]]:
    """Yield what a person asks of a model: question, answer, and whose word that is."""
    assert model.page is not None
    verdict = model.page.verdict
    when = day(verdict.statement(model.page.id).time)
    yield (
        "Trained when?", f"No later than {when}." if when else "That is not known.",
        "Witnesses who are trusted here saw the statement by then." if when
        else "Nobody who is trusted here vouches for a time.",
    )  # fmt: skip
    code = f" that ran the code {maker.code[:16]}…" if maker.code else " of unknown code."
    yield (
        "By which machine?", f"By {maker.machine}{code}",
        {"hardware": "A vendor's hardware vouches for machine and code.",
         "measured": "A TPM vouches for what was started.",
         "simulated": "A simulator's word: anybody can run one."}.get(
             verdict.level or "", "Nothing is established about the machine."),
    )  # fmt: skip
    records = sum(source.records for source in said.sources)
    left = f"; {said.left_out} left out, since they are held out too" if said.left_out else ""
    yield (
        "On what?", f"{records:,} records of {len(said.sources)} sealed files{left}.",
        "The trainer's word on what it read; the pool's on what the files are.",
    )  # fmt: skip
    share = f" ({100 * said.after.right / said.after.of:.1f} %)" if said.after.of > 0 else ""
    yield (
        "How good?",
        f"{said.after.right} of {said.after.of} held-out orders wholly right{share};"
        f" {said.before.right} before the training.",
        "The trainer's word alone: nobody has measured it again here.",
    )  # fmt: skip


def drawings(said: Training) -> tuple[str, str]:
    """Return the curves of losses and of held-out orders as SVG; empty where there is none."""
    return _loss(said), _score(said)


def _loss(said: Training) -> str:
    told = said.losses[:MOST_POINTS]
    points = [(one.step, float(one.loss)) for one in told if _is_number(one.loss)]
    return curve(points, title="loss by step, as the trainer told it") if points else ""


def _score(said: Training) -> str:
    of = said.after.of
    if of < 1:
        return ""
    last = int(said.summary.get("global_step", "0")[:9]) if _steps(said) else 1
    points = [(0, 100 * said.before.right / of)]
    points += [(one.step, 100 * one.right / of) for one in said.looks[:MOST_POINTS]]
    points.append((last, 100 * said.after.right / of))
    return curve(points, title="held-out orders wholly right, in percent, by step", top=100.0,
                 text=lambda value: f"{value:g} %")  # fmt: skip


def _steps(said: Training) -> bool:
    text = said.summary.get("global_step", "")[:9]
    return text.isascii() and text.isdigit() and int(text) > 0


def _is_number(text: str) -> bool:
    head, _, tail = text.partition(".")
    return (
        len(text) <= 20 and head.isascii() and head.isdigit() and tail.isascii() and tail.isdigit()
    )


def _parameters(said: Training) -> int:
    return sum(prod(one.shape) for one in said.tensors if size_of(one) is not None)


def _answers(book: Book, digest: str, number: int) -> list[dict[str, Any]]:
    """Return the answers of one page, newest first, as their receipts tell them."""
    ids = book.ties.latest("answers", digest, start=number * _ANSWERS, count=_ANSWERS)
    found = []
    for read in book.reads(ids):
        body = {} if read.receipt is None else read.receipt.body
        price, tokens = price_of(body), tokens_of(body)
        found.append(
            {"id": read.id.hex(), "when": moment(body.get("served_at")), "tokens": tokens,
             "amount": None if price is None else price.amount}
        )  # fmt: skip
    return found


def _left_out(book: Book, digest: str) -> int:
    return sum(book.left_out.of(tie, digest) for tie in ("model", "answers"))


def _pages(book: Book, digest: str) -> int:
    return max(1, -(-book.ties.count("answers", digest) // _ANSWERS))


def _every(model: Model, said: Training) -> list[Trained]:
    """Return this model and the others of the same data, side by side."""
    assert model.chosen is not None
    mine = Trained(
        model=model.digest, id=model.chosen.id, said=said, standing=model.chosen.standing
    )
    return [mine, *model.others]


def _beside(one: Trained) -> dict[str, Any]:
    said = one.said
    return {
        "model": one.model, "standing": one.standing, "said": said,
        "records": sum(source.records for source in said.sources),
        "files": {source.file for source in said.sources if source.records > 0},
        "loss": said.losses[-1].loss if said.losses else said.summary.get("loss", "not told"),
        "share": f"{100 * said.after.right / said.after.of:.1f} %" if said.after.of > 0 else "-",
    }  # fmt: skip
