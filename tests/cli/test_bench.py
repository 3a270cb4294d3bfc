"""``teeproof bench``: each figure with its name, and nothing predicted from nothing."""

from __future__ import annotations

import pytest

from tests.bench.test_probes import OFF, ON


@pytest.fixture
def findings(tmp_path):
    (tmp_path / "off.json").write_bytes(OFF.to_json())
    (tmp_path / "on.json").write_bytes(ON.to_json())
    return tmp_path / "off.json", tmp_path / "on.json"


def test_a_model_of_the_paper_needs_no_more_than_its_name(teeproof):
    said = teeproof("bench", "predict", "llama-3.1-8b", "--on", "h200-tdx")
    assert said.code == 0
    for part in ("8.72 %", "(off - on) / off", "9.55 %", "(on - off) / off", "132.8 -> 121.2"):
        assert part in said.out
    twin = teeproof("bench", "predict", "llama-3.1-8b", "--on", "h200-tdx", "--json").json
    assert twin["step_known"] == "the paper"
    assert twin["tokens_per_second"]["on"] < twin["tokens_per_second"]["off"]
    assert twin["sources"]


def test_the_70b_model_is_run_kernel_by_kernel_as_the_paper_ran_it(teeproof):
    twin = teeproof("bench", "predict", "llama-3.1-70b", "--on", "h100-snp", "--json").json
    assert twin["workload"]["execution"] == "eager"
    assert twin["workload"]["bits"] == 4


def test_an_estimate_is_called_one(teeproof):
    said = teeproof(
        "bench", "predict", "--layers", "64", "--parameters", "32e9", "--on", "h100-snp"
    )
    assert "estimated" in said.out
    assert "measure one and give it" in said.out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("llama-3.1-8b",), "platform_missing"),
        (("llama-3.1-8b", "--on", "h300"), "platform_unknown"),
        (("gpt", "--on", "h100-snp"), "model_unknown"),
        (("--on", "h100-snp"), "model_missing"),
        (("llama-3.1-8b", "--on", "h100-snp", "--step-ms", "-1"), "workload_impossible"),
    ],
)
def test_what_cannot_be_predicted_says_why(teeproof, arguments, code):
    said = teeproof("bench", "predict", *arguments, "--json")
    assert said.code == 1
    assert code in said.out + said.err


def test_own_probes_take_the_place_of_a_known_machine(teeproof, findings):
    asked = ("bench", "predict", "--layers", "24", "--parameters", "1e9", "--step-ms", "2.5")
    said = teeproof(*asked, "--probes", *findings)
    assert said.code == 0
    assert "your own probes" in said.out
    swapped = teeproof(*asked, "--probes", *reversed(findings))
    assert swapped.code == 1
    assert "without a TEE and one within" in swapped.err


def test_the_paper_stands_beside_the_model(teeproof):
    said = teeproof("bench", "paper")
    assert said.code == 0
    assert "error 0.20 points" in said.out
    assert "not measured: see teeproof bench gpu" in said.out
    twin = teeproof("bench", "paper", "--json").json
    assert len(twin["rows"]) == 6 * 7
    assert twin["root_mean_square_error"]["tokens, 8B and 14B"] <= 0.3
    assert twin["own"] == []


def test_own_measurements_stand_beside_both(teeproof, findings):
    said = teeproof("bench", "paper", "--probes", *findings)
    assert "step, CUDA graph" in said.out
    twin = teeproof("bench", "paper", "--probes", *findings, "--json").json
    assert [row["quantity"] for row in twin["own"]] == [
        "step, kernel by kernel",
        "step, CUDA graph",
    ]


def test_a_file_that_is_no_finding_is_refused(teeproof, tmp_path, findings):
    (tmp_path / "odd.json").write_text("{}")
    said = teeproof("bench", "paper", "--probes", tmp_path / "odd.json", findings[1])
    assert said.code == 2
    assert "teeproof bench gpu" in said.err


def test_whoever_runs_probes_says_whether_it_is_a_tee(teeproof):
    said = teeproof("bench", "gpu")
    assert said.code == 1
    assert "--tee" in said.err
