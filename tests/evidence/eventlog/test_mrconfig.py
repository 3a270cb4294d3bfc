"""MRCONFIGID in its three versions, and the document of the third."""

from __future__ import annotations

import hashlib
import json

import pytest

from teeproof.core.digests import keccak256
from teeproof.core.errors import Malformed
from teeproof.evidence.eventlog import verify
from teeproof.evidence.eventlog.mrconfig import mrconfigid_v3, parse_mr_config
from tests.evidence.eventlog import logs

DOCUMENT = {
    "app_id": logs.APP_ID.hex(),
    "compose_hash": logs.COMPOSE_HASH.hex(),
    "instance_id": logs.INSTANCE_ID.hex(),
    "key_provider": "kms",
    "key_provider_id": logs.KMS_KEY.hex(),
    "version": 3,
}


def document(**fields):
    return json.dumps(DOCUMENT | fields, sort_keys=True, separators=(",", ":")).encode()


def check(mrconfigid, *, log=None, **more):
    log = logs.whole() if log is None else log
    return verify(logs.encode(log), rtmrs=logs.rtmrs(log), mrconfigid=mrconfigid, **more)[0][5]


def without_log(mrconfigid, **more):
    return verify(None, rtmrs=logs.rtmrs([]), mrconfigid=mrconfigid, **more)[0][5]


def one_bit(value):
    return value[:20] + bytes([value[20] ^ 1]) + value[21:]


V1 = b"\1" + logs.COMPOSE_HASH + bytes(15)
V2 = b"\2" + keccak256(logs.COMPOSE_HASH + logs.APP_ID + b"\2" + logs.KMS_KEY) + bytes(15)
V3 = b"\3" + hashlib.sha256(b"dstack-mr-config-v3:\0" + document()).digest() + bytes(15)


@pytest.mark.parametrize("value", [V1, V2])
def test_the_configuration_of_the_measured_application_passes_and_its_twin_does_not(value):
    assert check(value).state == "passed"
    for wrong in (one_bit(value), value[:-1] + b"\1"):
        assert (check(wrong).state, check(wrong).code) == ("failed", "mrconfigid_mismatch")


def test_a_document_that_pins_the_measured_application_passes():
    assert mrconfigid_v3(document()) == V3
    assert check(V3, mr_config=document()).state == "passed"
    assert without_log(V3, mr_config=document(), compose=logs.COMPOSE).state == "passed"


def test_host_hands_over_the_same_document_in_other_bytes():
    pretty = json.dumps(DOCUMENT, indent=1).encode()
    assert check(V3, mr_config=pretty).code == "mrconfigid_mismatch"


@pytest.mark.parametrize(
    "field",
    [
        {"app_id": "66" * 20},
        {"compose_hash": "66" * 32},
        {"instance_id": "66" * 20},
        {"key_provider": "tpm"},
        {"key_provider_id": "66"},
        {"gpu_policy_hash": "66" * 32},
        {"init_script_hashes": ["66" * 32]},
    ],
)
def test_host_fixes_a_configuration_that_the_guest_did_not_measure(field):
    data = document(**field)
    assert check(mrconfigid_v3(data), mr_config=data).code == "mrconfig_field_mismatch"


def test_host_fixes_another_compose_file_than_the_one_it_hands_over():
    assert without_log(V3, mr_config=document(), compose=b"{}").code == "mrconfig_field_mismatch"


def test_host_hands_over_a_document_that_nothing_fixes():
    assert check(bytes(48), mr_config=document()).code == "mrconfigid_mismatch"
    assert check(V1, mr_config=document()).code == "mrconfigid_mismatch"


@pytest.mark.parametrize("value", [bytes(48), b"\7" + bytes(47), V3, V3[:1] + bytes(47)])
def test_what_is_zero_foreign_or_unexplained_is_not_checked(value):
    assert check(value).state == "not_checked"


@pytest.mark.parametrize("value", [V1, V2])
def test_without_log_and_files_a_configuration_is_not_checked(value):
    assert without_log(value).state == "not_checked"


def test_a_compose_file_is_enough_for_version_1():
    assert without_log(V1, compose=logs.COMPOSE).state == "passed"
    assert without_log(V1, compose=logs.COMPOSE + b" ").code == "mrconfigid_mismatch"


def test_version_2_needs_a_key_provider_in_the_log():
    log = logs.whole()
    del log[logs.place(log, "key-provider")]
    assert check(V2, log=log).code == "mrconfigid_mismatch"


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b"[]",
        document(surprise=1),
        document(version=2),
        document(key_provider="kmsx"),
        document(compose_hash="66" * 31),
        document(compose_hash="AA" * 32),
        document(app_id="x"),
        document(init_script_hashes=["66"]),
        document().replace(b"{", b'{"version":3,', 1),
    ],
)
def test_what_is_no_mr_config_document_is_refused(data):
    with pytest.raises(Malformed):
        parse_mr_config(data)
    assert check(mrconfigid_v3(data), mr_config=data).state == "failed"


def test_local_is_what_events_call_local_sgx():
    assert parse_mr_config(document(key_provider="local")).key_provider == "local-sgx"
