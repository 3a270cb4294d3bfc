"""The shipped artifacts are what the compiler makes of the sources, and every refusal is tested."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from teeproof.chain import artifacts

ROOT = Path(__file__).parents[3]
CHAIN = Path("src", "teeproof", "chain")
HOSTILE = Path("tests", "chain", "contracts", "hostile")
COMPILER = ROOT / ".venv-contracts" / "bin" / "vyper"
SOURCES = sorted((ROOT / CHAIN / "contracts").glob("*.vy"))


def check(root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run ``scripts/contracts check``; it makes the compiler's environment where there is none."""
    command = [sys.executable, str(root / "scripts" / "contracts"), "check"]
    environment = os.environ | {"PYTHON": sys.executable}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if not COMPILER.exists() and not os.environ.get("CI"):
        pytest.skip("vyper cannot be installed here: scripts/contracts check needs a network once")
    return done


def test_the_shipped_artifacts_are_what_the_compiler_makes_of_the_sources():
    done = check()
    assert (done.returncode, done.stdout) == (0, "")
    assert "8 artifacts are what vyper 0.4.3 makes" in done.stderr


def test_a_packager_who_changed_a_source_or_an_artifact_is_found_out(tmp_path):
    if not COMPILER.exists():
        check()
    for folder in (CHAIN / "contracts", CHAIN / "artifacts", HOSTILE):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "contracts", tmp_path / "scripts")
    (tmp_path / ".venv-contracts").symlink_to(COMPILER.parents[1])
    module = tmp_path / CHAIN / "contracts" / "signatures.vy"  # of Anchors, Fund, TestToken
    module.write_text(module.read_text().replace("# @dev Half the order", "# @dev half the order"))
    artifact = tmp_path / CHAIN / "artifacts" / "Pool.json"
    artifact.write_text(re.sub('"bytecode": "0x..', '"bytecode": "0x00', artifact.read_text()))
    (tmp_path / HOSTILE / "QuietToken.json").unlink()
    done = check(tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    told = "contracts: run scripts/contracts build: Anchors, Fund, Pool, TestToken, QuietToken\n"
    assert done.stderr == told


@pytest.mark.parametrize("name", artifacts.NAMES)
def test_an_artifact_names_its_sources_and_its_settings(name, monkeypatch):
    artifact = artifacts.load(name)
    assert artifact.is_of_its_sources
    assert artifact.compiler.startswith("vyper 0.4.3+")
    assert artifact.settings["evm-version"] == "cancun"
    source = artifacts.source(f"{name}.vy").decode()
    imported = re.findall(r"^import (\w+)$", source, re.MULTILINE)
    assert set(artifact.sources) == {f"{name}.vy", *(f"{one}.vy" for one in imported)}
    real = artifacts.source
    for file in artifact.sources:
        monkeypatch.setattr(
            artifacts, "source", lambda one, file=file: real(one) + b" " * (one == file)
        )
        assert not artifact.is_of_its_sources, file


def reasons() -> list[str]:
    found = (re.findall(r', "(\w+: [^"]+)"', path.read_text()) for path in SOURCES)
    return sorted({reason for some in found for reason in some})


def test_a_refusal_names_its_contract_and_fits_a_word():
    contracts = {path.stem for path in SOURCES}
    assert len(reasons()) > 50
    for reason in reasons():
        assert reason.partition(": ")[0] in contracts
        assert len(reason) <= 32, reason


def test_every_refusal_of_a_contract_is_somewhere_expected():
    tests = Path(__file__).parent.glob("test_*.py")
    text = "\n".join(path.read_text() for path in tests)
    assert [reason for reason in reasons() if f'"{reason}"' not in text] == []
