"""Probes: run for real where there is a GPU, on the CPU elsewhere; two findings give the tolls."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
import pytest

from teeproof.bench.compare import compare_own
from teeproof.bench.own import pairs, require_gpu
from teeproof.bench.platforms import find_platform
from teeproof.bench.predict import Workload, predict
from teeproof.bench.probes import (
    NO_GPU,
    Copy,
    Finding,
    Timing,
    Workmark,
    calibrated,
    parse_finding,
)
from teeproof.core.errors import Malformed, TooLarge, Unavailable, Usage

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def about(us: float) -> Timing:
    """Return a time with bounds a tenth of it away."""
    return Timing(us=us, low=0.9 * us, high=1.1 * us)


OFF = Finding(
    tee=False, taken="2026-03-01T12:00:00Z", device="NVIDIA H200 NVL", host="a CPU", driver="13.0",
    torch="2.9", repeats=15, launch=about(3.45), wait=about(14.0), graph_kernel=about(1.0),
    copies=(Copy(bytes=1 << 26, pinned=True, time=about(1220.0)),
            Copy(bytes=4096, pinned=False, time=about(9.0))),
    workmark=Workmark(
        layers=24, width=2048, batch=1, parameters=10**9, eager=about(2644), graph=about(2500)
    ),
)  # fmt: skip
ON = msgspec.structs.replace(
    OFF, tee=True, launch=about(15.7), wait=about(55.0), graph_kernel=about(1.5),
    copies=(Copy(bytes=1 << 26, pinned=True, time=about(7000.0)),),
    workmark=msgspec.structs.replace(OFF.workmark, eager=about(6358), graph=about(2650)),
)  # fmt: skip


def test_a_finding_reads_back_as_it_was_written():
    assert parse_finding(OFF.to_json(), name="off.json") == OFF


def test_two_findings_give_the_tolls_of_a_machine():
    machine = calibrated(OFF, ON)
    assert machine.launch.us == pytest.approx(12.25)
    assert machine.launch.low == pytest.approx(0.9 * 15.7 - 1.1 * 3.45)
    assert machine.launch.high == pytest.approx(1.1 * 15.7 - 0.9 * 3.45)
    assert machine.graph_kernel is not None
    assert machine.graph_kernel.us == pytest.approx(0.5)
    assert machine.copies.off == pytest.approx(55, rel=0.01)
    assert machine.copies.on == pytest.approx(9.59, rel=0.01)
    found = predict(Workload("x", 24, 1e9, step_ms=2.5), machine)
    assert found.toll_ms.value == pytest.approx(24 * 12 * 0.5e-3)


def test_without_a_measured_step_a_probed_machine_predicts_nothing():
    with pytest.raises(Usage) as caught:
        predict(Workload("x", 24, 1e9), calibrated(OFF, ON))
    assert caught.value.code == "step_unknown"


def test_without_graphs_a_probed_machine_predicts_kernel_by_kernel_alone():
    machine = calibrated(msgspec.structs.replace(OFF, graph_kernel=None), ON)
    with pytest.raises(Usage) as caught:
        predict(Workload("x", 24, 1e9, step_ms=2.5), machine)
    assert caught.value.code == "toll_unknown"
    assert predict(Workload("x", 24, 1e9, step_ms=2.5, execution="eager"), machine).toll_ms.low == 0


@pytest.mark.parametrize("pair", [(OFF, OFF), (ON, ON), (ON, OFF)], ids=["off", "on", "swapped"])
def test_two_findings_that_are_no_pair_are_refused(pair):
    with pytest.raises(Usage) as caught:
        calibrated(*pair)
    assert caught.value.code == "probes_do_not_pair"


def test_findings_of_two_gpus_are_no_pair():
    with pytest.raises(Usage) as caught:
        calibrated(OFF, msgspec.structs.replace(ON, device="another GPU"))
    assert caught.value.got == "another GPU"


def test_findings_without_a_gpu_are_no_pair():
    without = [msgspec.structs.replace(one, device=NO_GPU) for one in (OFF, ON)]
    with pytest.raises(Usage) as caught:
        calibrated(*without)
    assert caught.value.code == "probes_without_gpu"
    with pytest.raises(Usage):
        require_gpu(without[0], name="off.json")
    assert require_gpu(OFF, name="off.json") is OFF


def test_the_latest_two_of_each_gpu_stand_beside_what_was_published_of_it():
    old = msgspec.structs.replace(ON, taken="2026-02-01T12:00:00Z", launch=about(99))
    other = msgspec.structs.replace(OFF, device="another GPU")
    (pair,) = pairs([ON, other, old, OFF])
    assert (pair.off, pair.on) == (OFF, ON)
    assert pair.published == find_platform("h200-tdx").words
    rows = {row.quantity: row for row in pair.rows}
    assert rows["toll of a launch"].published == find_platform("h200-tdx").launch.us
    assert rows["toll of a launch"].own.us == pytest.approx(12.25)
    assert rows["copies of pinned memory, TEE on"].published == 4
    assert rows["copies of pinned memory, TEE off"].published == 55
    assert rows["toll of a kernel in a CUDA graph"].published is None, "known per layer alone"
    assert rows["decoder step, CUDA graph: longer by"].own.us == pytest.approx(6.0)
    assert pairs([ON, other]) == ()


def test_of_a_gpu_that_nobody_published_of_nothing_stands_beside_it():
    strange = [msgspec.structs.replace(one, device="a GPU") for one in (OFF, ON)]
    (pair,) = pairs(strange)
    assert pair.published is None
    assert all(row.published is None and row.source == "" for row in pair.rows)


def test_own_steps_stand_beside_what_the_probes_predict():
    eager, graph = compare_own(OFF, ON)
    assert eager.overhead == pytest.approx(100 * (6.358 - 2.644) / 2.644)
    assert graph.overhead == pytest.approx(6.0)
    assert graph.bounds == pytest.approx(
        (100 * (2650 * 0.9 / 2750 - 1), 100 * (2650 * 1.1 / 2250 - 1))
    )
    assert graph.predicted == pytest.approx(100 * 24 * 12 * 0.5e-3 / 2.5)


@pytest.mark.parametrize(
    "change",
    [{"launch": {"us": 0, "low": 0, "high": 0}}, {"launch": {"us": 1, "low": 2, "high": 3}},
     {"launch": {"us": 1, "low": -1, "high": 3}}, {"launch": {"us": 1, "low": 1, "high": 1e300}},
     {"launch": 3.45}, {"copies": []}, {"tee": "yes"}, {"more": 1}, {"taken": "yesterday"},
     {"type": "urn:teeproof:gpu-probes:v1"}, {"graph_kernel": {"us": 1, "low": 1, "high": 0.5}},
     {"device": ""}, {"device": "x" * 201}, {"repeats": 0}],
    ids=str,
)  # fmt: skip
def test_a_finding_of_another_form_is_refused(change):
    value = json.loads(OFF.to_json()) | change
    with pytest.raises(Malformed) as caught:
        parse_finding(json.dumps(value).encode(), name="off.json")
    assert caught.value.code == "probes_malformed"


def test_a_finding_without_end_is_refused():
    with pytest.raises(TooLarge):
        parse_finding(b" " * (1 << 17), name="off.json")


def test_the_probes_run_where_there_is_torch():
    pytest.importorskip("torch", reason="torch is not installed")
    from teeproof.bench.gpu import probe

    found = probe(tee=False, now=NOW, device="cpu", layers=2, width=128)
    assert (found.device, found.taken) == (NO_GPU, "2026-03-01T12:00:00Z")
    assert 0 < found.launch.us < found.wait.us * 100
    assert found.launch.low <= found.launch.us <= found.launch.high
    assert found.workmark.parameters == 2 * 12 * 128 * 128
    assert parse_finding(found.to_json(), name="x") == found


def test_where_there_is_no_gpu_the_probes_say_so():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from teeproof.bench.gpu import probe

    if torch.cuda.is_available():
        found = probe(tee=False, now=NOW, layers=2, width=128)
        assert found.graph_kernel is not None
        return
    with pytest.raises(Unavailable) as caught:
        probe(tee=False, now=NOW)
    assert caught.value.code == "gpu_missing"
