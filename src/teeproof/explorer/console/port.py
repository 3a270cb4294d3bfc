"""What the console asks of whoever reaches pool, model and chain: to contribute, and to talk.

The command line fills it in, with the same functions as its own commands: what the console does,
``teeproof data contribute`` does too. Any of it may be *Unavailable*, as long as the part of the
story that makes it has not run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from teeproof.data.statements import Contribution
from teeproof.data.terms import PoolTerms
from teeproof.explorer.console.stage import Stage
from teeproof.proof.receipt import Receipt
from teeproof.proof.verify import ProofVerdict

__all__ = ["Answered", "Console", "Earned", "Gifts", "Given", "Made", "Owner", "Talk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who contributes here.

    Attributes:
        public: the owner's public key, hex.
        key_file: where the key lies, for people.
        payout: the account that earns.
        account_file: where that account's key lies; empty if it is not one of this folder.
    """

    public: str
    key_file: str
    payout: str
    account_file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A model that was trained on a contribution: its statement, and of how many of its records."""

    statement: str
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """What a contribution's account got of one answer's fee.

    Attributes:
        answer: the receipt's id, ``sha256:…``.
        amount: in base units.
        symbol: of the token.
        decimals: how many digits of the amount stand after the point.
        fee: the whole fee as people read it; empty if it is not known.
        percent: how many basis points of the fee go to data.
        weight: of the account among all contributors, in millionths of a record.
        weights: of all contributors together.
        others: how many other contributions of the same account are in that weight.
        claimed: whether it was paid out; otherwise it waits in the contract.
        doubt: why the lineage does not say the same; empty if it does.
        token: its address; symbols are what a token calls itself.
    """

    answer: str
    amount: int
    symbol: str
    decimals: int
    fee: str
    percent: int
    weight: int
    weights: int
    others: int
    claimed: bool
    doubt: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A contribution of this owner, and what became of it.

    Attributes:
        statement: what the pool said of it, ``sha256:…``.
        said: the same, read.
        name: of the file, as its owner called it; empty where nobody wrote it down.
        verdict: on the statement and all that it rests on; None if it could not be judged now.
        problem: why not.
        withdrawn: the pool's statement that it was taken back, ``sha256:…``; None if none holds.
        datasets: statements of datasets that have it.
        models: those trained on it whose statements hold, oldest first.
        answers: how many answers those models gave, as far as the log has them.
        earned: of which answers' fees its account has a part, newest first; a bounded number.
        unknown: why it cannot be told what it earned; empty if it can.
    """

    statement: str
    said: Contribution
    name: str = ""
    verdict: ProofVerdict | None = None
    problem: str = ""
    withdrawn: str | None = None
    datasets: tuple[str, ...] = ()
    models: tuple[Made, ...] = ()
    answers: int = 0
    earned: tuple[Earned, ...] = ()
    unknown: str = ""

    @property
    def id(self) -> str:
        """By what it is withdrawn, hex."""
        return self.said.contribution


class Gifts(Protocol):
    """This owner's contributions. It may be asked from any thread, and takes its time."""

    def owner(self) -> Owner | None:
        """Return who contributes; None before the first file, with which the key is made."""

    def terms(self) -> PoolTerms:
        """Return the pool's terms; Unavailable before there is a pool (``part_missing``)."""

    def given(self) -> Sequence[Given]:
        """Return the contributions, newest first; a bounded number, as far as the log has them."""

    def contribute(self, name: str, data: bytes) -> str:
        """Seal a file here and send the ciphertext; return the contribution's id.

        Args:
            name: what its owner calls it; kept on this machine.
            data: JSON lines.

        Raises:
            Error: as ``teeproof data contribute``; nothing leaves the process unless sealed.
        """

    def withdraw(self, contribution: str) -> None:
        """Have a contribution's key erased, and the pool leave it out.

        Raises:
            Error: as ``teeproof data withdraw``.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer of the model, with what was checked of its receipt on this machine.

    Attributes:
        text: what the model said.
        receipt: for it; None where none could be had.
        state: ``passed``: every check held; ``failed``: one did not; ``not_checked``: none could
            be made.
        level: of the machine, such as ``simulated``; None if it is not known.
        checks: name, state and detail of each, of the answer and then of the machine.
        why: why it failed or was not checked; empty if it passed.
        milliseconds: from the question to the checked answer.
        fee: what the receipt says that the answer costs, as people read it; empty if it is free.
    """

    text: str
    receipt: Receipt | None
    state: Literal["passed", "failed", "not_checked"]
    level: str | None
    checks: tuple[tuple[str, str, str], ...]
    why: str
    milliseconds: int
    fee: str


class Talk(Protocol):
    """The model that is served. It may be asked from any thread, and takes its time."""

    def model(self) -> str:
        """Return the model's name; Unavailable before one is served (``part_missing``)."""

    def ask(self, text: str) -> Answered:
        """Return the answer to a question; a receipt that does not hold raises nothing.

        Raises:
            Error: no answer came, with the service's own code.
        """

    def close(self) -> None:
        """End the connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """What a console has. Whatever is None has no page.

    Attributes:
        token: what the address of the console carries, 32 characters or more.
        stage: the story's parts.
        gifts: contributions.
        talk: the model.
    """

    token: str
    stage: Stage | None = None
    gifts: Gifts | None = None
    talk: Talk | None = None

    def close(self) -> None:
        """End what it has opened."""
        if self.talk is not None:
            self.talk.close()
