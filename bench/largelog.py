"""Logs of many entries for benchmarks: real signed statements of all kinds, in their proportions.

One of each kind is made by the real service once; the others are the same with other authors,
digests, names and inputs, signed anew by real identities. Of a hundred entries about 40 are
receipts, 25 contributions, 15 actions of agents; the rest are datasets, trainings, nodes of a
market with admissions, matches and leases, withdrawals, and steps.

    python -m bench.largelog DIRECTORY ENTRIES
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from teeproof.agents.authority import agent_address
from teeproof.agents.records import Ending, Intent
from teeproof.agents.statements import Action, materials_of, subjects_of
from teeproof.cloud.owner import OwnerKey
from teeproof.core.digests import named
from teeproof.data.statements import Contribution, Dataset, DatasetPart, Withdrawn
from teeproof.network.leases import digest_of
from teeproof.network.statements import (
    AdmissionStatement,
    ClosingStatement,
    LeaseStatement,
    MatchStatement,
    NodeStatement,
    made_of,
    say,
)
from teeproof.proof import canonical
from teeproof.proof.envelope import Envelope, Signature, pae
from teeproof.proof.links import Material, Subject
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.formats.entry import RECEIPT, STATEMENT
from teeproof.proof.log.storage.items import Item
from teeproof.proof.log.storage.log import Log
from teeproof.proof.receipt import Receipt, model_event
from teeproof.proof.source import read_record
from teeproof.proof.statement import Statement, Step
from teeproof.proof.workload import Identity
from teeproof.training.statements import Training

T = TypeVar("T")
PEOPLE = 300
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_POOL = 200  # contributions to one
_PART = 40  # contributions in one dataset
_CHECKPOINTS = 100  # of a whole log
_TEXTS = ("sell half my ETH below 2,000", "buy 1 ETH if it falls under 1,500", "what do I own?")


@dataclass
class Made:
    """A log, and one of each thing in it; ids in hex.

    Attributes:
        directory: where it lies.
        entries: how many it has.
        seconds: how long that took by the CPU.
        of: by kind, the last of them.
        platform: that its machines' evidence comes from.
    """

    directory: Path
    entries: int
    seconds: float
    of: dict[str, str]


@dataclass
class _Templates:
    contribution: Contribution
    dataset: Dataset
    training: Training
    training_subjects: tuple[Subject, ...]
    withdrawn: Withdrawn
    receipt: dict[str, Any]
    claim: NodeStatement
    admission: AdmissionStatement
    match: MatchStatement
    lease: LeaseStatement
    closing: ClosingStatement


@dataclass
class _Maker:
    log: Log
    templates: _Templates
    people: list[Identity]
    agents: list[Identity]
    drawn: random.Random
    said: int = 0
    of: dict[str, str] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    came: list[tuple[Statement, Contribution]] = field(default_factory=list)
    models: list[Statement] = field(default_factory=list)
    claims: list[tuple[Identity, Statement]] = field(default_factory=list)
    admitted: list[Statement] = field(default_factory=list)
    leased: list[Statement] = field(default_factory=list)
    turns: dict[int, tuple[int, str, Ending]] = field(default_factory=dict)
    pools: int = 0

    def hex(self, count: int = 32) -> str:
        return self.drawn.randbytes(count).hex()

    def somebody(self, share: float = 1.0) -> Identity:
        return self.people[int(self.drawn.random() * share * len(self.people))]

    def keep(self, author: Identity, statement: Statement, kind: str) -> Statement:
        signature = author.keyring.sign(pae(statement.payload))
        envelope = Envelope(statement.payload, (Signature(author.name, signature),))
        self._item(STATEMENT, statement.id, author.digest, envelope.seal(1), envelope.encode())
        self.of[kind] = statement.id.hex()
        return statement

    def _item(self, kind: int, one: bytes, author: bytes, seal: bytes, record: bytes) -> None:
        self.items.append(Item(kind, one, author, seal, record))
        self.said += 1

    def contribution(self) -> None:
        a, b = self.templates.contribution, self.hex
        if len(self.came) % _POOL == 0:
            self.pools += 1
        terms = msgspec.structs.replace(a.terms, name=f"orders {self.pools}")
        owner, payout = b(), "0x" + b(20)
        consent = msgspec.structs.replace(
            a.consent, owner=owner, pool=named(terms.digest), ciphertext=named(bytes.fromhex(b())),
            file=b(16), payout=payout, salt=b(),
        )  # fmt: skip
        author = self.people[self.pools % 50]
        said = msgspec.structs.replace(
            a, author=author.name, terms=terms, consent=consent, payout=payout, contribution=b(),
            sequence=len(self.came) % _POOL + 1,
            previous=self.came[-1][0].name if len(self.came) % _POOL else None,
        )  # fmt: skip
        subjects = (Subject({"sha256": consent.ciphertext[7:]}, name="sealed file"),
                    Subject({"sha256": b()}, name="records"))  # fmt: skip
        made = self.keep(author, Statement.of(said, subjects=subjects), "contribution")
        self.came.append((made, said))
        self.of["pool"] = terms.digest.hex()

    def dataset(self) -> None:
        mine = self.came[-(len(self.came) % _POOL or _POOL) :][-_PART:]
        if not mine:
            self.contribution()
            return
        author = self.people[self.pools % 50]
        parts, materials = [], []
        for made, said in mine:
            root = made.subjects[1].digest["sha256"]
            parts.append(DatasetPart(
                contribution=said.contribution, sequence=said.sequence, owner=said.consent.owner,
                payout=said.payout, file=said.consent.file, ciphertext=said.consent.ciphertext[7:],
                root=root, records=60, weight=said.weight,
            ))  # fmt: skip
            materials.append(
                Material(role="contribution", digest={"sha256": root}, statement=made.name)
            )
        said = msgspec.structs.replace(
            self.templates.dataset, author=author.name, terms=mine[-1][1].terms, copies=0,
            refused=0, parts=tuple(parts), materials=tuple(materials), through=len(mine),
            head=mine[-1][0].name, records=60 * len(mine), withdrawn=(),
            weight=sum(part.weight for part in parts),
        )  # fmt: skip
        data = self.keep(
            author, Statement.of(said, subjects=(Subject({"sha256": self.hex()}, name="dataset"),)),
            "dataset",
        )  # fmt: skip
        self._train(data, parts)

    def _train(self, data: Statement, parts: list[DatasetPart]) -> None:
        a, author = self.templates.training, self.somebody(0.2)
        source = a.sources[0]
        sources = tuple(
            msgspec.structs.replace(source, contribution=part.contribution, file=part.file)
            for part in parts
        )
        materials = (Material(role="dataset", digest=data.subjects[0].digest, statement=data.name),)
        said = msgspec.structs.replace(
            a, author=author.name, sources=sources, materials=materials
        )  # fmt: skip
        subjects = tuple(
            msgspec.structs.replace(one, digest={"sha256": self.hex()})
            for one in self.templates.training_subjects
        )
        made = self.keep(author, Statement.of(said, subjects=subjects), "training")
        self.models.append(made)
        self.of["model"] = subjects[0].digest["sha256"]

    def receipt(self) -> None:
        if not self.models:
            self.dataset()
            return
        model = self.models[int(self.drawn.random() * len(self.models)) // 2 * 2 % len(self.models)]
        server = self.somebody(0.3)
        events = [dict(one) for one in self.templates.receipt["event_log"]]
        for event in events:
            if "body_hash" in event:
                event["body_hash"] = f"sha256:{self.hex()}"
        events[1] = model_event(model.subjects[0].sha256, statement=model.id)
        document = self.templates.receipt | {
            "receipt_id": f"rcpt-{self.hex(12)}", "chat_id": f"chatcmpl-{self.hex(12)}",
            "workload_keyset_digest": server.record.keyset_digest, "event_log": events,
        }  # fmt: skip
        document.pop("signature", None)
        signature = server.keyring.sign_receipt(canonical.encode(document)).hex()
        made = Receipt.parse(canonical.encode(document | {"signature": signature}))
        self._item(RECEIPT, made.id, server.digest, made.seal, made.encode())
        self.of["answer"] = made.id.hex()

    def action(self) -> None:
        from tests.agents import people

        number = int(self.drawn.random() * len(self.agents))
        agent = self.agents[number]
        turn, previous, before = self.turns.get(number, (0, None, None))
        address = agent_address(agent.record) or ""
        mandate = _mandate()
        none = named(bytes(32))
        meant = Intent(
            agent=address, number=turn + 1, previous=none if before is None else named(
                before.digest), journal=f"sha256:{self.hex()}",
            instruction=people.instruction(self.drawn.choice(_TEXTS), id=self.hex(8)),
            mandate=mandate.digest, answer=people.answer(), order=None, facts=None, findings=(),
            decision="refuse", trade=None, provenance=(),
        )  # fmt: skip
        ending = Ending(action=named(meant.digest), outcome="refused", rules=("form",),
                        detail="it is no order", effect=None, journal=none)  # fmt: skip
        materials = materials_of(meant, previous=previous)
        said = Action(author=agent.name, materials=materials, mandate=mandate, intent=meant,
                      ending=ending)  # fmt: skip
        made = self.keep(
            agent, Statement.of(said, subjects=subjects_of(mandate, meant, ending)), "action"
        )
        self.turns[number] = turn + 1, made.name, ending
        from teeproof.agents.acted import agent_of

        self.of["agent"] = agent_of(said)[7:]

    def node(self) -> None:
        author = self.somebody()
        claim = msgspec.structs.replace(
            self.templates.claim.claim, name=f"node-{self.said}", price=str(10 + self.said % 90)
        )
        said = NodeStatement(author=author.name, claim=claim, payout=claim.payout)
        made = self.keep(author, say(said, claim, name=claim.name), "claim")
        self.of["node"] = author.digest.hex()
        market, a = self.people[0], self.templates.admission
        decision = msgspec.structs.replace(
            a.decision, claim=digest_of(claim), identity=author.name, node=author.name,
            sequence=self.said,
        )  # fmt: skip
        admits = msgspec.structs.replace(
            a, author=market.name, decision=decision, materials=(made_of("claim", made),)
        )
        admission = self.keep(market, say(admits, decision, name="decision"), "admission")
        self._let(author, admission)

    def _let(self, node: Identity, admission: Statement) -> None:
        market, templates = self.people[0], self.templates
        match = msgspec.structs.replace(templates.match.match, chosen=node.name)
        said = msgspec.structs.replace(
            templates.match, author=market.name, match=match,
            materials=(made_of("admission", admission),),
        )  # fmt: skip
        matched = self.keep(market, say(said, match, name="match"), "match")
        lease = msgspec.structs.replace(
            templates.lease.lease, node=node.name, order=f"sha256:{self.hex()}",
            renter=OwnerKey.new().public, sequence=self.said,
        )  # fmt: skip
        let = msgspec.structs.replace(
            templates.lease, author=market.name, lease=lease, materials=(made_of("match", matched),)
        )
        leased = self.keep(market, say(let, lease, name="lease"), "lease")
        closing_ = msgspec.structs.replace(
            templates.closing.closing, lease=digest_of(lease), sequence=self.said
        )
        ended = msgspec.structs.replace(
            templates.closing, author=market.name, closing=closing_,
            materials=(made_of("lease", leased),),
        )  # fmt: skip
        self.keep(market, say(ended, closing_, name="closing"), "closing")

    def step(self) -> None:
        author = self.somebody()
        said = Step(
            author=author.name, step="evaluate", parameters={"seed": self.hex(4)},
            materials=(Material(role="model", digest={"sha256": self.hex()}),),
        )  # fmt: skip
        self.keep(
            author, Statement.of(said, subjects=(Subject({"sha256": self.hex()}, name="report"),)),
            "step",
        )  # fmt: skip

    def withdrawal(self) -> None:
        if not self.came:
            self.step()
            return
        made, said = self.came[int(self.drawn.random() * len(self.came))]
        author = self.somebody(0.2)
        gone = msgspec.structs.replace(
            self.templates.withdrawn, author=author.name, contribution=said.contribution,
            owner=said.consent.owner, datasets=(),
            materials=(Material(role="contribution", digest=made.subjects[0].digest,
                                statement=made.name),),
        )  # fmt: skip
        subjects = (Subject({"sha256": self.hex()}, name="order"),)
        self.keep(author, Statement.of(gone, subjects=subjects), "withdrawn")

    def one(self) -> None:
        kinds: list[tuple[Callable[[], None], int]] = [
            (self.receipt, 400), (self.contribution, 250), (self.action, 150), (self.node, 20),
            (self.step, 80), (self.dataset, 8), (self.withdrawal, 5),
        ]  # fmt: skip
        weights = [weight for _, weight in kinds]
        self.drawn.choices([kind for kind, _ in kinds], weights)[0]()


def make(directory: Path, entries: int, *, people: int = PEOPLE) -> Made:
    """Make a log of about so many entries (a few more), published a hundred times."""
    import time

    start = time.process_time()
    with Log.create(directory, origin="log.example/large") as log:
        with closing(Contents(log)) as contents:
            maker = _Maker(log, _templates(), [], [], random.Random(entries))
            maker.people = list(_people(contents, people))
            maker.agents = list(_agents(contents, people // 3))
            maker.said = people + people // 3
        while maker.said < entries:
            for _ in range(max(1, entries // _CHECKPOINTS)):
                maker.one()
            log.append_many(maker.items)
            maker.items.clear()
            log.publish()
        for _ in range(3):  # what the pages speak of is read by hand, so they are the newest
            maker.dataset()
        log.append_many(maker.items)
        log.publish()
        size = log.size
    return Made(directory, size, time.process_time() - start, maker.of | {
        "identity": maker.people[1].digest.hex(), "market": maker.people[0].digest.hex(),
    })  # fmt: skip


def _people(store: Contents, count: int) -> Iterator[Identity]:
    from tests.network.scenes import attester

    def now() -> datetime:
        return NOW

    machines = [
        attester(f"machine {number}", now, code=f"app {number % 10}")  # type: ignore[arg-type]
        for number in range(40)
    ]
    for number in range(count):
        machine = machines[number % len(machines)]
        yield Identity.boot(machine, roles=["receipt"], store=store, now=now)


def _agents(store: Contents, count: int) -> Iterator[Identity]:
    from tests.agents.world import agent_identity

    for number in range(count):
        yield agent_identity(store, (number + 1).to_bytes(32, "big"))  # type: ignore[arg-type]


def _mandate() -> Any:
    from tests.agents import people

    return people.mandate()


def _templates() -> _Templates:
    """Have the real services say one of each kind."""
    from tests.explorer.made import Recording, scene
    from tests.network.scenes import Scene as Market

    with tempfile.TemporaryDirectory() as folder:
        school = scene(Path(folder) / "school")
        bazaar = Path(folder) / "market"
        bazaar.mkdir()
        source, owner = Recording(), OwnerKey.new()
        market = Market(bazaar, store=source)
        node = market.node("cheap", price="10")
        lease = market.leased(node, owner)
        node.work(30)
        market.close(owner, lease)
        market.market.send()
        market.ledger.close()
        calls = [*school.school.store.calls, *source.calls]  # type: ignore[attr-defined]
        said = [read_record(data).statement for data, blobs in calls if blobs is None]
        receipt = dict(school.answers["plain"].body)

    def of(kind: type[T]) -> T:
        found = (one.predicate for one in said if one is not None)
        return next(one for one in found if isinstance(one, kind))

    trained = next(one for one in said if one and isinstance(one.predicate, Training))
    return _Templates(
        contribution=of(Contribution), dataset=of(Dataset), training=of(Training),
        training_subjects=trained.subjects, withdrawn=of(Withdrawn), receipt=receipt,
        claim=of(NodeStatement), admission=of(AdmissionStatement), match=of(MatchStatement),
        lease=of(LeaseStatement), closing=of(ClosingStatement),
    )  # fmt: skip


if __name__ == "__main__":
    made = make(Path(sys.argv[1]), int(sys.argv[2]))
    print(msgspec.json.encode(made, enc_hook=str).decode())
