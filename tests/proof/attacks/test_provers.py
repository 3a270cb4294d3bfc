"""The prover writes every byte of the file, and has one genuine workload of its own."""

from __future__ import annotations

import pytest

from teeproof.core.errors import Malformed
from teeproof.proof.envelope import Envelope, Signature, pae
from teeproof.proof.file import ProofFile
from teeproof.proof.foreign import IDENTITY_URN, SLSA_PROVENANCE, VSA
from teeproof.proof.links import Material, Subject
from teeproof.proof.log.formats.entry import STATEMENT
from teeproof.proof.statement import Statement, Step
from tests.proof.attacks import tools
from tests.proof.file.scenes import members, ordered, pack
from tests.proof.people import digest, step, workload_named
from tests.proof.world import World, failures, lifecycle

ALICE, MALLORY = workload_named("alice"), workload_named("mallory")


def scene() -> tuple[World, Statement, Statement]:
    """Alice's dataset, and Mallory's model of it."""
    world = World()
    world.add(ALICE, MALLORY)
    data = world.say(step(ALICE, "validate", "dataset"), ALICE)
    model = world.say(step(MALLORY, "train", "model", of=[("dataset", "dataset", data)]), MALLORY)
    world.publish()
    return world, data, model


def envelope_of(file: bytes, statement: Statement) -> Envelope:
    return Envelope.parse(members(file)[tools.statement_member(statement)])


def test_the_whole_lifecycle_holds() -> None:
    world, said = lifecycle()
    verdict = world.verify(world.export(said["action"]))
    assert tools.holds(verdict)
    assert [s.title for s in verdict.statements[-2:]] == ["answer", "trade"]


def test_a_prover_who_leaves_out_a_parent_leaves_a_hole_that_shows() -> None:
    world, data, model = scene()
    del world.source._statements[data.id]
    verdict = world.verify(world.export(model, allow_missing=True))
    assert tools.found(verdict) == {("statement", "inputs", "parent_missing", "availability")}
    assert verdict.exit_code == 3
    assert verdict.checks[0].state == "not_checked"
    assert verdict.faults[0].check.expected == data.name


def test_a_prover_who_names_a_statement_that_made_something_else_is_caught() -> None:
    world = World()
    world.add(ALICE, MALLORY)
    data = world.say(step(ALICE, "validate", "dataset"), ALICE)
    model = step(MALLORY, "train", "model", of=[("dataset", "poisoned", data)])
    world.say(model, MALLORY)
    world.publish()
    verdict = world.verify(world.export(model))
    assert tools.found(verdict) == {("statement", "inputs", "edge_mismatch", "authenticity")}
    assert verdict.faults[0].path == (model.name,)


def test_a_prover_may_name_a_statement_itself_as_the_input() -> None:
    world, data, _ = scene()
    material = Material(digest={"sha256": data.id.hex()}, role="report", statement=data.name)
    audit = Statement.of(
        Step(author=MALLORY.name, step="audit", materials=(material,)),
        subjects=(Subject({"sha256": digest("audit")}),),
    )
    world.say(audit, MALLORY)
    world.publish()
    assert tools.holds(world.verify(world.export(audit)))


def test_a_prover_whose_statements_were_made_of_each_other_is_caught() -> None:
    world = World()
    world.add(ALICE, MALLORY)
    one = world.say(step(ALICE, "a", "egg", of=[("of", "hen", None)]), ALICE)
    two = world.say(step(MALLORY, "b", "hen", of=[("of", "egg", None)]), MALLORY)
    last = world.say(step(MALLORY, "c", "dish", of=[("of", "egg", one)]), MALLORY)
    world.publish()
    verdict = world.verify(world.export(last))
    assert tools.found(verdict) == {("proof", "acyclic", "cycle", "authenticity")}
    got = verdict.faults[0].check.got or ""
    assert set(got.split(", ")) == {one.name, two.name}


def test_what_was_made_of_the_same_data_by_others_is_no_cycle() -> None:
    world = World()
    world.add(ALICE, MALLORY)
    world.say(step(ALICE, "collect", "data"), ALICE)
    kept = world.say(step(MALLORY, "keep", "data", of=[("of", "data", None)]), MALLORY)
    world.publish()
    verdict = world.verify(world.export(kept))
    assert tools.holds(verdict)
    assert [s.title for s in verdict.statements] == ["collect", "keep"]


def test_a_prover_who_made_something_of_itself_does_not_say_where_it_comes_from() -> None:
    world = World()
    world.add(MALLORY)
    model = world.say(step(MALLORY, "train", "model", of=[("base", "model", None)]), MALLORY)
    world.publish()
    verdict = world.verify(world.export(model))
    checks = {check.name: check.state for check in verdict.statement(model.name).checks}
    assert checks["origins"] == "not_checked"


def test_a_prover_who_changes_what_was_said_changes_its_name() -> None:
    world, data, model = scene()
    file = world.export(model)
    envelope = envelope_of(file, data)
    payload = envelope.payload.replace(b"validate", b"invented")
    changed = Envelope(payload, envelope.signatures)
    with pytest.raises(Malformed) as refused:
        ProofFile.from_bytes(tools.with_envelope(file, data, changed))
    assert refused.value.code == "member_mismatch"


def test_a_prover_who_signs_anothers_words_with_its_own_key_is_caught() -> None:
    world, data, model = scene()
    file = world.export(model)
    signed = Signature(ALICE.name, MALLORY.keyring.sign(pae(data.payload)))
    verdict = world.verify(tools.with_envelope(file, data, Envelope(data.payload, (signed,))))
    assert tools.found(verdict) == {
        ("statement", "signature", "signature_mismatch", "authenticity"),
        ("log", "inclusion", "inclusion_mismatch", "authenticity"),
    }
    assert verdict.faults[-1].path == (model.name, data.name)


def test_key_ids_and_further_signatures_decide_nothing() -> None:
    world, data, model = scene()
    file = world.export(model)
    (good,) = envelope_of(file, data).signatures
    foreign = Signature("anything", MALLORY.keyring.sign(pae(data.payload)))
    unhinted = Signature(MALLORY.name, good.sig)
    several = Envelope(data.payload, (unhinted, foreign))
    assert tools.holds(world.verify(tools.with_envelope(file, data, several)))


def test_a_prover_who_puts_another_signature_first_is_caught() -> None:
    world, data, model = scene()
    file = world.export(model)
    (good,) = envelope_of(file, data).signatures
    foreign = Signature("anything", MALLORY.keyring.sign(pae(data.payload)))
    several = Envelope(data.payload, (foreign, good))
    verdict = world.verify(tools.with_envelope(file, data, several))
    assert ("statement", "signature", "signature_mismatch", "authenticity") in tools.found(verdict)


def test_a_prover_who_signs_words_as_another_kind_of_payload_is_caught() -> None:
    world, data, model = scene()
    file = world.export(model)
    kind = "application/vnd.in-toto+json; charset=utf-8"
    signed = Signature("", ALICE.keyring.sign(pae(data.payload, kind)))
    as_statement = Envelope(data.payload, (signed,))
    assert failures(world.verify(tools.with_envelope(file, data, as_statement))) == {
        "signature": "signature_mismatch",
        "inclusion": "inclusion_mismatch",
    }
    with pytest.raises(Malformed) as refused:
        ProofFile.from_bytes(
            tools.with_envelope(file, data, Envelope(data.payload, (signed,), kind))
        )
    assert refused.value.code == "record_malformed"


def test_a_prover_who_uses_an_identity_statement_as_a_statement_is_refused() -> None:
    world, _, model = scene()
    content = members(world.export(model))
    envelope = ALICE.record.envelope
    content[f"statements/{envelope.id.hex()}.json"] = envelope.encode()
    with pytest.raises(Malformed) as refused:
        ProofFile.from_bytes(pack(ordered(content)))
    assert refused.value.code == "statement_malformed"


def test_a_prover_who_uses_a_statement_as_an_identity_is_refused() -> None:
    world, data, model = scene()
    file = world.export(model)
    record = members(file)[tools.identity_member(ALICE)]
    swapped = record.replace(ALICE.record.envelope.encode(), envelope_of(file, data).encode())
    with pytest.raises(Malformed) as refused:
        ProofFile.from_bytes(tools.rewritten(file, {tools.identity_member(ALICE): swapped}))
    assert refused.value.code == "identity_statement_malformed"


@pytest.mark.parametrize("name", ["roots.pem", "policy.toml", "trust/root.pem", "logs.policy"])
def test_a_prover_who_brings_its_own_roots_is_refused(name: str) -> None:
    world, _, model = scene()
    content = [*members(world.export(model)).items(), (name, b"trust me")]
    with pytest.raises(Malformed) as refused:
        ProofFile.from_bytes(pack(content))
    assert refused.value.code == "proof_member_unknown"


def test_a_prover_who_brings_its_roots_as_a_blob_is_refused() -> None:
    world, _, model = scene()
    root = b"-----BEGIN CERTIFICATE-----"
    name = "blobs/" + tools.name_of(root).removeprefix("sha256:")
    with pytest.raises(Malformed) as refused:
        ProofFile.from_bytes(tools.rewritten(world.export(model), {name: root}))
    assert refused.value.code == "proof_superfluous"


def test_a_prover_who_gives_one_statement_twice_is_refused() -> None:
    world, data, model = scene()
    content = list(members(world.export(model)).items())
    twice = next(item for item in content if item[0] == tools.statement_member(data))
    content.insert(content.index(twice), twice)
    with pytest.raises(Malformed) as refused:
        ProofFile.from_bytes(pack(content))
    assert refused.value.code == "zip_name_repeated"


def test_a_prover_who_leaves_out_the_author_leaves_nobody_to_hold_to_it() -> None:
    world, data, model = scene()
    del world.source._identities[ALICE.digest]
    verdict = world.verify(world.export(model, allow_missing=True))
    assert tools.found(verdict) == {("statement", "signature", "author_missing", "availability")}
    author = {c.name: c.state for c in verdict.statement(data.name).checks}["author"]
    assert (author, verdict.exit_code) == ("not_checked", 3)


def slsa(builder: str, *, step_of: Statement | None = None) -> Statement:
    dependency: dict[str, object] = {"digest": {"sha256": digest("dataset")}}
    if step_of is not None:
        dependency["uri"] = f"urn:teeproof:statement:{step_of.name}"
    predicate = {
        "buildDefinition": {
            "buildType": "https://example.com/build",
            "externalParameters": {},
            "resolvedDependencies": [dependency],
        },
        "runDetails": {"builder": {"id": builder}},
    }
    subjects = (Subject({"sha256": digest("image")}),)
    return Statement.of_foreign(SLSA_PROVENANCE, predicate, subjects=subjects)


def vsa(verifier: str) -> Statement:
    return Statement.of_foreign(
        VSA,
        {"verifier": {"id": verifier}, "verificationResult": "PASSED"},
        subjects=(Subject({"sha256": digest("image")}),),
    )


@pytest.mark.parametrize("make", [slsa, vsa])
def test_a_foreign_predicate_by_an_identity_of_ours_holds(make: object) -> None:
    world, *_ = scene()
    statement = make(IDENTITY_URN + MALLORY.name)  # type: ignore[operator]
    world.say(statement, MALLORY)
    world.publish()
    verdict = world.verify(world.export(statement))
    assert tools.holds(verdict)
    assert verdict.statement(statement.name).checks[0].state == "not_checked"


@pytest.mark.parametrize("make", [slsa, vsa])
def test_a_prover_whose_builder_is_a_web_address_has_no_author(make: object) -> None:
    """Our logs do not take it; another's may, and then names nobody in the entry."""
    world, *_ = scene()
    statement = make("https://github.com/actions/runner")  # type: ignore[operator]
    signed = Signature("", MALLORY.keyring.sign(pae(statement.payload)))
    envelope = Envelope(statement.payload, (signed,))
    with pytest.raises(Malformed) as refused:
        world.put(envelope)
    assert refused.value.code == "author_missing"
    world.source.log = None
    world.put(envelope)
    world.source.log = world.log
    world.log.append(STATEMENT, statement.id, bytes(32), envelope.seal(1))
    world.publish()
    verdict = world.verify(world.export(statement))
    assert tools.found(verdict) == {("statement", "signature", "author_unnamed", "authenticity")}
    assert not verdict.confidential


@pytest.mark.parametrize("make", [slsa, vsa])
def test_a_prover_who_names_another_as_builder_is_caught(make: object) -> None:
    world, *_ = scene()
    statement = make(IDENTITY_URN + ALICE.name)  # type: ignore[operator]
    signed = Signature(ALICE.name, MALLORY.keyring.sign(pae(statement.payload)))
    world.put(Envelope(statement.payload, (signed,)))
    world.publish()
    assert failures(world.verify(world.export(statement))) == {"signature": "signature_mismatch"}


def depending_on(*inputs: dict[str, object]) -> Statement:
    predicate = {
        "buildDefinition": {"resolvedDependencies": list(inputs)},
        "runDetails": {"builder": {"id": IDENTITY_URN + MALLORY.name}},
    }
    subjects = (Subject({"sha256": digest("image")}),)
    return Statement.of_foreign(SLSA_PROVENANCE, predicate, subjects=subjects)


COMMIT = {"uri": "git+https://example.com/code", "digest": {"gitCommit": "a" * 40}}
ADDRESS = {"uri": "https://example.com/tool.tar.gz"}


def test_a_dependency_without_a_sha256_comes_from_outside() -> None:
    """It joins nothing, so it is shown; who would hide it could as well leave it out."""
    world, data, _ = scene()
    known: dict[str, object] = {
        "digest": {"sha256": digest("dataset")}, "uri": f"urn:teeproof:statement:{data.name}",
    }  # fmt: skip
    for inputs, got, count in (
        ([COMMIT], f"dependency gitCommit:{'a' * 40}", "1 of 1"),
        ([ADDRESS], "dependency https://example.com/tool.tar.gz", "1 of 1"),
        ([known, COMMIT], f"dependency gitCommit:{'a' * 40}", "1 of 2"),
    ):
        statement = world.say(depending_on(*inputs), MALLORY)
        world.publish()
        verdict = world.verify(world.export(statement))
        assert tools.holds(verdict)
        checks = {check.name: check for check in verdict.statement(statement.name).checks}
        assert checks["inputs"].state == "passed"
        assert (checks["origins"].state, checks["origins"].got) == ("not_checked", got)
        assert checks["origins"].detail.startswith(count)


@pytest.mark.parametrize(
    "given",
    [
        {"digest": {"gitCommit": "a" * 40}, "uri": "urn:teeproof:statement:sha256:" + "1" * 64},
        {"digest": {"gitCommit": "A" * 40}},
        {"digest": {"gitCommit": "a" * 39}},
        {"digest": {"gitCommit": 7}},
        {"digest": ["a"], "uri": "x"},
        {"digest": {}},
        {"uri": 7},
        {},
        "text",
    ],
    ids=repr,
)
def test_a_dependency_that_names_nothing_or_a_statement_without_a_sha256_is_refused(
    given: dict[str, object],
) -> None:
    with pytest.raises(Malformed) as refused:
        depending_on(given)
    assert refused.value.code == "statement_malformed"


def test_a_dependency_names_the_statement_that_made_it() -> None:
    world, data, _ = scene()
    statement = slsa(IDENTITY_URN + MALLORY.name, step_of=data)
    world.say(statement, MALLORY)
    world.publish()
    verdict = world.verify(world.export(statement))
    assert tools.holds(verdict)
    assert verdict.statement(statement.name).inputs == (data.name,)


def test_a_predicate_of_an_unknown_type_passes_and_says_what_was_not_read() -> None:
    world, data, _ = scene()
    payload = data.payload.replace(b"urn:teeproof:step:v1", b"urn:teeproof:later:v9")
    statement = Statement.parse(payload)
    world.say(statement, ALICE)
    world.publish()
    verdict = world.verify(world.export(statement))
    form = verdict.statement(statement.name).checks[0]
    assert tools.holds(verdict)
    assert (form.name, form.state) == ("form", "not_checked")


def test_a_prover_who_leaves_out_a_cosigner_is_caught() -> None:
    world = World()
    world.add(ALICE, MALLORY)
    joint = step(MALLORY, "decide", "act", cosigners=(ALICE.name,))
    world.put(MALLORY.sign(joint))
    world.publish()
    assert tools.found(world.verify(world.export(joint))) == {
        ("statement", "cosigners", "cosignature_missing", "authenticity")
    }


def test_what_all_signed_holds_and_an_unknown_cosigner_is_a_hole() -> None:
    world = World()
    world.add(ALICE, MALLORY)
    joint = world.say(step(MALLORY, "decide", "act", cosigners=(ALICE.name,)), MALLORY, ALICE)
    world.publish()
    assert tools.holds(world.verify(world.export(joint)))
    del world.source._identities[ALICE.digest]
    assert tools.found(world.verify(world.export(joint, allow_missing=True))) == {
        ("statement", "cosigners", "cosigner_missing", "availability")
    }


def test_a_prover_who_forges_a_cosignature_is_caught() -> None:
    world = World()
    world.add(ALICE, MALLORY)
    joint = step(MALLORY, "decide", "act", cosigners=(ALICE.name,))
    own = MALLORY.keyring.sign(pae(joint.payload))
    world.put(Envelope(joint.payload, (Signature("", own), Signature(ALICE.name, own[::-1]))))
    world.publish()
    assert failures(world.verify(world.export(joint))) == {"cosigners": "cosignature_missing"}
