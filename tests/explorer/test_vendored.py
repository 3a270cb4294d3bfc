"""Others' modules in the browser's checker: the very ones that npm has, with their licence."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import tomllib
from pathlib import Path

import pytest

from teeproof.core.errors import Usage
from teeproof.explorer import checker
from teeproof.explorer.joining import joined
from tests.vectors import ROOT

VENDOR = Path(checker.__file__).parent / "browser" / "vendor"
LISTED = (VENDOR / "VENDORED.md").read_text()
FILES = dict(
    re.findall(r"^\| `(noble-[^`]+)` \| `[^`]+` \| `([0-9a-f]{64})` \|$", LISTED, re.MULTILINE)
)
PACKAGES = re.findall(
    r"^\| `(@noble/[\w-]+)` \| ([0-9.]+) \| MIT, .* \| `(sha512-\S+)` \|$", LISTED, re.MULTILINE
)


def held(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_file_has_the_digest_that_is_listed():
    found = {str(p.relative_to(VENDOR)): held(p) for p in VENDOR.rglob("*") if p.is_file()}
    del found["VENDORED.md"]
    assert found == FILES


def test_what_is_vendored_is_in_the_script_with_its_licence():
    listed = {f"vendor/{name}" for name in FILES if name.endswith(".js")}
    assert {f"{name}.js" for name in checker.VENDORED} == listed
    assert checker.script().count("MIT License (c) 2022 Paul Miller") >= 2
    assert "noble-post-quantum - MIT License" in checker.script()


def test_the_package_ships_the_licences():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = [path for pattern in project["license-files"] for path in ROOT.glob(pattern)]
    assert {VENDOR / name for name in FILES if name.endswith("LICENSE")} <= set(listed)
    assert "MIT" in project["license"]


def kept_lines(text: str) -> list[str]:
    """The lines of a module that are not comments, told line by line; licences' comments stay."""
    kept, inside = [], False
    for line in text.splitlines():
        bare = line.lstrip(" \t")
        if inside or (bare.startswith("/*") and not bare.startswith("/*!")):
            whole = bare.rstrip().endswith("*/") and bare.count("*/") == 1
            if inside or whole or "*/" not in bare:
                inside = not whole
                continue
        if not bare.startswith("//"):
            kept.append(bare)
    return kept


@pytest.mark.parametrize("name", checker.MODULES)
def test_joining_leaves_out_comments_and_nothing_else(name):
    text = (VENDOR.parent / f"{name}.js").read_text()
    outside = re.compile(r"^(import|export \{).*$", re.MULTILINE)
    bare = re.sub(r"^export ", "", outside.sub("", text), flags=re.MULTILINE)
    made = joined([name], lambda _: bare).splitlines()
    assert made[1:-2] == kept_lines(bare) + made[1 + len(kept_lines(bare)) : -2]
    assert made[1 + len(kept_lines(bare)) : -2] in ([], [""])


def test_an_import_that_nothing_stands_before_stops_the_build():
    with pytest.raises(Usage, match="does not stand before"):
        joined(["a"], lambda _: 'import { b } from "./b.js";\n')
    with pytest.raises(Usage, match="form of import or export"):
        joined(["a"], lambda _: 'import b from "./b.js";\n')


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is missing: apt install npm")
@pytest.mark.parametrize(("package", "version", "integrity"), PACKAGES)
def test_npm_has_these_very_files(tmp_path, package, version, integrity):
    done = subprocess.run(
        ["npm", "pack", "--json", f"{package}@{version}"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"npm has no way to its registry: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    archive = tmp_path / json.loads(done.stdout)[0]["filename"]
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    assert f"sha512-{digest}" == integrity
    folder = package.replace("@", "").replace("/", "-")
    with tarfile.open(archive) as files:
        for name in (name for name in FILES if name.startswith(f"{folder}/")):
            member = files.extractfile(f"package/{name.partition('/')[2]}")
            assert member is not None
            assert hashlib.sha256(member.read()).hexdigest() == FILES[name], name


def test_three_packages_are_listed():
    names = ["@noble/curves", "@noble/hashes", "@noble/post-quantum"]
    assert [package for package, _, _ in PACKAGES] == names
