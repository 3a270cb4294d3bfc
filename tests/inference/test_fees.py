"""A fee goes to those whom the receipt's lineage names: to the unit, and to nobody else."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.chain import merkle
from teeproof.chain.payments import Payment
from teeproof.core.errors import Malformed, NotAllowed, NotAuthentic, Unavailable, Usage
from teeproof.inference.fees import Payee, split
from teeproof.proof.links import Material
from teeproof.proof.receipt import link_event, model_event
from tests.inference.lineages import NODE, OWNER, SHARES, TOKEN, Story, address, predicate

ANNE, BEN, CARA, DAN = map(address, range(1, 5))


@pytest.fixture
def story() -> Story:
    return Story()


def usual(story: Story, *parts: tuple[str, int], **options) -> bytes:
    parts = parts or ((ANNE, 600), (BEN, 200), (CARA, 100), (DAN, 0))
    return story.receipt(story.lease(), story.training(story.dataset(*parts)), **options)


def amounts(found) -> dict[str, int]:
    return {payee.address: payee.amount for payee in found.payees}


def test_a_fee_goes_to_node_model_and_contributors_by_weight(story):
    answer = usual(story)
    found = split(answer, story.source)
    assert found.payees == (
        Payee("node", NODE, 120_000),
        Payee("model", OWNER, 90_000),
        Payee("data", ANNE, 60_000),
        Payee("data", BEN, 20_000),
        Payee("data", CARA, 10_000),
    )
    assert (found.amount, found.paid, found.kept) == (300_000, 300_000, 0)
    assert (found.answer, found.chain_id, found.token) == (answer, 31_337, TOKEN)
    assert split(f"sha256:{answer.hex()}", story.source) == found


def test_a_copy_that_weighs_nothing_earns_nothing(story):
    found = split(usual(story), story.source)
    assert DAN not in amounts(found)
    with pytest.raises(Usage) as refused:
        found.proof(DAN)
    assert refused.value.code == "payee_unknown"


def test_each_payee_has_a_proof_and_nobody_else(story):
    found = split(usual(story), story.source)
    assert len(found.leaves) == len(set(found.leaves)) == 5
    for payee, amount in found.parts.items():
        leaf = merkle.leaf_of(found.answer, payee, amount)
        assert merkle.root_of(leaf, found.proof(payee)) == found.root
        for forged in (
            merkle.leaf_of(found.answer, payee, amount + 1),
            merkle.leaf_of(found.answer, DAN, amount),
            merkle.leaf_of(bytes(32), payee, amount),
        ):
            assert merkle.root_of(forged, found.proof(payee)) != found.root


def test_units_that_are_left_go_to_the_largest_remainders(story):
    found = split(usual(story, (ANNE, 1), (BEN, 1), (CARA, 1), amount=10), story.source)
    # 4, 3 and three times 1
    assert [payee.amount for payee in found.payees] == [4, 3, 1, 1, 1]
    found = split(usual(story, (ANNE, 5), (BEN, 3), (CARA, 2), amount=11), story.source)
    # exact: 4.4, 3.3, 1.65, 0.99, 0.66; 8 units at once, then Cara's .99 ... by remainder
    assert amounts(found) == {NODE: 4, OWNER: 3, ANNE: 2, BEN: 1, CARA: 1}


def test_of_equal_remainders_node_comes_before_model_before_data_by_address(story):
    shares = {"node": 2500, "model": 2500, "data": 5000}
    for amount, expected in (
        (1, [NODE]), (2, [NODE, OWNER]), (3, [NODE, OWNER, ANNE]),
    ):  # fmt: skip
        receipt = usual(story, (BEN, 1), (ANNE, 1), amount=amount, shares=shares)
        assert list(amounts(split(receipt, story.source))) == expected


def test_the_order_of_parts_does_not_matter(story):
    parts = [(address(n), n % 7) for n in range(1, 30)]
    first = split(usual(story, *parts, amount=1_000_003), story.source)
    random.Random(3).shuffle(parts)
    second = split(usual(story, *parts, amount=1_000_003), story.source)
    assert first.payees == second.payees


def test_three_hundred_contributors_share_to_the_unit(story):
    parts = [(address(n), 1 + n * n % 97) for n in range(300)]
    found = split(usual(story, *parts, amount=10**18 + 7), story.source)
    assert len(found.leaves) == 302
    assert sum(found.parts.values()) == 10**18 + 7
    assert found.kept == 0
    total = sum(weight for _, weight in parts)
    for who, weight in parts:
        exact = (10**18 + 7) * 3 * weight / (10 * total)
        assert abs(found.parts[who] - exact) <= max(1, exact * 1e-12)
    assert merkle.root_of(
        merkle.leaf_of(found.answer, address(5), found.parts[address(5)]),
        found.proof(address(5)),
    ) == found.root  # fmt: skip


def test_fewer_units_than_contributors_are_still_all_paid(story):
    parts = [(address(n), 1) for n in range(100)]
    found = split(usual(story, *parts, amount=100), story.source)
    assert sum(found.parts.values()) == 100
    assert sum(payee.role == "data" for payee in found.payees) == 30


def test_who_contributes_twice_or_in_two_roles_has_one_leaf(story):
    found = split(usual(story, (ANNE, 1), (BEN, 2), (ANNE, 1), (NODE, 4)), story.source)
    assert [payee.role for payee in found.payees] == ["node", "model", "data", "data", "data"]
    assert found.parts == {
        NODE: 120_000 + 45_000, OWNER: 90_000, ANNE: 22_500, BEN: 22_500,
    }  # fmt: skip
    assert len(found.leaves) == 4


def test_contributor_who_splits_a_file_into_many_gains_no_unit(story):
    whole = split(usual(story, (ANNE, 100), (BEN, 33), amount=1009), story.source)
    parts = split(usual(story, *[(ANNE, 1)] * 100, (BEN, 33), amount=1009), story.source)
    assert amounts(whole) == amounts(parts)


def test_a_part_that_the_training_left_out_earns_nothing(story):
    dataset = story.dataset((ANNE, 600), (BEN, 200), (CARA, 100))
    for records, expected in (
        ({}, [60_000, 20_000, 10_000]),
        ({1: 0}, [77_143, 0, 12_857]),  # of 90,000: 600 and 100 parts of 700
    ):
        receipt = story.receipt(story.lease(), story.training(dataset, records=records))
        found = amounts(split(receipt, story.source))
        assert [found.get(who, 0) for who in (ANNE, BEN, CARA)] == expected


def test_trainer_who_names_a_part_that_no_dataset_has_is_caught(story):
    dataset, other = story.dataset((ANNE, 1)), story.dataset((BEN, 1))
    sources = story.training(dataset, other).predicate.sources
    training = story.say("training", of=[("dataset", dataset)], payout=OWNER, sources=sources)
    with pytest.raises(NotAuthentic) as refused:
        split(story.receipt(story.lease(), training), story.source)
    assert (refused.value.code, refused.value.got) == ("lineage_disputed", sources[1].file)


def test_two_datasets_add_up_and_one_named_twice_counts_once(story):
    one, two = story.dataset((ANNE, 1), (BEN, 1)), story.dataset((CARA, 2))
    training = story.training(one, two, one)
    found = split(story.receipt(story.lease(), training), story.source)
    assert amounts(found) == {
        NODE: 120_000, OWNER: 90_000, ANNE: 22_500, BEN: 22_500, CARA: 45_000,
    }  # fmt: skip


# What falls to nobody stays with the payer.


def test_a_role_that_nobody_is_named_for_stays_with_the_payer(story):
    training = story.training(story.dataset((ANNE, 1)))
    without_node = split(story.receipt(None, training), story.source)
    assert (without_node.kept, without_node.paid) == (120_000, 180_000)
    assert amounts(without_node) == {OWNER: 90_000, ANNE: 90_000}
    without_model = split(story.receipt(story.lease(), None), story.source)
    assert (without_model.kept, amounts(without_model)) == (180_000, {NODE: 120_000})
    without_data = split(story.receipt(story.lease(), story.training()), story.source)
    assert (without_data.kept, without_data.paid) == (90_000, 210_000)


def test_node_that_leaves_the_contributors_out_gains_nothing(story):
    honest = split(usual(story), story.source)
    lying = split(story.receipt(story.lease(), story.training()), story.source)
    assert amounts(lying)[NODE] == amounts(honest)[NODE]
    assert lying.kept == sum(p.amount for p in honest.payees if p.role == "data")


def test_weights_that_are_all_zero_leave_the_contributors_share_with_the_payer(story):
    found = split(usual(story, (ANNE, 0), (BEN, 0)), story.source)
    assert (found.kept, set(amounts(found))) == (90_000, {NODE, OWNER})


def test_the_share_of_a_role_that_is_unknown_here_stays_with_the_payer(story):
    shares = {"node": 4000, "model": 3000, "data": 2000, "pool": 1000}
    found = split(usual(story, shares=shares), story.source)
    assert (found.kept, found.paid) == (30_000, 270_000)


def test_a_role_with_a_share_of_nothing_gets_nothing(story):
    found = split(usual(story, shares={"node": 10_000, "data": 0}), story.source)
    assert found.payees == (Payee("node", NODE, 300_000),)


def test_an_answer_that_names_nobody_is_not_divided(story):
    with pytest.raises(NotAllowed) as refused:
        split(story.receipt(), story.source)
    assert refused.value.code == "nobody_to_pay"


def test_a_training_without_a_payout_names_no_owner_and_its_data_is_still_paid(story):
    said = predicate("step", step="train") if False else None
    del said


# Lineage that does not hold.


def test_a_record_that_is_not_here_stops_everything(story):
    full = usual(story)
    for statement_id in list(story.source._statements):
        if statement_id == full:
            continue
        kept = story.source._statements.pop(statement_id)
        with pytest.raises(Unavailable) as refused:
            split(full, story.source)
        assert refused.value.code == "lineage_missing"
        story.source._statements[statement_id] = kept
    assert split(full, story.source).kept == 0
    with pytest.raises(Unavailable):
        split(b"\x09" * 32, story.source)


def test_log_that_serves_another_record_is_caught(story):
    answer = usual(story)
    held = story.source._statements
    for mine in list(held):
        for other in (b"\x01" * 32, *list(held)[:3]):
            if other == mine or other not in held:
                continue
            kept, held[mine] = held[mine], held[other]
            with pytest.raises((NotAuthentic, Malformed)):
                split(answer, story.source)
            held[mine] = kept


def test_market_that_writes_its_own_address_into_a_lease_is_caught(story):
    training = story.training(story.dataset((ANNE, 1)))
    receipt = story.receipt(story.lease(NODE, told=address(0xBAD)), training)
    with pytest.raises(NotAuthentic) as refused:
        split(receipt, story.source)
    assert refused.value.code == "lineage_disputed"
    assert (refused.value.expected, refused.value.got) == (NODE, address(0xBAD))


@pytest.mark.parametrize("told", [{"payout": address(0xBAD)}, {"weight": 7}])
def test_pool_that_tells_another_address_or_weight_than_was_stated_is_caught(story, told):
    dataset = story.dataset((ANNE, 1), (BEN, 2), **told)
    receipt = story.receipt(story.lease(), story.training(dataset))
    with pytest.raises(NotAuthentic) as refused:
        split(receipt, story.source)
    assert refused.value.code == "lineage_disputed"


def test_a_lease_that_leads_to_no_claim_pays_no_node(story):
    match = story.say("match")
    lease = story.say("lease", of=[("match", match)], payout=NODE)
    found = split(story.receipt(lease, story.training()), story.source)
    assert (found.kept, amounts(found)) == (210_000, {OWNER: 90_000})


def test_node_cannot_earn_by_the_lease_of_another_kind_of_statement(story):
    claim = story.say("node", payout=NODE)
    found = split(story.receipt(claim, story.training()), story.source)
    assert NODE not in amounts(found)


def test_an_input_that_names_no_statement_pays_nobody(story):
    training = story.training(story.dataset((ANNE, 1)))
    bare = model_event(training.subjects[0].sha256)
    found = split(story.receipt(story.lease(), events=[bare]), story.source)
    assert (found.kept, set(amounts(found))) == (180_000, {NODE})


def test_trainer_who_claims_a_model_that_its_statement_does_not_list_is_caught(story):
    training, other = story.training(), story.training(payout=address(0xBAD))
    event = model_event(training.subjects[0].sha256, statement=other.id)
    with pytest.raises(NotAuthentic) as refused:
        split(story.receipt(story.lease(), events=[event]), story.source)
    assert refused.value.code == "lineage_denied"


def test_two_models_or_two_leases_are_one_too_many(story):
    lease, training = story.lease(), story.training()
    for event in (
        model_event(training.subjects[0].sha256, statement=training.id),
        link_event("node", lease.subjects[0].sha256, statement=lease.id),
    ):
        with pytest.raises(Malformed) as refused:
            split(story.receipt(lease, training, events=[event]), story.source)
        assert refused.value.code == "lineage_malformed"


def test_a_dataset_with_more_parts_than_contributions_is_refused(story):
    from teeproof.data.statements import DatasetPart
    from tests.inference.lineages import filled

    made = story.say("contribution", payout=ANNE, weight=1)
    part = filled(DatasetPart, {"payout": ANNE, "weight": 1})
    dataset = story.say("dataset", of=[("contribution", made)], parts=(part, part))
    with pytest.raises(Malformed) as refused:
        split(story.receipt(story.lease(), story.training(dataset)), story.source)
    assert refused.value.code == "lineage_malformed"


def test_a_negative_weight_is_refused(story):
    with pytest.raises(Malformed) as refused:
        split(usual(story, (ANNE, 2), (BEN, -1)), story.source)
    assert refused.value.code == "weight_malformed"


@pytest.mark.parametrize(
    "payout", ["0x" + "00" * 20, "0x" + "AB" * 20, "0x12", "", "anne", "0x" + "1" * 41]
)
def test_a_payout_that_is_no_address_is_refused(story, payout):
    for receipt in (
        story.receipt(story.lease(payout), story.training()),
        story.receipt(story.lease(), story.training(payout=payout)),
        usual(story, (payout, 1)),
    ):
        with pytest.raises(Malformed) as refused:
            split(receipt, story.source)
        assert refused.value.code == "payout_malformed"


def test_a_lineage_that_names_itself_ends(story):
    """A cycle of names needs a hash that holds itself; one by a wrong name is denied."""
    training = story.training(story.dataset((ANNE, 1)))
    said = predicate(
        "training", payout=OWNER,
        materials=(
            Material(role="dataset", digest=training.subjects[0].digest, statement=training.name),
        ),
    )  # fmt: skip
    around = story.keep(said, data="around")
    found = split(story.receipt(story.lease(), around), story.source)
    assert (found.kept, set(amounts(found))) == (90_000, {NODE, OWNER})


# The receipt itself.


def test_a_free_answer_is_not_divided(story):
    for receipt in (
        usual(story, amount=0),
        story.keep_receipt([{"type": "x.usage", "prompt_tokens": 1, "completion_tokens": 1}]),
    ):
        with pytest.raises(NotAllowed) as refused:
            split(receipt, story.source)
        assert refused.value.code == "answer_free"


@pytest.mark.parametrize(
    "usage",
    [
        {"shares": {"node": 4000, "model": 3000, "data": 3001}},
        {"shares": {"node": -1, "model": 10_001}},
        {"shares": {"node": True, "model": 9999}},
        {"shares": {}},
        {"amount": "-1"}, {"amount": "0x10"}, {"amount": "1e3"},
        {"amount": "9" * 78}, {"amount": "01"},
        {"asset": "eip155:1"}, {"asset": "eip155:1/erc20:0xZZ"},
        {"prompt_tokens": -1},
    ],
)  # fmt: skip
def test_usage_that_does_not_add_up_is_refused(story, usage):
    with pytest.raises(Malformed):
        split(usual(story, **usage), story.source)


def test_a_receipt_with_two_usages_or_none_is_refused(story):
    second = {"type": "x.usage", "prompt_tokens": 1, "completion_tokens": 1}
    for receipt in (usual(story, events=[second]), story.keep_receipt([])):
        with pytest.raises(Malformed):
            split(receipt, story.source)


def test_a_statement_is_no_receipt(story):
    with pytest.raises(Malformed) as refused:
        split(story.training().id, story.source)
    assert refused.value.code == "receipt_malformed"


def test_host_that_sets_other_shares_than_the_payer_agreed_to_is_caught(story):
    assert split(usual(story), story.source, expected_shares=SHARES).kept == 0
    greedy = usual(story, shares={"node": 9999, "data": 1})
    with pytest.raises(NotAllowed) as refused:
        split(greedy, story.source, expected_shares=SHARES)
    assert refused.value.code == "shares_differ"


def test_a_payment_is_held_against_the_split(story):
    found = split(usual(story), story.source)
    good = Payment(TOKEN, 300_000, found.root, 0)
    found.require_paid(good)
    for wrong in (
        Payment(address(9), 300_000, found.root, 0),
        Payment(TOKEN, 299_999, found.root, 0),
        Payment(TOKEN, 300_000, bytes(32), 0),
    ):
        with pytest.raises(NotAllowed) as refused:
            found.require_paid(wrong)
        assert refused.value.code == "payment_differs"
    with pytest.raises(NotAllowed) as refused:
        found.require_paid(None)
    assert refused.value.code == "answer_unpaid"


@given(
    amount=st.integers(1, 10**30),
    node=st.integers(0, 10_000),
    weights=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 2**50)), max_size=12),
)
def test_whatever_the_weights_no_unit_is_lost_and_nobody_is_off_by_one(amount, node, weights):
    story = Story()
    shares = {"node": node, "data": 10_000 - node}
    parts = [(address(who), weight) for who, weight in weights]
    receipt = story.receipt(
        story.lease(), story.training(story.dataset(*parts)), amount=amount, shares=shares
    )
    total = sum(weight for _, weight in weights)
    if not total and amount * node < 5_000:  # the node's part is rounded to no unit
        with pytest.raises(NotAllowed):
            split(receipt, story.source)
        return
    found = split(receipt, story.source)
    assert sum(found.parts.values()) + found.kept == amount
    by_address = amounts(found)
    for who in {one for one, _ in parts}:
        mine = sum(weight for other, weight in parts if other == who)
        numerator = amount * (10_000 - node) * mine
        denominator = 10_000 * max(total, 1)
        assert numerator // denominator <= by_address.get(who, 0) <= numerator // denominator + 1
