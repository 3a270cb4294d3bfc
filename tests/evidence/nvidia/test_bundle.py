"""The evidence of several devices: bounded, strict, and nothing is believed of the copies in it."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode

import pytest

from teeproof.core.errors import Malformed, NotAuthentic, TooLarge
from teeproof.evidence.nvidia.bundle import MAX_BUNDLE_BYTES, MAX_DEVICES, parse
from tests.evidence.nvidia.scenes import NONCE, SCENE, judge


def item(number=0, **changes):
    gpu = SCENE.gpus()[number]
    return {
        "arch": "HOPPER",
        "nonce": NONCE.hex(),
        "evidence": b64encode(gpu.report(NONCE)).decode(),
        "certificate": b64encode(gpu.certificates).decode(),
    } | changes


def test_devices_are_read_in_their_order():
    devices = parse(json.dumps([item(0), item(1)]))
    assert [d.certificates for d in devices] == [gpu.certificates for gpu in SCENE.gpus()]
    assert devices[0].copies == (("arch", "HOPPER"), ("nonce", NONCE.hex()))
    assert judge(devices).check("gpu-copies").state == "passed"


@pytest.mark.parametrize(
    "copy",
    [{"arch": "BLACKWELL"}, {"nonce": "00" * 32}, {"driver_version": "550.1"},
     {"vbios_version": "96.00.00.00.00"}],
    ids=lambda copy: next(iter(copy)),
)  # fmt: skip
def test_a_copy_that_differs_from_the_report_is_refused(copy):
    answer = judge(parse(json.dumps([item(**copy)])))
    assert answer.failures == [("gpu-copies", "gpu_copy_differs")]


@pytest.mark.parametrize("copy", [{"driver_version": ""}, {"driver_version": "N/A"}])
def test_a_copy_that_says_nothing_is_no_lie(copy):
    assert judge(parse(json.dumps([item(**copy)]))).failures[:1] == [
        ("gpu-simulated-root", "gpu_simulated_root_not_accepted")
    ]


@pytest.mark.parametrize(
    "value",
    [
        [], {}, 7, "text", None, [7], [[]], [{}],
        [item(evidence=7)], [item(evidence="=")], [item(evidence="")], [item(certificate=None)],
        [item(evidence=item()["evidence"] + "\n")], [item(arch=7)], [item(arch="x" * 201)],
    ],
)  # fmt: skip
def test_what_is_not_a_list_of_devices_is_refused(value):
    with pytest.raises(Malformed):
        parse(json.dumps(value))


def test_no_more_devices_than_a_machine_has():
    with pytest.raises(Malformed, match=f"at most {MAX_DEVICES}"):
        parse(json.dumps([item()] * (MAX_DEVICES + 1)))


def test_a_huge_bundle_is_refused_unread():
    with pytest.raises(TooLarge):
        parse(b"[" * (MAX_BUNDLE_BYTES + 1))


def test_a_key_given_twice_is_refused():
    text = json.dumps([item()]).replace('"arch"', '"nonce": "00", "arch"')
    with pytest.raises(Malformed) as caught:
        parse(text)
    assert caught.value.code == "json_duplicate_key"


def _token(algorithm):
    head = urlsafe_b64encode(json.dumps({"alg": algorithm}).encode()).rstrip(b"=").decode()
    return f"{head}.eyJ4IjoxfQ."


@pytest.mark.parametrize(
    ("algorithm", "code"),
    [("none", "gpu_token_unsigned"), ("NONE", "gpu_token_unsigned"), ("ES384", "gpu_token")],
)
@pytest.mark.parametrize(
    "around",
    [lambda t: t, lambda t: [["JWT", t], {"GPU-0": t}], lambda t: {"detached_eat": [["JWT", t]]}],
)
def test_a_token_is_no_evidence(algorithm, code, around):
    with pytest.raises(NotAuthentic, match="Give the evidence itself") as caught:
        parse(json.dumps(around(_token(algorithm))))
    assert caught.value.code == code


def test_no_device_at_all_is_no_success():
    with pytest.raises(Malformed, match="no device"):
        judge(())
