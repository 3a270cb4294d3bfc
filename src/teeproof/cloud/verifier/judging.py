"""Questions to a worker and its answers: evidence and a policy in, a verdict or an error out.

Trusts: the process at the other end of the pipe.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from teeproof.core import errors, strictjson
from teeproof.core.clock import from_epoch
from teeproof.core.errors import Error
from teeproof.evidence.policy import Policy, parse_policy

__all__ = ["Judge", "Question", "answer", "read_answer"]

Judge = Callable[[tuple[bytes, ...], Policy | None, datetime], dict[str, Any]]
"""From files, policy and T to the verdict's JSON object; raises what a command would."""

_GOOD, _BAD = b"+", b"-"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is asked.

    Attributes:
        files: as a client sent them.
        policy: TOML; None for the usual one of the kind of evidence.
        at: T, seconds since 1970.
    """

    files: tuple[bytes, ...]
    policy: bytes | None
    at: int

    def encode(self) -> bytes:
        """Return it as bytes."""
        return msgspec.msgpack.encode(self)


class _Refusal(msgspec.Struct, frozen=True):
    kind: str
    detail: str
    code: str
    expected: str | None
    got: str | None


_decoder = msgspec.msgpack.Decoder(Question)
_refusals = msgspec.msgpack.Decoder(_Refusal)


def answer(data: bytes, judge: Judge) -> bytes:
    """Return a worker's answer to a question; whatever goes wrong is one."""
    try:
        asked = _decoder.decode(data)
        policy = None if asked.policy is None else _policy(asked.policy)
        found = judge(asked.files, policy, from_epoch(asked.at))
        return _GOOD + strictjson.dumps(found).encode()
    except Error as error:
        return _BAD + _refused(error)
    except Exception as error:
        fault = Error(
            "the verifier made a mistake on this evidence: tell its operator",
            code="internal",
            got=type(error).__name__,
        )
        return _BAD + _refused(fault)


def read_answer(data: bytes) -> bytes:
    """Return the JSON of a verdict, or raise the error that a worker met."""
    if data[:1] == _GOOD:
        return data[1:]
    found = _refusals.decode(data[1:])
    kind = getattr(errors, found.kind, Error)
    raise kind(found.detail, code=found.code, expected=found.expected, got=found.got)


@lru_cache(maxsize=64)
def _policy(text: bytes) -> Policy:
    return parse_policy(text)


def _refused(error: Error) -> bytes:
    kind = next(k for k in type(error).__mro__ if k.__name__ in errors.__all__)
    return msgspec.msgpack.encode(
        _Refusal(kind.__name__, error.detail, error.code, error.expected, error.got)
    )
