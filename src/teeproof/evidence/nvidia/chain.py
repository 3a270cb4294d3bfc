"""From NVIDIA's device root to the key that signs reports, and what it certifies of the firmware.

The chain has the firmware's key first (made anew for each firmware by the chip's boot ROM), then
the chip's own identity, its provisioner, its family and the root. TCG DICE puts the digest of the
firmware (FWID) into the first certificate, so the report's copy of it can be held against that.

Trusts: the pinned roots.  Does not trust: host, network, names without a signature.
"""

from __future__ import annotations

import re

import msgspec

from teeproof.core.digests import framed_sha256, named
from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.evidence.der import OCTETS, OID, SEQUENCE, elements, encode_oid, only
from teeproof.evidence.nvidia import certificates, issuance
from teeproof.evidence.nvidia.bundle import Device
from teeproof.evidence.nvidia.certificates import Certificate
from teeproof.evidence.nvidia.report import Report
from teeproof.evidence.roots import require_root
from teeproof.evidence.steps import Steps
from teeproof.evidence.verdict import Level

__all__ = ["Endorsed", "endorse"]

# TCG "DICE Certificate Profiles" and "DICE Attestation Architecture": CompositeDeviceID, TcbInfo.
_COMPOSITE, _TCB_INFO = encode_oid("2.23.133.5.4.1"), encode_oid("2.23.133.5.4.1.1")
_SHA384 = encode_oid("2.16.840.1.101.3.4.2.2")
_FWIDS = 0xA6  # TcbInfo's field 6: a list of digests, the firmware's own first
_SPKI_AND_FWID = (2, SEQUENCE, SEQUENCE)  # CompositeDeviceID: version, the chip's key, the digest

_FIRMWARE_KEY = re.compile(r"([A-Z]{2})_?([0-9]{1,3}) [A-Z0-9]+ (?:GSP|FSP) FMC LF", re.ASCII)
_ARCHITECTURES = {"GH": "HOPPER", "GB": "BLACKWELL", "LS": "LS10"}


class Endorsed(msgspec.Struct, frozen=True):
    """A device, by its certificates.

    Attributes:
        chain: the firmware's key first, the root last.
        level: hardware, or simulated.
        chip: such as GH100, GB100 or LS10, as the chip's boot ROM certified it.
        fwid: 48 bytes, the digest of the firmware that holds the key.
    """

    chain: tuple[Certificate, ...]
    level: Level
    chip: str
    fwid: bytes

    @property
    def leaf(self) -> Certificate:
        """The certificate of the key that signs reports."""
        return self.chain[0]

    @property
    def architecture(self) -> str:
        """NVIDIA's word for the family: HOPPER, BLACKWELL or LS10."""
        return _ARCHITECTURES.get(self.chip[:2], self.chip)

    @property
    def is_switch(self) -> bool:
        """Whether it connects GPUs and is none."""
        return self.chip.startswith("LS")

    @property
    def device_id(self) -> str:
        """``sha256:…`` that stands for the chip, whatever firmware it runs."""
        return named(framed_sha256("teeproof.device.nvidia.v1", self.chain[1].spki))


def endorse(out: Steps, device: Device, roots: frozenset[str]) -> Endorsed | None:
    """Return what hangs on the roots; the checks go to ``out``.

    Args:
        out: gathers the checks.
        device: report and PEM chain.
        roots: fingerprints (``sha256:…``) of the vendor's root keys.
    """
    chain = out.attempt("gpu-certificates", lambda: _parse(device.certificates))
    if chain is None:
        out.skip("gpu-root", "the device's certificates could not be read")
        out.skip("gpu-chain", "the device's certificates could not be read")
        out.skip("gpu-firmware", "the device's certificates could not be read")
        return None
    level = out.attempt("gpu-root", lambda: _root(chain[-1], roots))
    if level is None:
        out.skip("gpu-chain", "it ends in a root that is not trusted")
        out.skip("gpu-firmware", "no trusted root vouches for the certificates")
        return None
    endorsed = out.attempt("gpu-chain", lambda: _chain(chain, level))
    if endorsed is None:
        out.skip("gpu-firmware", "the certificates did not hold")
    elif device.report.fwid is None:
        out.skip("gpu-firmware", "reports of this driver do not name the firmware that made them")
    else:
        out.attempt("gpu-firmware", lambda: _firmware(endorsed, device.report))
    return endorsed


_CHAIN = 5  # every Hopper, Blackwell and LS10 that was seen


def _parse(pem: bytes) -> tuple[str, tuple[Certificate, ...]]:
    chain = certificates.parse_chain(pem, what="device's certificate chain")
    if len(chain) != _CHAIN:  # with more, a chip's key could make as many chips as it likes
        raise NotAuthentic(
            "the device's certificate chain must lead from the firmware's key over the chip's and "
            "two authorities to the root",
            code="gpu_chain_length",
            expected=f"{_CHAIN} certificates",
            got=f"{len(chain)} certificates",
        )
    return f"{len(chain)} certificates, of which the first is for {chain[0].subject}", chain


def _root(root: Certificate, roots: frozenset[str]) -> tuple[str, Level]:
    return require_root(root, roots, where="the device's chain ends in", code="gpu_root_not_pinned")


def _chain(chain: tuple[Certificate, ...], level: Level) -> tuple[str, Endorsed]:
    issuance.require_chain(chain, what="device's chain", code="gpu_chain_signature")
    leaf = chain[0]
    match = _FIRMWARE_KEY.fullmatch(leaf.subject.removeprefix("SIMULATED "))
    # Other certificates of the same root, such as those that sign revocation, make no reports.
    if match is None or leaf.claims_ca or not leaf.may_sign:
        raise NotAuthentic(
            "the first certificate is not that of a device's firmware",
            code="gpu_chain_leaf",
            expected="a name such as GH100 A01 GSP FMC LF, and a key that signs data",
            got=leaf.subject,
        )
    try:
        fwid = _certified_fwid(leaf, chain[1])
    except ValueError as error:
        raise Malformed(
            f"the first certificate does not say which firmware it is for: {error}",
            code="gpu_fwid_malformed",
        ) from None
    found = Endorsed(chain=chain, level=level, chip=match[1] + match[2], fwid=fwid)
    return f"from {chain[-1].subject} down to {leaf.subject}, each signed the next", found


def _certified_fwid(leaf: Certificate, chip: Certificate) -> bytes:
    composite = leaf.extensions.get(_COMPOSITE)
    if composite is not None:
        parts = elements(only(composite, SEQUENCE))
        if tuple(tag for tag, _ in parts) != _SPKI_AND_FWID:
            raise ValueError("a composite device id of another form")
        return _digest(parts[2][1])
    info = leaf.extensions.get(_TCB_INFO)
    if info is None:
        raise ValueError("it has no DICE extension")
    lists = [value for tag, value in elements(only(info, SEQUENCE)) if tag == _FWIDS]
    if len(lists) != 1 or not lists[0]:
        raise ValueError("a TcbInfo without its one list of digests")
    return _digest(elements(lists[0])[0][1])


def _digest(content: bytes) -> bytes:
    parts = elements(content)
    if [tag for tag, _ in parts] != [OID, OCTETS] or parts[0][1] != _SHA384:
        raise ValueError("a digest that is not SHA-384")
    if len(parts[1][1]) != 48:
        raise ValueError("a digest of another length")
    return parts[1][1]


def _firmware(endorsed: Endorsed, report: Report) -> tuple[str, None]:
    if report.fwid != endorsed.fwid:
        raise NotAuthentic(
            "the report was made by other firmware than its key was certified for",
            code="gpu_fwid",
            expected=endorsed.fwid.hex(),
            got=(report.fwid or b"").hex(),
        )
    return "the report names the firmware that its key was certified for", None
