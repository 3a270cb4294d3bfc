"""What the verify page asks of whoever judges files, and what it gets back.

The command line fills it in: what ``teeproof verify`` understands, the page understands, with the
same words, policies and endorsements, and nothing is fetched from anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from teeproof.evidence.record import Evidence
from teeproof.evidence.verdict import Verdict
from teeproof.proof.verify import ProofVerdict

__all__ = ["Choice", "Desk", "Judged", "JudgedEvidence", "JudgedOther", "JudgedProof", "LaidOut"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A policy that may be chosen: its name, and what it expects in a few words."""

    name: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedEvidence:
    """A machine's evidence.

    Attributes:
        name: of the file that holds the quote.
        verdict: what came of it.
        files: name and bytes of each file, as they came.
        claims: of each file, every field with its meaning, as ``teeproof show`` prints them.
        rows: label and text of what else the terminal says: policy, endorsements, remarks.
        command: what a person types to check the same.
    """

    name: str
    files: tuple[tuple[str, bytes], ...]
    verdict: Verdict
    claims: tuple[Mapping[str, Any], ...]
    rows: tuple[tuple[str, str], ...]
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedProof:
    """A proof file: its name, its bytes, the verdict, and the command that checks the same."""

    name: str
    data: bytes
    verdict: ProofVerdict
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedOther:
    """Something that has another kind of answer, such as a fork: what ``--json`` prints of it."""

    name: str
    answer: Mapping[str, Any]
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidOut:
    """Evidence as the files that ``teeproof verify`` reads.

    Attributes:
        files: by name.
        claims: of each file, every field with its meaning, as ``teeproof show`` prints them.
        commands: what a person types to unpack and check the same.
    """

    files: Mapping[str, bytes]
    claims: tuple[Mapping[str, Any], ...]
    commands: tuple[str, ...]


Judged = JudgedEvidence | JudgedProof | JudgedOther


class Desk(Protocol):
    """Judges files."""

    @property
    def choices(self) -> Sequence[Choice]:
        """The policies that may be chosen; without a choice, the usual one of each kind."""

    def judge(self, files: Sequence[Path], *, policy: str, at: str) -> Judged:
        """Return what comes of files that belong together.

        Args:
            files: on this machine's disk, by the names that their owner gave them.
            policy: the name of a choice; empty for the usual one.
            at: as of when, ``2026-02-25`` or with a time of day; empty for now.

        Raises:
            Error: they are nothing that is understood, or do not belong together.
        """

    def lay_out(
        self, evidence: Evidence, *, identity: bytes, folder: str, at: str | None, simulated: bool
    ) -> LaidOut:
        """Return evidence as files, and what each of them claims.

        Args:
            evidence: of one machine.
            identity: the record of the identity whose evidence it is.
            folder: what the folder is called in the archive that is handed out.
            at: as of when it was verified, if somebody vouches for that time.
            simulated: whether a simulator made it; a file beside the others says so.
        """
