"""The cheapest offer that meets an order is chosen, and every other one has its reason."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.cloud.owner import OwnerKey
from teeproof.core.errors import NotAllowed
from teeproof.network.claim import Gpus, Hardware
from teeproof.network.matching import MAX_LISTED, choose, closest, explain, listed, rematch
from teeproof.network.offers import Book, Offer
from teeproof.network.orders import Need, Order
from tests.network.scenes import terms

TERMS = terms()
OWNER = OwnerKey(bytes(32))


def offer(number: int, price: int = 10, **changes: object) -> Offer:
    given: dict[str, object] = {
        "node": f"sha256:{number:064x}",
        "admission": f"sha256:{number:064x}",
        "price": price,
        "since": number,
        "tee": "sim",
        "region": "eu-west",
        "hardware": Hardware(cpus=8, memory_mib=1024),
    }
    return Offer(**(given | changes))  # type: ignore[arg-type]


def order(need: Need | None = None, **changes: object) -> Order:
    given: dict[str, object] = {
        "id": "order-000001",
        "market": TERMS.digest,
        "renter": OWNER.public,
        "need": need or Need(tee=("sim",)),
        "greatest_price": "100",
        "deposit": "10000",
        "not_after": 1,
    }
    return Order(**(given | changes))  # type: ignore[arg-type]


def match(asked: Order, *offers: Offer) -> tuple[str | None, dict[int, str]]:
    """The number of the choice, and each other offer's code by number."""
    chosen, rejected = rematch(asked, offers, terms=TERMS)
    numbers = {one.node: one.since for one in offers}
    return chosen and chosen.since, {numbers[r.node]: r.code for r in rejected}  # type: ignore[return-value]


def test_the_cheapest_offer_is_chosen_and_the_others_are_dearer():
    assert match(order(), offer(1, 20), offer(2, 10), offer(3, 15)) == (
        2,
        {3: "dearer", 1: "dearer"},
    )


def test_of_equal_prices_the_first_comer_is_chosen():
    assert match(order(), offer(7), offer(3), offer(5)) == (3, {5: "later", 7: "later"})


H100 = (Gpus(model="H100", count=2),)


@pytest.mark.parametrize(
    ("code", "need", "changes", "wanted", "offered"),
    [
        ("leased", Need(tee=("sim",)), {"taken": "leased"}, "a free node", "leased"),
        ("stale", Need(tee=("sim",)), {"taken": "stale"}, "a free node", "stale"),
        ("tee", Need(), {}, "cpu or cpu+gpu", "sim"),
        ("gpus", Need(tee=("sim",), gpus=H100), {}, "2 H100", "none"),
        ("cpus", Need(tee=("sim",), cpus=9), {}, "9 cores", "8 cores"),
        ("memory", Need(tee=("sim",), memory_mib=1025), {}, "1025 MiB", "1024 MiB"),
        ("region", Need(tee=("sim",), regions=("us-east",)), {}, "us-east", "eu-west"),
        ("labels", Need(tee=("sim",), labels={"disk": "nvme"}), {}, "disk=nvme", "disk=None"),
        ("price", Need(tee=("sim",)), {"price": 101}, "at most 100 a second", "101 a second"),
    ],
)
def test_each_constraint_refuses_by_its_name_with_both_sides(code, need, changes, wanted, offered):
    breaking = offer(1, **changes)
    meeting = offer(2, 90, tee="cpu", region="us-east", labels={"disk": "nvme"},
                    hardware=Hardware(cpus=9, memory_mib=1025, gpus=H100))  # fmt: skip
    both = msgspec.structs.replace(need, tee=("sim", "cpu") if code != "tee" else need.tee)
    chosen, rejected = rematch(order(both), [breaking, meeting], terms=TERMS)
    assert chosen == meeting
    (reason,) = rejected
    assert (reason.node, reason.code) == (breaking.node, code)
    assert (reason.wanted, reason.offered) == (wanted, offered)


def test_a_deposit_that_pays_too_short_a_time_takes_no_node():
    assert match(order(deposit="99"), offer(1, 10)) == (None, {1: "deposit"})
    assert match(order(deposit="100"), offer(1, 10))[0] == 1


def test_where_nothing_meets_an_order_the_closest_offers_say_what_kept_them():
    need = Need(tee=("sim",), cpus=16, regions=("us-east",))
    near = offer(1, 50, region="us-east")  # too few cores only
    far = offer(2, 10)
    found = closest(order(need), Book([far, near]), terms=TERMS)
    assert [(one.node, one.code) for one in found] == [(near.node, "cpus"), (far.node, "cpus")]


def test_a_match_that_skips_an_offer_is_never_written_down():
    cheap, dear = offer(1, 10), offer(2, 20)
    with pytest.raises(NotAllowed) as refused:
        explain(order(), [cheap, dear], dear, terms=TERMS)
    assert refused.value.code == "offer_skipped"


def test_a_long_book_lists_its_cheapest_offers_and_the_chosen_one():
    book = Book(offer(n, n, tee="cpu") for n in range(1, 200))
    book.put(offer(900, 90, tee="sim"))
    asked = order()
    chosen = choose(asked, book, terms=TERMS)
    assert chosen is not None
    shown = listed(book, chosen)
    assert (chosen.since, len(shown)) == (900, MAX_LISTED + 1)
    assert rematch(asked, shown, terms=TERMS)[0] == chosen


TEES = st.sampled_from(["sim", "cpu"])
REGIONS = st.sampled_from(["eu-west", "us-east", "asia"])
MODELS = st.sampled_from([(), H100, (Gpus(model="H100", count=1),), (Gpus(model="L4", count=1),)])
LABELS = st.sampled_from([{}, {"disk": "nvme"}, {"disk": "hdd"}])


@st.composite
def offers(draw: st.DrawFn) -> list[Offer]:
    return [
        offer(
            number, draw(st.integers(1, 12)), tee=draw(TEES), region=draw(REGIONS),
            hardware=Hardware(
                cpus=draw(st.integers(1, 4)), memory_mib=draw(st.integers(1, 4)), gpus=draw(MODELS)
            ),
            labels=draw(LABELS), taken=draw(st.sampled_from(["", "", "leased", "stale"])),
        )
        for number in range(draw(st.integers(0, 12)))
    ]  # fmt: skip


@st.composite
def needs(draw: st.DrawFn) -> Order:
    need = Need(
        tee=draw(st.sampled_from([("sim",), ("cpu",), ("sim", "cpu")])),
        cpus=draw(st.integers(1, 4)), memory_mib=draw(st.integers(1, 4)), gpus=draw(MODELS),
        regions=draw(st.sampled_from([(), ("eu-west",), ("asia", "us-east")])),
        labels=draw(LABELS),
    )  # fmt: skip
    return order(need, greatest_price=str(draw(st.integers(1, 12))))


@given(offers(), needs(), st.randoms(use_true_random=False))
def test_the_book_finds_what_asking_offer_by_offer_finds(made, asked, source):
    source.shuffle(made)
    book = Book(made)
    for one in made[::3]:  # taken and freed again: nothing is left behind
        book.mark(one.node, "stale")
        book.mark(one.node, one.taken)
    chosen, rejected = rematch(asked, made, terms=TERMS)
    assert choose(asked, book, terms=TERMS) == chosen
    assert explain(asked, book, chosen, terms=TERMS) == rejected
    assert len(rejected) == len(made) - (chosen is not None)
    for one in made:
        book.remove(one.node)
    assert (len(book), list(book), book._shelves) == (0, [], {})
