"""The platform: an unmodified verifier accepts what it makes, and all of it says SIMULATED."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import dcap_qvl
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from teeproof.core.errors import Usage
from teeproof.evidence.collect.simulated import (
    Domain,
    Guest,
    Processor,
    QuotingEnclave,
    SimulatedPlatform,
)
from teeproof.evidence.marks import SIMULATED_ROOT_OID, SIMULATED_ROOT_TEXT
from tests.evidence.simulated.judge import NOW, REPORT_DATA, SEED, ask, registers, replayed


@pytest.fixture(scope="module")
def platform() -> SimulatedPlatform:
    return SimulatedPlatform(SEED)


@pytest.mark.parametrize(
    ("version", "body", "kind"),
    [(4, None, "PyTdReport10"), (5, None, "PyTdReport15"), (5, "1.0", "PyTdReport10")],
)
def test_an_unmodified_verifier_accepts_a_quote_of_every_form(platform, version, body, kind):
    quote = platform.machine().quote(REPORT_DATA, version=version, body=body)
    parsed = dcap_qvl.parse_quote(quote)
    assert ask(quote, platform.collateral(NOW), platform) == ("UpToDate", [])
    assert (parsed.header.version, type(parsed.report).__name__) == (version, kind)
    assert parsed.report.report_data == REPORT_DATA


def test_an_unmodified_verifier_refuses_it_under_intels_root(platform):
    quote, collateral = platform.machine().quote(REPORT_DATA), platform.collateral(NOW)
    theirs = dcap_qvl.QuoteCollateralV3(
        **{
            name: value if name.endswith(("crl", "signature")) else value.decode()
            for name, value in vars(collateral).items()
        }
    )
    with pytest.raises(ValueError, match="InvalidCrlSignature"):
        dcap_qvl.verify(quote, theirs, int(NOW.timestamp()))


def test_a_quote_carries_every_field_of_its_machine(platform):
    fields = {name: bytes([number]) * 48 for number, name in enumerate(_MEASUREMENTS, 1)}
    domain = Domain(**fields, tee_tcb_svn=bytes(range(16)), xfam=bytes(range(8)))
    machine = platform.machine(domain=domain, guest=Guest(mr_config=1))
    report = dcap_qvl.parse_quote(machine.quote(REPORT_DATA, version=5)).report
    assert [getattr(report, name) for name in _MEASUREMENTS.values()] == list(fields.values())
    assert report.tee_tcb_svn == bytes(range(16))
    assert report.xfam == bytes(range(8))
    assert report.mr_config_id == b"\1" + machine.guest.compose_hash + bytes(15)
    assert registers(machine.quote(REPORT_DATA)) == [value.hex() for value in machine.rtmrs]


_MEASUREMENTS = {
    "mrseam": "mr_seam",
    "mrsignerseam": "mr_signer_seam",
    "mrtd": "mr_td",
    "mrowner": "mr_owner",
    "mrownerconfig": "mr_owner_config",
    "mrservicetd": "mr_service_td",
}


def test_a_pck_certificate_says_what_the_processor_is(platform):
    processor = Processor(
        name="another",
        fmspc=b"SIM\1\2\3",
        pce_id=b"\4\5",
        cpu_svn=bytes(range(120, 136)),
        pce_svn=300,
        dynamic=True,
        smt=True,
    )
    quote = dcap_qvl.parse_quote(platform.machine(processor=processor).quote(REPORT_DATA))
    extension = quote.pck_extension()
    assert extension.ppid == processor.ppid
    assert extension.platform_instance_id == processor.platform_instance_id
    assert (extension.fmspc, extension.pce_id) == (b"SIM\1\2\3", b"\4\5")
    assert (extension.cpu_svn, extension.pce_svn) == (bytes(range(120, 136)), 300)
    for number, svn in enumerate(processor.cpu_svn, 1):
        encoded = extension.get_value(f"1.2.840.113741.1.13.1.2.{number}")
        assert int.from_bytes(encoded, "big") == svn
    flags = [extension.get_value(f"1.2.840.113741.1.13.1.7.{number}") for number in (1, 2, 3)]
    assert flags == [b"\xff", b"\x00", b"\xff"]


def test_certificates_have_intels_shape_and_say_simulated(platform, vectors):
    quote = (vectors / "dcap/tdx-v4-b0c06f-uptodate/quote.bin").read_bytes()
    real = x509.load_pem_x509_certificates(quote[quote.index(b"-----BEGIN") :].rstrip(b"\0"))
    ours = x509.load_pem_x509_certificates(_chain(platform.machine().quote(REPORT_DATA)))
    for theirs, mine in zip(real, ours, strict=True):
        assert [a.oid for a in mine.subject] == [a.oid for a in theirs.subject]
        assert _common_name(mine) == _common_name(theirs).replace("Intel", "SIMULATED")
        unmarked = [e for e in mine.extensions if e.oid.dotted_string != SIMULATED_ROOT_OID]
        assert [(e.oid, e.critical) for e in unmarked] == [
            (e.oid, e.critical) for e in theirs.extensions
        ]
        for kind in (x509.KeyUsage, x509.BasicConstraints):
            assert _value(mine, kind) == _value(theirs, kind)


def test_only_the_root_carries_the_mark(platform):
    leaf, issuer, root = x509.load_pem_x509_certificates(
        _chain(platform.machine().quote(REPORT_DATA))
    )
    mark = root.extensions.get_extension_for_oid(x509.ObjectIdentifier(SIMULATED_ROOT_OID))
    text = SIMULATED_ROOT_TEXT.encode()
    assert mark.value.value == bytes([0x0C, len(text)]) + text
    assert not mark.critical
    for other in (leaf, issuer):
        assert SIMULATED_ROOT_OID not in [e.oid.dotted_string for e in other.extensions]


def test_the_root_is_named_by_the_digest_of_its_key(platform):
    key = x509.load_der_x509_certificate(platform.root_der).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert platform.root_fingerprint == f"sha256:{hashlib.sha256(spki).hexdigest()}"


def test_one_seed_gives_the_same_bytes_always(platform):
    again = SimulatedPlatform(SEED)
    for version in (4, 5):
        quotes = {p.machine().quote(REPORT_DATA, version=version) for p in (platform, again)}
        assert len(quotes) == 1
    assert platform.collateral(NOW) == again.collateral(NOW)
    # A change here voids every root that somebody pinned.
    assert platform.root_fingerprint == (
        "sha256:09df2e47cab8259bf44c436f61c4cf79f05214b91880379fc696d3830da288df"
    )


def test_another_seed_gives_another_root(platform):
    other = SimulatedPlatform(b"\2" * 32)
    assert other.root_fingerprint != platform.root_fingerprint
    with pytest.raises(ValueError, match="InvalidCrlSignature"):
        ask(other.machine().quote(REPORT_DATA), other.collateral(NOW), platform)


def test_create_takes_its_seed_from_the_given_randomness(platform):
    made = SimulatedPlatform.create(randomness=lambda size: b"\1" * size)
    assert made.root_der == platform.root_der
    assert SimulatedPlatform.create().root_der != SimulatedPlatform.create().root_der


def test_collateral_counts_from_its_day_for_thirty_days(platform):
    quote, collateral = platform.machine().quote(REPORT_DATA), platform.collateral(NOW)
    midnight = NOW.replace(hour=0)
    # At the very second of nextUpdate, dcap-qvl holds CRLs for expired and documents for valid.
    for good in (midnight, NOW, midnight + timedelta(days=30, seconds=-1)):
        assert ask(quote, collateral, platform, now=good)[0] == "UpToDate"
    with pytest.raises(ValueError, match="in the future"):
        ask(quote, collateral, platform, now=midnight - timedelta(seconds=1))
    with pytest.raises(ValueError, match="CrlExpired"):
        ask(quote, collateral, platform, now=midnight + timedelta(days=30, seconds=1))


def test_the_event_log_explains_the_quote(platform):
    for guest in (Guest(), Guest(log_version=2)):
        evidence = platform.machine(guest=guest).evidence(REPORT_DATA, now=NOW)
        assert replayed(evidence.event_log, trusting_digests=False) == registers(evidence.quote)


def test_a_machine_boots_like_a_real_dstack_guest(platform, vectors):
    import json

    real = json.loads((vectors / "dcap/dstack-quote-report/event_log.json").read_bytes())
    ours = json.loads(platform.machine().evidence(REPORT_DATA, now=NOW).event_log)
    firmware = [(e["imr"], e["event_type"]) for e in real if e["imr"] != 3]
    assert [(e["imr"], e["event_type"]) for e in ours if e["imr"] != 3] == firmware
    steps = [e["event"] for e in ours if e["imr"] == 3]
    known = [e["event"] for e in real if e["imr"] == 3]
    # A KMS adds os-image-hash, newer guests storage-fs; an application's event ends the real log.
    assert [name for name in steps if name in known] == known[:-1]
    assert set(steps) - set(known) == {"os-image-hash", "storage-fs"}


@pytest.mark.parametrize("size", [0, 32, 63, 65])
def test_report_data_of_another_size_is_refused(platform, size):
    with pytest.raises(Usage) as refusal:
        platform.machine().quote(bytes(size))
    assert refusal.value.code == "report_data_length"


def test_a_quote_of_version_4_cannot_carry_a_newer_report(platform):
    with pytest.raises(Usage, match="version 4"):
        platform.machine().quote(REPORT_DATA, version=4, body="1.5")


def test_a_seed_of_another_size_is_refused():
    with pytest.raises(Usage, match="32 bytes"):
        SimulatedPlatform(b"short")


def test_a_field_of_another_size_is_refused(platform):
    with pytest.raises(ValueError, match="takes 48 bytes, got 47"):
        platform.machine(domain=Domain(mrtd=bytes(47))).quote(REPORT_DATA)


def test_the_default_enclave_is_the_one_that_the_vendor_identifies(platform):
    wrong = platform.machine(enclave=QuotingEnclave(mrsigner=b"\1" * 32))
    with pytest.raises(ValueError, match="QE MRSIGNER mismatch"):
        ask(wrong.quote(REPORT_DATA), platform.collateral(NOW), platform)


def test_times_in_other_zones_name_the_same_day(platform):
    from datetime import timezone

    elsewhere = NOW.astimezone(timezone(timedelta(hours=-9)))
    assert platform.collateral(elsewhere) == platform.collateral(NOW)
    assert platform.collateral(datetime(2026, 11, 23, tzinfo=UTC)) != platform.collateral(NOW)


def _chain(quote: bytes) -> bytes:
    return quote[quote.index(b"-----BEGIN") :]


def _common_name(certificate: x509.Certificate) -> str:
    return certificate.subject.get_attributes_for_oid(x509.OID_COMMON_NAME)[0].value


def _value(certificate: x509.Certificate, kind: type) -> object:
    return certificate.extensions.get_extension_for_class(kind).value
