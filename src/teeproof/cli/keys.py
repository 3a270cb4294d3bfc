"""``teeproof keys``: make key pairs, and show their public halves.

One kind opens files that are sealed for it, the other signs verdicts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from teeproof.cli.options import PATH, Nouns, output_options
from teeproof.cli.outgoing import require_place
from teeproof.cli.quoting import shell
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.core.errors import Usage
from teeproof.core.reading import peek
from teeproof.core.sealed import (
    PrivateRecipient,
    Recipient,
    generate_recipient,
    read_key,
    write_key,
)

__all__ = ["command"]

PUBLIC = b"teeproof-verdict-"  # how a verdict key begins: proof.results.keyfile


@click.group("keys", cls=Nouns)
def command() -> None:
    """Make key pairs that files are sealed for, or that sign verdicts; show their public halves.

    \b
    Examples
      teeproof keys new my.key
      teeproof keys new verdict.key --verdict
      teeproof keys show my.key > my.pub
    """  # noqa: D301  click reads the \b


@command.command("new")
@click.argument("file", type=PATH)
@click.option("--hybrid", is_flag=True, help="ML-KEM-768 with X25519: also against quantum attack.")
@click.option("--verdict", is_flag=True, help="A key that signs verdicts, and opens nothing.")
@output_options
def _new(file: Path, *, hybrid: bool, verdict: bool, as_json: bool, color: ColorChoice) -> int:
    """Make a key pair and write its secret half to FILE, which only you can then read.

    FILE opens what is sealed for the public half; without it nothing does. With --verdict it signs
    verdicts that others rely on (teeproof verify --export). Nothing is overwritten.

    \b
    Examples
      teeproof keys new my.key
      teeproof keys new verdict.key --verdict
    """  # noqa: D301  click reads the \b
    require_place(file, what="a secret key")
    if verdict:
        return _new_verdict_key(file, hybrid=hybrid, as_json=as_json, screen=standard(color))
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
    screen = standard(color)
    if peek(file, len(PUBLIC)) == PUBLIC:
        return _show_verdict_key(file, as_json=as_json, screen=screen)
    key: PrivateRecipient = read_key(file)
    if as_json:
        screen.json(_json(key.public))
    else:
        screen.write(key.public.text)
    return 0


def _new_verdict_key(file: Path, *, hybrid: bool, as_json: bool, screen: Screen) -> int:
    from teeproof.proof.results.keyfile import VerdictKey  # noqa: PLC0415  as below

    if hybrid:
        raise Usage("--hybrid is for keys that open files", code="option_unused", got="--hybrid")
    key = VerdictKey.new()
    key.write(file)
    if as_json:
        screen.json({"file": str(file)} | _verdict_json(key.public))
        return 0
    screen.write(screen.paint("✓", "green", "bold") + screen.paint(f" {file}", "bold"))
    screen.row("signs", "verdicts: EAR and VSA")
    screen.copied("public", key.text)
    screen.copied("next", shell("teeproof", "keys", "show", file), "bold")
    return 0


def _show_verdict_key(file: Path, *, as_json: bool, screen: Screen) -> int:
    from teeproof.proof.results import keyfile  # noqa: PLC0415  most keys open files

    public = keyfile.read_public(file)
    if as_json:
        screen.json(_verdict_json(public))
    else:
        screen.write(keyfile.PUBLIC + public.hex())
    return 0


def _verdict_json(public: bytes) -> dict[str, Any]:
    from teeproof.proof.results import jws, keyfile  # noqa: PLC0415  as above

    return {
        "algorithm": "ed25519",
        "public": keyfile.PUBLIC + public.hex(),
        "public_key": public.hex(),
        "jwk": jws.jwk(public),
    }


def _json(public: Recipient) -> dict[str, str]:
    return {
        "suite": public.suite.name,
        "public": public.text,
        "public_key": public.public_key.hex(),
        "recipient": public.digest.hex(),
    }
