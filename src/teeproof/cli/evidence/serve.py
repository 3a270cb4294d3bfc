"""``teeproof evidence serve``: a verifier over HTTP."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from teeproof.cli.endorsing import archive_of
from teeproof.cli.options import PATH, output_options
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.cloud.verifier.policies import Policies
from teeproof.cloud.verifier.service import VerifierService
from teeproof.cloud.verifier.workers import Workers
from teeproof.core.reading import read_bounded
from teeproof.evidence.policy import MAX_POLICY_BYTES
from teeproof.proof.results.keyfile import VerdictKey, read_secret
from teeproof.web.oplog import to_lines
from teeproof.web.running import listen, run_until_told, server_for

__all__ = ["archive_state", "command"]

WORKER = (sys.executable, "-m", "teeproof.cli.evidence.worker")


@click.command("serve")
@click.option(
    "--listen",
    "address",
    metavar="HOST:PORT",
    default="127.0.0.1:8082",
    show_default=True,
    help="Where to listen; port 0 takes a free one.",
)
@click.option(
    "--policy",
    "files",
    metavar="FILE",
    multiple=True,
    type=PATH,
    help="A policy (TOML) that clients may name, besides the built-in ones; may be repeated.",
)
@click.option(
    "--default",
    metavar="NAME",
    help="The policy for who names none; without it, the usual one of each kind of evidence.",
)
@click.option("--key", type=PATH, help="A verdict key, to sign EARs: teeproof keys new --verdict.")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=lambda: os.cpu_count() or 1,
    help="How many processes verify; without it, one for each processor.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 600),
    default=10.0,
    show_default=True,
    help="How long one verification may take.",
)
@click.option(
    "--shared",
    metavar="SECONDS",
    type=click.IntRange(1, 3600),
    default=60,
    show_default=True,
    help="For how long a verdict as of now serves others who ask the same.",
)
@output_options
def command(
    *,
    address: str,
    files: Sequence[Path],
    default: str | None,
    key: Path | None,
    workers: int,
    seconds: float,
    shared: int,
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Verify evidence that comes over HTTP, until you press Ctrl-C or it gets a SIGTERM.

    POST /v1/verdicts answers with a verdict, or with an EAR for who accepts application/eat+jwt;
    POST /verify with dstack-verifier's JSON. Nothing is fetched: endorsements come with the
    evidence, or from the archive in your data directory (teeproof endorsements add).

    \b
    Examples
      teeproof evidence serve
      teeproof evidence serve --key verdict.key --policy mine.toml --default mine
      curl --data-binary @quote.bin http://127.0.0.1:8082/v1/verdicts
    """  # noqa: D301  click reads the \b
    policies = Policies(read_bounded(path, limit=MAX_POLICY_BYTES, what="policy") for path in files)
    if default is not None:
        policies.named(default)
    signer = read_secret(key) if key else None
    say = to_lines(_to_stderr)
    with ExitStack() as stack:
        sock = stack.enter_context(listen(address))
        pool = Workers(WORKER, size=workers, seconds=seconds)
        stack.callback(pool.close)
        app = VerifierService(
            pool,
            policies=policies,
            default=default,
            key=signer,
            archive=lambda: archive_state(archive_of(os.environ).directory),
            shared=shared,
            say=say,
        )
        about = _about(sock.getsockname(), list(policies.names), default, signer, workers)
        screen = standard(color)
        run_until_told(server_for(app), sock, ready=lambda: _say(screen, about, as_json=as_json))
        say("stopped")
    return 0


def archive_state(directory: Path) -> str:
    """Return text that changes when something is added to an archive, or taken out."""
    places = [directory]
    try:
        places += sorted(entry for entry in directory.iterdir() if entry.is_dir())
        return " ".join(f"{place.name}={place.stat().st_mtime_ns}" for place in places)
    except OSError:
        return "none"  # what is missing is said in the verdict


def _about(
    name: tuple[str, int], policies: list[str], default: str | None, key: VerdictKey | None,
    workers: int,
) -> dict[str, Any]:  # fmt: skip
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return {
        "url": f"http://{host}:{name[1]}",
        "policies": policies,
        "default": default,
        "key": key.text if key else None,
        "workers": workers,
        "pid": os.getpid(),
    }


def _say(screen: Screen, about: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        screen.json(about)
        sys.stdout.flush()
        return
    screen.text("verifier", "bold")
    screen.copied("at", f"{about['url']}")
    screen.row("policies", ", ".join(about["policies"]))
    screen.row("default", about["default"] or "the usual one of each kind of evidence")
    screen.copied("key", about["key"] or "none: add --key to sign EARs")
    screen.row("workers", f"{about['workers']}")
    screen.copied("ask", f"curl --data-binary @quote.bin {about['url']}/v1/verdicts")
    screen.row("stop", "Ctrl-C")
    sys.stdout.flush()


def _to_stderr(line: str) -> None:
    sys.stderr.write(line)
    sys.stderr.flush()
