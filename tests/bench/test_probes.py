"""Probes: run for real where there is a GPU, on the CPU elsewhere; two findings give the tolls."""

from __future__ import annotations

import json

import msgspec
import pytest

from teeproof.bench.compare import compare_own
from teeproof.bench.predict import Workload, predict
from teeproof.bench.probes import Copy, Finding, Workmark, calibrated, parse_finding
from teeproof.core.errors import Malformed, TooLarge, Unavailable, Usage

OFF = Finding(
    tee=False, device="a GPU", driver="13.0", launch_us=3.45, wait_us=14.0, graph_kernel_us=1.0,
    copies=(Copy(bytes=1 << 26, pinned=True, us=1220.0), Copy(bytes=4096, pinned=False, us=9.0)),
    workmark=Workmark(
        layers=24, width=2048, batch=1, parameters=10**9, eager_ms=2.644, graph_ms=2.5
    ),
)  # fmt: skip
ON = msgspec.structs.replace(
    OFF, tee=True, launch_us=15.7, wait_us=55.0, graph_kernel_us=1.5,
    copies=(Copy(bytes=1 << 26, pinned=True, us=7000.0),),
    workmark=msgspec.structs.replace(OFF.workmark, eager_ms=6.358, graph_ms=2.65),
)  # fmt: skip


def test_a_finding_reads_back_as_it_was_written():
    assert parse_finding(OFF.to_json(), name="off.json") == OFF


def test_two_findings_give_the_tolls_of_a_machine():
    machine = calibrated(OFF, ON)
    assert machine.launch.us == pytest.approx(12.25)
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
    machine = calibrated(msgspec.structs.replace(OFF, graph_kernel_us=None), ON)
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


def test_own_steps_stand_beside_what_the_probes_predict():
    eager, graph = compare_own(OFF, ON)
    assert eager.overhead == pytest.approx(100 * (6.358 - 2.644) / 2.644)
    assert graph.overhead == pytest.approx(6.0)
    assert graph.predicted == pytest.approx(100 * 24 * 12 * 0.5e-3 / 2.5)


@pytest.mark.parametrize(
    "change",
    [{"launch_us": 0}, {"launch_us": -1.0}, {"copies": []}, {"tee": "yes"}, {"more": 1},
     {"type": "urn:teeproof:gpu-probes:v2"}, {"graph_kernel_us": -0.1}, {"launch_us": 1e300}],
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

    found = probe(tee=False, device="cpu", layers=2, width=128)
    assert found.device == "cpu"
    assert 0 < found.launch_us < found.wait_us * 100
    assert found.workmark.parameters == 2 * 12 * 128 * 128
    assert parse_finding(found.to_json(), name="x") == found


def test_where_there_is_no_gpu_the_probes_say_so():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from teeproof.bench.gpu import probe

    if torch.cuda.is_available():
        found = probe(tee=False, layers=2, width=128)
        assert found.graph_kernel_us is not None
        return
    with pytest.raises(Unavailable) as caught:
        probe(tee=False)
    assert caught.value.code == "gpu_missing"
