"""A market's log for the tests of pages, with nodes of every fate, and the explorer over it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from teeproof.chain.onlooker import Onlooker
from teeproof.cli.explorer_desk import ExplorerDesk
from teeproof.cloud.owner import OwnerKey
from teeproof.explorer.app import make_app
from teeproof.explorer.log.content import Book
from teeproof.network.claim import Gpus, Hardware
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.storage.log import Log
from teeproof.proof.verify import Trust
from tests.explorer.conftest import ask
from tests.network.scenes import START, Node, Scene, attester, policy


@dataclass
class Bazaar:
    """A market's log, and the explorer over it."""

    directory: Path
    nodes: dict[str, Node]
    renter: OwnerKey

    def app(self, *, trusted: bool = True, chain: str | None = None) -> object:
        expected = policy() if trusted else None
        desk = ExplorerDesk(policy=expected, logs=None)
        now = START + timedelta(minutes=2)
        book = Book(self.directory, trust=Trust(policy=expected), now=lambda: now)
        node = None if chain is None else Onlooker(chain)
        return make_app(
            book, command=lambda name: f"teeproof verify log {name[7:15]}", desk=desk, node=node
        )

    def get(self, path: str, **how):
        return ask(self.app(**how), "GET", path)

    def id(self, name: str) -> str:
        return self.nodes[name].identity.digest.hex()

    def twin(self, name: str, **how):
        return self.get(f"/node/{self.id(name)}.json", **how).json()

    def page(self, name: str, **how) -> str:
        answer = self.get(f"/node/{self.id(name)}", **how)
        assert answer.status_code == 200, answer.text
        return answer.text


def opened(tmp_path: Path, log: Log) -> Scene:
    (tmp_path / "state").mkdir()
    return Scene(tmp_path / "state", store=Contents(log))  # type: ignore[arg-type]  a store too


def busy_bazaar(folder: Path) -> Bazaar:
    """Nodes that were admitted, refused, leased, proven with GPUs, and proven anew."""
    owner = OwnerKey.new()
    with Log.create(folder / "log", origin="log.example/bazaar") as log:
        scene = opened(folder, log)
        nodes = {"cheap": scene.node("cheap", price="10"), "dear": scene.node("dear", price="20")}
        lease = scene.leased(nodes["cheap"], owner)
        nodes["cheap"].work(30)
        scene.close(owner, lease)
        one = Hardware(cpus=8, memory_mib=32_768, gpus=(Gpus(model="H100", count=1),))
        nodes["boaster"] = Node(scene, "boaster", hardware=one)
        nodes["boaster"].register()
        chip = Hardware(cpus=8, memory_mib=32_768, gpus=(Gpus(model="GH100", count=2),))
        nodes["proven"] = Node(scene, "proven", hardware=chip, price="30")
        nodes["proven"].attester = attester("proven", scene.clock, gpus=2)
        assert nodes["proven"].register().admitted
        nodes["rich"] = Node(scene, "rich", price="2000000000")
        nodes["rich"].register(nonce="00" * 32)
        nodes["again"] = scene.node("again", price="40")
        nodes["first"] = Node(scene, "x")
        nodes["first"].identity = nodes["again"].identity
        assert nodes["again"].attest().admitted
        log.publish()
        scene.ledger.close()
    return Bazaar(folder / "log", nodes, owner)
