"""Run the workload of this machine: ``python -m teeproof.cloud``, as its manifest says.

Trusts: the compose file that was measured.  Does not trust: the wiring.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from importlib import import_module
from pathlib import Path

from teeproof.cloud.inside import WIRING, Inside
from teeproof.core.errors import Error


def main() -> int:
    """Call the module's ``main``; what goes wrong is one line for whoever runs it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # finally blocks run
    try:
        module, inside = Inside.load(Path(os.environ[WIRING]))
        return int(import_module(module).main(inside) or 0)
    except Error as error:
        print(json.dumps(error.to_json()), file=sys.stderr, flush=True)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
