"""A node's JSON-RPC: ask a method, get its result or an error that says why not.

The errors of nodes are texts; those that a program must tell apart get codes of their own here:

    reverted            a contract said no; ``got`` is its reason
    nonce_low           the account has used this nonce already
    nonce_high          an earlier one of the account is missing
    transaction_known   the node has this very transaction
    underpriced         another transaction with this nonce pays as much
    funds_short         the account cannot pay
    node_refused        any other no

Trusts: nothing.  Does not trust: the node; its answers are bounded.
"""

from __future__ import annotations

import itertools
import time
import weakref
from typing import Any
from urllib.parse import urlsplit

from teeproof.chain.revert import reason_of
from teeproof.core import strictjson
from teeproof.core.errors import Malformed, NotAllowed, TooLarge, Unavailable, Usage
from teeproof.web.asking import way_to

__all__ = ["MAX_ANSWER", "Endpoint"]

MAX_ANSWER = 32 << 20
_TIMEOUT = 30.0
_REVERTED = 3
_UNKNOWN_METHOD = -32601
# Parts of what go-ethereum says (core/txpool, core/state_transition), which other nodes repeat.
_SAID = (
    ("nonce too low", "nonce_low"),
    ("nonce too high", "nonce_high"),
    ("already known", "transaction_known"),
    ("replacement transaction underpriced", "underpriced"),
    ("transaction underpriced", "fee_low"),
    ("max fee per gas less than block base fee", "fee_low"),
    ("insufficient funds", "funds_short"),
)


class Endpoint:
    """A node at a URL; one connection, kept open.

    Args:
        url: of http or https.
        timeout: seconds for each step of an exchange: to connect, to send, to receive a part.
        within: seconds for a whole exchange, however slowly its parts come; None for no such end.
        most: bytes of one answer.

    Raises:
        Usage: this is no URL of http or https (``url_malformed``).
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = _TIMEOUT,
        within: float | None = None,
        most: int = MAX_ANSWER,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Usage(
                "this is not the URL of a node",
                code="url_malformed",
                expected="http://127.0.0.1:8545 or https://…",
                got=ascii(url[:100])[1:-1],
            )
        import httpx  # noqa: PLC0415  0.3 s, and not every import asks

        self.url, self._within, self._most = url, within, most
        self._client = httpx.Client(timeout=timeout, **way_to(url))
        weakref.finalize(self, self._client.close)  # who forgets to close leaves nothing open
        self._numbers = itertools.count(1)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def ask(self, method: str, *params: Any) -> Any:
        """Return the result of a method.

        Raises:
            NotAllowed: the node or a contract said no; see the codes above.
            Unavailable: it cannot be reached, has no such method, or failed.
            Malformed, TooLarge: its answer is none.
        """
        return _result(self.ask_many([(method, params)])[0])

    def ask_many(self, asked: list[tuple[str, tuple[Any, ...]]]) -> list[dict[str, Any]]:
        """Return the answers of several requests in their order, each with result or error."""
        requests = [
            {"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": list(params)}
            for method, params in asked
        ]
        alone = len(requests) == 1
        answer = self._posted(strictjson.dumps(requests[0] if alone else requests).encode())
        found = [answer] if alone else answer
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise _not_json_rpc("another value")
        by_id = {one.get("id"): one for one in found}
        try:
            return [by_id[request["id"]] for request in requests]
        except KeyError:
            fault = next((one for one in found if "error" in one), None)
            if fault is not None:
                _result(fault)
            raise _not_json_rpc("no answer to what was asked") from None

    def results(self, asked: list[tuple[str, tuple[Any, ...]]]) -> list[Any]:
        """Return the results of several requests; raises as ``ask`` for the first that has none."""
        return [_result(answer) for answer in self.ask_many(asked)]

    def _posted(self, body: bytes) -> Any:
        import httpx  # noqa: PLC0415  as above

        headers = {"content-type": "application/json"}
        begun = time.monotonic()
        try:
            with self._client.stream("POST", self.url, content=body, headers=headers) as response:
                parts, size = [], 0
                for part in response.iter_bytes():
                    size += len(part)
                    if size > self._most:
                        raise TooLarge("the node's answer is too large: ask for less at once")
                    if self._within is not None and time.monotonic() - begun > self._within:
                        raise Unavailable(
                            f"the node at {self.url} answers too slowly: name another",
                            code="node_slow",
                            expected=f"a whole answer in {self._within:g} seconds",
                        )
                    parts.append(part)
        except httpx.HTTPError as error:
            raise Unavailable(
                f"the node at {self.url} does not answer: start it, or name another",
                code="node_unreachable",
                got=type(error).__name__,
            ) from None
        try:
            return strictjson.loads(b"".join(parts), limit=self._most, what="node's answer")
        except TooLarge:
            raise
        except Malformed:
            raise Unavailable(
                f"{self.url} is no node: it answered {response.status_code} without JSON-RPC",
                code="node_malformed",
                got=str(response.status_code),
            ) from None


def _result(answer: dict[str, Any]) -> Any:
    error = answer.get("error")
    if error is None:
        if "result" not in answer:
            raise _not_json_rpc("neither result nor error")
        return answer["result"]
    if not isinstance(error, dict):
        raise _not_json_rpc("an error that is no object")
    message = ascii(str(error.get("message", "")))[1:-1][:300]
    data = _data(error.get("data"))
    if error.get("code") == _REVERTED or (data is not None and "revert" in message):
        reason = reason_of(data or b"") or "no reason"
        raise NotAllowed(f"the contract refused: {reason}", code="reverted", got=reason)
    if error.get("code") == _UNKNOWN_METHOD:
        raise Unavailable(f"the node lacks a method: {message}", code="method_missing")
    code = next((code for part, code in _SAID if part in message), "node_refused")
    raise NotAllowed(f"the node refused: {message}", code=code, got=message)


def _data(value: Any) -> bytes | None:
    if not isinstance(value, str) or value[:2] != "0x":
        return None
    try:
        return bytes.fromhex(value[2:])
    except ValueError:
        return None


def _not_json_rpc(got: str) -> Malformed:
    return Malformed(
        "the node's answer is not JSON-RPC", code="node_malformed", expected="a result", got=got
    )
