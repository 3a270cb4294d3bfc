"""How fast a service judges a thousand pieces of all kinds, on two processes from a cold start.

Ours is the whole of ``verify``, from bytes to verdict, under a policy; the limit is every piece's
own signature, by keys that are ready. Both run in two processes at once, each with half of it.
"""

from __future__ import annotations

import multiprocessing
import random
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from bench.limits import Work, forget, p256, p384
from bench.measure import Figure, Row
from teeproof.evidence.collect.simulated import (
    Chip,
    SimulatedPlatform,
    SnpGuest,
    SnpMachine,
    open_platform,
)
from teeproof.evidence.policy import Policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.nitro import Enclave
from teeproof.evidence.verify import verify

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PROCESSES, ROUNDS = 2, 3
MIX = {"TDX": 450, "SEV-SNP VCEK": 250, "SEV-SNP VLEK": 100, "Nitro": 200}
LIMITS: dict[str, Callable[[], Work]] = {
    "TDX": lambda: p256(2),
    "SEV-SNP VCEK": p384,
    "SEV-SNP VLEK": p384,
    "Nitro": lambda: p384(size=5000),
}


class Piece(NamedTuple):
    """One piece of evidence."""

    kind: str
    evidence: Evidence


class Spent(NamedTuple):
    """What a batch took, seconds: of CPU in all processes, and from begin to end."""

    cpu: float
    wall: float


_PIECES: list[Piece] = []
_POLICY: list[Policy] = []


def rows() -> Iterator[Row]:
    """Yield the rows."""
    platform = open_platform(Path(tempfile.mkdtemp()))
    _POLICY[:] = [Policy(roots=(), simulated_roots=_roots(platform))]
    _PIECES[:] = _batch(platform)
    ours, limit = [], []
    for _ in range(ROUNDS):
        ours.append(_run(_judge))
        limit.append(_run(_sign))
    count = len(_PIECES)
    what = ", ".join(f"{number} {kind}" for kind, number in MIX.items())
    sums = "each piece's own signatures: 2 P-256, or 1 P-384"
    name = f"{count} pieces ({what}): CPU for each"
    yield Row(name, _best([s.cpu / count for s in ours]), _best([s.cpu / count for s in limit]),
              sums, goal=0.35)  # fmt: skip
    rates = [_best([s.wall / count for s in each]) for each in (ours, limit)]
    mine, least = (Figure(1 / each.value, each.noise) for each in rates)
    yield Row(f"the same, by the clock, on {PROCESSES} processes", mine, least, sums, unit="1/s")


def _roots(platform: SimulatedPlatform) -> tuple[str, ...]:
    each = (platform, platform.snp, platform.nitro)
    return tuple(vendor.root_fingerprint for vendor in each)


def _batch(platform: SimulatedPlatform) -> list[Piece]:
    """Return the pieces, shuffled: eight chips, eight instances, one platform of Intel's."""
    machine = platform.machine()
    own = [SnpMachine(platform.snp, chip=Chip(name=f"chip {n}")) for n in range(8)]
    lent = SnpMachine(platform.snp, guest=SnpGuest(signing_key=1))
    made: dict[str, Callable[[int], Evidence]] = {
        "TDX": lambda _: machine.evidence(secrets.token_bytes(64), now=NOW),
        "SEV-SNP VCEK": lambda n: own[n % 8].evidence(secrets.token_bytes(64)),
        "SEV-SNP VLEK": lambda _: lent.evidence(secrets.token_bytes(64)),
        "Nitro": lambda n: Evidence(quote=platform.nitro.document(_enclave(n % 8), now=NOW)),
    }
    pieces = [Piece(kind, made[kind](n)) for kind, number in MIX.items() for n in range(number)]
    random.Random(1).shuffle(pieces)
    return pieces


def _enclave(number: int) -> Enclave:
    module = f"i-simulated{number}-enc0123456789abcdef"
    return replace(Enclave(), module_id=module, user_data=secrets.token_bytes(64))


def _run(work: Callable[[int], float]) -> Spent:
    """Run a half in each process; the processes are there before the clock starts."""
    with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
        pool.map(abs, range(PROCESSES), chunksize=1)
        begins = time.perf_counter()
        spent = pool.map(work, range(PROCESSES), chunksize=1)
        return Spent(sum(spent), time.perf_counter() - begins)


def _judge(half: int) -> float:
    forget()
    begins = time.process_time()
    for piece in _PIECES[half::PROCESSES]:
        verdict = verify(piece.evidence, now=NOW, policy=_POLICY[0], both_paths=False)
        assert verdict.ok, verdict.failures
    return time.process_time() - begins


def _sign(half: int) -> float:
    limits = {kind: make() for kind, make in LIMITS.items()}
    begins = time.process_time()
    for piece in _PIECES[half::PROCESSES]:
        limits[piece.kind]()
    return time.process_time() - begins


def _best(found: list[float]) -> Figure:
    best = min(found)
    return Figure(best, sorted(found)[len(found) // 2] / best - 1)
