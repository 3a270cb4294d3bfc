"""Fuzz targets for measurements of GPUs: files that an operator hands to pages and commands."""

from __future__ import annotations

from contextlib import suppress

from teeproof.bench.own import pairs, require_gpu
from teeproof.bench.probes import parse_finding
from teeproof.core.errors import Malformed, TooLarge, Usage
from tests.bench.test_probes import OFF, ON


def fuzz_finding(data: bytes) -> None:
    """Parse it; what is taken reads back the same, and stands in a table or is refused in words."""
    with suppress(Malformed, TooLarge):
        found = parse_finding(data, name="off.json")
        assert parse_finding(found.to_json(), name="again.json") == found
        with suppress(Usage):
            pairs([require_gpu(found, name="off.json"), OFF, ON])


SEEDS = {"fuzz_finding": lambda: [OFF.to_json(), ON.to_json()]}
