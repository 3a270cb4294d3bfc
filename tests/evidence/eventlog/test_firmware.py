"""A firmware's log explains the registers, or says which event does not fit."""

from __future__ import annotations

import struct

import pytest

from teeproof.core.errors import Malformed, TooLarge
from teeproof.evidence.eventlog import tcg
from teeproof.evidence.eventlog.firmware import parse, replay, verify_ccel, verify_tpm
from teeproof.evidence.eventlog.firmware.coverage import coverage, text
from teeproof.evidence.eventlog.firmware.parse import _Bytes
from teeproof.evidence.tdx import quote as tdx_quote
from teeproof.evidence.tpm.wire import HASHES, SHA1, SHA256, SHA384
from tests.evidence.eventlog import tcglogs
from tests.evidence.eventlog.tcglogs import BOOT, Said, agile, locality, old, registers, whole


def judge(log, said=BOOT, bank=SHA256, **how):
    return verify_tpm(log, banks={bank: registers(said, bank, **how)})


def codes(checks):
    return [(check.name, check.code) for check in checks if check.state == "failed"]


def test_a_boot_in_order_is_explained():
    checks, facts = judge(whole())
    assert [check.state for check in checks] == ["passed"] * 4
    assert facts.secure_boot is True
    assert facts.events == len(BOOT)
    assert facts.unexplained == ()
    assert facts.explained[:2] == ("PCR 0", "PCR 1")
    assert facts.to_json()["secure_boot"] is True


@pytest.mark.parametrize("bank", [SHA256, SHA384])
def test_each_strong_bank_is_replayed(bank):
    checks, facts = judge(whole(), bank=bank)
    assert codes(checks) == []
    assert facts is not None


def test_the_strongest_quoted_bank_counts():
    banks = {SHA1: registers(BOOT, SHA1), SHA256: registers([]), SHA384: registers(BOOT, SHA384)}
    checks, _ = verify_tpm(whole(), banks=banks)
    assert codes(checks) == []


def test_a_bank_of_sha1_alone_is_no_proof():
    for log in (whole(), old(BOOT)):
        checks, facts = judge(log, bank=SHA1)
        assert [check.state for check in checks] == [
            "passed",
            "passed",
            "not_checked",
            "not_checked",
        ]
        assert facts is None


def test_a_log_of_the_older_form_replays_its_one_bank():
    log = parse(old(BOOT))
    assert not log.agile
    assert replay(log, bank=SHA1)[7] == registers(BOOT, SHA1)[7]


def test_no_log_is_not_checked():
    for checks, facts in (verify_tpm(None, banks={}), verify_ccel(None, rtmrs=(b"",) * 4)):
        assert {check.state for check in checks} == {"not_checked"}
        assert facts is None


def test_a_log_without_registers_is_not_checked():
    checks, facts = verify_tpm(whole(), banks={})
    assert codes(checks) == []
    assert facts is None


@pytest.mark.parametrize("at", range(len(BOOT)))
def test_host_removes_an_event(at):
    checks, facts = judge(whole(leave_out=at))
    if BOOT[at].register == 8:  # its only event: then the log says nothing of PCR 8, and says so
        assert facts.unexplained == ("PCR 8",)
        return
    assert codes(checks)[0] == ("tcg-log-replay", "tcg_log_mismatch")
    assert facts is None


def test_host_reorders_two_events():
    swapped = [BOOT[0], BOOT[2], BOOT[1], *BOOT[3:]]
    checks, facts = judge(agile(swapped))
    assert codes(checks) == [("tcg-log-replay", "tcg_log_mismatch")]
    assert facts is None


def test_host_adds_an_event():
    added = [*BOOT, Said(2, tcg.IPL, b"another")]
    assert codes(judge(agile(added))[0]) == [("tcg-log-replay", "tcg_log_mismatch")]


def test_host_says_that_secure_boot_was_on():
    off = Said(7, tcg.EFI_VARIABLE_DRIVER_CONFIG, tcglogs.variable("SecureBoot", b"\0"))
    on = BOOT[1]._replace(measured=off.data)
    true = [BOOT[0], off, *BOOT[2:]]
    assert judge(agile(true), true)[1].secure_boot is False
    checks, facts = judge(agile([BOOT[0], on, *BOOT[2:]]), true)
    assert codes(checks) == [("tcg-log-data", "event_data_mismatch")]
    assert facts is None


def test_host_renames_the_event_that_tells_and_measures_another_one_later():
    off = tcglogs.variable("SecureBoot", b"\0")
    hidden = Said(7, tcg.IPL, b"a label", measured=off)
    late = Said(7, tcg.EFI_VARIABLE_DRIVER_CONFIG, tcglogs.variable("SecureBoot", b"\1"))
    said = [hidden, *(one for one in BOOT if one not in BOOT[1:3]), late]
    checks, facts = judge(agile(said), said)
    assert codes(checks) == []
    assert facts.secure_boot is None


def test_host_renames_the_separator():
    renamed = [one._replace(type=tcg.IPL) if one in tcglogs.separators(7) else one for one in BOOT]
    checks, facts = judge(agile(renamed), renamed)
    assert codes(checks) == []
    assert facts.secure_boot is True


def test_two_answers_are_none():
    off = Said(7, tcg.EFI_VARIABLE_DRIVER_CONFIG, tcglogs.variable("SecureBoot", b"\0"))
    said = [*BOOT[:3], off, *BOOT[3:]]
    assert judge(agile(said), said)[1].secure_boot is None


def test_a_firmware_that_did_not_close_a_register_is_refused():
    said = [one for one in BOOT if one not in tcglogs.separators(7)]
    checks, facts = judge(agile(said), said)
    assert codes(checks) == [("tcg-log-separators", "separator_missing")]
    assert facts is None


def test_a_boot_that_went_wrong_is_refused():
    said = [*BOOT[:5], *tcglogs.separators(0, data=b"\1\0\0\0"), *BOOT[6:]]
    checks, facts = judge(agile(said), said)
    assert codes(checks) == [("tcg-log-separators", "separator_error")]
    assert facts is None


def test_what_the_running_system_extends_is_unexplained_and_said():
    later = [*BOOT, Said(10, 0, b"a program"), Said(11, 0, b"a phase")]
    checks, facts = judge(whole(), later)
    assert codes(checks) == []
    assert checks[2].state == "not_checked"
    assert facts.unexplained == ("PCR 10", "PCR 11")
    assert facts.secure_boot is True


def test_a_register_that_both_extend_is_refused_where_only_boot_loaders_do():
    later = [*BOOT, Said(8, 0, b"another line")]
    assert codes(judge(whole(), later)[0]) == [("tcg-log-replay", "tcg_log_mismatch")]


def test_a_partial_quote_is_explained_as_far_as_it_goes():
    all_ = registers(BOOT)
    checks, facts = verify_tpm(whole(), banks={SHA256: {0: all_[0], 4: all_[4]}})
    assert codes(checks) == []
    assert facts.explained == ("PCR 0", "PCR 4")
    assert facts.secure_boot is None


@pytest.mark.parametrize("number", [0, 3, 4])
def test_the_startup_locality_counts(number):
    said = [locality(number), *BOOT]
    checks, facts = judge(agile(said), said, locality=number)
    assert codes(checks) == []
    assert facts is not None
    if number:
        assert codes(judge(whole(), said, locality=number)[0])


@pytest.mark.parametrize(
    "said",
    [
        [*BOOT, locality(3)],
        [locality(3), locality(3), *BOOT],
        [locality(1), *BOOT],
        [locality(3, register=1), *BOOT],
        [Said(0, tcg.NO_ACTION, b"StartupLocality\0"), *BOOT],
    ],
    ids=["late", "twice", "unknown", "elsewhere", "empty"],
)
def test_host_tells_the_startup_locality_wrongly(said):
    checks, facts = judge(agile(said), said, locality=3)
    assert codes(checks) == [("tcg-log-replay", "startup_locality")]
    assert facts is None


def test_a_command_of_grub_is_covered_without_its_label():
    said = Said(8, tcg.IPL, b"grub_cmd: linux /vmlinuz\0", measured=b"linux /vmlinuz")
    event = parse(agile([said])).events[1]
    assert coverage(event, bank=SHA256) == "text"
    assert text(event, bank=SHA256) == "grub_cmd: linux /vmlinuz"
    lie = Said(8, tcg.IPL, b"grub_cmd: linux /other\0", measured=b"linux /vmlinuz")
    event = parse(agile([lie])).events[1]
    assert coverage(event, bank=SHA256) == "nothing"
    assert text(event, bank=SHA256) is None


def test_an_authority_that_an_older_shim_logged_is_not_believed_and_not_refused():
    data = tcglogs.variable("db", b"a certificate")
    odd = Said(7, tcg.EFI_VARIABLE_AUTHORITY, data[:-1], measured=data)
    said = [*BOOT, odd]
    checks, facts = judge(agile(said), said)
    assert codes(checks) == []
    assert facts is not None
    assert coverage(parse(agile(said)).events[-1], bank=SHA256) == "nothing"


def test_a_digest_covers_by_its_own_bank_alone():
    raw = tcglogs.event(BOOT[4], (SHA256, SHA384))
    broken = raw.replace(tcglogs.digest(SHA384, BOOT[4]), bytes(48))
    event = parse(tcglogs.header((SHA256, SHA384)) + broken).events[1]
    assert coverage(event, bank=SHA256) == "data"
    assert coverage(event, bank=SHA384) == "nothing"


# The firmware failed before it said anything of Secure Boot; what ran then wrote the rest.
FAILED = [
    Said(0, 0x8, b"V\0e\0r\0\0\0"),
    *tcglogs.separators(7, data=b"\1\0\0\0"),
    Said(7, tcg.EFI_VARIABLE_DRIVER_CONFIG, tcglogs.variable("SecureBoot", b"\1")),
    *tcglogs.separators(0, 7),
]


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (tcg.IPL, b"a label"),
        (tcg.EFI_ACTION, b"\1\0\0\0"),
        (tcg.EFI_VARIABLE_BOOT, tcglogs.variable("BootOrder", b"\1\0\0\0")),
    ],
)
def test_host_relabels_the_mark_of_an_error_to_show_secure_boot(kind, data):
    assert codes(judge(agile(FAILED), FAILED)[0]) == [("tcg-log-separators", "separator_error")]
    lie = [FAILED[0], Said(7, kind, data, measured=b"\1\0\0\0"), *FAILED[2:]]
    checks, facts = judge(agile(lie), FAILED)
    assert codes(checks) == [("tcg-log-separators", "separator_error")]
    assert facts is None


def rtmrs(said):
    """Return RTMR0 to RTMR3 after these events; the log numbers them from 1."""
    values = registers(said, SHA384)
    return tuple(values[index] for index in range(1, 5))


def test_host_calls_the_mark_of_an_error_a_boot_order_where_one_may_be():
    """In RTMR0 the two have one digest, so nothing behind it is taken for the firmware's word."""
    order = Said(
        1,
        tcg.EFI_VARIABLE_BOOT,
        tcglogs.variable("BootOrder", b"\1\0\0\0"),
        measured=b"\1\0\0\0",
    )
    on = Said(1, tcg.EFI_VARIABLE_DRIVER_CONFIG, tcglogs.variable("SecureBoot", b"\1"))
    ends = tcglogs.separators(1, 2)
    for said, expected in (([order, on, *ends], None), ([on, order, *ends], True)):
        checks, facts = verify_ccel(agile(said, (SHA384,)), rtmrs=rtmrs(said))
        assert codes(checks) == []
        assert facts.secure_boot is expected
    lie = order._replace(type=tcg.IPL)
    checks, facts = verify_ccel(agile([on, lie, *ends], (SHA384,)), rtmrs=rtmrs([on, lie, *ends]))
    assert codes(checks) == [("tcg-log-separators", "separator_error")]


@pytest.mark.parametrize("bank", [SHA1, SHA384])
def test_host_spoils_digests_of_a_bank_that_nobody_quoted_to_hide_what_was_measured(bank):
    """Secure Boot is off; a running system writes that it is on, and a second end."""
    off = Said(7, tcg.EFI_VARIABLE_DRIVER_CONFIG, tcglogs.variable("SecureBoot", b"\0"))
    on = Said(7, tcg.EFI_VARIABLE_DRIVER_CONFIG, tcglogs.variable("SecureBoot", b"\1"))
    said = [off, *tcglogs.separators(0, 1, 2, 3, 4, 5, 6, 7), on, *tcglogs.separators(7)]
    raw = tcglogs.header()
    for at, one in enumerate(said):
        event = tcglogs.event(one._replace(type=tcg.IPL) if at < 9 else one)
        spoilt = bytes(HASHES[bank])
        raw += event.replace(tcglogs.digest(bank, one), spoilt) if at < 9 else event
    checks, facts = judge(raw, said)
    assert codes(checks) == []
    assert facts.secure_boot is False


def test_host_quotes_no_register_of_the_firmware_so_nothing_is_said_of_its_end():
    values = registers(BOOT)
    checks, facts = verify_tpm(whole(), banks={SHA256: {8: values[8]}})
    assert [check.state for check in checks] == ["passed", "passed", "passed", "not_checked"]
    assert facts.secure_boot is None
    checks, _ = verify_tpm(whole(), banks={SHA256: {7: values[7], 8: values[8]}})
    assert checks[3].state == "passed"
    assert "closed PCR 7 before" in checks[3].detail


def test_host_adds_events_to_registers_that_nobody_quoted_and_none_is_counted():
    values = registers(BOOT)
    padded = agile([*BOOT, *(Said(5, tcg.IPL, b"made up") for _ in range(9))])
    facts = [
        verify_tpm(log, banks={SHA256: {0: values[0], 7: values[7]}})[1]
        for log in (whole(), padded)
    ]
    assert facts[0] == facts[1]
    assert facts[0].events == sum(said.register in (0, 7) for said in BOOT)


def test_what_was_started_and_by_whose_word_are_facts():
    key = Said(7, tcg.EFI_VARIABLE_AUTHORITY, tcglogs.variable("db", b"a certificate"))
    loader = Said(4, tcg.EFI_BOOT_SERVICES_APPLICATION, b"a path", measured=b"an image")
    said = [*BOOT[:13], key, loader, *BOOT[14:]]
    _, facts = judge(agile(said), said)
    assert facts.images == (tcglogs.digest(SHA256, loader).hex(),)
    assert facts.authorities == (tcglogs.digest(SHA256, key).hex(),)
    renamed = [one._replace(type=tcg.IPL) for one in said]
    assert judge(agile(renamed), said)[1] == facts
    values = registers(said)
    _, partial = verify_tpm(agile(said), banks={SHA256: {0: values[0]}})
    assert (partial.images, partial.authorities) == (None, None)


def test_host_hands_over_an_old_log_of_zeros_which_is_looked_at_once():
    """4,096 events of zeros before the last: looking for padding at each would read 4 GiB."""
    quiet = struct.pack("<II", 0, 0) + bytes(20) + struct.pack("<I", 224) + bytes(224)
    log = quiet * 4095 + old(BOOT[:1])
    assert len(log) < 1 << 20
    assert len(parse(log).events) == 4096
    reader = _Bytes(log)
    assert reader.padding == len(log.rstrip(b"\0"))
    with pytest.raises(TooLarge):
        parse(quiet * 4096 + old(BOOT[:1])[:-1] + b"\1")


MALFORMED = {
    "empty": b"",
    "an event that ends early": whole()[:-1],
    "a bank twice": tcglogs.header((SHA256, SHA256)),
    "no bank": tcglogs.header(()),
    "many banks": tcglogs.header(tuple(range(100, 109))),
    "a wrong size of a bank": tcglogs.header((SHA256,)).replace(b"\x0b\0\x20\0", b"\x0b\0\x21\0"),
    "a header with a tail": tcglogs.header()[:-1] + b"\7",
    "a digest too few": tcglogs.header() + tcglogs.event(BOOT[0], (SHA1, SHA256)),
    "a digest twice": tcglogs.header((SHA256, SHA384)) + tcglogs.event(BOOT[0], (SHA256, SHA256)),
    "another bank": tcglogs.header((SHA256,)) + tcglogs.event(BOOT[0], (SHA384,)),
    "a register that there is not": agile([BOOT[0]._replace(register=32)]),
    "a huge length": tcglogs.header() + tcglogs.event(BOOT[0])[:-12] + b"\xff" * 4,
    "a huge count": tcglogs.header() + struct.pack("<III", 0, 1, 0xFFFFFFFF),
    "padding and more": whole() + bytes(64) + b"\1",
    "padding of two kinds": whole() + b"\xff" * 64 + bytes(64),
}


@pytest.mark.parametrize("log", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_log_is_refused(log):
    with pytest.raises(Malformed):
        parse(log)
    checks, facts = judge(log)
    assert codes(checks) == [("tcg-log-format", "tcg_log_malformed")]
    assert facts is None


@pytest.mark.parametrize("padding", [b"", bytes(1000), b"\xff" * 1000, bytes(3), b"\xff"])
def test_padding_behind_the_last_event_is_none(padding):
    assert len(parse(whole() + padding).events) == len(BOOT) + 1


def test_an_event_that_informs_may_name_no_register():
    said = Said(0xFFFFFFFF, tcg.NO_ACTION, b"a note")
    assert len(parse(agile([said])).events) == 2


def test_a_log_that_is_too_large_is_refused():
    with pytest.raises(TooLarge):
        parse(whole() + bytes(1 << 20))
    many = agile([Said(0, tcg.NO_ACTION, b"")] * 4097, (SHA256,))
    with pytest.raises(TooLarge):
        parse(many)
    assert codes(judge(many)[0]) == [("tcg-log-format", "too_large")]


def test_a_header_may_have_a_vendors_part_and_banks_that_we_do_not_know():
    banks = (SHA256, 0x12)
    assert parse(tcglogs.header(banks, vendor=b"abc")).banks == {SHA256: 32, 0x12: HASHES[SHA256]}


class TestReal:
    """Logs of real machines."""

    @pytest.fixture
    def ccel(self, vectors):
        folder = vectors / "dcap" / "tdx-v4-00806f05-gcp-cos113"
        body = tdx_quote.parse((folder / "quote.bin").read_bytes()).body
        return (folder / "ccel.dat").read_bytes(), body.rtmrs

    def test_a_real_ccel_gives_all_registers_of_its_quote(self, ccel):
        log, rtmrs = ccel
        checks, facts = verify_ccel(log, rtmrs=rtmrs)
        assert [check.state for check in checks] == ["passed"] * 4
        assert facts.explained == ("RTMR0", "RTMR1", "RTMR2", "RTMR3")
        assert facts.secure_boot is False

    def test_the_command_line_of_a_real_kernel_is_covered(self, ccel):
        said = [text(event, bank=SHA384) for event in parse(ccel[0]).events]
        lines = [line for line in said if line and line.startswith("kernel_cmdline: ")]
        assert len(lines) == 1
        assert "/syslinux/vmlinuz.A" in lines[0]

    def test_a_real_ccel_is_refused_for_another_machine(self, ccel):
        log, rtmrs = ccel
        for index in range(3):
            other = (*rtmrs[:index], bytes(48), *rtmrs[index + 1 :])
            checks, facts = verify_ccel(log, rtmrs=other)
            assert codes(checks) == [("tcg-log-replay", "tcg_log_mismatch")]
            assert facts is None
        checks, facts = verify_ccel(log, rtmrs=(*rtmrs[:3], b"\1" * 48))
        assert facts.unexplained == ("RTMR3",)

    def test_host_flips_a_digest_of_a_real_ccel(self, ccel):
        log, rtmrs = ccel
        for event in parse(log).events[1:]:
            at = log.index(event.digests[SHA384])
            flipped = log[:at] + bytes([log[at] ^ 1]) + log[at + 1 :]
            checks, facts = verify_ccel(flipped, rtmrs=rtmrs)
            assert codes(checks)
            assert facts is None

    def test_a_real_log_of_a_tpm_replays_alike_in_each_bank(self, vectors):
        log = parse((vectors / "dstack" / "fixtures" / "tpm_eventlog.bin").read_bytes())
        assert list(log.banks) == [SHA1, SHA256, SHA384]
        values = replay(log, bank=SHA256)
        assert sorted(values) == [0, 1, 2, 3, 4, 5, 6, 7, 9, 11]
        checks, facts = verify_tpm(
            (vectors / "dstack" / "fixtures" / "tpm_eventlog.bin").read_bytes(),
            banks={SHA256: values},
        )
        assert [check.state for check in checks] == ["passed"] * 4
        assert facts.secure_boot is False

    def test_a_real_ccel_of_a_dstack_machine_is_read(self, vectors):
        log = parse((vectors / "dstack" / "fixtures" / "ccel.bin").read_bytes())
        values = replay(log, bank=SHA384)
        rtmrs = tuple(values.get(index, bytes(48)) for index in range(1, 5))
        checks, facts = verify_ccel(
            (vectors / "dstack" / "fixtures" / "ccel.bin").read_bytes(), rtmrs=rtmrs
        )
        assert codes(checks) == []
        assert facts.secure_boot is None  # the variable is there, and empty
