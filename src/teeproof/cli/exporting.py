"""Write verdicts in the words of others: EAR, VSA, dstack-verifier's JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from teeproof.cli.options import PATH
from teeproof.cli.outgoing import is_standard_output, outgoing
from teeproof.cli.running import send
from teeproof.core import strictjson
from teeproof.core.errors import Usage
from teeproof.core.writing import require_writable
from teeproof.evidence.verdict import Verdict

__all__ = ["Export", "export_options", "make_export", "write_export"]

_Function = TypeVar("_Function", bound=Callable[..., Any])
_WORDS = {
    "ear": "EAT Attestation Result (EAR), a signed JWT",
    "vsa": "SLSA verification summary (VSA), in a DSSE envelope",
    "dstack": "dstack-verifier's answer; nobody signed it",
}
_SIGNED = ("ear", "vsa")


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be exported, and where to.

    Attributes:
        form: ``ear``, ``vsa`` or ``dstack``.
        key: the file with the verdict key; None where nothing is signed.
        out: the file to write; None for standard output.
        nonce: of an EAR, what it is to repeat.
        force: whether a file may be written over.
    """

    form: str
    key: Path | None
    out: Path | None
    nonce: str | None
    force: bool

    @property
    def words(self) -> str:
        """What is written, in words."""
        return _WORDS[self.form]


def export_options(function: _Function) -> _Function:
    """Add ``--export`` and what belongs to it."""
    for option in reversed(
        (
            click.option(
                "--export",
                "form",
                type=click.Choice(list(_WORDS)),
                help="Of evidence: write the verdict as an EAR (signed JWT), as a VSA (in-toto), or"
                " as dstack-verifier's JSON, in place of showing it.",
            ),
            click.option(
                "--key",
                type=PATH,
                help="The verdict key to sign with: teeproof keys new --verdict.",
            ),
            click.option("-o", "--out", type=PATH, help="Where to write it, and show the verdict."),
            click.option("--nonce", help="Of an EAR: what it is to repeat, 8 to 88 characters."),
            click.option("--force", is_flag=True, help="Write over a file that is there."),
        )
    ):
        function = option(function)
    return function


def make_export(
    form: str | None,
    *,
    key: Path | None,
    out: Path | None,
    nonce: str | None,
    force: bool,
    as_json: bool,
) -> Export | None:
    """Return what is asked for; None where nothing is to be exported.

    Raises:
        Usage: options that do not belong together; a file that is there. No work was done yet.
    """
    if form is None:
        for given, option in ((key, "--key"), (out, "--out"), (nonce, "--nonce")):
            if given is not None:
                raise Usage(
                    f"{option} says nothing here: add --export", code="option_unused", got=option
                )
        return None
    if form in _SIGNED and key is None:
        raise Usage(
            "a verdict that others rely on is signed: name your verdict key with --key"
            " (teeproof keys new verdict.key --verdict makes one)",
            code="verdict_key_missing",
            expected="--key FILE",
        )
    if form not in _SIGNED and key is not None:
        raise Usage("dstack-verifier's answer is not signed: leave --key out", code="option_unused")
    if nonce is not None and form != "ear":
        raise Usage("--nonce belongs to an EAR", code="option_unused")
    out = None if out is None or is_standard_output(out) else out
    if out is not None:
        require_writable(out, overwrite=force)
    elif as_json:
        raise Usage(
            "standard output cannot hold both the export and JSON: name a file with -o",
            code="stdout_taken",
            got="--json",
        )
    return Export(form=form, key=key, out=out, nonce=nonce, force=force)


def write_export(export: Export, verdicts: Sequence[Verdict]) -> None:
    """Make and write an export.

    Raises:
        Usage: several verdicts where the form has room for one.
        NotAllowed, Malformed, Unavailable: the key cannot be used, or the file not be written.
    """
    data = _made(export, verdicts)
    if export.out is None:
        with send() as stream:
            stream.write(data)
        return
    with outgoing(export.out, force=export.force) as file:
        file.write(data)


def _made(export: Export, verdicts: Sequence[Verdict]) -> bytes:
    from teeproof.proof.results import dstack, ear, vsa  # noqa: PLC0415  most runs export nothing
    from teeproof.proof.results.keyfile import read_secret  # noqa: PLC0415

    if export.form != "ear" and len(verdicts) != 1:
        raise Usage(
            "this form is about one piece of evidence: export one at a time, or as ear",
            code="export_several",
            expected="one piece of evidence",
            got=f"{len(verdicts)}",
        )
    if export.key is None:
        return strictjson.dumps(dstack.answer_of(verdicts[0]), pretty=True).encode() + b"\n"
    key = read_secret(export.key)
    if export.form == "vsa":
        return vsa.issue(verdicts[0], key) + b"\n"
    return ear.issue(verdicts, key, nonce=export.nonce).encode() + b"\n"
