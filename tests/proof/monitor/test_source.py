"""Where a log is read from decides nothing but bytes, and not too many of them."""

from __future__ import annotations

from contextlib import closing

import pytest

from teeproof.core.errors import TooLarge, Unavailable, Usage
from teeproof.proof.log.formats.note import MAX_NOTE_BYTES
from teeproof.proof.log.http.transport import Transport
from teeproof.proof.monitor.source import Folder, Url, limit_of, source_of
from tests.proof.monitor.served import monitor_of, open_store


def test_a_folder_is_read_with_or_without_the_log_around_it(tmp_path):
    (tmp_path / "public" / "tile").mkdir(parents=True)
    (tmp_path / "public" / "checkpoint").write_bytes(b"x")
    for place in (tmp_path, tmp_path / "public"):
        assert Folder(place).read("checkpoint") == b"x"
        with pytest.raises(Unavailable) as caught:
            Folder(place).read("tile/0/000")
        assert caught.value.code == "tile_missing"


def test_a_folder_that_is_not_there_is_unavailable(tmp_path):
    with pytest.raises(Unavailable) as caught:
        Folder(tmp_path / "nothing").read("checkpoint")
    assert caught.value.code == "file_unavailable"


def test_log_a_huge_checkpoint_is_not_read(tmp_path):
    (tmp_path / "checkpoint").write_bytes(bytes(MAX_NOTE_BYTES + 1))
    with pytest.raises(TooLarge):
        Folder(tmp_path).read("checkpoint")
    assert limit_of("tile/0/000") == 8192
    assert limit_of("tile/entries/000") > limit_of("tile/0/000")


def test_a_name_is_an_address_or_a_directory(tmp_path):
    assert isinstance(source_of(str(tmp_path)), Folder)
    with closing(source_of("https://log.example/")) as url:
        assert isinstance(url, Url)
        assert url.name == "https://log.example"
    with pytest.raises(Usage):
        source_of("https://")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unavailable("", code="tile_missing"), "tile_missing"),
        (Unavailable("", code="log_unreachable"), "log_unreachable"),
        (Unavailable("", code="log_forked"), "log_refused"),
        (Unavailable("", code="monitor_state"), "log_refused"),
        (TooLarge(""), "log_refused"),
    ],
)
def test_server_cannot_speak_with_the_codes_of_the_monitor(tmp_path, monkeypatch, error, code):
    def get(*_arguments, **_options):
        raise error

    monkeypatch.setattr(Transport, "get", get)
    with closing(Url("https://log.example")) as source, open_store(tmp_path) as store:
        with pytest.raises(Unavailable) as caught:
            source.read("checkpoint")
        assert caught.value.code == code
        report = monitor_of(store, source).look()
    assert [(x.level, x.code) for x in report.findings] == [("missing", code)]
