"""Claims, orders and terms that cannot be are refused, with what is wrong and what is right."""

from __future__ import annotations

import json

import pytest

from teeproof.core.errors import Malformed, TooLarge
from teeproof.network.claim import MAX_CLAIM_BYTES, Gpus, Hardware, NodeClaim
from teeproof.network.forms import money
from teeproof.network.orders import Need
from teeproof.network.terms import Terms
from tests.network.scenes import claim, policy, terms
from tests.network.test_matching import order

TOO_MUCH = str(2**53)


def refusal(call, *arguments):
    with pytest.raises(Malformed) as refused:
        call(*arguments)
    assert refused.value.detail
    return refused.value.code


def test_a_claim_reads_back_as_it_was_written():
    made = claim(labels={"disk": "nvme"}, gpu_reports=("sha256:" + "0" * 64,))
    assert NodeClaim.parse(made.encode()) == made


@pytest.mark.parametrize("price", ["0", "-1", "", "1.5", "01", "1e3", TOO_MUCH, "9" * 40, "١"])
def test_node_asks_an_absurd_price(price):
    assert refusal(NodeClaim.parse, claim(price=price).encode()) == "amount_malformed"
    assert refusal(order(greatest_price=price).check) == "amount_malformed"
    assert refusal(order(deposit=price).check) == "amount_malformed"


def test_the_greatest_amount_is_one_below_2_to_the_53():
    assert money(str(2**53 - 1), "price") == 2**53 - 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": "Rack One"}, "name_malformed"),
        ({"name": "a" * 64}, "name_malformed"),
        ({"region": "EU"}, "region_malformed"),
        ({"payout": "0x" + "AB" * 20}, "payout_malformed"),
        ({"payout": "0x12"}, "payout_malformed"),
        ({"hardware": Hardware(cpus=0, memory_mib=1)}, "count_malformed"),
        ({"hardware": Hardware(cpus=1, memory_mib=-5)}, "count_malformed"),
        ({"hardware": Hardware(cpus=10**6, memory_mib=1)}, "count_malformed"),
        ({"hardware": Hardware(cpus=1, memory_mib=1, gpus=(Gpus(model="H100", count=0),))},
         "count_malformed"),
        ({"hardware": Hardware(cpus=1, memory_mib=1, gpus=(Gpus(model="\x1b[2J", count=1),))},
         "gpus_malformed"),
        ({"hardware": Hardware(cpus=1, memory_mib=1, gpus=(Gpus(model="L4", count=1),) * 2)},
         "gpus_malformed"),
        ({"labels": {"tee": "cpu"}}, "label_reserved"),
        ({"labels": {"a": "\n"}}, "labels_malformed"),
        ({"labels": {f"l{n}": "x" for n in range(9)}}, "labels_malformed"),
        ({"gpu_reports": ("sha256:12",)}, "digest_malformed"),
        ({"gpu_reports": ("sha256:" + "0" * 64,) * 2}, "gpu_reports_malformed"),
    ],
)  # fmt: skip
def test_node_claims_what_no_machine_can_have(changes, code):
    assert refusal(NodeClaim.parse, claim(**changes).encode()) == code


def test_node_gives_itself_a_label_that_only_the_market_gives():
    assert refusal(claim(labels={"phys": "poe"}).check) == "label_reserved"


def test_an_unknown_key_is_an_error_and_not_ignored():
    body = json.loads(claim().encode()) | {"discount": "1"}
    data = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    assert refusal(NodeClaim.parse, data) == "node_claim_malformed"


def test_a_claim_has_one_spelling():
    spaced = json.dumps(json.loads(claim().encode()), sort_keys=True).encode()
    assert refusal(NodeClaim.parse, spaced) == "not_canonical"
    twice = claim().encode().replace(b'"name":"one"', b'"name":"one","name":"one"')
    assert refusal(NodeClaim.parse, twice) == "not_canonical"


def test_a_claim_that_is_too_large_is_not_read():
    with pytest.raises(TooLarge):
        NodeClaim.parse(b"[" * (MAX_CLAIM_BYTES + 1))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"id": "short"}, "order_id_malformed"),
        ({"id": "x" * 65}, "order_id_malformed"),
        ({"renter": "ab"}, "owner_malformed"),
        ({"need": Need(tee=())}, "tee_malformed"),
        ({"need": Need(tee=("none",))}, "tee_malformed"),
        ({"need": Need(tee=("cpu", "sim"))}, "tee_malformed"),
        ({"need": Need(cpus=0)}, "count_malformed"),
        ({"need": Need(memory_mib=2**40)}, "count_malformed"),
        ({"need": Need(regions=("b-b", "a-a"))}, "regions_malformed"),
        ({"need": Need(labels={"tee": "cpu"})}, "label_reserved"),
    ],
)
def test_renter_orders_what_no_market_can_match(changes, code):
    assert refusal(order(**changes).check) == code


def test_simulated_machines_are_taken_only_by_who_asks_for_them():
    assert "sim" not in Need().tee


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"window": 4}, "terms_out_of_order"),
        ({"pause_after": 15}, "terms_out_of_order"),
        ({"close_after": 60}, "terms_out_of_order"),
        ({"attestation": 0}, "count_malformed"),
        ({"grant": "0"}, "amount_malformed"),
        ({"asset": ""}, "asset_malformed"),
        ({"asset": "\x1b"}, "asset_malformed"),
        ({"window": "15"}, "market_terms_malformed"),
        ({"surcharge": 1}, "market_terms_malformed"),
    ],
)
def test_terms_under_which_no_lease_can_run_are_refused(changes, code):
    assert refusal(lambda: terms(**changes)) == code


def test_terms_read_back_and_belong_to_one_policy():
    made = terms()
    assert Terms.parse(made.encode()) == made
    made.require_policy(policy())
    other = policy().with_(name="another")
    assert refusal(made.require_policy, other) == "terms_of_another_policy"
