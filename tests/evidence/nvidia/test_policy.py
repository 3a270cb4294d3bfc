"""Policies of GPUs: what is set is held against the facts, and what is misspelt is an error."""

from __future__ import annotations

import pytest

from teeproof.core.errors import Usage
from teeproof.evidence.binding import binding
from teeproof.evidence.nvidia.nonce import gpu_nonce
from teeproof.evidence.nvidia.policy import NVIDIA, GpuPolicy, parse_table
from teeproof.evidence.simulated.nvidia import DRIVER, VBIOS
from tests.evidence.nvidia.scenes import NONCE, VENDOR, judge, judge_simulated, state

ROOTS = (VENDOR.device_root.fingerprint, VENDOR.rim_root.fingerprint)


def judged(name="good", **fields):
    return judge_simulated(state(name), GpuPolicy(simulated_roots=ROOTS, **fields))


def test_what_is_not_set_is_not_checked():
    answer = judged()
    assert answer.failures == []
    for name in ("gpu-count", "gpu-architecture", "gpu-driver", "gpu-vbios", "gpu-measured",
                 "gpu-unrevoked"):  # fmt: skip
        assert answer.check(name).state == "not_checked"


@pytest.mark.parametrize(
    ("good", "bad", "code"),
    [
        ({"min_gpus": 2}, {"min_gpus": 3}, "gpu_count_too_low"),
        ({"min_gpus": 1}, {"min_switches": 1}, "gpu_count_too_low"),
        ({"architectures": ("BLACKWELL", "HOPPER")}, {"architectures": ("BLACKWELL",)},
         "gpu_architecture_mismatch"),
        ({"drivers": (DRIVER,)}, {"drivers": ()}, "gpu_driver_mismatch"),
        ({"vbios": (VBIOS.lower(),)}, {"vbios": ("96.00.00.00.00",)}, "gpu_vbios_mismatch"),
    ],
)  # fmt: skip
def test_an_expectation_lets_in_what_meets_it_and_nothing_else(good, bad, code):
    assert judged(**good).failures == []
    answer = judged(**bad)
    assert [found for _, found in answer.failures] == [code]
    assert answer.exit_code == 4


@pytest.mark.parametrize(
    ("name", "field", "code"),
    [("rim-missing", "rims", "gpu_rims_missing"),
     ("ocsp-missing", "revocation", "gpu_revocation_unknown")],
)  # fmt: skip
def test_what_is_missing_is_unavailable_only_where_it_is_asked_for(name, field, code):
    assert judged(name).failures == []
    answer = judged(name, **{field: True})
    assert [found for _, found in answer.failures] == [code]
    assert answer.exit_code == 3


def test_the_manifests_signers_must_be_known_to_be_good_too():
    made = state("good")
    without = tuple(der for der in made.ocsp if b"RIM L4" not in der)
    signer = VENDOR.rim_signer.certificate.serial_number.to_bytes(20, "big")
    without = tuple(der for der in without if signer not in der)
    answer = judge(
        made.devices, rims=made.rims, ocsp=without,
        policy=GpuPolicy(simulated_roots=ROOTS, revocation=True), nonce=NONCE,
    )  # fmt: skip
    assert answer.check("gpu-revocation").state == "passed"
    assert answer.failures == [("gpu-unrevoked", "gpu_revocation_unknown")]


def test_a_switch_is_no_gpu():
    policy = GpuPolicy(min_gpus=2)
    assert judged("fewer").check("gpu-count").got == "1 GPUs, 0 switches"
    assert policy.roots == NVIDIA


@pytest.mark.parametrize(
    "table",
    [
        {"min_gpu": 1}, {"min_gpus": 0}, {"min_gpus": 33}, {"min_gpus": "2"}, {"min_gpus": True},
        {"rims": False}, {"revocation": "yes"}, {"drivers": "550"}, {"architectures": ["hopper"]},
        {"device_roots": ["a90c"]}, {"simulated_roots": ["sha256:AA"]}, 7,
    ],
)  # fmt: skip
def test_a_table_with_a_mistake_is_no_weaker_policy(table):
    with pytest.raises(Usage) as caught:
        parse_table(table)
    assert caught.value.code == "policy_malformed"


def test_a_text_in_place_of_a_tuple_is_refused():
    with pytest.raises(Usage, match="must be a tuple"):
        GpuPolicy(drivers="550.90.07")


def test_a_table_says_what_the_policy_says():
    table = {"min_gpus": 8, "architectures": ["HOPPER"], "rims": True}
    policy = parse_table(table)
    assert policy == GpuPolicy(min_gpus=8, architectures=("HOPPER",), rims=True)
    assert (
        parse_table(
            {k: list(v) if isinstance(v, tuple) else v for k, v in policy.to_json().items()}
        )
        == policy
    )


def test_the_gpus_nonce_follows_from_the_workloads_binding():
    d = binding("sha256:" + "00" * 32, nonce="n")
    assert gpu_nonce(d) != gpu_nonce(binding("sha256:" + "00" * 32, nonce="m"))
    assert gpu_nonce(bytes(32)).hex() == GPU_NONCE_OF_ZEROS
    with pytest.raises(Usage):
        gpu_nonce(d + b"\0")


# SHA-256 of: 15 as 8 bytes, "teeproof.gpu.v1", 32 as 8 bytes, 32 zero bytes.
GPU_NONCE_OF_ZEROS = "a6e12398fb706060a0148b5ce37e0548f766d6836fa3d138e84f2e647f4b4f96"
