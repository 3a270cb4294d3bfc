"""``teeproof log publish``: publish a log that nobody serves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from teeproof.cli.log.options import accepting, policy_of, warn, witness_options, witnesses_of
from teeproof.cli.options import PATH, output_options
from teeproof.cli.screen import ColorChoice, standard
from teeproof.core.errors import Unavailable
from teeproof.proof.log.formats.checkpoint import SignedCheckpoint
from teeproof.proof.log.formats.policy import TlogPolicy
from teeproof.proof.log.http.asking import Witnesses
from teeproof.proof.log.http.publishing import Gathered
from teeproof.proof.log.storage.log import Log

if TYPE_CHECKING:
    from teeproof.proof.witness.client import Asked

__all__ = ["command"]

_QUORUM = {
    True: "reached, as the policy counts",
    False: "not reached: mend what is said above, then publish again",
}


@click.command("publish")
@click.argument("directory", type=PATH)
@witness_options
@output_options
def command(
    directory: Path,
    *,
    witnesses: Sequence[str],
    policy_file: Path | None,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Publish what was appended to the log in DIRECTORY, and have witnesses cosign it.

    A log that is served publishes by itself. What to serve then lies in DIRECTORY/public: any
    server of static files will do.

    Where --logs names a quorum, it ends well if that is reached, and names the witnesses that lack;
    without one, every witness that is asked must cosign.

    \b
    Example
      teeproof log publish my-log --logs witnesses.txt
    """  # noqa: D301  click reads the \b
    policy = policy_of(None, policy_file)
    asked = witnesses_of(witnesses, policy)
    screen = standard(color)
    with Log.open(directory) as log:
        warn(log)
        signed = log.publish()
        asking = Witnesses(asked, prove=log.consistency_proof)
        gathered = asking(signed) if asked else Gathered(())
        if gathered.lines:
            log.add_cosignatures(signed.checkpoint.size, gathered.lines)
        signed = log.checkpoint()
    cosigners = [line.name for line in gathered.lines]
    complaints = (*gathered.complaints, *_unasked(policy, signed))
    quorum = None if policy is None else accepting(policy)(signed)
    good = _is_enough(witnesses_of(witnesses, None), signed, gathered, quorum=quorum)
    if as_json:
        screen.json(
            {
                "ok": good,
                "origin": signed.checkpoint.origin,
                "size": signed.checkpoint.size,
                "root": signed.checkpoint.root.hex(),
                "cosigned_by": cosigners,
                "quorum": quorum,
                "complaints": list(complaints),
            }
        )
    else:
        screen.write(screen.paint("✓", "green", "bold") + f" {signed.checkpoint.size} entries")
        screen.copied("root", signed.checkpoint.root.hex())
        for name in cosigners:
            screen.row("cosigned by", name)
        bad = screen.paint("✗", "red", "bold")
        for complaint in complaints:
            screen.row("not cosigned", complaint, mark="–" if good else bad)
        if quorum is not None:
            screen.row("quorum", _QUORUM[quorum], mark="" if quorum else bad)
        screen.copied("serve", str(directory / "public"))
    return 0 if good else Unavailable.exit_code


def _is_enough(
    named: Sequence[Asked], signed: SignedCheckpoint, gathered: Gathered, *, quorum: bool | None
) -> bool:
    """Return whether a policy's quorum is reached, and all have cosigned who were named beside it.

    Without a policy nobody has said how many are enough: all that were asked are.
    """
    if quorum is None:
        return not gathered.complaints
    lines = signed.note.signatures
    return quorum and all(any(one.key.owns(line) for line in lines) for one in named)


def _unasked(policy: TlogPolicy | None, signed: SignedCheckpoint) -> tuple[str, ...]:
    """Return of each witness that the quorum mentions, and that cannot be asked, that it lacks."""
    if policy is None:
        return ()
    return tuple(
        f"{witness.key.name} url_missing: the policy does not say where it can be asked"
        for name, witness in policy.witnesses.items()
        if name in policy.electorate and not witness.url
        and not any(witness.key.owns(line) for line in signed.note.signatures)
    )  # fmt: skip
