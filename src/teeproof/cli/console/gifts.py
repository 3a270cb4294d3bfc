"""This owner's contributions, for the console: given, decided, earned, taken back.

Who contributes is the owner whose key lies in the demo's folder: the one of ``teeproof data
contribute``. Nothing is kept here but what was judged of late: the log, the chain and the key's
folder have it all, so a console that is started again shows the same.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teeproof.cli.console.ledger import Found, Ledger
from teeproof.cli.contributing import (
    account_beside,
    account_file,
    give,
    key_file_in,
    names_beside,
    take_back,
)
from teeproof.cli.joining import Joined
from teeproof.core.clock import wall_clock
from teeproof.core.digests import parse_named
from teeproof.core.errors import Error, Unavailable
from teeproof.explorer.console.port import Earned, Given, Owner
from teeproof.explorer.log.content import Book
from teeproof.explorer.log.kept import VERDICT, Kept

if TYPE_CHECKING:
    from teeproof.data.terms import PoolTerms
    from teeproof.proof.verify import ProofVerdict

__all__ = ["LocalGifts"]

_SHOWN = 50  # contributions on the page
_PATIENCE, _MOMENT = 30.0, 0.05  # seconds that witnesses may take to see what was said

_LOOKS = 20  # models of one contribution that are verified: the oldest
_KEPT = _SHOWN * (_LOOKS + 5)  # verdicts: on all of them, their models, and what took them back

_CROWDED = "so many statements name it that not all were looked at"
_MORE = "there is more than is looked at: what is told is of the latest payments alone"


class LocalGifts:
    """The port ``Gifts``, for a demo on this machine.

    Args:
        reach: where the demo's services are now.
        book: its log, with whom its reader trusts.
        key_file: the owner's key; None for the folder's own.
        now: the clock.
    """

    def __init__(
        self,
        reach: Callable[[], Joined],
        *,
        book: Book,
        key_file: Path | None = None,
        now: Callable[[], datetime] = wall_clock,
    ) -> None:
        self._reach, self._book, self._now = reach, book, now
        self._key_file = key_file or key_file_in(reach().folder)
        self._ledger: Ledger | None = None
        self._judged: Kept[tuple[str, Any], ProofVerdict] = Kept(most=_KEPT, seconds=VERDICT)
        self._lock = threading.Lock()

    def owner(self) -> Owner | None:
        """See ``Gifts``."""
        from teeproof.cloud.owner import OwnerKey  # noqa: PLC0415  only who contributes

        if not self._key_file.exists():
            return None
        beside = account_file(self._key_file)
        return Owner(
            public=OwnerKey.load(self._key_file).public,
            key_file=str(self._key_file),
            payout=account_beside(self._key_file) if beside.exists() else "",
            account_file=str(beside) if beside.exists() else "",
        )

    def terms(self) -> PoolTerms:
        """See ``Gifts``."""
        with closing(self._reach().pool()) as pool:
            return pool.terms()

    def given(self) -> Sequence[Given]:
        """See ``Gifts``."""
        ledger = self._followed()
        if ledger is None:
            return ()
        found = ledger.found()
        names = names_beside(self._key_file)
        got, unknown = self._earned(ledger, found)
        return [self._told(one, ledger, names, got, unknown) for one in found[:_SHOWN]]

    def contribute(self, name: str, data: bytes) -> str:
        """See ``Gifts``."""
        gave = give(self._reach(), data, name=name, owner=self._key_file)
        self._until_witnessed(gave.contributed.proof.statement.name)
        return gave.contributed.contribution

    def withdraw(self, contribution: str) -> None:
        """See ``Gifts``."""
        taken = take_back(self._reach(), contribution, owner=self._key_file)
        self._until_witnessed(taken.receipt.statement.name)

    def _followed(self) -> Ledger | None:
        owner = self.owner()
        if owner is None:
            return None
        with self._lock:
            if self._ledger is None:
                self._ledger = Ledger(self._book.log, owner=owner.public)
            return self._ledger

    def _told(
        self,
        one: Found,
        ledger: Ledger,
        names: dict[str, str],
        got: dict[str, tuple[Earned, ...]],
        unknown: str,
    ) -> Given:
        verdict, problem = self._verdict(one.statement)
        models = tuple(model for model in one.models[:_LOOKS] if self._holds(model.statement))
        if one.more or len(one.models) > _LOOKS:
            unknown = unknown or _CROWDED
        return Given(
            statement=one.statement,
            said=one.said,
            name=names.get(one.said.contribution, ""),
            verdict=verdict,
            problem=problem,
            withdrawn=next(filter(self._holds, one.withdrawals), None),
            datasets=tuple(one.datasets),
            models=models,
            answers=sum(ledger.answers(model.statement)[0] for model in models),
            earned=got.get(one.said.contribution, ()),
            unknown=unknown,
        )

    def _holds(self, statement: str) -> bool:
        """Return whether a statement holds; one that is only claimed keeps nobody from acting."""
        verdict, _ = self._verdict(statement)
        return verdict is not None and verdict.ok

    def _verdict(self, statement: str) -> tuple[ProofVerdict | None, str]:
        """Return the verdict on a statement, of the last minute or of now; or why there is none.

        One is kept no longer than what it was found in: witnesses may see a statement any moment.
        """
        key, now = (statement, self._book.state()), self._now().timestamp()
        kept = self._judged.get(key, now)
        if kept is not None:
            return kept, ""
        try:
            verdict = self._book.page(parse_named(statement)).verdict
        except Error as error:
            return None, error.detail
        self._judged.put(key, verdict, now)
        return verdict, ""

    def _earned(
        self, ledger: Ledger, found: Sequence[Found]
    ) -> tuple[dict[str, tuple[Earned, ...]], str]:
        """Return what accounts got by each contribution's id; or why that is not known."""
        from teeproof.chain.client import Chain  # noqa: PLC0415  eth_abi
        from teeproof.cli.console.earnings import earned  # noqa: PLC0415

        joined = self._reach()
        payments = joined.contracts.get("payments")
        if payments is None:
            return {}, ""  # no fee was ever paid here
        behind = _behind(ledger, found)
        got: dict[str, tuple[Earned, ...]] = {}
        unknown = ""
        try:
            with Chain.connect(joined.url("chain")) as chain:
                for account in sorted({one.said.payout for one in found}):
                    ours = {
                        answer: [one for one in those if one.said.payout == account]
                        for answer, those in behind.items()
                    }
                    parts, more = earned(
                        chain, self._book.log, payments=payments, account=account,
                        answers=[answer for answer, those in ours.items() if those],
                        others={answer: len(those) - 1 for answer, those in ours.items()},
                    )  # fmt: skip
                    unknown = _MORE if more else unknown
                    for part, one in [(p, one) for p in parts for one in ours.get(p.answer, ())]:
                        name = one.said.contribution
                        got[name] = (*got.get(name, ()), part)
        except Error as error:
            return got, f"the chain could not be asked: {error.detail}"
        return got, unknown

    def _until_witnessed(self, name: str) -> None:
        """Wait until the log shows a statement under a checkpoint that says when it was said.

        The page says if it does not; before, it would call a statement bad that is only young.
        """
        wanted, limit = parse_named(name), time.monotonic() + _PATIENCE
        while not self._is_witnessed(wanted) and time.monotonic() < limit:
            time.sleep(_MOMENT)

    def _is_witnessed(self, statement: bytes) -> bool:
        accept = self._book.trust.accepting(self._now())
        try:
            with self._book.opened(accept=accept) as held:
                logged = held.logged(statement)
                return logged is not None and (accept is None or accept(logged.checkpoint))
        except Unavailable as error:
            if error.code != "log_reading":
                raise
            return False  # it is long; once it is read


def _behind(ledger: Ledger, found: Sequence[Found]) -> dict[str, list[Found]]:
    """Return the contributions behind each answer: those that its model was trained on."""
    of_model: dict[str, list[Found]] = {}
    for one in found:
        for model in one.models:
            of_model.setdefault(model.statement, []).append(one)
    return {answer: of_model[model] for model in of_model for answer in ledger.answers(model)[1]}
