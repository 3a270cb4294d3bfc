"""Run the command as ``python -m teeproof.cli``: for processes that start others of their own."""

from __future__ import annotations

import sys

from teeproof.cli import main

if __name__ == "__main__":
    sys.exit(main())
