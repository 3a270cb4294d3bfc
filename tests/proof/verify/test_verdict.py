"""The verdict as a whole: level, confidentiality, exit codes, order, JSON."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from teeproof.evidence.verdict import Concern, Level, Verdict, failed
from teeproof.proof.verify import Fault, ProofVerdict, verify_proof
from tests.proof.attacks.tools import holds, opened
from tests.proof.people import digest, step, workload_named
from tests.proof.verify.scenes import refused, whole
from tests.proof.world import LATER, World, lifecycle


def machines(verdict: ProofVerdict) -> list[Verdict]:
    return [each.evidence for each in verdict.identities if each.evidence is not None]


def remembered(*changes: dict[str, Any]) -> ProofVerdict:
    """A verdict with machines that are as if they had these levels: what was found is replaced."""
    world = World()
    people = [workload_named(f"machine {number}") for number in range(len(changes))]
    world.add(*people)
    made = [world.say(step(one, "make", one.name), one) for one in people]
    world.publish()
    file = world.export(*made)
    known: dict[Any, Any] = {}
    world.verify(file, known=known)
    order = {
        one.record.claim.evidence[0].id: change for one, change in zip(people, changes, strict=True)
    }
    for key, (checks, machine) in known.items():
        known[key] = checks, msgspec.structs.replace(machine, **order[machine.subject])
    return world.verify(file, known=known)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (("hardware",), "hardware"),
        (("hardware", "hardware"), "hardware"),
        (("hardware", "measured"), "measured"),
        (("measured", "hardware", "simulated"), "simulated"),
        (("hardware", None), None),
        ((None, "simulated"), None),
    ],
)
def test_the_level_is_the_lowest_of_all_machines(
    levels: tuple[Level | None, ...], expected: Level | None
) -> None:
    assert remembered(*({"level": level} for level in levels)).level == expected


@pytest.mark.parametrize(
    ("each", "expected"),
    [((True,), True), ((True, True), True), ((True, False), False), ((False,), False)],
)
def test_it_is_confidential_if_every_machine_is(each: tuple[bool, ...], expected: bool) -> None:
    verdict = remembered(*({"confidential": one} for one in each))
    assert verdict.confidential is expected


def test_failures_are_the_failed_checks_of_all_its_parts() -> None:
    assert whole().failures == ()
    for verdict in refused():
        assert verdict.failures == tuple(fault.check for fault in verdict.faults)
        assert {check.state for check in verdict.failures} == {"failed"}


def fault(concern: Concern) -> Fault:
    check = failed("a-check", "a_code", "it does not hold", concern)
    return Fault(where="proof", subject="", path=(), check=check)


@pytest.mark.parametrize(
    ("concerns", "code"),
    [
        ((), 0),
        (("policy",), 4),
        (("availability",), 3),
        (("authenticity",), 2),
        (("policy", "availability"), 3),
        (("policy", "authenticity"), 2),
        (("availability", "authenticity", "policy"), 2),
    ],
)
def test_the_exit_code_is_the_gravest(concerns: tuple[Concern, ...], code: int) -> None:
    faults = tuple(map(fault, concerns))
    verdict = msgspec.structs.replace(whole(), faults=faults, ok=not faults)
    assert verdict.exit_code == code
    assert verdict.authentic is not bool({"authenticity", "availability"} & set(concerns))


def test_verdicts_that_refuse_cover_all_exit_codes() -> None:
    assert {verdict.exit_code for verdict in (whole(), *refused())} == {0, 2, 3, 4}
    assert all(verdict.ok is (verdict.exit_code == 0) for verdict in (whole(), *refused()))


def test_a_verdict_is_neither_true_nor_false() -> None:
    with pytest.raises(TypeError):
        bool(whole())


def test_the_same_input_gives_the_same_verdict() -> None:
    world, said = lifecycle()
    file = world.export(said["action"])
    first = json.dumps(world.verify(file).to_json())
    assert json.dumps(world.verify(file).to_json()) == first
    known: dict[Any, Any] = {}
    for _ in range(2):
        assert json.dumps(world.verify(file, known=known).to_json()) == first


def test_the_json_is_plain_and_its_evidence_is_a_verdict_of_evidence() -> None:
    value = json.loads(json.dumps(whole().to_json()))
    assert list(value) == [
        "type", "roots", "ok", "level", "confidential", "time", "checks", "logs", "identities",
        "statements", "faults", "provenance", "authentic", "exit_code", "key",
    ]  # fmt: skip
    for identity, given in zip(value["identities"], whole().identities, strict=True):
        assert given.evidence is not None
        again = Verdict.from_json(json.dumps(identity["evidence"]))
        assert again.subject == given.evidence.subject


def test_inputs_come_before_what_was_made_of_them() -> None:
    place = {one.id: index for index, one in enumerate(whole().statements)}
    for one in whole().statements:
        assert all(place[below] < place[one.id] for below in one.inputs)
    assert whole().statements[-1].id in whole().roots


def test_statements_and_identities_are_found_by_name() -> None:
    verdict = whole()
    for one in verdict.statements:
        assert verdict.statement(one.id) is one
        assert verdict.identity(one.author or "").id == one.author
    with pytest.raises(KeyError):
        verdict.statement("sha256:" + "0" * 64)
    with pytest.raises(KeyError):
        verdict.identity("sha256:" + "0" * 64)


def test_a_fault_names_the_way_from_the_root() -> None:
    world, said = lifecycle()
    del world.source._identities[workload_named("validator").digest]
    verdict = world.verify(world.export(said["action"], allow_missing=True))
    ways = {fault.subject: fault.path for fault in verdict.faults}
    chain = ("action", "answer", "model", "dataset", "first")
    assert ways[said["first"].name] == tuple(said[name].name for name in chain)


def test_a_machine_that_fails_is_shown_with_a_statement_of_its_workload() -> None:
    world, said = lifecycle()
    verdict = world.verify(world.export(said["model"]), policy=None)
    (first, *_) = [f for f in verdict.faults if f.subject == workload_named("trainer").name]
    assert (first.where, first.path) == ("evidence", (said["model"].name,))
    author = {c.name: c for c in verdict.statement(said["model"].name).checks}["author"]
    assert (author.state, author.code) == ("failed", "author_refused")
    assert "author_refused" not in {f.check.code for f in verdict.faults}


def test_the_time_of_several_roots_is_that_of_the_last() -> None:
    world, said = lifecycle()
    later = world.say(step(workload_named("agent"), "rest", "rest"), workload_named("agent"))
    world.publish(at=LATER)
    verdict = world.verify(world.export(said["action"], later))
    assert holds(verdict)
    assert (verdict.time, len(verdict.roots)) == ("2026-03-01T13:00:00Z", 2)
    world.source.log = None
    unlogged = world.say(step(workload_named("agent"), "hide", "hide"), workload_named("agent"))
    assert world.verify(world.export(said["action"], unlogged)).time is None


def test_what_comes_from_outside_is_said_to() -> None:
    world, said = lifecycle()
    verdict = world.verify(world.export(said["dataset"]))
    checks = {c.name: c for c in verdict.statement(said["first"].name).checks}
    assert checks["inputs"].state == "passed"
    assert (checks["origins"].state, checks["origins"].got) == (
        "not_checked", f"record sha256:{digest('first')}",
    )  # fmt: skip


def test_a_proof_without_trust_is_judged_by_the_built_in_policies() -> None:
    world, said = lifecycle()
    with opened(world.export(said["first"])) as proof:
        verdict = verify_proof(proof, now=LATER)
    assert verdict.exit_code == 4
    assert verdict.level == "simulated"
    assert not verdict.authentic
    assert verdict.provenance.policy == "the default of each kind"
    assert verdict.provenance.logs_digest is None
    states = {c.name: c.state for c in verdict.statements[0].checks}
    assert states["time"] == states["witnesses"] == states["checkpoint"] == "not_checked"
    assert states["inclusion"] == "passed"
