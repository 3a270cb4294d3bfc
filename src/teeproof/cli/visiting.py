"""Commands for whoever visits the pages: they name files as these are downloaded, anywhere."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import NamedTuple

from teeproof.cli.quoting import shell
from teeproof.core.reading import read_bounded
from teeproof.evidence.policy import BUILT_IN
from teeproof.evidence.policy import MAX_POLICY_BYTES as MOST_OF_POLICY
from teeproof.explorer.given import Given
from teeproof.proof.log.formats.policy import MAX_POLICY_BYTES as MOST_OF_LOGS

__all__ = ["Visit", "visiting"]

_DIGITS = 16  # of an id, as the pages name a proof that is downloaded


class Visit(NamedTuple):
    """How a visitor names policy and trusted logs, and the files that these names mean."""

    words: tuple[str | Path, ...]
    given: tuple[Given, ...]

    def command(self, name: str) -> str:
        """Return what a visitor types to check a statement, ``sha256:…``, by its proof file."""
        proof = Path(f"{name.removeprefix('sha256:')[:_DIGITS]}.proof")
        return shell("teeproof", "verify", proof, *self.words)


def visiting(policy: str | Path | None, logs: Path | None) -> Visit:
    """Return how a visitor asks for what is believed here.

    Args:
        policy: a built-in policy's name, or a TOML file; None where none was named.
        logs: a tlog-policy file; None where there is none.
    """
    words: list[str | Path] = []
    given: list[Given] = []
    if policy is not None and str(policy) in BUILT_IN:
        words += ["--policy", str(policy)]
    elif policy is not None:
        words += ["--policy", Path("policy.toml")]
        read = partial(read_bounded, Path(policy), limit=MOST_OF_POLICY, what="policy")
        given.append(Given(name="policy.toml", read=read))
    if logs is not None:
        words += ["--logs", Path("trusted-logs")]
        read = partial(read_bounded, logs, limit=MOST_OF_LOGS, what="log policy")
        given.append(Given(name="trusted-logs", read=read))
    return Visit(tuple(words), tuple(given))
