"""Part 4 of the demo: the model is served under receipts, and the ``openai`` package asks it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from teeproof.cli import demo_orders
from teeproof.cli.story.data import SHARES
from teeproof.cli.story.money import FEE, Money
from teeproof.cli.story.network import Rented
from teeproof.cli.story.telling import Teller
from teeproof.cli.story.train import Model
from teeproof.cli.story.world import World
from teeproof.cloud.manifest import Manifest
from teeproof.core.writing import write_file
from teeproof.evidence.collect.simulated import application_policy
from teeproof.evidence.policy import parse_policy

if TYPE_CHECKING:
    from teeproof.proof.receipt import Receipt

__all__ = ["NAME", "Asked", "prepare", "server_manifest", "server_policy", "tell"]

NAME = "orders"
MODULE = "teeproof.inference.workload"
_KEY = "demo"  # whoever asked gets the receipt


@dataclass(frozen=True)
class Asked:
    """A question that was asked, and what came.

    Attributes:
        text: the question.
        answer: the model's.
        receipt: of both, checked.
    """

    text: str
    answer: str
    receipt: Receipt


def tell(world: World, say: Teller, model: Model, *, money: Money, rented: Rented) -> Asked:
    """Serve the model, and ask it what nobody sent."""
    say.step("answer", "4 Answer")
    say.now("a service boots, and computes what it loads")
    inputs = prepare(world.folder / "runs" / "model" / "in", model, money=money, rented=rented)
    world.run(server_manifest(world, model), name="model", inputs=inputs, serve=True).ready()
    say.now("the openai package asks it")
    asked = _ask(world, demo_orders.SHOWN.text)
    say.line(
        f'"{asked.text}" -> {asked.answer}, with a receipt',
        ids=[asked.receipt.name],
        question=asked.text,
        answer=asked.answer,
        right=asked.answer == demo_orders.SHOWN.order.text,
        url=world.urls["model"],
    )
    return asked


def server_manifest(world: World, model: Model) -> Manifest:
    """Return what serves this model and no other."""
    return world.manifest("model", MODULE, TEEPROOF_MODEL=model.root)


def server_policy(world: World) -> str:
    """Return what a client expects of the machine that serves the model, as TOML."""
    return application_policy(world.platform, compose_hash=[world.codes["model"]])


def prepare(inputs: Path, model: Model, *, money: Money, rented: Rented) -> Path:
    """Write the server's inputs: the model, who made it, the lease, the price."""
    inputs.mkdir(parents=True)
    shutil.copytree(model.folder, inputs / "model")
    serving = {
        "model": NAME,
        "statement": model.statement.name,
        "lease": {"digest": rented.matched.lease, "statement": rented.matched.statement},
        "price": {"asset": money.dollar.asset, "answer": str(FEE), "shares": SHARES},
    }
    write_file(inputs / "serve.json", json.dumps(serving).encode(), overwrite=False)
    write_file(inputs / "training.json", model.envelope, overwrite=False)
    return inputs


def _ask(world: World, text: str) -> Asked:
    """Ask with the unmodified ``openai`` package; the transport checks each receipt."""
    import httpx  # noqa: PLC0415  only here
    from openai import OpenAI  # noqa: PLC0415

    from teeproof.inference.client import Service  # noqa: PLC0415
    from teeproof.inference.transport import Verifying  # noqa: PLC0415

    url = world.urls["model"]
    policy = parse_policy(server_policy(world))
    with Service.connect(url, policy=policy, api_key=_KEY) as service:
        checking = Verifying(service)
        client = OpenAI(
            base_url=f"{url}/v1", api_key=_KEY, max_retries=0,
            http_client=httpx.Client(transport=checking),
        )  # fmt: skip
        said = client.chat.completions.create(
            model=NAME, messages=[{"role": "user", "content": text}], temperature=0
        )
        client.close()
        receipt, _ = checking.checked[-1]
    return Asked(text, said.choices[0].message.content or "", receipt)
