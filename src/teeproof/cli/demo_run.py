"""What ``teeproof demo`` does: a proof, real evidence, refusals, simulated evidence."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from teeproof.cli.demo_proof import summary, tell, write_story
from teeproof.cli.outgoing import require_place
from teeproof.cli.quoting import shell
from teeproof.cli.samples import found_sample
from teeproof.cli.screen import ColorChoice, Screen, standard
from teeproof.cli.simulate import files_of, write_simulated
from teeproof.cli.verdicts import answer, counts, headline, write_failures, write_strength
from teeproof.cli.verify import Answer, verify_bundle
from teeproof.core.clock import format_time, wall_clock
from teeproof.core.errors import Unavailable, Usage
from teeproof.evidence.collect.simulated import (
    SimulatedPlatform,
    opt_in_policy,
    simulate,
    states,
)
from teeproof.evidence.files.bundles import Bundle, gather
from teeproof.evidence.policy import Policy, parse_policy
from teeproof.evidence.samples.fetch import SAMPLES, Sample

__all__ = ["run"]

_PREFERRED = ("dstack", "tdx-v5", "tdx-v4")
_MRTD = 48 + 136  # offset of MRTD in a quote: behind the header, at 136 of the TD report


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the demo does.

    Attributes:
        name: for programs.
        title: for people.
        sentence: what to look at.
        answer: what came of it.
    """

    name: str
    title: str
    sentence: str
    answer: Answer


def run(*, keep: Path | None, as_json: bool, color: ColorChoice) -> int:
    """Run the demo; return its exit code."""
    screen = standard(color)
    sample = next((SAMPLES[name] for name in _PREFERRED if found_sample(SAMPLES[name])), None)
    with _folder(keep) as scratch:
        story = tell(scratch, wall_clock)
        real = _real(sample) if sample else []
        simulated = _simulated(scratch, wall_clock())
    if as_json:
        steps = {step.name: _summary(step.answer) for step in (*real, *simulated)}
        screen.json(summary(story) | steps)
        return 0
    _intro(screen, keep)
    write_story(screen, story)
    for number, step in enumerate((*real, *simulated), 3):
        _write_step(screen, number, step)
    if sample is None:
        _say_how_to_get_it(screen)
    _write_next(screen, sample, keep)
    return 0


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Give a directory to work in: one that is removed, or a new one that a person named."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="teeproof-demo-") as scratch:
            yield Path(scratch)
        return
    require_place(keep, what="a directory")
    try:
        keep.mkdir(parents=True)
    except FileExistsError:
        raise Usage(
            f"{keep} is there, and nothing is overwritten: name a new directory", code="out_taken"
        ) from None
    except OSError as error:
        raise Unavailable(
            f"{keep} cannot be made: {error.strerror}", code="out_unavailable", got=str(keep)
        ) from None
    yield keep


def _real(sample: Sample) -> list[Step]:
    folder = found_sample(sample)
    bundle = gather([folder])[0] if folder else None
    if bundle is None:
        return []
    return [
        Step(
            name="real",
            title="Real evidence, as of its own time",
            sentence=f"{sample.about}, published by its owner. Every check has a name; what was not"
            " checked says so.",
            answer=_verified(bundle, now=sample.at),
        ),
        Step(
            name="real_today",
            title="The same evidence, today",
            sentence="Intel's word holds for 30 days. A verifier that does not look at dates would"
            " still say yes.",
            answer=_verified(bundle, now=wall_clock()),
        ),
        Step(
            name="real_flipped",
            title="The same evidence, with one bit of the measured firmware flipped",
            sentence="Whoever changes the report breaks the signature over it.",
            answer=_verified(_flipped(bundle), now=sample.at),
        ),
    ]


def _simulated(scratch: Path, now: datetime) -> list[Step]:
    platform = SimulatedPlatform.create()
    folder = scratch / "simulated-evidence"
    evidence = simulate("up-to-date", os.urandom(64), platform=platform, now=now)
    policy = opt_in_policy(platform)
    write_simulated(folder, files_of(evidence, policy=policy, state=states()["up-to-date"]))
    bundle = gather([folder])[0]
    return [
        Step(
            name="simulated",
            title="Simulated evidence, nobody having asked for it",
            sentence="A platform made in memory just now: real formats, real signatures, and a root"
            " key that no policy of yours pins.",
            answer=_verified(bundle, now=now),
        ),
        Step(
            name="simulated_allowed",
            title="The same, with a policy that pins that root",
            sentence="Now it is allowed, as what it is. No policy makes it hardware.",
            answer=_verified(bundle, now=now, policy=parse_policy(policy)),
        ),
    ]


def _verified(bundle: Bundle, *, now: datetime, policy: Policy | None = None) -> Answer:
    return verify_bundle(bundle, policy=policy, now=now, environment=os.environ)


def _flipped(bundle: Bundle) -> Bundle:
    quote = bytearray(bundle.evidence.quote)
    quote[_MRTD] ^= 1
    evidence = msgspec.structs.replace(bundle.evidence, quote=bytes(quote))
    return msgspec.structs.replace(bundle, evidence=evidence)


def _intro(screen: Screen, keep: Path | None) -> None:
    screen.text("teeproof checks what trusted hardware says, and what is said inside it.", "bold")
    left = f"what is made stands in {keep}" if keep else "nothing is left behind"
    screen.text(f"Offline: no server is asked, and {left}.")


def _say_how_to_get_it(screen: Screen) -> None:
    screen.title("Real evidence")
    screen.text(
        "None is on this machine. Others published some; this downloads it by commit and digest:"
    )
    screen.text("teeproof samples fetch dstack", "bold", indent=2)
    screen.text("Then run the demo again.")


def _write_step(screen: Screen, number: int, step: Step) -> None:
    verdict = step.answer.verdict
    screen.write()
    screen.text(f"{number}. {step.title}", "bold", "cyan")
    screen.text(step.sentence)
    screen.write()
    screen.row("evidence", f"{headline(verdict)} · {step.answer.bundle.name}")
    write_strength(screen, verdict)
    if verdict.failures:
        screen.write()
        write_failures(screen, verdict)
    words, styles = answer(verdict)
    screen.write()
    screen.sides(words, counts(verdict), *styles)


def _summary(found: Answer) -> dict[str, Any]:
    verdict = found.verdict
    return {
        "ok": verdict.ok,
        "level": verdict.level,
        "confidential": verdict.confidential,
        "exit_code": verdict.exit_code,
        "time": verdict.provenance.time,
        "policy": verdict.provenance.policy,
        "failures": [
            {"name": c.name, "error": c.code, "expected": c.expected, "got": c.got}
            for c in verdict.failures
        ],
    }


def _write_next(screen: Screen, sample: Sample | None, keep: Path | None) -> None:
    at = keep or Path("demo")
    trust = ("--policy", at / "policy.toml", "--logs", at / "trusted-logs")
    lines: list[tuple[str, str]] = [
        (shell("teeproof", "verify", at / "answer.proof", *trust), "the first step, by yourself"),
        (shell("teeproof", "graph", at / "answer.proof"), "who made what of what"),
        (shell("teeproof", "show", at / "answer.proof"), "all that the proof claims"),
    ]
    if keep is None:
        lines.insert(
            0,
            (
                shell("teeproof", "demo", "--short", "--keep", at),
                "keep this proof, its log, and whom to trust, for what follows",
            ),
        )
    if sample:
        folder, when = found_sample(sample), format_time(sample.at).removesuffix("T00:00:00Z")
        again = shell("teeproof", "verify", _shown(folder), "--at", when)
        lines.append((again, "the real evidence, every check of it"))
    lines += [
        ("teeproof simulate debug", "evidence of a machine that its host can look into"),
        ("teeproof policy new > mine.toml", "say what you expect"),
        ("teeproof --help", "everything else"),
    ]
    screen.title("Type next")
    for line, meaning in lines:
        screen.copied("", line, "bold")
        screen.text(meaning, "dim", indent=4)


def _shown(folder: Path | None) -> Path:
    """Return a path as people would type it from here."""
    return Path(os.path.relpath(folder)) if folder else Path()
