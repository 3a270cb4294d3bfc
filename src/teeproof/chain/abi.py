"""A contract's interface: what is sent to its functions, what comes back, what its events say.

Arguments are Python's own: int, bool, bytes, str, lists and tuples; an address is text, or anything
that has an ``address``. What comes back is the same, with addresses in lower case.

Source: Solidity's ABI specification, which Vyper follows.

Trusts: the interface that the caller gives.  Does not trust: the bytes that a node returns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from teeproof.chain.account import address_bytes
from teeproof.core.digests import keccak256
from teeproof.core.errors import Malformed, Usage

__all__ = ["Artifact", "Contract", "Event", "Interface"]

Entry = Mapping[str, Any]


class Artifact(Protocol):
    """A compiled contract."""

    @property
    def abi(self) -> Sequence[Mapping[str, Any]]:
        """Its interface."""

    @property
    def bytecode(self) -> bytes:
        """What deploys it."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event that a contract left.

    Attributes:
        name: the event's name.
        values: its parameters by name; ``event["size"]`` is short for ``event.values["size"]``.
        address: the contract.
        block: the height.
        block_hash: the block's hash, as text.
        tx_hash: the transaction's hash, as text.
        log_index: its place in the block.
    """

    name: str
    values: Mapping[str, Any]
    address: str
    block: int
    block_hash: str
    tx_hash: str
    log_index: int

    def __getitem__(self, name: str) -> Any:
        """Return a parameter."""
        return self.values[name]


class Interface:
    """The functions and events of an ABI in JSON."""

    def __init__(self, abi: Sequence[Entry]) -> None:
        self.entries = tuple(abi)
        self._events = {
            keccak256(_signature(entry).encode()): entry
            for entry in abi
            if entry.get("type") == "event" and not entry.get("anonymous")
        }

    def call(self, name: str, arguments: Sequence[Any]) -> bytes:
        """Return the data that calls a function, chosen by name and number of arguments."""
        entry = self._function(name, arguments)
        selector = keccak256(_signature(entry).encode())[:4]
        return selector + _encoded(entry.get("inputs", ()), arguments, name)

    def construct(self, arguments: Sequence[Any]) -> bytes:
        """Return what follows the code of a deployment."""
        found = [entry for entry in self.entries if entry.get("type") == "constructor"]
        return _encoded(found[0]["inputs"] if found else (), arguments, "constructor")

    def result(self, name: str, arguments: Sequence[Any], data: bytes) -> Any:
        """Return what a function gave: nothing, one value, or a tuple."""
        outputs = self._function(name, arguments).get("outputs", ())
        values = _decoded([_type(one) for one in outputs], data, name)
        return values[0] if len(values) == 1 else values or None

    def topic(self, name: str) -> bytes:
        """Return the first topic of an event, 32 bytes."""
        return self._event(name)[0]

    def topics(self, name: str, wanted: Mapping[str, Any]) -> list[str | list[str] | None]:
        """Return the topics of a filter: the event's, and of each indexed parameter what is wanted.

        A list stands for alternatives, of which one must be met.

        Raises:
            Usage: a parameter that is not indexed, or has no fixed size (``abi_unknown``).
        """
        topic, entry = self._event(name)
        indexed = {one["name"]: one for one in entry["inputs"] if one["indexed"]}
        if unknown := set(wanted) - set(indexed):
            raise _unknown(f"indexed parameter {sorted(unknown)[0]} of {name}", indexed)
        found: list[str | list[str] | None] = ["0x" + topic.hex()]
        for one in indexed.values():
            value = wanted.get(one["name"])
            if one["name"] not in wanted:
                found.append(None)
            elif isinstance(value, list):
                found.append([_topic(one, each, name) for each in value])
            else:
                found.append(_topic(one, value, name))
        return found

    def event(self, log: Mapping[str, Any]) -> Event | None:
        """Return the event that a log of the JSON-RPC holds; None if it is of another interface."""
        try:
            topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
            data = bytes.fromhex(log["data"][2:])
            entry = self._events.get(topics[0]) if topics else None
            if entry is None:
                return None
            place = (int(log["blockNumber"], 16), log["blockHash"], log["transactionHash"])
            index = int(log["logIndex"], 16)
            values = _event_values(entry, topics[1:], data)
            return Event(entry["name"], values, log["address"].lower(), *place, index)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise _undecodable("an event") from None

    def _function(self, name: str, arguments: Sequence[Any]) -> Entry:
        found = [
            entry
            for entry in self.entries
            if entry.get("type") == "function"
            and entry["name"] == name
            and len(entry.get("inputs", ())) == len(arguments)
        ]
        if len(found) != 1:
            functions = (one["name"] for one in self.entries if one.get("type") == "function")
            raise _unknown(f"function {name} of {len(arguments)} arguments", functions)
        return found[0]

    def _event(self, name: str) -> tuple[bytes, Entry]:
        for topic, entry in self._events.items():
            if entry["name"] == name:
                return topic, entry
        raise _unknown(f"event {name}", (entry["name"] for entry in self._events.values()))


class Contract:
    """A contract: its address in lower case, and its interface.

    Raises:
        Malformed: this is no address.
    """

    def __init__(self, address: str, abi: Sequence[Entry] | Interface) -> None:
        self.address = "0x" + address_bytes(address).hex()
        self.interface = abi if isinstance(abi, Interface) else Interface(abi)

    def __repr__(self) -> str:
        """Show the address."""
        return f"Contract({self.address})"


def _event_values(entry: Entry, topics: Sequence[bytes], data: bytes) -> dict[str, Any]:
    inputs = entry["inputs"]
    rest = [one for one in inputs if not one["indexed"]]
    if len(topics) != len(inputs) - len(rest):
        raise _undecodable(f"event {entry['name']}")
    plain = iter(_decoded([_type(one) for one in rest], data, entry["name"]))
    words = iter(topics)
    return {
        one["name"]: _word(one, next(words), entry["name"]) if one["indexed"] else next(plain)
        for one in inputs
    }


def _word(parameter: Entry, word: bytes, what: str) -> Any:
    kind = _type(parameter)
    # Of what has no fixed size the topic is the hash.
    if kind in ("string", "bytes") or kind.endswith("]") or kind.startswith("("):
        return word
    return _decoded([kind], word, what)[0]


def _signature(entry: Entry) -> str:
    return f"{entry['name']}({','.join(_type(one) for one in entry.get('inputs', ()))})"


def _type(parameter: Entry) -> str:
    kind: str = parameter["type"]
    if kind.startswith("tuple"):
        parts = ",".join(_type(one) for one in parameter["components"])
        return f"({parts}){kind[5:]}"
    return kind


def _topic(entry: Mapping[str, Any], value: Any, name: str) -> str:
    data = _encoded([entry], [value], name)
    if len(data) != 32:
        raise Usage(f"{entry['name']} is only known by its hash", code="abi_unknown")
    return "0x" + data.hex()


def _encoded(parameters: Sequence[Entry], arguments: Sequence[Any], what: str) -> bytes:
    import eth_abi  # noqa: PLC0415  0.5 s, and not every import calls
    import eth_abi.exceptions  # noqa: PLC0415  as above

    try:
        types = [_type(one) for one in parameters]
        data: bytes = eth_abi.encode(types, [_plain(one) for one in arguments])
    except (eth_abi.exceptions.EncodingError, TypeError, ValueError) as error:
        raise Usage(
            f"{what} takes other arguments",
            code="abi_arguments",
            expected=", ".join(_type(one) for one in parameters) or "none",
            got=ascii(str(error))[1:-1][:200],
        ) from None
    return data


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return getattr(value, "address", value)


def _decoded(types: Sequence[str], data: bytes, what: str) -> tuple[Any, ...]:
    import eth_abi  # noqa: PLC0415  as above
    import eth_abi.exceptions  # noqa: PLC0415  as above

    try:
        return tuple(eth_abi.decode(types, data))
    except (eth_abi.exceptions.DecodingError, OverflowError, ValueError):
        raise _undecodable(what) from None


def _undecodable(what: str) -> Malformed:
    return Malformed(
        f"what the node returned for {what} does not fit its interface: is it this contract?",
        code="abi_malformed",
    )


def _unknown(what: str, known: Iterable[str]) -> Usage:
    names = ", ".join(sorted(set(known)))
    return Usage(f"there is no {what}", code="abi_unknown", expected=names, got=what)
