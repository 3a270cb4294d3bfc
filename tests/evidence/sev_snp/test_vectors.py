"""Each real SEV-SNP report gets the verdict it deserves, for the right reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from teeproof.evidence.der import armoured
from teeproof.evidence.files.bundles import gather
from teeproof.evidence.policy import load_policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.sev_snp.certificates import parse_blocks, parse_certificates
from teeproof.evidence.verdict import Verdict
from teeproof.evidence.verify import verify
from tests.evidence.sev_snp.real import LATER, MOMENT, certificates_of, evidence_of, record_of
from tests.vectors import Record, each, records

Failures = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What must come of one vector.

    Attributes:
        said: the manifest's own words, so that a changed manifest does not go unnoticed.
        failures: names and codes of the checks that fail under the policy ``sev-snp``.
        exit_code: of that verdict.
        version: of the report; None where the chain does not hold.
        tcb: the reported TCB.
        at: the time to verify at.
    """

    said: str
    failures: Failures = ()
    exit_code: int = 0
    version: int | None = 2
    tcb: tuple[int, int, int, int] | None = (3, 0, 8, 115)
    at: datetime = MOMENT


# AMD's authority did not sign these two certificates: somebody changed them.
_CHANGED = Expected(
    said="reject",
    failures=(("vek-chain", "vek_chain_signature"),),
    exit_code=2,
    version=None,
    tcb=None,
)
EXPECTED = {
    "milan-virtee": Expected(said="accept"),
    "trustee-test-vcek": Expected(said="accept"),
    "trustee-test-vcek-invalid-legacy": _CHANGED,
    "trustee-test-vcek-invalid-new": _CHANGED,
    "milan-google-debug": Expected(
        said="crypto ok, reject by policy: DEBUG allowed",
        failures=(("debug", "debug_on"),),
        exit_code=4,
        tcb=(2, 0, 5, 68),
    ),
    # Amazon's paravisor is at level 0, hides the chip, and signs with the key that AMD lent it.
    "milan-vlek-trustee": Expected(
        said="accept; VMPL 1 (policy)",
        failures=(
            ("masked-chip-id", "masked_chip_id_on"),
            ("vlek", "vlek_on"),
            ("vmpl", "vmpl_mismatch"),
        ),
        exit_code=4,
        version=3,
        tcb=(4, 0, 24, 217),
    ),
    # Nobody signs which firmware is out of date: dstack's word for it is its own.
    "milan-dstack-live": Expected(
        said="accept; TCB OutOfDate per dstack; report_data ascii attest-test-fixture-2026",
        version=3,
        tcb=(4, 0, 23, 213),
        at=LATER,
    ),
    "milan-azure-hcl-vtpm": Expected(
        said="accept; report_data==sha256(HCL runtime data) binds vTPM AK; evidence-v1.json vTPM"
        " quote verifies with that AK",
    ),
}


def judged(name: str, given: Evidence | None = None, **changes: object) -> Verdict:
    """Return the verdict on a vector under the policy ``sev-snp``, changed like this."""
    policy = load_policy("sev-snp").with_(**changes)
    return verify(given or evidence_of(record_of(name)), now=EXPECTED[name].at, policy=policy)


def _failures(verdict: Verdict) -> Failures:
    return tuple((check.name, check.code) for check in verdict.failures)


@pytest.mark.usefixtures("vectors")
def test_every_vector_has_an_expected_verdict_and_no_expectation_lacks_its_vector() -> None:
    assert {record.id: record.entry["expected"] for record in records("snp")} == {
        name: expected.said for name, expected in EXPECTED.items()
    }


@pytest.mark.parametrize("record", each("snp"))
def test_a_real_report_gets_its_verdict_for_its_reason(record: Record) -> None:
    expected = EXPECTED[record.id]
    verdict = judged(record.id)
    assert (verdict.kind, verdict.exit_code) == ("sev-snp", expected.exit_code)
    assert _failures(verdict) == expected.failures
    assert verdict.level == (None if expected.exit_code == 2 else "hardware")
    assert verdict.confidential is (expected.exit_code != 2 and "DEBUG" not in expected.said)
    facts = verdict.facts
    assert facts.get("report_version") == expected.version
    assert (tuple(facts["tcb"]["reported"].values()) if facts else None) == expected.tcb


@pytest.mark.parametrize("record", each("snp"))
def test_no_real_report_is_called_up_to_date_for_nobody_signs_that(record: Record) -> None:
    verdict = judged(record.id)
    if verdict.facts:
        check = verdict.check("minimum-tcb")
        assert check.state == "not_checked"
        assert check.detail.startswith("AMD publishes no signed list")


@pytest.mark.parametrize("record", each("snp"))
def test_a_real_report_is_refused_before_its_certificate_and_after_it(record: Record) -> None:
    given = evidence_of(record)
    for at in (datetime(2022, 1, 1, tzinfo=UTC), datetime(2034, 1, 1, tzinfo=UTC)):
        verdict = verify(given, now=at, policy=load_policy("sev-snp"))
        assert (verdict.exit_code, verdict.facts) == (2, {})


@pytest.mark.usefixtures("vectors")
def test_a_chip_id_is_in_no_verdict() -> None:
    record = record_of("milan-virtee")
    chip = record.read("report.bin")[0x1A0:0x1E0]
    assert any(chip)
    assert chip.hex() not in str(judged(record.id).to_json())


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize("other", ["trustee-test-vcek", "milan-google-debug"])
def test_the_certificate_of_another_real_chip_is_refused(other: str) -> None:
    given = Evidence(
        quote=record_of("milan-virtee").read("report.bin"),
        certificates=certificates_of(record_of(other)),
    )
    codes = [code for _, code in _failures(judged("milan-virtee", given))]
    assert "report_signature" in codes
    assert "vek_chip" in codes


@pytest.mark.usefixtures("vectors")
def test_a_cloud_that_is_trusted_must_be_asked_for_by_name() -> None:
    name = "milan-vlek-trustee"
    verdict = judged(name, vlek=True, masked_chip_id=True, vmpl=[1])
    assert verdict.exit_code == 0
    assert verdict.facts["signer"]["csp_id"] == "CN=cc-us-east-2.amazonaws.com"
    assert judged(name, vlek=True, masked_chip_id=True).exit_code == 4


@pytest.mark.usefixtures("vectors")
def test_amds_root_is_recognised_by_its_key_and_another_product_s_pin_is_not_enough() -> None:
    milan, *others = load_policy("sev-snp").roots
    assert judged("milan-virtee", roots=[milan]).exit_code == 0
    verdict = judged("milan-virtee", roots=others)
    assert _failures(verdict) == (("root", "root_not_pinned"),)


@pytest.mark.usefixtures("vectors")
def test_certificates_may_lie_in_any_order_and_beside_strangers() -> None:
    record = record_of("milan-virtee")
    ders, _ = parse_blocks(certificates_of(record))
    more, _ = parse_blocks(certificates_of(record_of("milan-vlek-trustee")))
    strangers = [each.der for each in parse_certificates(more) if each.is_ca]
    for order in (ders, ders[::-1], [*strangers, *ders, ders[0]]):
        pem = b"\n".join(armoured(der) for der in order)
        given = Evidence(quote=record.read("report.bin"), certificates=pem)
        assert judged(record.id, given).exit_code == 0


@pytest.mark.usefixtures("vectors")
def test_a_real_dstack_guest_is_read_from_its_attestation_with_its_configuration() -> None:
    record = record_of("milan-dstack-live")
    (bundle,) = gather([record.path])
    given = bundle.evidence
    assert given.quote == record.read("report.bin")
    assert judged(record.id, given).check("vek-certificates").code == "certificates_missing"
    root = record_of("milan-virtee").path / "chain.pem"
    (bundle,) = gather([record.path / "verifier_request.json", root])
    verdict = judged(record.id, bundle.evidence)
    assert (verdict.exit_code, verdict.check("host-data-config").state) == (0, "passed")
    assert verdict.facts["application"]["app_id"] == "86e59625be93207bc2351c4d1bba20037cec8e16"
    assert bytes.fromhex(verdict.facts["report_data"]).startswith(b"attest-test-fixture-2026\0")
