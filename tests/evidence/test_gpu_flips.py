"""Flip bytes of what comes in about GPUs: nothing breaks, and nothing is taken for something else.

A flip may be accepted only where nobody signed: in the names of copies beside a report, in white
space, and outside what a manifest's signature covers. What is accepted has the same identity and
establishes the same facts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

import msgspec
import pytest

from teeproof.core.errors import Malformed, NotAuthentic
from teeproof.evidence.nvidia.nonce import gpu_nonce
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.nvidia_scene import GpuScene
from teeproof.evidence.verdict import Verdict
from teeproof.evidence.verify import verify
from tests.evidence.scenes import NOW, PLATFORM, REPORT_DATA, flipped
from tests.evidence.test_composite import judge, policy

SCENE = GpuScene(PLATFORM.gpus, gpu_nonce(REPORT_DATA[:32]), NOW)
MADE = SCENE.evidence(SCENE.gpus()[:1])
STRICT = policy(rims=True, revocation=True, min_gpus=1).with_(report_data=REPORT_DATA.hex())
COPIES = (b'"arch"', b'"nonce"')


def alone(**parts: object) -> Evidence:
    given = Evidence(quote=MADE.document(), manifests=MADE.manifests, ocsp=MADE.ocsp)
    return msgspec.structs.replace(given, **parts)


@cache
def honest() -> Verdict:
    verdict = judge(alone(), STRICT)
    assert verdict.exit_code == 0
    return verdict


def takes(given: Evidence) -> bool:
    """Return whether evidence is accepted; it must then say the same."""
    try:
        verdict = verify(given, policy=STRICT, now=NOW)
    except (Malformed, NotAuthentic):
        return False
    if verdict.exit_code:
        assert verdict.exit_code != 2 or (verdict.level, verdict.facts) == (None, {})
        return False
    assert (verdict.subject, verdict.facts) == (honest().subject, honest().facts)
    return True


def taken(data: bytes, places: Iterable[int], field: str) -> set[int]:
    def given(changed: bytes) -> Evidence:
        if field == "quote":
            return alone(quote=changed)
        others = getattr(alone(), field)
        return alone(**{field: tuple(changed if each is data else each for each in others)})

    return {at for at in places if takes(given(flipped(data, at, mask=1 << at % 8)))}


def open_places(document: bytes) -> set[int]:
    """Return where nobody signed: names and values of copies, and white space around."""
    found = {at for at, byte in enumerate(document) if byte in b" \n"}
    for name in COPIES:
        for match in re.finditer(rb"%s: \"[^\"]*\"" % name, document):
            found |= set(range(match.start(), match.end()))
    return found


def test_host_flips_bits_of_the_evidence_of_gpus_and_gains_nothing() -> None:
    document = MADE.document()
    edges = {*range(400), *range(len(document) - 400, len(document))}
    found = taken(document, sorted({*range(0, len(document), 7), *edges}), "quote")
    assert found <= open_places(document)
    assert found, "the name of a copy is really open"


def test_host_cuts_the_evidence_of_gpus_off_and_gains_nothing() -> None:
    document = MADE.document().rstrip()
    for size in {*range(0, len(document), 97), len(document) - 1}:
        assert not takes(alone(quote=document[:size]))
    assert not takes(alone(quote=document + b"x"))


@pytest.mark.parametrize("which", [0, 1])
def test_host_flips_bits_of_a_manifest_and_gains_nothing(which: int) -> None:
    manifest = MADE.manifests[which]
    assert taken(manifest, range(0, len(manifest), 43), "manifests") == set()


@pytest.mark.parametrize("which", range(len(MADE.ocsp)))
def test_host_flips_bits_of_an_ocsp_answer_and_gains_nothing(which: int) -> None:
    answer = MADE.ocsp[which]
    found = taken(answer, range(0, len(answer), 13), "ocsp")
    # Nothing is asked about the second chip, which did not report.
    about_the_other = not takes(alone(ocsp=(answer,))) and takes(
        alone(ocsp=tuple(each for each in MADE.ocsp if each is not answer))
    )
    assert found == set() or about_the_other


def test_host_flips_bits_of_gpus_beside_a_machine_and_gains_nothing() -> None:
    document = MADE.document()
    machine = PLATFORM.machine().evidence(REPORT_DATA, now=NOW)
    expected = policy(min_gpus=1)
    for at in range(3, len(document), 211):
        changed = flipped(document, at, mask=1 << at % 8)
        given = msgspec.structs.replace(machine, gpus=changed)
        try:
            verdict = judge(given, expected)
        except (Malformed, NotAuthentic):
            continue
        assert verdict.exit_code != 0 or at in open_places(document)
