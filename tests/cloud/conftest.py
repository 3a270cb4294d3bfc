"""A KMS per test."""

from __future__ import annotations

import pytest

from tests.cloud.keeping import Kms


@pytest.fixture
def kms(tmp_path):
    made = Kms(tmp_path / "kms")
    yield made
    made.close()
