"""How fast a pool judges what it is sent, and how long a contributor waits for the proof.

The validator's limit is what no validator can do without: parsing the lines with the standard
library, cutting texts into pieces and rensa's MinHash over them. What ours does beyond is to open
the sealed file, check each record's form and meaning, look for near-duplicates among all that was
accepted, measure value, and commit to every record.

A contribution goes over HTTP to a real KMS and a real pool in this process: a recipient, sealing,
judging, the statement, its proof and its verification. Its limit is the cryptography and parsing
in it: one sealing, one opening, two parsings, MinHash.
"""

from __future__ import annotations

import contextlib
import io
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rensa import RMinHash

from bench.measure import Figure, Row, beside, rate
from teeproof.core.sealed import seal, unwrap_key
from teeproof.core.sealed.header import read_header
from teeproof.data.novelty import Index, Sketches
from teeproof.data.records import read_records
from teeproof.data.samples import file_of, sample_orders
from teeproof.data.snapshot import open_file, part_root
from teeproof.data.validation import Yardstick, judge_file
from teeproof.data.value import value_of
from tests.data.scenes import ALICE, KMS, SEED, held_out, submission, terms
from tests.data.served import Town

MANY, FEW, TIMES = 10_000, 400, 7


def rows() -> Iterator[Row]:
    """Yield the rows."""
    yield from _validator()
    yield from _contribute()


def _validator() -> Iterator[Row]:
    records = sample_orders(MANY, seed=1)
    plain, sent = file_of(records), submission(file_of(records))
    key = unwrap_key(read_header(io.BytesIO(sent.sealed)), KMS)
    measure = Yardstick(terms(), held_out(), SEED)
    index = Index(seed=SEED)
    index.add(1, Sketches.of([record.text for record in sample_orders(MANY, seed=2)], seed=SEED))
    outcome = judge_file(sent.sealed, key=lambda: key, index=index, yardstick=measure)
    assert outcome.decision == "accepted", outcome
    texts = [record.text for record in records]
    sketches = Sketches.of(texts, seed=SEED)
    works: dict[str, Callable[[], object]] = {
        "judge a file": lambda: judge_file(
            sent.sealed, key=lambda: key, index=index, yardstick=measure
        ),
        "its form and meaning": lambda: read_records(plain),
        "its sketches": lambda: Sketches.of(texts, seed=SEED),
        "its near-duplicates": lambda: index.twins(sketches),
        "its value": lambda: value_of(records, held_out()),
        "its root over salted records": lambda: part_root(records, key=key),
        "open it": lambda: open_file(sent.sealed, key=key),
    }
    *found, limit = beside(*works.values(), lambda: _needed(plain), rounds=3)
    what = "json.loads of each line, pieces, MinHash"
    for name, figure in zip(works, found, strict=True):
        ours, most = rate(figure, MANY), rate(limit, MANY)
        yield Row(f"{name}, records", ours, most, what, unit="1/s")


def _needed(plain: bytes) -> object:
    """Parse, cut and sketch: no checks, nothing kept."""
    rows = []
    known: dict[str, int] = {}
    for line in plain.splitlines():
        text = json.loads(line)["text"]
        cut = {text[at : at + 3] for at in range(len(text) - 2)}
        rows.append([known.setdefault(piece, len(known)) for piece in cut])
    return RMinHash.digest_matrix_from_token_hash_sets(rows, 128, 7)


def _contribute() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        town = Town(Path(folder))
        kms = stack.enter_context(town.kms())
        town.prepare(kms)
        pool = stack.enter_context(town.pool())
        times, waits = [], []
        for number in range(TIMES):
            records = sample_orders(FEW, seed=100 + number)
            start, clock = time.process_time(), time.perf_counter()
            made = town.contribute(records, ALICE, pool, kms)
            times.append(time.process_time() - start)
            waits.append(time.perf_counter() - clock)
            assert made.decision == "accepted"
    (limit,) = beside(lambda: _bare(file_of(sample_orders(FEW, seed=1))))
    what = f"seal, open, parse and sketch {FEW} orders, nothing else"
    yield Row("contribute to proof, CPU", _figure(times), limit, what)
    yield Row("contribute to proof, waiting", _figure(waits), limit, what, at_most=1.0)


def _bare(plain: bytes) -> None:
    target = io.BytesIO()
    seal(io.BytesIO(plain), target, recipients=[KMS.public], threads=1)
    blob = target.getvalue()
    open_file(blob, key=unwrap_key(read_header(io.BytesIO(blob)), KMS))
    _needed(plain)


def _figure(found: list[float]) -> Figure:
    return Figure(min(found), statistics.median(found) / min(found) - 1)
