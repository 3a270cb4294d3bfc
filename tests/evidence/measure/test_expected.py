"""Expected measurements: kept as JSON, pasted into a policy, and held against a machine's log."""

from __future__ import annotations

import json
import re
import tomllib

import pytest

from teeproof.core.errors import Malformed
from teeproof.evidence.eventlog import firmware
from teeproof.evidence.measure import image, ovmf, pe
from teeproof.evidence.measure.compare import Seen, differences, of_firmware
from teeproof.evidence.measure.expected import (
    Expected,
    ExpectedEvent,
    ExpectedRegister,
    expected,
    parse,
)
from teeproof.evidence.measure.steps import Step, known, register
from teeproof.evidence.measure.tdx import boot
from teeproof.evidence.measure.tpm import grub, volumes
from teeproof.evidence.policy import parse_policy
from tests.evidence.eventlog import tcglogs
from tests.evidence.measure import images
from tests.vectors import ROOT

STEPS = (
    known("one", "the first", b"1"),
    Step(what="host", depends_on="the host", parts=None),
    known("two", "the second", b"2"),
    known("three", "the third", b"3"),
)
TPM = expected("tpm", [register("PCR 4", STEPS, algorithm="sha256")], bank="sha256")


def text(**changes) -> bytes:
    return json.dumps(TPM.to_json() | changes).encode()


def test_what_is_kept_reads_back_the_same():
    assert parse(text()) == TPM
    assert TPM.registers[0].values == ()
    assert TPM.registers[0].not_checked == "it depends on the host"


def test_lines_are_a_policy_that_expects_these_values():
    registers = boot.direct_boot(image=images.ovmf(), kernel=images.bzimage(), memory=1 << 30)
    found = expected("tdx", registers, bank="sha384")
    policy = parse_policy("\n".join(found.policy_lines()))
    assert policy.mrtd == tuple(value.hex() for value in registers[0].values)
    assert policy.rtmr0 is None
    assert policy.rtmr1 == (registers[2].values[0].hex(),)


def test_lines_for_a_tpm_are_a_table_for_each_register():
    found = expected("tpm", [register("PCR 11", STEPS[:1], algorithm="sha384")], bank="sha384")
    value = found.registers[0].values[0]
    assert tomllib.loads("\n".join(found.policy_lines())) == {
        "tpm": {"pcrs": [{"bank": "sha384", "pcr": 11, "values": [value]}]},
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "urn:teeproof:expected:v2"},
        {"tee": "sgx"},
        {"bank": "md5"},
        {"more": 1},
        {"registers": [{"name": "PCR 24"}]},
        {"registers": [{"name": "PCR 04"}]},
        {"registers": [{"name": "PCR ٤"}]},
        {"registers": [{"name": "X"}]},
        {"registers": [{"name": "PCR 4"}, {"name": "PCR 4"}]},
        {"registers": [{"name": f"PCR {i}"} for i in range(24)] * 2},
        {"registers": [{"name": "PCR 4", "values": ["00"]}]},
        {"registers": [{"name": "PCR 4", "values": ["G" * 64]}]},
        {
            "registers": [
                {"name": "PCR 4", "events": [{"what": "", "depends_on": "", "digest": ""}]}
            ]
        },
        {"registers": [{"name": "PCR 4", "events": [{"what": "", "depends_on": ""}] * 4097}]},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_what_is_no_list_of_expectations_is_refused(changes):
    with pytest.raises(Malformed):
        parse(text(**changes))


def seen(*contents: bytes) -> dict[str, list[Seen]]:
    steps = [known("", "", content) for content in contents]
    digests = [step.digest("sha256") for step in steps]
    return {"PCR 4": [Seen(index=i, digest=d, words=f"e{i}") for i, d in enumerate(digests)]}


@pytest.mark.parametrize(
    ("contents", "kind", "index"),
    [
        ((b"1", b"2", b"3"), None, None),
        ((b"1", b"x", b"y", b"2", b"3"), None, None),
        ((b"0", b"2", b"3"), "changed", 0),
        ((b"1", b"2", b"4"), "changed", 2),
        ((b"1", b"2"), "missing in the log", None),
        ((b"2", b"3"), "missing in the log", None),
        ((), "missing in the log", None),
        ((b"1", b"2", b"0", b"3"), "not expected", 2),
        ((b"1", b"2", b"3", b"4"), "not expected", 3),
    ],
)
def test_the_first_event_that_differs_is_named(contents, kind, index):
    found = differences(TPM, seen(*contents))
    if kind is None:
        assert found == ()
        return
    (difference,) = found
    assert (difference.kind, difference.right_index) == (kind, index)
    assert difference.register == "PCR 4"


def test_a_log_without_the_expected_bank_cannot_be_compared():
    log = firmware.parse(tcglogs.whole(banks=(0x4,)))
    assert of_firmware(log, expected=TPM) is None
    assert of_firmware(firmware.parse(tcglogs.whole()), expected=TPM)


def test_the_reference_page_names_every_field_and_no_other():
    page = (ROOT / "docs/reference/expected.md").read_text()
    said = set(re.findall(r"^\| `([a-z_.\[\]]+)` \| ", page, re.MULTILINE))
    register, event = "registers[].", "registers[].events[]."
    fields = {*Expected.__struct_fields__}
    fields |= {register + name for name in ExpectedRegister.__struct_fields__}
    fields |= {event + name for name in ExpectedEvent.__struct_fields__}
    assert said == fields


@pytest.mark.parametrize(
    ("words", "bound"),
    [
        ("| firmware image | 16 MiB", image.MAX_FIRMWARE_BYTES == 16 << 20),
        ("64 sections, 64 MiB of memory", (ovmf.MAX_SECTIONS, ovmf.MAX_MEMORY) == (64, 64 << 20)),
        ("64 MiB unpacked", volumes.MAX_UNPACKED == 64 << 20),
        ("512 MiB, 96 sections", (image.MAX_KERNEL_BYTES, pe.MAX_SECTIONS) == (512 << 20, 96)),
        ("1 GiB", image.MAX_INITRD_BYTES == 1 << 30),
        ("1 MiB, 2,048 lines", (grub.MAX_COMMANDS_BYTES, grub.MAX_COMMANDS) == (1 << 20, 2048)),
    ],
)
def test_the_reference_page_names_the_bounds_that_hold(words, bound):
    assert words in (ROOT / "docs/reference/expected.md").read_text()
    assert bound
