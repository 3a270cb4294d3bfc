"""What a proof file may hold, and that nothing else gets in, not even by a side door."""

from __future__ import annotations

import io

import pytest

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, Usage
from teeproof.proof import canonical
from teeproof.proof.envelope import Envelope
from teeproof.proof.file import Edge, ProofFile, names
from tests.proof.file import scenes

HEX = "0" * 64


def refused(data: bytes, code: str) -> Malformed:
    with pytest.raises(Malformed) as error:
        ProofFile.from_bytes(data)
    assert error.value.code == code, (error.value.code, error.value.detail, error.value.got)
    return error.value


def with_(**added: bytes) -> bytes:
    content = scenes.members(scenes.answer()) | dict(added)
    return scenes.pack(scenes.ordered(content))


def without(*prefixes: str) -> bytes:
    content = scenes.members(scenes.answer())
    return scenes.pack({n: d for n, d in content.items() if not n.startswith(prefixes)})


def test_a_file_answers_as_its_source_does():
    held, ids = scenes.story()
    with ProofFile.from_bytes(scenes.answer()) as file:
        assert file.roots == (ids["answer"],)
        assert set(file.statement_ids) == {ids["dataset"], ids["model"], ids["answer"]}
        assert len(file.identity_digests) == 3
        for key in file.statement_ids:
            assert file.statement(key) == held.statement(key)
            assert file.read(key).id == key
            place, other = file.logged(key), held.logged(key)
            assert (place.index, place.salt, place.checkpoint) == (
                other.index, other.salt, other.checkpoint,
            )  # fmt: skip
        for digest in file.identity_digests:
            assert file.identity(digest) == held.identity(digest)
            assert file.record(digest).encode() == held.identity(digest)
        for digest in file.blob_digests:
            assert file.blob(digest) == held.blob(digest)
        assert file.producers(scenes.of("model")) == [ids["model"]]
        keyset = scenes.person("carol").record.keyset_digest
        assert file.identity_of_keyset(keyset) == scenes.person("carol").digest
        assert file.missing_edges() == ()
        assert file.digest == sha256(scenes.answer())


def test_a_file_says_none_of_what_it_does_not_hold():
    with ProofFile.from_bytes(scenes.answer()) as file:
        nothing = bytes(32)
        assert file.statement(nothing) is None
        assert file.read(nothing) is None
        assert file.identity(nothing) is None
        assert file.record(nothing) is None
        assert file.blob(named(nothing)) is None
        assert file.logged(nothing) is None
        assert list(file.producers(named(nothing))) == []
        assert file.identity_of_keyset(named(nothing)) is None


def test_what_exceeds_the_memory_for_parsed_members_is_parsed_again(monkeypatch):
    monkeypatch.setattr("teeproof.proof.file.contents._KEPT", 0)
    with ProofFile.from_bytes(scenes.answer()) as file:
        assert all(file.read(key).id == key for key in file.statement_ids)
        assert all(file.record(key).digest == key for key in file.identity_digests)


@pytest.mark.parametrize(
    "name",
    [
        "trust/roots.pem",
        "trust/log-policy",
        "policy.json",
        "statements/policy.json",
        f"statements/{HEX}.pem",
        f"statements/{HEX[1:]}.json",
        f"statements/{HEX.replace('0', 'A')}.json",
        f"STATEMENTS/{HEX}.json",
        f"statements\\{HEX}.json",
        f"/statements/{HEX}.json",
        f"../statements/{HEX}.json",
        f"statements/../statements/{HEX}.json",
        f"statements/./{HEX}.json",
        f"statements/{HEX}.json/",
        "statements/",
        f"blobs/{HEX}.json",
        "Manifest.json",
        "manifest.json ",
        "log/../0000000000000000001/nodes",
        "log//0000000000000000001/nodes",
        "log/a/1/nodes",
        "log/a/0000000000000000001/keys",
        "log/A/0000000000000000001/nodes",
        "log/a/0000000000000000001/tiles/0",
        "log/a/0000000000000000001/checkpoints/1",
        "log/a/0000000000000000001/anchors/1.json",
        f"log/{'a' * 201}/0000000000000000001/nodes",
        "a\nb",
        "con",
    ],
)
def test_prover_smuggles_a_member_under_another_name(name):
    error = refused(scenes.pack([*scenes.members(scenes.answer()).items(), (name, b"{}")]),
                    "proof_member_unknown")  # fmt: skip
    assert "trust is what its reader brings" in error.detail


def test_prover_sorts_members_in_another_way():
    refused(scenes.pack(list(reversed(scenes.members(scenes.answer()).items()))), "zip_order")


@pytest.mark.parametrize("place", range(12))
def test_prover_swaps_two_neighbours(place):
    content = list(scenes.members(scenes.answer()).items())
    content[place], content[place + 1] = content[place + 1], content[place]
    refused(scenes.pack(content), "zip_order")


def test_a_zip_file_without_a_manifest_is_no_proof():
    refused(without("manifest.json"), "manifest_missing")
    refused(scenes.pack({}), "manifest_missing")


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{}", id="no fields"),
        pytest.param(b'{"roots":[],"type":"urn:teeproof:proof:v2"}', id="another version"),
        pytest.param(b'{"roots":"x","type":"urn:teeproof:proof:v1"}', id="roots are no list"),
        pytest.param(b'{"roots":[],"trust":[],"type":"urn:teeproof:proof:v1"}', id="trust"),
    ],
)
def test_prover_writes_another_manifest(manifest):
    refused(with_(**{"manifest.json": manifest}), "manifest_malformed")


def test_prover_spells_the_manifest_in_another_way():
    content = scenes.members(scenes.answer())["manifest.json"]
    refused(with_(**{"manifest.json": content.replace(b":[", b": [")}), "not_canonical")
    refused(with_(**{"manifest.json": content + b"\n"}), "not_canonical")


@pytest.mark.parametrize(
    "roots",
    [
        pytest.param([], id="none"),
        pytest.param(["sha256:" + "1" * 64, "sha256:" + "0" * 64], id="unsorted"),
        pytest.param(["sha256:" + "1" * 64, "sha256:" + "1" * 64], id="twice"),
    ],
)
def test_prover_lists_roots_in_another_way(roots):
    manifest = canonical.encode({"roots": roots, "type": "urn:teeproof:proof:v1"})
    refused(with_(**{"manifest.json": manifest}), "manifest_malformed")


def test_prover_names_a_root_that_is_no_digest():
    manifest = canonical.encode({"roots": ["sha256:xx"], "type": "urn:teeproof:proof:v1"})
    refused(with_(**{"manifest.json": manifest}), "digest_malformed")


def test_prover_names_a_root_that_is_not_there():
    error = refused(with_(**{"manifest.json": names.manifest([bytes(32)])}), "root_missing")
    assert error.got == named(bytes(32))


def test_prover_puts_one_statement_in_the_place_of_another():
    _, ids = scenes.story()
    content = scenes.members(scenes.answer())
    one, other = names.statement_name(ids["dataset"]), names.statement_name(ids["model"])
    refused(with_(**{one: content[other]}), "member_mismatch")


def test_prover_puts_one_identity_in_the_place_of_another():
    content = scenes.members(scenes.answer())
    one, other = (names.identity_name(scenes.person(name).digest) for name in ("alice", "bob"))
    refused(with_(**{one: content[other]}), "member_mismatch")


def test_prover_puts_other_bytes_in_the_place_of_a_blob():
    digest = named(sha256(b"quote of alice"))
    with ProofFile.from_bytes(with_(**{names.blob_name(digest): b"another"})) as file:
        with pytest.raises(Malformed) as error:
            file.blob(digest)
        assert error.value.code == "member_mismatch"
        assert file.blob(named(sha256(b"quote of bob"))) == b"quote of bob"


def test_prover_hides_a_field_in_an_envelope():
    _, ids = scenes.story()
    name = names.statement_name(ids["model"])
    data = scenes.members(scenes.answer())[name]
    refused(with_(**{name: data[:-1] + b',"trust":"me"}'}), "not_canonical")
    refused(with_(**{name: data + b"\n"}), "not_canonical")


def test_prover_spells_a_receipt_in_another_way():
    _, ids = scenes.story()
    name = names.statement_name(ids["answer"])
    data = scenes.members(scenes.answer())[name]
    refused(with_(**{name: data.replace(b'":"', b'": "', 1)}), "not_canonical")


def test_prover_hides_a_field_in_the_envelope_of_an_identity():
    name = names.identity_name(scenes.person("alice").digest)
    data = scenes.members(scenes.answer())[name]
    assert data.endswith(b"]}}")
    refused(with_(**{name: data[:-2] + b',"trust":"me"}}'}), "not_canonical")


def test_a_statement_that_the_roots_do_not_reach_is_refused():
    held, ids = scenes.story()
    added = {names.statement_name(ids["other"]): held.statement(ids["other"])}
    assert refused(with_(**added), "proof_superfluous").got == named(ids["other"])


def test_an_identity_that_nobody_names_is_refused():
    dave = scenes.person("dave")
    added = {names.identity_name(dave.digest): dave.record.encode()}
    assert refused(with_(**added), "proof_superfluous").got == dave.name


def test_a_blob_that_nobody_names_is_refused():
    digest = named(sha256(b"roots of my own"))
    added = {names.blob_name(digest): b"roots of my own"}
    assert refused(with_(**added), "proof_superfluous").got == digest


@pytest.mark.parametrize("word", ["dataset", "model", "answer", "question of answer"])
def test_a_blob_that_a_statement_speaks_of_may_lie_in_the_file(word):
    blob = names.blob_name(named(sha256(word.encode())))
    with ProofFile.from_bytes(with_(**{blob: word.encode()})) as file:
        assert file.blob(scenes.of(word)) == word.encode()


def test_a_file_with_holes_names_each_of_them():
    _, ids = scenes.story()
    alice = scenes.person("alice")
    data = without(
        names.statement_name(ids["dataset"]),
        names.identity_name(scenes.person("bob").digest),
        names.blob_name(named(sha256(b"quote of alice"))),
        "log/",
        names.blob_name(named(sha256(b"quote of bob"))),
    )
    with ProofFile.from_bytes(data) as file:
        assert set(file.missing_edges()) == {
            Edge(ids["model"], "input", named(ids["dataset"])),
            Edge(ids["model"], "author", scenes.person("bob").name),
            Edge(alice.digest, "evidence", named(sha256(b"quote of alice"))),
        }


def test_a_receipt_whose_author_is_not_there_is_a_hole():
    _, ids = scenes.story()
    carol = scenes.person("carol")
    data = without(
        names.identity_name(carol.digest), names.blob_name(named(sha256(b"quote of carol"))), "log/"
    )
    with ProofFile.from_bytes(data) as file:
        assert file.missing_edges() == (
            Edge(ids["answer"], "keyset", carol.record.keyset_digest),
        )  # fmt: skip


def test_one_keyset_in_two_identities_is_answered_by_the_first():
    one, two = (scenes.person("erin", quote=quote) for quote in (b"one", b"two"))
    assert one.record.keyset_digest == two.record.keyset_digest
    held = scenes.source(one, two)
    root = held.add_statement(scenes.receipt(one, "answer"))
    content = scenes.members(scenes.exported(held, root))
    for person in (one, two):
        content[names.identity_name(person.digest)] = person.record.encode()
        for data in person.blobs.values():
            content[names.blob_name(named(sha256(data)))] = data
    with ProofFile.from_bytes(scenes.pack(scenes.ordered(content))) as file:
        both = sorted((one.digest, two.digest))
        assert list(file.identities_of_keyset(one.record.keyset_digest)) == both
        assert file.identity_of_keyset(one.record.keyset_digest) == both[0]


def test_prover_makes_statements_of_each_other():
    alice = scenes.person("alice")
    held = scenes.source(alice)
    one = held.add_statement(scenes.step(alice, "a", inputs=[("b", None)]))
    two = held.add_statement(scenes.step(alice, "b", inputs=[("a", None)]))
    with scenes.opened(held, one) as file:
        assert set(file.statement_ids) == {one, two}


def test_a_statement_signed_by_more_keys_keeps_all_signatures():
    alice, bob = scenes.person("alice"), scenes.person("bob")
    held = scenes.source(alice, bob)
    envelope = scenes.signed_again(scenes.step(alice, "a", cosigners=[bob]), bob)
    root = held.add_statement(envelope)
    with scenes.opened(held, root) as file:
        assert len(Envelope.parse(file.statement(root)).signatures) == 2


@pytest.mark.parametrize(
    "origin",
    [
        "log.example/a", "a", ".", "..", "...", ".hidden", "ends.", "A", "a%2fb", "a/../b", "ä ö",
        "日本", "a b+c", "CON", "\x7f", "a.b.c",
    ],
)  # fmt: skip
def test_an_origin_is_one_safe_component_of_a_path(origin):
    escaped = names.escape(origin)
    assert names.unescape(escaped) == origin
    assert "/" not in escaped
    assert escaped == escaped.lower()
    assert not escaped.startswith(".")
    assert not escaped.endswith(".")
    name = names.part_folder(origin, 5) + "nodes"
    assert names.rank(name) == 5


@pytest.mark.parametrize("text", ["%61", ".", "a..b", "%2F", "%", "%2", "a%", "%ff", "", "A"])
def test_prover_writes_an_origin_in_another_way(text):
    with pytest.raises(Malformed) as error:
        names.unescape(text)
    assert error.value.code == "origin_malformed"


def test_an_origin_too_long_for_a_path_is_refused():
    assert names.escape("a" * 200)
    with pytest.raises(Usage) as error:
        names.escape("/" * 67)
    assert error.value.code == "origin_too_long"


def test_a_log_of_any_origin_fits():
    alice = scenes.person("alice")
    held = scenes.source(alice, log=scenes.new_log("Größe.Example/Log"))
    root = held.add_statement(scenes.step(alice, "a"))
    held.log.publish()
    with scenes.opened(held, root) as file:
        assert [part.origin for part in file.logs] == ["Größe.Example/Log"]


def test_a_file_that_is_refused_is_closed(tmp_path):
    path = tmp_path / "a.proof"
    path.write_bytes(b"no proof at all, though a long enough one")
    import os

    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(Malformed):
        ProofFile.open(path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_same_bytes_are_written_from_a_file_as_from_its_source():
    held, ids = scenes.story()
    with ProofFile.from_bytes(scenes.answer()) as file:
        stream = io.BytesIO(scenes.exported(file, ids["answer"]))
        assert stream.getvalue() == scenes.answer()
        assert scenes.exported(file, ids["model"]) == scenes.exported(held, ids["model"])
