"""Know what every chapter says, and how it is judged: for all that reads statements.

Importing this makes the predicate types of all chapters known, and registers their judges. It needs
nothing but the base install.
"""

from __future__ import annotations

from types import ModuleType

from teeproof.agents import statements as of_agents
from teeproof.agents import verify as agents
from teeproof.cloud import statements as of_cloud
from teeproof.cloud import verify as cloud
from teeproof.data import statements as of_data
from teeproof.data import verify as data
from teeproof.inference import verify as inference
from teeproof.network import statements as of_network
from teeproof.network import verify as network
from teeproof.proof.verify.claims import judged_types
from teeproof.training import statements as of_training
from teeproof.training import verify as training

__all__ = ["CHAPTERS", "JUDGED"]

CHAPTERS: tuple[ModuleType, ...] = (
    of_network, network,
    of_cloud, cloud,
    of_data, data,
    of_training, training,
    inference,
    of_agents, agents,
)  # fmt: skip
"""What says and judges; listed, so that no import of it looks unused."""

JUDGED = judged_types()
"""The kinds of statement that have a judge here."""
