"""The trainer as a workload: commit to the job, get the keys, train in memory, seal the model.

    job.json          what to do (``cloud.job``): purpose train, the files, the recipe, the payout
    dataset.json      the pool's statement of the dataset, in its envelope
    files/<sha256>    each sealed file, and files/<sha256>.json, its release policy
    held-out.sealed   the pool's held-out file, and held-out.json, its release policy

The order is the point: the machine's evidence carries the job's digest before any key is asked for,
so nobody can choose the job afterwards. Plaintext is in this process's memory and nowhere else. The
model appears under /out/model once it is whole; training.json beside it is the statement.

Who said what dataset.json says is not judged here: the job, and so the evidence, names that very
statement, and whoever verifies the proof finds whether a pool of the right code signed it.

Measured: TEEPROOF_KMS, the policy (TOML) that the KMS must meet.

Trusts: the machine, the measured setting.  Does not trust: the host, its files, the pool's host.
"""

from __future__ import annotations

import io
import os
import platform
import shutil
from contextlib import closing
from pathlib import Path

from teeproof.cloud.inside import Inside
from teeproof.cloud.kms.client import KmsClient, Said
from teeproof.core.errors import Unavailable
from teeproof.core.reading import digest_file
from teeproof.core.sealed import read_header
from teeproof.core.weights import digest_model
from teeproof.core.writing import write_file
from teeproof.data.records import Record
from teeproof.data.statements import DatasetPart
from teeproof.evidence.binding import job_nonce
from teeproof.evidence.policy import parse_policy
from teeproof.proof.links import Material
from teeproof.proof.statement import Statement
from teeproof.proof.workload import Identity
from teeproof.training.given import Given
from teeproof.training.run import Trained, train
from teeproof.training.statements import (
    Accuracy,
    Source,
    Training,
    looks_of,
    losses_of,
    subjects_of,
    tensors_of,
)

__all__ = ["KMS", "MODEL", "STATEMENT", "main"]

KMS, KMS_PEER = "TEEPROOF_KMS", "kms"
MODEL, STATEMENT = "model", "training.json"
_SAY = 10  # steps between two reports


def main(inside: Inside) -> int:
    """Do the job."""
    given = Given.read(inside.inputs)
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


def _report(inside: Inside, step: int, steps: int, loss: float) -> None:
    if step % _SAY == 0 or step == steps:
        inside.say(event="step", step=step, steps=steps, loss=f"{loss:.4f}")


def _seal(
    me: Identity,
    outputs: Path,
    given: Given,
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
    files = {path.name: digest_file(path) for path in sorted(draft.iterdir())}
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
        losses=losses_of(trained.curve),
        looks=looks_of(trained.curve),
        tensors=tensors_of(model),
        texts=dict(model.metadata),
    )
    sealed = me.keep(Statement.of(predicate, subjects=subjects_of(model, files)))
    shutil.rmtree(final, ignore_errors=True)
    try:
        _sync(draft)
        draft.rename(final)
    except OSError as error:
        raise Unavailable(
            f"the model cannot be put into {final}: {error.strerror}", code="out_unavailable"
        ) from None
    write_file(outputs / STATEMENT, sealed.envelope.encode(), overwrite=True)
    return sealed.statement


def _sync(folder: Path) -> None:
    """Have a folder and its files on the disk, so that no power cut leaves a name without them."""
    for path in (*folder.iterdir(), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _materials(given: Given, release: Said) -> tuple[Material, ...]:
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
