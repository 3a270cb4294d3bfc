"""The process that owns a local chain:  python -m teeproof.chain.local.serve DIRECTORY.

When it can be asked it prints one line of JSON:

    {"url": "http://127.0.0.1:4711", "chain_id": 1413825872, "pid": 123, "funded": "0x…"}

``funded`` is the account whose key lies in the directory as ``funded.key``. It ends with SIGTERM or
SIGINT, with --until-eof also when its input ends; what was acknowledged is on the disk in any case.

Trusts: programs of this machine, as ``app`` says.  Does not trust: other machines; it listens to
none.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from teeproof.chain.account import Account
from teeproof.chain.local.app import ChainApp
from teeproof.chain.local.chain import LocalChain
from teeproof.chain.local.creation import FUNDED_KEY
from teeproof.chain.local.rpc import Rpc
from teeproof.core import strictjson
from teeproof.core.errors import Error, NotAllowed
from teeproof.core.hosts import is_this_machine
from teeproof.web.running import listen, run_until_told, server_for

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a chain until told to stop; return the exit code."""
    parser = argparse.ArgumentParser(prog="teeproof.chain.local.serve", description=__doc__)
    parser.add_argument("directory", type=Path, help="where the chain is kept")
    parser.add_argument("--listen", default="127.0.0.1:0", help="HOST:PORT of this machine")
    parser.add_argument("--chain-id", type=int, help="of a new chain, or as expected")
    parser.add_argument("--finality", type=int, help="blocks that make the one below them final")
    parser.add_argument("--until-eof", action="store_true", help="end when the input ends, too")
    options = parser.parse_args(arguments)
    try:
        _serve(options)
    except Error as error:
        print(strictjson.dumps(error.to_json()), file=sys.stderr)
        return error.exit_code
    return 0


def _serve(options: argparse.Namespace) -> None:
    _require_loopback(options.listen)
    with LocalChain.open(
        options.directory, chain_id=options.chain_id, finality=options.finality
    ) as chain:
        chain.pending()  # loads the EVM now, and not while the first client waits
        app = ChainApp(Rpc(chain), say=lambda kind: print(f"fault={kind}", file=sys.stderr))
        with listen(options.listen) as sock:
            host, port = sock.getsockname()[:2]
            ready = {
                "url": f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}",
                "chain_id": chain.chain_id,
                "pid": os.getpid(),
                "funded": Account.load(options.directory / FUNDED_KEY).address,
            }
            if options.until_eof:
                threading.Thread(target=_end_with_input, daemon=True).start()
            run_until_told(
                server_for(app), sock, ready=lambda: print(strictjson.dumps(ready), flush=True)
            )
        app.close()


def _end_with_input() -> None:
    """End once whoever started this process has: its end of the pipe is closed then."""
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


def _require_loopback(address: str) -> None:
    host = address.rpartition(":")[0].removeprefix("[").removesuffix("]")
    if not is_this_machine(host):
        raise NotAllowed(
            "a local chain listens to this machine alone",
            code="listen_exposed",
            expected="127.0.0.1:PORT",
            got=address[:100],
        )


if __name__ == "__main__":
    sys.exit(main())
