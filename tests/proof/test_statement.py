from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
import pytest

from teeproof.core.errors import Malformed, TooLarge, Usage
from teeproof.proof import canonical
from teeproof.proof.foreign import SLSA_PROVENANCE, VSA
from teeproof.proof.links import Integer, Material, Subject
from teeproof.proof.statement import Predicate, Statement, Step, known_types, predicate_type

A, B, C = ("sha256:" + letter * 64 for letter in "abc")
SUBJECTS = (Subject({"sha256": "d" * 64}, name="model"),)


def step(**changes: Any) -> dict[str, Any]:
    return {"author": A, "step": "train"} | changes


def body(**changes: Any) -> dict[str, Any]:
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "predicate": step(),
        "predicateType": "urn:teeproof:step:v1",
        "subject": [{"digest": {"sha256": "d" * 64}, "name": "model"}],
    } | changes


def refused(value: Any) -> str:
    with pytest.raises(Malformed) as error:
        Statement.parse(value if isinstance(value, bytes) else canonical.encode(value))
    return error.value.code


def test_a_statement_reads_back_with_author_inputs_and_outputs() -> None:
    material = Material(role="data", digest={"sha256": "c" * 64}, statement=B, name="set")
    made = Statement.of(Step(author=A, step="train", materials=(material,)), subjects=SUBJECTS)
    read = Statement.parse(made.payload)
    assert read == made
    assert read.author == bytes.fromhex("a" * 64)
    assert read.links == (("data", C, bytes.fromhex("b" * 64), "set"),)
    assert [subject.sha256 for subject in read.subjects] == ["sha256:" + "d" * 64]
    assert read.name == "sha256:" + read.id.hex()


def test_the_same_payload_is_the_same_statement() -> None:
    assert Statement.parse(canonical.encode(body())).payload == canonical.encode(body())


@pytest.mark.parametrize(
    "changes",
    [
        {"predicate": step(comment="x")},
        {"predicate": step(author="sha256:abc")},
        {"predicate": step(author=None)},
        {"predicate": {"author": A}},
        {"predicate": step(step=1)},
        {"predicate": step(materials=[{"role": "x", "digest": {"sha256": "b"}}])},
        {"predicate": step(materials=[{"role": "", "digest": {"sha256": "b" * 64}}])},
        {"predicate": step(materials=[{"role": "x", "digest": {"sha512": "b" * 128}}])},
        {"predicate": step(materials=[{"digest": {"sha256": "b" * 64}}])},
        {"predicate": step(materials=[{"role": "x", "digest": {"sha256": "B" * 64}}])},
        {"predicate": step(cosigners=[A])},
        {"predicate": step(cosigners=[B, B])},
        {"predicate": step(cosigners=["sha256:" + f"{i:064x}" for i in range(16)])},
        {"_type": "https://in-toto.io/Statement/v0.1"},
        {"subject": []},
        {"subject": [{"name": "model"}]},
        {"subject": [{"digest": {}}]},
        {"subject": [{"digest": {"sha256": "d" * 63}}]},
        {"subject": [{"digest": {"sha256": "d" * 64}, "colour": "red"}]},
        {"extra": 1},
    ],
    ids=str,
)
def test_what_is_no_statement_is_refused(changes: dict[str, Any]) -> None:
    assert refused(body(**changes)) in ("statement_malformed", "digest_malformed")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"step":"train"', b'"step": "train"'),
        (b'"step":"train"', b'"step":"tr\\u0061in"'),
        (b'"step":"train"', b'"step":"train","step":"train"'),
        (b'"author"', b'"materials":[],"author"'),
        (b'"step":"train"', b'"materials":[],"step":"train"'),
        (b'"_type"', b'"_type":"https://in-toto.io/Statement/v1","_type"'),
    ],
    ids=["space", "escape", "twice", "order", "default", "type-twice"],
)
def test_prover_writes_one_statement_in_two_ways(old: bytes, new: bytes) -> None:
    data = canonical.encode(body())
    assert refused(data.replace(old, new, 1)) == "not_canonical"


def test_a_type_of_ours_that_is_not_known_here_is_read_as_far_as_it_goes() -> None:
    value = body(predicateType="urn:teeproof:later:v1", predicate=step(new={"deep": [1]}))
    read = Statement.parse(canonical.encode(value))
    assert not read.known
    assert read.author == bytes.fromhex("a" * 64)
    assert read.predicate["new"] == {"deep": [1]}


def test_a_type_of_ours_without_an_author_is_refused() -> None:
    assert refused(body(predicateType="urn:teeproof:later:v1", predicate={"x": 1}))


def test_numbers_that_readers_hold_differently_are_refused_everywhere() -> None:
    for number in (b"1.5", b"1e2", b"9007199254740993"):
        value = body(predicateType="urn:teeproof:later:v1", predicate=step(x=7))
        assert refused(canonical.encode(value).replace(b'"x":7', b'"x":' + number))


def test_slsa_provenance_names_author_and_dependencies() -> None:
    predicate = {
        "buildDefinition": {
            "resolvedDependencies": [
                {"digest": {"sha256": "c" * 64}, "uri": f"urn:teeproof:statement:{B}"},
                {"digest": {"sha256": "d" * 64}, "uri": "https://example.com"},
            ]
        },
        "runDetails": {"builder": {"id": f"urn:teeproof:identity:{A}"}},
    }
    read = Statement.of_foreign(SLSA_PROVENANCE, predicate, subjects=SUBJECTS)
    assert read.author == bytes.fromhex("a" * 64)
    assert [(link.digest, link.statement) for link in read.links] == [
        (C, bytes.fromhex("b" * 64)),
        ("sha256:" + "d" * 64, None),
    ]


@pytest.mark.parametrize(
    "predicate",
    [{}, {"verifier": {"id": "https://example.com"}}, {"verifier": []}, {"verifier": {"id": 7}}],
)
def test_a_foreign_statement_that_names_no_identity_has_no_author(predicate: Any) -> None:
    assert Statement.of_foreign(VSA, predicate, subjects=SUBJECTS).author is None


@pytest.mark.parametrize(
    "inputs",
    [
        [1],
        [{"digest": "x"}],
        [{"digest": {"sha256": 7}}],
        [{}],
        7,
        "x",
        {"a": 1},
        True,
        [{"digest": {"sha256": "a" * 64, "x": ["a"]}}],
        [{"digest": {"sha256": "a" * 64, "x": 1}}],
    ],
)
def test_a_foreign_statement_with_inputs_that_are_none_is_refused(inputs: Any) -> None:
    with pytest.raises(Malformed):
        Statement.of_foreign(VSA, {"inputAttestations": inputs}, subjects=SUBJECTS)


def test_statements_are_bounded() -> None:
    with pytest.raises(TooLarge):
        Statement.parse(canonical.encode(body(predicate=step(step="x" * (1 << 18)))))


def test_a_predicate_with_a_float_or_an_unbounded_integer_is_not_registered() -> None:
    class Loss(Predicate, frozen=True, kw_only=True):
        curve: tuple[float, ...]

    class Count(Predicate, frozen=True, kw_only=True):
        count: int | None

    for kind in (Loss, Count):
        with pytest.raises(Usage) as error:
            predicate_type("urn:teeproof:test:v1")(kind)
        assert error.value.code == "type_not_canonical"


def test_a_registered_predicate_is_strict_and_its_name_is_taken() -> None:
    class Vote(Predicate, frozen=True, kw_only=True):
        weight: Integer

    name = "urn:teeproof:test-vote:v1"
    predicate_type(name)(Vote)
    assert name in known_types()
    made = Statement.of(Vote(author=A, weight=2), subjects=SUBJECTS)
    assert Statement.parse(made.payload).predicate.weight == 2
    assert refused(made.payload.replace(b'"weight":2', b'"weight":2.0'))
    with pytest.raises(Usage):
        predicate_type(name)(Step)
    with pytest.raises(Usage):
        Statement.of(Predicate(author=A), subjects=SUBJECTS)


def test_a_predicate_of_ours_is_not_written_as_anothers() -> None:
    with pytest.raises(Usage):
        Statement.of_foreign("urn:teeproof:step:v1", step(), subjects=SUBJECTS)
    with pytest.raises(Usage):
        Statement.of(msgspec.structs.replace(Step(author=A, step="\ud800")), subjects=SUBJECTS)


def test_a_predicate_that_may_hold_anything_is_not_registered() -> None:
    """Such a field would let floats, or one key twice, past the re-encoding."""

    class Anything(Predicate, frozen=True, kw_only=True):
        more: Any

    class Copied(Predicate, frozen=True, kw_only=True):
        more: msgspec.Raw

    class Nested(Predicate, frozen=True, kw_only=True):
        more: tuple[dict[str, object], ...]

    class ByNumber(Predicate, frozen=True, kw_only=True):
        more: dict[int, str]

    class ByBoundedNumber(Predicate, frozen=True, kw_only=True):
        more: dict[Integer, str]

    class HalfBound(Predicate, frozen=True, kw_only=True):
        more: Annotated[int, msgspec.Meta(le=5)]

    class TooWide(Predicate, frozen=True, kw_only=True):
        more: Annotated[int, msgspec.Meta(ge=0, le=2**53)]

    class Numbered(Predicate, frozen=True, kw_only=True):
        more: Literal[1, 2**60]

    class Dated(Predicate, frozen=True, kw_only=True):
        more: datetime

    for kind in (
        Anything,
        Copied,
        Nested,
        ByNumber,
        ByBoundedNumber,
        HalfBound,
        TooWide,
        Numbered,
        Dated,
    ):
        with pytest.raises(Usage) as error:
            predicate_type("urn:teeproof:test-anything:v1")(kind)
        assert error.value.code == "type_not_canonical", kind


def test_as_many_inputs_as_a_payload_holds_are_read_in_no_time_to_speak_of() -> None:
    many = tuple(Material(role="r", digest={"sha256": f"{number:064x}"}) for number in range(2200))
    made = Statement.of(Step(author=A, step="train", materials=many), subjects=SUBJECTS)
    assert len(made.links) == 2200


@pytest.mark.parametrize(
    "digest", [{"sha256": "d" * 64, "x": "zz"}, {"sha256": "d" * 64, "sha512": "d"}]
)
def test_every_digest_is_one(digest: dict[str, str]) -> None:
    assert refused(body(subject=[{"digest": digest}])) == "statement_malformed"
