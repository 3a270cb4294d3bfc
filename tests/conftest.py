"""What every test gets: no network, no home directory of its user, nothing written but in tmp."""

from __future__ import annotations

import atexit
import ipaddress
import itertools
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.configuration
import pytest

from teeproof.cloud import image
from tests import vectors as real

_LEVELS = sys.getrecursionlimit()
with suppress(ImportError):
    import py_ecc  # noqa: F401  web3 brings it; it would let parsers in C overrun their stack
sys.setrecursionlimit(_LEVELS)

_SCRATCH = Path(tempfile.mkdtemp(prefix="teeproof-tests-"))
_INHERITED = ("TEEPROOF_", "XDG_", "DSTACK_", "TAPPD_")
_KEPT = ("TEEPROOF_VECTORS",)
_numbers = itertools.count()
atexit.register(shutil.rmtree, _SCRATCH, ignore_errors=True)

# Nothing is timed: a loaded machine is no failure. CI draws the same examples each time.
hypothesis.configuration.set_hypothesis_home_dir(_SCRATCH / "hypothesis")
_untimed: dict[str, Any] = {
    "deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow], "database": None,
}  # fmt: skip
hypothesis.settings.register_profile("local", **_untimed)
hypothesis.settings.register_profile("ci", derandomize=True, **_untimed)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")


# A file runs in one process, where what its tests share is made once. These share more: the whole
# story, services that train, one compiler's environment, a browser. xdist's own groups are names in
# ids of tests, which pytest 9.2 does not let it change.
_TOGETHER = {
    "tests/story/": "story",
    "tests/training/": "training",
    "tests/chain/contracts/test_artifacts.py": "contracts",
    "tests/explorer/test_browser.py": "browser",
    "tests/explorer/test_own_browser.py": "browser",
    "tests/explorer/console/test_parts.py": "browser",
    "tests/explorer/test_access.py": "browser",
    "tests/explorer/test_made": "made",
    "tests/explorer/test_firefox": "firefox",
}

# What takes longest begins first, so that no process ends minutes after the others.
_LONG = (
    "tests/story/",
    "tests/training/",
    "tests/explorer/",
    "tests/test_docs.py",
    "tests/cli/",
    "tests/cloud/",
    "tests/chain/",
)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each process whole files, and whole groups of them, in the order of the collection."""
    from xdist.scheduler import LoadScopeScheduling

    class Grouped(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            group = (name for place, name in _TOGETHER.items() if nodeid.startswith(place))
            return next(group, nodeid.partition("::")[0])

    if config.getoption("dist") != "loadgroup":
        return None
    config.option.loadscopereorder = False
    return Grouped(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes share the tests, put first what takes longest."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _turn(item.nodeid))


def _turn(nodeid: str) -> int:
    found = (turn for turn, place in enumerate(_LONG) if nodeid.startswith(place))
    return next(found, len(_LONG))


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of real evidence; the test is skipped where there is none."""
    folder = real.directory()
    if folder is None:
        pytest.skip(real.MISSING)
    return folder


@pytest.fixture(scope="session")
def manifest(vectors: Path) -> Callable[[str], tuple[real.Record, ...]]:
    """Return the manifest's records of a kind: ``manifest("dcap")``."""
    return real.records


@pytest.fixture(autouse=True)
def _a_machine_without_a_past(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(_INHERITED) and name not in _KEPT:
            monkeypatch.delenv(name)
    place = _SCRATCH / f"machine-{next(_numbers)}"
    monkeypatch.setenv("HOME", str(place / "user"))
    monkeypatch.setenv("TEEPROOF_HOME", str(place / "teeproof"))


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """Fail a test that reaches for another machine; loopback and unix sockets are free."""
    patch = pytest.MonkeyPatch()
    for name in ("connect", "connect_ex", "sendto"):
        patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
    patch.setattr(socket, "getaddrinfo", _guarded_lookup(socket.getaddrinfo))
    yield
    patch.undo()


@pytest.fixture(autouse=True, scope="session")
def _the_same_source_is_compiled_once() -> Iterator[None]:
    """Remember what the compiler made of each source: many tests launch the same code."""
    patch = pytest.MonkeyPatch()
    patch.setattr(image, "compile", lru_cache(maxsize=4096)(compile), raising=False)
    yield
    patch.undo()


def _guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    def guard(self: socket.socket, *arguments: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse_strangers(arguments[-1][0])
        return method(self, *arguments)

    return guard


def _guarded_lookup(lookup: Callable[..., Any]) -> Callable[..., Any]:
    def guard(host: Any, *arguments: Any, **options: Any) -> Any:
        _refuse_strangers(host)
        return lookup(host, *arguments, **options)

    return guard


def _refuse_strangers(host: Any) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return
    try:
        if ipaddress.ip_address(name.partition("%")[0]).is_loopback:
            return
    except ValueError:
        pass
    # An outcome, no Exception: code under test cannot catch it and carry on.
    pytest.fail(f"a test tried to reach {name}: tests speak to this machine only")
