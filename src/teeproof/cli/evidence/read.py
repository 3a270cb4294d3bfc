"""``teeproof evidence read``: check a verdict that another verifier signed, an EAR or a VSA."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from teeproof.cli.expectations import policy_of
from teeproof.cli.incoming import on_disk
from teeproof.cli.options import PATH, at_option, output_options, time_of
from teeproof.cli.screen import ColorChoice, Screen, short, standard
from teeproof.core.clock import format_time
from teeproof.core.reading import read_bounded
from teeproof.proof.envelope import MAX_ENVELOPE_BYTES
from teeproof.proof.results import ear, vsa
from teeproof.proof.results.ar4si import Tier
from teeproof.proof.results.ear import Ear
from teeproof.proof.results.keyfile import PUBLIC, parse_public, read_public
from teeproof.proof.results.vsa import Summary

__all__ = ["command"]

_CODES: dict[Tier, int] = {"affirming": 0, "none": 3, "warning": 4, "contraindicated": 4}
_WORDS: dict[Tier, tuple[str, tuple[str, ...]]] = {
    "affirming": ("AFFIRMING", ("green", "bold")),
    "none": ("NO CLAIM: something that it would rest on was not checked", ("yellow", "bold")),
    "warning": ("WARNING", ("yellow", "bold")),
    "contraindicated": ("CONTRAINDICATED", ("red", "bold")),
}


@click.command("read")
@click.argument("file", metavar="RESULT", type=PATH)
@click.option(
    "--key", required=True, metavar="KEY|FILE", help="The verifier's public key, which you trust."
)
@click.option("--policy", metavar="NAME|FILE", help="The policy that it must have been held to.")
@click.option("--subject", metavar="sha256:HEX", help="The evidence that it must be about.")
@click.option("--nonce", help="Of an EAR: what you gave to the verifier.")
@at_option("Read as of this time; without it, now.")
@output_options
def command(
    file: Path,
    *,
    key: str,
    policy: str | None,
    subject: str | None,
    nonce: str | None,
    at: str | None,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Check a verdict that another verifier signed: an EAR (JWT) or a VSA (DSSE envelope).

    You believe that verifier: nothing of the evidence is looked at here. The exit code is 0 only if
    it affirms; 3 if it makes no claim; 4 if it warns or refuses.

    \b
    Examples
      teeproof evidence read result.jwt --key verdict.pub --policy strict
      teeproof evidence read result.vsa --key teeproof-verdict-… --json
    """  # noqa: D301  click reads the \b
    public = parse_public(key) if key.startswith(PUBLIC) else read_public(Path(key))
    digest = policy_of(policy).digest if policy else None
    with on_disk([file]) as (path,):
        data = read_bounded(path, limit=MAX_ENVELOPE_BYTES, what="signed verdict")
    screen, now = standard(color), time_of(at)
    if data.lstrip()[:1] == b"{":
        return _vsa(screen, data, public, now, policy=digest, subject=subject, as_json=as_json)
    found = ear.verify(
        data.decode("ascii", "replace"),
        key=public,
        now=now,
        expected_nonce=nonce,
        expected_policy=digest,
        expected_subject=subject,
    )
    code = _CODES[found.status]
    if as_json:
        screen.json({"form": "ear", "exit_code": code} | found.to_json())
    else:
        _write_ear(screen, found)
    return code


def _vsa(
    screen: Screen, data: bytes, key: bytes, now: datetime, *, policy: str | None,
    subject: str | None, as_json: bool,
) -> int:  # fmt: skip
    found = vsa.verify(data, key=key, now=now, expected_policy=policy, expected_subject=subject)
    code = 0 if found.passed else 4
    if as_json:
        screen.json({"form": "vsa", "exit_code": code} | found.to_json())
    else:
        _write_vsa(screen, found)
    return code


def _write_ear(screen: Screen, found: Ear) -> None:
    screen.sides("EAT Attestation Result", found.build, "bold")
    screen.write()
    screen.row("as of", format_time(found.issued_at))
    screen.row("until", format_time(found.ends_at) if found.ends_at else "it does not say")
    if found.nonce is not None:
        screen.row("nonce", found.nonce)
    for label, part in found.submods.items():
        screen.title(label)
        screen.row("status", part.status)
        for claim, value in part.vector.items():
            screen.row(claim, f"{value}", *(() if value else ("dim",)), column=20)
        for name in ("subject", "key"):
            screen.row(
                f"{'evidence' if name == 'subject' else 'verdict'}", short(_text(part, name))
            )
        screen.row("policy", ", ".join(map(short, part.policy_digests)) or "it does not say")
        for name, words in (("failed", "failed"), ("not_checked", "not checked")):
            listed = part.verdict.get(name)
            if isinstance(listed, list) and listed:
                screen.row(words, ", ".join(map(str, listed)))
    words, styles = _WORDS[found.status]
    screen.write()
    screen.text(words, *styles)


def _write_vsa(screen: Screen, found: Summary) -> None:
    screen.sides("SLSA verification summary", short(found.subjects[0]), "bold")
    screen.write()
    screen.row("as of", found.time)
    screen.row("levels", ", ".join(found.levels))
    screen.row("policy", short(found.policy_digest))
    for uri, digest in found.inputs:
        screen.row(uri.removeprefix("urn:teeproof:").partition(":")[0], short(digest))
    good = ("green", "bold") if "TEEPROOF_HARDWARE" in found.levels else ("bold",)
    screen.write()
    screen.text(
        "PASSED" if found.passed else "FAILED", *(good if found.passed else ("red", "bold"))
    )


def _text(part: Any, name: str) -> str | None:
    value = part.verdict.get(name)
    return value if isinstance(value, str) else None
