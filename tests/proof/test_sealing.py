"""Seal in one call, save, open and verify: the short way, and what it refuses."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from teeproof.core.digests import sha256
from teeproof.core.errors import Error, Malformed, Unavailable, Usage
from teeproof.evidence.collect.simulated import opt_in_policy
from teeproof.evidence.record import Evidence
from teeproof.proof.file import ProofFile, export
from teeproof.proof.graph import Graph
from teeproof.proof.links import Link, Material, Subject
from teeproof.proof.log.storage.log import Log
from teeproof.proof.opening import load, verify
from teeproof.proof.statement import Statement, Step
from teeproof.proof.workload import Identity
from tests.proof.attacks.tools import receipt
from tests.proof.people import NOW, attester, platform, policy


@pytest.fixture
def me() -> Identity:
    return Identity.boot(attester(), now=lambda: NOW)


def of(data: bytes) -> str:
    return f"sha256:{sha256(data).hex()}"


def test_what_was_sealed_is_saved_opened_and_verified(me: Identity, tmp_path: Path) -> None:
    (tmp_path / "question.txt").write_bytes(b"6 x 7")
    data = me.seal("collect", outputs={"data": b"data"})
    answer = me.seal(
        "answer",
        outputs={"answer.txt": b"42"},
        inputs={"question": tmp_path / "question.txt", "data": data},
        parameters={"seed": "7"},
    )
    assert [subject.sha256 for subject in answer.statement.subjects] == [of(b"42")]
    assert answer.statement.links == (
        Link("question", of(b"6 x 7"), None, "question.txt"),
        Link("data", of(b"data"), data.id, "data"),
    )
    done = answer.save(tmp_path / "answer.proof")
    assert done.statements == 2
    for what in (tmp_path / "answer.proof", (tmp_path / "answer.proof").read_bytes(), answer):
        assert verify(what, policy=policy(), now=NOW).ok
    proof = load(tmp_path / "answer.proof")
    assert isinstance(proof, ProofFile)
    assert proof.roots == (answer.id,)
    assert verify(proof, policy=policy(), now="2026-03-01T12:00:00Z").ok
    proof.close()


def test_one_of_several_outputs_is_chosen_by_name(me: Identity) -> None:
    both = me.seal("split", outputs={"a": b"1", "b": b"2"})
    with pytest.raises(Usage) as refused:
        me.seal("use", outputs={"c": b"3"}, inputs={"part": both})
    assert refused.value.code == "output_ambiguous"
    with pytest.raises(Usage) as refused:
        both["c"]
    assert (refused.value.code, refused.value.expected) == ("output_unknown", "a, b")
    used = me.seal("use", outputs={"c": b"3"}, inputs={"part": both["b"]})
    assert used.statement.links == (Link("part", of(b"2"), both.id, "b"),)


def test_what_cannot_be_sealed_is_refused(me: Identity, tmp_path: Path) -> None:
    cases: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"outputs": {}}, Usage, "outputs_missing"),
        ({"outputs": {"a": bytearray(b"1")}}, Usage, "content_unknown"),
        ({"outputs": {"a": None}}, Usage, "content_unknown"),
        ({"outputs": {"a": b""}, "inputs": {"b": 7}}, Usage, "content_unknown"),
        ({"outputs": {"a": tmp_path / "missing"}}, Unavailable, "file_unavailable"),
        ({"outputs": {"a": str(tmp_path)}}, Usage, "not_a_file"),
        ({"outputs": {"a": b""}, "inputs": {"": b"1"}}, Usage, "inputs_malformed"),
        ({"outputs": {"a": b""}, "parameters": {"x": 1}}, Usage, "parameters_malformed"),
        ({"outputs": {"\udcff": b""}}, Usage, "not_canonical_value"),
    ]
    for given, kind, code in cases:
        with pytest.raises(kind) as refused:
            me.seal("step", **given)
        assert refused.value.code == code, given  # type: ignore[attr-defined]


def test_prompt_that_is_text_is_a_path_and_never_content(me: Identity) -> None:
    """Whoever forgets to encode is told so, and does not seal the digest of a file by accident."""
    with pytest.raises(Unavailable, match="text is a path: encode it"):
        me.seal("answer", outputs={"a": b"42"}, inputs={"question": "what is 6 x 7?"})


@pytest.mark.parametrize("path", ["", 7, None], ids=repr)
def test_a_proof_is_saved_under_a_path(me: Identity, path: Any) -> None:
    with pytest.raises(Usage):
        me.seal("collect", outputs={"data": b"data"}).save(path)


def test_a_log_on_disk_is_a_store_as_memory_is(tmp_path: Path) -> None:
    with Log.create(tmp_path / "log", origin="log.example/a") as log:
        me = Identity.boot(attester(), store=log, now=lambda: NOW)
        sealed = me.seal("collect", outputs={"data": b"data"})
        assert log.size == 2
        sealed.save(tmp_path / "data.proof")
        again = me.seal("collect", outputs={"more": b"more"})
        for proof in (
            ProofFile.open(tmp_path / "data.proof"),
            ProofFile.from_bytes(again.proof()),
        ):
            with proof:
                assert [len(part.entries) for part in proof.logs] == [2]
        me.store.close()  # type: ignore[attr-defined]


def test_an_identity_shows_no_secret_and_is_not_copied(me: Identity) -> None:
    import copy
    import pickle

    secrets = [me.keyring.secret("statement").hex(), repr(me.keyring.secret("statement"))]
    for text in (repr(me), repr(me.keyring), str(me.keyring), repr(me.record)):
        assert not any(secret in text for secret in secrets)
    for act in (copy.copy, copy.deepcopy, pickle.dumps):
        for what in (me, me.keyring):
            if act is copy.copy and what is me:
                continue  # the copy shares the ring and shows no more
            with pytest.raises(TypeError):
                act(what)


@pytest.mark.parametrize(
    "options",
    [{"collateral": b"{}"}, {"expected_spki": b"x"}],
    ids=str,
)
def test_options_of_evidence_say_nothing_about_a_proof(
    me: Identity, options: dict[str, Any]
) -> None:
    sealed = me.seal("collect", outputs={"data": b"data"})
    with pytest.raises(Usage) as refused:
        verify(sealed.proof(), now=NOW, **options)
    assert refused.value.code == "option_unused"


def test_options_of_proofs_say_nothing_about_evidence(me: Identity) -> None:
    evidence = me.record.evidence(me.blobs.__getitem__)
    assert verify(evidence, policy=policy(), now=NOW).ok
    for options in ({"logs": b"x"}, {"author_policy": policy()}):
        for what in (evidence, evidence.quote):
            with pytest.raises(Usage) as refused:
                verify(what, now=NOW, **options)  # type: ignore[call-overload]
            assert refused.value.code == "option_unused"


def test_a_time_without_a_zone_is_refused(me: Identity) -> None:
    sealed = me.seal("collect", outputs={"data": b"data"})
    with pytest.raises(Usage) as refused:
        verify(sealed, now=datetime(2026, 3, 1))
    assert refused.value.code == "time_malformed"


@pytest.mark.parametrize("data", [b"", b"PK\3\4", b"PK\3\4" + bytes(100), b"\0" * 100])
def test_bytes_that_are_nothing_are_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        verify(data, now=NOW)


def test_load_reads_evidence_where_there_is_no_proof(me: Identity, tmp_path: Path) -> None:
    path = tmp_path / "quote.bin"
    path.write_bytes(me.record.evidence(me.blobs.__getitem__).quote)
    assert isinstance(load(path), Evidence)
    with pytest.raises(Unavailable):
        load(tmp_path / "missing.proof")
    with pytest.raises(Unavailable):
        load(tmp_path / ("a" * 300))


def test_host_changes_a_file_between_two_seals(me: Identity, tmp_path: Path) -> None:
    """Each statement names what the file was when it was sealed; the two do not join."""
    path = tmp_path / "data.bin"
    path.write_bytes(b"one")
    first = me.seal("collect", outputs={"data": path})
    path.write_bytes(b"two")
    second = me.seal("train", outputs={"model": b"m"}, inputs={"data": path, "kept": first})
    assert [link.digest for link in second.statement.links] == [of(b"two"), of(b"one")]
    assert second.statement.links[0].statement is None


def test_a_statement_shows_what_it_is_and_of_what(me: Identity, tmp_path: Path) -> None:
    sealed = me.seal("split", outputs={"a": b"1", "b": b"2"})
    assert repr(sealed) == f"Sealed('split', {sealed.name[:23]}…, outputs a, b)"
    assert repr(sealed["a"]) == f"Input('a' of {sealed.name[:23]}…)"
    proof = ProofFile.from_bytes(sealed.proof())
    assert repr(proof) == f"ProofFile({sealed.name[:23]}…; 1 statement, 1 identity, 0 logs)"
    assert repr(Graph.of(proof, roots=proof.roots)) == "Graph(2 nodes, 1 edges)"
    assert repr(me) == f"Identity({me.name[:23]}…, statement, until 2026-03-08T12:00:00Z)"


def someone_else(**options: Any) -> Identity:
    return Identity.boot(attester(), now=lambda: NOW, **options)


def test_what_another_workload_sealed_brings_along_where_it_is_kept(
    me: Identity, tmp_path: Path
) -> None:
    """Three workloads, each with a store of its own; the last proof holds all of them."""
    data = me.seal("collect", outputs={"data": b"data"})
    trainer, server = someone_else(), someone_else()
    model = trainer.seal("train", outputs={"model": b"m", "log": b"l"}, inputs={"data": data})
    answer = server.seal("answer", outputs={"answer": b"42"}, inputs={"model": model["model"]})
    assert answer.save(tmp_path / "answer.proof")[:2] == (3, 3)
    verdict = verify(tmp_path / "answer.proof", policy=policy(), now=NOW)
    assert verdict.ok
    assert {identity.id for identity in verdict.identities} == {
        one.name for one in (me, trainer, server)
    }


def test_an_input_can_be_the_proof_that_somebody_sent(me: Identity, tmp_path: Path) -> None:
    me.seal("collect", outputs={"data": b"data"}).save(tmp_path / "data.proof")
    trainer = someone_else()
    with ProofFile.open(tmp_path / "data.proof") as data:
        model = trainer.seal("train", outputs={"model": b"m"}, inputs={"data": data})
        assert verify(model, policy=policy(), now=NOW).ok
    assert model.statement.links == (Link("data", of(b"data"), data.roots[0], "data"),)


def test_stores_that_are_logs_stay_apart_in_the_proof(tmp_path: Path) -> None:
    with (
        Log.create(tmp_path / "one", origin="log.example/one") as one,
        Log.create(tmp_path / "two", origin="log.example/two") as two,
    ):
        first, second = someone_else(store=one), someone_else(store=two)
        data = first.seal("collect", outputs={"data": b"data"})
        model = second.seal("train", outputs={"model": b"m"}, inputs={"data": data})
        with ProofFile.from_bytes(model.proof()) as proof:
            assert [(part.origin, len(part.entries)) for part in proof.logs] == [
                ("log.example/one", 2),
                ("log.example/two", 2),
            ]
            assert verify(proof, policy=policy(), now=NOW).ok
        for each in (first, second):
            each.store.close()  # type: ignore[attr-defined]


def test_a_statement_whose_inputs_are_elsewhere_is_saved_with_sources(me: Identity) -> None:
    data = me.seal("collect", outputs={"data": b"data"})
    trainer = someone_else()
    material = Material(role="data", digest=data.statement.subjects[0].digest, statement=data.name)
    predicate = Step(author=trainer.name, step="train", materials=(material,))
    said = Statement.of(predicate, subjects=(Subject({"sha256": "1" * 64}, name="model"),))
    model = trainer.keep(said)
    with pytest.raises(Unavailable) as refused:
        model.proof()
    assert refused.value.code == "closure_incomplete"
    for sources in ([me.store], [ProofFile.from_bytes(data.proof())], data.sources):
        assert verify(model.proof(sources=sources), policy=policy(), now=NOW).ok
    assert verify(trainer.keep(said, sources=data.sources), policy=policy(), now=NOW).ok


def test_a_proof_of_several_statements_or_outputs_is_no_single_input(me: Identity) -> None:
    both = me.seal("split", outputs={"a": b"1", "b": b"2"})
    other = me.seal("collect", outputs={"c": b"3"})
    with ProofFile.from_bytes(both.proof()) as proof, pytest.raises(Usage) as refused:
        me.seal("use", outputs={"d": b"4"}, inputs={"part": proof})
    assert (refused.value.code, refused.value.expected) == ("output_ambiguous", "a, b")
    target = io.BytesIO()
    export(me.store, [both.id, other.id], target)
    with ProofFile.from_bytes(target.getvalue()) as proof, pytest.raises(Usage) as refused:
        me.seal("use", outputs={"d": b"4"}, inputs={"part": proof})
    assert refused.value.code == "input_ambiguous"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"step": ""}, "step_missing"),
        ({"step": "  "}, "step_missing"),
        ({"step": 7}, "step_missing"),
        ({"outputs": b"42"}, "outputs_malformed"),
        ({"outputs": ["42"]}, "outputs_malformed"),
        ({"outputs": {1: b"42"}}, "outputs_malformed"),
        ({"outputs": {"": b"42"}}, "outputs_malformed"),
        ({"parameters": {"seed": 7}}, "parameters_malformed"),
        ({"inputs": [b"6 x 7"]}, "inputs_malformed"),
        ({"inputs": b""}, "inputs_malformed"),
        ({"parameters": "seed=7"}, "parameters_malformed"),
    ],
    ids=str,
)
def test_arguments_of_another_kind_are_refused_with_what_was_expected(
    me: Identity, given: dict[str, Any], code: str
) -> None:
    arguments: dict[str, Any] = {"step": "answer", "outputs": {"a": b"42"}} | given
    with pytest.raises(Usage) as refused:
        me.seal(arguments.pop("step"), **arguments)
    assert refused.value.code == code
    assert "such as" in (refused.value.expected or "")


def test_policies_are_named_by_built_in_name_or_path(me: Identity, tmp_path: Path) -> None:
    sealed = me.seal("collect", outputs={"data": b"data"})
    path = tmp_path / "policy.toml"
    path.write_text(opt_in_policy(platform()))
    evidence = me.record.evidence(me.blobs.__getitem__)
    for what in (sealed, evidence):
        assert verify(what, policy=path, now=NOW).ok
        assert verify(what, policy=str(path), now=NOW).ok
        assert verify(what, policy="strict", now=NOW).exit_code == 4
    assert verify(sealed, policy=path, author_policy=str(path), now=NOW).ok
    path.write_text("mrdt = []")
    for given, kind, code in (
        ("srtict", Usage, "policy_unknown"),
        ("missing.toml", Unavailable, "file_unavailable"),
        (path, Usage, None),
        (tmp_path / "missing.toml", Unavailable, "file_unavailable"),
        (7, Usage, "policy_malformed"),
    ):
        with pytest.raises(kind) as refused:
            verify(sealed, policy=given, now=NOW)  # type: ignore[call-overload]
        assert code in (None, refused.value.code)  # type: ignore[attr-defined]
    assert str(path) in str(_error(lambda: verify(sealed, policy=path, now=NOW)))


def _error(act: Any) -> BaseException:
    with pytest.raises(Usage) as refused:
        act()
    return refused.value


def test_a_built_in_policy_is_found_before_a_file_of_its_name(
    me: Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = me.seal("collect", outputs={"data": b"data"})
    monkeypatch.chdir(tmp_path)
    for name in ("strict", "mine"):
        (tmp_path / name).write_text(opt_in_policy(platform()))
    assert verify(sealed, policy="strict", now=NOW).exit_code == 4
    assert verify(sealed, policy=Path("strict"), now=NOW).ok
    assert verify(sealed, policy="mine", now=NOW).ok


def test_trusted_logs_are_named_by_path(tmp_path: Path) -> None:
    with Log.create(tmp_path / "log", origin="log.example/a") as log:
        me = Identity.boot(attester(), store=log, now=lambda: NOW)
        sealed = me.seal("collect", outputs={"data": b"data"})
        path = tmp_path / "trusted-logs"
        path.write_text(f"log {log.verifier.text()}\nquorum none\n")
        for given in (path, str(path), path.read_bytes()):
            verdict = verify(sealed, logs=given, policy=policy(), now=NOW)
            assert verdict.ok
            assert verdict.logs[0].checks[2].state == "passed"
        with pytest.raises(Unavailable):
            verify(sealed, logs=tmp_path / "missing", now=NOW)
        with pytest.raises(Usage):
            verify(sealed, logs=7, now=NOW)  # type: ignore[call-overload]
        me.store.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("what", [None, 7, ["a.proof"], bytearray(b"PK\3\4")], ids=repr)
def test_what_is_verified_or_loaded_is_a_proof_evidence_bytes_or_a_path(what: Any) -> None:
    for act in (verify, load):
        with pytest.raises(Usage) as refused:
            act(what)
        assert refused.value.code == "argument_malformed"
    with pytest.raises(Usage):
        load()
    with pytest.raises(Usage):
        verify(b"", now=7)  # type: ignore[call-overload]


def test_documents_of_ours_that_are_no_proof_say_what_they_are(
    me: Identity, tmp_path: Path
) -> None:
    sealed = me.seal("collect", outputs={"data": b"data"})
    for data, word in (
        (b'{"checkpoints":[],"entry":null,"nodes":[],"type":"urn:teeproof:fork:v1"}\n', "fork"),
        (b'{"type":"urn:teeproof:something:v1"}', "urn:teeproof:something:v1"),
        (b"c2sp.org/tlog-proof@v1\nindex 0\n", "tlog-proof"),
        (sealed.envelope.encode(), "a statement in its envelope"),
        (me.record.encode(), "an identity record"),
        (receipt(someone_else(roles=["receipt"]), "hello"), "an ACI receipt"),
    ):
        path = tmp_path / "thing.proof"
        path.write_bytes(data)
        for act in (load, verify):
            with pytest.raises(Usage, match=word) as refused:
                act(path)
            assert refused.value.code == "neither_proof_nor_evidence"
        with pytest.raises(Usage, match=word):
            verify(data)


@pytest.mark.parametrize("data", [b"{}", b'{"type":7}', b'{"event_log":"[]","quote":"04"}', b"x"])
def test_what_is_nothing_of_ours_is_judged_as_evidence(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "thing"
    path.write_bytes(data)
    with pytest.raises(Error) as refused:
        verify(path, now=NOW)
    assert refused.value.code != "neither_proof_nor_evidence"
