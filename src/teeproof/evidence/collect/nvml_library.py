"""NVIDIA's management library (NVML) as far as attestation needs it: its functions, its structures.

The library comes with the driver, and is opened when it is first asked for. What it writes goes
into structures of fixed size; a size that it states is held against the room that there is.

Source: nvml.h of driver 550; nvidia-ml-py 13.

Trusts: the library's code, which runs in this process.  Does not trust: what it says.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from teeproof.core.errors import Unavailable

__all__ = ["LIBRARY", "Library", "Settings", "opened"]

LIBRARY = "libnvidia-ml.so.1"
NONCE_BYTES = 32
REPORT_ROOM, CEC_ROOM = 0x2000, 0x1000
CHAIN_ROOM, ATTESTATION_CHAIN_ROOM = 0x1000, 0x1400
_TEXT_ROOM = 96
_SUCCESS, _NOT_SUPPORTED = 0, 3
_SETTINGS_V1 = 0x1000014  # NVML_STRUCT_VERSION: the structure's size, and 1 << 24

# What to do about an answer (nvmlReturn_t).
_ADVICE = {
    _NOT_SUPPORTED: "this GPU or driver does not attest: it takes Hopper or newer, in"
    " confidential computing mode",
    4: "this user may not ask: run as root, or join the group of /dev/nvidiactl",
    9: "the driver is not loaded: modprobe nvidia",
    12: "the library lacks a part: install the driver anew",
    15: "the GPU fell off the bus: reset the machine",
    18: "library and driver differ in version: reboot after an update of the driver",
}


class _State(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint) for name in ("environment", "feature", "devtools")]


class _Settings(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint)
        for name in ("version", "environment", "feature", "devtools", "multi_gpu")
    ]


class _Certificate(ctypes.Structure):
    _fields_ = [
        ("chain_size", ctypes.c_uint),
        ("attestation_chain_size", ctypes.c_uint),
        ("chain", ctypes.c_uint8 * CHAIN_ROOM),
        ("attestation_chain", ctypes.c_uint8 * ATTESTATION_CHAIN_ROOM),
    ]


class _Report(ctypes.Structure):
    _fields_ = [
        ("has_cec", ctypes.c_uint),
        ("size", ctypes.c_uint),
        ("cec_size", ctypes.c_uint),
        ("nonce", ctypes.c_uint8 * NONCE_BYTES),
        ("report", ctypes.c_uint8 * REPORT_ROOM),
        ("cec_report", ctypes.c_uint8 * CEC_ROOM),
    ]


class Settings(NamedTuple):
    """How the machine's GPUs are set up, as the driver says; nobody signed it.

    Attributes:
        confidential: whether confidential computing mode is on.
        devtools: whether developers' tools may look into the GPU, which ends its confidentiality.
        protected_pcie: whether several GPUs and their switches are one protected unit.
        simulated: whether the driver says that its environment is simulated.
    """

    confidential: bool
    devtools: bool
    protected_pcie: bool
    simulated: bool


class Library:
    """The library, by the questions that are put to it."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library

    def driver(self) -> str:
        """Return the driver's version."""
        return self._text("nvmlSystemGetDriverVersion")

    def count(self) -> int:
        """Return how many GPUs the driver sees."""
        count = ctypes.c_uint()
        self._ask("nvmlDeviceGetCount_v2", ctypes.byref(count))
        return count.value

    def device(self, index: int) -> ctypes.c_void_p:
        """Return the handle of a GPU, by its number from 0 on."""
        device = ctypes.c_void_p()
        self._ask("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(device))
        return device

    def architecture(self, device: ctypes.c_void_p) -> int:
        """Return the number of a GPU's architecture: 9 is Hopper, 10 Blackwell."""
        number = ctypes.c_uint()
        self._ask("nvmlDeviceGetArchitecture", device, ctypes.byref(number))
        return number.value

    def vbios(self, device: ctypes.c_void_p) -> str:
        """Return the version of a GPU's VBIOS."""
        return self._text("nvmlDeviceGetVbiosVersion", device)

    def settings(self) -> Settings:
        """Return the machine's settings; drivers before 550 do not tell of protected PCIe."""
        if hasattr(self._library, "nvmlSystemGetConfComputeSettings"):
            new = _Settings(version=_SETTINGS_V1)
            self._ask("nvmlSystemGetConfComputeSettings", ctypes.byref(new))
            several = new.multi_gpu != 0
            return Settings(new.feature != 0, new.devtools != 0, several, new.environment == 1)
        old = _State()
        self._ask("nvmlSystemGetConfComputeState", ctypes.byref(old))
        return Settings(old.feature != 0, old.devtools != 0, False, old.environment == 1)

    def certificates(self, device: ctypes.c_void_p) -> bytes:
        """Return a GPU's chain for attestation, PEM."""
        found = _Certificate()
        self._ask("nvmlDeviceGetConfComputeGpuCertificate", device, ctypes.byref(found))
        return _sized(found.attestation_chain, found.attestation_chain_size, "certificates")

    def report(self, device: ctypes.c_void_p, nonce: bytes) -> bytes:
        """Return a GPU's report over a nonce of 32 bytes."""
        found = _Report()
        ctypes.memmove(found.nonce, nonce, NONCE_BYTES)
        self._ask("nvmlDeviceGetConfComputeGpuAttestationReport", device, ctypes.byref(found))
        return _sized(found.report, found.size, "report")

    def _text(self, function: str, *arguments: Any) -> str:
        room = ctypes.create_string_buffer(_TEXT_ROOM)
        self._ask(function, *arguments, room, ctypes.c_uint(_TEXT_ROOM))
        return room.raw.partition(b"\0")[0].decode("ascii", "replace")

    def _ask(self, function: str, *arguments: Any) -> None:
        call = getattr(self._library, function, None)
        if call is None:
            raise Unavailable(
                f"NVIDIA's driver is too old, its library has no {function}: install 535 or newer",
                code="nvml_too_old",
                expected=function,
                got="a library without it",
            )
        code = int(call(*arguments))
        if code != _SUCCESS:
            advice = _ADVICE.get(code, "look it up as nvmlReturn_t in NVIDIA's nvml.h")
            raise Unavailable(
                f"NVIDIA's library refused {function}: {advice}",
                code="nvml_refused",
                expected="0",
                got=str(code),
            )


@contextmanager
def opened(path: str = LIBRARY) -> Iterator[Library]:
    """Open the library, and shut it down afterwards.

    Raises:
        Unavailable: it is not there, is none, is too old, or the driver does not answer.
    """
    try:
        raw = ctypes.CDLL(path)
    except OSError as error:
        raise Unavailable(
            f"NVIDIA's library {path} cannot be loaded: install the driver (535 or newer) in this"
            " guest, and in a container have its toolkit mount it",
            code="nvml_missing",
            expected=path,
            got=str(error)[:200],
        ) from None
    library = Library(raw)
    library._ask("nvmlInit_v2")
    try:
        yield library
    finally:
        shutdown = getattr(raw, "nvmlShutdown", None)
        if shutdown is not None:
            shutdown()


def _sized(room: ctypes.Array[ctypes.c_uint8], size: int, what: str) -> bytes:
    if not 0 < size <= len(room):
        raise Unavailable(
            f"NVIDIA's library gave a GPU's {what} of an impossible size: install another driver",
            code="nvml_malformed",
            expected=f"1 to {len(room)} bytes",
            got=f"{size} bytes",
        )
    return bytes(room)[:size]
