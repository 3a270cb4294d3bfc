"""An explorer over the log of an agent that acted on a real chain; and one over a hostile log."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from teeproof.chain.anchors import anchor
from teeproof.chain.onlooker import Onlooker
from teeproof.core.clock import wall_clock
from teeproof.explorer.app import make_app
from teeproof.explorer.log.content import Book
from teeproof.proof.file import ProofFile
from teeproof.proof.identity import IdentityRecord
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.storage.log import Log
from teeproof.proof.verify import Trust, verify_proof
from tests.agents.powers.conftest import Launched
from tests.agents.test_acted import Agent
from tests.proof.people import policy

ORIGIN = "log.example/acting"
TEXT = "<script>alert('ours')</script>\u202egnp.exe"
LONG = "drain " * 80


@dataclass
class Acting:
    """What is shown: with a node of the chain, and without one.

    Attributes:
        directory: the log's.
        book: over it.
        app: with the node.
        alone: without one.
        agent: its id, hex.
        statements: of its actions, hex, in order.
        anchors: address of the contract that holds the log's checkpoint.
    """

    directory: Path
    book: Book
    app: object
    alone: object
    agent: str
    statements: list[str]
    anchors: str


def acting(launched: Launched, directory: Path) -> Acting:
    """Put an agent's proof into a log, anchor it on the chain, and show both."""
    with ProofFile.from_bytes(launched.export()) as proof, Log.create(
        directory, origin=ORIGIN
    ) as log, closing(Contents(log)) as contents:  # fmt: skip
        for one in proof.identity_digests:
            record = IdentityRecord.parse(proof.identity(one) or b"")
            blobs = {name: proof.blob(digest) or b"" for name, digest in record.attachments.items()}
            contents.add_identity(record.encode(), blobs)
        order = verify_proof(proof, now=wall_clock(), trust=Trust()).statements
        for said in order:  # inputs before what was made of them
            contents.add_statement(proof.statement(bytes.fromhex(said.id[7:])) or b"")
        signed = log.publish()
        here = launched.world.market
        contract = here.chain.deploy(here.owner, "Anchors")
        anchor(here.chain, signed.checkpoint, contract=contract, by=here.owner)
    book = Book(directory, trust=Trust(policy=launched.policy))
    return Acting(
        directory, book, app(book, launched.world.process.url), app(book, None),
        launched.known.agent[7:], [one.statement[7:] for one in launched.acted.turns],
        contract.address,
    )  # fmt: skip


def app(book: Book, url: str | None) -> object:
    node = None if url is None else Onlooker(url, patience=600)
    return make_app(book, command=lambda name: f"teeproof verify log {name[7:15]}", node=node)


def hostile(directory: Path) -> tuple[Book, str]:
    """A log in which an agent's texts are an attacker's, with a gap and a fork; and its id."""
    with Log.create(directory, origin="log.example/hostile") as log:
        agent = Agent(log)
        agent.say(1, text=TEXT)
        agent.say(2, text=LONG[:400])
        agent.say(4, text="sell")
        agent.say(4, text="buy")
        for number in range(5, 40):
            agent.say(number, text=f"{TEXT} {number}")
        log.publish()
        name = agent.name[7:]
    return Book(directory, trust=Trust(policy=policy())), name
