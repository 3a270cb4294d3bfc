"""Reports, TCB versions, keys and lists: what is read, and what is refused with a reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from teeproof.core.errors import Malformed
from teeproof.evidence.collect.simulated import Chip, SnpGuest, SnpMachine
from teeproof.evidence.der import armoured
from teeproof.evidence.naming import name_evidence, report_data_of
from teeproof.evidence.recognise import kind_of
from teeproof.evidence.sev_snp import certificates, crl, report
from teeproof.evidence.sev_snp.tcb import Tcb, product_named, product_of_cpuid
from teeproof.evidence.sev_snp.vek import parse_vek
from teeproof.evidence.simulated.snp.machine import POLICY, write_body
from teeproof.evidence.simulated.snp.pki import SnpPki
from teeproof.evidence.simulated.states.snp import GENOA, TURIN
from tests.evidence.scenes import NOW, PLATFORM, REPORT_DATA, state

PKI = PLATFORM.snp
HONEST = SnpMachine(PKI).report(REPORT_DATA)


def _body(**changes) -> report.ReportBody:
    return report.ReportBody(write_body(Chip(), SnpGuest(**changes), REPORT_DATA))


@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_each_version_is_read_and_no_other(version):
    raw = SnpMachine(PKI, guest=SnpGuest(version=version)).report(REPORT_DATA)
    body = report.parse(raw).body
    assert (body.version, body.report_data) == (version, REPORT_DATA)
    assert (body.cpuid is None) is (version == 2)
    assert (body.mitigations is None) is (version < 5)
    for other in (0, 1, 6, 2**32 - 1):
        with pytest.raises(Malformed, match="version is malformed"):
            report.parse(other.to_bytes(4, "little") + raw[4:])


@pytest.mark.parametrize("size", [0, 3, 671, 672, 1183])
def test_a_report_that_is_cut_off_is_refused(size):
    with pytest.raises(Malformed, match="expected 1184 bytes"):
        report.parse(HONEST[:size])
    with pytest.raises(Malformed):
        report.parse(HONEST + b"\0")


@pytest.mark.parametrize("at", [0x2A0 + 48, 0x2A0 + 71, 0x2A0 + 72 + 48, 0x2A0 + 144, 1183])
def test_bytes_that_nobody_signed_must_be_zero(at):
    with pytest.raises(Malformed, match="two numbers of 48 bytes, then zeros"):
        report.parse(HONEST[:at] + b"\1" + HONEST[at + 1 :])


def test_another_signature_algorithm_is_refused():
    with pytest.raises(Malformed, match="signature algorithm"):
        report.parse(HONEST[:0x34] + b"\2" + HONEST[0x35:])


def test_evidence_is_named_by_what_is_signed():
    given, twin = state("snp-up-to-date"), state("snp-twin-signature")
    assert given.quote != twin.quote
    assert kind_of(given.quote) == "sev-snp"
    assert name_evidence(given) == name_evidence(twin)
    assert name_evidence(given) != name_evidence(state("snp-body-flipped"))
    assert report_data_of(given) == REPORT_DATA


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"policy": POLICY | 1 << 26}, "guest policy 0x4000000"),
        ({"policy": POLICY & ~(1 << 17)}, "guest policy 0x20000"),
        ({"platform_info": 1 << 6}, "platform info 0x40"),
        ({"platform_info": 1 << 8}, "platform info 0x100"),
        ({"reserved": b"\1"}, "bytes at 0x1f8"),
        ({"signing_key": 8}, "key info 0x20"),
    ],
)
def test_what_is_reserved_and_set_is_told_by_its_place(changes, words):
    assert _body(**changes).reserved == (words,)
    assert _body().reserved == ()


def test_mitigations_are_reserved_before_version_5():
    raw = bytearray(write_body(Chip(), SnpGuest(version=4), REPORT_DATA))
    raw[0x1F8] = 1
    assert report.ReportBody(bytes(raw)).reserved == ("bytes at 0x1f8",)
    assert _body(version=5).reserved == ()


@pytest.mark.parametrize(
    ("family", "model", "product"),
    [
        (0x19, 0x00, "Milan"), (0x19, 0x01, "Milan"), (0x19, 0x0F, "Milan"),
        (0x19, 0x10, "Genoa"), (0x19, 0x11, "Genoa"), (0x19, 0xA0, "Genoa"), (0x19, 0xB0, None),
        (0x1A, 0x02, "Turin"), (0x1A, 0x11, "Turin"), (0x1A, 0x12, None), (0x17, 0x31, None),
    ],
)  # fmt: skip
def test_a_processor_is_known_by_family_and_model(family, model, product):
    assert product_of_cpuid(family, model) == product


def test_a_product_is_known_by_its_name():
    assert product_named("Milan-B0") == product_named("Milan") == "Milan"
    assert product_named("Siena-B0") == "Genoa"
    assert product_named("Milano") is None
    assert product_named("") is None


def test_the_same_eight_bytes_mean_other_parts_on_a_turin():
    raw = bytes([1, 2, 3, 4, 0, 0, 7, 8])
    assert Tcb(raw, "Milan").parts == {"bootloader": 1, "tee": 2, "snp": 7, "microcode": 8}
    assert Tcb(raw, "Turin").parts == {
        "fmc": 1, "bootloader": 2, "tee": 3, "snp": 4, "microcode": 8,
    }  # fmt: skip
    assert Tcb(raw, "Milan").reserved == bytes([3, 4, 0, 0])
    assert Tcb(raw, "Turin").reserved == bytes([0, 0, 7])


@pytest.mark.parametrize("chip", [Chip(), GENOA, TURIN], ids=lambda chip: chip.product)
def test_a_key_s_certificate_says_product_firmware_and_chip(chip):
    (leaf,) = certificates.parse_certificates([PKI.vcek(chip).der])
    vek = parse_vek(leaf)
    assert (vek.kind, vek.product, vek.csp_id) == ("VCEK", chip.product, None)
    assert vek.tcb.raw == chip.tcb
    assert vek.chip_id == chip.hwid.ljust(64, b"\0")
    assert leaf.serial == 0
    (leaf,) = certificates.parse_certificates([PKI.vlek(chip).der])
    vek = parse_vek(leaf)
    assert (vek.kind, vek.chip_id, vek.csp_id) == ("VLEK", None, "CN=simulated.invalid")


def _wrapped(chip: Chip, value: bytes) -> bytes:
    """Return a chip's certificate with other bytes as its chip id."""

    class Wrapping(SnpPki):
        def _vek(self, kind, chip, tcb, names):
            return super()._vek(kind, chip, tcb, [(names[0][0], value)])

    return Wrapping(PKI.seed).vcek(chip).der


@pytest.mark.parametrize("chip", [Chip(), GENOA, TURIN], ids=lambda chip: chip.product)
def test_a_chip_id_is_read_bare_and_in_an_octet_string_and_at_no_other_length(chip):
    size, padded = len(chip.hwid), chip.hwid.ljust(64, b"\0")
    begins_so = bytes([4, size]) + chip.hwid[2:]  # a bare id may begin like a wrapped one
    for value, found in (
        (chip.hwid, padded),
        (bytes([4, size]) + chip.hwid, padded),
        (begins_so, begins_so.ljust(64, b"\0")),
    ):
        (leaf,) = certificates.parse_certificates([_wrapped(chip, value)])
        assert parse_vek(leaf).chip_id == found
    other = 8 if size == 64 else 64
    for value in (
        chip.hwid[:-1], chip.hwid + b"\0", bytes(other), bytes([4, other]) + bytes(other),
        bytes([4, size - 1]) + chip.hwid, bytes([5, size]) + chip.hwid, b"",
        bytes([4, 0x81, size]) + chip.hwid,
    ):  # fmt: skip
        (leaf,) = certificates.parse_certificates([_wrapped(chip, value)])
        with pytest.raises(Malformed) as refused:
            parse_vek(leaf)
        assert refused.value.code == "vek_extension_malformed"


def test_a_product_that_is_unknown_is_refused_by_name():
    chip = replace(Chip(), product="Milan")
    der = PKI.vcek(chip).der.replace(b"Milan-B0", b"Venice-A")
    (leaf,) = certificates.parse_certificates([der])
    with pytest.raises(Malformed) as refused:
        parse_vek(leaf)
    assert refused.value.code == "vek_extension_malformed"
    assert "Venice-A" in (refused.value.got or "")


def test_an_authority_is_no_endorsement_key():
    (authority,) = certificates.parse_certificates([PKI.authority("VCEK")])
    with pytest.raises(Malformed, match="does not say what it is for"):
        parse_vek(authority)


@pytest.mark.parametrize(
    "pem",
    [
        b"a word",
        armoured(PKI.root) + b"a word",
        b"-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nAAB=\n-----END CERTIFICATE-----\n",
        armoured(PKI.root) + bytes(65 << 10),
    ],
)
def test_what_is_no_pem_of_certificates_is_refused(pem):
    with pytest.raises(Malformed) as refused:
        certificates.parse_blocks(pem)
    assert refused.value.code == "certificates_malformed"


def test_certificates_of_another_vendor_are_refused():
    with pytest.raises(Malformed, match="RSA-PSS"):
        certificates.parse_certificates([PLATFORM.root_der])


def test_a_certificate_that_says_it_is_of_another_version_is_refused():
    der = PKI.root.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020101"), 1)
    assert der != PKI.root
    with pytest.raises(Malformed) as refused:
        certificates.parse_certificates([der])
    assert "version 3" in (refused.value.got or "")


def test_a_revocation_list_is_read_whole():
    issued = NOW.replace(microsecond=0)
    found = crl.parse_crl(PKI.crl(revoked=[5, 65537], issued=issued, days=10))
    assert found.serials == {5, 65537}
    assert found.next_update - found.this_update == timedelta(days=10).total_seconds()
    assert crl.parse_crl(PKI.crl(revoked=[], issued=issued)).serials == frozenset()


def test_a_certificate_is_no_revocation_list():
    with pytest.raises(Malformed) as refused:
        crl.parse_crl(PKI.root)
    assert refused.value.code == "certificates_malformed"
    with pytest.raises(Malformed):
        crl.parse_crl(PKI.crl(revoked=[1], issued=NOW)[:-1])
