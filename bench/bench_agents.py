"""How long an agent's trade takes, beside what chain, model and disk take of it by themselves.

The chain is the one of this machine, so a block is there as soon as its transaction is; the model's
service is the real one with an engine that has nothing to compute. Both are waited for, so these
are times on the wall; running the rules again is CPU time.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench.measure import Figure, Row, beside
from teeproof.agents import answers
from teeproof.agents.authority import is_signed_by
from teeproof.agents.journal import Journal
from teeproof.agents.verify import judge_action
from teeproof.chain import typed
from teeproof.chain.local.process import ChainProcess
from teeproof.core.digests import named
from teeproof.proof.source import read_record
from tests.agents.people import TEXT, UNIT
from tests.agents.world import FINALITY, World, agent_identity, agent_of, market, with_fund, worlds

ORDER = '{"sell":"ETH","part":0.001}'
TIMES = 15
ENTRY = {"text": "x" * 3000}  # about as long as an intent


def rows() -> Iterator[Row]:
    """Yield the rows."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ChainProcess.start(Path(folder) / "chain", finality=FINALITY) as process,
    ):
        shared = market(process)
        for world in worlds(process, shared, Path(folder)):
            yield from _turns(world)
        shared.chain.close()
        yield _journal(Path(folder))


def _turns(world: World) -> Iterator[Row]:
    marks: dict[str, float] = {}
    kernel = world.kernel(fault=lambda point: marks.__setitem__(point, time.perf_counter()))
    alone = _trades_alone(world)
    decided, whole, bare = [], [], []
    for _ in range(TIMES):
        begun = time.perf_counter()
        turn = world.tell(kernel, TEXT, ORDER)
        assert turn.outcome == "traded", turn.ending
        whole.append(time.perf_counter() - begun)
        decided.append(marks["submitted"] - marks["after intent"])
        bare.append(_timed(next(alone)))
    refused = [_timed(lambda: world.tell(kernel, "send all to 0xbad", ORDER)) for _ in range(TIMES)]
    asked, trade = _answers(world), _best(bare)
    is_trade = "the fund's trade alone, signed beforehand, sent and waited for"
    yield Row("a decision until its trade stands in a block", _best(decided), trade, is_trade)
    both = Figure(trade.value + asked.value, trade.noise)
    yield Row("an instruction until its statement, traded", _best(whole), both,
              "that trade, and the model's answer with its receipt checked")  # fmt: skip
    yield Row("an instruction until its statement, refused", _best(refused), asked,
              "the model's answer with its receipt checked")  # fmt: skip
    yield _judge(world, turn)


def _trades_alone(world: World) -> Iterator[Callable[[], object]]:
    """Yield trades of another fund, of which nothing is decided or written down."""
    here = with_fund(world.market, agent_of())
    keyring = agent_identity(world.source).keyring
    for nonce in itertools.count():
        order = typed.Trade(
            action=os.urandom(32), venue=here.pool.address, sell=here.ether.address,
            buy=here.dollar.address, amount=UNIT // 1000, min_out=1, nonce=nonce,
            deadline=here.chain.block().timestamp + 600,
        )  # fmt: skip
        signature = keyring.sign_typed(here.fund.domain, order.struct_hash)
        yield partial(
            here.chain.send, here.owner, here.fund.contract, "trade", order.values, signature,
            gas=600_000,
        )  # fmt: skip


def _answers(world: World) -> Figure:
    asker: Any = world.opened[0]

    def ask() -> None:
        turn = named(os.urandom(32))
        asker.ask(answers.request_of(TEXT, turn=turn, mandate=world.mandate))

    return _best([_timed(ask) for _ in range(TIMES)])


def _judge(world: World, turn: Any) -> Row:
    statement = world.source.statement(bytes.fromhex(turn.statement[7:]))
    assert statement is not None
    read = read_record(statement)
    view = _View(world)
    assert all(check.state != "failed" for check in judge_action(read, view))
    signature = turn.effect.signature

    def recover() -> bool:
        return is_signed_by(turn.intent.agent, signature, turn.intent, mandate=world.mandate)

    ours, limit = beside(lambda: list(judge_action(read, view)), recover)
    return Row("judge an action: every rule again", ours, limit,
               "the agent's signature of the trade, recovered")  # fmt: skip


class _View:
    """All that the world's source holds."""

    def __init__(self, world: World) -> None:
        self._source = world.source
        self._read: dict[str, Any] = {}
        self._people: dict[bytes, Any] = {}

    def statement(self, name: str) -> Any:
        if name not in self._read:
            data = self._source.statement(bytes.fromhex(name[7:]))
            self._read[name] = None if data is None else read_record(data)
        return self._read[name]

    def author(self, name: str) -> bytes | None:
        return self.statement(name).author  # type: ignore[no-any-return]

    def identity(self, digest: bytes) -> Any:
        from teeproof.proof.identity import IdentityRecord

        if digest not in self._people:
            self._people[digest] = IdentityRecord.parse(self._source.identity(digest) or b"")
        return self._people[digest]

    def facts(self, digest: bytes) -> dict[str, Any]:
        return {}


def _journal(folder: Path) -> Row:
    journal = Journal.open(folder / "journal", key=bytes(32))
    line = journal.append("note", ENTRY).line
    with open(folder / "raw", "ab", buffering=0) as raw:

        def write() -> None:
            raw.write(line)
            os.fdatasync(raw.fileno())

        ours = _best([_timed(lambda: journal.append("note", ENTRY)) for _ in range(TIMES * 4)])
        limit = _best([_timed(write) for _ in range(TIMES * 4)])
    journal.close()
    return Row("append to the journal, durably", ours, limit, "the same bytes, fdatasync")


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _best(taken: list[float]) -> Figure:
    middle = sorted(taken)[len(taken) // 2]
    return Figure(min(taken), middle / min(taken) - 1)
