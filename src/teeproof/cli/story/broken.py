"""The demo's BREAK IT: four things that a host or an operator can do, each found and named.

    host swaps image         other code gets no key, whatever it calls itself
    one weight changed       the service computes what it loads, and will not serve it
    agent's record edited    the signature of the action does not hold
    log forked               two trees signed by one key, in a file that convicts the log

What is broken are copies: the story's own files stay as they are.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from teeproof.cli.story.answer import prepare as prepare_server
from teeproof.cli.story.answer import server_manifest
from teeproof.cli.story.data import TRAINER
from teeproof.cli.story.money import Money
from teeproof.cli.story.network import Rented
from teeproof.cli.story.proved import check_offline
from teeproof.cli.story.telling import Teller, short_id
from teeproof.cli.story.train import Model
from teeproof.cli.story.world import World
from teeproof.cloud.image import Image
from teeproof.cloud.inside import LOG_POLICY
from teeproof.cloud.manifest import Manifest
from teeproof.core.clock import wall_clock
from teeproof.core.digests import sha256
from teeproof.core.writing import write_file
from teeproof.evidence.collect.simulated import SimulatedAttester
from teeproof.proof.file.zipwrite import ZipWriter
from teeproof.proof.log.formats.entry import STATEMENT
from teeproof.proof.log.storage.log import Log
from teeproof.proof.monitor.evidence import prove_fork
from teeproof.proof.workload import Identity

__all__ = ["edit_statement", "flip_a_weight", "fork", "swap_the_image", "tell"]

_RED = "RED"
_PATIENCE = 60.0


def tell(
    world: World,
    say: Teller,
    *,
    model: Model,
    money: Money,
    rented: Rented,
    proof: Path,
    action: str,
) -> None:
    """Break four things, and tell what was found and at which edge."""
    say.step("broken", "BREAK IT")
    say.now("a host changes a line of the trainer's code")
    code = swap_the_image(world)
    say.line(
        f"a host swaps the trainer's code -> {_RED}: the key service refuses it the keys ({code})",
        broken="image",
        code=code,
    )
    say.now("a host flips one bit of a weight")
    code = flip_a_weight(world, model, money=money, rented=rented)
    say.line(
        f"a host changes one weight -> {_RED}: the service will not serve the model ({code})",
        broken="weight",
        code=code,
    )
    say.now("an agent's owner edits the record of the trade")
    edge, name = _edit_the_record(world, proof, action)
    say.line(
        f"an owner edits the agent's record -> {_RED}: {edge}: {name}", broken="record", check=name
    )
    say.now("the log's operator shows two people two logs")
    sentence = fork(world)
    say.line(f"an operator forks the log -> {_RED}: {sentence}", broken="log")


def swap_the_image(world: World) -> str:
    """Change one line of the trainer's code and start it; return why it gets no key."""
    copy = world.folder / "broken" / "image"
    shutil.copytree(world.image.folder, copy)
    program = copy / "teeproof" / "training" / "run.py"
    program.chmod(0o644)
    program.write_text(program.read_text() + "\n# and send everything to the host\n")
    image = Image(copy)
    kept = world.running["kms"].manifest  # what a trainer is started with, but for the code
    given = {LOG_POLICY: kept.environment[LOG_POLICY], "TEEPROOF_KMS": world.kms_policy}
    manifest = Manifest("trainer", TRAINER, (), given, image.digest)
    inputs = world.folder / "runs" / "trainer-swapped" / "in"
    shutil.copytree(world.folder / "runs" / "trainer" / "in", inputs)  # the very same job
    world.run(manifest, name="trainer-swapped", peers=["kms"], inputs=inputs, image=image)
    return _refusal(world, "trainer-swapped")


def flip_a_weight(world: World, model: Model, *, money: Money, rented: Rented) -> str:
    """Flip one bit of a weight and start the service; return why it will not serve."""
    folder = world.folder / "broken" / "server"
    prepare_server(folder, model, money=money, rented=rented)
    weights = folder / "model" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    manifest = server_manifest(world, model)
    world.run(manifest, name="model-changed", inputs=folder, serve=True)
    return _refusal(world, "model-changed")


def _refusal(world: World, name: str) -> str:
    """Wait for a workload that must fail; return the code of its error."""
    running = world.running.pop(name)
    world.urls.pop(name, None)
    code = running.wait(_PATIENCE)
    words = running.last_words().splitlines()
    try:
        said: dict[str, Any] = json.loads(words[-1]) if words else {}
    except ValueError:
        said = {}
    if code == 0 or "error" not in said:
        raise AssertionError(f"{name} should have been refused, and ended with code {code}")
    return str(said["error"])


def _edit_the_record(world: World, proof: Path, action: str) -> tuple[str, str]:
    target = world.folder / "broken" / "edited.proof"
    edit_statement(proof, target, action, lambda text: text.replace('"traded"', '"failed"', 1))
    found = check_offline(world, target)
    faults = [fault for fault in found.faults if fault["where"] == "statement"]
    if found.code != 2 or not faults:
        raise AssertionError(f"an edited record was not found: exit code {found.code}")
    named = next((one for one in faults if one["check"]["name"] == "signature"), faults[0])
    path = " <- ".join(short_id(one) for one in named["path"])
    return f"trade {path}", f"✗ {named['check']['name']}"


def edit_statement(
    source: Path, target: Path, statement: str, change: Callable[[str], str]
) -> None:
    """Change the words of a statement in a proof file, and mend the file around it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    wanted = statement.removeprefix("sha256:")
    with zipfile.ZipFile(source) as before:
        parts = {name: before.read(name) for name in before.namelist()}
    old = parts.pop(f"statements/{wanted}.json")
    envelope = json.loads(old)
    text = base64.b64decode(envelope["payload"]).decode()
    changed = change(text)
    if changed == text:
        raise AssertionError("nothing was changed")
    payload = changed.encode()
    data = old.replace(envelope["payload"].encode(), base64.b64encode(payload))
    forged = sha256(payload).hex()
    renamed = {name: _renamed(body, wanted, forged) for name, body in parts.items()}
    renamed[f"statements/{forged}.json"] = data
    with target.open("wb") as file:
        after = ZipWriter(file)
        for name in sorted(renamed, key=_place):
            after.add(name, renamed[name])
        after.finish()


def _renamed(body: bytes, before: str, after: str) -> bytes:
    """Have the file's own lists name the changed statement, as a careful forger would."""
    return body.replace(before.encode(), after.encode()) if body[:1] in (b"{", b"[") else body


def _place(name: str) -> tuple[int, str]:
    order = ("manifest.json", "statements/", "identities/", "blobs/", "log/")
    return next(i for i, start in enumerate(order) if name.startswith(start)), name


def fork(world: World) -> str:
    """Copy the log with its key, let both grow apart, and make the file that convicts it."""
    copy = world.folder / "broken" / "log"
    honest = world.notary.directory
    shutil.copytree(honest, copy, ignore=shutil.ignore_patterns("lock", "links.db*", "index*"))
    with Log.open(copy) as other:
        other.append(
            kind=STATEMENT, statement_id=os.urandom(32), identity=os.urandom(32),
            seal=os.urandom(32), record=b"{}",
        )  # fmt: skip
        forked = other.publish()
        with world.store() as store:  # and the log that everyone sees grows by another entry
            Identity.boot(SimulatedAttester(world.platform, now=wall_clock), store=store)
            store.publish()
        with Log.open(honest, read_only=True) as log:
            proof = prove_fork(log.checkpoint(), forked, get_a=log.node, get_b=other.node)
    path = world.folder / "broken" / "fork.proof"
    write_file(path, proof.encode(), overwrite=True)
    found = check_offline(world, path, trusted=False)
    if found.value.get("error") != "log_forked":
        raise AssertionError(f"a fork was not proven: {found.value}")
    return str(found.value["detail"])
