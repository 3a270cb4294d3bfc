"""Reference integrity manifests (RIMs): NVIDIA's signed list of what a driver or VBIOS measures to.

A manifest is a SWID tag (ISO/IEC 19770-2) with TCG's RIM attributes. Of each measurement index it
says whether it is *active* and which digests are good. It names product and version; the id under
which NVIDIA's service hands it out also names the board, and is not signed.

Source: TCG Reference Integrity Manifest Information Model 1.01; NVIDIA/nvtrust, local verifier.

Trusts: the pinned roots of manifests.  Does not trust: whoever handed a manifest over, its file id.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from teeproof.core.errors import Error, Malformed, NotAuthentic
from teeproof.evidence.nvidia import issuance, xmlsig
from teeproof.evidence.nvidia.certificates import Certificate
from teeproof.evidence.nvidia.chain import Endorsed
from teeproof.evidence.nvidia.report import Report
from teeproof.evidence.roots import require_root
from teeproof.evidence.verdict import Level

__all__ = ["MAX_MANIFESTS", "Manifest", "Rim", "Wanted", "claimed", "endorse", "find", "wanted"]

MAX_MANIFESTS = 64
MAX_CLAIMING = 4  # that are tried for one driver or VBIOS: each costs signatures

_SWID = "{http://standards.iso.org/iso/19770/-2/2015/schema.xsd}"
_HASH = "{http://www.w3.org/2001/04/xmlenc#sha384}Hash"
_MAX_ALTERNATIVES = 64
_INDEX = re.compile(r"0|[1-9][0-9]{0,2}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-fA-F]{96}", re.ASCII)


class Rim(msgspec.Struct, frozen=True):
    """A manifest as it was handed over.

    Attributes:
        xml: its bytes.
        id: the id under which a service gave it, such as ``NV_GPU_DRIVER_GH100_550.144.03``.
    """

    xml: bytes
    id: str | None = None


class Wanted(msgspec.Struct, frozen=True):
    """Which manifest a report asks for.

    Attributes:
        what: driver or VBIOS, for messages.
        products: the chip's names.
        version: the driver's or VBIOS's version.
        ids: the ids under which services have it.
    """

    what: str
    products: tuple[str, ...]
    version: str
    ids: tuple[str, ...]


class Manifest(msgspec.Struct, frozen=True):
    """What a verified manifest says.

    Attributes:
        product: the chip, such as GH100.
        version: the driver's or VBIOS's.
        golden: active index (from 0 on) -> the digests that are good, 48 bytes each.
        chain: the signer's certificate first.
        level: hardware, or simulated.
    """

    product: str
    version: str
    golden: dict[int, tuple[bytes, ...]]
    chain: tuple[Certificate, ...]
    level: Level


def wanted(report: Report, device: Endorsed) -> tuple[Wanted | None, Wanted | None]:
    """Return what the manifests of driver and VBIOS must be for; None where there is none to find.

    A switch has no driver of its own.
    """
    products = tuple(dict.fromkeys(p for p in (report.chip_info, device.chip) if p))
    driver = vbios = None
    if report.driver and not device.is_switch:
        ids = [f"NV_GPU_{kind}_{p}_{report.driver}" for p in products for kind in _DRIVER_KINDS]
        driver = Wanted("driver", products, report.driver, tuple(ids))
    if report.vbios:
        ids = [] if report.board is None else [_vbios_id(report.board, report.vbios)]
        vbios = Wanted("VBIOS", products, report.vbios, tuple(ids))
    return driver, vbios


_DRIVER_KINDS = ("DRIVER", "CC_DRIVER")


def _vbios_id(board: tuple[str, str, str], version: str) -> str:
    return "_".join(("NV_GPU_VBIOS", *board, version.replace(".", ""))).upper()


def find(rims: Sequence[Rim], want: Wanted) -> tuple[Rim, ...]:
    """Return the manifests that claim to be the wanted one, by their id or their own words.

    A claim only: ``endorse`` holds it against what is signed.
    """
    claiming = [rim for rim in rims if rim.id in want.ids]
    # Reports of switches do not name the board, so no id can be told from them.
    unnamed = [rim for rim in rims if rim.id is None or not want.ids]
    return (*claiming, *(rim for rim in unnamed if _claims(rim.xml, want)))


def _claims(xml: bytes, want: Wanted) -> bool:
    meta = claimed(xml)
    return meta is not None and meta[0] in want.products and _same(meta[1], want.version)


@lru_cache(maxsize=64)
def claimed(xml: bytes) -> tuple[str, str] | None:
    """Return product and version by a manifest's own words, unverified; None if it has none."""
    try:
        meta = xmlsig.peek(xml, f"{_SWID}Meta")
    except Error:
        return None
    return meta.get("product", ""), meta.get("colloquialVersion", "")


def endorse(
    claiming: Sequence[Rim], want: Wanted, *, level: Level, roots: frozenset[str], now: int
) -> tuple[str, Manifest]:
    """Return one sentence and a manifest whose signature, chain and subject hold.

    Of the first few that hold, one in force at T is preferred: vendors sign them again.

    Args:
        claiming: what claims to be the wanted one, at least one.
        want: what it must be for.
        level: of the device: a simulator's manifest vouches for simulated devices only.
        roots: fingerprints of the roots of manifests.
        now: the T, seconds since 1970.

    Raises:
        Malformed: the first is no manifest, and no other one holds.
        NotAuthentic: it was changed, signed by somebody else, or is for something else.
    """
    holding: list[Manifest] = []
    wrong: list[Error] = []
    for rim in claiming[:MAX_CLAIMING]:
        try:
            holding.append(_fitting(rim, want, level, roots))
        except Error as error:
            wrong.append(error)
    if not holding:
        raise wrong[0]
    in_force = [m for m in holding if all(c.not_before <= now <= c.not_after for c in m.chain)]
    manifest = (in_force or holding)[0]
    signer = manifest.chain[0].subject
    return f"{signer} lists {len(manifest.golden)} measurements of {want.version}", manifest


def _fitting(rim: Rim, want: Wanted, level: Level, roots: frozenset[str]) -> Manifest:
    manifest = _verified(rim.xml, roots)
    if manifest.level == "simulated" and level != "simulated":
        raise NotAuthentic(
            "a simulator's manifest cannot vouch for hardware",
            code="rim_root_not_pinned",
            expected=" or ".join(sorted(roots)) or "no root is pinned",
            got=manifest.chain[-1].fingerprint,
        )
    if manifest.product not in want.products or not _same(manifest.version, want.version):
        raise NotAuthentic(
            f"this manifest is for something else than the {want.what} in the report",
            code="rim_unfit",
            expected=f"{' or '.join(want.products)} {want.version}",
            got=f"{manifest.product} {manifest.version}",
        )
    return manifest


def _same(one: str, other: str) -> bool:
    return one.upper() == other.upper()


@lru_cache(maxsize=64)
def _verified(xml: bytes, roots: frozenset[str]) -> Manifest:
    signed = xmlsig.parse(xml)
    chain = signed.certificates
    _, level = require_root(
        chain[-1], roots, where="the manifest's chain ends in", code="rim_root_not_pinned"
    )
    issuance.require_chain(chain, what="manifest's chain", code="rim_chain_signature")
    if chain[0].claims_ca or not chain[0].may_sign or chain[0].ocsp:
        raise NotAuthentic(
            "the manifest's signer was certified for something else than signing data",
            code="rim_chain_leaf",
            got=chain[0].subject,
        )
    xmlsig.require(signed)
    return _read(signed.content, chain, level)


def _read(content: bytes, chain: tuple[Certificate, ...], level: Level) -> Manifest:
    """Read the bytes that were signed, and none besides."""
    root = xmlsig.read(content)
    metas, payloads = root.findall(f"{_SWID}Meta"), root.findall(f"{_SWID}Payload")
    if root.tag != f"{_SWID}SoftwareIdentity" or len(metas) != 1 or len(payloads) != 1:
        raise _malformed("one SoftwareIdentity with one Meta and one Payload", "another document")
    golden: dict[int, tuple[bytes, ...]] = {}
    seen: set[int] = set()
    for resource in payloads[0]:
        index, digests = _measurement(resource.tag, dict(resource.attrib))
        if index in seen:
            raise _malformed("each measurement once", f"measurement {index} twice")
        seen.add(index)
        if digests:
            golden[index] = digests
    if not golden:
        raise _malformed("active measurements", "none")
    product, version = metas[0].get("product"), metas[0].get("colloquialVersion")
    if not product or not version:
        raise _malformed("product and colloquialVersion", str(dict(metas[0].attrib))[:200])
    return Manifest(product, version, golden, chain, level)


def _measurement(tag: str, words: dict[str, str]) -> tuple[int, tuple[bytes, ...]]:
    """Return a measurement's index and its good digests; none where it is not active."""
    index, active, many = (words.get(name, "") for name in ("index", "active", "alternatives"))
    if (tag, words.get("type"), words.get("size")) != (f"{_SWID}Resource", "Measurement", "48"):
        raise _malformed("measurements of 48 bytes", str(words)[:200])
    if not _INDEX.fullmatch(index) or not _INDEX.fullmatch(many) or active not in _ACTIVE:
        raise _malformed("index, active and alternatives", str(words)[:200])
    names = [f"{_HASH}{number}" for number in range(min(int(many), _MAX_ALTERNATIVES))]
    given = [name for name in words if name.startswith(_HASH)]
    if not names or sorted(names) != sorted(given):
        raise _malformed(f"{many} digests of measurement {index}", f"{len(given)}")
    if not all(_DIGEST.fullmatch(words[name]) for name in names):
        raise _malformed(f"digests of 48 bytes of measurement {index}", "something else")
    return int(index), tuple(bytes.fromhex(words[n]) for n in names) if _ACTIVE[active] else ()


_ACTIVE = {"True": True, "False": False}


def _malformed(expected: str, got: str) -> Malformed:
    return Malformed(
        f"the manifest's content is not as NVIDIA writes it: expected {expected}, got {got}",
        code="rim_malformed",
        expected=expected,
        got=got,
    )
