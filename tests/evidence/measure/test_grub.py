"""GRUB's registers: by a second arithmetic, and as a real machine's log holds them."""

from __future__ import annotations

import hashlib

import pytest

from teeproof.core.errors import Malformed
from teeproof.evidence.eventlog import firmware
from teeproof.evidence.measure.compare import differences, of_firmware
from teeproof.evidence.measure.expected import expected
from teeproof.evidence.measure.tpm.grub import LABELS, grub_registers, parse_commands


def test_commands_and_files_extend_a_register_each():
    eight, nine = grub_registers(("set a=1", "linux /k"), (b"kernel", b"initrd"), bank="sha256")
    value = bytes(32)
    for text in (b"set a=1", b"linux /k"):
        value = hashlib.sha256(value + hashlib.sha256(text).digest()).digest()
    assert eight.values == (value,)
    assert nine.values == ()
    assert "stub" in nine.why
    files = [hashlib.sha256(data).digest() for data in (b"kernel", b"initrd")]
    assert [digest for _, digest in nine.events] == [*files, None]


def test_each_command_of_a_real_boot_has_the_digest_in_its_log(vectors):
    folder = vectors / "dcap" / "tdx-v4-00806f05-gcp-cos113"
    log = firmware.parse((folder / "ccel.dat").read_bytes())
    said = [
        event
        for event in log.events
        if event.type == 0xD and event.data.startswith(tuple(w.encode() for w in LABELS))
    ]
    lines = [event.data.rstrip(b"\0").decode() for event in said]
    kept = "\n".join(line.replace("\\", "\\\\").replace("\n", "\\n") for line in lines)
    eight, _ = grub_registers(parse_commands(kept.encode()), (), bank="sha384")
    assert len(said) > 10
    assert [digest for _, digest in eight.events] == [event.digests[0xC] for event in said]


def test_a_log_with_another_command_is_told_from_the_expected_one():
    wanted = expected("tpm", grub_registers(("a", "b"), (), bank="sha256"), bank="sha256")
    from tests.evidence.eventlog import tcglogs

    seen = of_firmware(firmware.parse(tcglogs.whole()), expected=wanted)
    assert {found.register for found in differences(wanted, seen)} == {"PCR 8"}


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("grub_cmd: set a=1", "set a=1"),
        ("set a=1", "set a=1"),
        ("kernel_cmdline: /k quiet", "/k quiet"),
        (r"menuentry x {\n  linux /k\n}", "menuentry x {\n  linux /k\n}"),
        (r"echo \\n", r"echo \n"),
        (r"echo \\\\\n", "echo \\\\\n"),
    ],
)
def test_a_line_is_read_as_grub_logs_it(line, text):
    assert parse_commands(f"{line}\n\n".encode()) == (text,)


@pytest.mark.parametrize(
    "data",
    [b"\xff", b"a\\", b"a\\t", b"a\0", b"a\n" * 2049, bytes((1 << 20) + 1)],
    ids=["no text", "a lone backslash", "an escape", "a NUL", "many", "large"],
)
def test_a_list_that_could_be_read_in_two_ways_is_refused(data):
    with pytest.raises(Malformed):
        parse_commands(data)
