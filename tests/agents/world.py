"""A whole world for an agent: a real chain, a fund, a pool, and a service that signs receipts.

The chain is a process of its own; the contracts are the real ones. The model's service is the real
one too, but for its engine, which says what a script makes it say: it is the attacker's model.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import teeproof.agents.verify  # noqa: F401  its judges
from teeproof.agents.asking import Asker
from teeproof.agents.authority import agent_address
from teeproof.agents.ground import Ground
from teeproof.agents.instructions import parse_instruction
from teeproof.agents.journal import Journal, no_fault
from teeproof.agents.kernel import Kernel
from teeproof.agents.mandate import Asset, Mandate, Market
from teeproof.agents.records import Instruction
from teeproof.agents.story import Turn
from teeproof.chain import fund as funds
from teeproof.chain.account import Account
from teeproof.chain.client import Chain
from teeproof.chain.local.process import ChainProcess
from teeproof.chain.outbox import Outbox
from teeproof.chain.pool import Pool
from teeproof.chain.token import Token
from teeproof.core.clock import to_epoch, wall_clock
from teeproof.core.weights import ModelDigest
from teeproof.evidence.collect.simulated import SimulatedAttester
from teeproof.inference.engine.engine import Ask, Step
from teeproof.inference.service import InferenceService
from teeproof.inference.serving import Serving
from teeproof.inference.store import ReceiptStore
from teeproof.inference.workload import answerable
from teeproof.proof.links import Subject
from teeproof.proof.memory import MemorySource
from teeproof.proof.statement import Statement
from teeproof.proof.statement import Step as Done
from teeproof.proof.verify import ProofVerdict
from teeproof.proof.workload import Identity
from teeproof.web.running import serve_here
from tests.agents.people import DOLLAR, UNIT
from tests.proof.people import platform, policy
from tests.proof.world import World as ProofWorld

FINALITY = 6
CHAIN_SECRET = b"\x0a" * 32
JOURNAL_KEY = b"\x0b" * 32
MODEL = "orders"


def attester() -> SimulatedAttester:
    return SimulatedAttester(platform(), now=wall_clock)


def weights(name: str) -> ModelDigest:
    return ModelDigest(tensors=(), metadata=(("name", name),), files=())


class Scripted:
    """An engine that says what it is told to say, whatever it is asked."""

    def __init__(self, digest: ModelDigest, say: Callable[[str], str]) -> None:
        self.digest, self.say = digest, say
        self.config = type("Config", (), {"context": 4096})()

    def prompt(self, messages: list[dict[str, str]]) -> tuple[int, ...]:
        return tuple(messages[-1]["content"].encode())

    def start(self, ask: Ask) -> Any:
        return _Saying(ask, self.say(bytes(ask.prompt).decode()))


class _Saying:
    def __init__(self, ask: Ask, text: str) -> None:
        self.ask, self.count, self._text = ask, 1, text

    def step(self) -> Step:
        return Step(self._text, "stop")


class Model:
    """The attacker's model behind the real service.

    Attributes:
        answers: what it says to an instruction; anything else gets ``always``.
    """

    def __init__(self, store: MemorySource, *, name: str = "ours") -> None:
        self.answers: dict[str, str] = {}
        self.always = "I do not know"
        self.digest = weights(name)
        trainer = Identity.boot(attester(), store=store)
        made = Done(author=trainer.name, step="train")
        subject = Subject({"sha256": self.digest.root.hex()}, name="model")
        self.training = trainer.keep(Statement.of(made, subjects=(subject,))).statement
        self.identity = Identity.boot(attester(), roles=["receipt"], store=store)
        self._receipts = ReceiptStore(Path(tempfile.mkdtemp()) / "receipts")
        serving = answerable(Serving(name=MODEL), self.digest, self.training)
        engine: Any = Scripted(self.digest, lambda text: self.answers.get(text, self.always))
        self._service = InferenceService(
            engine, identity=self.identity, attester=attester(), serving=serving,
            store=self._receipts,
        )  # fmt: skip
        self._stopped, ready = threading.Event(), threading.Event()
        self.url = ""

        def listening(url: str) -> None:
            self.url = url
            ready.set()

        self._thread = threading.Thread(
            target=serve_here, args=(self._service,),
            kwargs={"ready": listening, "stopped": self._stopped},
        )  # fmt: skip
        self._thread.start()
        assert ready.wait(120)

    def close(self) -> None:
        self._stopped.set()
        self._thread.join(120)
        self._service.close()
        self._receipts.close()


@dataclass
class Contracts:
    """Contracts of one test: two tokens, a pool at 1,900, a fund of 8 ETH and 8,000 USD."""

    chain: Chain
    owner: Account
    ether: Token
    dollar: Token
    pool: Pool
    fund: funds.Fund


@dataclass
class World:
    """Everything around an agent.

    Attributes:
        market: the contracts.
        model: the service.
        proofs: the log and the relying party.
        folder: where journals are.
    """

    process: ChainProcess
    market: Contracts
    model: Model
    proofs: ProofWorld
    folder: Path
    mandate: Mandate
    relayer: Account
    opened: list[Any] = field(default_factory=list)

    @property
    def source(self) -> MemorySource:
        return self.proofs.source

    def kernel(
        self, name: str = "agent", *, chain: Chain | None = None, mandate: Mandate | None = None,
        url: str | None = None, fault: Callable[[str], None] = no_fault,
        identity: Identity | None = None, relayer: Account | None = None,
    ) -> Kernel:  # fmt: skip
        """Start an agent on the journal of this name."""
        chain = chain or self.market.chain
        by = mandate or self.mandate
        relayer = relayer or self.relayer
        outbox = Outbox.open(self.folder / f"{name}.outbox", chain=chain, account=relayer)
        asker = Asker(url or self.model.url, policy=policy(), store=self.source)
        self.opened += [asker, outbox]
        journal = Journal.open(self.folder / f"{name}.journal", key=JOURNAL_KEY, fault=fault)
        self.opened.append(journal)
        return Kernel(
            by,
            identity=identity or agent_identity(self.source),
            journal=journal,
            asker=asker,
            ground=Ground(chain, outbox=outbox, mandate=by),
            fault=fault,
        )

    def close(self) -> None:
        """End all agents."""
        while self.opened:
            self.opened.pop(0).close()

    def tell(self, kernel: Kernel, text: str, answer: str | None = None, **more: Any) -> Turn:
        """Give an instruction, to which the model answers so."""
        if answer is not None:
            self.model.answers[text] = answer
        return kernel.instruct(ask(text, **more))

    def relayer_of(self, secret: bytes) -> Account:
        """An account with something for gas."""
        made = Account(secret)
        self.market.chain.transfer(self.market.owner, made, 10**18)
        return made

    def holdings(self) -> tuple[int, int]:
        """What the fund holds, in ETH and USD."""
        held = self.market.fund.holdings()
        return held[self.market.ether.address], held[self.market.dollar.address]

    def verdict(self, *turns: Turn, now: Any = None) -> ProofVerdict:
        """The relying party's verdict on the proof of these turns' statements."""
        self.proofs.publish(at=wall_clock())
        roots = [self.statement(turn) for turn in turns]
        return self.proofs.verify(self.proofs.export(*roots), now=now or wall_clock())

    def statement(self, turn: Turn) -> Statement:
        assert turn.statement is not None
        data = self.source.statement(bytes.fromhex(turn.statement[7:]))
        assert data is not None
        from teeproof.proof.source import read_record

        found = read_record(data).statement
        assert found is not None
        return found


def reorganise(world: World, depth: int = 1, *, again: bool = False) -> None:
    """Let other blocks take the place of the last; ``again``: with what those held."""
    world.market.chain.endpoint.ask("teeproof_reorg", hex(depth), again)


def agent_identity(store: MemorySource, secret: bytes = CHAIN_SECRET) -> Identity:
    return Identity.boot(
        attester(), roles=["seal", "chain"], secrets={"chain": secret}, store=store
    )


def ask(text: str, **more: Any) -> Instruction:
    import json

    body = {"text": text, "id": os.urandom(8).hex()} | more
    return parse_instruction(json.dumps(body).encode(), time=to_epoch(wall_clock()))


def market(process: ChainProcess) -> Contracts:
    """Deploy two tokens and a pool, for all tests; what a trade moves its price by is little."""
    chain, owner = Chain.connect(process.url), process.funded
    ether = Token.deploy(chain, owner, name="Test Ether", symbol="tETH", decimals=18, cap=10**30)
    dollar = Token.deploy(chain, owner, name="Test Dollar", symbol="tUSD", decimals=6, cap=10**30)
    ether.mint(owner, to=owner.address, amount=20_000 * UNIT)
    dollar.mint(owner, to=owner.address, amount=30_000_000 * DOLLAR)
    pool = Pool.deploy(chain, owner, ether, dollar)
    pool.add(owner, {ether: 10_000 * UNIT, dollar: 19_000_000 * DOLLAR})
    return Contracts(chain, owner, ether, dollar, pool, funds.Fund(chain, pool.address))


def with_fund(here: Contracts, agent: str) -> Contracts:
    """Deploy a fund that listens to an agent's key, and fill it."""
    fund = funds.Fund.deploy(
        here.chain, here.owner, agent=agent, identity=bytes(32), assets=assets_of(here),
        venues=[here.pool.address],
    )  # fmt: skip
    fill(here, fund)
    return replace(here, fund=fund)


def fill(here: Contracts, fund: funds.Fund) -> None:
    most = {here.ether.address: 8 * UNIT, here.dollar.address: 8_000 * DOLLAR}
    fund.deposit(here.owner, shares=1000, most=most)


def assets_of(here: Contracts) -> list[funds.Asset]:
    """The fund's own limits."""
    return [
        funds.Asset(here.ether.address, 5 * UNIT, 10 * UNIT),
        funds.Asset(here.dollar.address, 10_000 * DOLLAR, 20_000 * DOLLAR),
    ]


def mandate_of(here: Contracts, model: Model, **changes: Any) -> Mandate:
    """The mandate of an agent for this fund; its limits are the fund's own."""
    values: dict[str, Any] = {
        "chain_id": here.chain.chain_id,
        "fund": here.fund.address,
        "assets": (
            Asset(symbol="ETH", token=here.ether.address, decimals=18, per_trade=str(5 * UNIT),
                  per_day=str(10 * UNIT)),
            Asset(symbol="USD", token=here.dollar.address, decimals=6,
                  per_trade=str(10_000 * DOLLAR), per_day=str(20_000 * DOLLAR)),
        ),
        "markets": (
            Market(venue=here.pool.address, base="ETH", quote="USD", lowest="500",
                   highest="10000"),
        ),
        "model": MODEL,
        "weights": (model.digest.name,),
        "slippage_bps": 200,
        "valid_seconds": 300,
    }  # fmt: skip
    return Mandate(**(values | changes))


def agent_of(secret: bytes = CHAIN_SECRET) -> str:
    address = agent_address(agent_identity(MemorySource(), secret).record)
    assert address is not None
    return address


def worlds(process: ChainProcess, shared: Contracts, folder: Path) -> Iterator[World]:
    """Yield a world, and end it."""
    proofs = ProofWorld()
    here = with_fund(shared, agent_of())
    model = Model(proofs.source)
    relayer = Account.new()
    here.chain.transfer(here.owner, relayer, 10**18)
    world = World(process, here, model, proofs, folder, mandate_of(here, model), relayer)
    try:
        yield world
    finally:
        world.close()
        model.close()
