"""The wall around a workload: bubblewrap where there is one, and otherwise honestly none.

    bubblewrap   no network, no other processes, a file system of which only /out, /state and /tmp
                 can be written, no capabilities, bounded processes and memory
    process      none of that: an ordinary process with a clean environment and its own group

What the first does not give: a filter of system calls, so the kernel's whole surface is there; and
a bound on memory that holds for all processes together. In a real TEE the wall stands inside the
guest and protects the guest agent; the hardware is what keeps the host out.

Source: bwrap(1), setpriv(1), prlimit(1); getrlimit(2).
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from teeproof.cloud import supervise
from teeproof.cloud.inside import WIRING
from teeproof.core.digests import sha256
from teeproof.core.errors import Unavailable, Usage

__all__ = ["DEFAULT_MEMORY", "MAX_PROCESSES", "Kind", "Places", "Wall", "Walls", "choose", "wall"]

Kind = Literal["bubblewrap", "process"]
Walls = Literal["auto", "bubblewrap", "process"]

DEFAULT_MEMORY = 32 << 30  # address space, of which training libraries reserve much
MAX_PROCESSES = 512  # threads count too
_MAX_FILES = 4096  # open at once
_TMP_BYTES = 2 << 30
_GROUP = 1 << 20  # beyond any user of a usual system; nobody logs in as these
_USERS = 1 << 16


class Places(NamedTuple):
    """The folders of one workload, as they lie on the host.

    Attributes:
        code: the image's private copy.
        tee: the wiring, the compose file, the sockets of peers.
        agent: the guest agent's socket.
        serve: the folder in which the workload makes its socket.
        inputs: only read; ``outputs`` and ``state`` are written.
    """

    code: Path
    tee: Path
    agent: Path
    serve: Path
    inputs: Path
    outputs: Path
    state: Path


@dataclass(frozen=True, slots=True)
class Wall:
    """How a workload is started.

    Attributes:
        kind: of the wall.
        command: what to run, without the entry point's own arguments.
        environment: the variables of the process.
        inside: the places as the workload sees them.
        detail: what this wall is, in one sentence.
    """

    kind: Kind
    command: tuple[str, ...]
    environment: dict[str, str]
    inside: Places
    detail: str

    @property
    def isolates(self) -> bool:
        """Whether it is a wall at all."""
        return self.kind == "bubblewrap"


def choose(wanted: Walls) -> Kind:
    """Return the kind of wall that is wanted and there is.

    Raises:
        Unavailable: ``bubblewrap`` is wanted and does not run here; the detail says why.
        Usage: there is no such kind.
    """
    if wanted not in ("auto", "bubblewrap", "process"):
        raise Usage("there is no such wall", expected="auto, bubblewrap, process", got=wanted[:40])
    if wanted == "process":
        return "process"
    problem = _problem()
    if problem is None:
        return "bubblewrap"
    if wanted == "auto":
        return "process"
    raise Unavailable(
        f"bubblewrap does not run here ({problem}): install it (apt-get install bubblewrap), or"
        ' say sandbox="process", which is no sandbox',
        code="sandbox_unavailable",
        expected="bwrap",
        got=problem,
    )


def wall(kind: Kind, places: Places, *, memory: int = DEFAULT_MEMORY) -> Wall:
    """Return how to start a workload behind this wall.

    Args:
        kind: of the wall.
        places: its folders on the host.
        memory: bytes of address space that each of its processes may have.
    """
    return _bubblewrap(places, memory) if kind == "bubblewrap" else _process(places, memory)


def _bubblewrap(places: Places, memory: int) -> Wall:
    user = _user(places.state)
    inside = Places(
        *map(Path, ("/code", "/tee", "/run/dstack.sock", "/serve", "/in", "/out", "/state"))
    )
    mounts = [
        *_system(),
        *("--proc", "/proc", "--dev", "/dev"),
        *("--perms", "1777", "--size", str(_TMP_BYTES), "--tmpfs", "/tmp"),  # noqa: S108  the sandbox's own
        *("--tmpfs", "/run", "--dir", "/var", "--symlink", "../run", "/var/run"),
        *_python(),  # after those that would hide it, where it lies in /tmp
        *("--ro-bind", str(places.tee / "etc"), "/etc"),
        *_bound("--ro-bind", places, inside, ("code", "tee", "inputs")),
        *_bound("--bind", places, inside, ("agent", "serve", "outputs", "state")),
        *("--chdir", "/tmp"),  # noqa: S108
    ]
    if user is not None:
        for folder in (places.outputs, places.state, places.serve):
            _hand_over(folder, user)
        _let_read(places.inputs)
    command = ["bwrap", *_namespaces(user), *mounts, "--die-with-parent"]
    return Wall(
        "bubblewrap",
        (*command, "--", *_dropped(user), *_limited(memory), sys.executable),
        _variables("/tmp", inside),  # noqa: S108
        inside,
        "bubblewrap: no network, no other processes, and no files but its own",
    )


def _process(places: Places, memory: int) -> Wall:
    script = str(Path(supervise.__file__))
    return Wall(
        "process",
        (sys.executable, "-I", "-S", script, *_limited(memory, processes=None), sys.executable),
        _variables(str(places.serve), places),
        places,
        "NO SANDBOX: an ordinary process that can do whatever its user can",
    )


@cache
def _problem() -> str | None:
    """Return why bubblewrap cannot be used here; None if it can."""
    for tool in ("bwrap", "setpriv", "prlimit"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    if not sys.platform.startswith("linux"):
        return "this is not Linux"
    trial = ["bwrap", *_namespaces(_user(Path("/"))), *_system(), "--proc", "/proc"]
    try:
        done = subprocess.run(  # noqa: S603  what is run is written here
            [*trial, "--size", "4096", "--tmpfs", "/tmp", "--", "true"],  # noqa: S108
            capture_output=True, timeout=30, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else done.stderr.decode(errors="replace").strip()[:200]


def _namespaces(user: int | None) -> list[str]:
    if user is None:
        return [
            "--unshare-all", "--unshare-user", "--disable-userns", "--uid", "65534",
            "--gid", "65534", "--hostname", "workload", "--cap-drop", "ALL",
        ]  # fmt: skip
    # As root: without a user namespace, so that the workload can become a user of its own. Root
    # is exempt from the bound on processes (fork(2)), and that user is not.
    return [
        "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts",
        "--unshare-cgroup-try", "--hostname", "workload",
        "--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID",
    ]  # fmt: skip


def _dropped(user: int | None) -> list[str]:
    if user is None:
        return []
    return [
        "setpriv", "--reuid", str(user), "--regid", str(_GROUP), "--clear-groups",
        "--no-new-privs", "--",
    ]  # fmt: skip


def _limited(memory: int, *, processes: int | None = MAX_PROCESSES) -> list[str]:
    bound = [] if processes is None else [f"--nproc={processes}"]  # per user, without a wall
    return ["prlimit", *bound, f"--nofile={_MAX_FILES}", "--core=0", f"--as={memory}", "--"]


def _system() -> list[str]:
    """Return the mounts of the system's programs and libraries."""
    mounts = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib64"):
        path = Path("/", name)
        if path.is_symlink():
            mounts += ["--symlink", os.readlink(path), str(path)]
        elif path.exists():
            mounts += ["--ro-bind", str(path), str(path)]
    return mounts


def _python() -> list[str]:
    """Return the mounts of this interpreter and its packages, where they are not the system's."""
    mounts: list[str] = []
    for prefix in sorted({sys.prefix, sys.base_prefix}):
        if not Path(prefix).is_relative_to("/usr"):
            for parent in reversed(Path(prefix).parents[:-1]):  # left to itself, bwrap closes them
                mounts += ["--perms", "0755", "--dir", str(parent)]
            mounts += ["--ro-bind", prefix, prefix]
    return mounts


def _bound(how: str, outside: Places, inside: Places, names: Iterable[str]) -> list[str]:
    pairs = ((getattr(outside, name), getattr(inside, name)) for name in names)
    return [text for here, there in pairs for text in (how, str(here), str(there))]


def _variables(home: str, inside: Places) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": home,
        "USER": "workload",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONPATH": str(inside.code),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
        WIRING: str(inside.tee / "wiring.json"),
    }


def _user(state: Path) -> int | None:
    """Return the user that a workload becomes where the launcher is root: one per state folder."""
    if os.geteuid() != 0:
        return None
    return _GROUP + 1 + int.from_bytes(sha256(os.fsencode(state.resolve()))[:8], "big") % _USERS


def _hand_over(folder: Path, user: int) -> None:
    for root, folders, names in os.walk(folder):
        for name in (".", *folders, *names):
            os.chown(Path(root, name), user, _GROUP, follow_symlinks=False)


def _let_read(folder: Path) -> None:
    """Let the group of workloads read what only its owner could."""
    for root, folders, names in os.walk(folder):
        for name in (".", *folders, *names):
            path = Path(root, name)
            mode = path.lstat().st_mode
            wanted = 0o5 if stat.S_ISDIR(mode) else 0o4
            if not stat.S_ISLNK(mode) and mode & wanted != wanted:
                os.chown(path, -1, _GROUP)
                path.chmod(stat.S_IMODE(mode) | wanted << 3)
