"""Fuzz targets for NVIDIA: reports, bundles, manifests and OCSP answers."""

from __future__ import annotations

import json
from base64 import b64encode
from contextlib import suppress
from datetime import UTC, datetime

import msgspec

from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.evidence.nvidia import bundle, handed, ocsp, report, rim, xmlsig
from teeproof.evidence.nvidia.bundle import Device
from teeproof.evidence.nvidia.nonce import gpu_nonce
from teeproof.evidence.nvidia.verify import verify
from teeproof.evidence.policy import Policy
from teeproof.evidence.simulated.nvidia import SimulatedGpu, answer
from teeproof.evidence.simulated.nvidia_pki import GpuVendor
from teeproof.evidence.simulated.nvidia_scene import GpuScene
from teeproof.evidence.verify import verify as front_door
from tests.evidence import scenes
from tests.vectors import records

VENDOR = GpuVendor(b"\x4e" * 32)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
SCENE = GpuScene(VENDOR, bytes(32), NOW)
GPU = SimulatedGpu(VENDOR)
BOUND = gpu_nonce(scenes.REPORT_DATA[:32])
ROOTS = [scenes.PLATFORM.gpus.device_root.fingerprint, scenes.PLATFORM.gpus.rim_root.fingerprint]
POLICY = Policy(roots=(), simulated_roots=(scenes.PLATFORM.root_fingerprint,)).with_(
    gpu={"simulated_roots": ROOTS, "min_gpus": 1}
)


def fuzz_gpu_report(data: bytes) -> None:
    """What is accepted consists of its parts, and every word in it is plain text."""
    with suppress(Malformed):
        found = report.parse(data)
        assert found.signed + found.signature == data == found.raw
        assert all(len(value) == 48 for value in found.measurements.values())
        words = [found.driver, found.vbios, found.chip_info, found.feature, *(found.board or ())]
        assert all(word is None or (word.isascii() and word.isprintable()) for word in words)
        assert found.nonce in data


def fuzz_gpu_bundle(data: bytes) -> None:
    """What is accepted is a bounded number of devices."""
    with suppress(Malformed, NotAuthentic):
        assert 1 <= len(bundle.parse(data)) <= bundle.MAX_DEVICES


def fuzz_gpu_certificates(data: bytes) -> None:
    """Whatever comes as a chain, there are facts only where the vendor's own root vouches."""
    found = verify((Device(GPU.device(bytes(32)).report, data),), now=int(NOW.timestamp()))
    if found.facts is not None:
        assert found.facts.devices[0].root == VENDOR.device_root.fingerprint


def fuzz_gpu_manifest(data: bytes) -> None:
    """What is accepted says what the vendor signed, whatever was done to the text around it."""
    with suppress(Malformed, NotAuthentic):
        manifest = rim._verified(data, frozenset())
        if manifest.chain[-1].fingerprint == VENDOR.rim_root.fingerprint:
            made = GPU.measurements
            assert manifest.golden == {index: (made[index],) for index in manifest.golden}


def fuzz_gpu_xml(data: bytes) -> None:
    """What is accepted reads the same when it is read again."""
    with suppress(Malformed):
        content = xmlsig.parse(data).content
        assert xmlsig.read(content) is not None


def fuzz_gpu_ocsp(data: bytes) -> None:
    """What is accepted has an end, and says why only of what is revoked."""
    with suppress(Malformed):
        found = ocsp.parse_answer(data)
        assert isinstance(found.next_update, int)
        assert found.revoked is not None or found.reason is None


def fuzz_gpu_shapes(data: bytes) -> None:
    """Whatever the list stands in, joining it with itself leaves twice the same reports."""
    with suppress(Malformed, NotAuthentic):
        devices = bundle.parse(data)
        assert bundle.looks_like(data) or b"\\u" in data  # a name may be written in escapes
        twice = bundle.parse(bundle.joined(data, data))
        assert [one.report for one in twice] == [one.report for one in devices] * 2


def fuzz_gpu_manifest_file(data: bytes) -> None:
    """What is read is the file's own XML, or what the service's answer carries in base64."""
    with suppress(Malformed):
        found = handed.read(data)
        assert found.xml == data if found.id is None else b64encode(found.xml) in data


def fuzz_gpu_verdict(data: bytes) -> None:
    """Whatever comes as GPUs beside a machine, a verdict accepts the simulator's own alone."""
    with suppress(Malformed, NotAuthentic):
        given = msgspec.structs.replace(scenes.evidence(), gpus=data)
        verdict = front_door(given, policy=POLICY, now=scenes.NOW, both_paths=False)
        assert verdict.ok is (verdict.exit_code == 0)
        if verdict.ok:
            roots = {device["root"] for device in verdict.facts["gpus"]["devices"]}
            assert roots == {scenes.PLATFORM.gpus.device_root.fingerprint}
            assert verdict.facts["gpus"]["nonce"] == BOUND.hex()


def _beside() -> list[bytes]:
    made = GpuScene(scenes.PLATFORM.gpus, BOUND, scenes.NOW).evidence()
    items = json.loads(made.document())
    return [
        made.document(),
        json.dumps({"nonce": BOUND.hex(), "evidence_list": items}).encode(),
        json.dumps({"evidences": items[:1]}).encode(),
        json.dumps(items[0]).encode(),
    ]


def _manifest_files() -> list[bytes]:
    xml = SCENE.rims()[0].xml
    return [xml, json.dumps({"id": "NV_1", "rim": b64encode(xml).decode()}).encode()]


def _reports() -> list[bytes]:
    real = [r for r in records("nvidia") if (r.path / "report.txt").exists()]
    return [
        GPU.report(bytes(32)),
        *(bytes.fromhex(r.read("report.txt").decode()) for r in real[:3]),
    ]


def _bundles() -> list[bytes]:
    item = {
        "arch": "HOPPER",
        "nonce": "00" * 32,
        "evidence": b64encode(GPU.report(bytes(32))).decode(),
        "certificate": b64encode(GPU.certificates).decode(),
    }
    return [json.dumps([item]).encode(), b'[["JWT","eyJhbGciOiJub25lIn0.eyJ4IjoxfQ."],{}]']


def _manifests() -> list[bytes]:
    return [found.xml for found in SCENE.rims()]


def _answers() -> list[bytes]:
    return [answer(VENDOR, VENDOR.chip(GPU.name), VENDOR.provisioner, now=NOW)]


SEEDS = {
    "fuzz_gpu_report": _reports,
    "fuzz_gpu_bundle": _bundles,
    "fuzz_gpu_certificates": lambda: [GPU.certificates],
    "fuzz_gpu_manifest": _manifests,
    "fuzz_gpu_xml": _manifests,
    "fuzz_gpu_ocsp": _answers,
    "fuzz_gpu_shapes": _beside,
    "fuzz_gpu_manifest_file": _manifest_files,
    "fuzz_gpu_verdict": _beside,
}
