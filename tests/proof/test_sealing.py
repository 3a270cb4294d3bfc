"""Seal in one call, save, open and verify: the short way, and what it refuses."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from teeproof.core.digests import sha256
from teeproof.core.errors import Malformed, Unavailable, Usage
from teeproof.evidence.record import Evidence
from teeproof.proof.file import ProofFile
from teeproof.proof.links import Link
from teeproof.proof.log.storage.log import Log
from teeproof.proof.opening import load, verify
from teeproof.proof.workload import Identity
from tests.proof.people import NOW, attester, policy


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
        ({"outputs": {"a": b""}, "inputs": {"": b"1"}}, Malformed, "statement_malformed"),
        ({"outputs": {"a": b""}, "parameters": {"x": 1}}, Malformed, "statement_malformed"),
        ({"outputs": {"\udcff": b""}}, Usage, "not_canonical_value"),
    ]
    for given, kind, code in cases:
        with pytest.raises(kind) as refused:
            me.seal("step", **given)
        assert refused.value.code == code, given  # type: ignore[attr-defined]


def test_prompt_that_is_text_is_a_path_and_never_content(me: Identity) -> None:
    """Whoever forgets to encode is told so, and does not seal the digest of a file by accident."""
    with pytest.raises(Unavailable):
        me.seal("answer", outputs={"a": b"42"}, inputs={"question": "what is 6 x 7?"})


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
