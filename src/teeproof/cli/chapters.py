"""Know what every chapter says, and how it is judged: for all commands that read statements.

Importing this makes the predicate types of all chapters known, and registers their judges. It needs
nothing but the base install.
"""

from __future__ import annotations

from teeproof.proof.verify.claims import judged_types

__all__ = ["JUDGED"]

JUDGED = judged_types()
"""The kinds of statement that have a judge here."""
