"""The workload serves weights that somebody answers for, under limits that it is told."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from teeproof.cloud.local import LocalInside
from teeproof.cloud.manifest import Manifest
from teeproof.core.errors import Error, Malformed
from teeproof.inference import workload
from teeproof.inference.serving import Serving
from tests.inference.serving import PRICE, Hosted, hosted, platform
from tests.inference.talk import body, events, named, post, receipt_of


def refused(host: Hosted, **options: Any) -> Error:
    inside = host.prepare()
    if options:
        inside = LocalInside(host.folder, platform=platform(), **options)
    with pytest.raises(Error) as found:
        workload.main(inside)
    return found.value


def test_a_workload_measured_for_one_model_serves_no_other(tmp_path: Path, model: Path) -> None:
    host = Hosted(tmp_path, model)
    measured = {workload.MODEL: named(b"")}
    other = Manifest("inference", "teeproof.inference.workload", environment=measured)
    error = refused(host, manifest=other)
    assert (error.code, error.expected, error.got) == (
        "model_not_expected", named(b""), host.root.name,
    )  # fmt: skip
    right = host.root.name
    serving = Serving.parse(json.dumps(host.document).encode())
    made = workload.answerable(serving, host.root, host.training, only=right)
    assert made.statement == host.training.name


def test_host_names_one_training_and_hands_over_another(tmp_path: Path, model: Path) -> None:
    host = Hosted(tmp_path, model)
    host.document["statement"] = named(b"another")
    error = refused(host)
    assert (error.code, error.expected, error.got) == (
        "training_not_expected", named(b"another"), host.training.name,
    )  # fmt: skip


def test_the_statement_need_not_be_named_twice(tmp_path: Path, model: Path) -> None:
    with hosted(tmp_path, model, statement=None, lease=None, price=None) as host:
        answer = post(host.url, body())
        kinds = events(receipt_of(host.url, answer.headers["x-receipt-id"]))
    assert kinds["x.model"]["statement"] == host.training.name
    assert "x.links" not in kinds
    assert set(kinds["x.usage"]) == {"type", "prompt_tokens", "completion_tokens"}


@pytest.mark.parametrize("name", ["serve.json", "training.json", "model"])
def test_what_is_not_handed_over_is_named(tmp_path: Path, model: Path, name: str) -> None:
    host = Hosted(tmp_path, model)
    inside = host.prepare()
    (inside.inputs / name).unlink()
    with pytest.raises(Error) as found:
        workload.main(inside)
    assert name in f"{found.value.detail} {found.value.got}"


def test_it_says_when_it_is_ready_and_what_it_serves(tmp_path: Path, model: Path) -> None:
    with hosted(tmp_path, model) as host:
        assert host.inside is not None
        line = json.loads(host.inside.said.getvalue().splitlines()[-1])
    assert (line["event"], line["model"]) == ("ready", host.root.name)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "a:b"},
        {"model": ""},
        {"model": "x" * 101},
        {"statement": "abc"},
        {"lease": {"digest": "abc"}},
        {"lease": {}},
        {"limits": {"tokens": 0}},
        {"limits": {"running": 0}},
        {"limits": {"waiting": -1}},
        {"limits": {"waiting": 1 << 20}},
        {"price": PRICE | {"asset": "ETH"}},
        {"price": PRICE | {"answer": "1.5"}},
        {"price": PRICE | {"answer": 300000}},
        {"price": PRICE | {"token": "9" * 71}},
        {"price": PRICE | {"shares": {"node": 9999}}},
        {"price": PRICE | {"shares": {}}},
        {"price": PRICE | {"other": 1}},
        {"other": 1},
    ],
    ids=str,
)
def test_a_serving_document_that_says_it_wrong_is_refused(changes: dict[str, Any]) -> None:
    good = {"model": "orders", "price": PRICE}
    assert Serving.parse(json.dumps(good).encode()).name == "orders"
    with pytest.raises(Malformed):
        Serving.parse(json.dumps(good | changes).encode())


def test_an_expired_identity_answers_nothing(tmp_path: Path, model: Path) -> None:
    host = Hosted(tmp_path, model)
    service, store = host.service()
    later = service._writer._now() + timedelta(days=8)
    service._writer._now = lambda: later
    status, got = asyncio.run(host.talk(service, body()))
    service.close()
    assert (status, json.loads(got)["error"]["code"]) == (503, "keys_expired")
    assert store.counts == (0, 0)
    store.close()


def test_a_price_is_an_answers_and_its_tokens() -> None:
    serving = Serving.parse(json.dumps({"model": "m", "price": PRICE}).encode())
    assert serving.usage(prompt=5, count=7)["amount"] == "300120"
