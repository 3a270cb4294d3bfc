"""What GPUs and switches need of NVIDIA: manifests, and an OCSP answer about each certificate.

NVIDIA lacks manifests of some VBIOSes. What it lacks does not keep the rest from being fetched: it
is said at the end.

Trusts: NVIDIA's pinned roots.  Does not trust: network, servers.
"""

from __future__ import annotations

from collections.abc import Iterator

from teeproof.core.errors import Unavailable
from teeproof.evidence.fetch import nvidia
from teeproof.evidence.fetch.amd import require_in_force
from teeproof.evidence.fetch.asking import Asking, Got
from teeproof.evidence.fetch.web import NotServed
from teeproof.evidence.kept import gpus
from teeproof.evidence.kept.gpus import Pair
from teeproof.evidence.kept.nvidia import about_answer
from teeproof.evidence.kept.record import Record
from teeproof.evidence.kept.serving_nvidia import find_manifest
from teeproof.evidence.nvidia import rim
from teeproof.evidence.nvidia.chain import Endorsed
from teeproof.evidence.nvidia.policy import NVIDIA, Roots
from teeproof.evidence.nvidia.rim import Rim, Wanted
from teeproof.evidence.roots import require_root

__all__ = ["fetch_for"]


def fetch_for(document: bytes, asking: Asking, *, roots: Roots = NVIDIA) -> Iterator[Got]:
    """Yield the records of manifests, then those of answers; raises as ``wanted.fetch_for``.

    Args:
        document: the evidence of GPUs and switches (JSON).
        asking: how to ask.
        roots: of devices and of manifests; a simulator's are marked, and serve its own GPUs alone.
    """
    missing: NotServed | None = None
    pairs: dict[tuple[bytes, bytes], Pair] = {}
    wants: dict[Wanted, Endorsed] = {}
    for device, held in gpus.endorsed(document):
        require_root(
            held.chain[-1],
            roots.devices,
            where="the device's chain ends in",
            code="gpu_root_not_pinned",
        )
        wants |= dict.fromkeys(gpus.wanted(device, held), held)
        pairs |= {(c.der, i.der): (c, i) for c, i in gpus.pairs_of_device(held)}
    for want, held in wants.items():
        try:
            record, xml, fetched = _manifest(want, held, asking, roots)
        except NotServed as error:
            missing = missing or error
            continue
        yield Got.of(record, "fetched" if fetched else "archive")
        pairs |= {(c.der, i.der): (c, i) for c, i in gpus.pairs_of_manifest(xml)}
    for pair in pairs.values():
        yield _answer(pair, asking)
    if missing is not None:
        raise missing


def _manifest(
    want: Wanted, held: Endorsed, asking: Asking, roots: Roots
) -> tuple[Record, bytes, bool]:
    """Return a manifest's record, the manifest, and whether it was fetched."""
    if not asking.fresh:
        found = find_manifest(want, asking.records, at=asking.now).found
        if found:
            return found[0].record, found[0].parts["manifest"], False
    name, xml = _fetched(want, asking)
    rim.endorse((Rim(xml, name),), want, level=held.level, roots=roots.manifests, now=asking.now)
    parts = {"manifest": xml, "id": name.encode()}
    record = asking.records.describe("rim", parts)
    require_in_force(record.begins, record.ends, what="manifest", now=asking.now)
    return asking.records.add("rim", parts), xml, True


def _fetched(want: Wanted, asking: Asking) -> tuple[str, bytes]:
    if not want.ids:
        raise NotServed(
            f"the report does not say for which board its {want.what} is, so there is no id to ask"
            f" NVIDIA for the manifest of {want.what} {want.version}: add the file, if you have it",
            code="rim_id_unknown",
        )
    for name in want.ids:
        try:
            return name, nvidia.fetch_manifest(name, asking.web)
        except NotServed as error:
            last: Unavailable = error
    raise last


def _answer(pair: Pair, asking: Asking) -> Got:
    certificate, issuer = pair
    if not asking.fresh:
        found = asking.records.find("ocsp", about_answer(*pair), at=asking.now).found
        if found and found[0].record.in_force(asking.now):
            return Got.of(found[0].record, "archive")
    parts = {
        "answer": nvidia.ask_about(certificate, issuer, asking.web),
        "certificate": certificate.der,
        "issuer": issuer.der,
    }
    record = asking.records.describe("ocsp", parts)
    require_in_force(record.begins, record.ends, what="OCSP answer", now=asking.now)
    return Got.of(asking.records.add("ocsp", parts), "fetched")
