"""The page of costs: own measurements beside the published ones, and none where there are none."""

from __future__ import annotations

import re
from html import unescape

import msgspec
import pytest

from teeproof.bench.probes import NO_GPU
from teeproof.cli import main
from teeproof.explorer.app import make_app
from tests.bench.test_probes import OFF, ON
from tests.explorer.conftest import ask


def _get(*measurements):
    app = make_app(None, command=str, measurements=measurements)
    return lambda path: ask(app, "GET", path)


def _text(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def test_without_a_measurement_the_page_says_so_and_names_the_command():
    page = _text(_get()("/cost").text)
    assert "Nothing: whoever runs these pages gave them no measurement" in page
    assert "teeproof bench gpu --tee --out on.json" in page
    assert "measured here, and its bounds" not in page
    assert _get()("/cost.json").json()["own"] == {"findings": [], "pairs": []}


def test_own_measurements_stand_beside_the_published_and_the_model_with_their_bounds():
    get = _get(OFF, ON)
    page = _text(get("/cost").text)
    assert "NVIDIA H200 NVL: with and without a TEE, measured here" in page
    assert "12.25 µs (10.33 to 14.16)" in page
    assert "16.4 µs (the paper's first token of the 8B model)" in page
    assert "55 GB/s (Tinfoil's measurements of 2026-06-23)" in page
    assert "2026-03-01T12:00:00Z" in page
    assert "Nothing: whoever" not in page
    (pair,) = get("/cost.json").json()["own"]["pairs"]
    assert pair["rows"][0]["quantity"] == "toll of a launch"
    assert pair["rows"][0]["own"]["us"] == pytest.approx(12.25)


def test_one_measurement_alone_is_no_toll():
    page = _text(_get(ON)("/cost").text)
    assert "There is no such pair here" in page
    assert "said to be in its TEE" in page
    assert "toll of a launch" not in page


def test_operator_hands_in_names_that_are_markup():
    page = _get(msgspec.structs.replace(ON, device="<b>x", host="<i>", driver="\u202ey"))
    assert "<b>x" not in page("/cost").text
    assert "<i>" not in page("/cost").text
    assert "\u202e" not in page("/cost").text


def test_each_quantity_has_its_own_name():
    page = _text(_get()("/cost").text)
    for words in (
        "tokens per second at batch 1: loss", "requests per second at full batch: loss",
        "time to the first token: longer by", "time of a whole answer: longer by",
    ):  # fmt: skip
        assert page.count(words) == 6, "one for each model on each GPU"
    assert page.count("+19.01 % (fitted)") == 1


def test_operator_shows_probes_of_a_cpu_as_a_gpus(tmp_path, capsys):
    path = tmp_path / "cpu.json"
    path.write_bytes(msgspec.structs.replace(OFF, device=NO_GPU).to_json())
    assert main(["explorer", "--port", "0", "--measurements", str(path), "--json"]) == 1
    assert "probes_without_gpu" in capsys.readouterr().out
