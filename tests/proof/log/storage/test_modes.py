"""What other users of the machine may read of a log: what is served, and nothing else."""

from __future__ import annotations

import os
from stat import S_ISDIR

import pytest

from teeproof.proof.log.contents import Contents
from teeproof.proof.log.http.tokens import create_tokens
from teeproof.proof.log.storage.disk import Disk
from teeproof.proof.log.storage.log import Log
from tests.proof.log.storage.logs import ORIGIN, SEED, item, reopen

SERVED = {"public", "log.json"}


@pytest.fixture(params=[0, 0o022], ids=["umask 0", "umask 022"], autouse=True)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.fixture
def used(tmp_path):
    """A log in use, with all that may lie in its directory."""
    with Log.create(tmp_path / "log", origin=ORIGIN, seed=SEED, disk=Disk()) as log:
        log.append_many([item(at) for at in range(300)])
        log.put_blob(b"evidence")
        log.publish()
        contents = Contents(log)
        contents.producers("sha256:" + "0" * 64)
        create_tokens(log.directory / "tokens")
        (log.directory / "tmp" / "half").touch(0o600)
        yield log.directory
        contents.close()


def modes(directory, *, served: bool) -> dict[str, int]:
    """Return the modes of everything below, by path."""
    names = [path.relative_to(directory) for path in directory.rglob("*")]
    return {
        str(name): (directory / name).stat().st_mode
        for name in names
        if (name.parts[0] in SERVED) == served
    }


def test_others_read_nothing_of_a_log_but_what_is_served(used):
    found = modes(used, served=False)
    for name in ("key", "lock", "tokens", "index.sqlite", "index.sqlite-wal", "links.db-shm"):
        assert name in found
    assert any(name.startswith("blobs/") for name in found)
    for name, mode in found.items():
        assert mode & 0o777 == (0o700 if S_ISDIR(mode) else 0o600), name


def test_a_web_server_of_another_user_reads_what_is_served(used):
    assert used.stat().st_mode & 0o777 == 0o711
    found = modes(used, served=True)
    assert "public/checkpoint" in found
    assert any(name.startswith("public/tile/entries/") for name in found)
    for name, mode in found.items():
        assert mode & 0o777 == (0o755 if S_ISDIR(mode) else 0o644), name


def test_directories_above_a_new_log_are_as_others_are(tmp_path):
    Log.create(tmp_path / "srv" / "log", origin=ORIGIN, disk=Disk()).close()
    assert (tmp_path / "srv").stat().st_mode & 0o777 == 0o755


def test_a_log_that_was_restored_with_wider_modes_is_mended_when_it_is_opened(tmp_path):
    directory = tmp_path / "log"
    Log.create(directory, origin=ORIGIN, seed=SEED, disk=Disk()).close()
    for path in [directory, *directory.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o666)
    with reopen(tmp_path) as log:
        log.append_many([item(1)])
        assert directory.stat().st_mode & 0o777 == 0o755
        assert log.public.stat().st_mode & 0o777 == 0o755
        for name in ("journal", "blobs", "tmp"):
            assert (directory / name).stat().st_mode & 0o777 == 0o700
        for name in ("key", "lock", "index.sqlite", "index.sqlite-wal"):
            assert (directory / name).stat().st_mode & 0o777 == 0o600


def test_a_directory_that_its_owner_keeps_closed_stays_closed(tmp_path):
    directory = tmp_path / "log"
    directory.mkdir(0o700)
    Log.create(directory, origin=ORIGIN, seed=SEED, disk=Disk()).close()
    reopen(tmp_path).close()
    assert directory.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("read_only", [True, False])
def test_what_others_could_use_is_said_the_key_first(tmp_path, read_only):
    directory = tmp_path / "log"
    Log.create(directory, origin=ORIGIN, seed=SEED, disk=Disk()).close()
    with reopen(tmp_path, read_only=True) as log:
        assert log.exposed == ()
    for name in ("journal", "lock", "key"):
        (directory / name).chmod(0o755)
    (directory / "public").chmod(0o777)
    with reopen(tmp_path, read_only=read_only) as log:
        assert log.exposed == ("key", "lock", "journal", "public")
    with reopen(tmp_path, read_only=True) as log:
        assert log.exposed == (("key", "lock", "journal", "public") if read_only else ())
