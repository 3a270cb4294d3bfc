"""Know what every chapter says, and how it is judged: for all commands that read statements.

Importing this makes the predicate types of all chapters known, and registers their judges. It needs
nothing but the base install.
"""

from __future__ import annotations

import teeproof.agents.statements
import teeproof.agents.verify
import teeproof.cloud.statements
import teeproof.cloud.verify
import teeproof.data.statements
import teeproof.data.verify
import teeproof.inference.verify
import teeproof.network.statements
import teeproof.network.verify
import teeproof.training.statements
import teeproof.training.verify  # noqa: F401

__all__: list[str] = []
