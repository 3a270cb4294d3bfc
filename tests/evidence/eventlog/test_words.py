"""Events in words, and where two machines first differ."""

from __future__ import annotations

import struct

import pytest

from teeproof.evidence.eventlog import parse
from teeproof.evidence.eventlog.difference import first_difference, register_difference
from teeproof.evidence.eventlog.labels import REGISTERS, label
from teeproof.evidence.tdx.layout import TdReport10
from tests.evidence.eventlog import logs


def events(log):
    return parse(logs.encode(log))


def words(event):
    return label(events([event]))[0]


def tag(text):
    return struct.pack("<II", 1, len(text)) + text


def test_each_event_of_a_boot_has_a_sentence_and_a_cause():
    for one in label(events(logs.whole())):
        assert one.sentence
        assert one.depends_on
        assert "unknown" not in one.sentence
        assert len(one.digest) == 96


@pytest.mark.parametrize(
    ("event", "sentence", "cause"),
    [
        (logs.boot(0, 0x80000001, logs.variable("PK")), "its variable PK", "variables"),
        (logs.boot(0, 0xA, b"ACPI DATA", digest=bytes(48)), "cannot reproduce", "ACPI tables"),
        (logs.boot(1, 0x80000007, b"Hello"), "reports: Hello", "kernel"),
        (logs.boot(2, 6, tag(b"Linux initrd\0"), digest=bytes(48)), "calls it", "ramdisk"),
        (
            logs.boot(2, 6, tag(b"LOADED_IMAGE::LoadOptions\0"), digest=bytes(48)),
            "calls it",
            "the command line",
        ),
        (logs.boot(2, 0x77, b"", digest=bytes(48)), "unknown to this verifier", "command line"),
        (logs.v1("compose-hash", b"\xaa" * 32), "aa" * 32, "compose file"),
        (logs.v1("app-says", b"hi"), 'the application says "app-says": hi', "application"),
        (logs.v1("app-says", b"\x1b[31m"), "1b5b33316d", "application"),
        (logs.v1("compose-hash", b"\xaa" * 32, imr=2), "no dstack guest writes", "compose file"),
    ],
)
def test_an_event_is_described_by_what_it_is(event, sentence, cause):
    assert sentence in words(event).sentence
    assert cause in words(event).depends_on


def test_host_cannot_put_words_into_firmwares_mouth():
    false = logs.boot(1, 0x80000007, b"all is well", digest=bytes(48))
    named = logs.boot(0, 0x80000001, logs.variable("SecureBoot"), digest=bytes(48))
    assert "all is well" not in words(false).sentence
    assert "SecureBoot" not in words(named).sentence
    part = logs.variable("Boot0000", b"abc")
    digest = bytes.fromhex(logs.boot(0, 0, b"abc")["digest"])
    event = words(logs.boot(0, 0x80000002, part, digest=digest))
    assert (event.covered, "the log calls it Boot0000" in event.sentence) == ("variable data", True)


def test_behind_system_ready_a_name_is_only_what_the_application_says():
    log = [*logs.whole(), logs.v1("compose-hash", b"\xaa" * 32)]
    assert label(events(log))[-1].sentence.startswith('the application says "compose-hash"')


def test_equal_logs_have_no_difference_however_they_interleave():
    log = logs.whole()
    assert first_difference(events(log), events(log)) is None
    assert first_difference(events(log), events([*log[8:], *log[:8]])) is None


def test_a_changed_event_is_named_with_both_sides_and_its_cause():
    left, right = logs.whole(), logs.whole()
    right[logs.place(right, "compose-hash")] = logs.v1("compose-hash", b"\x66" * 32)
    found = first_difference(events(left), events(right))
    assert (found.register, found.kind, found.left_index) == ("RTMR3", "changed", 10)
    assert logs.COMPOSE_HASH.hex() in found.left
    assert "66" * 32 in found.right
    assert "the application's compose file" in str(found)


def test_the_earliest_difference_is_named():
    left, right = logs.whole(), logs.whole()
    right[3]["digest"] = "66" * 48
    right[10] = logs.v1("compose-hash", b"\x66" * 32)
    found = first_difference(events(left), events(right))
    assert (found.register, found.left_index) == ("RTMR0", 3)
    assert "ACPI" in found.depends_on
    assert found.left != found.right


@pytest.mark.parametrize("at", range(17))
def test_a_missing_event_is_named_on_the_side_that_lacks_it(at):
    whole = logs.whole()
    less = whole[:at] + whole[at + 1 :]
    found = first_difference(events(whole), events(less))
    assert (found.kind, found.left_index, found.right_index) == (
        "missing on the second side",
        at,
        None,
    )
    found = first_difference(events(less), events(whole))
    assert (found.kind, found.left_index, found.right_index) == (
        "missing on the first side",
        None,
        at,
    )


def test_reordered_events_are_called_so():
    left, right = logs.whole(), logs.whole()
    right[6], right[7] = right[7], right[6]
    found = first_difference(events(left), events(right))
    assert (found.register, found.kind, found.left_index) == ("RTMR2", "in another order", 6)


@pytest.mark.parametrize(
    ("offset", "register"),
    [(136, "MRTD"), (328, "RTMR0"), (376, "RTMR1"), (424, "RTMR2"), (472, "RTMR3")],
)
def test_two_quotes_differ_first_in_the_register_that_boots_first(offset, register):
    left = bytes(584)
    right = left[:offset] + b"\1" * (520 - offset) + left[520:]
    found = register_difference(TdReport10(left), TdReport10(right))
    assert found.register == register
    assert found.depends_on == REGISTERS[register]
    assert register_difference(TdReport10(left), TdReport10(left)) is None
