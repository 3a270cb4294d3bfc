"""Part 0 of the demo: evidence of a real machine, checked as of its own day."""

from __future__ import annotations

import os

from teeproof.cli.samples import found_sample
from teeproof.cli.story.telling import Teller
from teeproof.cli.verdicts import headline
from teeproof.cli.verify import verify_bundle
from teeproof.evidence.files.bundles import gather
from teeproof.evidence.samples.fetch import SAMPLES

__all__ = ["tell"]

_PREFERRED = ("dstack", "tdx-v5", "tdx-v4")


def tell(say: Teller) -> None:
    """Verify a sample of real evidence; where none is here, say how to get one."""
    say.step("real", "0 Real")
    places = ((SAMPLES[name], found_sample(SAMPLES[name])) for name in _PREFERRED)
    sample, folder = next(((one, place) for one, place in places if place), (None, None))
    if sample is None or folder is None:
        say.line("no real evidence is on this machine: teeproof samples fetch dstack", here=False)
        return
    bundle = gather([folder])[0]
    verdict = verify_bundle(bundle, policy=None, now=sample.at, environment=os.environ).verdict
    states = [check.state for check in verdict.checks]
    done = {state: states.count(state) for state in ("passed", "failed", "not_checked")}
    signed = "Intel-signed" if verdict.level == "hardware" and verdict.ok else "NOT AUTHENTIC"
    failed = f", {done['failed']} failed" if done["failed"] else ""
    say.line(
        f"a real machine's {verdict.kind.upper()} quote: {signed},"
        f" {done['passed']} checks passed{failed}, {done['not_checked']} not checked",
        real=True,
        here=True,
        what=headline(verdict),
        level=verdict.level,
        ok=verdict.ok,
        as_of=verdict.provenance.time,
        checks=done,
    )
