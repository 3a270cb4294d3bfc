"""What a client of the JSON-RPC may say, from JSON: each form strict, each size bounded.

Source: Ethereum's execution-apis, base types. A quantity has no leading zeros, data have two digits
a byte; a number that is no text, an unknown field or a wrong length is an error and no guess.

Trusts: nothing.  Does not trust: the client.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from teeproof.core.errors import Malformed

__all__ = [
    "BlockRef",
    "CallRequest",
    "LogFilter",
    "address",
    "block_ref",
    "call_request",
    "data",
    "flag",
    "log_filter",
    "quantity",
    "word",
]

MAX_DATA = 1 << 20
_TAGS = ("latest", "pending", "earliest", "safe", "finalized")
_QUANTITY = re.compile(r"0x(?:0|[1-9a-fA-F][0-9a-fA-F]{0,63})", re.ASCII)
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*", re.ASCII)
_CALL_FIELDS = frozenset(
    {"from", "to", "gas", "value", "input", "data", "nonce", "chainId", "type", "gasPrice"}
    | {"maxFeePerGas", "maxPriorityFeePerGas", "accessList"}
)
_FILTER_FIELDS = frozenset({"fromBlock", "toBlock", "address", "topics", "blockHash"})
_MAX_CHOICES = 256  # addresses of a filter, or alternatives of one of its topics


class BlockRef(NamedTuple):
    """Which block is meant: one of the three is set."""

    tag: str | None = None
    number: int | None = None
    hash: bytes | None = None


class CallRequest(NamedTuple):
    """A call as the client describes it; ``gas`` is None where it leaves that open."""

    sender: bytes
    to: bytes | None
    data: bytes
    value: int
    gas: int | None


class LogFilter(NamedTuple):
    """Which events are wanted; of each topic the alternatives, or None for any."""

    first: BlockRef
    last: BlockRef
    block: bytes | None
    addresses: tuple[bytes, ...]
    topics: tuple[tuple[bytes, ...] | None, ...]

    def takes(self, topics: Sequence[bytes]) -> bool:
        """Whether an event with these topics is wanted."""
        if len(topics) < len(self.topics):
            return False
        pairs = zip(self.topics, topics, strict=False)
        return all(wanted is None or topic in wanted for wanted, topic in pairs)


def quantity(value: Any, what: str, *, limit: int = 1 << 256) -> int:
    """Return a number below ``limit`` from text such as ``0x1b4``."""
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise _malformed(what, "a quantity such as 0x1b4", value)
    number = int(value, 16)
    if number >= limit:
        raise _malformed(what, f"a number below {limit:#x}", value)
    return number


def data(value: Any, what: str, *, limit: int = MAX_DATA) -> bytes:
    """Return at most ``limit`` bytes from text such as ``0x6001``."""
    if not isinstance(value, str) or not _DATA.fullmatch(value):
        raise _malformed(what, "bytes such as 0x6001", value)
    if len(value) > 2 * limit + 2:
        raise _malformed(what, f"at most {limit} bytes", f"{len(value) // 2 - 1} bytes")
    return bytes.fromhex(value[2:])


def word(value: Any, what: str) -> bytes:
    """Return 32 bytes."""
    found = data(value, what)
    if len(found) != 32:
        raise _malformed(what, "32 bytes", f"{len(found)} bytes")
    return found


def address(value: Any, what: str) -> bytes:
    """Return 20 bytes."""
    found = data(value, what)
    if len(found) != 20:
        raise _malformed(what, "an address of 20 bytes", f"{len(found)} bytes")
    return found


def flag(value: Any, what: str) -> bool:
    """Return a truth value."""
    if not isinstance(value, bool):
        raise _malformed(what, "true or false", value)
    return value


def block_ref(value: Any, what: str = "block") -> BlockRef:
    """Return which block is meant: a tag, a quantity, or an object of EIP-1898."""
    if isinstance(value, Mapping):
        fields = dict(value)
        fields.pop("requireCanonical", None)
        if list(fields) == ["blockHash"]:
            return BlockRef(hash=word(fields["blockHash"], what))
        if list(fields) == ["blockNumber"]:
            return BlockRef(number=quantity(fields["blockNumber"], what, limit=1 << 63))
        raise _malformed(what, "one of blockHash and blockNumber", value)
    if value in _TAGS:
        return BlockRef(tag=value)
    return BlockRef(number=quantity(value, what, limit=1 << 63))


def call_request(value: Any) -> CallRequest:
    """Return the call that a client describes."""
    fields = _object(value, "call", _CALL_FIELDS)
    said = [data(fields[name], name) for name in ("input", "data") if name in fields]
    if len(set(said)) > 1:
        raise _malformed("call", "input and data that are the same", "two that differ")
    for name in ("nonce", "chainId", "type", "gasPrice", "maxFeePerGas", "maxPriorityFeePerGas"):
        if name in fields:
            quantity(fields[name], name)
    return CallRequest(
        sender=address(fields["from"], "from") if "from" in fields else bytes(20),
        to=address(fields["to"], "to") if fields.get("to") else None,
        data=said[0] if said else b"",
        value=quantity(fields["value"], "value") if "value" in fields else 0,
        gas=quantity(fields["gas"], "gas", limit=1 << 64) if "gas" in fields else None,
    )


def log_filter(value: Any) -> LogFilter:
    """Return which events a client wants."""
    fields = _object(value, "filter", _FILTER_FIELDS)
    block = word(fields["blockHash"], "blockHash") if "blockHash" in fields else None
    if block is not None and ("fromBlock" in fields or "toBlock" in fields):
        raise _malformed("filter", "blockHash, or fromBlock and toBlock", "both")
    given = fields.get("address")
    addresses = [] if given is None else given if isinstance(given, list) else [given]
    topics = fields.get("topics", [])
    if not isinstance(topics, list) or len(topics) > 4 or len(addresses) > _MAX_CHOICES:
        raise _malformed("filter", f"at most 4 topics and {_MAX_CHOICES} addresses", "others")
    return LogFilter(
        first=block_ref(fields.get("fromBlock", "latest"), "fromBlock"),
        last=block_ref(fields.get("toBlock", "latest"), "toBlock"),
        block=block,
        addresses=tuple(address(one, "address") for one in addresses),
        topics=tuple(map(_topic, topics)),
    )


def _topic(value: Any) -> tuple[bytes, ...] | None:
    if value is None or value == []:
        return None
    choices = value if isinstance(value, list) else [value]
    if len(choices) > _MAX_CHOICES:
        raise _malformed("topics", f"at most {_MAX_CHOICES} alternatives", f"{len(choices)}")
    return tuple(word(one, "topic") for one in choices)


def _object(value: Any, what: str, known: frozenset[str]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _malformed(what, "an object", value)
    if unknown := sorted(set(value) - known):
        raise _malformed(what, f"fields among {', '.join(sorted(known))}", unknown[0])
    return {name: one for name, one in value.items() if one is not None}


def _malformed(what: str, expected: str, got: Any) -> Malformed:
    return Malformed(
        f"the {what} is not as it should be: expected {expected}",
        code="param_malformed",
        expected=expected,
        got=ascii(got)[:100],
    )
