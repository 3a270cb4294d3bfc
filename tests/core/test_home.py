"""Where teeproof keeps things is decided by the environment that it is given, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from teeproof.core.home import data_directory


@pytest.mark.parametrize(
    ("environment", "directory"),
    [
        ({"TEEPROOF_HOME": "/t", "XDG_DATA_HOME": "/x", "HOME": "/h"}, "/t"),
        ({"TEEPROOF_HOME": "", "XDG_DATA_HOME": "/x", "HOME": "/h"}, "/x/teeproof"),
        ({"XDG_DATA_HOME": "/x", "HOME": "/h"}, "/x/teeproof"),
        ({"XDG_DATA_HOME": "relative", "HOME": "/h"}, "/h/.local/share/teeproof"),
        ({"XDG_DATA_HOME": "", "HOME": "/h"}, "/h/.local/share/teeproof"),
        ({"HOME": "/h"}, "/h/.local/share/teeproof"),
        ({"HOME": ""}, "/.local/share/teeproof"),
        ({}, "/.local/share/teeproof"),
    ],
)
def test_the_data_directory_follows_the_environment(environment, directory):
    assert data_directory(environment) == Path(directory)


def test_a_relative_home_is_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert data_directory({"TEEPROOF_HOME": "here"}) == tmp_path / "here"


def test_the_real_environment_is_not_looked_at(monkeypatch):
    monkeypatch.setenv("TEEPROOF_HOME", "/elsewhere")
    assert data_directory({"HOME": "/h"}) == Path("/h/.local/share/teeproof")
    assert data_directory(os.environ) == Path("/elsewhere")


def test_nothing_is_created(tmp_path):
    data_directory({"TEEPROOF_HOME": str(tmp_path / "new")})
    assert list(tmp_path.iterdir()) == []
