"""Real evidence of Azure's machines gets its expected verdict, for the right reason."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import datetime

import pytest

from teeproof.core.errors import Malformed
from teeproof.evidence.azure import document, hcl
from teeproof.evidence.azure.hardware import tdx_hardware
from teeproof.evidence.azure.verify import verify
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.policy import load_policy
from teeproof.evidence.tpm.document import parse_azure
from tests.evidence.azure.hcl_reports import established
from tests.evidence.tpm.forge import failures, state

NOW = int(datetime.fromisoformat("2025-07-20T00:00:00Z").timestamp())
CHALLENGE = b"challenge"
ROOTS = frozenset(load_policy("azure").roots)


@pytest.fixture
def tdx_machine(vectors):
    given = document.parse((vectors / "other/azure-tdx-vtpm/evidence-v1.json").read_bytes())
    folder = vectors / "dcap/tdx-v4-00806f05-azure"
    return given, Collateral.parse((folder / "collateral.json").read_bytes())


@pytest.fixture
def snp_machine(vectors):
    return document.parse((vectors / "snp/milan-azure-hcl-vtpm/evidence-v1.json").read_bytes())


def judge_tdx(machine, *, roots=ROOTS, now=NOW, td_quote=None, **changes):
    given, collateral = machine
    hardware = tdx_hardware(td_quote or given.td_quote, collateral=collateral, roots=roots, now=now)
    return verify(replace(given, **changes), hardware=hardware, now=now, expected_data=CHALLENGE)


def test_a_real_tdx_machine_is_verified_from_intels_root_to_the_tpms_registers(tdx_machine):
    found = judge_tdx(tdx_machine)
    assert failures(found) == []
    assert found.facts.level == "measured"  # nothing shows that it is Azure's paravisor
    assert found.facts.qualifying_data == CHALLENGE
    assert found.report.configuration["secure-boot"] is True
    for name in ("quote-signature", "hcl-td-report", "hcl-runtime-data", "ak-binding", "tpm-pcrs"):
        assert state(found, name) == "passed"


def test_the_files_of_a_real_tdx_machine_are_those_in_its_document(vectors, tdx_machine):
    folder, given = vectors / "other/azure-tdx-vtpm", tdx_machine[0]
    assert given.hcl_report == (folder / "hcl-report.bin").read_bytes()
    assert given.td_quote == (folder / "td-quote.bin").read_bytes()


def test_the_same_machine_is_refused_where_intel_is_not_trusted(tdx_machine):
    found = judge_tdx(tdx_machine, roots=frozenset())
    assert ("root", "root_not_pinned") in failures(found)
    assert state(found, "ak-binding") == "not_checked"
    assert found.facts is None


def test_the_same_machine_is_refused_when_its_collateral_has_expired(tdx_machine):
    found = judge_tdx(tdx_machine, now=NOW + 90 * 86400)
    assert {name for name, _ in failures(found)} == {"collateral-dates"}
    assert state(found, "ak-binding") == "not_checked"


def test_host_puts_another_machines_quote_beside_a_real_report(vectors, tdx_machine):
    other = (vectors / "dcap/tdx-v4-00806f05-gcp-cos113/quote.bin").read_bytes()
    found = judge_tdx(tdx_machine, td_quote=other)
    assert ("hcl-td-report", "td_report_mismatch") in failures(found)
    assert found.facts is None


def test_host_flips_bytes_of_a_real_paravisors_report(tdx_machine):
    given = tdx_machine[0]
    size = int.from_bytes(given.hcl_report[0x4D0:0x4D4], "little")
    unsigned = {
        *range(0x4, 0x20),  # the header
        *range(0x20, 0xA0),  # the TDX report's type and MAC, which only its own CPU can check
        *range(0xE0, 0x220),  # the module's measurements, which Intel's quote has itself
        *range(0x3B0, 0x4C0),  # what follows RTMR3
        *range(0x4C4, 0x4C8),  # version
    }
    end = 0x4D4 + size
    places = [*range(0, 0x4D4, 3), *range(0x4D4, end, 41), *range(end, len(given.hcl_report), 17)]
    for at in places:
        raw = given.hcl_report
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        try:
            found = judge_tdx(tdx_machine, hcl_report=changed)
        except Malformed:
            continue
        assert (found.facts is not None) is (at in unsigned), hex(at)


def test_a_real_sev_snp_machine_is_verified_up_to_its_report(snp_machine):
    found = verify(snp_machine, hardware=established, now=NOW, expected_data=CHALLENGE)
    assert failures(found) == []
    assert found.report.kind == "sev-snp"
    assert snp_machine.vcek is not None


def test_the_separate_files_of_a_real_sev_snp_machine_hold_too(vectors):
    folder = vectors / "snp/milan-azure-hcl-vtpm"
    raw = (folder / "hcl-report.bin").read_bytes()
    assert hcl.parse(raw).report == (folder / "report.bin").read_bytes()
    tpm = parse_azure(json.loads((folder / "tpm-quote-v1.json").read_bytes()))
    given = document.AzureEvidence(hcl_report=raw, tpm=tpm)
    assert failures(verify(given, hardware=established, now=NOW)) == []


def test_host_pairs_the_tpm_of_one_real_machine_with_the_report_of_another(
    tdx_machine, snp_machine
):
    given = replace(snp_machine, tpm=tdx_machine[0].tpm)
    found = verify(given, hardware=established, now=NOW)
    assert failures(found) == [("tpm-signature", "tpm_signature")]


def test_host_flips_each_byte_of_a_real_quote(snp_machine):
    raw = snp_machine.tpm.quote
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        given = replace(snp_machine, tpm=replace(snp_machine.tpm, quote=changed))
        try:
            found = verify(given, hardware=established, now=NOW)
        except Malformed:
            continue
        assert found.facts is None, at


def test_a_document_without_padding_reads_alike(vectors, snp_machine):
    value = json.loads((vectors / "snp/milan-azure-hcl-vtpm/evidence-v1.json").read_bytes())
    bare = {
        name: urlsafe_b64encode(getattr(snp_machine, name)).rstrip(b"=").decode()
        for name in ("hcl_report", "vcek")
    }
    assert document.parse(json.dumps(value | bare).encode()) == snp_machine
