"""Fuzz targets for files: whatever someone hands over is recognised, taken apart, or refused."""

from __future__ import annotations

import json
from base64 import b64encode
from contextlib import suppress
from functools import cache

from teeproof.cli.claims import claims
from teeproof.core import strictjson
from teeproof.core.errors import Error
from teeproof.evidence.files.bundles import bundle
from teeproof.evidence.files.kinds import KINDS, identify
from teeproof.evidence.files.unpack import unpack
from tests.evidence import scenes
from tests.proof import people

CARRIERS = (
    "tdx-quote", "sgx-quote", "gpu-evidence", "quote-response", "attestation", "certificate",
)  # fmt: skip


def fuzz_identify(data: bytes) -> None:
    """What is recognised is one of the kinds, and recognised again by its own bytes."""
    with suppress(Error):
        piece = identify(data)
        assert piece.kind in KINDS
        assert identify(piece.data).kind == piece.kind


def fuzz_bundle(data: bytes) -> None:
    """A bundle holds the quote that was in the file, and no copy beside it counts."""
    with suppress(Error):
        piece = identify(data)
        made = bundle([piece], name="fuzz")
        assert piece.kind in CARRIERS
        assert made.evidence.quote == unpack(piece).quote


def fuzz_claims(data: bytes) -> None:
    """What a file claims can always be printed as JSON, and is never called verified."""
    with suppress(Error):
        found = claims(identify(data))
        assert found["verified"] is False
        strictjson.dumps(found)


def _of_gpus() -> list[bytes]:
    given = scenes.state("gpus-beside")
    answer = {"id": "NV_1", "rim": b64encode(given.manifests[0]).decode()}
    assert given.gpus
    return [given.gpus, given.manifests[0], json.dumps(answer).encode(), given.ocsp[0]]


@cache
def _seeds() -> list[bytes]:
    evidence = scenes.evidence()
    response = {"quote": evidence.quote.hex(), "event_log": evidence.event_log.decode()}
    return [
        evidence.quote,
        evidence.quote.hex().encode(),
        evidence.event_log,
        evidence.compose,
        json.dumps(evidence.collateral.to_json()).encode(),
        json.dumps(response | {"report_data": "00" * 64}).encode(),
        *_of_gpus(),
        people.workload_named("fuzz").record.encode(),
        people.workload_named("fuzz").record.keys.encode(),
        b'debug = false\nmrtd = ["' + b"0" * 96 + b'"]\n',
    ]


SEEDS = {"fuzz_identify": _seeds, "fuzz_bundle": _seeds, "fuzz_claims": _seeds}
