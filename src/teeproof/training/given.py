"""What lies in a trainer's inputs, and whether it all fits the job; no key is needed for that.

Trusts: nothing.  Does not trust: the host, which may give other files, or leave some out.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from teeproof.cloud.job import MAX_JOB_BYTES, Input, Job
from teeproof.cloud.kms.policy import MAX_RELEASE_POLICY_BYTES, ReleasePolicy
from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.core.reading import read_bounded
from teeproof.core.sealed import DataKey, read_header
from teeproof.data.heldout import SealedHeldOut, open_held_out
from teeproof.data.novelty import normalise
from teeproof.data.records import Record
from teeproof.data.snapshot import dataset_root, open_part
from teeproof.data.statements import Dataset, DatasetPart
from teeproof.data.vault import MAX_SEALED_BYTES
from teeproof.proof.envelope import MAX_ENVELOPE_BYTES, Envelope
from teeproof.proof.statement import Statement
from teeproof.training.recipe import Recipe
from teeproof.training.statements import PAYOUT

__all__ = ["DATASET", "JOB", "Given", "job_of", "said_of"]

JOB, DATASET = "job.json", "dataset.json"
_ADDRESS = re.compile(r"0x[0-9a-f]{40}", re.ASCII)


def job_of(
    dataset: Statement,
    *,
    held: SealedHeldOut,
    payout: str,
    recipe: Recipe | None = None,
    without: frozenset[str] = frozenset(),
) -> Job:
    """Return the job of training on a dataset.

    Args:
        dataset: the pool's statement.
        held: the pool's held-out file.
        payout: the account of the model's owner.
        recipe: how to train; the defaults if none is given.
        without: ids of contributions that are not trained on.
    """
    said = said_of(dataset)
    files = [part.file for part in said.parts if part.contribution not in without]
    held_id = read_header(io.BytesIO(held.blob)).file_id.hex()
    return Job(
        purpose="train",
        files=tuple(sorted([*files, held_id])),
        parameters=(recipe or Recipe()).parameters | {PAYOUT: payout},
        materials=(
            Input(role="dataset", digest=named(dataset_root(said.parts))),
            Input(role="dataset-statement", digest=dataset.name),
            Input(role="held-out", digest=held.digest),
        ),
    )


@dataclass(frozen=True)
class Given:
    """What lies in the inputs, checked against the job as far as that goes without keys.

    Attributes:
        job: what to do.
        recipe: how.
        payout: the account of the model's owner.
        dataset: the pool's statement.
        parts: those of the dataset that the job names.
        held: the held-out file.
        blobs: each part's sealed file and its release policy, by ciphertext digest.
    """

    job: Job
    recipe: Recipe
    payout: str
    dataset: Statement
    parts: tuple[DatasetPart, ...]
    held: SealedHeldOut
    blobs: Mapping[str, tuple[bytes, ReleasePolicy]]

    @classmethod
    def read(cls, folder: Path) -> Given:
        """Return what lies in a folder (``workload`` says what).

        Raises:
            Malformed: a file has another form, or the job names no account.
            NotAuthentic: codes ``file_other``, ``job_other``: files that the job does not mean.
            Unavailable: a file is missing.
        """
        job = Job.parse(read_bounded(folder / JOB, limit=MAX_JOB_BYTES, what="job"))
        if job.purpose != "train":
            raise Malformed("this is no job of training", expected="train", got=job.purpose)
        parameters = dict(job.parameters)
        payout = parameters.pop(PAYOUT, "")
        if not _ADDRESS.fullmatch(payout):
            raise Malformed(
                "the job names no account of the model's owner: add the parameter payout",
                code="payout_malformed",
                expected="0x and 40 lower-case hex digits",
                got=payout[:80] or "nothing",
            )
        envelope = read_bounded(folder / DATASET, limit=MAX_ENVELOPE_BYTES, what="dataset")
        dataset = Statement.parse(Envelope.parse(envelope).payload)
        said = said_of(dataset)
        held = SealedHeldOut(
            read_bounded(folder / "held-out.sealed", limit=MAX_SEALED_BYTES, what="held-out file"),
            _policy(folder / "held-out.json"),
        )
        parts = tuple(part for part in said.parts if part.file in job.files)
        blobs = {part.ciphertext: _blob(folder / "files", part.ciphertext) for part in parts}
        given = cls(job, Recipe.of(parameters), payout, dataset, parts, held, blobs)
        given.check()
        return given

    @property
    def sealed(self) -> list[tuple[bytes, ReleasePolicy]]:
        """Every sealed file whose key is needed, with its release policy."""
        return [*self.blobs.values(), (self.held.blob, self.held.policy)]

    def check(self) -> None:
        """Raise NotAuthentic unless the job speaks of this dataset and these files."""
        expected = job_of(
            self.dataset, held=self.held, payout=self.payout, recipe=self.recipe,
            without=frozenset(
                part.contribution for part in said_of(self.dataset).parts if part not in self.parts
            ),
        )  # fmt: skip
        if expected != self.job:
            raise NotAuthentic(
                "the job does not fit the dataset and the files that came with it: it speaks of"
                " others, or the host gave others",
                code="job_other",
                expected=expected.name,
                got=self.job.name,
            )

    def open(
        self, keys: Mapping[str, DataKey]
    ) -> tuple[list[tuple[DatasetPart, list[Record]]], tuple[Record, ...], int]:
        """Decrypt in memory; what is held out is left out of what is trained on, and counted.

        Case, spaces and punctuation make no other text of one.

        Returns:
            Each part with its records, the held-out records, and how many were left out.

        Raises:
            NotAuthentic: code ``part_mismatch``: not the records that the dataset names.
        """
        terms = said_of(self.dataset).terms
        held_out = open_held_out(
            self.held, terms=terms, key=lambda header, _: keys[header.file_id.hex()]
        )
        secret = {normalise(record.text) for record in held_out}
        parts, left_out = [], 0
        for part in self.parts:
            found = open_part(part, self.blobs[part.ciphertext][0], key=keys[part.file])
            kept = [record for record in found if normalise(record.text) not in secret]
            left_out += len(found) - len(kept)
            parts.append((part, kept))
        return parts, held_out, left_out


def said_of(dataset: Statement) -> Dataset:
    """Return what a pool says of a dataset; Malformed if this is another statement."""
    said = dataset.predicate
    if not isinstance(said, Dataset):
        raise Malformed("this is no statement of a dataset", expected="dataset", got=dataset.type)
    return said


def _blob(folder: Path, digest: str) -> tuple[bytes, ReleasePolicy]:
    blob = read_bounded(folder / digest, limit=MAX_SEALED_BYTES, what="sealed file")
    if sha256(blob).hex() != digest:
        raise NotAuthentic(
            "a sealed file is not the one that the dataset names: get it again",
            code="file_other",
            expected=digest,
            got=sha256(blob).hex(),
        )
    return blob, _policy(folder / f"{digest}.json")


def _policy(path: Path) -> ReleasePolicy:
    data = read_bounded(path, limit=MAX_RELEASE_POLICY_BYTES, what="release policy")
    return ReleasePolicy.parse(data)
