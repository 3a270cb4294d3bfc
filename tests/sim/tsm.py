"""Linux's configfs-tsm in a process of its own: a file system (FUSE) that keeps the kernel's rules.

    python -m tests.sim.tsm FOLDER PROVIDER

What is there: ``mkdir`` makes an entry with its attributes, ``rmdir`` takes it away; each write of
an attribute counts up ``generation``; the binary ``inblob`` takes effect when its file is closed,
and what is wrong with it is told to nobody; ``outblob`` is made at the first read after a write, by
the simulator's machine. One request at a time reaches the machine: whoever comes meanwhile is told
EBUSY. A fault is what a hostile or broken host does instead: its name is written into the file
``.fault``, which no listing shows.

Source: Linux, Documentation/ABI/testing/configfs-tsm-report, and what fs/configfs does with binary
attributes.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

SEED = bytes(range(32))
NOW = datetime(2026, 3, 1, tzinfo=UTC)
GUIDS = {
    "VCEK": "63da758d-e664-4564-adc5-f4b93be8accd",
    "ASK": "4ab7b379-bbac-4fe4-a02f-05aef327c782",
    "ARK": "c0b406a4-a803-4952-9743-3fb6014cd0ae",
}
FAULTS = {
    "swapped": "gives a genuine report over other data",
    "stale": "gives the report of the request before, over and over",
    "overtaken-late": "lets somebody else write into the entry after it was read",
    "switched": "has another provider once the report was read",
    "short-table": "cuts the certificate table short",
    "endless": "gives a report without end",
    "endless-table": "gives a certificate table without end",
    "deaf": "takes what is written and forgets it",
    "busy-twice": "is busy twice",
    "busy": "is always busy",
    "would-block": "says once that it would block",
    "unplugged": "loses its provider before the report is read",
    "mute": "times out",
    "nameless": "names no provider",
    "without-provider": "has no provider, and makes no entry",
    "full": "makes no further entry",
    "foreign": "has a provider that nobody knows",
}
CONTROL = "/.fault"
PAIRS = {"tdx_guest": "sev_guest", "sev_guest": "tdx_guest", "arm_cca_guest": "tdx_guest"}
Machine = Callable[[bytes], tuple[bytes, bytes]]


def machine(provider: str) -> Machine:
    """Return what makes report and auxiliary data for 64 bytes."""
    from teeproof.evidence.collect.simulated import SimulatedPlatform, SnpMachine

    platform = SimulatedPlatform(SEED)
    if provider == "arm_cca_guest":
        return lambda data: (platform.cca.token(data), b"")
    if provider == "sev_guest":
        guest = SnpMachine(platform.snp)
        return lambda data: (guest.report(data), table(guest.key.chain))
    domain = platform.machine()
    return lambda data: (domain.quote(data), b"")


def table(chain: tuple[bytes, ...]) -> bytes:
    """Return a chip's certificates as the GHCB specification (4.1.8.1) lays them out."""
    at, rows, bodies = 24 * (len(chain) + 1), b"", b""
    for guid, der in zip(GUIDS.values(), chain, strict=True):
        rows += uuid.UUID(guid).bytes + struct.pack("<II", at + len(bodies), len(der))
        bodies += der
    return rows + bytes(24) + bodies


class Entry:
    """One report instance."""

    def __init__(self) -> None:
        self.written = self.read = 0
        self.inblob = self.outblob = self.auxblob = b""
        self.privlevel = "0"


class Tsm:
    """The kernel's side: entries by name, and what reading and writing them does."""

    def __init__(self, provider: str) -> None:
        self.provider, self.faults = provider, frozenset[str]()
        self.entries: dict[str, Entry] = {}
        self.making = threading.Lock()
        self.make = machine(provider)
        self.tries = 0
        self.before: tuple[bytes, bytes] | None = None

    @property
    def attributes(self) -> dict[str, int]:
        """Each attribute's mode."""
        shown = {"generation": 0o444, "provider": 0o444, "inblob": 0o200, "outblob": 0o400}
        if self.provider == "sev_guest":
            shown |= {"privlevel": 0o200, "privlevel_floor": 0o444, "auxblob": 0o400}
        return shown

    def misbehave(self, faults: list[str]) -> None:
        """From now on do these things wrong, and no others."""
        if set(faults) - set(FAULTS):
            raise OSError(errno.EINVAL, "")
        self.faults, self.tries, self.before = frozenset(faults), 0, None

    def enter(self, name: str) -> None:
        if "without-provider" in self.faults:
            raise OSError(errno.ENXIO, "")
        if "full" in self.faults:
            raise OSError(errno.ENOSPC, "")
        if name in self.entries:
            raise OSError(errno.EEXIST, "")
        self.entries[name] = Entry()

    def write(self, entry: Entry, attribute: str, data: bytes) -> None:
        if "deaf" in self.faults:
            return
        if attribute == "inblob":
            if len(data) > 64:
                raise OSError(errno.EINVAL, "")
            entry.inblob = data
        elif attribute == "privlevel":
            if not 0 <= int(data) <= 3:
                raise OSError(errno.EINVAL, "")
            entry.privlevel = data.decode().strip()
        else:
            raise OSError(errno.EACCES, "")
        entry.written += 1

    def show(self, entry: Entry, attribute: str) -> bytes:
        if attribute == "generation":
            return b"%d\n" % entry.written
        if attribute == "provider":
            if "switched" in self.faults and entry.outblob:
                return PAIRS[self.provider].encode() + b"\n"
            named = {"nameless": "", "foreign": "moon_guest"}
            found = [name for fault, name in named.items() if fault in self.faults]
            return (found[0] if found else self.provider).encode() + b"\n"
        if attribute == "privlevel_floor":
            return b"0\n"
        if attribute in ("outblob", "auxblob"):
            self.refresh(entry)
            return entry.outblob if attribute == "outblob" else entry.auxblob
        raise OSError(errno.EACCES, "")

    def refresh(self, entry: Entry) -> None:
        """Have the machine report, unless it did since the last write."""
        if not entry.inblob:
            raise OSError(errno.EINVAL, "")
        if entry.outblob and entry.read == entry.written:
            return
        self.stumble()
        if not self.making.acquire(blocking=False):
            raise OSError(errno.EBUSY, "")
        try:
            if len(entry.inblob) != 64:
                raise OSError(errno.EINVAL, "")
            entry.outblob, entry.auxblob = self.reported(entry.inblob)
            entry.read = entry.written
        finally:
            self.making.release()
        if "overtaken-late" in self.faults:
            entry.written += 1

    def stumble(self) -> None:
        self.tries += 1
        if "unplugged" in self.faults:
            raise OSError(errno.ENXIO, "")
        if "mute" in self.faults:
            raise OSError(errno.ETIMEDOUT, "")
        if "busy" in self.faults or ("busy-twice" in self.faults and self.tries <= 2):
            raise OSError(errno.EBUSY, "")
        if "would-block" in self.faults and self.tries == 1:
            raise OSError(errno.EWOULDBLOCK, "")

    def reported(self, data: bytes) -> tuple[bytes, bytes]:
        if "swapped" in self.faults:
            data = bytes(64)
        out, aux = self.make(data)
        if "stale" in self.faults:
            self.before, (out, aux) = (out, aux), self.before or (out, aux)
        if "short-table" in self.faults:
            aux = aux[:-1]
        return out, aux


def serve(folder: str, provider: str) -> None:
    """Mount, and answer until the folder is unmounted."""
    import mfusepy

    class Configfs(mfusepy.Operations):  # type: ignore[misc]
        use_ns = True

        def __init__(self) -> None:
            self.tsm = Tsm(provider)
            self.open_files: dict[int, bytearray] = {}
            self.numbers = iter(range(1, 1 << 62))
            self.alone = threading.Lock()

        def entry(self, path: str) -> Entry:
            found = self.tsm.entries.get(path.split("/")[1])
            if found is None:
                raise OSError(errno.ENOENT, "")
            return found

        def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
            parts = path.strip("/").split("/")
            mode = stat.S_IFDIR | 0o755
            if path == CONTROL:
                mode = stat.S_IFREG | 0o600
            elif parts != [""]:
                self.entry(path)
                if len(parts) == 2 and parts[1] in self.tsm.attributes:
                    mode = stat.S_IFREG | self.tsm.attributes[parts[1]]
                elif len(parts) > 1:
                    raise OSError(errno.ENOENT, "")
            return {"st_mode": mode, "st_nlink": 1, "st_size": 0, "st_uid": os.getuid()}

        def readdir(self, path: str, fh: int) -> list[str]:
            inside = self.tsm.entries if path == "/" else self.tsm.attributes
            return [".", "..", *inside]

        def mkdir(self, path: str, mode: int) -> int:
            if path.count("/") != 1:
                raise OSError(errno.EPERM, "")
            with self.alone:
                self.tsm.enter(path[1:])
            return 0

        def rmdir(self, path: str) -> int:
            with self.alone:
                self.entry(path)
                del self.tsm.entries[path[1:]]
            return 0

        def truncate(self, path: str, length: int, fh: int | None = None) -> int:
            return 0

        def open(self, path: str, flags: int) -> int:
            if path == CONTROL:
                return next(self.numbers)
            self.entry(path)
            mode = self.tsm.attributes[path.split("/")[2]]
            if flags & os.O_ACCMODE == os.O_RDONLY and not mode & 0o400:
                raise OSError(errno.EACCES, "")
            if flags & os.O_ACCMODE != os.O_RDONLY and not mode & 0o200:
                raise OSError(errno.EACCES, "")
            return next(self.numbers)

        def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
            attribute = path.split("/")[2]
            if {"outblob": "endless", "auxblob": "endless-table"}.get(attribute) in self.tsm.faults:
                return bytes(size)
            if fh not in self.open_files:
                shown = self.tsm.show(self.entry(path), attribute)
                self.open_files[fh] = bytearray(shown)
            return bytes(self.open_files[fh][offset : offset + size])

        def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
            if path == CONTROL:
                self.tsm.misbehave(data.decode().split())
                return len(data)
            attribute = path.split("/")[2]
            if attribute == "inblob":
                kept = self.open_files.setdefault(fh, bytearray())
                kept[offset : offset + len(data)] = data
            else:
                self.tsm.write(self.entry(path), attribute, data)
            return len(data)

        def flush(self, path: str, fh: int) -> int:
            if path.endswith("/inblob") and fh in self.open_files:
                try:
                    self.tsm.write(self.entry(path), "inblob", bytes(self.open_files.pop(fh)))
                except OSError:
                    return 0  # configfs tells nobody
            return 0

        def release(self, path: str, fh: int) -> int:
            self.open_files.pop(fh, None)
            return 0

    mfusepy.FUSE(
        Configfs(), folder, foreground=True, direct_io=True, fsname="configfs-tsm",
        attr_timeout=0, entry_timeout=0, negative_timeout=0,
    )  # fmt: skip


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2])
