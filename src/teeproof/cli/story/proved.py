"""The demo's PROOF: one file from the trade to the data, checked by a process without network."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teeproof.cli.story.money import Money
from teeproof.cli.story.telling import Teller
from teeproof.cli.story.world import World
from teeproof.core import strictjson
from teeproof.core.clock import wall_clock
from teeproof.core.digests import parse_named
from teeproof.core.errors import Unavailable
from teeproof.proof.file import Exported, export
from teeproof.proof.log.contents import Contents
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.log.storage.log import Log
from teeproof.proof.verify import Trust

if TYPE_CHECKING:
    from teeproof.chain.anchors import AnchoredCheckpoint

__all__ = ["PROOF", "Checked", "check_offline", "save", "tell"]

PROOF = "trade.proof"
_CHAIN = ("action", "answer", "training", "dataset", "contribution")
_WORDS = {"action": "trade", "training": "model", "dataset": "training", "contribution": "data"}
_PATIENCE = 60.0  # seconds until witnesses have cosigned what was said last


@dataclass(frozen=True)
class Checked:
    """What ``teeproof verify`` said in a process of its own.

    Attributes:
        code: its exit code.
        network: how it was cut off.
        seconds: how long it took, start included.
        value: what it printed with ``--json``.
    """

    code: int
    network: str
    seconds: float
    value: dict[str, Any]

    @property
    def faults(self) -> list[dict[str, Any]]:
        """Every failed check, with its place."""
        found: list[dict[str, Any]] = self.value.get("faults", [])
        return found


def tell(world: World, say: Teller, statement: str, *, money: Money) -> Path:
    """Export the proof of a statement, and have it checked without network."""
    say.step("proof", "PROOF")
    path = world.folder / PROOF
    say.now("both witnesses cosign the log, and a block of the chain holds its checkpoint")
    exported, anchored = save(world, statement, path, money=money)
    say.now("a process without network checks the file")
    block = f"local:{anchored.proof.chain_id}:0x{anchored.block.hex()}:{anchored.contract}"
    found = check_offline(world, path, "--block", block)
    verdict = "every check holds" if found.code == 0 else "RED"
    say.line(
        f"trade <- answer <- model <- training <- data: {exported.statements} statements,"
        f" {found.seconds:.1f} s, network off: {verdict}",
        ids=[statement],
        statements=exported.statements,
        bytes=exported.bytes,
        exit_code=found.code,
        network=found.network,
        seconds=round(found.seconds, 2),
        level=found.value.get("level"),
    )
    (log,) = found.value.get("logs", [{}])
    checks: list[dict[str, Any]] = log.get("checks", [])
    anchor = next((one for one in checks if one["name"] == "anchor"), {})
    verdict = "which proves no time: one operator makes its blocks"
    if anchor.get("state") != "not_checked" or "clock" not in anchor.get("detail", ""):
        verdict = "RED"
    say.line(
        f"the log is anchored in block {anchored.number} of the demo's chain, {verdict}",
        ids=[statement],
        block=block,
        tx=anchored.tx_hash,
        sizes=log.get("sizes"),
        anchor=anchor,
    )
    return path


def save(
    world: World, statement: str, path: Path, *, money: Money
) -> tuple[Exported, AnchoredCheckpoint]:
    """Write the proof of a statement of the log, under checkpoints that both witnesses cosigned.

    The newest of them is anchored on the chain, and the file holds the proof of that too.

    Raises:
        Unavailable: no such checkpoint covers all of it in time.
    """
    from teeproof.chain.anchors import anchor  # noqa: PLC0415  eth_abi

    trust = Trust(logs=TlogPolicy.parse(world.notary.policy.encode()))
    limit = time.monotonic() + _PATIENCE
    while True:
        accept = trust.accepting(wall_clock())
        with Log.open(world.notary.directory, read_only=True) as log:
            newest = log.checkpoint()
            if accept is not None and accept(newest) and _holds(log, statement):
                anchored = anchor(
                    money.chain, newest.checkpoint, contract=money.anchors, by=world.dev()
                )
                exported = export(
                    Contents(log, accept=accept), [parse_named(statement)], path,
                    anchors=[(newest, anchored.proof.encode())],
                )  # fmt: skip
                return exported, anchored
        if time.monotonic() > limit:
            raise Unavailable(
                "the witnesses have not cosigned what was said last", code="not_published"
            )
        time.sleep(0.05)


def _holds(log: Log, statement: str) -> bool:
    return Contents(log).statement(parse_named(statement)) is not None


def check_offline(world: World, path: Path, *further: str, trusted: bool = True) -> Checked:
    """Run ``teeproof verify`` in a process without network and with a home of its own.

    Args:
        world: whose reader's trust is passed in.
        path: the proof.
        further: options.
        trusted: whether the simulated root's fingerprint is given.
    """
    words = ["verify", str(path), "--json", "--logs", str(world.logs_path), *further]
    words += ["--policy", str(world.policy_path)] if trusted else []
    home = world.folder / "another-machine"
    begun = time.monotonic()
    done = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-m", "teeproof.cli.offline", *words],
        capture_output=True, check=False, cwd=world.folder,
        env={"PATH": os.defpath, "HOME": str(home), "TEEPROOF_HOME": str(home)},
    )  # fmt: skip
    took = time.monotonic() - begun
    network = done.stderr.decode(errors="replace").partition("\n")[0].removeprefix("network: ")
    value = strictjson.loads(done.stdout or b"{}", limit=64 << 20, what="verdict")
    return Checked(done.returncode, network, took, value)
