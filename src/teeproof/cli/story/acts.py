"""The parts of the story as things that can be begun: what each needs, and how it is told.

What a part made is kept for the parts that need it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teeproof.cli.story import (
    agent,
    answer,
    broken,
    data,
    money,
    network,
    paid,
    proved,
    train,
    withdrawn,
)
from teeproof.cli.story.agent import Managed
from teeproof.cli.story.answer import Asked
from teeproof.cli.story.data import Pooled
from teeproof.cli.story.money import Money
from teeproof.cli.story.network import Rented
from teeproof.cli.story.telling import LABELS, Teller
from teeproof.cli.story.train import Model
from teeproof.cli.story.world import World
from teeproof.core.digests import parse_named
from teeproof.core.errors import Error, Unavailable
from teeproof.training.recipe import Recipe

__all__ = ["ACTS", "Act", "Scene"]


class Scene:
    """Where the parts happen, who tells them, and what each has made.

    Args:
        world: where.
        say: who tells.
        recipe: what is trained.
    """

    def __init__(self, world: World, say: Teller, *, recipe: Recipe | None = None) -> None:
        self.world, self.say, self.recipe = world, say, recipe or Recipe()
        self.made: dict[str, Any] = {}
        self._money: Money | None = None

    @property
    def money(self) -> Money:
        """The story's money, made when a part first needs it."""
        if self._money is None:
            self._money = money.mint_all(self.world)
        return self._money

    @property
    def rented(self) -> Rented:
        """What the network gave."""
        rented: Rented = self.made["network"]
        return rented

    @property
    def pooled(self) -> Pooled:
        """What contributors gave."""
        pooled: Pooled = self.made["data"]
        return pooled

    @property
    def model(self) -> Model:
        """What was trained."""
        model: Model = self.made["train"]
        return model

    @property
    def asked(self) -> Asked:
        """The question that was asked first."""
        asked: Asked = self.made["answer"]
        return asked

    @property
    def managed(self) -> Managed:
        """The fund and its agent."""
        managed: Managed = self.made["agent"]
        return managed

    @property
    def action(self) -> str:
        """The statement on the agent's trade.

        Raises:
            Unavailable: the agent made none (``statement_missing``).
        """
        found = self.managed.traded.statement
        if found is None:
            raise Unavailable("the agent said nothing of its action", code="statement_missing")
        return found

    @property
    def receipt(self) -> str:
        """The receipt whose fee is paid: of the answer that the agent acted on, once it has."""
        acted = self.managed.traded.receipt if "agent" in self.made else None
        return acted or self.asked.receipt.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A part of the story.

    Attributes:
        name: for programs.
        label: for people.
        about: what it does, in one sentence.
        needs: what must be done before it.
        tell: does it, tells it, and returns what it made.
        again: whether it can be tried once more, after it failed.
        never: why not, where it cannot.
    """

    name: str
    label: str
    about: str
    needs: tuple[str, ...] = ()
    tell: Callable[[Scene], Any]
    again: Callable[[Scene], bool] = lambda _: True
    never: str = ""


def _network(scene: Scene) -> Rented:
    return network.tell(scene.world, scene.say)


def _data(scene: Scene) -> Pooled:
    return data.tell(scene.world, scene.say)


def _train(scene: Scene) -> Model:
    return train.tell(scene.world, scene.say, scene.pooled, recipe=scene.recipe)


def _answer(scene: Scene) -> Asked:
    coins = scene.money
    return answer.tell(scene.world, scene.say, scene.model, money=coins, rented=scene.rented)


def _agent(scene: Scene) -> Managed:
    return agent.tell(scene.world, scene.say, scene.model, money=scene.money)


def _paid(scene: Scene) -> Any:
    return paid.tell(scene.world, scene.say, scene.receipt, money=scene.money)


def _unpaid(scene: Scene) -> bool:
    """Return whether it is certain that nobody has paid for that answer yet."""
    try:
        coins, payer = scene.money, scene.world.account("payer")
        return coins.payments.payment_of(payer, parse_named(scene.receipt), coins.dollar) is None
    except (Error, OSError):
        return False


def _proof(scene: Scene) -> Path:
    return proved.tell(scene.world, scene.say, scene.action, money=scene.money)


def _broken(scene: Scene) -> None:
    broken.tell(
        scene.world, scene.say, model=scene.model, money=scene.money, rented=scene.rented,
        proof=scene.made["proof"], action=scene.action,
    )  # fmt: skip


def _withdraw(scene: Scene) -> None:
    models = [scene.model.statement.name]
    withdrawn.tell(scene.world, scene.say, scene.pooled, models=models)


_SERVED = ("network", "data", "train", "answer")

ACTS: tuple[Act, ...] = (
    Act(
        name="network",
        label=LABELS["network"],
        about="Three nodes ask a market to admit them, one with a GPU that it cannot prove, and the"
        " cheapest that was admitted is rented.",
        tell=_network,
    ),
    Act(
        name="data",
        label=LABELS["data"],
        about="A key service and a pool open, three people seal their orders for it, a fourth sends"
        " a copy, and a dataset is made that nobody has read.",
        tell=_data,
    ),
    Act(
        name="train",
        label=LABELS["train"],
        about="Attested code commits to its job, gets the keys of the sealed files and trains a"
        " model; beside it a second one without contributor 1.",
        needs=("data",),
        tell=_train,
    ),
    Act(
        name="answer",
        label=LABELS["answer"],
        about="The model is served on the rented machine, and the openai package asks it a question"
        " and checks the receipt.",
        needs=("network", "data", "train"),
        tell=_answer,
    ),
    Act(
        name="agent",
        label=LABELS["agent"],
        about="An agent trades for a fund within its mandate, and is then told to drain it.",
        needs=_SERVED,
        tell=_agent,
    ),
    Act(
        name="paid",
        label=LABELS["paid"],
        about="The answer's fee is paid, and divided among node, model and data by what the"
        " receipt's lineage proves.",
        needs=_SERVED,
        tell=_paid,
        again=_unpaid,
        never="the fee of this answer may have been paid, and an answer is paid for once",
    ),
    Act(
        name="proof",
        label=LABELS["proof"],
        about="The trade and all that it rests on become one file, which a process without network"
        " checks.",
        needs=(*_SERVED, "agent"),
        tell=_proof,
    ),
    Act(
        name="broken",
        label=LABELS["broken"],
        about="A host swaps code, changes a weight, edits a record and forks the log: on copies,"
        " and each is found.",
        needs=(*_SERVED, "agent", "proof"),
        tell=_broken,
    ),
    Act(
        name="withdraw",
        label=LABELS["withdraw"],
        about="Contributor 2 takes the data back: the key is erased, and the next training is"
        " refused it.",
        needs=("data", "train"),
        tell=_withdraw,
    ),
)
"""Every part, in the order of the whole story."""
