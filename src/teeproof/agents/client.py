"""Instruct an agent, and read what it may do, what it did, and who it is.

    with AgentClient("http://…") as agent:
        agent.mandate(expected="sha256:…")
        outcome = agent.instruct("sell half my ETH below 2,000")
        outcome.outcome, outcome.rules, outcome.tx, outcome.statement

What an agent answers here is its word. The statement that it names lies in the log, and its proof
is what can be verified.

Trusts: nothing.  Does not trust: the agent, its host, the network.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, Self

import msgspec

from teeproof.agents.instructions import signed
from teeproof.agents.journal import Entry, read_entries
from teeproof.agents.mandate import Mandate
from teeproof.cloud.owner import OwnerKey
from teeproof.core import strictjson
from teeproof.core.errors import Malformed, NotAllowed
from teeproof.proof import canonical
from teeproof.proof.identity import IdentityRecord
from teeproof.web.asking import Asker

__all__ = ["AgentClient", "Told"]

_MAX_ANSWER = 64 << 20


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent says came of an instruction.

    Attributes:
        number: which of its instructions it was.
        id: the instruction's.
        text: the instruction.
        order: what the model made of it; None if no order.
        outcome: ``traded``, ``waiting``, ``refused`` or ``failed``.
        rules: those that refused it, or that wait.
        detail: one sentence.
        gave: what the fund gave away, in smallest units.
        got: what it received.
        tx: hash of the transaction.
        receipt: ``sha256:…`` of the answer's receipt.
        statement: ``sha256:…`` of the action's statement.
    """

    number: int
    id: str
    text: str
    order: str | None
    outcome: str
    rules: tuple[str, ...]
    detail: str
    gave: str
    got: str
    tx: str | None
    receipt: str | None
    statement: str | None


class AgentClient:
    """One agent's address.

    Args:
        url: where it is served.
        timeout: seconds to wait for it at any one time; an instruction takes a model's answer and
            a block.
        random: the random source, for the ids of instructions.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 240.0,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._random = random
        self._asker = Asker(url, noun="agent", timeout=timeout)

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._asker.close()

    def instruct(
        self, text: str, *, name: str | None = None, owner: OwnerKey | None = None,
        mandate: str | None = None,
    ) -> Told:  # fmt: skip
        """Ask for something, and return what came of it.

        Args:
            text: the instruction.
            name: its id; the same one again asks what came of it the first time.
            owner: signs it, where the mandate lists who may instruct.
            mandate: the mandate's digest, which the signature is for; asked for if not given.

        Raises:
            Error: the agent's, with its code.
        """
        name = name or self._random(16).hex()
        body: dict[str, Any] = {"id": name, "text": text}
        if owner is not None:
            digest = mandate or self.mandate().digest
            body = signed(owner, mandate=digest, name=name, text=text)
        answer = self._asker.post("v1/instructions", strictjson.dumps(body).encode())
        return _converted(_value(answer), Told)

    def mandate(self, *, expected: str | None = None) -> Mandate:
        """Return what the agent says it may do; NotAllowed if it is not what is expected."""
        found = Mandate.parse(canonical.encode(self._object("v1/mandate").get("mandate")))
        if expected is not None and found.digest != expected:
            raise NotAllowed(
                "the agent has another mandate than you expect: give it no money",
                code="mandate_not_expected",
                expected=expected,
                got=found.digest,
            )
        return found

    def address(self) -> str:
        """Return the address of the key that it says it trades with."""
        return str(self._object("v1/mandate").get("address"))

    def identity(self) -> IdentityRecord:
        """Return its identity record; what that is worth is for a policy to say."""
        found = self._object("v1/identity").get("identity")
        return IdentityRecord.parse(canonical.encode(found))

    def journal(self) -> tuple[Entry, ...]:
        """Return its journal; NotAuthentic if the entries are not one chain from the first on."""
        return read_entries(self._lines())

    def _lines(self) -> Iterator[bytes]:
        first, more = 0, True
        while more:
            page = self._object(f"v1/journal?first={first}")
            lines = page.get("entries")
            if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
                raise Malformed("this is no journal", code="answer_malformed")
            yield from (line.encode() for line in lines)
            first, more = first + len(lines), bool(page.get("more")) and bool(lines)

    def _object(self, path: str) -> dict[str, Any]:
        found = _value(self._asker.get(path, limit=_MAX_ANSWER))
        if not isinstance(found, dict):
            raise Malformed("the agent's answer is no object", code="answer_malformed")
        return found


def _value(answer: bytes) -> Any:
    return strictjson.loads(answer, limit=_MAX_ANSWER, what="agent's answer")


def _converted(found: Any, kind: type[Told]) -> Told:
    try:
        return msgspec.convert(found, kind, strict=True)
    except msgspec.ValidationError as error:
        raise Malformed(
            "the agent's answer has another form", code="answer_malformed", got=str(error)[:200]
        ) from None
