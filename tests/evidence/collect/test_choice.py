"""Which attester is taken, and that none is ever taken silently."""

from __future__ import annotations

import subprocess
import sys

import pytest

from teeproof.core.errors import Unavailable, Usage
from teeproof.evidence.collect import ATTESTER_VARIABLE, Attester, choose_attester
from teeproof.evidence.collect.dstack import DSTACK_SOCKETS, TAPPD_SOCKETS, DstackAttester
from teeproof.evidence.collect.simulated import SimulatedAttester, open_platform
from teeproof.evidence.collect.tsm import TsmAttester
from tests.evidence.simulated.judge import NOW

REPORTS = "/sys/kernel/config/tsm/report"


def _choose(environment, tmp_path, *, present=()):
    return choose_attester(
        environment, data_directory=tmp_path, now=lambda: NOW, exists=set(present).__contains__
    )


def test_a_machine_without_a_device_gets_no_attester_and_no_simulation(tmp_path):
    with pytest.raises(Unavailable) as refusal:
        _choose({}, tmp_path)
    assert refusal.value.code == "no_attester"
    assert "TEEPROOF_ATTESTER=simulated" in refusal.value.detail
    for place in (*DSTACK_SOCKETS, "DSTACK_SIMULATOR_ENDPOINT"):
        assert place in (refusal.value.expected or "")
    assert list(tmp_path.iterdir()) == []


def test_simulation_must_be_asked_for(tmp_path):
    attester = _choose({ATTESTER_VARIABLE: "simulated"}, tmp_path)
    assert isinstance(attester, SimulatedAttester)
    assert isinstance(attester, Attester)
    assert attester.platform.root_der == open_platform(tmp_path).root_der


def test_simulation_is_taken_even_where_there_is_a_device(tmp_path):
    environment = {ATTESTER_VARIABLE: "simulated"}
    attester = _choose(environment, tmp_path, present=DSTACK_SOCKETS)
    assert isinstance(attester, SimulatedAttester)


@pytest.mark.parametrize("socket", DSTACK_SOCKETS)
@pytest.mark.parametrize(
    "environment", [{}, {ATTESTER_VARIABLE: "dstack"}, {ATTESTER_VARIABLE: ""}]
)
def test_a_socket_at_a_usual_place_is_found(tmp_path, socket, environment):
    attester = _choose(environment, tmp_path, present=[socket])
    assert isinstance(attester, DstackAttester)
    assert attester.endpoint == socket


def test_dstacks_own_variable_comes_before_sockets(tmp_path):
    environment = {"DSTACK_SIMULATOR_ENDPOINT": "http://127.0.0.1:8090"}
    attester = _choose(environment, tmp_path, present=DSTACK_SOCKETS)
    assert attester.endpoint == "http://127.0.0.1:8090"


def test_asking_for_dstack_where_there_is_none_is_an_error(tmp_path):
    with pytest.raises(Unavailable, match="no attester"):
        _choose({ATTESTER_VARIABLE: "dstack"}, tmp_path)


@pytest.mark.parametrize("endpoint", ["/run/agent.sock", "./agent.sock", "http://127.0.0.1:1"])
def test_an_endpoint_can_be_named(tmp_path, endpoint):
    attester = _choose({ATTESTER_VARIABLE: endpoint}, tmp_path, present=DSTACK_SOCKETS)
    assert isinstance(attester, DstackAttester)
    assert attester.endpoint == endpoint


@pytest.mark.parametrize("word", ["simulate", "Simulated", "SIMULATED", "tdx", "simulated "])
def test_a_misspelt_attester_is_an_error(tmp_path, word):
    with pytest.raises(Usage) as refusal:
        _choose({ATTESTER_VARIABLE: word}, tmp_path, present=DSTACK_SOCKETS)
    assert (refusal.value.code, refusal.value.got) == ("attester_unknown", word)


def test_nothing_of_the_simulator_is_imported_unless_it_is_chosen():
    program = """
import sys
from pathlib import Path
from teeproof.core.errors import Unavailable
from teeproof.evidence.collect import choose_attester
try:
    choose_attester({}, data_directory=Path("."), now=None, exists=lambda path: False)
except Unavailable:
    print(any("simulated" in name for name in sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_a_guest_agent_comes_before_the_kernel(tmp_path):
    attester = _choose({}, tmp_path, present=[DSTACK_SOCKETS[0], REPORTS])
    assert isinstance(attester, DstackAttester)


def test_the_kernel_of_a_guest_is_found(tmp_path):
    attester = _choose({}, tmp_path, present=[REPORTS])
    assert isinstance(attester, TsmAttester)
    assert str(attester.place) == REPORTS


def test_where_the_kernel_keeps_its_reports_can_be_named(tmp_path):
    attester = _choose({"TEEPROOF_TSM": "/elsewhere"}, tmp_path, present=["/elsewhere"])
    assert str(attester.place) == "/elsewhere"


def test_a_tpm_is_never_taken_silently(tmp_path):
    with pytest.raises(Unavailable):
        _choose({}, tmp_path, present=["/dev/tpmrm0"])
    attester = _choose({ATTESTER_VARIABLE: "tpm", "TEEPROOF_TPM": "/run/tpm"}, tmp_path)
    assert (type(attester).__name__, attester.address) == ("TpmAttester", "/run/tpm")


@pytest.mark.parametrize("name", ["tsm", "tpm", "azure"])
def test_a_device_that_is_named_is_not_looked_for(tmp_path, name):
    attester = _choose({ATTESTER_VARIABLE: name}, tmp_path)
    assert isinstance(attester, Attester)


def test_the_older_agent_can_be_named_alone(tmp_path):
    present = [DSTACK_SOCKETS[0], TAPPD_SOCKETS[1]]
    assert _choose({ATTESTER_VARIABLE: "tappd"}, tmp_path, present=present).endpoint == present[1]
    assert _choose({ATTESTER_VARIABLE: "dstack"}, tmp_path, present=present).endpoint == present[0]
    with pytest.raises(Unavailable):
        _choose({ATTESTER_VARIABLE: "tappd"}, tmp_path, present=DSTACK_SOCKETS)
