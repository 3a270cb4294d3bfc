"""What a relying party expects of GPUs, as a plain record: one field per expectation.

What is not set is not checked, and the verdict says so. In a policy file these fields form a table
of their own, ``[gpu]``; it is read strictly, so a spelling mistake never makes a weaker policy.

Trusts: whoever wrote the policy.  Does not trust: the evidence; nothing here comes from it.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from teeproof.evidence.nvidia.bundle import MAX_DEVICES
from teeproof.evidence.policy_forms import in_words, wrong

__all__ = [
    "NVIDIA",
    "NVIDIA_DEVICE_ROOT",
    "NVIDIA_RIM_ROOT",
    "GpuPolicy",
    "Roots",
    "parse_table",
]

# SHA-256 of the SubjectPublicKeyInfo of "NVIDIA Device Identity CA" (from 2021-11-05) and of
# "NVIDIA CoRIM signing Root CA" (2023-03-16 to 2053-03-08).
# Source: NVIDIA/nvtrust, verifier_device_root.pem and verifier_RIM_root.pem.
NVIDIA_DEVICE_ROOT = "sha256:a90c4eb5acfd3e3d03a25db6a26b84f720ad0503196c627c21ddd48dd85b06a4"
NVIDIA_RIM_ROOT = "sha256:dec1dc316477aa851eebdf51327ae9f864bc8d89254657ed1e7eb9168af1e1a3"

_NAMED = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_NONCE = re.compile(r"[0-9a-f]{64}", re.ASCII)
_EXPECTED = (
    "min_gpus", "min_switches", "architectures", "drivers", "vbios", "rims", "revocation", "nonce",
)  # fmt: skip
_LISTS = ("architectures", "drivers", "vbios", "device_roots", "rim_roots", "simulated_roots")


class Roots(msgspec.Struct, frozen=True):
    """Fingerprints (``sha256:…``) of pinned root keys.

    Attributes:
        devices: of the certificates of chips.
        manifests: of the certificates that sign manifests.
    """

    devices: frozenset[str]
    manifests: frozenset[str]


NVIDIA = Roots(frozenset({NVIDIA_DEVICE_ROOT}), frozenset({NVIDIA_RIM_ROOT}))


class GpuPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A relying party's expectations of GPUs and switches.

    Attributes:
        min_gpus: at least so many different GPUs; ``min_switches`` likewise.
        architectures: any of HOPPER, BLACKWELL, … for each GPU.
        drivers: any of these driver versions for each GPU.
        vbios: any of these VBIOS versions for each GPU, such as ``96.00.A5.00.01``.
        rims: true if every measurement must be known to be what the vendor lists.
        revocation: true if the vendor must have said of every certificate that it is good.
        nonce: exactly these 32 bytes, with which you asked the GPUs yourself, hex. Without it they
            may also have been asked with the nonce that their machine's evidence determines.
        device_roots: fingerprints of the roots of devices.
        rim_roots: fingerprints of the roots of manifests.
        simulated_roots: fingerprints of simulators' roots, of both kinds, that are accepted.
    """

    min_gpus: int | None = None
    min_switches: int | None = None
    architectures: tuple[str, ...] | None = None
    drivers: tuple[str, ...] | None = None
    vbios: tuple[str, ...] | None = None
    rims: Literal[True] | None = None
    revocation: Literal[True] | None = None
    nonce: str | None = None
    device_roots: tuple[str, ...] = (NVIDIA_DEVICE_ROOT,)
    rim_roots: tuple[str, ...] = (NVIDIA_RIM_ROOT,)
    simulated_roots: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check forms, however the policy was made; Usage names the field."""
        for field in _LISTS:
            # In Python, one may write a text where a tuple belongs, and "in" would look inside it.
            if isinstance(getattr(self, field), str | list):
                raise wrong(f"gpu.{field} must be a tuple")
        for field in ("min_gpus", "min_switches"):
            number = getattr(self, field)
            if number is not None and not 1 <= number <= MAX_DEVICES:
                raise wrong(f"gpu.{field} must be a number from 1 to {MAX_DEVICES}, got {number}")
        for text in (*self.device_roots, *self.rim_roots, *self.simulated_roots):
            if not _NAMED.fullmatch(text):
                raise wrong(f"gpu's roots are written sha256:<64 hex digits>, got {text[:100]!r}")
        for text in self.architectures or ():
            if text != text.upper():
                raise wrong(f'gpu.architectures: write "{text.upper()[:40]}"')
        for text in (*(self.architectures or ()), *(self.drivers or ()), *(self.vbios or ())):
            if not text.isascii() or not text.isprintable():
                raise wrong(f"gpu: reports hold plain text only, got {text[:100]!a}")
        if self.nonce is not None and not _NONCE.fullmatch(self.nonce):
            raise wrong(f"gpu.nonce must be 64 lower-case hex digits, got {self.nonce[:100]!a}")

    @property
    def expects(self) -> bool:
        """Whether it expects anything that only the evidence of GPUs can show."""
        return any(getattr(self, field) is not None for field in _EXPECTED)

    @property
    def roots(self) -> Roots:
        """The roots that it pins, as ``verify`` takes them."""
        return Roots(frozenset(self.device_roots), frozenset(self.rim_roots))

    def to_json(self) -> dict[str, Any]:
        """Return the fields that are set."""
        return {k: v for k, v in msgspec.to_builtins(self).items() if v is not None}


def parse_table(value: object) -> GpuPolicy:
    """Return the policy in the table ``[gpu]`` of a policy file, already parsed.

    Raises:
        Usage: an unknown key, or a value of the wrong form.
    """
    try:
        return msgspec.convert(value, GpuPolicy, strict=True)
    except msgspec.ValidationError as error:
        raise wrong(f"gpu: {in_words(str(error))}") from None
