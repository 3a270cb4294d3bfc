"""Ids of statements in a log: whole, or the first digits that name one alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from teeproof.proof.log.contents import Contents
from teeproof.proof.log.storage.log import Log
from tests.cli.test_verify_proof import AT, ORIGIN, here, verify
from tests.proof.people import step, workload_named

__all__ = ["here"]


@pytest.fixture
def said(here):
    author = workload_named("agent")
    with Log.create(Path("log"), origin=ORIGIN) as log:
        contents = Contents(log)
        contents.add_identity(author.record.encode(), author.blobs)
        statements = [step(author, "trade", f"number {n}") for n in range(3)]
        for one in statements:
            contents.add_statement(author.sign(one).encode())
        log.publish()
        contents.close()
    return [one.id.hex() for one in statements], author.record.digest.hex()


@pytest.mark.parametrize("form", ["{:.8}", "sha256:{:.8}", "{:.8}…", "{:.63}", "sha256:{}", "{}"])
def test_first_digits_name_a_statement(teeproof, said, form):
    (first, second, _), _ = said
    assert verify(teeproof, "log", form.format(first)).code == 0
    one = teeproof("log", "export", "log", form.format(first), form.format(second), "-o", "x.proof")
    assert one.code == 0
    assert "holds         2 statements, 1 identity\n" in one.out
    assert one.out.startswith("✓ x.proof\n")
    assert teeproof("graph", "log", form.format(first)).code == 0


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1234567", "id_malformed"),
        ("hello-you", "id_malformed"),
        ("", "id_malformed"),
        ("0" * 65, "id_malformed"),
        ("00000000", "key_unknown"),
    ],
)
def test_what_names_none_is_said(teeproof, said, text, code):
    for words in (("verify", "log", text or "-x"), ("log", "export", "log", text, "-o", "x.proof")):
        if "-x" not in words:
            answer = teeproof(*words, "--json")
            assert (answer.code, answer.json["error"]) == (1, code)
    assert not Path("x.proof").exists()


def test_an_identity_is_no_statement(teeproof, said):
    answer = teeproof("log", "export", "log", said[1][:8], "-o", "x.proof", "--json")
    assert answer.json["error"] == "key_unknown"


def test_several_that_begin_alike_are_listed(monkeypatch):
    from teeproof.cli.ids import ids_in_log
    from teeproof.core.errors import Usage

    class Two:
        size = 2

        def iterate(self):
            for end in (1, 2):
                yield type("Stored", (), {"kind": 1, "statement_id": bytes(31) + bytes([end])})

    with pytest.raises(Usage) as caught:
        ids_in_log(Two(), ["00000000"])  # type: ignore[arg-type]
    assert caught.value.code == "key_ambiguous"
    assert ids_in_log(Two(), ["00" * 31 + "01"]) == [bytes(31) + b"\x01"]  # type: ignore[arg-type]


def test_the_next_command_names_the_logs(teeproof, said):
    done = teeproof("log", "export", "log", said[0][0], "-o", "x.proof", "--logs", "logs")
    assert "next          teeproof verify x.proof --logs logs\n" in done.out
    plain = teeproof("merge", "x.proof", "-o", "y.proof")
    assert plain.out.startswith("✓ y.proof\n  holds         1 statement, 1 identity\n")
    assert "add --logs FILE" in plain.out
    assert AT
