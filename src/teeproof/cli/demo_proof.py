"""The part of the demo about proofs: three workloads, a log, two witnesses, one file, one lie."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from teeproof.cli.screen import Screen
from teeproof.core import strictjson
from teeproof.core.errors import Error
from teeproof.evidence.collect.simulated import (
    SimulatedAttester,
    SimulatedPlatform,
    opt_in_policy,
)
from teeproof.proof.file import Exported
from teeproof.proof.file.zipwrite import ZipWriter
from teeproof.proof.log.formats.cosignature import Cosigner
from teeproof.proof.log.storage.log import Log
from teeproof.proof.sealing import Sealed
from teeproof.proof.witness.request import AddCheckpoint
from teeproof.proof.witness.witness import Witness
from teeproof.proof.workload import Identity

__all__ = ["Story", "summary", "tell", "write_story"]

ORIGIN = "demo.example/log"
WITNESSES = ("one.example/witness", "two.example/witness")
_FALSE = "what does not hold"
_LEFT_OUT = ("  as of", "  policy", "  log policy")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What ``teeproof verify`` said, in a process of its own, without network.

    Attributes:
        command: what was run, as one would type it.
        network: how the process was cut off.
        text: what it printed for people.
        value: what it printed with ``--json``.
        code: its exit code.
    """

    command: str
    network: str
    text: str
    value: dict[str, Any]
    code: int


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that happened.

    Attributes:
        workloads: names and ids of the identities.
        sealed: names and ids of the statements.
        entries: of the log.
        exported: what went into the proof file.
        proven: the verdict on it.
        broken: the verdict after one byte of it was changed.
    """

    workloads: dict[str, str]
    sealed: dict[str, str]
    entries: int
    exported: Exported
    proven: Answer
    broken: Answer


def tell(scratch: Path, now: Callable[[], datetime]) -> Story:
    """Do it all in an empty directory, and return what happened."""
    platform = SimulatedPlatform.create()
    (scratch / "policy.toml").write_text(opt_in_policy(platform))
    with Log.create(scratch / "log", origin=ORIGIN) as log:
        names = ("validator", "trainer", "server")
        validator, trainer, server = workloads = [
            Identity.boot(SimulatedAttester(platform, now=now), store=log, now=now) for _ in names
        ]
        sealed = _lifecycle(validator, trainer, server)
        _witnessed(log, scratch, now)
        exported = sealed["answer"].save(scratch / "answer.proof")
        entries = log.size
    _change_a_byte(scratch / "answer.proof", scratch / "changed.proof", sealed["dataset"])
    return Story(
        workloads={name: one.name for name, one in zip(names, workloads, strict=True)},
        sealed={name: one.name for name, one in sealed.items()},
        entries=entries,
        exported=exported,
        proven=_verify(scratch, "answer.proof"),
        broken=_verify(scratch, "changed.proof"),
    )


def _lifecycle(validator: Identity, trainer: Identity, server: Identity) -> dict[str, Sealed]:
    """Say, in turn, what came of what: each statement names the one before it by digest."""
    orders = [f"order {number}\n".encode() for number in range(3)]
    parts = {
        f"orders-{number}": validator.seal(
            "contribute", outputs={f"orders-{number}.txt": order}, inputs={"record": order}
        )
        for number, order in enumerate(orders)
    }
    dataset = validator.seal(
        "validate", outputs={"orders.txt": b"".join(orders)}, inputs=dict(parts)
    )
    model = trainer.seal(
        "train",
        outputs={"model.bin": b"weights"},
        inputs={"dataset": dataset},
        parameters={"seed": "7"},
    )
    answer = server.seal(
        "answer", outputs={"answer.txt": b"sell half"}, inputs={"model": model, "prompt": b"sell?"}
    )
    return parts | {"dataset": dataset, "model": model, "answer": answer}


def _witnessed(log: Log, scratch: Path, now: Callable[[], datetime]) -> None:
    """Publish, and have two witnesses cosign; write down whom a relying party trusts."""
    signed = log.publish()
    lines = [f"log {log.verifier.text()}"]
    for number, name in enumerate(WITNESSES, 1):
        folder = scratch / f"witness-{number}"
        folder.mkdir()
        cosigner = Cosigner(name, os.urandom(32))
        clock = lambda: now().timestamp()  # noqa: E731
        with Witness.open(folder, cosigner, logs=[log.verifier], now=clock) as witness:
            request = AddCheckpoint(old=0, proof=(), signed=signed)
            log.add_cosignatures(signed.checkpoint.size, [witness.add(request)])
            lines.append(f"witness w{number} {witness.verifier.text()}")
    lines += ["group both all w1 w2", "quorum both"]
    (scratch / "trusted-logs").write_text("\n".join(lines) + "\n")


def _change_a_byte(source: Path, target: Path, victim: Sealed) -> None:
    """Change one byte of one signature, and mend the ZIP around it as a careful forger would."""
    with zipfile.ZipFile(source) as before, target.open("wb") as file:
        after = ZipWriter(file)
        for name in before.namelist():
            data = before.read(name)
            if name == f"statements/{victim.id.hex()}.json":
                data = _with_another_signature(data)
            after.add(name, data)
        after.finish()


def _with_another_signature(data: bytes) -> bytes:
    envelope = strictjson.loads(data, limit=1 << 20)
    old = envelope["signatures"][0]["sig"]
    raw = bytearray(base64.b64decode(old))
    raw[0] ^= 1
    return data.replace(old.encode(), base64.b64encode(raw))


def _verify(scratch: Path, name: str) -> Answer:
    words = ["verify", name, "--policy", "policy.toml", "--logs", "trusted-logs"]
    text, network, code = _offline(words, scratch)
    value, _, _ = _offline([*words, "--json"], scratch)
    return Answer(
        command=" ".join(["teeproof", *words]),
        network=network,
        text=text,
        value=strictjson.loads(value, limit=1 << 24),
        code=code,
    )


def _offline(words: list[str], scratch: Path) -> tuple[str, str, int]:
    done = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-m", "teeproof.cli.offline", *words],
        cwd=scratch,
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ) | {"COLUMNS": "", "PYTHONIOENCODING": "utf-8"},
    )
    network, _, rest = done.stderr.partition("\n")
    if rest or not network.startswith("network: off"):
        raise Error("the process without network failed", code="internal", got=done.stderr[-300:])
    return done.stdout, network.removeprefix("network: "), done.returncode


def summary(story: Story) -> dict[str, Any]:
    """Return what ``--json`` prints: two steps of the demo."""
    return {"proof": _summary(story, story.proven), "proof_changed": _summary(story, story.broken)}


def _summary(story: Story, found: Answer) -> dict[str, Any]:
    value = found.value
    return {
        "ok": value["ok"],
        "level": value["level"],
        "confidential": value["confidential"],
        "exit_code": found.code,
        "time": value["time"],
        "network": found.network,
        "statements": story.exported.statements,
        "bytes": story.exported.bytes,
        "root": value["roots"][0],
        "failures": [
            {
                "name": fault["check"]["name"],
                "error": fault["check"]["code"],
                "path": fault["path"],
            }
            for fault in value["faults"]
        ],
    }


def write_story(screen: Screen, story: Story) -> None:
    """Write the first two steps of the demo."""
    screen.write()
    screen.text("1. A proof: from data to answer, by three workloads", "bold", "cyan")
    screen.text(
        "Three workloads boot on simulated machines, make their keys there, and seal what they do."
        " A log keeps it, two witnesses cosign, and one file carries it all to whoever asks."
    )
    screen.write()
    screen.row("booted", _listed(story.workloads))
    screen.row("sealed", _listed(story.sealed))
    screen.row(
        "logged", f"{story.entries} entries in {ORIGIN}, cosigned by {' and '.join(WITNESSES)}"
    )
    size = f"{story.exported.bytes / 1000:.0f} kB"
    screen.row("proof", f"answer.proof: {story.exported.statements} statements, {size}")
    screen.row("network", story.proven.network)
    screen.copied("command", story.proven.command, "bold")
    screen.write()
    lines = story.proven.text.splitlines()[2:]
    _write_lines(screen, [line for line in lines if not line.startswith(_LEFT_OUT)])
    screen.write()
    screen.text("2. The same proof, with one byte changed", "bold", "cyan")
    screen.text(
        "In the signature under the dataset, by a forger who mended the file around it. The answer"
        " names the edge: which way leads from what was asked about to what is false."
    )
    screen.write()
    lines = story.broken.text.splitlines()
    _write_lines(screen, lines[lines.index(_FALSE) :])


def _listed(names: dict[str, str]) -> str:
    return ", ".join(
        f"{name} {digest.removeprefix('sha256:')[:8]}" for name, digest in names.items()
    )


def _write_lines(screen: Screen, lines: list[str]) -> None:
    for line in lines:
        styles: tuple[str, ...] = ("magenta",) if "SIMULATED" in line else ()
        styles = ("red", "bold") if "NOT AUTHENTIC" in line or "✗" in line else styles
        if len(line) > screen.width:
            screen.text(line.strip(), *styles, indent=len(line) - len(line.lstrip()))
        else:
            screen.write(screen.paint(line, *styles))
