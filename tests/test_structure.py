"""The layers hold: an import that breaks one fails the check, with its place in the message."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.vectors import ROOT

SOURCES = sorted((ROOT / "src" / "teeproof").rglob("*.py"))
MODULES = [path for path in SOURCES if path.name not in ("__init__.py", "__main__.py")]
LONGEST = 300


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture
def copy(tmp_path):
    """A copy of the sources into which a test may plant an import."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [command, "--no-logo", "--no-cache"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def plant(folder: Path, module: str, line: str) -> None:
    path = folder / "src" / (module.replace(".", "/") + ".py")
    path.parent.mkdir(exist_ok=True)
    (path.parent / "__init__.py").touch()
    path.write_text((path.read_text() if path.exists() else "") + f"\n{line}\n")


def test_the_layers_hold(copy):
    answer = lint_imports(copy)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "0 broken" in answer.stdout


@pytest.mark.parametrize(
    ("contract", "module", "line", "words"),
    [
        pytest.param(
            "Imports run downward only",
            "teeproof.core.digests",
            "import teeproof.evidence.record",
            ["teeproof.core is not allowed to import teeproof.evidence"],
            id="upward",
        ),
        pytest.param(
            "Imports run downward only",
            "teeproof.data.pool",
            "from teeproof.training import run",
            ["teeproof.data is not allowed to import teeproof.training"],
            id="upward from a chapter",
        ),
        pytest.param(
            "Imports run downward only",
            "teeproof.training.run",
            "import teeproof.inference.service",
            ["teeproof.training is not allowed to import teeproof.inference"],
            id="sideways",
        ),
        pytest.param(
            "Imports run downward only",
            "teeproof.helpers.misc",
            "",
            ["teeproof.helpers"],
            id="a package with no place",
        ),
        pytest.param(
            "Only evidence.collect.simulated reaches the simulator",
            "teeproof.evidence.record",
            "import teeproof.evidence.simulated",
            ["teeproof.evidence.record", "teeproof.evidence.simulated"],
            id="the simulator from a verifier",
        ),
        pytest.param(
            "Only evidence.collect.simulated reaches the simulator",
            "teeproof.evidence.collect.planted",
            "def late():\n    from teeproof.evidence import simulated",
            ["teeproof.evidence.collect.planted", "teeproof.evidence.simulated"],
            id="the simulator late, from another attester",
        ),
        pytest.param(
            "Parsers know no keys and no network",
            "teeproof.evidence.tdx.layout",
            "import cryptography.x509",
            ["teeproof.evidence.tdx.layout is not allowed to import cryptography"],
            id="keys in a parser",
        ),
        pytest.param(
            "Parsers know no keys and no network",
            "teeproof.core.errors",
            "import dcap_qvl",
            ["is not allowed to import dcap_qvl"],
            id="keys in what a parser imports",
        ),
        pytest.param(
            "Evidence is verified without a network",
            "teeproof.evidence.policy",
            "import httpx",
            ["teeproof.evidence is not allowed to import httpx"],
            id="the network in a verifier",
        ),
        pytest.param(
            "Proofs are verified without a network and without a database",
            "teeproof.proof.verify.structure",
            "import sqlite3",
            ["teeproof.proof.verify is not allowed to import sqlite3"],
            id="a database in the verifier of proofs",
        ),
        pytest.param(
            "Proofs are verified without a network and without a database",
            "teeproof.proof.log.formats.text",
            "import httpx",
            ["teeproof.proof.log.formats is not allowed to import httpx"],
            id="the network in a format",
        ),
        pytest.param(
            "A log's formats know no disk, and its disk no network",
            "teeproof.proof.log.formats.tiles",
            "import teeproof.proof.log.storage.disk",
            ["teeproof.proof.log.formats is not allowed to import teeproof.proof.log.storage"],
            id="the disk in a format",
        ),
        pytest.param(
            "A log's formats know no disk, and its disk no network",
            "teeproof.proof.log.storage.journal",
            "import teeproof.proof.log.http.client",
            ["teeproof.proof.log.storage is not allowed to import teeproof.proof.log.http"],
            id="the network in a journal",
        ),
    ],
)
def test_a_planted_import_fails_the_check_by_name(copy, contract, module, line, words):
    for other in re.findall(r"teeproof\.(?:training|inference)\b\S*", f"{module} {line}"):
        plant(copy, other if other.count(".") > 1 else f"{other}.run", "")
    plant(copy, module, line)
    answer = lint_imports(copy)
    assert answer.returncode == 1, answer.stdout + answer.stderr
    assert re.search(rf"{re.escape(contract)}\s+BROKEN", answer.stdout), answer.stdout
    printed = " ".join(answer.stdout.split())
    for word in words:
        assert word in printed, answer.stdout


def test_nobody_reaches_the_simulator_by_a_name_that_the_linter_cannot_see():
    allowed = {
        path
        for path in SOURCES
        if "simulated" in path.relative_to(ROOT / "src").parts
        or named(path) == "src/teeproof/evidence/collect/simulated.py"
        # It starts the module that the manifest names, which is measured.
        or named(path) == "src/teeproof/cloud/__main__.py"
        # It is started by itself, and told where its own kinds of statement are.
        or named(path) == "src/teeproof/proof/log/crew.py"
    }
    dotted = re.compile(
        r"""["']\S*evidence\.simulated\b|import_module\((?!f"teeproof\.cli\.)|__import__"""
    )
    assert [named(p) for p in SOURCES if p not in allowed and dotted.search(p.read_text())] == []


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_each_module_says_what_it_is_for_in_its_first_line(path):
    document = ast.get_docstring(tree_of(path))
    assert document, f"{named(path)} has no docstring"
    first = document.splitlines()[0]
    assert first.rstrip().endswith((".", "?", "!")), f"not a sentence: {first}"


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_each_module_lists_what_it_offers_and_offers_what_it_lists(path):
    tree = tree_of(path)
    listed = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    assert len(listed) == 1, f"{named(path)} needs one __all__"
    defined = {name for node in tree.body for name in _names(node)}
    assert set(listed[0]) <= defined
    assert len(set(listed[0])) == len(listed[0])


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    return {
        name.id
        for name in ast.walk(node)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
    }


TRUSTING = [p for p in MODULES if p.relative_to(ROOT / "src/teeproof").parts[0] == "evidence"]


@pytest.mark.parametrize("path", TRUSTING, ids=named)
def test_each_module_of_evidence_ends_by_saying_whom_it_trusts(path):
    document = ast.get_docstring(tree_of(path)) or ""
    last = " ".join(document.rstrip().split("\n\n")[-1].split())
    says = re.match(r"Trusts: .+ Does not trust: .+\.$", last) is not None
    assert says, "the docstring's last paragraph is to be: Trusts: …  Does not trust: …"


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_no_module_is_longer_than_a_reader_can_hold(path):
    lines = len(path.read_text().splitlines())
    assert lines <= LONGEST, f"{named(path)} has {lines} lines: split it"


def test_importing_the_package_loads_nothing_but_the_standard_library():
    script = (
        "import sys; before = set(sys.modules); import teeproof;"
        "print(*sorted({m.partition('.')[0] for m in set(sys.modules) - before}))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    loaded = set(printed.split())
    assert "teeproof" in loaded
    assert loaded - set(sys.stdlib_module_names) == {"teeproof"}
