"""One model, and one service that runs it, for all tests that change neither."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.inference import models
from tests.inference.serving import Hosted, hosted


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder that nobody changes."""
    return models.make(tmp_path_factory.mktemp("model") / "m")


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Hosted]:
    """A service that runs that model."""
    with hosted(tmp_path_factory.mktemp("host"), model) as one:
        yield one
