"""``teeproof keys``: make key pairs that files are sealed for, and show their public halves."""

from __future__ import annotations

from pathlib import Path

import click

from teeproof.cli.options import PATH, Nouns, output_options
from teeproof.cli.outgoing import require_place
from teeproof.cli.quoting import shell
from teeproof.cli.screen import ColorChoice, standard
from teeproof.core.sealed import (
    PrivateRecipient,
    Recipient,
    generate_recipient,
    read_key,
    write_key,
)

__all__ = ["command"]


@click.group("keys", cls=Nouns)
def command() -> None:
    """Make key pairs that files are sealed for, and show their public halves.

    \b
    Examples
      teeproof keys new my.key
      teeproof keys show my.key > my.pub
    """  # noqa: D301  click reads the \b


@command.command("new")
@click.argument("file", type=PATH)
@click.option("--hybrid", is_flag=True, help="ML-KEM-768 with X25519: also against quantum attack.")
@output_options
def _new(file: Path, *, hybrid: bool, as_json: bool, color: ColorChoice) -> int:
    """Make a key pair and write its secret half to FILE, which only you can then read.

    FILE opens what is sealed for the public half; without it nothing does. Nothing is overwritten.

    \b
    Example
      teeproof keys new my.key
    """  # noqa: D301  click reads the \b
    require_place(file, what="a secret key")
    key = generate_recipient(hybrid=hybrid)
    write_key(file, key)
    screen = standard(color)
    if as_json:
        screen.json({"file": str(file)} | _json(key.public))
        return 0
    screen.write(screen.paint("✓", "green", "bold") + screen.paint(f" {file}", "bold"))
    screen.row("suite", key.suite.name)
    screen.copied("recipient", key.public.digest.hex())
    screen.copied("next", shell("teeproof", "keys", "show", file), "bold")
    return 0


@command.command("show")
@click.argument("file", type=PATH)
@output_options
def _show(file: Path, *, as_json: bool, color: ColorChoice) -> int:
    """Print the public half of the key in FILE: one line, to give to whoever seals for you.

    \b
    Example
      teeproof keys show my.key > my.pub
    """  # noqa: D301  click reads the \b
    key: PrivateRecipient = read_key(file)
    screen = standard(color)
    if as_json:
        screen.json(_json(key.public))
    else:
        screen.write(key.public.text)
    return 0


def _json(public: Recipient) -> dict[str, str]:
    return {
        "suite": public.suite.name,
        "public": public.text,
        "public_key": public.public_key.hex(),
        "recipient": public.digest.hex(),
    }
