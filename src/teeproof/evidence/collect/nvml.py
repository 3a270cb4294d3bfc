"""Collect evidence from NVIDIA GPUs: each one's report over a nonce, and its certificates.

The result is the JSON list that NVIDIA's tools write too, which ``nvidia.bundle`` reads. A report
does not prove that confidential computing mode is on, or that developers' tools are kept out: the
driver says both, inside the guest, and what it says is passed on in words, never silently.

Trusts: the driver's library, which runs in this process; its word for the GPUs' mode.
Does not trust: that a report is for the nonce that was asked for.
"""

from __future__ import annotations

import json
from base64 import b64encode
from ctypes import c_void_p
from typing import NamedTuple

from teeproof.core.errors import Error, Malformed, NotAuthentic, Unavailable, Usage
from teeproof.evidence.collect.nvml_library import LIBRARY, NONCE_BYTES, Library, Settings, opened
from teeproof.evidence.collect.presence import Presence, missing
from teeproof.evidence.nvidia import bundle
from teeproof.evidence.nvidia.report import parse as parse_report

__all__ = ["LIBRARY", "GpuEvidence", "NvmlAttester", "probe"]

WHAT = "NVIDIA GPUs in confidential computing mode, by the driver's library"
# nvml.h, nvmlDeviceArchitecture_t; the names are those of NVIDIA's attestation tools.
ARCHITECTURES = {9: "HOPPER", 10: "BLACKWELL"}


class GpuEvidence(NamedTuple):
    """What the GPUs of this machine say of themselves.

    Attributes:
        document: the JSON list that ``nvidia.bundle`` reads.
        gpus: how many it is of.
        settings: what the driver says of their mode; nobody signed it.
    """

    document: bytes
    gpus: int
    settings: Settings

    @property
    def words(self) -> str:
        """How many, and in which mode, in one line."""
        mode = "protected PCIe" if self.settings.protected_pcie else "confidential computing on"
        tools = "DEVELOPERS' TOOLS ON: nothing is confidential, " * self.settings.devtools
        return f"{self.gpus} ({tools}{mode}, as the driver says)"


class NvmlAttester:
    """The NVIDIA GPUs of this machine."""

    def __init__(self, library: str = LIBRARY, *, devtools: bool = False) -> None:
        """Remember the library; nothing is loaded yet.

        Args:
            library: its name or path.
            devtools: whether to collect though developers' tools may look into the GPUs.
        """
        self.library, self._devtools = library, devtools

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return f"NVIDIA GPUs by {self.library}"

    def attest(self, nonce: bytes) -> GpuEvidence:
        """Return each GPU's report over a nonce (``nvidia.nonce.gpu_nonce``), and its chain.

        Raises:
            Usage: other than 32 bytes.
            NotAuthentic: a report is for another nonce.
            Unavailable: no library, no GPU, confidential computing is off, developers' tools are
                on, or what a GPU gave cannot be used.
        """
        if len(nonce) != NONCE_BYTES:
            raise Usage(
                "a GPU takes a nonce of 32 bytes",
                code="gpu_nonce_size",
                expected=f"{NONCE_BYTES} bytes",
                got=f"{len(nonce)} bytes",
            )
        with opened(self.library) as library:
            settings = library.settings()
            self._require_mode(settings)
            driver = library.driver()
            items = [_item(library, one, nonce, driver) for one in _devices(library)]
        document = json.dumps(items, indent=1).encode()
        bundle.parse(document)
        return GpuEvidence(document, len(items), settings)

    def _require_mode(self, settings: Settings) -> None:
        if not (settings.confidential or settings.protected_pcie):
            raise Unavailable(
                "confidential computing mode of the GPUs is off: whoever runs the host switches it"
                " on, and the machine is started anew",
                code="gpu_mode_off",
                expected="on",
                got="off",
            )
        if settings.devtools and not self._devtools:
            raise Unavailable(
                "developers' tools may look into the GPUs, so nothing on them is confidential:"
                " have the host switch devtools mode off, or allow it by name",
                code="gpu_devtools",
                expected="devtools mode off",
                got="on",
            )


def probe(library: str = LIBRARY) -> Presence:
    """Return whether this machine has GPUs that attest; none is asked for a report."""
    try:
        with opened(library) as found:
            settings, devices = found.settings(), _devices(found)
            names = sorted({_architecture(found, one) for one in devices})
    except Error as error:
        why, _, remedy = error.detail.partition(": ")
        return missing("nvidia", WHAT, why, remedy or "ask again")
    words = f"{len(devices)} GPUs ({', '.join(names)})"
    try:
        NvmlAttester(library)._require_mode(settings)
    except Unavailable as error:
        why, _, remedy = error.detail.partition(": ")
        return missing("nvidia", WHAT, f"{words}, and {why}", remedy)
    return Presence("nvidia", WHAT, present=True, detail=words)


def _devices(library: Library) -> list[c_void_p]:
    count = library.count()
    if not count:
        raise Unavailable(
            "the driver sees no GPU: attach one to this guest", code="gpu_missing", got="0 GPUs"
        )
    if count > bundle.MAX_DEVICES:
        raise Unavailable(
            f"there are more GPUs than one document holds: attest {bundle.MAX_DEVICES} at most",
            code="gpu_too_many",
            expected=f"at most {bundle.MAX_DEVICES}",
            got=str(count),
        )
    return [library.device(index) for index in range(count)]


def _item(library: Library, device: c_void_p, nonce: bytes, driver: str) -> dict[str, str]:
    raw, certificates = library.report(device, nonce), library.certificates(device)
    try:
        report = parse_report(raw)
    except Malformed as error:
        raise Unavailable(
            f"what a GPU gave cannot be used: {error.detail}",
            code="gpu_malformed",
            expected=error.expected,
            got=error.got,
        ) from None
    if report.nonce != nonce:
        raise NotAuthentic(
            "a GPU gave a report for another nonce, stale or somebody else's: ask again",
            code="gpu_nonce_mismatch",
            expected=nonce.hex(),
            got=report.nonce.hex(),
        )
    return {
        "version": "1.0",
        "arch": _architecture(library, device),
        "nonce": nonce.hex(),
        "evidence": b64encode(raw).decode(),
        "certificate": b64encode(certificates).decode(),
        "driver_version": driver,
        "vbios_version": library.vbios(device),
    }


def _architecture(library: Library, device: c_void_p) -> str:
    number = library.architecture(device)
    return ARCHITECTURES.get(number, f"architecture {number}")
