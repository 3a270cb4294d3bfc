"""What a node says happened in our contracts, wherever they stand: anchors, payments, claims.

    seen = seen_of(chain, "Payments", "Paid", {"answer": receipt_ids})
    seen = seen_of(chain, "Payments", "Claimed", {"payee": ["0x…"]})
    seen.events          those of contracts whose code is ours, newest first
    seen.strangers       addresses that left such events with other code: anybody can
    seen.first           the first block that was looked at

No address has to be known: events are found by what they say, and count only if the code at the
address that left them is the shipped contract's, byte by byte. A node is asked about the last
50,000 blocks, and about fewer if it refuses so many.

Trusts: the node, for what it says of the chain.  Does not trust: the form, size and pace of its
answers; contracts that are not ours, however much their events look like it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from teeproof.chain.abi import Event, Interface
from teeproof.chain.answers import Receipt, in_list
from teeproof.chain.artifacts import at
from teeproof.chain.client import Chain
from teeproof.chain.standing import Place, place_of
from teeproof.core.errors import Malformed, NotAllowed, Unavailable

__all__ = ["MOST", "Seen", "Transaction", "event_of", "seen_of", "transaction"]

MOST: Final = 256
"""Events that are looked at, and alternatives of one parameter that are asked for."""
_WINDOWS = (50_000, 5_000, 500)  # blocks; nodes of public chains differ in how many they look at
_PLACES = 16  # addresses whose code is looked at
_HIGHEST = 1 << 63
_HASH = re.compile(r"0x[0-9a-f]{64}", re.ASCII)
_ADDRESS = re.compile(r"0x[0-9a-f]{40}", re.ASCII)
_ANY = "0x" + "0" * 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Events of one kind.

    Attributes:
        events: of contracts whose code is ours, newest first.
        places: those contracts.
        strangers: other addresses that left such events, at most a few.
        first: the first block that was looked at.
        last: the last one.
        more: whether the node told of more than were looked at.
    """

    events: tuple[Event, ...]
    places: tuple[Place, ...]
    strangers: tuple[Place, ...]
    first: int
    last: int
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A transaction that stands in a block.

    Attributes:
        receipt: what became of it.
        sender: who sent and paid for it.
        to: whom it called; None where it deployed something.
        events: what contracts of ours left in it, each with the contract's name.
        others: how many further events it left, of other code or beyond what is looked at.
        places: the contracts of ours that left something, or were called.
    """

    receipt: Receipt
    sender: str
    to: str | None
    events: tuple[tuple[str, Event], ...]
    others: int
    places: tuple[Place, ...]


def seen_of(
    chain: Chain,
    contract: str,
    event: str,
    wanted: Mapping[str, Sequence[bytes | str]],
    *,
    in_time: Callable[[], None] = lambda: None,
) -> Seen:
    """Return the events of one name that contracts of ours left, wherever these stand.

    Args:
        chain: the node.
        contract: the name of the contract, such as ``Payments``.
        event: the name of its event.
        wanted: of indexed parameters which values are wanted, at most ``MOST`` each: of 32 bytes,
            or addresses in lower case.
        in_time: called between questions; raises when it has been long enough.

    Raises:
        Unavailable, NotAllowed: the node does not answer, or refuses even few blocks.
        Malformed: its answer is none.
    """
    interface = at(contract, _ANY).interface
    topics: list[Any] = list(interface.topics(event, {}))
    names = [one["name"] for one in _inputs(interface.entries, event) if one["indexed"]]
    for name, values in wanted.items():
        topics[1 + names.index(name)] = [_topic(value) for value in values[:MOST]]
    last = chain.block().number
    first, logs = _logs(chain, topics, last, in_time)
    found = [one for log in logs[-MOST:] for one in event_of(interface, log, event, wanted)]
    places: dict[str, Place] = {}
    for one in found:
        if one.address not in places and len(places) < _PLACES:
            in_time()
            places[one.address] = place_of(chain, one.address)
    own = {where: place for where, place in places.items() if place.code == contract}
    events = sorted((one for one in found if one.address in own),
                    key=lambda one: (-one.block, -one.log_index))  # fmt: skip
    return Seen(
        events=tuple(events),
        places=tuple(own.values()),
        strangers=tuple(place for where, place in places.items() if where not in own),
        first=first,
        last=last,
        more=len(logs) > MOST or len({one.address for one in found}) > len(places),
    )


def transaction(
    chain: Chain, tx_hash: str, *, in_time: Callable[[], None] = lambda: None
) -> Transaction | None:
    """Return a transaction with what our contracts left in it; None if no block holds it.

    Args:
        chain: the node.
        tx_hash: ``0x`` and 64 lower-case hex digits.
        in_time: called between questions; raises when it has been long enough.

    Raises:
        As ``seen_of``.
    """
    receipt = chain.receipt(tx_hash)
    if receipt is None:
        return None
    if receipt.tx_hash.lower() != tx_hash or receipt.block >= _HIGHEST:
        raise _malformed("tells of another transaction than the one that it was asked for")
    _require(_HASH, receipt.block_hash, "block hash")
    sent = chain.endpoint.ask("eth_getTransactionByHash", tx_hash)
    if not isinstance(sent, Mapping):
        raise _malformed("has a receipt, and no transaction")
    sender = _require(_ADDRESS, sent.get("from"), "sender")
    to = None if sent.get("to") is None else _require(_ADDRESS, sent.get("to"), "receiver")
    places: dict[str, Place] = {}
    events: list[tuple[str, Event]] = []
    for log in receipt.logs[:MOST]:
        address = _address(log)
        if address not in places and len(places) < _PLACES:
            in_time()
            places[address] = place_of(chain, address)
        name = places[address].code if address in places else None
        if name is not None:
            events += [(name, one) for one in event_of(at(name, address).interface, log)]
    if to is not None and to not in places:
        places[to] = place_of(chain, to)
    return Transaction(
        receipt=receipt, sender=sender, to=to, events=tuple(events),
        others=len(receipt.logs) - len(events),
        places=tuple(one for one in places.values() if one.code is not None),
    )  # fmt: skip


def _logs(
    chain: Chain, topics: list[Any], last: int, in_time: Callable[[], None]
) -> tuple[int, list[Any]]:
    """Return the events of the last blocks, of as many as the node looks at, and their first."""
    for place, window in enumerate(_WINDOWS):
        in_time()
        first = max(0, last - window + 1)
        asked = {"fromBlock": hex(first), "toBlock": hex(last), "topics": topics}
        try:
            return first, in_list(chain.endpoint.ask("eth_getLogs", asked))
        except (NotAllowed, Unavailable) as error:
            refused = error.code in ("node_refused", "block_unknown")
            if not refused or place == len(_WINDOWS) - 1 or first == 0:
                raise
    raise AssertionError("the last attempt returns or raises")


def event_of(
    interface: Interface,
    log: Any,
    name: str | None = None,
    wanted: Mapping[str, Sequence[bytes | str]] | None = None,
) -> Iterator[Event]:
    """Yield the event that a log of the JSON-RPC is, if it is one that was asked for.

    Raises:
        Malformed: the log has no address, no hashes, or stands in no block.
    """
    _address(log)
    one = interface.event(log)
    if one is None or (name is not None and one.name != name):
        return
    for text in (one.block_hash, one.tx_hash):
        _require(_HASH, text, "hash of an event")
    if not 0 <= one.block < _HIGHEST or not 0 <= one.log_index < _HIGHEST:
        raise _malformed("tells of an event in no block")
    if all(one.values[key] in values for key, values in (wanted or {}).items()):
        yield one


def _inputs(entries: Sequence[Mapping[str, Any]], event: str) -> Sequence[Mapping[str, Any]]:
    found = next(one for one in entries if one.get("type") == "event" and one["name"] == event)
    inputs: Sequence[Mapping[str, Any]] = found["inputs"]
    return inputs


def _topic(value: bytes | str) -> str:
    """Return a value as the topic of an indexed parameter: 32 bytes, an address to their right."""
    return "0x" + (value.hex() if isinstance(value, bytes) else value[2:].rjust(64, "0"))


def _address(log: Any) -> str:
    return _require(_ADDRESS, log.get("address") if isinstance(log, Mapping) else None, "address")


def _require(form: re.Pattern[str], value: Any, what: str) -> str:
    if not isinstance(value, str) or not form.fullmatch(value.lower()):
        raise _malformed(f"names a {what} that is none")
    return value.lower()


def _malformed(what: str) -> Malformed:
    return Malformed(f"the node {what}: ask another node", code="node_malformed")
