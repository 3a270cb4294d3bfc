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
        "tokens per second at batch 1 (TPS): loss",
        "requests per second at full batch (QPS): loss",
        "time to the first token (TTFT): longer by",
        "a whole answer (the paper's “ITL”): longer by",
    ):
        assert page.count(words) == 6, "one for each model on each GPU"
    assert page.count("model 19.01 % (fitted)") == 1


def test_whose_a_bar_is_stands_beside_it_and_each_has_its_own_form():
    page = _get(OFF, ON)("/cost").text
    for kind, word in (("paper", "paper"), ("model", "model"), ("own", "here")):
        drawn = re.findall(
            rf'<rect class="bar {kind}"[^>]*/>(?:<path[^>]*/>)?<text[^>]*>(.+?)<', page
        )
        assert drawn
        assert all(text.startswith(f"{word} ") for text in drawn)
    assert page.count('class="whisker"') == 2, "own steps have bounds"
    assert page.count("tokens per second lost with a TEE, percent") == 1


def test_the_drawing_that_comes_first_has_the_fastest_step_above():
    first = re.search(r"<svg.+?</svg>", _get()("/cost").text, re.DOTALL)
    assert first
    steps = [float(ms) for ms in re.findall(r">[^<]+: ([\d.]+) ms per token<", first[0])]
    assert len(steps) == 6
    assert steps == sorted(steps)
    for value in ("paper 8.84 %", "model 8.72 % (fitted)", "paper \N{MINUS SIGN}0.13 %"):
        assert first[0].count(f">{value}<") == 1


def test_who_does_not_see_a_drawing_is_told_its_numbers():
    label = re.search(
        r'aria-label="(What a TEE takes[^"]+)"', _get()("/cost").text.partition("<svg")[2]
    )
    assert label
    assert (
        "Llama-3.1-8B on H200: 7.53 ms per token: paper 8.84 %, model 8.72 % (fitted)" in label[1]
    )


def test_the_page_says_how_far_to_believe_it_as_computed():
    page = _text(_get()("/cost").text)
    assert "gives the 16 cells of the 8B and 14B models to 0.20 points" in page
    assert "the 70B rows, kernel by kernel, to 0.98 points at worst" in page


def test_operator_shows_probes_of_a_cpu_as_a_gpus(tmp_path, capsys):
    path = tmp_path / "cpu.json"
    path.write_bytes(msgspec.structs.replace(OFF, device=NO_GPU).to_json())
    assert main(["explorer", "--port", "0", "--measurements", str(path), "--json"]) == 1
    assert "probes_without_gpu" in capsys.readouterr().out
