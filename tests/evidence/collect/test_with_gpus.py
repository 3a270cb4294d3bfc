"""A workload boots on a machine with GPUs, through the driver's real interface."""

from __future__ import annotations

import msgspec
import pytest

from teeproof.core.errors import Unavailable
from teeproof.evidence.collect import Attester
from teeproof.evidence.collect.nvml import NvmlAttester
from teeproof.evidence.collect.with_gpus import WithGpus
from teeproof.evidence.policy import Policy
from teeproof.evidence.verify import verify
from teeproof.proof.workload import Identity
from tests.evidence.scenes import failures
from tests.proof.people import NOW, attester, platform
from tests.sim.nvml import VENDOR, driver


@pytest.fixture(scope="module")
def library():
    with driver() as found:
        yield found.library


ACCEPTED = Policy(roots=(), simulated_roots=(platform().root_fingerprint,)).with_(
    gpu={
        "simulated_roots": [VENDOR.device_root.fingerprint, VENDOR.rim_root.fingerprint],
        "min_gpus": 2,
    }
)


def test_a_workload_that_boots_on_a_machine_with_gpus_names_both(library):
    both = WithGpus(attester(), NvmlAttester(library))
    assert isinstance(both, Attester)
    identity = Identity.boot(both, now=lambda: NOW, nonce="mine")
    given = identity.record.evidence(identity.blobs.__getitem__)
    verdict = verify(given, policy=ACCEPTED, now=NOW)
    assert failures(verdict) == []
    assert verdict.check("gpu-nonce").detail.endswith("this machine's report_data determines")
    assert verdict.subject == identity.record.claim.evidence[0].id
    alone = msgspec.structs.replace(given, gpus=None)
    assert failures(verify(alone, policy=ACCEPTED, now=NOW)) == [
        ("gpu-evidence", "gpu_evidence_missing")
    ]


def test_a_machine_without_the_driver_boots_on_nothing():
    with pytest.raises(Unavailable):
        WithGpus(attester(), NvmlAttester("libnvidia-ml-that-is-not-there.so")).attest(bytes(64))
