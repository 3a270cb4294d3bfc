"""The second hop: a data key that is handed on opens one file, for one job, for one workload."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Error, Malformed, NotAllowed, NotAuthentic, Usage
from teeproof.core.sealed import Grant, open_sealed, read_header, unwrap_grant, unwrap_key, wrap_key
from tests.core.sealed.scenes import ALICE, BOB, EVE, JOB, POLICY, opened, plain, sealed

KMS = ALICE
FILE = sealed(plain(5000), [KMS], policy_digest=POLICY)
HEADER = read_header(io.BytesIO(FILE))
OTHER = read_header(io.BytesIO(sealed(b"", [KMS], policy_digest=POLICY)))
workloads = pytest.mark.parametrize("workload", [EVE, BOB], ids=["x25519", "hybrid"])


def granted(workload=EVE, job=JOB) -> Grant:
    """Do what a KMS does once it found that a workload may have the file."""
    data_key = unwrap_key(HEADER, KMS)
    return wrap_key(data_key, header=HEADER, recipient=workload.public, job_digest=job)


@workloads
def test_two_hops_lead_from_the_owner_to_the_workload(workload):
    grant = Grant.parse(granted(workload).encode())
    key = unwrap_grant(grant, key=workload, header=HEADER, expected_job_digest=JOB)
    assert opened(FILE, key=key) == plain(5000)
    with open_sealed(io.BytesIO(FILE), key=key) as reader:
        assert reader.read_at(4990, 100) == plain(5000)[4990:]
    with pytest.raises(NotAllowed):
        opened(FILE, key=workload)


@workloads
def test_a_grant_reads_back_and_has_a_fixed_size(workload):
    grant = granted(workload)
    assert Grant.parse(grant.encode()) == grant
    assert len(grant.encode()) == 123 + workload.suite.wrapped
    bare = replace(grant, policy_digest=None)
    assert Grant.parse(bare.encode()) == bare


@pytest.mark.parametrize(
    ("key", "header", "job", "code"),
    [
        (BOB, HEADER, JOB, "grant_other_recipient"),
        (EVE, OTHER, JOB, "grant_other_file"),
        (EVE, replace(HEADER, policy_digest=None), JOB, "grant_other_policy"),
        (EVE, HEADER, hashlib.sha256(b"another").digest(), "grant_other_job"),
    ],
    ids=["recipient", "file", "policy", "job"],
)
def test_host_uses_a_grant_for_something_else(key, header, job, code):
    with pytest.raises(NotAllowed) as caught:
        unwrap_grant(granted(), key=key, header=header, expected_job_digest=job)
    assert caught.value.code == code
    assert caught.value.expected != caught.value.got


def test_host_relabels_a_grant_for_another_job_policy_or_file():
    other = hashlib.sha256(b"another").digest()
    for change, header, job in (
        ({"job_digest": other}, HEADER, other),
        ({"policy_digest": None}, replace(HEADER, policy_digest=None), JOB),
        ({"file_id": OTHER.file_id}, OTHER, JOB),
    ):
        relabelled = replace(granted(), **change)
        with pytest.raises(NotAuthentic) as caught:
            unwrap_grant(relabelled, key=EVE, header=header, expected_job_digest=job)
        assert caught.value.code == "grant_not_authentic"


def test_host_passes_a_grant_off_as_an_entry_of_the_header_and_back():
    grant, entry = granted(KMS), HEADER.recipients[0]
    mixed = replace(HEADER, recipients=(replace(entry, wrapped=grant.wrapped),))
    with pytest.raises(NotAuthentic):
        unwrap_key(mixed, KMS)
    turned = replace(grant, wrapped=entry.wrapped)
    with pytest.raises(NotAuthentic) as caught:
        unwrap_grant(turned, key=KMS, header=HEADER, expected_job_digest=JOB)
    assert caught.value.code == "grant_not_authentic"


def test_stranger_grants_a_key_of_its_own_for_a_file_that_is_not_its():
    data_key = unwrap_key(OTHER, KMS)
    with pytest.raises(NotAuthentic) as caught:
        wrap_key(data_key, header=HEADER, recipient=EVE.public, job_digest=JOB)
    assert caught.value.code == "header_not_authentic"
    foreign = replace(
        wrap_key(data_key, header=OTHER, recipient=EVE.public, job_digest=JOB),
        file_id=HEADER.file_id,
    )
    forged = replace(foreign, wrapped=EVE.public.encrypt(data_key.secret, info=foreign.info))
    with pytest.raises(NotAuthentic) as caught:
        unwrap_grant(forged, key=EVE, header=HEADER, expected_job_digest=JOB)
    assert caught.value.code == "header_not_authentic"


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: b"X" + data[1:],
        lambda data: data[:8] + b"\2" + data[9:],
        lambda data: data[:9] + b"\2" + data[10:],
        lambda data: data[:9] + b"\0" + data[10:],
        lambda data: data[:90] + b"\2" + data[91:],
        lambda data: data[:90] + b"\3" + data[91:],
    ],
    ids=["empty", "cut", "longer", "magic", "version", "mark", "no policy", "suite", "no suite"],
)
def test_what_is_no_grant_is_refused(change):
    with pytest.raises(Malformed):
        Grant.parse(change(granted().encode()))


GRANTED = granted().encode()


@given(at=st.integers(0, len(GRANTED) - 1), bit=st.integers(0, 7))
def test_no_bit_of_a_grant_can_be_flipped(at, bit):
    data = bytearray(GRANTED)
    data[at] ^= 1 << bit
    with pytest.raises(Error):
        unwrap_grant(Grant.parse(bytes(data)), key=EVE, header=HEADER, expected_job_digest=JOB)


def test_a_job_s_digest_has_32_bytes():
    with pytest.raises(Usage) as caught:
        granted(job=b"job")
    assert caught.value.code == "digest_size"


def test_a_data_key_is_never_shown():
    key = unwrap_key(HEADER, KMS)
    assert key.secret.hex() not in repr(key)
    assert repr(key) == "DataKey()"
