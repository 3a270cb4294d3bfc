"""``teeproof data contribute``: seal a file here, send the ciphertext, show what it is worth."""

from __future__ import annotations

from pathlib import Path

import click

from teeproof.cli.joining import join
from teeproof.cli.options import PATH, output_options
from teeproof.cli.quoting import shell
from teeproof.cli.screen import ColorChoice, standard

__all__ = ["command"]

_WHOLE = 1_000_000  # weights are millionths of a record


@click.command("contribute")
@click.argument("file", type=PATH)
@click.option("--payout", metavar="ADDRESS", help="The account that earns. Default: a new one.")
@click.option("--owner", type=PATH, help="Your key, made if it is not there. Default: owner.key.")
@click.option(
    "--demo", "folder", type=PATH, help="Folder of a running demo or stack, if not yours."
)
@output_options
def command(
    file: Path,
    *,
    payout: str | None,
    owner: Path | None,
    folder: Path | None,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Seal FILE on this machine and contribute it to the pool of the demo or stack that runs here.

    FILE has one order a line: {"text": "sell half my ETH", "order": {"sell": "ETH", "part": 0.5}}.
    What leaves this machine is ciphertext. Keep the key: it is how you take the file back.

    \b
    Examples
      teeproof data contribute orders.jsonl
      teeproof data contribute orders.jsonl --payout 0x52908400098527886e0f7030069857d2e4169ee7
    """  # noqa: D301  click reads the \b
    from teeproof.cli.contributing import give  # noqa: PLC0415  only here

    joined = join(folder)
    gave = give(joined, file, name=file.name, owner=owner, payout=payout)
    made, key_file, address = gave.contributed, gave.key_file, gave.payout
    name = made.proof.statement.name
    trust = ("--policy", joined.folder / "policy.toml", "--logs", joined.folder / "trusted-logs")
    check = shell("teeproof", "verify", joined.folder / "log", name[7:15], *trust)
    take_back = shell("teeproof", "data", "withdraw", made.contribution, "--owner", key_file)
    screen = standard(color)
    if as_json:
        screen.json(
            {
                "ok": True, "contribution": made.contribution, "decision": made.decision,
                "weight": made.weight, "statement": name, "owner_key": str(key_file),
                "payout": address,
            }
        )  # fmt: skip
        return 0
    screen.text(f"✓ {made.decision}", "green" if made.weight else "yellow", "bold")
    screen.row("weight", f"{made.weight / _WHOLE:.1f} records' worth")
    if made.said.scores is not None:
        scores = made.said.scores
        screen.row("records", f"{scores.records}, of which {scores.new} new")
    screen.copied("earns", address)
    screen.copied("id", made.contribution)
    screen.copied("check", check, "bold")
    screen.copied("take back", take_back)
    return 0
