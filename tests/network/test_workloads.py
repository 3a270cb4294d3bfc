"""Market and nodes as workloads of their own, behind the cloud's wall: the first chapter, whole."""

from __future__ import annotations

import json
import time

import msgspec
import pytest

from teeproof.cloud.image import Image
from teeproof.cloud.launch import launch
from teeproof.cloud.manifest import Manifest
from teeproof.cloud.owner import OwnerKey
from teeproof.core.errors import Malformed, Unavailable, Usage
from teeproof.evidence.collect.simulated import opt_in_policy
from teeproof.evidence.simulated.nvidia import SimulatedGpu
from teeproof.network.client import MarketClient
from teeproof.network.node import Config, Worker, attester_of, claim_of, read_config
from teeproof.network.workload import open_market, steady
from tests.network.scenes import ANY, PAYOUT, START, Served, node_inside, platform, processor, terms
from tests.sim.nvml import driver

NODE = {"name": "one", "price": "10", "region": "eu-west", "payout": PAYOUT}


def settings(folder, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "node.json").write_text(json.dumps(NODE | changes))
    return folder


def until(holds, what, *, seconds=300.0):
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.05)
    return found


def test_two_workloads_make_a_market(tmp_path):
    image = Image.snapshot(tmp_path / "images")
    environment = {
        "NODE_POLICY": opt_in_policy(platform()),
        "MARKET_TERMS": terms(beat=1).encode().decode(),
    }
    market = Manifest(
        "bazaar", "teeproof.network.workload", environment=environment, code=image.digest
    )
    node = Manifest("node", "teeproof.network.node", code=image.digest)

    def start(manifest, name, **options):
        return launch(
            manifest, image=image, platform=platform(), folder=tmp_path / name,
            processor=processor(name), **options,
        )  # fmt: skip

    with start(market, "market", serve=True) as bazaar:
        bazaar.ready()
        peers = {"market": bazaar.url}
        good = start(node, "good", peers=peers, inputs=settings(tmp_path / "good-in"))
        lying = settings(tmp_path / "liar-in", name="liar", gpus=[{"model": "H100", "count": 1}])
        with good, start(node, "liar", peers=peers, inputs=lying) as liar:
            assert liar.wait(300) == 4
            said = liar.progress()
            assert [reason["code"] for reason in said["reasons"]] == ["gpu_report_missing"]
            with MarketClient(bazaar.url) as client:
                until(lambda: client.market().free, "the good node")
                owner = OwnerKey.new()
                matched = client.order(owner, need=ANY, greatest_price=100, deposit=10_000)
                lease = matched.lease
                until(lambda: client.lease(lease).seconds > 0, "a second that is paid")
                assert good.progress()["lease"] == lease
                assert good.stop(120) == 0  # it leaves its lease before it ends
                closing = client.lease(lease).closing
                assert closing.reason == "node_closed"
                assert int(closing.paid) == 10 * closing.seconds > 0


def test_a_market_without_a_policy_does_not_start(tmp_path):
    inside = node_inside(tmp_path, "", machine="market")
    with pytest.raises(Usage) as refused:
        open_market(inside)
    assert refused.value.code == "setting_missing"


def test_a_market_without_terms_gives_test_units(tmp_path):
    inside = node_inside(tmp_path, "", machine="market")
    inside.environment["NODE_POLICY"] = opt_in_policy(platform())
    market = open_market(inside)
    assert market.terms.grant is not None
    assert market.terms.asset == "test"


def test_a_market_with_terms_of_another_policy_does_not_start(tmp_path):
    inside = node_inside(tmp_path, "", machine="market")
    inside.environment["NODE_POLICY"] = opt_in_policy(platform()) + "smt = false\n"
    inside.environment["MARKET_TERMS"] = terms().encode().decode()
    with pytest.raises(Malformed) as refused:
        open_market(inside)
    assert refused.value.code == "terms_of_another_policy"


def test_host_turns_its_clock_and_a_steady_one_goes_on():
    moments = iter([START, START.replace(year=1999), START.replace(year=2100)])
    ticks = iter([100.0, 101.0, 105.5])
    clock = steady(lambda: next(moments), monotonic=lambda: next(ticks))
    assert [(clock() - START).total_seconds() for _ in range(2)] == [1.0, 5.5]


GPU = {"gpus": ({"model": "GH100", "count": 1},)}


def gpu_world(tmp_path, url, library):
    """The world of a node that claims a GPU, and its claim."""
    inside = node_inside(tmp_path, url, machine="with-gpu")
    inside.environment["TEEPROOF_NVML"] = library
    return inside, claim_of(msgspec.convert(NODE | GPU, Config))


def test_a_node_asks_its_gpus_through_the_driver_and_is_admitted_with_them(tmp_path):
    with driver() as found:
        found.gpus = (SimulatedGpu(platform().gpus, 0),)
        market = Served(tmp_path / "market")
        try:
            inside, claim = gpu_world(tmp_path / "node", market.url, found.library)
            with MarketClient(market.url) as client:
                worker = Worker(inside, client, claim, attester=attester_of(inside, claim))
                decision = worker.register().decision
                assert decision.admitted, decision.reasons
                assert len(decision.gpus) == 1
                assert worker.attest().admitted
        finally:
            market.stop()


def test_a_node_without_a_driver_says_why_and_leaves_the_refusal_to_the_market(tmp_path, capsys):
    market = Served(tmp_path / "market")
    try:
        inside, claim = gpu_world(tmp_path / "node", market.url, "libnvidia-that-is-not-there.so")
        attester = attester_of(inside, claim)
        assert attester is None
        with MarketClient(market.url) as client:
            decision = Worker(inside, client, claim, attester=attester).register().decision
        assert [reason.code for reason in decision.reasons] == ["gpu_report_missing"]
    finally:
        market.stop()


def test_a_node_that_claims_no_gpu_asks_no_driver(tmp_path):
    inside = node_inside(tmp_path, "", machine="plain")
    assert attester_of(inside, claim_of(Config(**NODE))) is None


def test_a_node_counts_its_cores_and_memory_itself():
    claim = claim_of(Config(**NODE))
    assert claim.hardware.cpus >= 1
    assert claim.hardware.memory_mib > 100
    assert claim_of(Config(**NODE, cpus=1, memory_mib=64)).hardware.memory_mib == 64


@pytest.mark.parametrize("changes", [{"cpus": 10**6}, {"memory_mib": 2**40}, {"price": "0"}])
def test_node_is_told_to_offer_what_it_does_not_have(changes):
    with pytest.raises(Malformed):
        claim_of(Config(**(NODE | changes)))


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps(NODE | {"vip": 1}), "\x00"])
def test_settings_that_make_no_sense_are_refused(tmp_path, text):
    (tmp_path / "node.json").write_text(text)
    with pytest.raises(Malformed) as refused:
        read_config(tmp_path)
    assert refused.value.code == "node_settings_malformed"


def test_a_node_without_settings_says_where_they_belong(tmp_path):
    with pytest.raises(Unavailable):
        read_config(tmp_path)


def test_a_market_that_serves_looks_for_what_is_due_by_itself(tmp_path):
    served = Served(tmp_path / "market", accept_within=1, beat=1)
    try:
        with MarketClient(served.url) as client:
            from tests.network.test_service import Worker, claim

            inside = node_inside(tmp_path / "node", served.url, machine="one")
            assert Worker(inside, client, claim()).register().admitted
            matched = client.order(OwnerKey.new(), need=ANY, greatest_price=100, deposit=10_000)
            statements = served.inside.statements
            said = until(lambda: _closings(statements, matched.lease), "the end of the lease")
            assert len(said) == 1
    finally:
        served.stop()


def _closings(store, lease):
    from teeproof.proof.source import read_record

    found = [read_record(d) for held in store._statements.values() for d in held.values()]
    return [one for one in found if one.type == "urn:teeproof:lease-closing:v1"]
