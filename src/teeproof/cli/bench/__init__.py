"""``teeproof bench``: what a TEE costs an AI workload."""

from __future__ import annotations

import click

from teeproof.cli.lazy import LazyGroup

__all__ = ["COMMANDS", "command"]

COMMANDS = {
    "predict": "Predict what a TEE will cost a model.",
    "paper": "Show the published tables beside the model and your probes.",
    "gpu": "Run launch, copy and wait probes on this machine's GPU.",
}


@click.group("bench", cls=LazyGroup, lines=COMMANDS, prefix="bench.")
def command() -> None:
    """Say what a TEE costs an AI workload, and where each number comes from.

    Arithmetic inside a GPU costs the same; each launch, copy and wait pays a fixed toll.

    \b
    Examples
      teeproof bench predict llama-3.1-8b --on h200-tdx
      teeproof bench paper
    """  # noqa: D301  click reads the \b
