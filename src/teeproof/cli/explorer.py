"""``teeproof explorer``: serve pages on which a person follows and checks proofs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from teeproof.bench.own import require_gpu
from teeproof.bench.probes import Finding
from teeproof.cli.asked import Asked, trust_of
from teeproof.cli.bench.predict import read_finding
from teeproof.cli.expectations import policy_of
from teeproof.cli.options import PATH, output_options, port_option, time_of, trust_options
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.core.errors import Unavailable, Usage

__all__ = ["command"]

_MOST = 32  # files of measurements


@click.command("explorer")
@click.argument("log", metavar="[LOG]", required=False, type=PATH)
@trust_options
@click.option(
    "--chain",
    metavar="URL",
    help="A node of the chain that LOG speaks of, which the pages believe: what funds hold and run,"
    " what was paid and anchored. Without one, that is not checked.",
)
@port_option
@click.option(
    "--name",
    "names",
    metavar="HOST",
    multiple=True,
    help="A further name by which the pages are asked for, behind a proxy; may be repeated.",
)
@click.option(
    "--measurements",
    metavar="FILE",
    multiple=True,
    type=PATH,
    help="What teeproof bench gpu found, for the page of costs; may be repeated.",
)
@output_options
def command(
    log: Path | None,
    *,
    policy: str | None,
    logs: Path | None,
    chain: str | None,
    port: int,
    names: Sequence[str],
    measurements: Sequence[Path],
    as_json: bool,
    color: ColorChoice,
) -> int:
    """Serve pages on which a person checks files, and follows what is in LOG.

    LOG is a log's directory; without one, the pages check what is handed to them. Everything works
    without a script in the browser. Nothing is fetched but from --chain. Ctrl-C or a SIGTERM ends
    it.

    \b
    Examples
      teeproof explorer
      teeproof explorer my-log --policy mine.toml --logs trusted-logs
      teeproof explorer --measurements off.json --measurements on.json
    """  # noqa: D301  click reads the \b
    from teeproof.web.running import SHORT, listen, run_until_told, server_for  # noqa: PLC0415

    app = _app(log, policy, logs, names, _measured(measurements), chain=chain)
    with ExitStack() as stack:
        sock = stack.enter_context(listen(f"127.0.0.1:{port}"))
        about = {
            "url": f"http://127.0.0.1:{sock.getsockname()[1]}",
            "log": None if log is None else str(log),
            "policy": policy,
            "chain": chain,
            "pid": os.getpid(),
        }
        screen = standard(color)
        server = server_for(app, faults=True, grace=SHORT)  # Python writes them to standard error
        run_until_told(server, sock, ready=lambda: _say(screen, about, as_json=as_json))
    return 0


def _measured(files: Sequence[Path]) -> tuple[Finding, ...]:
    if len(files) > _MOST:
        raise Usage("these are more measurements than a page shows", code="measurements_too_many",
                    expected=f"at most {_MOST} files", got=f"{len(files)}")  # fmt: skip
    return tuple(require_gpu(read_finding(file), name=file.name) for file in files)


def _app(
    log: Path | None,
    policy: str | None,
    logs: Path | None,
    names: Sequence[str],
    measurements: Sequence[Finding],
    *,
    chain: str | None,
) -> Any:
    import teeproof.cli.chapters  # noqa: F401, PLC0415  every kind of statement, and its judge
    from teeproof.cli.explorer_desk import ExplorerDesk  # noqa: PLC0415

    expected = None if policy is None else policy_of(policy)
    asked = Asked(files=(), policy=expected, author_policy=None, logs=logs, blocks=(),
                  now=time_of(None), every=False, as_json=False)  # fmt: skip
    trust = trust_of(asked)
    try:
        from teeproof.chain.onlooker import Onlooker  # noqa: PLC0415
        from teeproof.cli.visiting import visiting  # noqa: PLC0415
        from teeproof.explorer.app import LOCAL, make_app  # noqa: PLC0415
        from teeproof.explorer.log.content import Book  # noqa: PLC0415

        if log is not None and not (log / "log.json").is_file():
            raise Usage(
                "this is no log's directory", code="log_missing",
                expected="a directory that teeproof log init made", got=str(log),
            )  # fmt: skip

        visit = visiting(policy, logs)
        return make_app(
            None if log is None else Book(log, trust=trust),
            command=visit.command,
            desk=ExplorerDesk(policy=expected, logs=logs, words=visit.words),
            given=visit.given,
            names=(*LOCAL, *names),
            measurements=measurements,
            node=None if chain is None else Onlooker(chain),
        )
    except ImportError as error:
        raise Unavailable(
            "the explorer needs Starlette and Jinja2: pip install 'teeproof[serve]'",
            code="extra_missing", got=str(error),
        ) from None  # fmt: skip


def _say(screen: Screen, about: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        screen.json(about)
    else:
        screen.copied("explorer", str(about["url"]), "bold")
        screen.row("log", str(about["log"] or "none: it checks what is handed to it"))
        screen.row("policy", str(about["policy"] or "the usual one of each kind"))
        screen.row("chain", str(about["chain"] or "none: what stands on one is not checked"))
        screen.row("stop", "Ctrl-C")
    sys.stdout.flush()
