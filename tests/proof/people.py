"""Workloads for the tests: real keys and simulated hardware, made once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from teeproof.evidence.collect.simulated import (
    SimulatedAttester,
    SimulatedPlatform,
    open_platform,
    opt_in_policy,
)
from teeproof.evidence.policy import Policy, parse_policy
from teeproof.proof.links import Material, Subject
from teeproof.proof.statement import Statement, Step
from teeproof.proof.workload import Identity

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@cache
def platform(name: str = "vendor") -> SimulatedPlatform:
    """A simulated vendor, the same for the whole run."""
    return open_platform(Path(tempfile.mkdtemp(prefix=f"teeproof-{name}-")))


def attester(*, at: datetime = NOW, state: str | None = None) -> SimulatedAttester:
    return SimulatedAttester(platform(), now=lambda: at, state=state)


@cache
def policy() -> Policy:
    """Accepts the simulator's machines, as simulated."""
    return parse_policy(opt_in_policy(platform()))


@cache
def workload_named(name: str, *roles: Any, at: datetime = NOW) -> Identity:
    """A workload; the same name is the same workload."""
    del name
    return Identity.boot(attester(at=at), roles=roles, now=lambda: at)


def digest(text: str) -> str:
    """The hex digest of some data that the tests speak of."""
    from teeproof.core.digests import sha256

    return sha256(text.encode()).hex()


def step(
    author: Identity,
    word: str,
    *outputs: str,
    of: Iterable[tuple[str, str, Statement | None]] = (),
    **more: Any,
) -> Statement:
    """``author`` says that it made outputs of inputs: (role, data, the statement that made it)."""
    materials = tuple(
        Material(
            role=role, digest={"sha256": digest(data)}, name=data,
            statement=parent.name if parent else None,
        )
        for role, data, parent in of
    )  # fmt: skip
    return Statement.of(
        Step(author=author.name, step=word, materials=materials, **more),
        subjects=tuple(Subject({"sha256": digest(data)}, name=data) for data in outputs),
    )
