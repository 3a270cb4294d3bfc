"""The checker in a browser, asked about many proofs at once, and proofs that somebody rewrote."""

from __future__ import annotations

import base64
import html
import json
import re
import zipfile
from collections.abc import Callable, Iterable
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from teeproof.evidence.policy import Policy
from teeproof.explorer.checker import script
from teeproof.proof.file.zipwrite import ZipWriter
from tests.explorer.chromium import dump

__all__ = [
    "HARNESS",
    "Members",
    "asking",
    "green",
    "of",
    "results",
    "rewritten",
    "trusted",
    "written",
]

Members = dict[str, bytes]

# Checks each of some files, and writes what it found into the document.
HARNESS = """
const results = [];
const trust = JSON.parse(document.getElementById("trust").textContent);
for (const given of JSON.parse(document.getElementById("cases").textContent)) {
  let found;
  try {
    const { rows } = await $proof.checkProof($bytes.fromBase64(given), trust);
    const answer = $proof.answer(rows);
    const failed = rows.filter((row) => row.state === "failed");
    found = { answer, failed: failed.map((row) => row.name), names: rows.map((row) => row.name),
      details: rows.map((row) => row.detail), states: rows.map((row) => row.state) };
  } catch (error) {
    found = { refused: error.constructor.name, why: error.message };
  }
  results.push(found);
}
document.getElementById("out").textContent = JSON.stringify(results);
"""


def results(
    folder: Path, harness: str, cases: Iterable[bytes], trust: Any = None, *, before: str = "",
) -> Any:  # fmt: skip
    """Return what the checker says of each case, in one page, with a script ``before`` it."""
    document = dump(asking(folder, harness, cases, trust, before=before))
    found = re.search(r'<pre id="out">(.+?)</pre>', document, re.DOTALL)
    assert found, "the checker did not come to an end"
    return json.loads(html.unescape(found[1]))


def asking(
    folder: Path, harness: str, cases: Iterable[bytes], trust: Any = None, *, before: str = "",
) -> Path:  # fmt: skip
    """Write the page whose script asks the checker, and return where it is."""
    data = json.dumps([base64.b64encode(case).decode() for case in cases])
    page = folder / "page.html"
    page.write_text(
        '<!doctype html><meta charset="utf-8">'
        f'<script type="text/plain" id="cases">{data}</script><pre id="out"></pre>'
        f'<script type="text/plain" id="trust">{json.dumps(trust)}</script>'
        f'<script type="module">{before}{script()}{harness}</script>'
    )
    return page


def trusted(policy: Policy | None, logs: str, now: datetime) -> dict[str, Any]:
    """Return whom the checker believes, as of a time."""
    roots = list(policy.simulated_roots) if policy else []
    return {"roots": roots, "logs": logs, "now": int(now.timestamp())}


def green(found: dict[str, Any]) -> bool:
    """Whether a visitor is told that a proof holds."""
    return found.get("answer") in ("passed", "simulated")


def rewritten(proof: bytes, change: Callable[[Members], None]) -> bytes:
    """Return the proof with its members changed, in an archive that is written in the one way."""
    with zipfile.ZipFile(BytesIO(proof)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    return written(members)


_ORDER = ("manifest.json", "statements", "identities", "blobs", "log")


def _place(member: tuple[str, bytes]) -> tuple[int, str]:
    folder = member[0].partition("/")[0]
    return (_ORDER.index(folder) if folder in _ORDER else len(_ORDER)), member[0]


def written(members: Members, *, in_order: bool = True) -> bytes:
    """Return an archive of these members, in a proof file's order or as they are."""
    out = BytesIO()
    writer = ZipWriter(out)
    for name, data in sorted(members.items(), key=_place) if in_order else members.items():
        writer.add(name, data)
    writer.finish()
    return out.getvalue()


def of(members: Members, folder: str) -> list[str]:
    """Return the names of the members in a folder."""
    return [name for name in members if name.startswith(folder)]
