"""JSON-RPC 2.0: one request or a batch -> the answer's bytes.

Transactions that stand next to each other in a batch come into one block.

Source: jsonrpc.org/specification; error codes -32000 and 3 as Ethereum's nodes use them, with the
data of a revert.

Trusts: the methods.  Does not trust: the client.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Sequence
from typing import Any

from teeproof.chain.local.chain import LocalChain
from teeproof.chain.local.methods import Methods
from teeproof.chain.revert import reason_of
from teeproof.core import strictjson
from teeproof.core.errors import Error, Malformed, TooLarge

__all__ = ["MAX_BATCH", "MAX_BODY", "Rpc", "fault"]

MAX_BODY = 5 << 20  # geth's default
MAX_BATCH = 1_000  # geth's default
_SEND = "eth_sendRawTransaction"
_PARSE, _INVALID, _UNKNOWN, _PARAMS, _INTERNAL = -32700, -32600, -32601, -32602, -32603
_REFUSED, _REVERTED = -32000, 3


class Rpc:
    """The requests of clients, over one chain."""

    def __init__(self, chain: LocalChain) -> None:
        self._chain = chain
        self._methods = Methods(chain)

    def answer(self, body: bytes) -> bytes:
        """Return what is answered to a body; empty where the client wants to hear nothing."""
        try:
            asked = strictjson.loads(body, limit=MAX_BODY, what="request")
        except Error as error:
            return _text(fault(None, _PARSE, f"{error.detail}: {error.got or error.code}"))
        if not isinstance(asked, list):
            said = self._one(asked)
            return b"" if said is None else _text(said)
        if not 1 <= len(asked) <= MAX_BATCH:
            return _text(fault(None, _INVALID, f"a batch has 1 to {MAX_BATCH} requests"))
        answers = [one for one in self._many(asked) if one is not None]
        return _text(answers) if answers else b""

    def _many(self, asked: Sequence[Any]) -> list[dict[str, Any] | None]:
        answers: list[dict[str, Any] | None] = []
        for sends, group in itertools.groupby(asked, _is_send):
            requests = list(group)
            answers += self._sent(requests) if sends else map(self._one, requests)
        return answers

    def _sent(self, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any] | None]:
        """Answer transactions that came together: those which can be read go into one block."""
        raw: list[bytes | Error] = []
        for request in requests:
            try:
                raw.append(self._methods.raw(request["params"][0]))
            except Error as error:
                raw.append(error)
        outcomes = iter(self._chain.send_all([one for one in raw if isinstance(one, bytes)]))
        answers: list[dict[str, Any] | None] = []
        for request, one in zip(requests, raw, strict=True):
            outcome = next(outcomes) if isinstance(one, bytes) else one
            if "id" not in request:
                answers.append(None)
            elif isinstance(outcome, Error):
                answers.append(_refused(request["id"], outcome))
            else:
                answers.append(_result(request["id"], "0x" + outcome.hex()))
        return answers

    def _one(self, request: Any) -> dict[str, Any] | None:
        if (invalid := _invalid(request)) is not None:
            return invalid
        answer = self._result(request)
        return answer if "id" in request else None

    def _result(self, request: dict[str, Any]) -> dict[str, Any]:
        name, identifier = request["method"], request.get("id")
        method = self._methods.table.get(name)
        if method is None:
            return fault(
                identifier, _UNKNOWN, f"the method {name[:60]} does not exist/is not available"
            )
        params = request.get("params", [])
        try:
            inspect.signature(method).bind(*params)
        except TypeError as error:
            return fault(identifier, _PARAMS, f"{name} takes other parameters: {error}")
        try:
            return _result(identifier, method(*params))
        except Error as error:
            return _refused(identifier, error)


def _invalid(request: Any) -> dict[str, Any] | None:
    if not isinstance(request, dict):
        return fault(None, _INVALID, "a request is an object")
    identifier = request.get("id")
    if isinstance(identifier, bool) or not isinstance(identifier, str | int | float | None):
        return fault(None, _INVALID, "an id is text, a number or null")
    if request.get("jsonrpc") != "2.0" or not isinstance(request.get("method"), str):
        return fault(identifier, _INVALID, "a request has jsonrpc 2.0 and a method")
    if not isinstance(request.get("params", []), list):
        return fault(identifier, _PARAMS, "parameters are a list")
    return None


def _is_send(request: Any) -> bool:
    return (
        isinstance(request, dict)
        and request.get("method") == _SEND
        and _invalid(request) is None
        and len(request.get("params", [])) == 1
    )


def _refused(identifier: Any, error: Error) -> dict[str, Any]:
    if error.code == "reverted":
        data = error.got or "0x"
        reason = reason_of(bytes.fromhex(data[2:]))
        text = f"{error.detail}: {reason}" if reason else error.detail
        return fault(identifier, _REVERTED, text, data)
    if error.code == "param_malformed":
        return fault(identifier, _PARAMS, error.detail)
    if isinstance(error, Malformed) and not isinstance(error, TooLarge):
        return fault(identifier, _REFUSED, f"{error.detail}: {error.got or error.code}")
    return fault(identifier, _REFUSED, error.detail)


def _result(identifier: Any, result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identifier, "result": result}


def fault(identifier: Any, code: int, message: str, data: str | None = None) -> dict[str, Any]:
    """Return an answer that says what went wrong."""
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return {"jsonrpc": "2.0", "id": identifier, "error": error}


def _text(answer: Any) -> bytes:
    return strictjson.dumps(answer).encode()
