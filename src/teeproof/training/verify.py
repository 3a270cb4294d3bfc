"""What a stranger can check of a training statement, with nothing but the proof in hand.

    training-job       the trainer's machine had committed to this very job, and to the KMS's
                       challenge, before it got a key
    training-recipe    recipe and account are those of the job, and the measurements can be true
    training-data      the job is about the dataset that the statement was made of, and names the
                       files of the parts that were trained on, and no other parts; each of their
                       records was trained on, or is counted as held out
    training-keys      the KMS released keys for this job to this trainer, and for its challenge
    training-code      the pool's terms list the code that trained
    training-curve     the losses that it tells run to its last step (``findings``)
    training-weights   the model's root is that of the tensors that it lists (``findings``)

Importing this registers the judge (``proof.verify.claims``).

Trusts: the judge's rules.  Does not trust: the proof, the trainer's host.
"""

from __future__ import annotations

from collections.abc import Iterable

from teeproof.cloud.statements import Release
from teeproof.core.digests import named
from teeproof.data.statements import Dataset
from teeproof.evidence.binding import job_nonce
from teeproof.evidence.verdict import Check, failed, not_checked, passed
from teeproof.proof.links import Link
from teeproof.proof.source import Read
from teeproof.proof.statement import Predicate
from teeproof.proof.verify.claims import View, code_of, judge, lacks
from teeproof.training.findings import curve_holds, weights_hold
from teeproof.training.statements import PAYOUT, TRAINING, Training

__all__ = ["training_holds"]

_CHALLENGE = 64


@judge(TRAINING)
def training_holds(read: Read, view: View) -> Iterable[Check]:
    """Return what the proof shows of such a statement."""
    said = _predicate(read, Training)
    if not isinstance(said, Training):
        return ()
    found = _predicate(_made(read, view, "dataset"), Dataset)
    dataset = found if isinstance(found, Dataset) else None
    return (
        _job(said, read, view),
        _recipe(said),
        _data(said, read, dataset, missing=lacks(view, _link(read, "dataset"))),
        _keys(said, read, view),
        _code(read, view, dataset),
        curve_holds(said),
        weights_hold(said, read.subjects),
    )


def _job(said: Training, read: Read, view: View) -> Check:
    name = "training-job"
    record = None if read.author is None else view.identity(read.author)
    if record is None:
        return not_checked(name, "the trainer's identity is not in this proof")
    if len(said.challenge) != _CHALLENGE or said.challenge.strip("0123456789abcdef"):
        return failed(
            name, "challenge_malformed", "the challenge is none of a KMS",
            expected=f"{_CHALLENGE} lower-case hex digits", got=said.challenge[:80],
        )  # fmt: skip
    expected = job_nonce(said.job.digest, nonce=bytes.fromhex(said.challenge))
    if record.claim.nonce == expected:
        return passed(name, "its machine had committed to this job before it got a key")
    return failed(
        name,
        "job_not_committed",
        "its machine had committed to another job, or to none: this one was chosen afterwards",
        expected=expected,
        got=record.claim.nonce or "no nonce",
    )


def _recipe(said: Training) -> Check:
    name, job = "training-recipe", said.job.parameters
    pairs = [
        ("recipe", job, said.parameters | {PAYOUT: said.payout}),
        ("purpose", "train", said.job.purpose),
    ]
    for what, expected, got in pairs:
        if expected != got:
            return failed(
                name, "training_recipe_other", f"the {what} is not the job's",
                expected=str(expected)[:300], got=str(got)[:300],
            )  # fmt: skip
    for score in (said.before, said.after):
        if not 0 <= score.right <= score.of:
            return failed(
                name, "training_score_wrong", "more orders were right than were asked",
                expected=f"0 to {score.of}", got=str(score.right),
            )  # fmt: skip
    return passed(name, "recipe and account are those of the job")


def _data(said: Training, read: Read, dataset: Dataset | None, *, missing: bool) -> Check:
    name, link = "training-data", _link(read, "dataset")
    if missing:
        return not_checked(name, "the dataset's own statement is not in this proof")
    if dataset is None or link is None or link.statement is None:
        return failed(
            name, "training_data_unnamed", "it names no dataset's statement among its inputs",
            expected="an input with the role dataset, and the statement of its pool", got="none",
        )  # fmt: skip
    meant = {one.role: one.digest for one in said.job.materials}
    held = next((one.digest for one in read.links if one.role == "held-out"), None)
    pairs = (
        ("dataset", meant.get("dataset"), link.digest),
        ("dataset-statement", meant.get("dataset-statement"), named(link.statement)),
        ("held-out", meant.get("held-out"), held),
        ("held-out", dataset.terms.held_out, held),
    )
    for what, expected, got in pairs:
        if expected != got:
            return failed(
                name, "training_data_other", f"the job is about another {what}",
                expected=str(expected), got=str(got),
            )  # fmt: skip
    wanted = [p.file for p in dataset.parts if p.file in said.job.files]
    used = [source.file for source in said.sources]
    parts = {part.file: part for part in dataset.parts}
    too_many = any(s.records > parts[s.file].records for s in said.sources if s.file in parts)
    if used != wanted or too_many or not used:
        return failed(
            name, "training_sources_other",
            "it was not trained on just the parts that its job names",
            expected=", ".join(wanted)[:300], got=", ".join(used)[:300],
        )  # fmt: skip
    there = sum(parts[file].records for file in used)
    told = sum(source.records for source in said.sources) + said.left_out
    if told != there or min(said.left_out, *(source.records for source in said.sources)) < 0:
        return failed(
            name, "training_records_missing",
            "some records of these parts were neither trained on nor counted as held out",
            expected=f"{there} records", got=f"{told} records",
        )  # fmt: skip
    left = len(dataset.parts) - len(used)
    rest = f"; {left} parts of the dataset were not used" if left else ""
    return passed(name, f"trained on {len(used)} parts of its dataset{rest}")


def _keys(said: Training, read: Read, view: View) -> Check:
    name = "training-keys"
    made = _made(read, view, "keys")
    release = _predicate(made, Release)
    if lacks(view, _link(read, "keys")):
        return not_checked(name, "the release of its keys is not in this proof")
    if made is None or not isinstance(release, Release):
        return failed(
            name, "training_keys_unnamed", "it names no release of keys among its inputs",
            expected="an input with the role keys, and the statement of the KMS", got="none",
        )  # fmt: skip
    author = None if read.author is None else named(read.author)
    pairs = (
        ("statement", said.release, named(made.id)),
        ("decision", "released", release.decision),
        ("job", said.job.name, release.job.name),
        ("challenge", said.challenge, release.challenge),
        ("workload", author, release.workload),
    )
    for what, expected, got in pairs:
        if expected != got:
            return failed(
                name, "training_keys_other", f"the keys were released for another {what}",
                expected=str(expected), got=str(got),
            )  # fmt: skip
    return passed(name, f"{len(release.files)} keys were released to it, for this job")


def _code(read: Read, view: View, dataset: Dataset | None) -> Check:
    name = "training-code"
    if dataset is None or read.author is None:
        return not_checked(name, "the dataset's own statement is not in this proof")
    facts = view.facts(read.author)
    if not facts:
        return not_checked(name, "nothing is established about the trainer's machine")
    code = code_of(facts)
    if code is not None and code in dataset.terms.trainers:
        return passed(name, "the pool's terms list the code that trained")
    return failed(
        name, "trainer_not_listed", "the pool's terms do not list the code that trained",
        expected=", ".join(dataset.terms.trainers), got=code or "none",
    )  # fmt: skip


def _link(read: Read, role: str) -> Link | None:
    return next((one for one in read.links if one.role == role), None)


def _made(read: Read, view: View, role: str) -> Read | None:
    link = _link(read, role)
    if link is None or link.statement is None:
        return None
    return view.statement(named(link.statement))


def _predicate(read: Read | None, kind: type[Predicate]) -> Predicate | None:
    found = None if read is None or read.statement is None else read.statement.predicate
    return found if isinstance(found, kind) else None
