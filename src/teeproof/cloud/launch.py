"""Start a workload on a simulated machine: measure its code, boot, wire it up, wall it in.

    image = Image.snapshot(folder)
    manifest = Manifest("trainer", "teeproof.training.workload", code=image.digest)
    with launch(manifest, image=image, platform=platform, folder=here) as trainer:
        trainer.wait(60)

The launcher is the simulated machine's hardware and firmware: it holds the platform's secrets, and
what it measures is what it starts.

Trusts: this process.  Does not trust: the image's folder, the workload, peers.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from teeproof.cloud.bridge import Bridge, Lane
from teeproof.cloud.guest import GuestAgent
from teeproof.cloud.image import Image
from teeproof.cloud.inside import Peer, Wiring
from teeproof.cloud.manifest import Manifest
from teeproof.cloud.running import Running
from teeproof.cloud.sandbox import DEFAULT_MEMORY, Places, Wall, Walls, choose, wall
from teeproof.cloud.scratch import discard, scratch
from teeproof.cloud.starting import start
from teeproof.core.clock import wall_clock
from teeproof.core.errors import NotAuthentic, Usage
from teeproof.evidence.collect.simulated import Domain, Guest, Processor, SimulatedPlatform
from teeproof.evidence.endorsements import Collateral

__all__ = ["launch"]

_MAX_PEERS = 32
_SOCKET = "http.sock"


def launch(
    manifest: Manifest,
    *,
    image: Image,
    platform: SimulatedPlatform,
    folder: Path,
    peers: Mapping[str, str | Peer] | None = None,
    inputs: Path | None = None,
    outputs: Path | None = None,
    state: Path | None = None,
    serve: bool = False,
    sandbox: Walls = "auto",
    memory: int = DEFAULT_MEMORY,
    processor: Processor | None = None,
    domain: Domain | None = None,
    collateral: Callable[[datetime], Collateral] | None = None,
    now: Callable[[], datetime] = wall_clock,
) -> Running:
    """Start a workload and return it running.

    Args:
        manifest: what shall run; its ``code`` must be what the image measures.
        image: the code.
        platform: the simulated vendor.
        folder: for what is said of the run: ``stderr.log``, ``progress.jsonl``, ``launch.json``;
            and for the folders that are not given, as ``in``, ``out`` and ``state``.
        peers: what the workload may reach, by name: addresses, or ``Peer`` with a token.
        inputs: a folder that it reads.
        outputs: a folder that it writes.
        state: a folder that it finds again at the next start.
        serve: whether it serves; ``Running.url`` then leads to it.
        sandbox: ``bubblewrap``, ``process`` (none), or the better of what there is.
        memory: bytes of address space that each of its processes may have.
        processor: the machine's; one without faults, if none is given.
        domain: the machine's; one without faults, if none is given.
        collateral: what the vendor publishes at a time; what is right, if none is given.
        now: the machine's clock.

    Raises:
        NotAuthentic: code ``image_mismatch``; the image is not the one that the manifest names.
        Unavailable: the wall that was asked for is not there, or the image cannot be read.
        Usage: a peer's address is none.
    """
    kind = choose(sandbox)
    loaded = image.load()
    if loaded.digest != manifest.code:
        raise NotAuthentic(
            f"the code is not the image that the manifest of {manifest.name} names: it was changed,"
            " or the manifest is of another version",
            code="image_mismatch",
            expected=manifest.code,
            got=loaded.digest,
        )
    place, compose = scratch(), manifest.compose()
    places = Places(
        code=loaded.folder,
        tee=_made(place / "tee"),
        agent=place / "agent.sock",
        serve=_made(place / "serve"),
        inputs=_made(inputs or folder / "in"),
        outputs=_made(outputs or folder / "out"),
        state=_made(state or folder / "state"),
    )
    machine = platform.machine(processor=processor, domain=domain, guest=Guest(compose=compose))
    lanes: list[Lane] = []
    agent = GuestAgent(machine, places.agent, collateral=collateral or platform.collateral, now=now)
    try:
        built = wall(kind, places, memory=memory)
        wired = _lend(_peers(peers), places.tee, built, lanes)
        _write(places.tee, compose, _wiring(built, wired, serve=serve))
        _record(folder, manifest, built)
        process = start(built, folder=folder)
    except BaseException:
        agent.close()
        for lane in lanes:
            lane.close()
        discard(place)
        raise
    served = places.serve / _SOCKET if serve else None
    return Running(
        manifest, built, process, folder=folder, place=place, agent=agent, lanes=lanes,
        served=served,
    )  # fmt: skip


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def _peers(given: Mapping[str, str | Peer] | None) -> dict[str, Peer]:
    peers = {n: p if isinstance(p, Peer) else Peer(p) for n, p in (given or {}).items()}
    if len(peers) > _MAX_PEERS:
        raise Usage(f"a workload has at most {_MAX_PEERS} peers", code="peers_too_many")
    return peers


def _lend(peers: dict[str, Peer], tee: Path, built: Wall, lanes: list[Lane]) -> dict[str, Peer]:
    """Give each peer a socket in a folder that is mounted; return how the workload finds them."""
    wired = {}
    for number, (name, peer) in enumerate(peers.items()):
        path = tee / f"{number}.sock"
        lanes.append(Bridge.shared().lend(peer.url, path))
        path.chmod(0o666)
        wired[name] = msgspec.structs.replace(peer, socket=str(built.inside.tee / path.name))
    return wired


def _wiring(built: Wall, peers: dict[str, Peer], *, serve: bool) -> Wiring:
    inside = built.inside
    return Wiring(
        compose=str(inside.tee / "compose.json"),
        guest=str(inside.agent),
        serve=str(inside.serve / _SOCKET) if serve else "",
        inputs=str(inside.inputs),
        outputs=str(inside.outputs),
        state=str(inside.state),
        peers=peers,
    )


def _write(tee: Path, compose: bytes, wiring: Wiring) -> None:
    (tee / "compose.json").write_bytes(compose)
    (tee / "wiring.json").write_bytes(msgspec.json.encode(wiring))
    etc = tee / "etc"
    etc.mkdir(exist_ok=True)
    (etc / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    (etc / "passwd").write_text("workload:x:65534:65534::/tmp:/bin/false\n")
    (etc / "nsswitch.conf").write_text("hosts: files\npasswd: files\n")
    for path in (tee, etc, *tee.glob("*.json"), *etc.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _record(folder: Path, manifest: Manifest, built: Wall) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    said = {
        "name": manifest.name,
        "module": manifest.module,
        "compose_hash": manifest.compose_hash,
        "code": manifest.code,
        "sandbox": built.kind,
        "isolated": built.isolates,
        "detail": built.detail,
        "level": "simulated",
        "launcher": os.getpid(),
    }
    (folder / "launch.json").write_text(json.dumps(said, indent=2) + "\n")
