"""Jobs, release policies, owners and their signatures."""

from __future__ import annotations

import msgspec
import pytest

from teeproof.cloud.job import Input, Job
from teeproof.cloud.kms.policy import Permission, ReleasePolicy, Withdrawal
from teeproof.cloud.owner import OwnerKey, check_owner, verify_owned, verify_text
from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, NotAuthentic, TooLarge, Usage
from teeproof.proof.envelope import IN_TOTO, Envelope
from tests.cloud.keeping import OTHER, OWNER, release_policy

FILE, LATER = "0" * 32, "1" * 32
JOB = Job(
    purpose="train", files=(FILE, LATER), parameters={"seed": "7"},
    materials=(Input("held-out", named(sha256(b"held out"))),),
)  # fmt: skip


def test_a_job_reads_back_and_its_digest_is_of_its_bytes():
    assert Job.parse(JOB.encode()) == JOB
    assert JOB.digest == sha256(JOB.encode())
    assert JOB.name == named(JOB.digest)
    assert JOB.encode().startswith(b'{"files":["0000')


@pytest.mark.parametrize(
    "change",
    [
        {"purpose": ""}, {"purpose": "x" * 65}, {"purpose": "a\nb"},
        {"files": ("x",)}, {"files": (FILE, FILE)}, {"files": (LATER, FILE)},
        {"files": ("A" * 32,)}, {"files": (FILE,) * 1025},
        {"materials": (Input("x", "sha256:0"),)},
    ],
    ids=lambda change: str(change)[:40],
)  # fmt: skip
def test_a_job_of_another_form_is_refused(change):
    job = msgspec.structs.replace(JOB, **change)
    with pytest.raises(Malformed):
        job.encode()
    with pytest.raises(Malformed):
        Job.parse(msgspec.json.encode(job, order="sorted"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'{"files"', b'{"asap":true,"files"'),
        (b'"purpose":"train",', b'"purpose":"train","purpose":"sell",'),
        (b":job:v1", b":job:v2"),
        (b',"purpose"', b', "purpose"'),
        (b'"parameters":{"seed":"7"}', b'"parameters":{"seed":7}'),
        (b'"parameters":{"seed":"7"},', b""),
    ],
)
def test_a_job_with_one_more_or_one_less_is_refused(old, new):
    data = JOB.encode()
    assert old in data
    with pytest.raises(Malformed):
        Job.parse(data.replace(old, new))


def test_a_large_job_is_refused_before_it_is_read():
    with pytest.raises(TooLarge):
        Job.parse(b" " * (128 << 10 | 1))


def test_a_policy_reads_back_and_its_digest_is_of_its_bytes():
    policy = release_policy()
    assert ReleasePolicy.parse(policy.encode()) == policy
    assert (policy.digest, policy.name) == (sha256(policy.encode()), named(policy.digest))
    assert policy.permission("validate").standing
    assert policy.permission("sell") is None


@pytest.mark.parametrize(
    "change",
    [
        {"owner": "x"}, {"owner": "AB" * 32}, {"grants": ()},
        {"grants": (Permission(purpose="a", compose_hash=()),)},
        {"grants": (Permission(purpose="a", compose_hash=("0",)),)},
        {"grants": (Permission(purpose="a", compose_hash=("AB" * 32,)),)},
        {"grants": (Permission(purpose="", compose_hash=("ab" * 32,)),)},
        {"grants": (Permission(purpose="a", compose_hash=("ab" * 32,)),) * 2},
        {"grants": (Permission(purpose="a", compose_hash=("ab" * 32,) * 65),)},
    ],
    ids=lambda change: str(change)[:60],
)  # fmt: skip
def test_a_policy_of_another_form_is_refused(change):
    policy = msgspec.structs.replace(release_policy(), **change)
    with pytest.raises(Malformed):
        policy.encode()
    with pytest.raises(Malformed):
        ReleasePolicy.parse(msgspec.json.encode(policy, order="sorted"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'{"grants"', b'{"allow_all":true,"grants"'),
        (b'"purpose":"train"', b'"purpose":"train","standing":false'),
        (b'"standing":true', b'"standing":1'),
        (b'"not_after":', b'"not_after":1e3,"x":'),
        (b"release-policy:v1", b"release-policy:v2"),
    ],
)
def test_a_policy_that_spells_a_key_that_nobody_knows_is_refused(old, new):
    data = release_policy().encode()
    assert old in data
    with pytest.raises(Malformed):
        ReleasePolicy.parse(data.replace(old, new, 1))


# owners


def test_an_owner_signs_and_others_can_tell():
    policy = release_policy()
    envelope = OWNER.sign(policy)
    assert verify_owned(envelope.encode(), OWNER.public, kind=ReleasePolicy, what="x") == policy
    verify_text(policy, OWNER.sign_text(policy), OWNER.public, what="policy")
    assert envelope.signatures[0].sig.hex() == OWNER.sign_text(policy)
    with pytest.raises(NotAuthentic):
        verify_owned(envelope, OTHER.public, kind=ReleasePolicy, what="policy")
    with pytest.raises(NotAuthentic):
        verify_text(release_policy(owner=OTHER), OWNER.sign_text(policy), OWNER.public, what="x")


def test_client_shows_an_owners_document_as_a_workloads_statement_and_the_other_way_round():
    envelope = OWNER.sign(release_policy())
    as_statement = Envelope(envelope.payload, envelope.signatures, IN_TOTO)
    with pytest.raises(Malformed) as refused:
        verify_owned(as_statement, OWNER.public, kind=ReleasePolicy, what="policy")
    assert refused.value.code == "payload_type_wrong"
    from teeproof.proof.signing import holds_ed25519

    assert not holds_ed25519(
        bytes.fromhex(OWNER.public), as_statement.signed, as_statement.signatures[0].sig
    )


def test_client_shows_a_withdrawal_as_a_policy():
    order = Withdrawal(recipient="ab" * 32, file=FILE, time=1)
    with pytest.raises(Malformed):
        verify_owned(OWNER.sign(order), OWNER.public, kind=ReleasePolicy, what="policy")


def test_a_key_file_belongs_to_its_owner_alone_and_is_not_overwritten(tmp_path):
    path = tmp_path / "owner.key"
    key = OwnerKey.open(path)
    assert OwnerKey.open(path).public == OwnerKey.load(path).public == key.public
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Usage):
        OwnerKey.create(path)
    assert key.public not in path.read_text()


def test_a_key_is_not_printed(tmp_path):
    path = tmp_path / "owner.key"
    key = OwnerKey.create(path)
    secret = path.read_text().strip().partition(":")[2]
    assert secret not in repr(key)
    assert key.public[:16] in repr(key)


@pytest.mark.parametrize("text", ["", "secret", "teeproof-owner-secret:00", "x" * 64])
def test_a_file_that_is_no_key_is_refused_and_not_repeated(tmp_path, text):
    path = tmp_path / "owner.key"
    path.write_text(text)
    with pytest.raises(Malformed) as refused:
        OwnerKey.load(path)
    assert refused.value.code == "owner_key_malformed"
    assert not text or text not in str(refused.value.to_json()["got"])


def test_names_of_owners_have_one_form():
    check_owner(OWNER.public)
    for name in ("", "ab", OWNER.public.upper(), OWNER.public + "0", "zz" * 32):
        with pytest.raises(Malformed):
            check_owner(name)
    # libsodium refuses weak keys, whoever says that they signed.
    with pytest.raises(NotAuthentic):
        verify_text(release_policy(), "00" * 64, "00" * 32, what="policy")
