"""From root to attestation key: what each link asks for, one broken link at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509 as library
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from teeproof.evidence.collect import simulated
from teeproof.evidence.collect.simulated import QuotingEnclave, SimulatedPlatform
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.policy import Policy
from teeproof.evidence.simulated.collateral import Edition, Window, publish
from teeproof.evidence.simulated.keys import sign_raw
from teeproof.evidence.simulated.pki import IMPOSTOR, Issued, pem, pem_chain
from teeproof.evidence.verdict import Verdict
from tests.evidence.scenes import (
    NOW,
    PLATFORM,
    REPORT_DATA,
    collateral,
    evidence,
    failures,
    flipped,
    judge,
    resigned,
    state,
)

PKI = PLATFORM.pki
MACHINE = PLATFORM.machine()
QUOTE = MACHINE.quote(REPORT_DATA)
SECTION = 48 + 584 + 4
ORDER = [
    "quote-format", "quote-tail", "quoting-enclave", "pck-certificates", "root", "pck-chain",
    "pck-revocation", "tcb-info", "qe-identity", "collateral-platform", "qe-report",
    "attestation-key", "qe-measurement", "certificate-dates", "collateral-dates",
    "quote-signature", "tdx-module", "tcb-level", "second-path-signatures", "second-path-tcb",
]  # fmt: skip


def _with_chain(*certificates: Issued | bytes) -> bytes:
    chain = b"".join(pem(c.der if isinstance(c, Issued) else c) for c in certificates)
    inner = QUOTE[SECTION + 134 : SECTION + 618] + len(chain).to_bytes(4, "little") + chain
    outer = QUOTE[SECTION : SECTION + 130] + len(inner).to_bytes(4, "little") + inner
    return QUOTE[: SECTION - 4] + len(outer).to_bytes(4, "little") + outer


def _judge(quote: bytes = QUOTE, given: Collateral | None = None) -> Verdict:
    return judge(quote, endorsements=given or collateral())


def _certificate(like: Issued, signer: Issued, *, name: str, days: tuple[int, int]) -> bytes:
    """Return a certificate for the same key under another name or for other days."""
    subject = library.Name([library.NameAttribute(library.NameOID.COMMON_NAME, name)])
    builder = (
        library.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject)
        .public_key(like.key.public_key())
        .serial_number(77)
        .not_valid_before(NOW + timedelta(days[0]))
        .not_valid_after(NOW + timedelta(days[1]))
    )
    for extension in like.certificate.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    signed = builder.sign(signer.key, hashes.SHA256(), ecdsa_deterministic=True)
    return signed.public_bytes(Encoding.DER)


def test_the_checks_stand_in_reading_order() -> None:
    names = [check.name for check in _judge().checks]
    assert names[: len(ORDER)] == ORDER
    assert all(check.state == "passed" for check in _judge().checks[: len(ORDER)])


@pytest.mark.parametrize(
    "name", [name for name, s in simulated.states().items() if s.kind == "tdx"]
)
def test_no_check_is_missing_whatever_is_wrong(name: str) -> None:
    if name in ("section-length-huge", "quote-truncated"):
        return  # no quotes at all
    verdict = judge(state(name))
    names = [check.name for check in verdict.checks]
    # A TPM beside the quote has its own, between those of the quote and the second path's.
    own = [each for each in names if not each.startswith(("tpm-", "ak-"))]
    assert own[: len(ORDER)] == ORDER
    for check in verdict.checks:
        assert check.detail
        assert (check.code is None) is (check.state != "failed")


def test_the_chain_has_three_certificates_in_order() -> None:
    leaf, authority, root = MACHINE.pck, PKI.pck_ca, PKI.root
    assert _judge(_with_chain(leaf, authority, root)).exit_code == 0
    for chain in ((leaf, root), (leaf,), (leaf, authority, root, root)):
        assert failures(_judge(_with_chain(*chain)))[0] == ("pck-certificates", "pck_chain_length")
    assert failures(_judge(_with_chain(authority, leaf, root)))[0][0] == "pck-certificates"
    assert failures(_judge(_with_chain(leaf, root, root)))[0] == (
        "pck-chain",
        "pck_chain_signature",
    )


def test_vendor_another_certificate_under_the_same_root_is_no_pck_certificate() -> None:
    named = _certificate(MACHINE.pck, PKI.pck_ca, name="SIMULATED SGX TCB Signing", days=(-1, 1))
    verdict = _judge(_with_chain(named, PKI.pck_ca, PKI.root))
    assert failures(verdict)[0] == ("pck-chain", "pck_chain_leaf")
    assert verdict.check("pck-chain").got == "SIMULATED SGX TCB Signing"
    assert verdict.exit_code == 2


def test_vendor_a_pck_certificate_may_not_sign_documents() -> None:
    # The same root vouches for it, and it was made for something else.
    named = _certificate(
        PKI.tcb_signer, PKI.root, name="SIMULATED SGX PCK Certificate", days=(-1, 1)
    )
    chain = pem(named) + pem(PKI.root.der)
    verdict = _judge(given=collateral().replace(tcb_info_issuer_chain=chain))
    assert failures(verdict) == [("tcb-info", "tcb_signing_purpose")]
    assert verdict.exit_code == 2


def test_a_signer_of_documents_hangs_directly_on_the_root() -> None:
    for chain in (
        pem_chain(PKI.tcb_signer),
        pem_chain(PKI.tcb_signer, PKI.pck_ca, PKI.root),
        pem_chain(PKI.root, PKI.root),
        pem_chain(MACHINE.pck, PKI.root),
        b"",
    ):
        verdict = _judge(given=collateral().replace(qe_identity_issuer_chain=chain))
        assert failures(verdict)[0][0] == "qe-identity"
        assert verdict.exit_code == 2


@pytest.mark.parametrize(
    ("which", "code"),
    [((-2, -1), "certificate_expired"), ((1, 2), "certificate_not_yet_valid"), ((-1, 1), None)],
)
def test_the_pck_certificate_counts_only_within_its_dates(
    which: tuple[int, int], code: str | None
) -> None:
    made = _certificate(MACHINE.pck, PKI.pck_ca, name="SIMULATED SGX PCK Certificate", days=which)
    verdict = _judge(_with_chain(made, PKI.pck_ca, PKI.root))
    expected = [] if code is None else [("certificate-dates", code)]
    assert failures(verdict) == expected
    assert verdict.exit_code == (0 if code is None else 2)


@pytest.mark.parametrize(
    ("which", "code"),
    [((-2, -1), "certificate_expired"), ((1, 2), "certificate_not_yet_valid"), ((-1, 1), None)],
)
def test_the_signer_of_documents_counts_only_within_its_dates(
    which: tuple[int, int], code: str | None
) -> None:
    made = _certificate(PKI.tcb_signer, PKI.root, name="SIMULATED SGX TCB Signing", days=which)
    chain = pem(made) + pem(PKI.root.der)
    given = collateral().replace(tcb_info_issuer_chain=chain, qe_identity_issuer_chain=chain)
    assert failures(_judge(given=given)) == ([] if code is None else [("certificate-dates", code)])


# Dates, to the second -----------------------------------------------------------------------------

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
SHORT = Window(BEGIN, BEGIN + timedelta(days=1))


@pytest.mark.parametrize("part", ["tcb_info", "qe_identity", "root_crl", "pck_crl"])
@pytest.mark.parametrize("seconds", [-1, 0, 1, 86399, 86400, 86401])
def test_each_document_counts_from_its_first_to_its_last_second_as_dcap_qvl_counts(
    part: str, seconds: int
) -> None:
    wide = Window(BEGIN - timedelta(9), BEGIN + timedelta(9))
    edition = Edition(tcb_info=wide, qe_identity=wide, root_crl=wide, pck_crl=wide)
    given = publish(PKI, replace(edition, **{part: SHORT}))  # type: ignore[arg-type]
    verdict = judge(QUOTE, endorsements=given, now=BEGIN + timedelta(seconds=seconds))
    code = {"root_crl": "crl", "pck_crl": "crl"}.get(part, part)
    # A revocation list is out at its nextUpdate, a document one second later.
    last = 86399 if code == "crl" else 86400
    expected = []
    if seconds < 0:
        expected = [("collateral-dates", f"{code}_not_yet_valid")]
    elif seconds > last:
        expected = [("collateral-dates", f"{code}_expired")]
    assert failures(verdict) == expected, "dcap-qvl may not see it otherwise"


def test_expired_endorsements_are_refused_with_the_date_and_what_to_do() -> None:
    check = judge(QUOTE, endorsements=collateral(), now=NOW + timedelta(300)).check(
        "collateral-dates"
    )
    assert check.state == "failed"
    assert "2026-03-31" in check.detail
    assert "--at" in check.detail
    assert check.expected == "not before 2026-12-26T12:00:00Z"


# The quoting enclave ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"mrsigner": bytes(32)}, "qe_mrsigner"),
        ({"isvprodid": 1}, "qe_product"),
        ({"miscselect": b"\1\0\0\0"}, "qe_miscselect"),
        ({"attributes": bytes([0x05]) + bytes(15)}, "qe_attributes"),
        ({"attributes": bytes([0x11, 1]) + bytes(14)}, "qe_attributes"),
        ({"isvsvn": 1}, "qe_level_none"),
    ],
)
def test_host_another_quoting_enclave_than_the_vendors_is_refused(
    change: dict[str, object], code: str
) -> None:
    enclave = replace(QuotingEnclave(), **change)  # type: ignore[arg-type]
    verdict = _judge(PLATFORM.machine(enclave=enclave).quote(REPORT_DATA))
    assert failures(verdict) == [("qe-measurement", code)]


def test_bits_that_the_mask_leaves_out_do_not_matter() -> None:
    # The document's mask ignores 64-bit mode (0x04) and the whole of XFRM.
    for attributes in (bytes([0x11]) + bytes(15), bytes([0x15]) + bytes(7) + b"\xff" * 8):
        enclave = replace(QuotingEnclave(), attributes=attributes)
        assert _judge(PLATFORM.machine(enclave=enclave).quote(REPORT_DATA)).exit_code == 0


def test_a_debug_enclave_is_refused_even_if_the_document_would_let_it_pass() -> None:
    enclave = replace(QuotingEnclave(), attributes=bytes([0x17]) + bytes(15))
    lax = resigned(
        collateral(), qe_identity=lambda d: d.update(attributes="00" * 16, attributesMask="00" * 16)
    )
    verdict = _judge(PLATFORM.machine(enclave=enclave).quote(REPORT_DATA), lax)
    assert failures(verdict) == [("qe-measurement", "qe_debug")]


def test_miscselect_is_compared_byte_by_byte() -> None:
    # Both as they stand, no matter which end comes first in the number (4.1.2.9.5).
    enclave = replace(QuotingEnclave(), miscselect=bytes([1, 0, 0, 0]))
    fitting = resigned(collateral(), qe_identity=lambda d: d.update(miscselect="01000000"))
    turned = resigned(collateral(), qe_identity=lambda d: d.update(miscselect="00000001"))
    masked = resigned(collateral(), qe_identity=lambda d: d.update(miscselectMask="FEFFFFFF"))
    quote = PLATFORM.machine(enclave=enclave).quote(REPORT_DATA)
    assert _judge(quote, fitting).exit_code == _judge(quote, masked).exit_code == 0
    assert failures(_judge(quote, turned)) == [("qe-measurement", "qe_miscselect")]


@pytest.mark.parametrize(
    ("place", "check"),
    [
        (0, "quote-signature"),
        (63, "quote-signature"),
        (64, "attestation-key"),
        (134, "qe-report"),
        (134 + 320, "qe-report"),
        (134 + 384, "qe-report"),
        (584, "attestation-key"),
    ],
)
def test_host_one_flipped_bit_breaks_the_link_that_covers_it(place: int, check: str) -> None:
    verdict = _judge(flipped(QUOTE, SECTION + place))
    assert failures(verdict)[0][0] == check
    assert verdict.exit_code == 2
    assert all(failed.code != "paths_disagree" for failed in verdict.failures)


# Roots --------------------------------------------------------------------------------------------


def test_host_an_unmarked_root_counts_only_if_its_key_is_pinned() -> None:
    impostor = SimulatedPlatform(b"\6" * 32, names=IMPOSTOR)
    given = impostor.machine().evidence(REPORT_DATA, now=NOW)
    assert failures(judge(given, policy=Policy()))[0] == ("root", "root_not_pinned")
    pinned = judge(given, policy=Policy(roots=(impostor.root_fingerprint,)))
    assert (pinned.level, pinned.exit_code) == ("hardware", 0)
    assert pinned.check("root").detail.startswith("Intel SGX Root CA, by its pinned key")


def test_a_marked_root_is_simulated_even_if_it_is_pinned_as_a_vendors() -> None:
    policy = Policy(
        roots=(PLATFORM.root_fingerprint,), simulated_roots=(PLATFORM.root_fingerprint,)
    )
    verdict = judge(evidence(), policy=policy)
    assert (verdict.level, verdict.confidential, verdict.exit_code) == ("simulated", False, 0)


def test_host_documents_of_another_platform_or_kind_are_refused() -> None:
    changes: dict[str, tuple[Callable[[Edition], Edition], str]] = {
        "family": (lambda e: replace(e, fmspc=bytes(6)), "tcb_info_fmspc"),
        "provisioning": (lambda e: replace(e, pce_id=b"\0\1"), "tcb_info_pceid"),
        "TEE": (lambda e: replace(e, tee="SGX"), "tcb_info_tee"),
        "enclave": (lambda e: replace(e, enclave="QE"), "qe_identity_kind"),
    }
    for what, (change, code) in changes.items():
        verdict = _judge(given=publish(PKI, change(Edition.at(NOW))))
        assert failures(verdict) == [("collateral-platform", code)], what
        check = verdict.check("collateral-platform")
        assert check.expected != check.got


@pytest.mark.parametrize("version", [2, 4])
def test_documents_of_another_version_are_refused(version: int) -> None:
    info = resigned(collateral(), tcb_info=lambda d: d.update(version=version))
    assert failures(_judge(given=info))[0][0] == "collateral-platform"
    identity = resigned(collateral(), qe_identity=lambda d: d.update(version=version + 1))
    assert failures(_judge(given=identity))[0][0] == "collateral-platform"


def test_host_a_document_signed_by_another_key_is_refused() -> None:
    signature = sign_raw(MACHINE.pck.key, collateral().tcb_info)
    verdict = _judge(given=collateral().replace(tcb_info_signature=signature))
    assert failures(verdict) == [("tcb-info", "tcb_info_signature")]
