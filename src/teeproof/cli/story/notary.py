"""The demo's log and its two witnesses, each a process of its own, and whom to trust of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from teeproof.cli.story.children import Child, start
from teeproof.core.writing import write_file
from teeproof.proof.log.http.tokens import first_token
from teeproof.proof.log.storage.log import Log

__all__ = ["ORIGIN", "Notary", "open_notary"]

ORIGIN = "demo.example/log"
WITNESSES = ("one.example/witness", "two.example/witness")
_PROGRAM = "teeproof.cli"
_EVERY = "0.1"  # seconds between checkpoints: the demo's proofs wait for them


@dataclass(frozen=True)
class Notary:
    """A log that is served, and two witnesses that cosign it.

    Attributes:
        directory: the log's.
        url: where it is served.
        token: who may append.
        policy: the tlog-policy (text) that trusts this log and both witnesses.
        children: the processes.
    """

    directory: Path
    url: str
    token: str
    policy: str
    children: tuple[Child, ...]


def open_notary(folder: Path, *, started: Callable[[Child], object] = lambda _: None) -> Notary:
    """Start everything below a folder; ``folder/trusted-logs`` names whom to trust.

    Args:
        folder: where all of it lies.
        started: told of each process as soon as it runs, so that none is left behind.

    Raises:
        Unavailable: a process did not start.
    """
    directory, runs = folder / "log", folder / "runs"
    with Log.create(directory, origin=ORIGIN) as log:
        key = log.verifier.text()
    witnesses = [
        start(f"witness-{number}", _witness(folder / f"witness-{number}", name, key), folder=runs)
        for number, name in enumerate(WITNESSES, 1)
    ]
    for witness in witnesses:
        started(witness)
    lines = [f"log {key}"]
    for number, witness in enumerate(witnesses, 1):
        facts = witness.ready()
        lines.append(f"witness w{number} {facts['vkey']} {facts['url']}")
    policy = "\n".join([*lines, "group both all w1 w2", "quorum both"]) + "\n"
    trusted = folder / "trusted-logs"
    write_file(trusted, policy.encode(), overwrite=False)
    words = [_PROGRAM, "log", "serve", str(directory), "--logs", str(trusted)]
    words += ["--listen", "127.0.0.1:0", "--every", _EVERY, "--json"]
    server = start("log", words, folder=runs)
    started(server)
    url = str(server.ready()["url"])
    token = first_token(directory / "tokens")
    return Notary(directory, url, token, policy, (*witnesses, server))


def _witness(directory: Path, name: str, log: str) -> list[str]:
    words = [_PROGRAM, "log", "witness", str(directory), "--name", name, "--log", log]
    return [*words, "--listen", "127.0.0.1:0", "--json"]
