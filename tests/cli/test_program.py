"""The real program in a process of its own: streams, colours, pipes, start-up, faults."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import click
import pytest

import teeproof
from teeproof.cli.group import COMMANDS
from teeproof.cli.running import run
from teeproof.cli.screen import Screen, plain
from tests.cli.conftest import AT
from tests.cli.program import program

PROGRAM = Path(sys.executable).with_name("teeproof")
HEAVY = {"httpx", "rich", "yaml", "httpcore", "asyncio", "markdown_it", "pygments"}


def test_results_go_to_standard_output_and_complaints_to_standard_error(simulated):
    good = program("verify", simulated(), "--at", AT)
    assert (good.code, good.err) == (4, "")
    bad = program("verify", "/nowhere")
    assert (bad.code, bad.out) == (3, "")
    assert bad.err.startswith("error     /nowhere cannot be read")


def test_with_json_the_complaint_is_the_one_error_object_on_standard_output():
    bad = program("verify", "/nowhere", "--json")
    assert bad.code == 3
    assert bad.err == ""
    assert set(bad.json) == {"ok", "error", "detail", "expected", "got"}
    assert bad.json["error"] == "file_unavailable"


@pytest.mark.parametrize(
    "arguments",
    [["--bogus"], ["verify"], ["verify", "--bogus"], ["nothing"], ["policy", "nothing"]],
)
def test_misuse_is_exit_code_1_and_never_2(arguments):
    answer = program(*arguments)
    assert answer.code == 1
    assert answer.err.startswith("error  ")
    assert "--help" in answer.err
    twin = program(*arguments, "--json")
    assert (twin.code, twin.json["error"]) == (1, "usage")


@pytest.mark.parametrize("arguments", [[], ["policy"], ["endorsements"]])
def test_a_bare_command_prints_its_help_plainly_and_is_no_success(arguments):
    answer = program(*arguments)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith(" ".join(["Usage: teeproof", *arguments]))
    assert answer.err == program(*arguments, "--help").out


def test_a_reader_that_has_seen_enough_leaves_no_traceback(simulated):
    command = f"{PROGRAM} verify {simulated()} --at {AT} --all | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("TDX quote")
    assert done.stderr == ""


def _shell(command: str) -> tuple[int, str]:
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "arguments", ["verify {} --at " + AT, "show {} --json", "--help", "verify /nowhere --json"]
)
def test_output_that_cannot_be_written_is_one_clear_line_and_an_exit_code_of_its_own(
    simulated, arguments
):
    command = f"{PROGRAM} {arguments.format(simulated())}"
    line = "error     standard output cannot be written: No space left on device\n"
    assert _shell(f"{command} >/dev/full") == (74, line)
    assert _shell(f"{command} >/dev/full 2>/dev/full") == (74, "")


def test_a_verdict_that_nobody_reads_to_its_end_is_no_misuse(simulated):
    many = " ".join([str(simulated())] * 60)  # more than a pipe holds
    script = f"{PROGRAM} verify {many} --at {AT}; echo $? >&2"
    assert _shell(f"({script}) | head -1") == (0, "141\n")


def test_a_closed_stream_leaves_the_exit_code_as_it_is(simulated):
    assert _shell(f"{PROGRAM} verify {simulated()} --at {AT} >&-") == (4, "")
    assert _shell(f"{PROGRAM} verify /nowhere 2>&-") == (3, "")
    assert _shell(f"{PROGRAM} verify /nowhere 2>/dev/full") == (3, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify", ""],
        ["verify", "{}", ""],
        ["verify", "{}", "--policy", ""],
        ["verify", "{}", "--policy", "", "--set", "debug=false"],
        ["verify", "{}", "--endorsements", ""],
        ["show", ""],
        ["why", ""],
        ["why", "{}", ""],
        ["simulate", "--out", ""],
        ["policy", "show", ""],
        ["policy", "check", ""],
        ["policy", "explain", ""],
        ["endorsements", "add", ""],
    ],
)
def test_an_empty_name_never_means_the_current_directory_or_a_default(simulated, arguments):
    folder = simulated()
    given = [part.replace("{}", str(folder)) for part in arguments]
    done = subprocess.run([PROGRAM, *given], cwd=folder, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b" is empty: name " in done.stderr
    there = subprocess.run([PROGRAM, "show", "."], cwd=folder, capture_output=True, check=False)
    assert there.returncode == 0


@pytest.mark.parametrize("field", ["name", "description", "key_provider", "nonce"])
def test_text_that_is_no_unicode_is_misuse_and_no_fault_of_ours(simulated, field):
    folder = simulated()
    change = os.fsencode(f"{field}=") + b"\xff"
    done = subprocess.run(
        [PROGRAM, "verify", folder, "--set", change], capture_output=True, check=False
    )
    assert done.returncode == 1
    assert f"{field} must be Unicode text" in done.stderr.decode()


@pytest.mark.parametrize(
    "arguments", [["list"], ["check"], ["list", "--json"], ["check", "--json"]]
)
def test_a_data_directory_by_any_name_serves(simulated, tmp_path, arguments):
    home = os.fsdecode(os.fsencode(tmp_path / "x") + b"\xff\n")
    assert program("endorsements", *arguments, TEEPROOF_HOME=home).code == 0
    added = program("endorsements", "add", simulated() / "collateral.json", TEEPROOF_HOME=home)
    assert added.code == 0
    assert f"kept in       {tmp_path}/x\\udcff\\n/endorsements\n" in added.out
    assert program("endorsements", *arguments, TEEPROOF_HOME=home).code == 0


def test_the_help_of_the_program_begins_with_what_to_type():
    for columns in ("40", "80", "200"):
        lines = program("--help", COLUMNS=columns).out.splitlines()
        at = lines.index("  Begin with")
        assert lines[at - 1] == ""
        assert lines[at + 1] == "    teeproof demo"
        assert "\b" not in "".join(lines)


def _on_a_terminal(*arguments: object, **environment: str) -> str:
    main, side = pty.openpty()
    with subprocess.Popen(
        [PROGRAM, *map(str, arguments)],
        stdout=side,
        stderr=side,
        stdin=subprocess.DEVNULL,
        env={k: v for k, v in os.environ.items() if k != "NO_COLOR"}
        | {"TERM": "xterm-256color", "COLUMNS": "80"}
        | environment,
    ):
        os.close(side)
        shown = b""
        try:
            while block := os.read(main, 65536):
                shown += block
        except OSError:
            pass  # how a pty says that the other side is closed
    os.close(main)
    return shown.decode()


def test_a_terminal_gets_colours_and_simulated_evidence_another_than_real(simulated, vectors):
    folder = simulated()
    made = _on_a_terminal("verify", folder, "--at", AT, "--policy", folder / "policy.toml")
    assert "\x1b[35;1mSIMULATED" in made
    assert "\x1b[32" not in made, "nothing that is simulated is green"
    real = _on_a_terminal("verify", vectors / "dcap/dstack-quote-report", "--at", "2026-02-25")
    assert "\x1b[32;1mhardware" in real
    assert "\x1b[35" not in real


def test_no_colour_when_it_is_not_wanted_or_not_a_terminal(simulated):
    folder = simulated()
    assert "\x1b" not in _on_a_terminal("verify", folder, "--at", AT, NO_COLOR="1")
    assert "\x1b" not in _on_a_terminal("verify", folder, "--at", AT, "--color", "never")
    assert "\x1b" not in program("verify", folder, "--at", AT).out
    assert "\x1b[" in program("verify", folder, "--at", AT, "--color", "always").out


def test_marks_are_ascii_where_the_terminal_can_show_nothing_else(simulated):
    answer = program("verify", simulated(), "--at", AT, PYTHONIOENCODING="ascii")
    assert answer.out.isascii()
    assert "\n  + quote-signature" in answer.out
    assert "\n  x simulated-root" in answer.out
    twin = ("simulate", "--list", "--json")
    assert program(*twin, PYTHONIOENCODING="ascii").json == program(*twin).json


@pytest.mark.parametrize("width", ["60", "80", "120"])
def test_text_is_wrapped_to_the_terminal(simulated, width):
    folder = simulated()
    answer = program("verify", folder, "--at", AT, "--all", COLUMNS=width)
    *lines, option = answer.out.splitlines()
    assert max(map(len, lines)) <= int(width)
    assert option.strip().startswith("--set simulated_roots=")  # which is copied, and so not broken
    wide = program("verify", folder, "--at", AT, "--all")
    assert _letters(answer.out) == _letters(wide.out)


def test_on_a_narrow_terminal_labels_stand_above_and_no_word_is_broken(simulated):
    folder = simulated("debug")
    lines = program("verify", folder, "--at", AT, COLUMNS="40").out.splitlines()
    assert max(map(len, lines[:-1])) <= 40  # the last one is an option to copy
    assert lines[lines.index("  level") + 1].startswith("    SIMULATED – made by")
    at = lines.index("  ✗ debug")
    assert lines[at + 1].startswith("    the host can read")
    assert "    expected" in lines[at:]
    wide = program("verify", folder, "--at", AT).out.split()
    assert {word for word in wide if word != "·" and len(word) < 30} <= set(" ".join(lines).split())


def test_a_label_too_long_for_its_column_stands_above_its_text():
    lines = program("simulate", "--list", COLUMNS="80").out.splitlines()
    assert max(map(len, lines)) <= 80
    at = lines.index("  td-relaunch-advised-configuration-needed")
    assert lines[at + 1].startswith(" " * 34 + "The TDX module")


def _letters(text: str) -> str:
    return "".join(text.replace("·", " ").split())


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_with_an_example_and_its_line_in_the_list(name):
    answer = program(name, "--help")
    assert answer.code == 0
    lines = [line.strip() for line in answer.out.splitlines()]
    assert {"Example", "Examples"} & set(lines)
    assert any(line.startswith(f"teeproof {name}") for line in lines)
    assert "\b" not in answer.out
    assert "\\b" not in answer.out
    assert f"\n  {name} " in program("--help").out


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_and_subcommand_takes_json(name):
    from teeproof.cli.group import teeproof as group

    command = group.get_command(click.Context(group), name)
    members = command.commands.values() if isinstance(command, click.Group) else [command]
    for member in members:
        assert "--json" in [option for p in member.params for option in p.opts], member.name


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["verify", "{folder}", "--at", AT],
        ["show", "{folder}/quote.bin"],
        ["policy", "list"],
    ],
    ids=["help", "verify", "show", "policy"],
)
def test_a_command_imports_nothing_heavy(simulated, arguments):
    folder = simulated()
    script = (
        "import sys; from teeproof.cli import main;"
        f"main({[a.format(folder=folder) for a in arguments]!r});"
        "print(*sorted({m.partition('.')[0] for m in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(done.stderr.split())


def test_help_imports_no_cryptography():
    script = "import sys; from teeproof.cli import main; main(['--help']); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert not {m for m in loaded if m.startswith(("cryptography", "dcap_qvl", "msgspec"))}


def test_the_version_is_the_distribution_s():
    import tomllib

    root = Path(teeproof.__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert teeproof.__version__ == project["version"]
    assert program("--version").out == f"teeproof {project['version']}\n"


def test_a_fault_of_ours_is_owned_up_to_and_its_trace_is_shown_only_when_asked(capfd, monkeypatch):
    @click.command()
    def broken() -> None:
        raise RuntimeError("oh")

    assert run(broken, []) == 70
    quiet = capfd.readouterr()
    assert quiet.out == ""
    assert "please report it" in quiet.err
    assert "RuntimeError: oh" in quiet.err
    assert "Traceback" not in quiet.err
    monkeypatch.setenv("TEEPROOF_DEBUG", "1")
    assert run(broken, []) == 70
    assert "Traceback" in capfd.readouterr().err


def test_what_does_not_print_is_written_as_its_escape():
    assert plain("a\x1b[31mb\u202ec\x00") == "a\\x1b[31mb\\u202ec\\x00"
    assert plain("–✓ déjà") == "–✓ déjà"


def test_paint_does_not_let_text_bring_its_own_colours(capfd):
    screen = Screen(sys.stdout, color=True, width=80)
    assert screen.paint("\x1b[32mgreen", "red") == "\x1b[31m\\x1b[32mgreen\x1b[0m"
