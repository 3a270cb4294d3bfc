"""``teeproof log witness``: cosign what logs publish, as long as they only grow."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from teeproof.cli.log.options import policy_of
from teeproof.cli.options import PATH, output_options
from teeproof.cli.quoting import shell
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.core.errors import Unavailable, Usage
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.formats.note import VerifierKey
from teeproof.proof.monitor.telling import keeper
from teeproof.proof.witness.app import App
from teeproof.proof.witness.keyfile import create_key, open_key
from teeproof.proof.witness.witness import Witness
from teeproof.web.oplog import to_lines
from teeproof.web.running import listen, run_until_told, server_for

__all__ = ["command"]


@click.command("witness")
@click.argument("directory", type=PATH)
@click.option(
    "--log", "logs", metavar="VKEY", multiple=True, help="A log to witness; may be repeated."
)
@click.option(
    "--logs",
    "policy_file",
    metavar="FILE",
    type=PATH,
    help="A tlog-policy: its logs are witnessed.",
)
@click.option(
    "--listen",
    "address",
    metavar="HOST:PORT",
    default="127.0.0.1:8081",
    show_default=True,
    help="Where to listen; port 0 takes a free one.",
)
@click.option("--name", help="The witness's name, for its first start: a URL without https://.")
@output_options
def command(
    directory: Path,
    *,
    logs: Sequence[str],
    policy_file: Path | None,
    address: str,
    name: str | None,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Witness logs: remember in DIRECTORY how far each has grown, and cosign that it only grew.

    The first start makes the witness's key in DIRECTORY. Without a log, that is all: give the key
    to those who run logs and to those who check proofs. A log that signs two trees of one size is
    never cosigned again at that size, and the proof of it is kept in DIRECTORY/forks.

    Keep DIRECTORY on a disk that nobody puts back: a witness that forgets may cosign a fork.

    \b
    Examples
      teeproof log witness my-witness --name witness.example/w1
      teeproof log witness my-witness --log VKEY --listen 0.0.0.0:80
    """  # noqa: D301  click reads the \b
    keys = [VerifierKey.parse(text) for text in logs]
    policy = policy_of(None, policy_file)
    for known in policy.logs.values() if policy else ():
        keys += known.keys
    cosigner = _key(directory, name)
    screen = standard(color)
    if not keys:
        _say(screen, _about(cosigner, None, (), directory), as_json=as_json)
        return 0
    say = to_lines(_to_stderr)
    with ExitStack() as stack:
        witness = stack.enter_context(
            Witness.open(directory, cosigner, logs=keys, on_fork=keeper(directory))
        )
        sock = stack.enter_context(listen(address))
        server = server_for(App(witness, say=say))
        about = _about(cosigner, sock.getsockname(), list(witness.logs), directory)
        _say(screen, about, as_json=as_json)
        run_until_told(server, sock)
        say("stopped")
    return 0


def _key(directory: Path, name: str | None) -> Cosigner:
    cosigner = open_key(directory)
    if cosigner is None:
        if name is None:
            raise Usage(
                "there is no witness here yet: give its name with --name to make one",
                code="witness_name_missing",
                expected="--name witness.example/w1",
                got=str(directory),
            )
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(
                f"{directory} cannot be made: {error.strerror}",
                code="file_unavailable",
                got=str(directory),
            ) from None
        return create_key(directory, name)
    if name not in (None, cosigner.verifier.name):
        raise Usage(
            "this witness has another name, and a name is part of its key: leave --name out, or"
            " name another directory",
            code="witness_name_fixed",
            expected=cosigner.verifier.name,
            got=name,
        )
    return cosigner


def _about(
    cosigner: Cosigner, bound: tuple[str, int] | None, logs: Sequence[str], directory: Path
) -> dict[str, Any]:
    key = cosigner.verifier
    url = None
    if bound is not None:
        host = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        url = f"http://{host}:{bound[1]}"
    line = f"witness {key.name.rpartition('/')[2] or key.name} {key.text()}"
    return {
        "name": key.name,
        "vkey": key.text(),
        "url": url,
        "policy_line": f"{line} {url}" if url else line,
        "logs": list(logs),
        "directory": str(directory),
    }


def _say(screen: Screen, about: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        screen.json(about)
    else:
        screen.text(about["name"], "bold")
        screen.copied("key", about["vkey"])
        screen.copied("in a policy", about["policy_line"])
        for origin in about["logs"]:
            screen.row("log", origin)
        if about["url"]:
            screen.copied("at", about["url"])
            screen.row("stop", "Ctrl-C")
        else:
            command = f"{shell('teeproof', 'log', 'witness', about['directory'])} --log VKEY"
            screen.copied("next", command, "bold")
    sys.stdout.flush()


def _to_stderr(line: str) -> None:
    sys.stderr.write(line)
    sys.stderr.flush()
