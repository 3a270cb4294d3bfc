"""Who looks at a chain for pages and commands: patient for seconds, and tells nobody a node's key.

    onlooker = Onlooker("http://127.0.0.1:8545")
    onlooker.ask(lambda chain, in_time: fund_state(chain, "0x…", in_time=in_time))

Trusts: nothing; the node's word is its word.  Does not trust: the form, size and pace of answers.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Final, TypeVar

from teeproof.chain.answers import in_number
from teeproof.chain.client import Chain
from teeproof.chain.endpoint import Endpoint
from teeproof.core.errors import Error, Unavailable
from teeproof.core.hosts import is_this_machine

__all__ = ["Onlooker"]

T = TypeVar("T")
_MOST_ANSWER: Final = 1 << 20
_PATIENCE: Final = 12.0  # seconds for everything that one page asks for
_BARE = re.compile(r"https?://([\w.-]+|\[[0-9a-f:]+\])(?::\d+)?/?", re.ASCII)


class Onlooker:
    """A node at a URL, connected to when it is first asked and again when it was gone.

    Args:
        url: of the node.
        clock: seconds that only grow.
        patience: seconds for all that one page asks for; one answer has a third of them.

    Raises:
        Usage: this is no URL of http or https (``url_malformed``).
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        patience: float = _PATIENCE,
    ) -> None:
        self.url, self._clock, self._patience = url, clock, patience
        self._endpoint = Endpoint(url, timeout=patience / 6, within=patience / 3, most=_MOST_ANSWER)

    @property
    def name(self) -> str:
        """What strangers may read of where it is: more than a port of this machine may be a key."""
        bare = _BARE.fullmatch(self.url)
        here = bare is not None and is_this_machine(bare[1].strip("[]"))
        return self.url if here else "a node whose address is not shown"

    def says(self, error: Error) -> str:
        """Return an error in words that strangers may read."""
        return error.detail.replace(f"the node at {self.url}", f"the node ({self.name})").replace(
            self.url, self.name
        )

    def chain(self) -> Chain:
        """Return the chain, asked anew for its id: another may answer at this address by now.

        Raises:
            Unavailable, Malformed: the node does not answer, or is none.
        """
        return Chain(self._endpoint, in_number(self._endpoint.ask("eth_chainId"), "chain id"))

    def ask(self, work: Callable[[Chain, Callable[[], None]], T]) -> T:
        """Return what a piece of work finds; it calls its second argument between questions.

        Raises:
            Unavailable: the node does not answer, or not in time (``node_slow``).
            Malformed: it does not answer as a node does.
        """
        begun = self._clock()

        def in_time() -> None:
            if self._clock() - begun > self._patience:
                raise Unavailable(
                    f"the node at {self.url} answers too slowly: name another",
                    code="node_slow",
                    expected=f"all that a page asks for in {self._patience:g} seconds",
                )

        return work(self.chain(), in_time)

    def close(self) -> None:
        """Close the connection."""
        self._endpoint.close()
