"""``teeproof export``: one page of a proof, and the digest of what checks it."""

from __future__ import annotations

from pathlib import Path

import pytest

from teeproof.cli.demo_proof import tell
from teeproof.core.clock import wall_clock
from teeproof.explorer.checker import script_digest


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("export")
    tell(place, wall_clock)
    return place


def the_proof(folder: Path) -> Path:
    return next(folder.glob("*.proof"))


def test_a_page_is_written_beside_the_proof(teeproof, folder):
    proof = the_proof(folder)
    said = teeproof(
        "export", "--html", proof, "--logs", folder / "trusted-logs",
        "--policy", folder / "policy.toml",
    )  # fmt: skip
    assert said.code == 0
    text = proof.with_suffix(".html").read_text()
    assert script_digest() in text
    assert "demo.example/log" in text
    again = teeproof("export", "--html", proof)
    assert again.code == 1
    assert "--force" in again.err or "there" in again.err
    assert teeproof("export", "--html", proof, "--force").code == 0


def test_the_digest_is_printed(teeproof):
    assert teeproof("export", "--html", "--digest").out.strip() == script_digest()


@pytest.mark.parametrize("words", [(), ("--html",), ("x.proof",)])
def test_what_is_missing_is_said(teeproof, words):
    said = teeproof("export", *words)
    assert said.code == 1
    assert "--html" in said.err or "proof" in said.err


def test_json_names_the_file_and_the_checker(teeproof, folder, tmp_path):
    out = tmp_path / "a.html"
    said = teeproof("export", "--html", the_proof(folder), "--out", out, "--json").json
    assert said == {"written": str(out), "checker": script_digest()}
    assert teeproof("export", "--html", "--digest", "--json").json == {"checker": script_digest()}


def test_what_is_no_proof_is_refused(teeproof, tmp_path):
    (tmp_path / "x.proof").write_bytes(b"PK\x05\x06" + bytes(18))
    said = teeproof("export", "--html", tmp_path / "x.proof")
    assert said.code == 2
    assert not (tmp_path / "x.html").exists()
