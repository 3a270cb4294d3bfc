"""``teeproof log prove``: write the proof that a statement is in a log."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import click

from teeproof.cli.log.options import (
    accepting,
    client_of,
    force_option,
    is_url,
    key_options,
    policy_of,
    target_argument,
    token_option,
)
from teeproof.cli.options import PATH, output_options
from teeproof.cli.outgoing import is_standard_output, outgoing, require_out
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.core.digests import named, parse_named
from teeproof.core.errors import Unavailable, Usage
from teeproof.proof.log.formats.tlogproof import TlogProof

__all__ = ["command"]


@click.command("prove")
@target_argument
@click.argument("what", metavar="ID|INDEX")
@key_options
@token_option
@click.option("-o", "--out", type=PATH, help="The file to write; without it, standard output.")
@force_option
@output_options
def command(
    target: str,
    what: str,
    *,
    key: str | None,
    policy_file: Path | None,
    token_file: Path | None,
    out: Path | None,
    force: bool,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Write the tlog-proof of a statement: by its ID (sha256:…), or its INDEX in the log.

    It carries the entry's salt, so that whoever has the statement can check it; whoever does not
    learns from it where to look. With a policy, the checkpoint is the earliest with its quorum.

    From an address, an ID takes a token; an INDEX takes none, and the proof then has no salt.

    \b
    Examples
      teeproof log prove my-log sha256:1f3c… -o step.tlog-proof
      teeproof log prove my-log 7
    """  # noqa: D301  click reads the \b
    if out is not None:
        require_out(out, force=force, as_json=as_json)
    if is_url(target):
        proof = _from_url(target, what, key, policy_file, token_file)
    else:
        proof = _from_directory(Path(target), what, key, policy_file)
    text = proof.encode()
    if out is not None:
        with outgoing(out, force=force) as file:
            file.write(text)
    if as_json:
        standard(color).json(_json(proof, out))
    elif out is None:
        sys.stdout.write(text.decode())
    elif not is_standard_output(out):
        _say(standard(color), proof, out)
    return 0


def _from_directory(
    directory: Path, what: str, key: str | None, policy_file: Path | None
) -> TlogProof:
    from teeproof.proof.log.contents import Contents  # noqa: PLC0415
    from teeproof.proof.log.http.writing import prove  # noqa: PLC0415
    from teeproof.proof.log.storage.items import Appended  # noqa: PLC0415
    from teeproof.proof.log.storage.log import Log  # noqa: PLC0415

    policy = policy_of(key, policy_file)
    with Log.open(directory, read_only=True) as log:
        index = _index(what)
        if index is not None:
            placed: Appended | None = Appended(index, log.stored(index).salt)
        else:
            with closing(Contents(log)) as contents:
                placed = contents.placed(parse_named(what))
        if placed is None:
            raise Unavailable(
                "the log has not published this statement: append it, or publish",
                code="statement_unknown",
                got=what[:100],
            )
        return prove(log, placed, accept=accepting(policy))


def _from_url(
    url: str, what: str, key: str | None, policy_file: Path | None, token_file: Path | None
) -> TlogProof:
    client, _ = client_of(url, key=key, policy_file=policy_file, token_file=token_file)
    with client:
        index = _index(what)
        if index is not None:
            return client.include(index, client.checkpoint())
        return client.prove(parse_named(what))[0]


def _index(what: str) -> int | None:
    """Return the index that a person typed; None for an id."""
    if not what.isascii() or not what.isdigit():
        return None
    if len(what) > 19:
        raise Usage("there is no log with so many entries", code="outside_tree", got=what[:100])
    return int(what)


def _json(proof: TlogProof, out: Path | None) -> dict[str, object]:
    checkpoint = proof.checkpoint.checkpoint
    return {
        "origin": checkpoint.origin,
        "index": proof.index,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "salt": None if proof.extra is None else proof.extra[:32].hex(),
        "file": None if out is None else str(out),
        "proof": proof.encode().decode(),
    }


def _say(screen: Screen, proof: TlogProof, out: Path) -> None:
    checkpoint = proof.checkpoint.checkpoint
    screen.write(screen.paint("✓", "green", "bold") + screen.paint(f" {out}", "bold"))
    screen.row("log", checkpoint.origin)
    screen.row("entry", f"{proof.index} of {checkpoint.size}")
    screen.row("root", named(checkpoint.root))
    screen.row("signed by", ", ".join(line.name for line in proof.checkpoint.note.signatures))
