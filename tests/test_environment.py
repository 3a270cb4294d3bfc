"""Setting up: Debian's packages where they may be installed, one clear line where not."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.vectors import ROOT

# Stands for python3, apt-get and id: does what the test says, and writes down what it was asked.
ACTOR = """#!/bin/sh
echo "$(basename "$0") $*" >> "$STAGE/asked"
case "$(basename "$0") $*" in
  "id -u") cat "$STAGE/user" ;;
  "apt-get install"*) touch "$STAGE/ensurepip" ;;
  "python3 -c import sys"* | "python -c import sys"*) [ ! -e "$STAGE/old" ] ;;
  "python3 -c import ensurepip"*) [ -e "$STAGE/ensurepip" ] ;;
  "python3 -m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
  "python -m pip install"*) [ ! -e "$STAGE/broken" ] || { echo "no such package"; exit 1; } ;;
esac
"""


class Stage:
    """A copy of the script on a machine whose programs are actors."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        (folder / "repo" / "scripts").mkdir(parents=True)
        shutil.copy(ROOT / "scripts" / "environment", folder / "repo" / "scripts")
        programs = ("bwrap", "unzip", "swtpm", "tpm2_checkquote", "fusermount3", "gcc",
                    "chromium", "firefox-esr", "npm")  # fmt: skip
        for name in ("python3", "apt-get", "id", *programs):
            path = folder / "bin" / name
            path.write_text(ACTOR)
            path.chmod(0o755)
        (folder / "user").write_text("0\n")
        (folder / "ensurepip").touch()

    def run(self, extra: str = "dev", **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.folder / "repo" / "scripts" / "environment", extra],
            env={"PATH": f"{self.folder / 'bin'}:{os.defpath}", "STAGE": str(self.folder)}
            | variables,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def asked(self) -> str:
        return (self.folder / "asked").read_text()

    @property
    def stamped(self) -> bool:
        return (self.folder / "repo" / ".venv" / "with-dev").exists()


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


def test_a_machine_with_everything_gets_an_environment_and_one_line(stage):
    answer = stage.run()
    assert (answer.returncode, answer.stdout) == (0, "")
    assert answer.stderr == "setup: installing teeproof (dev) into .venv\n"
    assert "pip install --quiet --disable-pip-version-check -e .[dev]" in stage.asked
    assert "apt-get" not in stage.asked
    assert stage.stamped


def test_the_base_environment_holds_no_extra(stage):
    assert stage.run("base").returncode == 0
    assert stage.asked.endswith("-e .\n")


def test_an_environment_that_works_is_kept(stage):
    stage.run()
    stage.run()
    assert stage.asked.count("python3 -m venv") == 1
    assert stage.asked.count("pip install") == 2


def test_root_gets_the_package_that_debian_leaves_out(stage):
    (stage.folder / "ensurepip").unlink()
    assert stage.run().returncode == 0
    assert "apt-get install -qq --no-install-recommends python3-venv" in stage.asked
    assert stage.stamped


@pytest.mark.parametrize("extra", ["demo", "dev"])
def test_root_gets_the_sandbox_that_workloads_run_in(stage, extra):
    (stage.folder / "bin" / "bwrap").unlink()
    path = f"{stage.folder / 'bin'}:{stage.folder / 'tools'}"
    (stage.folder / "tools").mkdir()
    for tool in ("bash", "dirname", "basename", "touch", "cp", "mkdir", "cat", "sh"):
        (stage.folder / "tools" / tool).symlink_to(shutil.which(tool))
    answer = stage.run(extra, PATH=path)
    assert answer.returncode == 0, answer.stderr
    assert "apt-get install -qq --no-install-recommends bubblewrap" in stage.asked


def test_whoever_is_not_root_gets_no_sandbox_and_can_go_on(stage):
    (stage.folder / "bin" / "bwrap").unlink()
    (stage.folder / "user").write_text("1000\n")
    assert stage.run("demo").returncode == 0
    assert "apt-get" not in stage.asked


def test_whoever_is_not_root_is_told_what_to_install(stage):
    (stage.folder / "ensurepip").unlink()
    (stage.folder / "user").write_text("1000\n")
    answer = stage.run()
    assert answer.returncode == 1
    assert answer.stderr == "setup: python3-venv is missing: apt-get install python3-venv\n"
    assert "apt-get" not in stage.asked


def test_an_old_python_is_refused_in_one_line(stage):
    (stage.folder / "old").touch()
    answer = stage.run()
    assert answer.returncode == 1
    assert "Python 3.11 or newer" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_python_that_was_named_and_is_not_there_is_not_replaced(stage):
    answer = stage.run(PYTHON="python-of-mine")
    assert (answer.returncode, answer.stderr) == (1, "setup: there is no python-of-mine\n")


def test_what_pip_says_is_shown_when_it_fails_and_nothing_is_stamped(stage):
    (stage.folder / "broken").touch()
    answer = stage.run()
    assert answer.returncode == 1
    assert "no such package\nsetup: pip could not install .[dev]" in answer.stderr
    assert not stage.stamped


def test_axe_core_comes_with_npm_and_its_absence_stops_nothing(stage):
    assert stage.run().returncode == 0
    assert "npm install --silent --no-audit --no-fund --prefix .venv/npm axe-core@4" in stage.asked
    (stage.folder / "bin" / "npm").write_text("#!/bin/sh\nexit 1\n")
    answer = stage.run()
    assert answer.returncode == 0
    assert "npm could not install axe-core; its test will say so" in answer.stderr
    assert stage.stamped
