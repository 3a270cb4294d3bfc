"""A real machine without hardware: QEMU without KVM, Debian's OVMF, a software TPM.

Its initial ramdisk is busybox and one script, which prints the firmware's log and the registers to
the serial port, and turns the machine off.
"""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.evidence.measure import images

CODE = Path("/usr/share/OVMF/OVMF_CODE.fd")
VARIABLES = Path("/usr/share/OVMF/OVMF_VARS.fd")
STUB = Path("/usr/lib/systemd/boot/efi/linuxx64.efi.stub")
BUSYBOX = Path("/bin/busybox")
MEMORY = 512 << 20
BANKS = ("sha1", "sha256", "sha384")
PATIENCE = 900  # seconds; a boot takes some 20 on an idle core

INIT = """#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc none /proc
$b mount -t sysfs none /sys
$b mount -t securityfs none /sys/kernel/security
echo
echo "== log"
$b base64 /sys/kernel/security/tpm0/binary_bios_measurements
for bank in sha1 sha256 sha384; do
  echo "== $bank"
  for i in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do $b cat /sys/class/tpm/tpm0/pcr-$bank/$i; done
done
echo "== end"
$b poweroff -f
"""


@dataclass(frozen=True)
class Booted:
    """What a machine said of its boot.

    Attributes:
        log: the firmware's log, as Linux hands it out.
        banks: the registers that Linux read from the TPM, by bank and number.
    """

    log: bytes
    banks: dict[str, dict[int, bytes]]


def initrd() -> bytes:
    """Return the initial ramdisk: an archive of cpio's "newc" form."""
    folders = [(name, 0o40755, b"") for name in ("bin", "dev", "proc", "sys")]
    files = [("bin/busybox", 0o100755, BUSYBOX.read_bytes()), ("init", 0o100755, INIT.encode())]
    entries = [*folders, *files, ("TRAILER!!!", 0, b"")]
    return b"".join(_entry(number, *entry) for number, entry in enumerate(entries, 1))


def disk(folder: Path, program: bytes) -> Path:
    """Return a disk with a GUID partition table, whose one partition holds this program to boot."""
    first, sectors = 2048, 64 * 2048
    with (folder / "disk").open("wb") as file:
        file.write(images.gpt([(1, first, first + sectors - 1)]))
        file.truncate((first + sectors + 34) * 512)
    (folder / "program").write_bytes(program)
    partition = f"{folder}/disk@@{first * 512}"
    _mtools("mformat", "-i", partition, "-T", str(sectors), "-F", "::")
    for name in ("::/EFI", "::/EFI/BOOT"):
        _mtools("mmd", "-i", partition, name)
    _mtools("mcopy", "-i", partition, f"{folder}/program", "::/EFI/BOOT/BOOTX64.EFI")
    return folder / "disk"


def _mtools(*line: str) -> None:
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}: {done.stderr}"


def _entry(number: int, name: str, mode: int, data: bytes) -> bytes:
    called = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(called), 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + called
    return head.ljust(-(-len(head) // 4) * 4, b"\0") + data + bytes(-len(data) % 4)


def boot(folder: Path, *options: str | Path, memory: int = MEMORY, kind: str = "q35") -> Booted:
    """Boot a machine; return what it said.

    Args:
        folder: its own, empty but for what the options name.
        options: more of QEMU's.
        memory: bytes of it.
        kind: QEMU's machine type.

    Raises:
        AssertionError: it did not turn itself off in time, with the end of what it printed.
    """
    shutil.copy(VARIABLES, folder / "variables")
    tpm = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder}"]
    tpm += ["--ctrl", f"type=unixio,path={folder}/control"]
    with subprocess.Popen(tpm, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(folder / "control")
            _run(folder, options, memory=memory, kind=kind)
        finally:
            process.terminate()
            process.wait(10)
    return _said((folder / "serial").read_text("latin-1"))


def _wait(path: Path) -> None:
    until = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < until, "swtpm opened no socket"
        time.sleep(0.02)


def _run(folder: Path, options: tuple[str | Path, ...], *, memory: int, kind: str) -> None:
    flash = "if=pflash,format=raw"
    line = ["qemu-system-x86_64", "-machine", f"{kind},accel=tcg", "-cpu", "max", "-nodefaults"]
    line += ["-m", str(memory >> 20), "-display", "none", "-nic", "none", "-no-reboot"]
    line += ["-serial", f"file:{folder}/serial"]
    line += [
        "-drive",
        f"{flash},readonly=on,file={CODE}",
        "-drive",
        f"{flash},file={folder}/variables",
    ]
    line += ["-chardev", f"socket,id=tpm,path={folder}/control"]
    line += ["-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-tis,tpmdev=tpm0"]
    done = subprocess.run([*line, *options], capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr.decode()


def _said(serial: str) -> Booted:
    parts = re.split(r"^== (\w+)\r?\n", serial, flags=re.MULTILINE)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert "end" in found, f"the machine did not come to its end:\n{serial[-2000:]}"
    banks = {
        bank: {i: bytes.fromhex(line) for i, line in enumerate(found[bank].split())}
        for bank in BANKS
    }
    return Booted(log=base64.b64decode(found["log"]), banks=banks)
