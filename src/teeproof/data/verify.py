"""What a stranger can check of a pool's statements, with nothing but the proof in hand.

    contribution   the owner consented to this pool, this file, this payout; the weight follows from
                   what was measured; the pool's own code said so
    dataset        its root and sums follow from its parts, each part is what its contribution says
    withdrawn      the contribution's own owner ordered it

Importing this registers the judges (``proof.verify.claims``).

Trusts: the judges' rules.  Does not trust: the proof, the pool's host.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from teeproof.cloud.owner import verify_text
from teeproof.core.digests import named
from teeproof.core.errors import Error
from teeproof.data.factors import MILLION, evidence_of, novelty_of, weight_of
from teeproof.data.parts import dataset_root
from teeproof.data.statements import (
    CONTRIBUTION,
    DATASET,
    RECORDS,
    WITHDRAWN,
    Contribution,
    Dataset,
    DatasetPart,
    Withdrawn,
)
from teeproof.data.terms import PoolTerms
from teeproof.evidence.verdict import Check, failed, not_checked, passed
from teeproof.proof.source import Read
from teeproof.proof.statement import Statement
from teeproof.proof.verify.claims import View, code_of, judge, lacks

__all__ = ["contribution_holds", "dataset_holds", "withdrawal_holds"]


@judge(CONTRIBUTION)
def contribution_holds(read: Read, view: View) -> Iterable[Check]:
    """Return whether owner, weight and code of a pool's word on a contribution hold."""
    said = _predicate(read)
    assert isinstance(said, Contribution)
    return (
        _consent(said, {subject.sha256 for subject in read.subjects}),
        _decision(said),
        _weight(said),
        _validator(read, view, said.terms),
    )


@judge(DATASET)
def dataset_holds(read: Read, view: View) -> Iterable[Check]:
    """Return whether a dataset follows from its parts, and each from its contribution."""
    said = _predicate(read)
    assert isinstance(said, Dataset)
    return (
        _parts(said, read, view),
        _root(said, read),
        _sums(said),
        _validator(read, view, said.terms),
    )


@judge(WITHDRAWN)
def withdrawal_holds(read: Read, view: View) -> Iterable[Check]:
    """Return whether the contribution's own owner ordered a withdrawal."""
    said = _predicate(read)
    assert isinstance(said, Withdrawn)
    parent = _material(read, view, 0)
    order = _order(said, parent, missing=lacks(view, next(iter(read.links), None)))
    return (order,) if parent is None else (order, _validator(read, view, parent.predicate.terms))


def _order(said: Withdrawn, parent: Statement | None, *, missing: bool) -> Check:
    name, code, order = "withdrawal-order", "withdrawal_of_another", said.order
    try:
        verify_text(order, said.signature, said.owner, what="withdrawal")
    except Error as error:
        return failed(name, error.code, error.detail, expected=error.expected, got=error.got)
    if missing:
        return not_checked(name, "the contribution's own statement is not in this proof")
    if parent is None:
        return failed(
            name, "withdrawal_unfounded", "it names no statement on the contribution",
            expected=f"as its first input, a statement of the type {CONTRIBUTION}", got="none",
        )  # fmt: skip
    made: Contribution = parent.predicate
    pairs = (
        ("owner", made.consent.owner, said.owner),
        ("file", made.consent.file, order.file),
        ("recipient", made.consent.recipient, order.recipient),
        ("contribution", made.contribution, said.contribution),
    )
    for what, expected, got in pairs:
        if expected != got:
            return _unequal(name, code, whose="contribution", what=what, expected=expected, got=got)
    return passed(name, "the contribution's owner ordered it")


def _consent(said: Contribution, subjects: set[str]) -> Check:
    name, consent = "owner-consent", said.consent
    try:
        consent.check()
        verify_text(consent, said.signature, consent.owner, what="consent")
    except Error as error:
        return failed(name, error.code, error.detail, expected=error.expected, got=error.got)
    pairs = (
        ("pool", consent.pool, said.terms.digest_text),
        ("payout", consent.payout, said.payout),
        ("contribution", consent.contribution, said.contribution),
    )
    for what, expected, got in pairs:
        if expected != got:
            return _unequal(
                name, f"consent_other_{what}", whose="owner", what=what, expected=expected, got=got
            )
    if consent.ciphertext not in subjects:
        got = ", ".join(sorted(subjects))
        return _unequal(
            name,
            "consent_other_file",
            whose="owner",
            what="file",
            expected=consent.ciphertext,
            got=got,
        )
    return passed(name, "the owner consented to this pool, this file and this payout")


def _decision(said: Contribution) -> Check:
    name = "decision"
    forms = {
        "accepted": said.scores is not None and not said.reasons and not said.copy_of,
        "copy": said.scores is not None and bool(said.copy_of) and not said.reasons,
        "refused": said.scores is None and bool(said.reasons) and not said.copy_of,
    }
    if not forms.get(said.decision, False):
        return failed(
            name, "decision_inconsistent", "the decision does not fit what is said beside it",
            expected=", ".join(forms), got=said.decision[:40],
        )  # fmt: skip
    return passed(name, f"the contribution was decided: {said.decision}")


def _weight(said: Contribution) -> Check:
    name, scores = "weight", said.scores
    expected = 0
    if scores is not None:
        counts = (scores.confirmed, scores.new)
        if scores.records < 1 or not all(0 <= one <= scores.records for one in counts):
            return failed(
                name, "scores_inconsistent", "more was found than there are records, or none are",
                expected="0 to as many as there are records, which are 1 or more",
                got=f"{scores.records} records, {scores.new} new, {scores.confirmed} confirmed",
            )  # fmt: skip
        factors = {
            "novelty": novelty_of(records=scores.records, new=scores.new),
            "evidence": evidence_of(records=scores.records, confirmed=scores.confirmed),
            "value": min(MILLION, max(0, scores.value)),
        }
        for what, value in factors.items():
            if getattr(scores, what) != value:
                got = str(getattr(scores, what))
                return _unequal(
                    name, "scores_inconsistent", whose="scores", what=what, expected=str(value),
                    got=got,
                )  # fmt: skip
        if said.decision == "accepted":
            expected = weight_of(new=scores.new, value=scores.value, evidence=scores.evidence)
    if said.weight != expected:
        return _unequal(
            name, "weight_mismatch", whose="scores", what="weight", expected=str(expected),
            got=str(said.weight),
        )  # fmt: skip
    return passed(name, "the weight follows from novelty, value and evidence", got=str(said.weight))


def _validator(read: Read, view: View, terms: PoolTerms) -> Check:
    name = "pool-code"
    facts = {} if read.author is None else view.facts(read.author)
    if not facts:
        return not_checked(name, "nothing is established about the machine that said this")
    code = code_of(facts)
    if code is None or code not in terms.validators:
        return failed(
            name, "pool_code_other", "this was not said by the code that the pool's terms name",
            expected=", ".join(terms.validators), got=code or "none",
        )  # fmt: skip
    return passed(name, "the code that the pool's terms name said this", got=code)


def _parts(said: Dataset, read: Read, view: View) -> Check:
    name = "dataset-parts"
    if len(read.links) != len(said.parts):
        return failed(
            name, "parts_mismatch", "each part has one statement, in the same order",
            expected=f"{len(said.parts)} materials", got=f"{len(read.links)}",
        )  # fmt: skip
    missing = 0
    for number, part in enumerate(said.parts):
        if lacks(view, read.links[number]):
            missing += 1
            continue
        parent = _material(read, view, number)
        if parent is None:
            return failed(
                name, "part_unproven", "a part's contribution is not among the dataset's inputs",
                expected=part.contribution,
            )  # fmt: skip
        for what, expected, got in _fields(part, parent, said.terms):
            if expected != got:
                return _unequal(
                    name,
                    "parts_mismatch",
                    whose="contribution",
                    what=what,
                    expected=expected,
                    got=got,
                )
    if missing:
        return not_checked(name, f"{missing} contributions of its parts are not in this proof")
    return passed(name, f"all {len(said.parts)} parts are what their contributions say")


def _fields(
    part: DatasetPart, parent: Statement, terms: PoolTerms
) -> Iterator[tuple[str, str, str]]:
    made: Contribution = parent.predicate
    consent, scores = made.consent, made.scores
    roots = [subject.sha256 for subject in parent.subjects if subject.name == RECORDS]
    yield "decision", "accepted", made.decision
    yield "pool", made.terms.digest_text, terms.digest_text
    yield "contribution", made.contribution, part.contribution
    yield "sequence", str(made.sequence), str(part.sequence)
    yield "owner", consent.owner, part.owner
    yield "payout", made.payout, part.payout
    yield "file", consent.file, part.file
    yield "ciphertext", consent.ciphertext, f"sha256:{part.ciphertext}"
    yield "root", ", ".join(roots), f"sha256:{part.root}"
    yield "records", str(scores.records if scores else 0), str(part.records)
    yield "weight", str(made.weight), str(part.weight)


def _root(said: Dataset, read: Read) -> Check:
    name, root = "dataset-root", named(dataset_root(said.parts))
    if [subject.sha256 for subject in read.subjects] != [root]:
        got = ", ".join(subject.sha256 for subject in read.subjects)
        return _unequal(
            name, "dataset_root_mismatch", whose="parts", what="root", expected=root, got=got
        )
    return passed(name, "the root follows from the parts", got=root)


def _sums(said: Dataset) -> Check:
    name = "dataset-sums"
    places = [part.sequence for part in said.parts]
    arrived = len(said.parts) + len(said.withdrawn) + said.copies + said.refused
    pairs = (
        ("records", sum(part.records for part in said.parts), said.records),
        ("weight", sum(part.weight for part in said.parts), said.weight),
        ("through", arrived, said.through),
        ("order of arrival", sorted({p for p in places if 0 < p <= said.through}), places),
    )
    for what, expected, got in pairs:
        if expected != got:
            return _unequal(
                name,
                "dataset_sums_mismatch",
                whose="parts",
                what=what,
                expected=str(expected)[:200],
                got=str(got)[:200],
            )
    return passed(name, f"{said.records} records, weight {said.weight}, add up")


def _material(read: Read, view: View, number: int) -> Statement | None:
    """Return the statement behind a material, if it is one on a contribution."""
    links = read.links
    parent = links[number].statement if number < len(links) else None
    made = None if parent is None else view.statement(named(parent))
    statement = None if made is None else made.statement
    is_one = statement is not None and isinstance(statement.predicate, Contribution)
    return statement if is_one else None


def _predicate(read: Read) -> object:
    assert read.statement is not None
    return read.statement.predicate


def _unequal(name: str, code: str, *, whose: str, what: str, expected: str, got: str) -> Check:
    return failed(name, code, f"the {what} is not what the {whose} say", expected=expected, got=got)
