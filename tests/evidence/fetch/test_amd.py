"""AMD's key server: a report alone becomes one that can be verified, and the chip stays unnamed."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from teeproof.core.errors import Error, Malformed, NotAuthentic, Unavailable, Usage
from teeproof.evidence.der import armoured
from teeproof.evidence.fetch.asking import Asking
from teeproof.evidence.fetch.wanted import fetch_for
from teeproof.evidence.kept.records import Records
from teeproof.evidence.kept.serving import certificates_for
from teeproof.evidence.policy import Policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.snp.pki import SnpPki
from teeproof.evidence.verify import verify
from tests.evidence.fetch.amd_scene import GENOA, MILAN, TURIN, alone, machine, serve, vcek_path
from tests.evidence.scenes import NOW, PLATFORM, REPORT_DATA, flipped
from tests.sim.vendors import cut, status

AT = int(NOW.timestamp())
POLICY = Policy(roots=(), simulated_roots=(PLATFORM.snp.root_fingerprint,))


@pytest.fixture
def asking(tmp_path, web):
    def make(**changes):
        services = {k: changes.pop(k) for k in ("offline",) if k in changes}
        return Asking(directory=tmp_path / "archive", web=web(**services), now=AT, **changes)

    return make


def _verdict(evidence: Evidence, asking: Asking):
    served = certificates_for(evidence.quote, evidence.certificates, asking.records, at=AT)
    given = Evidence(quote=evidence.quote, certificates=served.certificates)
    return verify(given, policy=POLICY, now=NOW)


@pytest.mark.parametrize("chip", [MILAN, GENOA, TURIN], ids=lambda chip: chip.product)
def test_a_report_alone_is_verified_offline_after_three_requests(chip, vendors, asking):
    serve(vendors, chip)
    evidence = alone(chip)
    assert _verdict(evidence, asking()).exit_code == 3
    got = list(fetch_for(evidence, asking()))
    assert [each.source for each in got] == ["fetched", "fetched"]
    product = chip.product
    assert vendors.asked == [
        vcek_path(chip), f"/vcek/v1/{product}/cert_chain", f"/vcek/v1/{product}/crl",
    ]  # fmt: skip
    verdict = _verdict(evidence, asking())
    assert verdict.ok
    revocation = next(c for c in verdict.checks if c.name == "vek-revocation")
    assert revocation.state == "passed"


def test_what_is_in_force_is_not_asked_for_again_and_fresh_asks_for_all(vendors, asking):
    serve(vendors)
    first = list(fetch_for(alone(), asking()))
    vendors.asked.clear()
    again = list(fetch_for(alone(), asking(offline=True)))
    assert [each.source for each in again] == ["archive", "archive"]
    assert [each.id for each in again] == [each.id for each in first]
    assert vendors.asked == []
    list(fetch_for(alone(), asking(fresh=True)))
    assert len(vendors.asked) == 3


def test_of_a_second_chip_only_its_own_certificate_is_asked_for(vendors, asking):
    from dataclasses import replace

    other = replace(MILAN, name="chip 9")
    serve(vendors)
    serve(vendors, other)
    list(fetch_for(alone(), asking()))
    vendors.asked.clear()
    list(fetch_for(alone(other), asking()))
    assert vendors.asked == [vcek_path(other)]
    assert _verdict(alone(other), asking()).ok


def test_what_came_beside_the_report_is_not_asked_for(vendors, asking):
    serve(vendors)
    leaf = Evidence(quote=alone().quote, certificates=armoured(machine().key.der))
    assert [each.source for each in fetch_for(leaf, asking())] == ["fetched", "fetched"]
    assert vendors.asked == ["/vcek/v1/Milan/cert_chain", "/vcek/v1/Milan/crl"]
    assert _verdict(leaf, asking()).ok
    # What lies above it is another chip's too, and what it signed is still checked.
    from dataclasses import replace

    other = machine(replace(MILAN, name="chip 9"))
    its = Evidence(quote=other.report(REPORT_DATA), certificates=armoured(other.key.der))
    assert _verdict(its, asking()).ok
    wrong = Evidence(quote=its.quote, certificates=leaf.certificates)
    assert not _verdict(wrong, asking()).ok


def test_a_vlek_is_taken_from_beside_the_report_for_amd_gives_it_to_nobody_else(vendors, asking):
    serve(vendors)
    with pytest.raises(Unavailable) as caught:
        list(fetch_for(alone(signing_key=1), asking()))
    assert (caught.value.code, vendors.asked) == ("vlek_not_public", [])
    given = Evidence(
        quote=alone(signing_key=1).quote,
        certificates=armoured(machine(signing_key=1).key.der),
    )
    list(fetch_for(given, asking()))
    assert vendors.asked == ["/vlek/v1/Milan/cert_chain", "/vlek/v1/Milan/crl"]
    assert _verdict(alone(signing_key=1), asking()).ok
    # The list of the one authority says nothing of the other.
    serve(vendors)
    vendors.asked.clear()
    list(fetch_for(alone(), asking()))
    assert vendors.asked[-1] == "/vcek/v1/Milan/crl"


def test_host_that_masks_the_chip_is_told_apart_and_nobody_is_asked(vendors, asking):
    serve(vendors)
    with pytest.raises(Unavailable) as caught:
        list(fetch_for(alone(masked=True), asking()))
    assert (caught.value.exit_code, caught.value.code) == (3, "chip_masked")
    assert "the host masked the chip's id" in caught.value.detail
    assert vendors.asked == []
    given = Evidence(quote=alone(masked=True).quote, certificates=armoured(machine().key.der))
    list(fetch_for(given, asking()))
    assert not [c for c in _verdict(given, asking()).failures if c.concern != "policy"]
    assert certificates_for(alone(masked=True).quote, None, asking().records, at=AT).records == ()


def test_a_report_of_version_2_needs_the_product_named(vendors, asking):
    serve(vendors)
    with pytest.raises(Usage) as caught:
        list(fetch_for(alone(version=2), asking()))
    assert caught.value.code == "product_unknown"
    assert "--product" in caught.value.detail
    list(fetch_for(alone(version=2), asking(product="Milan")))
    assert _verdict(alone(version=2), asking()).ok


def test_the_chip_is_named_by_its_hash_in_messages_logs_and_index(
    vendors, asking, caplog, tmp_path
):
    serve(vendors)
    chip = MILAN.hwid.hex()
    with caplog.at_level(logging.DEBUG):
        for fault in (status(404), cut, status(429, Retry_After="3600"), status(302)):
            vendors.faults += [fault] * 4
            with pytest.raises(Error) as caught:
                list(fetch_for(alone(), asking()))
            vendors.faults.clear()
            assert chip not in str(caught.value.to_json())
            assert "VCEK certificate of a Milan chip (hash " in caught.value.detail
        got = list(fetch_for(alone(), asking()))
    assert chip not in caplog.text
    assert chip not in str(got)
    index = [p.read_text() for p in (tmp_path / "archive" / "records").iterdir()]
    assert len(index) == 2
    assert not any(chip in text or chip.upper() in text for text in index)
    assert any(chip in path for path in vendors.asked)


# Servers that lie ---------------------------------------------------------------------------------


def _refused(vendors, asking, evidence: Evidence | None = None) -> Error:
    with pytest.raises((NotAuthentic, Malformed)) as caught:
        list(fetch_for(evidence or alone(), asking()))
    assert Records(asking().directory).survey()[0] == []
    return caught.value


def test_network_a_server_with_another_root_is_not_believed(vendors, asking):
    serve(vendors, pki=SnpPki(b"\x77" * 32, marked=False))
    assert _refused(vendors, asking).code == "root_not_pinned"


def test_network_a_server_with_a_simulators_root_cannot_vouch_for_another_machine(vendors, asking):
    serve(vendors, pki=SnpPki(b"\x77" * 32))
    assert _refused(vendors, asking).code == "report_signature"


def test_network_another_chips_certificate_is_not_taken(vendors, asking):
    serve(vendors)
    from dataclasses import replace

    other = PLATFORM.snp.vcek(replace(MILAN, name="another"))
    vendors.serve(vcek_path(MILAN), other.der)
    assert _refused(vendors, asking).code == "report_signature"


def test_network_the_certificates_above_another_product_are_not_taken(vendors, asking):
    serve(vendors)
    stranger = SnpPki(b"\x77" * 32)
    text = armoured(stranger.authority("VCEK")) + armoured(stranger.root)
    vendors.serve("/vcek/v1/Milan/cert_chain", text)
    assert _refused(vendors, asking).code == "vek_chain_signature"
    vendors.serve("/vcek/v1/Milan/cert_chain", armoured(PLATFORM.snp.root))
    assert _refused(vendors, asking).code == "fetched_unfit"


@pytest.mark.parametrize("path", [vcek_path(MILAN), "/vcek/v1/Milan/cert_chain"])
@pytest.mark.parametrize("content", [b"", b"<html>", b"\x30\x82\x01\x00", b"{}", b"\0" * 4000])
def test_network_other_content_is_not_taken(path, content, vendors, asking):
    serve(vendors)
    vendors.serve(path, content)
    assert isinstance(_refused(vendors, asking), Malformed | NotAuthentic)


def test_network_no_byte_of_a_certificate_can_be_changed(vendors, asking):
    serve(vendors)
    leaf = machine().key.der
    for at in range(40, len(leaf), 97):
        vendors.serve(vcek_path(MILAN), flipped(leaf, at))
        _refused(vendors, asking)


@pytest.mark.parametrize(
    ("issued", "code"),
    [
        (NOW - timedelta(days=181), "fetched_not_in_force"),
        (NOW + timedelta(days=1), "fetched_not_in_force"),
    ],
)
def test_network_a_list_that_is_not_in_force_is_not_taken_but_the_key_is(
    issued, code, vendors, asking
):
    serve(vendors, issued=issued)
    with pytest.raises(NotAuthentic) as caught:
        list(fetch_for(alone(), asking()))
    assert caught.value.code == code
    (kept,) = Records(asking().directory).survey()[0]
    assert kept.kind == "amd-key"
    assert _verdict(alone(), asking()).ok


def test_network_a_list_that_another_root_signed_is_not_taken(vendors, asking):
    serve(vendors)
    other = SnpPki(b"\x77" * 32).crl(revoked=(), issued=NOW - timedelta(days=1))
    vendors.serve("/vcek/v1/Milan/crl", other)
    with pytest.raises(NotAuthentic) as caught:
        list(fetch_for(alone(), asking()))
    assert caught.value.code == "crl_signature"


def test_a_list_that_revokes_the_authority_is_kept_and_the_verdict_says_so(vendors, asking):
    serve(vendors, revoked=(65537,))
    list(fetch_for(alone(), asking()))
    verdict = _verdict(alone(), asking())
    codes = {check.code for check in verdict.failures}
    assert codes == {"vek_ca_revoked"}, codes
    late = certificates_for(alone().quote, None, asking().records, at=AT + 200 * 86400).certificates
    assert late is not None
    assert b"X509 CRL" in late  # a revocation is not taken back by getting old


def test_real_reports_are_found_by_chip_and_firmware(vectors, tmp_path):
    folder = vectors / "snp" / "milan-virtee"
    report, leaf = (folder / "report.bin").read_bytes(), (folder / "vcek.der").read_bytes()
    from teeproof.evidence.sev_snp.certificates import parse_blocks

    (above, root), _ = parse_blocks((folder / "chain.pem").read_bytes())
    records = Records(tmp_path)
    record = records.add("amd-key", {"key": leaf, "authority": above, "root": root})
    served = certificates_for(report, None, records, at=record.begins)
    assert [each.id for each in served.records] == [record.id]
    assert certificates_for(flipped(report, 0x1A0), None, records, at=record.begins).records == ()
    assert certificates_for(flipped(report, 0x180), None, records, at=record.begins).records == ()
    assert report[0x1A0:0x1E0].hex() not in str(record)
    assert REPORT_DATA  # the scene's own, not the vector's


def test_host_that_puts_another_chips_certificate_beside_the_report_changes_nothing(
    vendors, asking
):
    from dataclasses import replace

    serve(vendors)
    stranger = armoured(PLATFORM.snp.vcek(replace(MILAN, name="another")).der)
    evidence = Evidence(quote=alone().quote, certificates=stranger)
    list(fetch_for(evidence, asking()))
    assert vendors.asked[0] == vcek_path(MILAN)
    assert _verdict(evidence, asking()).ok
