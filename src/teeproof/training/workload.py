"""The trainer as a workload: commit to the job, get the keys, train in memory, seal the model.

    job.json          what to do (``cloud.job``): purpose train, the files, the recipe, the payout
    dataset.json      the pool's statement of the dataset, in its envelope
    files/<sha256>    each sealed file, and files/<sha256>.json, its release policy
    held-out.sealed   the pool's held-out file, and held-out.json, its release policy

The order is the point: the machine's evidence carries the job's digest before any key is asked for,
so nobody can choose the job afterwards. Plaintext is in this process's memory and nowhere else. The
model appears under /out/model once it is whole; training.json beside it is the statement.

Measured: TEEPROOF_KMS, the policy (TOML) that the KMS must meet.

Trusts: the machine, the measured setting.  Does not trust: the host, its files, the pool's host.
"""

from __future__ import annotations

import io
import platform
import re
import shutil
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from teeproof.cloud.inside import Inside
from teeproof.cloud.job import MAX_JOB_BYTES, Input, Job
from teeproof.cloud.kms.client import KmsClient, Said
from teeproof.cloud.kms.policy import MAX_RELEASE_POLICY_BYTES, ReleasePolicy
from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, NotAuthentic, Unavailable
from teeproof.core.reading import read_bounded
from teeproof.core.sealed import DataKey, read_header
from teeproof.core.weights import digest_model
from teeproof.core.writing import write_file
from teeproof.data.heldout import SealedHeldOut, open_held_out
from teeproof.data.records import Record
from teeproof.data.snapshot import dataset_root, open_part
from teeproof.data.statements import Dataset, DatasetPart
from teeproof.data.vault import MAX_SEALED_BYTES
from teeproof.evidence.binding import job_nonce
from teeproof.evidence.policy import parse_policy
from teeproof.proof.envelope import MAX_ENVELOPE_BYTES, Envelope
from teeproof.proof.links import Material
from teeproof.proof.statement import Statement
from teeproof.proof.workload import Identity
from teeproof.training.recipe import Recipe
from teeproof.training.run import Trained, train
from teeproof.training.statements import Accuracy, Source, Training, subjects_of

__all__ = ["DATASET", "JOB", "KMS", "MODEL", "PAYOUT", "STATEMENT", "job_of", "main"]

KMS, KMS_PEER = "TEEPROOF_KMS", "kms"
JOB, DATASET, MODEL, STATEMENT = "job.json", "dataset.json", "model", "training.json"
PAYOUT = "payout"
_SAY = 10  # steps between two reports
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
    said = _said(dataset)
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


def main(inside: Inside) -> int:
    """Do the job."""
    given = _Given.read(inside.inputs)
    kms = KmsClient(inside.url(KMS_PEER), policy=parse_policy(inside.require(KMS)), now=inside.now)
    with closing(kms):
        challenge = kms.challenge()
        me = inside.boot(roles=["seal"], nonce=job_nonce(given.job.digest, nonce=challenge))
        asked = [(read_header(io.BytesIO(blob)), policy) for blob, policy in given.sealed]
        keys, release = kms.released(me, given.job, challenge=challenge, files=asked)
    inside.say(event="released", files=len(keys), statement=release.statement.name)
    parts, held_out, left_out = given.open(keys)
    records = [record for _, found in parts for record in found]
    trained = train(
        records,
        held_out=held_out,
        recipe=given.recipe,
        progress=lambda step, steps, loss: _report(inside, step, steps, loss),
    )
    statement = _seal(
        me, inside.outputs, given, trained=trained, parts=parts, left_out=left_out,
        challenge=challenge, release=release,
    )  # fmt: skip
    inside.say(
        event="trained", statement=statement.name, model=statement.subjects[0].sha256,
        before=trained.before.text, after=trained.after.text,
    )  # fmt: skip
    return 0


@dataclass(frozen=True)
class _Given:
    """What lies in the inputs, checked against the job as far as that goes without keys."""

    job: Job
    recipe: Recipe
    payout: str
    dataset: Statement
    parts: tuple[DatasetPart, ...]
    held: SealedHeldOut
    blobs: Mapping[str, tuple[bytes, ReleasePolicy]]  # by ciphertext digest

    @classmethod
    def read(cls, folder: Path) -> _Given:
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
        said = _said(dataset)
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
        return [*self.blobs.values(), (self.held.blob, self.held.policy)]

    def check(self) -> None:
        """Raise NotAuthentic unless the job speaks of this dataset and these files."""
        expected = job_of(
            self.dataset, held=self.held, payout=self.payout, recipe=self.recipe,
            without=frozenset(
                part.contribution for part in _said(self.dataset).parts if part not in self.parts
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
        """Decrypt in memory; what is held out is left out of what is trained on, and counted."""
        terms = _said(self.dataset).terms
        held_out = open_held_out(
            self.held, terms=terms, key=lambda header, _: keys[header.file_id.hex()]
        )
        secret = {record.text for record in held_out}
        parts, left_out = [], 0
        for part in self.parts:
            found = open_part(part, self.blobs[part.ciphertext][0], key=keys[part.file])
            kept = [record for record in found if record.text not in secret]
            left_out += len(found) - len(kept)
            parts.append((part, kept))
        return parts, held_out, left_out


def _said(dataset: Statement) -> Dataset:
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


def _report(inside: Inside, step: int, steps: int, loss: float) -> None:
    if step % _SAY == 0 or step == steps:
        inside.say(event="step", step=step, steps=steps, loss=f"{loss:.4f}")


def _seal(
    me: Identity,
    outputs: Path,
    given: _Given,
    *,
    trained: Trained,
    parts: list[tuple[DatasetPart, list[Record]]],
    left_out: int,
    challenge: bytes,
    release: Said,
) -> Statement:
    """Write the model, say what it is, and give it its name only then."""
    draft, final = outputs / f".{MODEL}", outputs / MODEL
    shutil.rmtree(draft, ignore_errors=True)
    trained.save(draft)
    model = digest_model(draft)
    files = {path.name: sha256(path.read_bytes()) for path in sorted(draft.iterdir())}
    predicate = Training(
        author=me.name,
        materials=_materials(given, release),
        job=given.job,
        challenge=challenge.hex(),
        release=release.statement.name,
        sources=tuple(
            Source(part.contribution, part.file, len(records)) for part, records in parts
        ),
        left_out=left_out,
        parameters=given.recipe.parameters,
        libraries=_libraries(),
        processor=_processor(),
        summary=trained.summary,
        before=Accuracy(trained.before.right, trained.before.of),
        after=Accuracy(trained.after.right, trained.after.of),
        chain=trained.chain.hex(),
        payout=given.payout,
    )
    sealed = me.keep(Statement.of(predicate, subjects=subjects_of(model, files)))
    shutil.rmtree(final, ignore_errors=True)
    try:
        draft.rename(final)
    except OSError as error:
        raise Unavailable(
            f"the model cannot be put into {final}: {error.strerror}", code="out_unavailable"
        ) from None
    write_file(outputs / STATEMENT, sealed.envelope.encode(), overwrite=True)
    return sealed.statement


def _materials(given: _Given, release: Said) -> tuple[Material, ...]:
    dataset, granted = given.dataset, release.statement.subjects[0]
    held = given.held.digest.removeprefix("sha256:")
    return (
        Material(
            role="dataset", digest={"sha256": dataset.subjects[0].digest["sha256"]},
            name=dataset.subjects[0].name, statement=dataset.name,
        ),
        Material(role="held-out", digest={"sha256": held}, name="held-out.sealed"),
        Material(
            role="keys", digest={"sha256": granted.digest["sha256"]}, name=granted.name,
            statement=release.statement.name,
        ),
    )  # fmt: skip


def _libraries() -> dict[str, str]:
    from importlib.metadata import version  # noqa: PLC0415

    names = ("safetensors", "tokenizers", "torch", "transformers")
    return {"python": platform.python_version()} | {name: version(name) for name in names}


def _processor() -> str:
    import torch  # noqa: PLC0415  seconds, and loaded by now

    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
