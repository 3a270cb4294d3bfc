"""One school for all tests of a process: to open it takes a second."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.training.school import School


@pytest.fixture(scope="session")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    with School(tmp_path_factory.mktemp("school")).opened() as opened:
        yield opened
