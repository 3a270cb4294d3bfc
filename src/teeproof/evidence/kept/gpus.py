"""What GPUs and switches need: which manifests, and words about which certificates.

Trusts: nothing; needs only sort.  Does not trust: the evidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from teeproof.core.errors import NotAuthentic
from teeproof.evidence.nvidia import bundle, certificates, chain, rim, xmlsig
from teeproof.evidence.nvidia.bundle import Device
from teeproof.evidence.nvidia.certificates import Certificate
from teeproof.evidence.nvidia.chain import Endorsed
from teeproof.evidence.nvidia.rim import Wanted
from teeproof.evidence.recognise import kind_of
from teeproof.evidence.record import Evidence
from teeproof.evidence.steps import Steps

__all__ = ["Pair", "document_of", "endorsed", "pairs_of_device", "pairs_of_manifest", "wanted"]

Pair = tuple[Certificate, Certificate]
"""A certificate, and the one that issued it."""


def document_of(evidence: Evidence) -> bytes | None:
    """Return the evidence (JSON) of GPUs, alone or beside a machine's; None if there is none."""
    return evidence.quote if kind_of(evidence.quote) == "nvidia" else evidence.gpus


def endorsed(document: bytes) -> Iterator[tuple[Device, Endorsed]]:
    """Yield each device with what its certificates say, under whatever root they end in.

    Raises:
        Malformed, TooLarge, NotAuthentic: it is no such evidence, or a chain does not hold.
    """
    for device in bundle.parse(document):
        found = certificates.parse_chain(device.certificates, what="device's certificate chain")
        out = Steps()
        held = chain.endorse(out, device, frozenset({found[-1].fingerprint}))
        if held is None:
            bad = next(check for check in out.checks if check.state == "failed")
            raise NotAuthentic(bad.detail, code=bad.code, expected=bad.expected, got=bad.got)
        yield device, held


def wanted(device: Device, held: Endorsed) -> tuple[Wanted, ...]:
    """Return which manifests a device needs: of its driver, if it has one, and of its VBIOS."""
    return tuple(want for want in rim.wanted(device.report, held) if want is not None)


def pairs_of_device(held: Endorsed) -> tuple[Pair, ...]:
    """Return of which certificates of a device the vendor says whether they are revoked.

    The first is made on the device, for each firmware: nobody answers for it.
    """
    return _pairs(held.chain[1:])


def pairs_of_manifest(xml: bytes) -> tuple[Pair, ...]:
    """Return of which certificates of a manifest the vendor says so; Malformed if it is none."""
    return _pairs(xmlsig.parse(xml).certificates)


def _pairs(path: Sequence[Certificate]) -> tuple[Pair, ...]:
    return tuple(pairwise(path))
