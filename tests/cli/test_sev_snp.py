"""SEV-SNP at the command line: reports, certificates and policies, as a person types them."""

from __future__ import annotations

import base64
import shutil

import pytest

from teeproof.evidence.collect.simulated import states
from tests.cli.conftest import AT

SNP = "snp/milan-virtee"
WHEN = ("--at", "2025-08-01")


def test_a_directory_with_report_and_certificates_gives_a_verdict(teeproof, vectors):
    answer = teeproof("verify", vectors / SNP, *WHEN)
    assert answer.code == 0
    assert answer.out.startswith("SEV-SNP report version 2 · milan-virtee\n")
    for line in (
        "  level         hardware – a root that the policy pins vouches for the machine\n",
        "  endorsements  the vendor's certificates, from beside the evidence\n",
        "  ✓ root                    ARK-Milan, by its pinned key sha256:9f056bee44377e29…\n",
        "  – vek-revocation          not checked: no revocation list of AMD's came along\n",
        "  – minimum-tcb             not checked: AMD publishes no signed list",
        "AUTHENTIC AND ALLOWED",
    ):
        assert line in answer.out, line


def test_files_may_be_named_one_by_one_in_any_order_and_form(teeproof, vectors, tmp_path):
    folder = vectors / SNP
    as_text = tmp_path / "report.txt"
    as_text.write_bytes(base64.b64encode((folder / "report.bin").read_bytes()))
    files = (folder / "chain.pem", as_text, folder / "vcek.der")
    answer = teeproof("verify", *files, *WHEN, "--json")
    assert (answer.code, answer.json["kind"]) == (0, "sev-snp")
    assert answer.json["facts"]["product"] == "Milan"
    kinds = {part["kind"] for part in answer.json["input"]["files"]}
    assert kinds == {"snp-report", "vendor-certificates"}


def test_several_reports_each_get_their_own_chip_s_certificate(teeproof, vectors):
    first, second = vectors / SNP, vectors / "snp/trustee-test-vcek"
    files = [f / name for f in (first, second) for name in ("report.bin", "vcek.der")]
    answer = teeproof("verify", *files, first / "chain.pem", *WHEN, "--json")
    assert answer.code == 0, answer.err
    assert [each["exit_code"] for each in answer.json["verdicts"]] == [0, 0]


def test_a_report_alone_cannot_be_told_and_the_answer_says_what_is_missing(teeproof, vectors):
    answer = teeproof("verify", vectors / SNP / "report.bin", *WHEN)
    assert answer.code == 3
    assert "VCEK or VLEK" in answer.out
    assert "AMD's key server" in " ".join(answer.out.split())


def test_intels_endorsements_say_nothing_of_a_report(teeproof, vectors):
    collateral = vectors / "dcap/dstack-quote-report/collateral.json"
    answer = teeproof("verify", vectors / SNP, "--endorsements", collateral, *WHEN)
    assert answer.code == 1
    assert "teeproof endorsements fetch gets them" in answer.err


def test_expectations_are_set_where_they_are_needed(teeproof, vectors):
    report = ("verify", vectors / SNP, *WHEN, "--policy", "sev-snp")
    least = 'minimum_tcb=[{ product = "Milan", bootloader = 3, snp = 8, microcode = 115 }]'
    assert teeproof(*report, "--set", least, "--set", "vmpl=0,1").code == 0
    refused = teeproof(*report, "--set", least.replace("115", "116"))
    assert refused.code == 4
    assert "older than the policy allows (microcode)" in " ".join(refused.out.split())
    assert teeproof(*report, "--set", "vmpl=1").code == 4
    assert teeproof(*report, "--set", "products=Genoa,Turin").code == 4


def test_a_policy_for_tdx_refuses_a_report_by_what_it_cannot_show(teeproof, vectors):
    answer = teeproof("verify", vectors / SNP, *WHEN, "--policy", "strict", "--json")
    assert answer.code == 2  # its roots are Intel's
    assert answer.json["checks"][2]["code"] == "root_not_pinned"


def test_a_report_and_its_certificates_are_shown_without_the_chip_s_id(teeproof, vectors):
    folder = vectors / SNP
    chip = (folder / "report.bin").read_bytes()[0x1A0:0x1E0].hex()
    shown = teeproof("show", folder / "report.bin", "--json")
    assert shown.json["snp_report"]["policy_meaning"] == "SMT"
    assert chip not in shown.out
    leaf = teeproof("show", folder / "vcek.der", "--json").json["certificates"][0]
    assert leaf["tcb"] == {"bootloader": 3, "tee": 0, "snp": 8, "microcode": 115}
    assert leaf["platform_id"] == shown.json["snp_report"]["platform_id"]
    assert "ARK-Milan" in teeproof("show", folder / "chain.pem").out


def test_a_spoilt_certificate_beside_a_report_is_not_believed(teeproof, vectors, tmp_path):
    folder = tmp_path / "evidence"
    shutil.copytree(vectors / SNP, folder)
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755)
    data = bytearray((folder / "vcek.der").read_bytes())
    data[-1] ^= 1
    (folder / "vcek.der").write_bytes(data)
    answer = teeproof("verify", folder, *WHEN)
    assert answer.code == 2
    assert "SEV-Milan did not sign the certificate of SEV-VCEK" in answer.out


@pytest.mark.parametrize(
    "name", ["snp-up-to-date", "snp-debug", "snp-ark-not-pinned", "snp-certificates-missing"]
)
def test_a_simulated_guest_is_made_and_answered_as_simulate_said(teeproof, simulated, name):
    folder = simulated(name)
    answer = teeproof("verify", folder, "--at", AT, "--policy", folder / "policy.toml")
    assert answer.code == states()[name].exit_code
    assert (folder / "report.bin").is_file()
