"""OCSP answers: whose word counts, for which certificate, and from when until when."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from teeproof.core.clock import to_epoch
from teeproof.core.errors import Malformed, NotAuthentic, TooLarge
from teeproof.evidence.nvidia.certificates import parse_der
from teeproof.evidence.nvidia.ocsp import MAX_ANSWER_BYTES, MAX_ANSWERS, parse_answer
from teeproof.evidence.nvidia.revocation import unanswered
from teeproof.evidence.simulated.nvidia import SimulatedGpu, answer
from tests.evidence.nvidia.scenes import NONCE, NOW, VENDOR, judge

GPU = SimulatedGpu(VENDOR)
CHIP = VENDOR.chip(GPU.name)
CHAIN = tuple(parse_der(issued.der, what="test") for issued in GPU.chain)
HOLD = x509.ReasonFlags.certificate_hold
REMOVED = x509.ReasonFlags.key_compromise
EARLIER = NOW - timedelta(hours=6)


def about_chip(**words):
    return answer(VENDOR, CHIP, VENDOR.provisioner, **({"now": EARLIER} | words))


def unknown(*answers, now=NOW):
    parsed = [parse_answer(der) for der in answers]
    return unanswered(CHAIN, parsed, now=to_epoch(now), first=1)


def refusal(*answers, now=NOW):
    with pytest.raises(NotAuthentic) as caught:
        unknown(*answers, now=now)
    return caught.value.code


def other(**words):
    """Return an answer about the chip that is made by hand."""
    usual = {
        "cert": CHIP.certificate,
        "issuer": VENDOR.provisioner.certificate,
        "algorithm": hashes.SHA384(),
        "cert_status": ocsp.OCSPCertStatus.GOOD,
        "this_update": EARLIER,
        "next_update": NOW + timedelta(days=1),
        "revocation_time": None,
        "revocation_reason": None,
    }
    responder = words.pop("responder", VENDOR.responder(VENDOR.provisioner))
    hashing = words.pop("hashing", hashes.SHA384())
    extension = words.pop("extension", None)
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(**(usual | words))
        .responder_id(ocsp.OCSPResponderEncoding.HASH, responder.certificate)
        .certificates([responder.certificate])
    )
    if extension:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(responder.key, hashing).public_bytes(Encoding.DER)


def test_without_answers_nothing_is_known_of_anyone():
    assert unknown() == tuple(certificate.subject for certificate in CHAIN[1:-1])


def test_an_answer_tells_of_one_certificate_only():
    assert unknown(about_chip()) == tuple(certificate.subject for certificate in CHAIN[2:-1])


def test_an_answer_about_another_chip_of_the_same_issuer_tells_nothing():
    stranger = VENDOR.chip("GH100 number 99")
    assert len(unknown(answer(VENDOR, stranger, VENDOR.provisioner, now=EARLIER))) == 3


def test_the_issuer_may_answer_itself():
    assert len(unknown(about_chip(responder=VENDOR.provisioner))) == 2


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256(), hashes.SHA384()])
def test_the_issuer_may_be_named_by_any_of_three_hashes(algorithm):
    assert len(unknown(other(algorithm=algorithm))) == 2


@pytest.mark.parametrize(("reason", "code"), [(HOLD, "ocsp_hold"), (REMOVED, "ocsp_revoked")])
def test_a_revoked_and_a_suspended_certificate_are_refused(reason, code):
    assert refusal(about_chip(revoked=reason)) == code


def test_revoked_without_a_reason_is_revoked():
    said = other(
        cert_status=ocsp.OCSPCertStatus.REVOKED, revocation_time=EARLIER, revocation_reason=None
    )
    assert refusal(said) == "ocsp_revoked"


def test_host_cannot_hide_a_revocation_behind_an_older_answer():
    old = about_chip(now=NOW - timedelta(days=2), days=9)
    assert refusal(old, about_chip(revoked=REMOVED)) == "ocsp_revoked"
    assert refusal(about_chip(revoked=REMOVED), old) == "ocsp_revoked"


def test_host_cannot_win_by_two_answers_of_one_second():
    assert refusal(about_chip(), about_chip(revoked=HOLD)) == "ocsp_hold"
    assert refusal(about_chip(revoked=HOLD), about_chip()) == "ocsp_hold"


def test_a_hold_that_was_lifted_since_is_over():
    held = about_chip(now=NOW - timedelta(days=2), revoked=HOLD)
    assert len(unknown(held, about_chip())) == 2


def test_a_revocation_does_not_expire_with_its_answer():
    assert refusal(about_chip(now=NOW - timedelta(days=30), revoked=REMOVED)) == "ocsp_revoked"


def test_what_was_said_after_the_time_in_question_does_not_count_for_it():
    later = about_chip(now=NOW + timedelta(days=1), revoked=REMOVED)
    assert len(unknown(about_chip(), later)) == 2
    assert refusal(later) == "ocsp_not_yet_valid"


def test_an_old_answer_is_refused():
    assert refusal(about_chip(now=NOW - timedelta(days=9))) == "ocsp_expired"


def test_the_last_second_of_an_answer_still_counts():
    assert len(unknown(about_chip(now=NOW - timedelta(days=1)))) == 2
    assert refusal(about_chip(now=NOW - timedelta(days=1, seconds=1))) == "ocsp_expired"


@pytest.mark.parametrize(
    "responder",
    [
        VENDOR.issue("Not a responder", VENDOR.provisioner),
        VENDOR.issue("Responder CA", VENDOR.provisioner, is_ca=True, ocsp=True),
        VENDOR.responder(VENDOR.rim_authority),
        VENDOR.responder(VENDOR.family),
        VENDOR.responder(CHIP),
        VENDOR.device_root,
        CHIP,
        GPU.firmware,
    ],
    ids=[
        "no purpose",
        "authority",
        "other tree",
        "above the issuer",
        "the chip's own",
        "the root",
        "the chip",
        "its firmware",
    ],
)
def test_host_cannot_answer_for_its_own_chip(responder):
    assert refusal(about_chip(responder=responder)) == "ocsp_signature"


def test_a_responder_that_was_not_certified_then_is_refused():
    late = VENDOR.issue(
        "OCSP Responder", VENDOR.provisioner, label="late", ocsp=True,
        not_after=NOW - timedelta(days=1),
    )  # fmt: skip
    assert refusal(about_chip(responder=late)) == "ocsp_responder_expired"


@pytest.mark.parametrize("at", range(40, len(about_chip()), 29))
def test_a_flipped_byte_is_refused_or_changes_nothing(at):
    der = about_chip(revoked=HOLD)
    changed = der[:at] + bytes([der[at] ^ 1]) + der[at + 1 :]
    with suppress(Malformed, NotAuthentic):
        assert len(unknown(changed)) == 3, "a forged answer was believed"


@pytest.mark.parametrize(
    "der",
    [
        b"", b"\x30\x00", about_chip()[:-1], bytes(MAX_ANSWER_BYTES + 1),
        ocsp.OCSPResponseBuilder.build_unsuccessful(
            ocsp.OCSPResponseStatus.TRY_LATER
        ).public_bytes(Encoding.DER),
        other(next_update=None),
        other(cert_status=ocsp.OCSPCertStatus.UNKNOWN),
        other(hashing=hashes.SHA256()),
        other(algorithm=hashes.SHA512()),
        other(extension=x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\5\0")),
    ],
    ids=["empty", "nothing inside", "cut", "huge", "try later", "for ever", "unknown", "sha256",
         "sha512", "critical"],
)  # fmt: skip
def test_what_is_no_usable_answer_is_refused(der):
    with pytest.raises(Malformed) as caught:
        parse_answer(der)
    assert caught.value.code == "ocsp_malformed"


def test_an_answer_to_somebodys_nonce_is_welcome():
    assert len(unknown(other(extension=x509.OCSPNonce(b"n" * 16)))) == 2


def test_too_many_answers_are_refused_unread():
    with pytest.raises(TooLarge):
        judge((GPU.device(NONCE),), ocsp=(b"",) * (MAX_ANSWERS + 1))


def test_a_single_answer_leaves_revocation_open_and_says_for_whom():
    check = judge((GPU.device(NONCE),), ocsp=(about_chip(),)).check("gpu-revocation")
    assert check.state == "not_checked"
    assert "SIMULATED GH100 Provisioner ICA 1" in check.detail
