"""``teeproof log serve``: serve a log over HTTP, publish it, and have it witnessed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from teeproof.cli.log.options import accepting, exposure, policy_of, witness_options, witnesses_of
from teeproof.cli.options import PATH, output_options
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.proof.log.http.asking import Witnesses
from teeproof.proof.log.http.publishing import Publisher
from teeproof.proof.log.http.tokens import create_tokens, load_tokens
from teeproof.proof.log.storage.log import Log
from teeproof.web.oplog import to_lines
from teeproof.web.running import listen, run_until_told, server_for

__all__ = ["command"]


@click.command("serve")
@click.argument("directory", type=PATH)
@click.option(
    "--listen",
    "address",
    metavar="HOST:PORT",
    default="127.0.0.1:8080",
    show_default=True,
    help="Where to listen; port 0 takes a free one.",
)
@click.option(
    "--every",
    metavar="SECONDS",
    type=float,
    default=1.0,
    show_default=True,
    help="How often to publish. Promised is the tenfold, and at least 10 seconds.",
)
@witness_options
@click.option(
    "--token-file",
    type=PATH,
    help="Who may append, a line 'name token' for each; without it, DIRECTORY/tokens.",
)
@output_options
def command(
    directory: Path,
    *,
    address: str,
    every: float,
    witnesses: Sequence[str],
    policy_file: Path | None,
    token_file: Path | None,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Serve the log in DIRECTORY until you press Ctrl-C, or it gets a SIGTERM.

    Anyone may read checkpoint, tiles and entries; to append takes a token. A token limits who fills
    the log and proves nothing. What was acknowledged is on the disk, whatever happens then.

    \b
    Examples
      teeproof log serve my-log
      teeproof log serve my-log --listen 0.0.0.0:80 --logs witnesses.txt
    """  # noqa: D301  click reads the \b
    from teeproof.proof.log.http.server import LogApp  # noqa: PLC0415  evidence, and asyncio

    policy = policy_of(None, policy_file)
    asked = witnesses_of(witnesses, policy)
    say = to_lines(_to_stderr)
    with ExitStack() as stack:
        log = stack.enter_context(Log.open(directory))
        if warning := exposure(log):
            say("exposed", files=",".join(log.exposed), warning=warning)
        tokens = token_file or directory / "tokens"
        made = not tokens.exists()
        if made:
            create_tokens(tokens)
        asking = Witnesses(asked, prove=log.consistency_proof)
        publisher = Publisher(log, every=every, gather=asking if asked else None, say=say)
        app = LogApp(
            log,
            tokens=load_tokens(tokens),
            publisher=publisher,
            witnesses=asking.keys,
            accept=accepting(policy),
            say=say,
        )
        sock = stack.enter_context(listen(address))
        server = server_for(app)
        publisher.publish()
        publisher.start()
        stack.callback(publisher.stop)
        about = _about(log, sock.getsockname(), tokens, asking.keys, publisher.delay)
        screen = standard(color)
        run_until_told(server, sock, ready=lambda: _say(screen, about, made=made, as_json=as_json))
        say("stopped", size=log.size)
    return 0


def _about(
    log: Log, name: tuple[str, int], tokens: Path, witnesses: Sequence[str], delay: int
) -> dict[str, object]:
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return {
        "origin": log.origin,
        "url": f"http://{host}:{name[1]}",
        "vkey": log.verifier.text(),
        "size": log.size,
        "token_file": str(tokens),
        "witnesses": list(witnesses),
        "maximum_delay_seconds": delay,
        "pid": os.getpid(),
    }


def _say(screen: Screen, about: dict[str, object], *, made: bool, as_json: bool) -> None:
    if as_json:
        screen.json(about)
        sys.stdout.flush()
        return
    screen.text(f"{about['origin']}", "bold")
    screen.copied("at", f"{about['url']}")
    screen.copied("key", f"{about['vkey']}")
    screen.row("entries", f"{about['size']}")
    screen.row("published", f"within {about['maximum_delay_seconds']} s")
    for key in about["witnesses"] or ["none: add --witness or --logs"]:  # type: ignore[attr-defined]
        screen.copied("witness", key)
    screen.row("tokens", f"{about['token_file']}{' (made now)' if made else ''}")
    screen.copied(
        "append",
        f"teeproof log append {about['url']} FILE --key {about['vkey']}"
        f" --token-file {about['token_file']}",
    )
    screen.row("stop", "Ctrl-C")
    sys.stdout.flush()


def _to_stderr(line: str) -> None:
    sys.stderr.write(line)
    sys.stderr.flush()
