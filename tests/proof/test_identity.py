from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, NotAllowed, NotAuthentic, Usage
from teeproof.evidence.binding import report_data_for
from teeproof.evidence.naming import name_evidence, report_data_of
from teeproof.evidence.record import Evidence
from teeproof.evidence.verify import verify
from teeproof.proof import canonical
from teeproof.proof.envelope import Envelope
from teeproof.proof.identity import IdentityRecord, identity_payload
from teeproof.proof.source import read_record
from teeproof.proof.workload import Identity
from tests.proof.people import NOW, attester, policy, step, workload_named


def record_with(**changes: Any) -> bytes:
    """The record of a workload, with parts of the claim changed and nothing signed again."""
    record = workload_named("author").record
    body = json.loads(record.envelope.payload)
    body["predicate"] |= changes
    envelope = Envelope(canonical.encode(body), record.envelope.signatures)
    return IdentityRecord(envelope=envelope, attachments=record.attachments).encode()


def test_an_identity_is_a_key_document_and_evidence_that_commits_to_it() -> None:
    me = workload_named("author", "receipt", ("seal", "x25519"))
    read = IdentityRecord.parse(me.record.encode())
    assert read == me.record
    assert read.digest == sha256(me.record.envelope.payload)
    verdict = verify(read.evidence(me.blobs.__getitem__), now=NOW, policy=policy())
    assert verdict.ok
    assert verdict.facts["report_data"] == read.report_data.hex()
    assert verdict.subject == read.claim.evidence[0].id
    assert name_evidence(read.evidence(me.blobs.__getitem__)) == ("tdx", verdict.subject)


def test_evidence_has_the_same_name_whatever_follows_the_quote() -> None:
    me = workload_named("author")
    evidence = me.record.evidence(me.blobs.__getitem__)
    longer = Evidence(quote=evidence.quote + b"\0" * 9)
    assert name_evidence(longer) == name_evidence(evidence)


def test_a_nonce_enters_the_binding() -> None:
    plain = Identity.boot(attester(), now=lambda: NOW)
    asked = Identity.boot(attester(), nonce="ab" * 32, now=lambda: NOW)
    assert IdentityRecord.parse(asked.record.encode()).claim.nonce == "ab" * 32
    assert asked.record.report_data != plain.record.report_data
    digest = asked.record.keyset_digest
    assert asked.record.report_data == report_data_for(digest, nonce="ab" * 32)
    assert asked.record.report_data != report_data_for(digest, nonce=None)
    evidence = asked.record.evidence(asked.blobs.__getitem__)
    assert report_data_of(evidence) == asked.record.report_data


def test_host_swaps_a_part_of_the_evidence() -> None:
    me = workload_named("author")
    blobs = dict.fromkeys(me.blobs, b"other")
    with pytest.raises(NotAuthentic) as refused:
        me.record.evidence(blobs.__getitem__)
    assert refused.value.code == "blob_mismatch"


@pytest.mark.parametrize(
    "changes",
    [
        {"evidence": []},
        {"evidence": [{"kind": "tdx", "id": "sha256:" + "a" * 64}] * 2},
        {"evidence": [{"kind": "tdx", "id": "abc"}]},
        {"nonce": "x" * 257},
        {"nonce": 7},
        {"owner": "x"},
        {"keys": {}},
    ],
    ids=str,
)
def test_what_is_no_identity_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        IdentityRecord.parse(record_with(**changes))


def test_operator_puts_another_key_document_under_the_subject() -> None:
    keys = msgspec.to_builtins(workload_named("other").record.keys)
    with pytest.raises(Malformed) as refused:
        IdentityRecord.parse(record_with(keys=keys))
    assert refused.value.code == "identity_malformed"


@pytest.mark.parametrize("attachments", [{"admin": "sha256:" + "a" * 64}, {"quote": "abc"}])
def test_attachments_are_parts_of_evidence_by_digest(attachments: dict[str, str]) -> None:
    record = workload_named("author").record
    data = IdentityRecord(envelope=record.envelope, attachments=attachments).encode()
    with pytest.raises(Malformed):
        IdentityRecord.parse(data)


def test_an_identity_is_no_statement_of_an_author() -> None:
    with pytest.raises(Malformed):
        read_record(workload_named("author").record.envelope.encode())


def test_a_workload_signs_only_what_names_it() -> None:
    me, other = workload_named("author"), workload_named("other")
    assert me.sign(step(me, "train", "model")).signatures
    with pytest.raises(Usage) as refused:
        other.sign(step(me, "train", "model"))
    assert refused.value.code == "author_is_another"
    with pytest.raises(Usage):
        other.cosign(me.sign(step(me, "train", "model")))


def test_expired_keys_sign_nothing() -> None:
    me = workload_named("author")
    late = me.record.keys.not_after
    assert me.sign(step(me, "train", "model"), now=late)
    with pytest.raises(NotAllowed) as refused:
        me.sign(step(me, "train", "model"), now=late + 1)
    assert refused.value.code == "keys_expired"


def test_rotation_is_said_by_the_old_identity_and_claimed_by_the_new() -> None:
    me = workload_named("author", "receipt")
    later = NOW + timedelta(days=6)
    following = me.rotate(attester(at=later), now=lambda: later)
    assert following.record.keys.previous == me.name
    assert [key.role for key in following.record.keys.keys] == ["receipt", "statement"]
    (rotation,) = me.store.producers(following.name)
    read = read_record(me.store.statement(rotation) or b"")
    assert read.author == me.digest
    assert [subject.sha256 for subject in read.subjects] == [named(following.digest)]


def test_who_rotates_need_not_name_the_attester_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By name or as an object; the clock is then the new one's."""
    monkeypatch.setenv("TEEPROOF_HOME", str(tmp_path))
    monkeypatch.delenv("TEEPROOF_ATTESTER", raising=False)
    later = NOW + timedelta(days=6)
    for given in ("simulated", attester()):
        me = Identity.boot(given, now=lambda: NOW)
        following = me.rotate(now=lambda: later)
        assert following.record.keys.previous == me.name
        assert following.record.keys.not_before == me.record.keys.not_before + 6 * 86_400
        assert following.rotate().record.keys.previous == following.name


@pytest.mark.parametrize("given", ["sim", "", 42, b"simulated"], ids=repr)
def test_an_attester_that_is_none_is_blamed_on_the_argument(
    monkeypatch: pytest.MonkeyPatch, given: Any
) -> None:
    monkeypatch.delenv("TEEPROOF_ATTESTER", raising=False)
    with pytest.raises(Usage) as refused:
        Identity.boot(given, now=lambda: NOW)
    assert refused.value.code == "attester_unknown"
    assert "TEEPROOF_ATTESTER" not in str(refused.value)
    assert "simulated" in (refused.value.expected or "")


def test_an_attester_of_the_environment_is_blamed_on_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEEPROOF_ATTESTER", "sim")
    with pytest.raises(Usage, match="TEEPROOF_ATTESTER") as refused:
        Identity.boot(now=lambda: NOW)
    assert (refused.value.code, refused.value.got) == ("attester_unknown", "sim")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"roles": "receipt"}, "roles_malformed"),
        ({"roles": 7}, "roles_malformed"),
        ({"store": "log"}, "store_malformed"),
        ({"nonce": b"abc"}, "nonce_malformed"),
    ],
    ids=str,
)
def test_options_of_another_kind_are_refused(options: dict[str, Any], code: str) -> None:
    with pytest.raises(Usage) as refused:
        Identity.boot(attester(), now=lambda: NOW, **options)
    assert refused.value.code == code


@pytest.mark.parametrize("lifetime", [0, -1, 30 * 86_400 + 1])
def test_a_lifetime_beyond_a_month_is_refused(lifetime: int) -> None:
    with pytest.raises(Usage):
        Identity.boot(attester(), lifetime=lifetime, now=lambda: NOW)


def test_host_answers_with_evidence_made_for_another() -> None:
    class Stale:
        name = "a host that replays"

        def attest(self, report_data: bytes) -> Evidence:
            return attester().attest(bytes(64))

    with pytest.raises(Malformed) as refused:
        Identity.boot(Stale(), now=lambda: NOW)
    assert refused.value.code == "attester_ignored_report_data"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"envelope":{', b'"envelope":{ '),
        (b'"envelope":{', b'"envelope":{"note":1,'),
        (b'"keyid":"', b'"keyid":"\\u0061'),
    ],
    ids=["space", "field", "escape"],
)
def test_network_writes_an_identity_record_in_another_way(old: bytes, new: bytes) -> None:
    data = workload_named("author").record.encode()
    with pytest.raises(Malformed) as refused:
        IdentityRecord.parse(data.replace(old, new, 1))
    assert refused.value.code == "not_canonical"


def test_host_puts_what_should_be_bound_behind_a_quote_made_for_another() -> None:
    class Appends:
        name = "a host that replays"

        def attest(self, report_data: bytes) -> Evidence:
            old = attester().attest(bytes(64))
            return msgspec.structs.replace(old, quote=old.quote + report_data)

    with pytest.raises(Malformed) as refused:
        Identity.boot(Appends(), now=lambda: NOW)
    assert refused.value.code == "attester_ignored_report_data"


def test_the_place_of_report_data_is_read_from_tdx_and_sgx_quotes(vectors: Any) -> None:
    me = workload_named("author")
    evidence = me.record.evidence(me.blobs.__getitem__)
    assert report_data_of(evidence) == me.record.report_data
    with pytest.raises(Malformed):
        report_data_of(Evidence(quote=b"\3\0" + bytes(2000)))


def test_a_nonce_that_is_too_long_is_refused_before_any_evidence_is_made() -> None:
    class Never:
        name = "nobody"

        def attest(self, report_data: bytes) -> Evidence:
            raise AssertionError("asked")

    with pytest.raises(Usage) as refused:
        Identity.boot(Never(), nonce="x" * 257, now=lambda: NOW)
    assert refused.value.code == "nonce_malformed"
    assert Identity.boot(attester(), nonce="x" * 256, now=lambda: NOW).record.claim.nonce


def test_expired_keys_neither_cosign_nor_hand_over() -> None:
    clock = [NOW]
    me = Identity.boot(attester(), now=lambda: clock[0])
    other = workload_named("other")
    statement = step(other, "train", "model", cosigners=(me.name,))
    envelope = other.sign(statement)
    assert len(me.cosign(envelope).signatures) == 2
    clock[0] = NOW + timedelta(days=7, seconds=1)
    booted = len(me.store._identities)  # type: ignore[attr-defined]
    for act in (
        lambda: me.cosign(envelope),
        lambda: me.sign(statement),
        lambda: me.seal("train", outputs={"a": b"a"}),
        lambda: me.rotate(attester(at=clock[0])),
    ):
        with pytest.raises(NotAllowed) as refused:
            act()
        assert refused.value.code == "keys_expired"
    assert len(me.store._identities) == booted, "nothing was booted that nobody hands over to"  # type: ignore[attr-defined]


def test_operator_puts_keys_that_break_the_rules_into_an_identity() -> None:
    """The digest under the subject is right; the document itself is none to use."""
    keys = workload_named("author", "receipt").record.keys
    one, two = keys.keys
    for broken in (
        msgspec.structs.replace(keys, keys=(one,)),
        msgspec.structs.replace(keys, keys=(two, one)),
        msgspec.structs.replace(
            keys, keys=(msgspec.structs.replace(one, public_key=two.public_key), two)
        ),
        msgspec.structs.replace(keys, not_after=keys.not_before + 31 * 86_400),
    ):
        claim = msgspec.structs.replace(workload_named("author").record.claim, keys=broken)
        envelope = Envelope(
            identity_payload(claim), workload_named("author").record.envelope.signatures
        )
        record = IdentityRecord(envelope=envelope, attachments={})
        with pytest.raises(Malformed) as refused:
            IdentityRecord.parse(record.encode())
        assert refused.value.code.startswith(("key", "statement_key"))


def test_a_key_that_outlives_its_boot_is_the_same_in_the_next_identity_and_the_one_after() -> None:
    given = {"chain": b"\7" * 32}
    first = Identity.boot(attester(), secrets=given, now=lambda: NOW)
    second = Identity.boot(attester(), roles=["seal"], secrets=given, now=lambda: NOW)
    third = second.rotate()
    chains = {one.record.key("chain") for one in (first, second, third)}
    assert len(chains) == 1
    assert None not in chains
    assert len({one.record.key("statement") for one in (first, second, third)}) == 3
    assert third.record.key("seal") != second.record.key("seal")
    assert all(one.record.is_possessed for one in (first, second, third))
