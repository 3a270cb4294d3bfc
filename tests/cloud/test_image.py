"""The code that runs: measured file by file, and started from what was measured."""

from __future__ import annotations

import importlib.util
import marshal
import os
import subprocess
import sys

import pytest

from teeproof.cloud import image as images
from teeproof.cloud.image import BYTECODE, LIBRARIES, Image
from teeproof.core.errors import Malformed, NotAuthentic, TooLarge, Unavailable
from tests.cloud.scenes import image


@pytest.fixture
def small(tmp_path):
    """An image of three files and this machine's libraries."""
    folder = tmp_path / "image"
    (folder / "package").mkdir(parents=True)
    (folder / "package" / "__init__.py").write_text("")
    (folder / "package" / "code.py").write_text("ANSWER = 42\n")
    (folder / LIBRARIES).write_bytes(images._libraries())
    return folder


def test_a_snapshot_has_the_same_digest_each_time_and_place(tmp_path):
    first, again = Image.snapshot(tmp_path / "a"), Image.snapshot(tmp_path / "b")
    assert first.digest == again.digest
    assert first.folder.name == first.digest.removeprefix("sha256:")
    assert Image.snapshot(tmp_path / "a").folder == first.folder
    assert Image(first.folder).digest == first.digest
    assert first.digest[:20] in repr(first)


def test_a_snapshot_holds_the_package_and_no_bytecode(tmp_path):
    made = Image.snapshot(tmp_path)
    assert (made.folder / "teeproof" / "cloud" / "inside.py").is_file()
    assert not list(made.folder.rglob(BYTECODE))
    assert b'"python"' in (made.folder / LIBRARIES).read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == [made.folder.name]


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "package" / "code.py").write_text("ANSWER = 43\n"),
        lambda folder: (folder / "package" / "more.py").write_text(""),
        lambda folder: (folder / "package" / "code.py").rename(folder / "code.py"),
        lambda folder: (folder / "package" / "code.py").unlink(),
        lambda folder: (folder / LIBRARIES).write_text("{}"),
    ],
    ids=["edited", "added", "moved", "removed", "other libraries"],
)
def test_host_changes_one_file_and_it_is_another_image(small, change):
    before = Image(small).digest
    change(small)
    assert Image(small).digest != before


def test_two_files_whose_contents_are_swapped_are_another_image(small):
    (small / "a").write_text("1")
    (small / "b").write_text("2")
    before = Image(small).digest
    (small / "a").write_text("2")
    (small / "b").write_text("1")
    assert Image(small).digest != before


def test_host_plants_bytecode_and_it_is_not_what_runs(small):
    made = Image(small)
    source = small / "package" / "code.py"
    planted = (
        small
        / "package"
        / BYTECODE
        / importlib.util.cache_from_source(str(source)).rpartition("/")[2]
    )
    planted.parent.mkdir()
    evil = marshal.dumps(compile("ANSWER = 666", "code.py", "exec"))
    head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little")
    planted.write_bytes(head + importlib.util.source_hash(source.read_bytes()) + evil)
    assert Image(small).digest == made.digest
    loaded = made.load()
    assert loaded.digest == made.digest
    assert answer(loaded.folder) == "42"


def answer(folder):
    script = "import package.code; print(package.code.ANSWER, end='')"
    return subprocess.run(
        [sys.executable, "-B", "-c", script], env={"PYTHONPATH": str(folder)},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def test_what_runs_is_a_private_copy_that_is_made_once(small):
    made = Image(small)
    loaded = made.load()
    assert made.load() is loaded
    assert small not in loaded.folder.parents
    assert loaded.folder.parent.stat().st_mode & 0o777 == 0o700
    assert answer(loaded.folder) == "42"


def test_host_changes_the_folder_after_it_was_loaded(small):
    made = Image(small)
    loaded = made.load()
    (small / "package" / "code.py").write_text("ANSWER = 666\n")
    assert answer(loaded.folder) == "42"
    again = made.load()
    assert again.digest != made.digest  # a launch compares this with the manifest's
    assert answer(again.folder) == "666"


def test_an_image_for_other_libraries_is_not_loaded(small):
    (small / LIBRARIES).write_text('{"python": "2.7"}')
    with pytest.raises(NotAuthentic) as refused:
        Image(small).load()
    assert refused.value.code == "libraries_changed"


def test_links_and_devices_are_no_code(small):
    (small / "link.py").symlink_to("/etc/passwd")
    with pytest.raises(Malformed) as refused:
        Image(small)
    assert refused.value.code == "image_irregular"
    (small / "link.py").unlink()
    (small / "folder").symlink_to("/etc")
    with pytest.raises(Malformed):
        Image(small)
    (small / "folder").unlink()
    os.mkfifo(small / "pipe")
    with pytest.raises(Malformed):
        Image(small)


def test_an_image_is_bounded(small, monkeypatch):
    monkeypatch.setattr(images, "_MAX_FILES", 2)
    with pytest.raises(TooLarge):
        Image(small)


def test_extra_files_stay_inside_and_replace_nothing(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text("")
    for name in ("../mine.py", "teeproof/__init__.py", "/tmp/mine.py"):
        with pytest.raises((Malformed, Unavailable)):
            Image.snapshot(tmp_path / "images", extra={name: mine})
    with pytest.raises(Unavailable):
        Image.snapshot(tmp_path / "images", extra={"a.py": tmp_path / "missing"})
    assert list((tmp_path / "images").iterdir()) == []


def test_the_tests_image_is_not_the_plain_one(tmp_path):
    assert Image.snapshot(tmp_path).digest != image().digest
