"""``teeproof policy``: list, show, explain, check or begin a policy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from teeproof.cli.expectations import FIELDS, policy_of
from teeproof.cli.meanings import left_open, meaning_of, template, toml
from teeproof.cli.options import Nouns, output_options
from teeproof.cli.screen import ColorChoice, Screen, short, standard
from teeproof.evidence.policy import BUILT_IN, Policy, load_policy, parse_policy, policy_text

__all__ = ["command"]

_ABOUT = ("name", "description")
_COLUMN = 26


@click.group("policy", cls=Nouns)
def command() -> None:
    """List, show, explain, check or begin a policy.

    A policy says what you expect of evidence, one field per expectation. What it does not say is
    not checked, and every verdict says so.

    \b
    Examples
      teeproof policy list
      teeproof policy new > mine.toml
      teeproof verify evidence/ --policy mine.toml
    """  # noqa: D301  click reads the \b


@command.command("list")
@output_options
def _list(*, as_json: bool, color: ColorChoice) -> int:
    """List the built-in policies.

    \b
    Example
      teeproof policy list
    """  # noqa: D301  click reads the \b
    screen = standard(color)
    policies = [load_policy(name) for name in BUILT_IN]
    if as_json:
        rows = [
            {"name": p.name, "description": p.description, "digest": p.digest} for p in policies
        ]
        screen.json(rows)
        return 0
    for policy in policies:
        screen.row(policy.name, policy.description, column=12)
    return 0


@command.command("show")
@click.argument("name")
@output_options
def _show(name: str, *, as_json: bool, color: ColorChoice) -> int:
    """Print a built-in policy, to copy or to extend; simulated is this machine's simulator's.

    \b
    Example
      teeproof policy show strict > mine.toml
    """  # noqa: D301  click reads the \b
    if name == "simulated" and not Path(name).exists():
        return _write_simulated(standard(color), as_json=as_json)
    screen = standard(color)
    policy = policy_of(name)
    if as_json:
        screen.json(_json(policy))
        return 0
    text = policy_text(name) if name in BUILT_IN else Path(name).read_text(encoding="utf-8")
    for line in text.rstrip("\n").split("\n"):
        screen.write(screen.paint(line))
    return 0


@command.command("simulated")
@output_options
def _simulated(*, as_json: bool, color: ColorChoice) -> int:
    """Print a policy that accepts this machine's simulator, and no hardware.

    It says nothing of any one machine, so it serves for evidence and for proofs. It proves nothing
    about hardware: never use it where anything depends on the answer.

    \b
    Example
      teeproof policy simulated > policy.toml
    """  # noqa: D301  click reads the \b
    return _write_simulated(standard(color), as_json=as_json)


def _write_simulated(screen: Screen, *, as_json: bool) -> int:
    from teeproof.core.home import data_directory  # noqa: PLC0415  only for the simulator
    from teeproof.evidence.collect.simulated import open_platform, opt_in_policy  # noqa: PLC0415

    text = opt_in_policy(open_platform(data_directory(os.environ)))
    if as_json:
        screen.json(_json(parse_policy(text)))
        return 0
    for line in text.rstrip("\n").split("\n"):
        screen.copied("", line, indent=0)
    return 0


@command.command("check")
@click.argument("name", metavar="NAME|FILE")
@output_options
def _check(name: str, *, as_json: bool, color: ColorChoice) -> int:
    """Check a policy; a misspelt key is an error.

    \b
    Example
      teeproof policy check mine.toml
    """  # noqa: D301  click reads the \b
    screen = standard(color)
    policy = policy_of(name)
    warnings = left_open(policy)
    if as_json:
        screen.json({"ok": True} | _json(policy) | {"left_open": warnings})
        return 0
    asked = _asked(policy)
    screen.write(
        screen.paint("✓", "green", "bold") + screen.paint(f" {policy.name} can be used", "bold")
    )
    screen.row("digest", short(policy.digest))
    screen.row("expects", ", ".join(asked) or "nothing")
    screen.row("leaves open", ", ".join(f for f in FIELDS if f not in (*asked, *_ABOUT)))
    for field, meaning in warnings.items():
        screen.row("left open", f"{field} – {meaning}", "yellow")
    return 0


@command.command("explain")
@click.argument("name", metavar="NAME|FILE")
@output_options
def _explain(name: str, *, as_json: bool, color: ColorChoice) -> int:
    """Say what a policy expects and leaves open.

    \b
    Example
      teeproof policy explain standard
    """  # noqa: D301  click reads the \b
    screen = standard(color)
    policy = policy_of(name)
    asked = _asked(policy)
    if as_json:
        rows = [
            {"field": f, "expected": asked.get(f), "meaning": meaning_of(f)}
            for f in FIELDS
            if f not in _ABOUT
        ]
        screen.json(_json(policy) | {"fields": rows})
        return 0
    screen.sides(policy.name, policy.description, "bold")
    screen.title("expected")
    for field, value in asked.items():
        _write_expected(screen, field, value)
    screen.title("not checked, because the policy does not say")
    for field in FIELDS:
        if field not in asked and field not in _ABOUT:
            screen.row(field, meaning_of(field), column=26)
    return 0


@command.command("new")
@output_options
def _new(*, as_json: bool, color: ColorChoice) -> int:
    """Print a policy to begin with, every field in it.

    What the policy standard expects is set; each other field is a comment.

    \b
    Example
      teeproof policy new > mine.toml
    """  # noqa: D301  click reads the \b
    screen = standard(color)
    text = template()
    if as_json:
        screen.json({"toml": text})
        return 0
    for line in text.rstrip("\n").split("\n"):
        screen.write(line)
    return 0


def _asked(policy: Policy) -> dict[str, Any]:
    return {k: v for k, v in policy.to_json().items() if k not in _ABOUT and v not in ([], ())}


def _json(policy: Policy) -> dict[str, Any]:
    return {"digest": policy.digest, "policy": policy.to_json()}


def _write_expected(screen: Screen, field: str, value: Any) -> None:
    """Write an expectation as a policy file has it, and what it means."""
    line, meaning = f"{field} = {toml(value)}", meaning_of(field)
    if isinstance(value, bool):
        same = meaning.startswith(f"{str(value).lower()} if ")
        meaning = ("" if same else "not: ") + meaning.partition(" if ")[2]
    if len(line) < _COLUMN:
        screen.row(line, meaning, column=_COLUMN)
    else:
        screen.text(line, indent=2)
        screen.row("", meaning, column=_COLUMN)
