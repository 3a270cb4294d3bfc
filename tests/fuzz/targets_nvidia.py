"""Fuzz targets for NVIDIA: reports, bundles, manifests and OCSP answers."""

from __future__ import annotations

import json
from base64 import b64encode
from contextlib import suppress
from datetime import UTC, datetime

from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.evidence.nvidia import bundle, ocsp, report, rim, xmlsig
from teeproof.evidence.nvidia.bundle import Device
from teeproof.evidence.nvidia.verify import verify
from teeproof.evidence.simulated.nvidia import SimulatedGpu, answer
from teeproof.evidence.simulated.nvidia_pki import GpuVendor
from teeproof.evidence.simulated.nvidia_scene import GpuScene
from tests.vectors import records

VENDOR = GpuVendor(b"\x4e" * 32)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
SCENE = GpuScene(VENDOR, bytes(32), NOW)
GPU = SimulatedGpu(VENDOR)


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
}
