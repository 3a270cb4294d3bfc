"""How fast a market decides: beside its evidence check, its signatures and its disk alone."""

from __future__ import annotations

import itertools
import random
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.measure import Row, beside, rate
from teeproof.cloud.owner import OwnerKey
from teeproof.network.claim import Gpus, Hardware
from teeproof.network.gate import verified
from teeproof.network.matching import choose
from teeproof.network.offers import Book, Offer
from teeproof.network.orders import Need, Order
from teeproof.proof.signing import expand_ed25519, sign_ed25519
from tests.network.scenes import ANY, Node, Scene, policy, terms

NODES = 100_000
ORDERS = 500
REGIONS = ("asia", "eu-north", "eu-west", "us-east", "us-west")
MODELS = ((), *(((Gpus(model=m, count=c),)) for m in ("A100", "H100", "L4") for c in (1, 8)))
TERMS = terms()


def rows() -> Iterator[Row]:
    """Yield matching over a large book, then what each call of a running market costs."""
    yield from _matching()
    with tempfile.TemporaryDirectory() as folder:
        yield from _market(Path(folder))


def _matching() -> Iterator[Row]:
    source = random.Random(7)
    offers = [_offer(source, number) for number in range(NODES)]
    book = Book(offers)
    orders = [_order(source, number) for number in range(ORDERS)]
    indexed, asked = _indexed(offers), [_asked(order) for order in orders]

    for order, values in zip(orders, asked, strict=True):
        chosen = choose(order, book, terms=TERMS)
        row = indexed.execute(CHEAPEST, values).fetchone()
        assert (chosen and chosen.since) == (row and row[0])

    def ours() -> None:
        taken = []
        for order in orders:
            chosen = choose(order, book, terms=TERMS)
            if chosen is not None:
                book.mark(chosen.node, "leased")
                taken.append(chosen.node)
        for node in taken:
            book.mark(node, "")

    def index() -> None:
        taken = []
        for values in asked:
            row = indexed.execute(CHEAPEST, values).fetchone()
            if row is not None:
                indexed.execute("UPDATE offer SET free = 0 WHERE since = ?", row)
                taken.append(row)
        indexed.executemany("UPDATE offer SET free = 1 WHERE since = ?", taken)

    found, limit = beside(ours, index, rounds=5)
    what = f"orders matched, {NODES:,} nodes"
    yield Row(
        what, rate(found, ORDERS), rate(limit, ORDERS),
        "SQLite in memory, with an index for just this",
        unit="1/s", goal=0.3,
    )  # fmt: skip


CHEAPEST = (
    "SELECT since FROM offer WHERE free = 1 AND region = ? AND a100 >= ? AND h100 >= ? AND l4 >= ? "
    "AND cpus >= ? AND memory >= ? AND price <= ? ORDER BY price, since LIMIT 1"
)


def _indexed(offers: list[Offer]) -> sqlite3.Connection:
    sql = sqlite3.connect(":memory:", isolation_level=None)
    sql.execute(
        "CREATE TABLE offer (since INTEGER PRIMARY KEY, free INTEGER, region TEXT, a100 INTEGER, "
        "h100 INTEGER, l4 INTEGER, cpus INTEGER, memory INTEGER, price INTEGER)"
    )
    rows = [
        (one.since, 1, one.region, *_counts(one.hardware.gpus), one.hardware.cpus,
         one.hardware.memory_mib, one.price)
        for one in offers
    ]  # fmt: skip
    sql.execute("BEGIN")
    sql.executemany("INSERT INTO offer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    sql.execute(
        "CREATE INDEX cheapest ON offer (region, free, price, since, a100, h100, l4, cpus, memory)"
    )
    sql.execute("COMMIT")
    return sql


def _asked(order: Order) -> tuple[object, ...]:
    need = order.need
    return need.regions[0], *_counts(need.gpus), need.cpus, need.memory_mib, order.price


def _counts(gpus: tuple[Gpus, ...]) -> tuple[int, ...]:
    counts = {one.model: one.count for one in gpus}
    return tuple(counts.get(model, 0) for model in ("A100", "H100", "L4"))


def _offer(source: random.Random, number: int) -> Offer:
    return Offer(
        node=f"sha256:{number:064x}", admission=f"sha256:{number:064x}",
        price=source.randrange(1, 1000), since=number, tee="sim", region=source.choice(REGIONS),
        hardware=Hardware(
            cpus=source.choice((4, 8, 64)), memory_mib=source.choice((8, 64, 512)) << 10,
            gpus=source.choice(MODELS),
        ),
    )  # fmt: skip


def _order(source: random.Random, number: int) -> Order:
    need = Need(
        tee=("sim",), cpus=source.choice((1, 8)), gpus=source.choice(MODELS),
        regions=(source.choice(REGIONS),),
    )  # fmt: skip
    return Order(
        id=f"order-{number:06}", market=TERMS.digest, renter="0" * 64, need=need,
        greatest_price="1000", deposit="100000", not_after=1,
    )  # fmt: skip


def _market(folder: Path) -> Iterator[Row]:
    # Leases are many here, and each costs a deposit.
    scene = Scene(folder, grant=str(2**52), attestation=86_400, window=86_000,
                  pause_after=86_100, close_after=86_200)  # fmt: skip
    names = itertools.count()
    node = scene.node("worker")
    sign, durable = _signature(), _durable(folder / "plain.sqlite")

    def evidence() -> None:
        record = node.identity.record
        now = int(scene.clock().timestamp())
        verified(record, node.identity.blobs, policy=policy(), now=now)

    def admission() -> None:
        one = Node(scene, f"n{next(names)}")
        one.register()

    def boot() -> None:
        one = Node(scene, f"b{next(names)}")
        one.boot()
        one.seal()
        evidence()

    found, limit = beside(admission, boot, rounds=3)
    yield Row(
        "a node admitted, from challenge to statement", found, limit,
        "boot, claim and verifying the evidence alone", goal=0.5,
    )  # fmt: skip
    for offer in list(scene.market.book):  # only the worker is left to be leased
        if offer.node != node.name:
            scene.market.book.mark(offer.node, "leased")
    owner = OwnerKey.new()

    def lease() -> None:
        matched = scene.renters.order(scene.signed(owner, need=ANY, deposit="1000").encode())
        node.lease = matched.lease or ""
        node.beat()
        node.leave()

    def floor() -> None:
        for _ in range(6):  # order, match, lease, heartbeat, its end, and the wish for that
            sign()
        for _ in range(3):
            durable()

    found, limit = beside(lease, floor, rounds=5)
    yield Row(
        "order to running lease, and its end", found, limit,
        "six signatures and three durable commits", at_most=0.02,
    )  # fmt: skip

    def floor_of_beat() -> None:
        sign()
        durable()

    found, limit = beside(node.beat, floor_of_beat, rounds=5)
    yield Row("heartbeat", found, limit, "one signature and one durable commit", at_most=0.005)


def _signature() -> Callable[[], object]:
    expanded, message = expand_ed25519(bytes(32)), bytes(2000)
    return lambda: sign_ed25519(expanded, message)


def _durable(path: Path) -> Callable[[], object]:
    sql = sqlite3.connect(path, isolation_level=None)
    sql.execute("PRAGMA locking_mode = EXCLUSIVE")
    sql.execute("PRAGMA journal_mode = WAL")
    sql.execute("PRAGMA synchronous = FULL")
    sql.execute("CREATE TABLE change (number INTEGER PRIMARY KEY, body BLOB)")
    body = bytes(1000)
    return lambda: sql.execute("INSERT INTO change (body) VALUES (?)", (body,))
