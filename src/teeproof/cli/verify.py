"""``teeproof verify``: check evidence and say what may be believed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from teeproof.cli.asked import Asked
from teeproof.cli.endorsing import Endorsing, endorse
from teeproof.cli.expectations import find_policy, policy_of
from teeproof.cli.exporting import Export, export_options, make_export, write_export
from teeproof.cli.incoming import on_disk
from teeproof.cli.keys_beside import with_keys
from teeproof.cli.options import (
    PATH,
    at_option,
    output_options,
    paths_argument,
    policy_option,
    time_of,
)
from teeproof.cli.pointed import answer_about, is_pointed_elsewhere, require_present
from teeproof.cli.screen import ColorChoice, Screen, short, standard
from teeproof.cli.verdicts import headline, write_strength, write_verdict
from teeproof.core.errors import Usage
from teeproof.evidence.files.bundles import Bundle, gather
from teeproof.evidence.policy import Policy
from teeproof.evidence.recognise import USUAL_POLICY, kind_of
from teeproof.evidence.verdict import Verdict
from teeproof.evidence.verify import verify

__all__ = ["Answer", "command", "verify_bundle", "write_answer"]

_WORST_FIRST = (2, 3, 4, 0)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One bundle, verified.

    Attributes:
        bundle: what was given.
        endorsing: which endorsements were used, and where they came from.
        verdict: what came of it.
    """

    bundle: Bundle
    endorsing: Endorsing
    verdict: Verdict

    def to_json(self) -> dict[str, Any]:
        """Return the verdict's object, and under ``input`` what it was given."""
        bundle = self.bundle
        return self.verdict.to_json() | {
            "input": {
                "name": bundle.name,
                "files": [{"kind": kind, "name": name} for kind, name in bundle.files],
                "endorsements": self.endorsing.to_json(),
                "ignored": [{"name": name, "why": why} for name, why in bundle.ignored],
                "remarks": [*bundle.remarks, *self.endorsing.remarks],
            }
        }


@click.command("verify")
@paths_argument
@policy_option
@at_option("Verify as of this time (2026-02-25, or with a time of day); without it, now.")
@click.option(
    "--endorsements",
    "endorsements",
    metavar="FILE|DIR",
    multiple=True,
    type=PATH,
    help="Intel's collateral, in place of what lies with the evidence or in your archive.",
)
@click.option(
    "--logs",
    metavar="FILE",
    type=PATH,
    help="Of a proof: the logs and witnesses that you trust, as a C2SP tlog-policy.",
)
@click.option(
    "--author-policy",
    metavar="NAME|FILE",
    help="Of a proof: what more you expect of whoever said what it is about.",
)
@click.option(
    "--block",
    "blocks",
    metavar="CHAIN:HASH:CONTRACT",
    multiple=True,
    help="Of a proof: a public chain's block that you know, and the anchoring contract on it; with"
    " local: before it for a chain whose operator sets its clock.",
)
@click.option("--all", "every", is_flag=True, help="Show everything that was and was not checked.")
@export_options
@output_options
def command(
    files: Sequence[Path],
    *,
    policy: str | None,
    changes: Sequence[str],
    at: str | None,
    endorsements: Sequence[Path],
    logs: Path | None,
    author_policy: str | None,
    blocks: Sequence[str],
    every: bool,
    form: str | None,
    key: Path | None,
    out: Path | None,
    nonce: str | None,
    force: bool,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Check evidence or a proof, and say what may be believed.

    FILE is a proof, a log entry (.tlog-proof, with its record), or a log's directory with the ids
    of statements in it, or their first 8 digits. Of evidence, each FILE is a quote, collateral, an
    SEV-SNP report, AMD's certificates, the evidence of GPUs with NVIDIA's manifests and OCSP
    answers, an event log, a dstack response, an RA-TLS certificate or an app-compose.json; a
    directory holds what belongs to one quote or report; - is standard input. What something is
    shows in its bytes. Nothing is sent anywhere.

    \b
    Examples
      teeproof verify answer.proof --logs trusted-logs
      teeproof verify quote.bin collateral.json
      teeproof verify report.bin vcek.der chain.pem
      teeproof verify evidence/ --at 2026-02-25 --policy strict
      teeproof verify quote.hex --set mrtd=91eb2b44d1… --json
      teeproof verify evidence/ --export ear --key verdict.key -o result.jwt
    """  # noqa: D301  click reads the \b
    now = time_of(at)
    export = make_export(form, key=key, out=out, nonce=nonce, force=force, as_json=as_json)
    with on_disk(files) as paths:
        require_present(paths)
        if is_pointed_elsewhere(paths):
            _refuse(endorsements, "--endorsements", "a proof carries its own")
            _refuse(export, "--export", "it is for evidence, and a proof is its own export")
            asked = Asked(
                files=paths,
                policy=find_policy(policy, changes, default="standard"),
                author_policy=policy_of(author_policy) if author_policy else None,
                logs=logs,
                blocks=tuple(blocks),
                now=now,
                every=every,
                as_json=as_json,
            )
            return answer_about(standard(color), asked)
        bundles = [with_keys(bundle) for bundle in gather(paths)]
    for given, option in (
        (logs, "--logs"),
        (author_policy, "--author-policy"),
        (blocks, "--block"),
    ):
        _refuse(given, option, "this is evidence, and no proof")
    expected = find_policy(policy, changes, default=_default(bundles))
    answers = [
        verify_bundle(
            _without(bundle, policy),
            policy=expected,
            now=now,
            given=endorsements,
            environment=os.environ,
        )
        for bundle in bundles
    ]
    if export:
        write_export(export, [found.verdict for found in answers])
        if export.out is None:
            return _worst(answers)
    screen = standard(color)
    if as_json:
        screen.json(_json(answers))
        return _worst(answers)
    for index, found in enumerate(answers):
        if index:
            screen.write("\n" + screen.paint("─" * 40, "dim") + "\n")
        write_answer(screen, found, every=every)
    _write_exported(screen, export)
    return _worst(answers)


def _write_exported(screen: Screen, export: Export | None) -> None:
    if export:
        screen.write()
        screen.copied("written", str(export.out))
        screen.row("as", export.words)


def _refuse(given: object, option: str, why: str) -> None:
    if given:
        raise Usage(f"{option} says nothing here: {why}", code="option_unused")


def verify_bundle(
    bundle: Bundle,
    *,
    policy: Policy | None,
    now: datetime,
    given: Sequence[Path] = (),
    environment: Mapping[str, str],
) -> Answer:
    """Return the answer on one bundle; endorsements are looked for where they are due."""
    endorsing = endorse(bundle, given=given, now=now, environment=environment)
    verdict = verify(endorsing.evidence, now=now, policy=policy, collateral=endorsing.collateral)
    return Answer(bundle=bundle, endorsing=endorsing, verdict=verdict)


def write_answer(screen: Screen, found: Answer, *, every: bool = False) -> None:
    """Write an answer: what it is, what it was given, the verdict."""
    bundle, verdict = found.bundle, found.verdict
    how = verdict.provenance
    screen.sides(headline(verdict), bundle.name, "bold")
    screen.write()
    write_strength(screen, verdict)
    screen.row("as of", how.time)
    screen.row("policy", f"{how.policy} {short(how.policy_digest)}")
    screen.row("endorsements", found.endorsing.words())
    screen.row("files", ", ".join(name for _, name in bundle.files))
    for name, why in bundle.ignored:
        screen.row("ignored", f"{name}: {why}", "yellow")
    for remark in (*bundle.remarks, *found.endorsing.remarks):
        screen.row("remark", remark, "yellow")
    write_verdict(screen, verdict, every=every)


def _without(bundle: Bundle, policy: str | None) -> Bundle:
    """Do not call a file ignored that the person named as the policy."""
    used = Path(policy).name if policy else None
    ignored = tuple(entry for entry in bundle.ignored if entry[0] != used)
    return msgspec.structs.replace(bundle, ignored=ignored)


def _default(bundles: Sequence[Bundle]) -> str:
    kinds = {kind_of(bundle.evidence.quote) for bundle in bundles}
    return USUAL_POLICY[kinds.pop()] if len(kinds) == 1 else "standard"


def _json(answers: Sequence[Answer]) -> dict[str, Any]:
    if len(answers) == 1:
        return answers[0].to_json()
    return {
        "ok": all(found.verdict.ok for found in answers),
        "exit_code": _worst(answers),
        "verdicts": [found.to_json() for found in answers],
    }


def _worst(answers: Sequence[Answer]) -> int:
    return min((found.verdict.exit_code for found in answers), key=_WORST_FIRST.index)
