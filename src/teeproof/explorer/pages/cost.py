"""What a TEE costs: the published figures, the model, own measurements, and a prediction.

Own measurements are files of ``teeproof bench gpu`` that the operator named; nothing is measured by
a page, and a file that was made without a GPU is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from teeproof.bench.compare import Compared, compare, error_of
from teeproof.bench.own import pairs
from teeproof.bench.platforms import NAMES, find_platform
from teeproof.bench.predict import Prediction, Workload, find_model, predict
from teeproof.bench.tolls import LAUNCHES_PER_LAYER, launches_of
from teeproof.core.errors import Usage
from teeproof.explorer.answering import json_answer
from teeproof.explorer.drawn.costs import by_model, by_step, own_steps
from teeproof.explorer.pages.family import Site

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["CostPages"]

MODELS = ("llama-3.1-8b", "phi-3-14b", "llama-3.1-70b")
_NUMBERS = {"layers": int, "parameters": float, "bits": int, "batch": int, "step_ms": float}


class CostPages:
    """The page of costs."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._pairs = pairs(site.measurements)

    async def page(self, request: Request) -> Response:
        """The page."""
        found, asked = _asked(request.query_params)
        rows = compare()
        return self._site.pages.html(
            "cost.html", title="What a TEE costs", plots=by_model(rows), overview=by_step(rows),
            errors=_errors(rows), models=MODELS, machines=NAMES, found=found, asked=asked,
            measurements=self._site.measurements,
            pairs=[(pair, own_steps(pair)) for pair in self._pairs],
        )  # fmt: skip

    async def twin(self, request: Request) -> Response:
        """The same for programs."""
        found, _ = _asked(request.query_params)
        return json_answer({
            "source": "arXiv 2409.03992v4", "rows": [_row(row) for row in compare()],
            "own": {
                "findings": msgspec.to_builtins(self._site.measurements),
                "pairs": msgspec.to_builtins(self._pairs),
            },
            "prediction": None if found is None else _prediction(found),
        })  # fmt: skip


def _errors(rows: tuple[Compared, ...]) -> dict[str, float]:
    """Return by how many points the model errs on the paper's tokens per second."""
    tokens = [row for row in rows if row.quantity.startswith("tokens")]
    large = [row for row in tokens if row.model == "Llama-3.1-70B"]
    whole = [row for row in large if row.quantity.endswith("all")]
    return {
        "graphs": error_of([row for row in tokens if row not in large]),
        "cells": len(tokens) - len(large),
        "eager": max(abs(row.error or 0.0) for row in whole),
    }


def _asked(query: QueryParams) -> tuple[Prediction | None, dict[str, str]]:
    """Return the prediction that was asked for, and what stood in the form."""
    asked = {key: value[:40] for key, value in query.items()}
    if "on" not in asked:
        return None, asked
    numbers = {name: _number(name, asked[name]) for name in _NUMBERS if asked.get(name)}
    known = find_model(asked.get("model", ""))
    if known is None and not {"layers", "parameters"} <= set(numbers):
        raise Usage(
            "name a model of the list, or give its layers and parameters", code="model_unknown",
            expected=", ".join(MODELS), got=asked.get("model", ""),
        )  # fmt: skip
    eager = asked.get("eager") == "on" or (known is not None and not known.graphs)
    work = Workload(
        name=known.name if known else "your model",
        layers=int(numbers.get("layers") or (known.layers if known else 0)),
        parameters=numbers.get("parameters") or (known.parameters if known else 0),
        bits=int(numbers.get("bits") or (known.bits if known else 16)),
        execution="eager" if eager else "graph",
        batch=int(numbers.get("batch") or 1),
        step_ms=numbers.get("step_ms"),
        launches_per_layer=launches_of(known) if known else LAUNCHES_PER_LAYER,
    )
    return predict(work, find_platform(asked["on"])), asked


def _number(name: str, text: str) -> float:
    try:
        return float(_NUMBERS[name](text))
    except ValueError:
        raise Usage(
            "this is no number", code="number_malformed", expected=f"{name} as a number",
            got=text,
        ) from None  # fmt: skip


def _prediction(found: Prediction) -> dict[str, Any]:
    off, on = found.tokens_per_second
    body: dict[str, Any] = msgspec.to_builtins(found)
    return body | {"tokens_per_second": {"off": off, "on": on}}


def _row(row: Compared) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.to_builtins(row)
    return body | {"error": row.error}
