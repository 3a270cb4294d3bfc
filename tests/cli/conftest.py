"""The program in this process, and simulated evidence to run it on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from teeproof.cli import main
from tests.cli.program import Answer, Teeproof

AT = "2026-03-01T12:00:00Z"
"""The time at which the tests' simulated evidence is made and verified."""


@pytest.fixture
def teeproof(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Teeproof:
    """Return ``teeproof(*arguments) -> Answer``; text is not wrapped, as into a pipe."""
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*arguments: object) -> Answer:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Answer(code, captured.out, captured.err)

    return run


@pytest.fixture
def simulated(teeproof: Teeproof, tmp_path: Path) -> Callable[..., Path]:
    """Return ``simulated(state) -> folder`` with that state's evidence and its policy.toml."""

    def make(state: str = "up-to-date", *options: str) -> Path:
        folder = tmp_path / state
        answer = teeproof("simulate", state, "--out", folder, "--at", AT, *options)
        assert answer.code == 0, answer.err
        return folder

    return make
