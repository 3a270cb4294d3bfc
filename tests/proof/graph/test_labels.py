"""What an identity's evidence claims: only of its own quote, and never the PPID."""

from __future__ import annotations

import msgspec
import pytest

from teeproof.core.digests import named, sha256
from teeproof.evidence.tdx import quote as tdx
from teeproof.proof.graph.labels import labels_of
from teeproof.proof.graph.shape import shape
from tests.proof.graph.stories import story
from tests.proof.people import platform, workload_named


def blob(booted):
    return booted.blobs.get


def test_labels_are_those_of_the_quote_and_the_event_log():
    booted = workload_named("trainer")
    labels = labels_of(booted.record.encode(), blob=blob(booted))
    body = tdx.parse(booted.blobs[booted.record.attachments["quote"]]).body
    assert labels.problem is None
    assert labels.values["mrtd"] == body.mrtd.hex()
    assert [labels.values[f"rtmr{n}"] for n in range(4)] == [r.hex() for r in body.rtmrs]
    assert labels.values["mrconfigid"] == body.mrconfigid.hex()
    compose = booted.record.attachments["compose"]
    assert named(bytes.fromhex(labels.values["compose_hash"])) == compose
    assert labels.to_json()["verified"] is False


def test_the_platform_is_named_by_its_digest_and_the_ppid_appears_nowhere():
    booted = workload_named("trainer")
    ppid = platform().machine().processor.ppid
    labels = labels_of(booted.record.encode(), blob=blob(booted))
    assert labels.values["platform"] == sha256(ppid).hex()
    graph = story().graph()
    everything = str(shape(graph, [n.id for n in graph.nodes])) + str(labels)
    assert ppid.hex() not in everything


def without(record, *names, **changed):
    kept = {k: v for k, v in record.attachments.items() if k not in names}
    return msgspec.structs.replace(record, attachments=kept | changed).encode()


def test_host_cannot_lend_an_identity_the_labels_of_another():
    mine, other = workload_named("trainer"), workload_named("pool")
    lent = without(mine.record, quote=other.record.attachments["quote"])
    labels = labels_of(lent, blob=(mine.blobs | other.blobs).get)
    assert labels.values == {}
    assert "not the one" in labels.problem


def test_prover_cannot_name_evidence_that_commits_to_other_keys():
    mine, other = workload_named("trainer"), workload_named("pool")
    claim = msgspec.structs.replace(mine.record.claim, evidence=other.record.claim.evidence)
    from teeproof.proof.identity import identity_payload

    envelope = msgspec.structs.replace(mine.record.envelope, payload=identity_payload(claim))
    record = msgspec.structs.replace(
        mine.record, envelope=envelope, attachments=other.record.attachments
    )
    labels = labels_of(record.encode(), blob=blob(other))
    assert labels.values == {}
    assert "other keys" in labels.problem


def test_evidence_that_is_not_here_is_said_to_be_missing():
    booted = workload_named("trainer")
    labels = labels_of(booted.record.encode(), blob=lambda _: None)
    assert labels.values == {}
    assert "not here" in labels.problem
    assert labels.to_json()["problem"] == labels.problem


def test_host_cannot_hand_over_other_bytes():
    booted = workload_named("trainer")
    labels = labels_of(booted.record.encode(), blob=lambda _: b"junk")
    assert labels.values == {}


@pytest.mark.parametrize("left_out", [("event_log",), ("event_log", "compose")])
def test_without_an_event_log_the_compose_hash_is_that_of_the_file(left_out):
    booted = workload_named("trainer")
    labels = labels_of(without(booted.record, *left_out), blob=blob(booted))
    assert labels.problem is None
    assert ("compose_hash" in labels.values) is ("compose" not in left_out)


def test_host_cannot_put_in_another_event_log():
    booted = workload_named("trainer")
    junk = b"[]"
    record = without(booted.record, "compose", event_log=named(sha256(junk)))
    labels = labels_of(record, blob=(booted.blobs | {named(sha256(junk)): junk}).get)
    assert "compose_hash" not in labels.values
