"""A prediction says where it goes beyond what was measured, and nothing where it does not."""

from __future__ import annotations

import pytest

from teeproof.bench.paper import MODELS, ROWS
from teeproof.bench.platforms import find_platform
from teeproof.bench.predict import Workload, predict

HOPPER = ("h100-snp", "h200-tdx")
EIGHT = {"name": "m", "layers": 32, "parameters": 8.03e9, "step_ms": 7.55}


def said(platform: str = "h100-snp", **changes: object) -> list[str]:
    found = predict(Workload(**(EIGHT | changes)), find_platform(platform)).remarks
    return [remark for remark in found if "extrapolates" in remark or "shorter than" in remark]


@pytest.mark.parametrize("platform", HOPPER)
@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_a_model_of_the_paper_at_its_own_step_is_within(platform, model):
    row = next(r for r in ROWS if r.model == model.name and r.gpu.lower() == platform[:4])
    execution = "graph" if model.graphs else "eager"
    asked = {"layers": model.layers, "parameters": model.parameters, "bits": model.bits}
    step = 1e3 / row.tokens_per_second.off
    assert said(platform, **asked, execution=execution, step_ms=step) == []


@pytest.mark.parametrize("layers", [31, 41])
def test_one_layer_beyond_is_said(layers):
    assert said(layers=32) == said(layers=40) == []
    (remark,) = said(layers=layers)
    assert remark == (
        f"extrapolates to {layers} layers: models of 32 and 40 layers were measured in CUDA graphs"
    )


@pytest.mark.parametrize(("step", "beyond"), [(7.2, True), (7.4, False), (14.4, False), (15, True)])
def test_a_step_beyond_the_papers_is_said(step, beyond):
    remarks = said(step_ms=step)
    assert bool(remarks) == beyond
    assert all(f"to a step of {step:.3g} ms" in remark for remark in remarks)


def test_texts_decoded_together_are_said():
    (remark,) = said(batch=2)
    assert remark.startswith("extrapolates to 2 texts decoded together")


def test_without_graphs_the_range_is_that_of_the_slow_model():
    (layers, step) = said(execution="eager", layers=79, step_ms=100)
    assert "models of 80 layers were measured without CUDA graphs" in layers
    assert "100 ms: steps of" in step


def test_weights_that_do_not_fit_one_gpu_are_said():
    assert said(parameters=46e9, step_ms=14.0)[0].startswith("a step of 14 ms is shorter than")
    remarks = said(parameters=48e9, step_ms=14.0)
    assert remarks[0].startswith("extrapolates to 96 GB of weights, which do not fit the 94 GB")


def test_a_step_that_reads_no_weights_is_doubted_and_one_that_does_is_not():
    # 3,900 GB/s read 56.16 GB in 14.4 ms: 112.3 billion weights of 4 bits
    assert not any("shorter" in one for one in said(parameters=112e9, bits=4, step_ms=14.4))
    (remark,) = said(parameters=113e9, bits=4, step_ms=14.4)
    assert "is shorter than the 14.5 ms in which this GPU reads all the weights once" in remark


def test_one_run_of_somebody_else_is_called_that():
    assert said("b200-tdx") == ["extrapolates from one run of one decoder on this machine"]
