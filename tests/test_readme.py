"""The README does what it says, and a README that said something else would be caught."""

from __future__ import annotations

import pytest

from tests.transcripts import Wrong, blocks, check, make_targets, matches
from tests.vectors import ROOT

README = (ROOT / "README.md").read_text()


def test_the_readme_does_what_it_says(tmp_path):
    assert check(README, tmp_path) > 0, "the README shows no session that can be run"


def test_the_readme_names_the_two_commands_of_a_newcomer():
    shown = "\n".join(b.body for b in blocks(README))
    assert "make demo" in shown
    assert "make test" in shown


GOOD = """
Text, and `$ inline` that is not run.

```console
$ printf 'one\\ntwo\\n'
one
two
$ echo made > file
```

```console
$ cat file; false
made
$ echo $?
1
$ echo a \\
> b
a b
```

```python
import pathlib
print(pathlib.Path("file").read_text().strip())
```

```output
made
```

```toml
nobody = runs this
```
"""


def test_a_true_page_passes_and_every_command_of_it_ran(tmp_path):
    assert check(GOOD, tmp_path) == 6


@pytest.mark.parametrize(
    ("true", "false", "complaint"),
    [
        ("two\n$", "too\n$", "line 5: printf"),
        ("one\ntwo\n", "one\n", "line 5: printf"),
        ("one\ntwo\n", "one\ntwo\nthree\n", "line 5: printf"),
        ("two\n$", "two \nx\n$", "line 5: printf"),
        ("echo made > file", "echo made", "line 8: echo made"),
        ("echo made > file", "cat nothing", "line 8: cat nothing"),
        ("echo made > file", "false", "exit code 1"),
        ("\n1\n", "\n0\n", "line 14: echo"),
        ('print(pathlib.Path("file")', 'print("x" or pathlib.Path("file")', "line 22: the program"),
        ("print(path", "raise SystemExit(path", "exit code 1"),
        ("```output\nmade", "```output\nlost", "it prints\nmade"),
        ("$ echo a", "echo a", "it prints\n1\n"),
        ("```console\n$ printf", "```console\nearly\n$ printf", "output before the first command"),
    ],
)
def test_a_page_that_says_what_is_not_so_is_caught(tmp_path, true, false, complaint):
    assert true in GOOD
    with pytest.raises(Wrong) as wrong:
        check(GOOD.replace(true, false, 1), tmp_path)
    assert complaint in str(wrong.value)


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("took … ms", "took 0.31 ms", True),
        ("took … ms", "took 0.31\n ms", False),
        ("took … ms", "took 0.31 s", False),
        ("a\n...\nz", "a\nb\nc\nz", True),
        ("a\n...\nz", "a\nz", True),
        ("a\n...\nz", "a\nb\nc", False),
        ("a\n...", "b\nc", False),
        ("a.c", "abc", False),
        ("a ... c", "a b c", False),
        ("", "", True),
        ("", "x", False),
        ("x", "", False),
        ("x", "x  \n", True),
        ("…", "the page may print the sign itself: …", True),
    ],
)
def test_the_two_placeholders_match_what_they_are_said_to_match(expected, printed, same):
    assert matches(expected, printed) is same


def test_setting_up_is_not_run_and_make_is_checked_for_its_targets(tmp_path):
    commands = ["git clone x && cd x", "pip install x", "make demo", "make test A=b"]
    page = "\n".join(["```console", *(f"$ {command}" for command in commands), "```"])
    assert check(page, tmp_path) == 0
    with pytest.raises(Wrong, match="make has no target coffee"):
        check("```console\n$ make demo coffee\n```", tmp_path)


def test_output_that_nobody_could_check_may_not_be_shown(tmp_path):
    with pytest.raises(Wrong, match="nobody checks"):
        check("```console\n$ make test\nall is well\n```", tmp_path)


def test_a_block_that_needs_real_evidence_waits_for_it(tmp_path):
    page = "```console vectors\n$ echo ran\nnot this\n```"
    assert check(page, tmp_path, vectors=False) == 0
    with pytest.raises(Wrong):
        check(page, tmp_path, vectors=True)


def test_a_page_sees_none_of_its_readers_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("TEEPROOF_POLICY", "mine")
    page = (
        "```console\n$ echo [$TEEPROOF_POLICY] [$HOME]\n[] [" + str(tmp_path / ".home") + "]\n```"
    )
    assert check(page, tmp_path) == 1


def test_the_makefile_offers_what_is_promised():
    assert {"demo", "test", "check", "bench", "fuzz", "help"} <= make_targets()
