"""Tokens: who may fill a log, in a file for its owner only; and the operator's log."""

from __future__ import annotations

import contextlib
import hmac
from datetime import UTC, datetime

import pytest

from teeproof.core.errors import Malformed, NotAllowed, Unavailable, Usage
from teeproof.proof.log.http.tokens import Tokens, create_tokens, first_token, load_tokens
from teeproof.web.oplog import quiet, to_lines


def write(path, text: str, mode: int = 0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_made_token_is_for_its_owner_and_is_recognised(tmp_path):
    path = tmp_path / "tokens"
    create_tokens(path, name="me")
    assert path.stat().st_mode & 0o777 == 0o600
    token = first_token(path)
    assert len(token) == 43
    assert load_tokens(path).name_of(f"Bearer {token}".encode()) == "me"
    with pytest.raises(Unavailable):
        create_tokens(path)
    with pytest.raises(Unavailable):
        create_tokens(tmp_path / "nowhere" / "tokens")
    assert first_token(path) == token


def test_each_line_is_a_name_and_a_token(tmp_path):
    path = write(tmp_path / "t", "# both\na 0123456789abcdef\n\nb fedcba9876543210\n")
    found = load_tokens(path)
    assert found.name_of(b"Bearer 0123456789abcdef") == "a"
    assert found.name_of(b"bearer fedcba9876543210") == "b"
    assert first_token(path) == "0123456789abcdef"
    assert "0123" not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "a\n",
        "a short\n",
        "a 0123456789abcdef more\n",
        "a 0123456789abcdef\na 1123456789abcdef\n",
        "a b 0123456789abcdef\n",
        "a/b 0123456789abcdef\n",
        "a 0123456789abcdé0\n",
        "a\t0123456789abcdef\n",
        "a " + "x" * 257 + "\n",
    ],
)
def test_a_file_of_another_form_is_refused_without_showing_it(tmp_path, text):
    with pytest.raises(Malformed) as error:
        load_tokens(write(tmp_path / "t", text))
    assert error.value.code == "token_file_malformed"
    assert "0123456789" not in str(error.value.to_json())


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_host_a_file_that_others_may_read_is_refused(tmp_path, mode):
    with pytest.raises(Usage) as error:
        load_tokens(write(tmp_path / "t", "a 0123456789abcdef\n", mode))
    assert error.value.code == "token_file_open"


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Bearer  0123456789abcdef",
        b"Bearer 0123456789abcde",
        b"Bearer 0123456789abcdef ",
        b"Bearer 0123456789abcdef0",
        b"Basic 0123456789abcdef",
        b"0123456789abcdef",
        b"\xff",
    ],
)
def test_network_a_wrong_header_is_nobodys(header):
    with pytest.raises(NotAllowed) as error:
        Tokens({"a": "0123456789abcdef"}).name_of(header)
    assert error.value.code == "token_wrong"


def test_network_every_token_is_compared_in_constant_time_whoever_asks(monkeypatch):
    compared, real = [], hmac.compare_digest

    def watched(known: bytes, given: bytes) -> bool:
        compared.append((len(known), len(given)))
        return real(known, given)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    known = Tokens({name: name * 16 for name in "abc"})
    for header in (b"Bearer " + b"a" * 16, b"Bearer x"):
        compared.clear()
        with contextlib.suppress(NotAllowed):
            known.name_of(header)
        assert compared == [(32, 32)] * 3, "digests of one length, and each of them"


def test_the_operators_log_has_one_line_per_event_whatever_is_in_it():
    lines: list[str] = []
    say = to_lines(lines.append, now=lambda: datetime(2026, 3, 1, tzinfo=UTC))
    say("appended", by="me", entries=2)
    say("refused", why='a "quoted"\nforged=line', path="a=b", empty="")
    quiet("nothing", at="all")
    assert lines == [
        "time=2026-03-01T00:00:00Z event=appended by=me entries=2\n",
        'time=2026-03-01T00:00:00Z event=refused why="a \\"quoted\\"\\nforged=line"'
        ' path="a=b" empty=""\n',
    ]
