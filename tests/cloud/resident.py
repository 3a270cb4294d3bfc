"""A tiny workload that the tests put into an image: it does what its first argument says."""

from __future__ import annotations

import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from teeproof.cloud.inside import Inside
from teeproof.core.errors import Usage

OUTSIDE = ("192.0.2.1", 9)  # RFC 5737: an address for documentation


def main(inside: Inside) -> int:
    return int(globals()[f"do_{inside.arguments[0]}"](inside) or 0)


def do_identity(inside: Inside) -> None:
    """Who am I: record, evidence, and a digest of what was derived."""
    from teeproof.cloud.kms.service import described
    from teeproof.core.digests import sha256

    me = inside.boot(roles=["seal"], nonce="from the resident")
    keys = {path: sha256(inside.derive(path)).hex() for path in ("one", "two")}
    write(inside, {"me": described(me), "keys": keys, "environment": inside.environment})


def do_look(inside: Inside) -> None:
    """What can be reached from here; arguments: a port of the host, then paths of the host."""
    _, port, *paths = inside.arguments
    write(inside, {
        "network": [tried(socket.create_connection, address, 2)
                    for address in (OUTSIDE, ("127.0.0.1", int(port)))],
        "interfaces": [line.split(":")[0].strip()
                       for line in Path("/proc/net/dev").read_text().splitlines()[2:]],
        "read": {path: tried(Path(path).read_bytes) for path in paths},
        "processes": [name for name in os.listdir("/proc") if name.isdigit()],
        "status": Path("/proc/self/status").read_text(),
        "user": os.getuid(),
        "pid": os.getpid(),
        "variables": dict(os.environ),
        "write": {folder: tried((Path(folder) / "mark").write_bytes, b"mark")
                  for folder in ("/", "/usr", "/etc", "/code", "/tee", "/in", "/run", "/var",
                                 "/out", "/state", "/tmp", sys.prefix)},
        "code": tried(Path("/code/teeproof/__init__.py").write_bytes, b""),
    })  # fmt: skip


def do_serve(inside: Inside) -> None:
    """Answer each request with what a peer answers."""
    import httpx

    client = httpx.Client(timeout=60, trust_env=False)

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = client.get(f"{inside.url('neighbour')}{scope['path']}").content
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"heard: " + body})

    inside.say(step="serving")
    inside.serve(app)


def do_wait(inside: Inside) -> None:
    """Leave a child behind that has a session of its own, and wait for the end."""
    sleep = "import time; time.sleep(600)"
    child = subprocess.Popen([sys.executable, "-c", sleep, inside.name], start_new_session=True)
    inside.say(step="waiting", child=child.pid)
    time.sleep(600)


def do_fail(_inside: Inside) -> None:
    raise Usage("nothing good comes of this", code="resident_failed")


def do_hoard(inside: Inside) -> None:
    """Ask for 8 GiB of address space, and touch none of it."""
    write(inside, {"memory": tried(mmap.mmap, -1, 8 << 30)})


def do_multiply(inside: Inside) -> None:
    """Fork as often as it goes; nobody ends by himself."""
    born: list[int] = []
    outcome = "no bound"
    while len(born) < 2000:
        try:
            child = os.fork()
        except OSError as error:
            outcome = type(error).__name__
            break
        if child == 0:
            signal.pause()
        born.append(child)
    for child in born:
        os.kill(child, signal.SIGKILL)
    write(inside, {"born": len(born), "outcome": outcome})


def do_break_out(inside: Inside) -> None:
    """Try what a workload must not succeed in; argument: a process of the host."""
    host = int(inside.arguments[1])
    attempts = {
        "become root": lambda: os.setuid(0),
        "become another user": lambda: os.setuid(1000),
        "signal a process of the host": lambda: os.kill(host, 0),
        "read its memory": lambda: Path(f"/proc/{host}/mem").read_bytes(),
        "set the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, 0),
        "change the root": lambda: os.chroot("/tmp"),
        "make a device": lambda: os.mknod("/tmp/mem", 0o20666, os.makedev(1, 1)),
        "open a disk": lambda: os.open("/dev/sda", os.O_RDONLY),
        "reach an abstract socket": lambda: reach(inside.arguments[2]),
        "bind beyond the wall": lambda: socket.create_server(("10.0.0.1", 80)),
        "write to the kernel": lambda: Path("/proc/sys/kernel/hostname").write_text("x"),
        "change the code": lambda: Path("/code/teeproof/__init__.py").unlink(),
        "list its host's scratch": lambda: os.listdir(inside.arguments[3]),
    }
    found = {name: tried(attempt) for name, attempt in attempts.items()}
    for name, command in {
        "mount over the code": "mount -t tmpfs none /code",
        "make the code writable": "mount -o remount,rw,bind /code && touch /code/mark",
        "the same in a namespace": "unshare -Urm sh -c "
        "'mount -o remount,rw,bind /code && touch /code/mark'",
        "enter the host's namespace": "nsenter -t 1 -n ip link",
        "leave by a link": "ln -s / /out/root && touch /out/root/mark",
    }.items():
        done = subprocess.run(command, shell=True, capture_output=True, check=False)
        found[name] = "done" if done.returncode == 0 else "refused"
    write(inside, {"found": found, "see": sorted(os.listdir("/in"))})


def reach(name: str) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("\0" + name)


def do_remember(inside: Inside) -> None:
    """Count the starts in the state folder, and copy the input."""
    place = inside.state / "starts"
    place.write_text(place.read_text() + "x" if place.exists() else "x")
    write(inside, {"starts": len(place.read_text()), "input": (inside.inputs / "note").read_text()})


def tried(what: Any, *arguments: Any) -> str:
    try:
        what(*arguments)
    except (OSError, MemoryError) as error:
        return type(error).__name__
    return "done"


def write(inside: Inside, found: Any) -> None:
    (inside.outputs / "found.json").write_text(json.dumps(found))
