"""Read a contributed file: one order per line, every fault named with its line.

    {"text": "sell half my ETH below 2,000", "order": {"sell": "ETH", "part": 0.5, "below": 2000}}

A file is good as a whole or it is not: no line is ever dropped. Every line is bounded before it is
read, and what a fault says repeats nothing of what stands in the line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from teeproof.core import strictjson
from teeproof.core.errors import Malformed, TooLarge
from teeproof.data.meaning import judge
from teeproof.data.orders import Order
from teeproof.data.terms import MAX_FILE_BYTES, MAX_RECORDS

__all__ = ["MAX_LINE", "MAX_TEXT", "Contents", "Fault", "Record", "read_records"]

MAX_TEXT = 120
MAX_LINE = 1024
_COMPRESSED = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
_FORM = 'one JSON object per line, {"text": "…", "order": {…}}'


@dataclass(frozen=True, slots=True)
class Record:
    """One line.

    Attributes:
        text: what a person says, 1 to 120 printable ASCII characters.
        order: what is meant.
    """

    text: str
    order: Order

    def encode(self) -> bytes:
        """Return the one form that commitments are over: compact JSON, keys sorted."""
        return f'{{"order":{self.order.text},"text":{json.dumps(self.text)}}}'.encode()


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a line is refused.

    Attributes:
        line: from 1; 0 where the file as a whole is meant.
        code: a stable name.
        detail: one sentence that repeats nothing of the line.
    """

    line: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What was read.

    Attributes:
        records: those that have the right form, in order; all of them only if there is no fault.
        faults: what is wrong, by line.
        confirmed: how many texts say all that their order says, as far as a rule can tell.
    """

    records: tuple[Record, ...]
    faults: tuple[Fault, ...]
    confirmed: int

    def require(self) -> tuple[Record, ...]:
        """Return the records.

        Raises:
            Malformed: code ``records_refused``; the detail names up to five lines.
        """
        if not self.faults:
            return self.records
        shown = "; ".join(_shown(fault) for fault in self.faults[:5])
        count = len(self.faults)
        more = count - 5
        raise Malformed(
            f"{shown}{f'; and {more} more' if more > 0 else ''}: correct them and send it again",
            code="records_refused",
            expected=_FORM,
            got="1 fault" if count == 1 else f"{count} faults",
        )


def _shown(fault: Fault) -> str:
    """Return a fault with its line; what is wrong with the file as a whole has none."""
    return f"{f'line {fault.line}: ' if fault.line else ''}{fault.detail} ({fault.code})"


def read_records(
    data: bytes,
    *,
    max_bytes: int = MAX_FILE_BYTES,
    max_records: int = MAX_RECORDS,
    min_records: int = 1,
) -> Contents:
    """Return what stands in a file; whatever it holds, nothing but ``TooLarge`` is raised.

    Raises:
        TooLarge: codes ``file_too_large``, ``records_too_many``.
    """
    if len(data) > max_bytes:
        raise TooLarge(
            "the file is larger than this pool takes: divide it",
            code="file_too_large",
            expected=f"at most {max_bytes} bytes",
            got=f"{len(data)} bytes",
        )
    if data.startswith(_COMPRESSED):
        fault = Fault(0, "file_compressed", f"this is a compressed file: unpack it; {_FORM}")
        return Contents((), (fault,), 0)
    count = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
    if count > max_records:
        raise TooLarge(
            "the file has more lines than this pool takes: divide it",
            code="records_too_many",
            expected=f"at most {max_records} records",
            got=f"{count} lines",
        )
    return _read(data, min_records)


def _read(data: bytes, min_records: int) -> Contents:
    records: list[Record] = []
    faults: list[Fault] = []
    confirmed = 0
    for number, line in enumerate(_lines(data), 1):
        try:
            record = _record(line)
        except Malformed as error:
            faults.append(Fault(number, error.code, _told(error)))
            continue
        records.append(record)
        found = judge(record.text, record.order)
        confirmed += found.confirmed
        if found.contradiction is not None:
            faults.append(Fault(number, found.contradiction.code, found.contradiction.detail))
    if not faults and len(records) < min_records:
        faults.append(Fault(0, "records_too_few", f"a file has at least {min_records} records"))
    return Contents(tuple(records), tuple(faults), confirmed)


def _lines(data: bytes) -> Iterator[bytes]:
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return iter(lines)


def _record(line: bytes) -> Record:
    if len(line) > MAX_LINE:
        raise Malformed("the line is too long", code="line_long", expected=f"{MAX_LINE} bytes")
    value = strictjson.loads(line, limit=MAX_LINE, what="line")
    if not isinstance(value, dict) or value.keys() != {"text", "order"}:
        raise Malformed("it has other fields", code="record_fields", expected=_FORM)
    text = value["text"]
    if not isinstance(text, str) or not 1 <= len(text) <= MAX_TEXT:
        raise Malformed("its text has another length", code="record_text", expected=_TEXT)
    if not (text.isascii() and text.isprintable()) or text.isspace():
        raise Malformed("its text has other characters", code="record_text", expected=_TEXT)
    return Record(text, Order.of(value["order"]))


_TEXT = f"1 to {MAX_TEXT} printable ASCII characters"


def _told(error: Malformed) -> str:
    """Return what an error says; what it got is left out, which is the contributor's own text."""
    detail = "the line is not JSON with each key once" if error.code.startswith("json_") else None
    text = detail or error.detail
    return f"{text}, expected {error.expected}" if error.expected and not detail else text
