"""An agent in a process of its own that is killed at a named step; one line of JSON for each.

It is run as ``python -m tests.agents.victim FOLDER``: FOLDER holds what the agent needs. Each line
on its input names a step; a child is forked that kills itself there, and what became of it is told.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from teeproof.agents.asking import Asker
from teeproof.agents.ground import Ground
from teeproof.agents.journal import Journal
from teeproof.agents.kernel import Kernel
from teeproof.agents.mandate import Mandate
from teeproof.chain.account import Account
from teeproof.chain.client import Chain
from teeproof.chain.outbox import Outbox
from teeproof.evidence.policy import parse_policy
from teeproof.proof.memory import MemorySource
from tests.agents.world import JOURNAL_KEY, agent_identity, ask

EVERYTHING_DONE = 9


def act(folder: Path, order: dict[str, Any]) -> None:
    """Be an agent until the step that is named."""

    def fault(point: str) -> None:
        if point == order["point"]:
            os.kill(os.getpid(), signal.SIGKILL)

    given = json.loads((folder / "given.json").read_text())
    mandate = Mandate.parse((folder / "mandate.json").read_bytes())
    source = MemorySource()
    chain = Chain.connect(given["chain"])
    relayer = Account(bytes.fromhex(given["relayer"]))
    kernel = Kernel(
        mandate,
        identity=agent_identity(source),
        journal=Journal.open(folder / "agent.journal", key=JOURNAL_KEY, fault=fault),
        asker=Asker(given["model"], policy=parse_policy(given["policy"]), store=source),
        ground=Ground(
            chain,
            outbox=Outbox.open(folder / "agent.outbox", chain=chain, account=relayer),
            mandate=mandate,
        ),
        fault=fault,
    )
    if order["text"]:
        kernel.instruct(ask(order["text"], id=order["id"]))
    else:
        kernel.resume()


def main() -> None:
    folder = Path(sys.argv[1])
    for name in ("coincurve", "eth_abi", "httpx", "teeproof.inference.client"):
        importlib.import_module(name)  # once, and not in each child
    agent_identity(MemorySource())
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            act(folder, json.loads(line))
            os._exit(EVERYTHING_DONE)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
