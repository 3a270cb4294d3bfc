"""What lies on the disk: sealed, counted, and whole."""

from __future__ import annotations

import sqlite3

import pytest

from teeproof.cloud.kms.state import State
from teeproof.core.errors import NotAuthentic, Unavailable

KEY = b"k" * 32


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.sqlite"


def rows(path):
    with sqlite3.connect(path) as connection:
        return dict(connection.execute("SELECT place, box FROM sealed"))


def write(path, changes):
    with sqlite3.connect(path) as connection:
        for place, box in changes.items():
            connection.execute("DELETE FROM sealed WHERE place = ?", (place,))
            if box is not None:
                connection.execute("INSERT INTO sealed VALUES (?, ?)", (place, box))
    connection.close()


def refused(path, key=KEY):
    with pytest.raises(NotAuthentic) as caught:
        State.open(path, key=key)
    return caught.value.code


def test_rows_are_there_again_and_the_version_counts_changes(path):
    state = State.open(path, key=KEY)
    assert (state.version, state.get("a")) == (0, None)
    state.change({"a/1": {"x": [1, "two", None]}, "a/2": "text"})
    state.change({"a/2": None, "b": 3})
    state.close()
    again = State.open(path, key=KEY)
    assert again.version == 2
    assert list(again.under("a/")) == [("a/1", {"x": [1, "two", None]})]
    assert (again.get("a/2"), again.get("b")) == (None, 3)


def test_nothing_readable_is_on_the_disk(path):
    state = State.open(path, key=KEY)
    state.change({"a": "a secret that nobody reads"})
    state.change({"a": None})
    state.close()
    assert b"a secret" not in path.read_bytes()


def test_what_was_deleted_is_overwritten(path):
    state = State.open(path, key=KEY)
    state.change({"a": "a secret"})
    box = rows(path)["a"]
    assert box in path.read_bytes()
    state.change({"a": None})
    state.close()
    assert box not in path.read_bytes()


def test_host_opens_the_state_with_other_code(path):
    State.open(path, key=KEY).change({"a": 1})
    assert refused(path, key=b"K" * 32) == "state_not_authentic"


def test_host_changes_moves_adds_or_removes_a_row(path):
    state = State.open(path, key=KEY)
    state.change({"a": 1, "b": 2})
    good = rows(path)
    flipped = bytes([good["a"][0] ^ 1]) + good["a"][1:]
    for change in (
        {"a": flipped}, {"a": good["b"], "b": good["a"]}, {"a": None}, {"c": good["a"]},
        {"a": b""}, {"head": None}, {"a": None, "b": None, "head": None, "x": good["head"]},
    ):  # fmt: skip
        write(path, change)
        assert refused(path) == "state_not_authentic"
        write(path, dict.fromkeys(rows(path)) | good)
    assert State.open(path, key=KEY).get("a") == 1


def test_host_puts_one_old_row_back_among_new_ones(path):
    state = State.open(path, key=KEY)
    state.change({"recipient": "secret", "other": 1})
    old = rows(path)
    state.change({"recipient": None, "withdrawn": True})
    write(path, {"recipient": old["recipient"]})
    assert refused(path) == "state_not_authentic"
    write(path, {"withdrawn": None})
    assert refused(path) == "state_not_authentic"


def test_a_change_that_fails_changes_nothing(path):
    state = State.open(path, key=KEY)
    state.change({"a": 1})
    with pytest.raises(Exception, match="canonical"):
        state.change({"a": 2, "b": 0.5})
    assert (state.get("a"), state.version) == (1, 1)
    state.change({"a": 3})
    state.close()
    assert State.open(path, key=KEY).get("a") == 3


def test_a_file_that_is_no_database_is_said_to_be_none(path):
    path.write_bytes(b"not a database, but long enough to be taken for one" * 100)
    with pytest.raises(Unavailable) as caught:
        State.open(path, key=KEY)
    assert caught.value.code == "state_unavailable"


def test_host_changes_a_row_under_a_running_kms(path):
    state = State.open(path, key=KEY)
    state.change({"a": 1, "b": 2})
    old = rows(path)["a"]
    state.change({"a": 3})
    assert state.get("a") == 3
    write(path, {"a": old, "b": None})
    for look in (lambda: state.get("a"), lambda: state.get("b"), lambda: list(state.under("a"))):
        with pytest.raises(NotAuthentic) as caught:
            look()
        assert caught.value.code == "state_not_authentic"
    with pytest.raises(NotAuthentic):
        state.change({"a": None})
    state.change({"c": 4})  # the sum is over what was written, not over what lies there
    state.close()
    assert refused(path) == "state_not_authentic"


def test_host_adds_a_row_under_a_running_kms(path):
    state = State.open(path, key=KEY)
    state.change({"a": 1})
    gone = rows(path)["a"]
    state.change({"a": None})
    assert state.get("a") is None
    write(path, {"a": gone})
    with pytest.raises(NotAuthentic):
        state.get("a")


@pytest.mark.parametrize("what", ["DELETE", "INSERT"])
def test_host_plants_a_trigger_so_that_nothing_is_deleted_or_written(path, what):
    state = State.open(path, key=KEY)
    state.change({"kept/1": "secret", "b": 1})
    row = "OLD" if what == "DELETE" else "NEW"
    with sqlite3.connect(path) as connection:
        connection.execute(
            f"CREATE TRIGGER t BEFORE {what} ON sealed WHEN {row}.place LIKE 'kept/%'"
            " BEGIN SELECT RAISE(IGNORE); END"
        )
    connection.close()
    if what == "DELETE":
        with pytest.raises(NotAuthentic):
            state.change({"kept/1": None, "b": 2})
        assert (state.get("kept/1"), state.get("b")) == ("secret", 1)  # all or nothing
    else:
        state.change({"kept/2": "secret"})
        with pytest.raises(NotAuthentic):
            state.get("kept/2")
        state.close()
        assert refused(path) == "state_not_authentic"


def test_host_puts_another_table_in_the_place_of_ours(path):
    state = State.open(path, key=KEY)
    state.change({"a": 1})
    kept = rows(path)
    state.close()
    for place, box in ((7, kept["a"]), ("a", 7), ("a", "text"), ("a", None)):
        with sqlite3.connect(path) as connection:
            connection.execute("DROP TABLE sealed")
            connection.execute("CREATE TABLE sealed (place, box)")
            connection.execute("INSERT INTO sealed VALUES ('head', ?)", (kept["head"],))
            connection.execute("INSERT INTO sealed VALUES (?, ?)", (place, box))
        connection.close()
        assert refused(path) == "state_not_authentic"
