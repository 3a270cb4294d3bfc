"""NVIDIA GPUs through the driver's library: what it gives and refuses, and a hostile one."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from teeproof.core.errors import Error, NotAuthentic, Unavailable, Usage
from teeproof.evidence.collect.nvml import NvmlAttester, probe
from teeproof.evidence.nvidia import bundle
from teeproof.evidence.nvidia.nonce import gpu_nonce
from tests.evidence.nvidia import scenes
from tests.sim.nvml import VENDOR, Driver, driver
from tests.vectors import ROOT

D = bytes(range(32))
NONCE = gpu_nonce(D)


@pytest.fixture(scope="module")
def compiled() -> Iterator[Driver]:
    with driver() as found:
        yield found


@pytest.fixture
def gpus(compiled: Driver) -> Iterator[Driver]:
    """The driver of two GPUs in order; what a test changes is put back."""
    good = Driver()
    yield compiled
    for name in (
        "gpus",
        "count",
        "cc",
        "devtools",
        "multi_gpu",
        "architecture",
        "codes",
        "bend",
        "sizes",
    ):
        setattr(compiled, name, getattr(good, name))
    compiled.asked.clear()


def refusal(gpus: Driver, kind: type[Error] = Unavailable, **how) -> Error:
    with pytest.raises(kind) as caught:
        NvmlAttester(gpus.library, **how).attest(NONCE)
    return caught.value


def test_each_gpu_reports_over_the_nonce_and_brings_its_chain(gpus):
    found = NvmlAttester(gpus.library).attest(NONCE)
    devices = bundle.parse(found.document)
    assert found.gpus == len(devices) == 2
    assert [device.report.nonce for device in devices] == [NONCE] * 2
    assert [device.certificates for device in devices] == [gpu.certificates for gpu in gpus.gpus]
    assert dict(devices[0].copies)["arch"] == "HOPPER"
    assert gpus.asked[-1] == "shutdown"
    assert "confidential computing on, as the driver says" in found.words


def test_what_is_collected_verifies_with_the_vendors_manifests(gpus):
    scene = scenes.GpuScene(VENDOR, NONCE, scenes.NOW)
    devices = bundle.parse(NvmlAttester(gpus.library).attest(NONCE).document)

    def failures(nonce: bytes) -> list[tuple[str, str | None]]:
        policy = scenes.reference_policy(VENDOR)
        rims, ocsp = scene.rims(), scene.ocsp()
        return scenes.judge(devices, rims=rims, ocsp=ocsp, policy=policy, nonce=nonce).failures

    assert failures(NONCE) == []
    assert [name for name, _ in failures(gpu_nonce(bytes(32)))] == ["gpu-nonce"]


def test_the_copies_beside_a_report_are_what_the_report_says(gpus):
    (first, _) = bundle.parse(NvmlAttester(gpus.library).attest(NONCE).document)
    copies = dict(first.copies)
    assert copies["driver_version"] == first.report.driver
    assert copies["vbios_version"] == first.report.vbios


def test_nvidias_own_bindings_read_the_same_from_the_same_library(gpus):
    """nvidia-ml-py, unmodified: the stand-in has the driver's symbols and structures."""
    if importlib.util.find_spec("pynvml") is None:
        pytest.skip("NVIDIA's bindings are missing: pip install nvidia-ml-py")
    program = f"""
import ctypes, sys
import pynvml
pynvml.nvmlLib = ctypes.CDLL({gpus.library!r})
pynvml.nvmlInit = lambda: None
device = pynvml.nvmlDeviceGetHandleByIndex(0)
nonce = (ctypes.c_uint8 * 32)(*bytes.fromhex({NONCE.hex()!r}))
report = pynvml.nvmlDeviceGetConfComputeGpuAttestationReport(device, nonce)
chain = pynvml.nvmlDeviceGetConfComputeGpuCertificate(device)
settings = pynvml.c_nvmlSystemConfComputeSettings_v1_t()
pynvml.nvmlSystemGetConfComputeSettings(ctypes.byref(settings))
print(bytes(report.attestationReport)[:report.attestationReportSize].hex())
print(bytes(chain.attestationCertChain)[:chain.attestationCertChainSize].hex())
print(pynvml.nvmlSystemGetDriverVersion(), pynvml.nvmlDeviceGetVbiosVersion(device),
      pynvml.nvmlDeviceGetArchitecture(device), settings.ccFeature, settings.devToolsMode)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    report, chain, words = done.stdout.splitlines()
    gpu, ours = gpus.gpus[0], bundle.parse(NvmlAttester(gpus.library).attest(NONCE).document)[0]
    # Signatures differ from one report to the next, what is signed does not.
    assert bytes.fromhex(report)[:-96] == ours.report.raw[:-96]
    assert bytes.fromhex(chain) == ours.certificates
    assert words == f"{gpu.driver} {gpu.vbios} 9 1 0"


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_nonce_of_another_length_is_refused_before_anything_is_loaded(size):
    with pytest.raises(Usage):
        NvmlAttester("/nowhere").attest(bytes(size))


def test_a_machine_without_the_library_is_told_so():
    with pytest.raises(Unavailable) as caught:
        NvmlAttester("libnvidia-ml-of-nobody.so").attest(NONCE)
    assert caught.value.code == "nvml_missing"
    assert "install the driver" in caught.value.detail


def test_a_file_that_is_no_library_is_refused(tmp_path):
    (tmp_path / "libnvidia-ml.so.1").write_text("no ELF")
    with pytest.raises(Unavailable) as caught:
        NvmlAttester(str(tmp_path / "libnvidia-ml.so.1")).attest(NONCE)
    assert caught.value.code == "nvml_missing"


def test_a_library_of_something_else_is_too_old():
    with pytest.raises(Unavailable) as caught:
        NvmlAttester("libc.so.6").attest(NONCE)
    assert caught.value.code == "nvml_too_old"


def test_a_driver_before_confidential_computing_is_too_old():
    with driver("OLD") as old:
        error = refusal(old)
        assert (error.code, "535 or newer" in error.detail) == ("nvml_too_old", True)
        assert "too old" in probe(old.library).detail


def test_a_driver_before_550_is_asked_for_its_state():
    with driver("EARLY") as early:
        assert NvmlAttester(early.library).attest(NONCE).gpus == 2
        assert "state" in early.asked
        early.cc = 0
        assert refusal(early).code == "gpu_mode_off"


def test_confidential_computing_mode_off_is_said_and_nothing_is_collected(gpus):
    gpus.cc = 0
    error = refusal(gpus)
    assert (error.code, error.exit_code) == ("gpu_mode_off", 3)
    assert "report" not in gpus.asked


def test_protected_pcie_counts_as_on(gpus):
    gpus.cc, gpus.multi_gpu = 0, 1
    found = NvmlAttester(gpus.library).attest(NONCE)
    assert found.settings.protected_pcie
    assert "protected PCIe" in found.words


def test_developers_tools_are_refused_unless_allowed_and_then_shouted(gpus):
    gpus.devtools = 1
    assert refusal(gpus).code == "gpu_devtools"
    assert "report" not in gpus.asked
    found = NvmlAttester(gpus.library, devtools=True).attest(NONCE)
    assert "DEVELOPERS' TOOLS ON" in found.words


@pytest.mark.parametrize(
    ("question", "code", "words"),
    [
        ("init", 9, "modprobe nvidia"),
        ("init", 18, "reboot"),
        ("count", 4, "run as root"),
        ("report", 3, "does not attest"),
        ("certificates", 15, "fell off the bus"),
        ("settings", 3, "does not attest"),
        ("report", 999, "look it up"),
    ],
)
def test_what_the_driver_refuses_is_said_with_what_to_do(gpus, question, code, words):
    gpus.codes = {question: code}
    error = refusal(gpus)
    assert (error.code, error.got) == ("nvml_refused", str(code))
    assert words in error.detail
    assert ("shutdown" in gpus.asked) is (question != "init")


def test_no_gpu_and_too_many_are_told(gpus):
    gpus.gpus = ()
    assert refusal(gpus).code == "gpu_missing"
    gpus.count = 0xFFFFFFFF
    assert refusal(gpus).code == "gpu_too_many"


def test_host_a_report_for_another_nonce_is_refused(gpus):
    other = gpus.gpus[0].report(bytes(32))
    gpus.bend = lambda _report: other
    error = refusal(gpus, kind=NotAuthentic)
    assert (error.code, error.expected, error.got) == (
        "gpu_nonce_mismatch", NONCE.hex(), bytes(32).hex(),
    )  # fmt: skip


@pytest.mark.parametrize("bend", [lambda raw: raw[:-1], lambda raw: raw + b"\0", lambda _: b"x"])
def test_host_a_report_that_cannot_be_read_is_refused(gpus, bend):
    gpus.bend = bend
    assert refusal(gpus).code == "gpu_malformed"


@pytest.mark.parametrize("question", ["report-size", "certificates-size"])
@pytest.mark.parametrize("size", [0, 0x2001, 0xFFFFFFFF])
def test_host_a_size_beyond_the_room_is_refused(gpus, question, size):
    gpus.sizes = {question: size}
    assert refusal(gpus).code == "nvml_malformed"


def test_a_changed_report_is_collected_and_is_for_the_verifier_to_refuse(gpus):
    """Nothing here vouches for a signature: one flipped bit of it goes through to the judge."""
    gpus.bend = lambda raw: raw[:-1] + bytes([raw[-1] ^ 1])
    assert NvmlAttester(gpus.library).attest(NONCE).gpus == 2


def test_a_look_names_the_gpus_or_what_keeps_them_from_attesting(gpus):
    found = probe(gpus.library)
    assert (found.present, found.detail) == (True, "2 GPUs (HOPPER)")
    gpus.devtools = 1
    assert "developers' tools" in probe(gpus.library).detail
    gpus.cc = 0
    assert "is off" in probe(gpus.library).detail
    assert not probe(gpus.library).present
    gpus.gpus = ()
    assert "attach one" in probe(gpus.library).remedy
    assert "report" not in gpus.asked


def test_an_architecture_without_a_name_keeps_its_number(gpus):
    gpus.architecture = 77
    document = NvmlAttester(gpus.library).attest(NONCE).document
    assert json.loads(document)[0]["arch"] == "architecture 77"
