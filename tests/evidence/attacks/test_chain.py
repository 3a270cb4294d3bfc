"""Attacks on signatures and certificates: from the pinned root down to the signed report."""

from __future__ import annotations

from base64 import b64decode
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from teeproof.core.digests import sha256
from teeproof.core.errors import Malformed, TooLarge
from teeproof.evidence.policy import Policy, load_policy
from teeproof.evidence.simulated.keys import ORDER, raw_public_key, sign_raw
from teeproof.evidence.simulated.pki import pem
from tests.evidence.attacks import forge
from tests.evidence.attacks.court import accepted, but, only, quote_only, real, refused
from tests.evidence.attacks.forge import Parts, chain_of, mint, sgx, take_apart
from tests.evidence.scenes import NOW, PLATFORM, REPORT_DATA, flipped, state

CHECKLIST = {
    1: ("test_host_cannot_flip_a_bit_of_the_report",),
    2: ("test_host_cannot_flip_a_bit_of_the_quoting_enclaves_report",),
    3: ("test_host_cannot_sign_with_a_key_that_the_quoting_enclave_does_not_vouch_for",),
    4: ("test_host_cannot_bring_a_pck_certificate_of_another_root_of_the_same_name",),
    5: (
        "test_host_cannot_borrow_the_certificates_of_another_platform",
        "test_host_cannot_borrow_the_real_certificates_of_another_platform",
    ),
    6: ("test_host_cannot_go_on_with_a_revoked_certificate",),
    7: ("test_host_cannot_go_on_under_a_revoked_authority",),
    23: (
        "test_host_gains_no_second_identity_by_bytes_behind_the_quote",
        "test_host_gains_no_second_identity_by_another_form_of_the_certificates",
        "test_host_cannot_hide_anything_large_behind_the_quote",
    ),
    24: (
        "test_host_gains_no_second_proof_by_the_twin_of_the_quotes_signature",
        "test_host_gains_no_second_proof_by_the_twin_of_a_certificates_signature",
        "test_host_gains_no_second_proof_by_twins_in_real_evidence",
    ),
    55: (
        "test_operator_cannot_present_a_root_that_calls_itself_intels",
        "test_operator_cannot_present_a_simulator_where_nobody_asked_for_one",
        "test_operator_cannot_have_a_simulator_pinned_as_hardware",
    ),
}

HONEST = take_apart(PLATFORM.machine().quote(REPORT_DATA))
ROOT, CA, LEAF = (issued.certificate for issued in (forge.ROOT, forge.PCK_CA, forge.PCK))
SIGNER = forge.SIGNER.certificate
_NAME = "SIMULATED SGX PCK Certificate"

NO_CERTIFICATES = ("pck-certificates", "certificates_malformed")
NO_CHAIN = ("pck-chain", "pck_chain_signature")
NO_LEAF = ("pck-chain", "pck_chain_leaf")
WRONG_LENGTH = ("pck-certificates", "pck_chain_length")
NO_EXTENSION = ("pck-certificates", "pck_extension_malformed")


def _leaf(**changes: Any) -> x509.Certificate:
    """Return a PCK certificate as the vendor's authority might have issued it."""
    usual: dict[str, Any] = {
        "subject": _NAME,
        "issuer": CA.subject,
        "signer": forge.PCK_CA.key,
        "key": forge.PCK.key,
        "extensions": [sgx()],
    }
    return mint(**(usual | changes))


def _with(*chain: x509.Certificate) -> Parts:
    return HONEST.but(chain=chain_of(*chain))


def test_an_honest_quote_that_is_taken_apart_and_put_together_is_accepted() -> None:
    assert HONEST.quote() == PLATFORM.machine().quote(REPORT_DATA)
    accepted(quote_only(HONEST.quote()))
    accepted(quote_only(_with(_leaf(), CA, ROOT).quote()))


@pytest.mark.parametrize("at", [0x08, 0x30, 0xA8, 0xE0, 0x178, 0x208, 0x26F])
def test_host_cannot_flip_a_bit_of_the_report(at: int) -> None:
    changed = HONEST.but(signed=flipped(HONEST.signed, at))
    refused(quote_only(changed.quote()), ("quote-signature", "quote_signature"))
    # What separates it from the true one is that nobody signed it.
    if at >= 48 + 136:
        accepted(quote_only(changed.resigned().quote()))


@pytest.mark.parametrize("at", [0, 48, 64, 128, 256, 258, 383])
def test_host_cannot_flip_a_bit_of_the_quoting_enclaves_report(at: int) -> None:
    changed = HONEST.but(qe_report=flipped(HONEST.qe_report, at))
    refused(quote_only(changed.quote()), ("qe-report", "qe_report_signature"))


def test_host_cannot_sign_with_a_key_that_the_quoting_enclave_does_not_vouch_for() -> None:
    mine = forge.STRANGER
    signed = HONEST.but(attestation_key=raw_public_key(mine))
    signed = signed.but(signature=sign_raw(mine, signed.signed))
    refused(quote_only(signed.quote()), ("attestation-key", "attestation_key_hash"))
    refused(state("attestation-key-unvouched"), ("attestation-key", "attestation_key_hash"))
    # A quoting enclave that runs on this platform may vouch for any key of its own.
    accepted(quote_only(forge.vouched(HONEST, mine, forge.PCK.key).quote()))


def test_host_cannot_vouch_for_his_key_with_a_key_of_his_own() -> None:
    forged = forge.vouched(HONEST, forge.STRANGER, forge.STRANGER)
    refused(quote_only(forged.quote()), ("qe-report", "qe_report_signature"))


def test_host_cannot_move_bytes_between_the_attestation_key_and_the_data_beside_it() -> None:
    moved = HONEST.but(auth_data=HONEST.auth_data + b"\0")
    refused(quote_only(moved.quote()), ("attestation-key", "attestation_key_hash"))


@pytest.mark.parametrize("size", [0, 1, 31, 33, 1000])
def test_host_cannot_confuse_us_with_the_size_of_the_data_beside_the_key(size: int) -> None:
    other = HONEST.but(auth_data=bytes(size))
    refused(quote_only(other.quote()), ("attestation-key", "attestation_key_hash"))


def test_host_cannot_bring_a_pck_certificate_of_another_root_of_the_same_name() -> None:
    # The stranger's root bears the simulator's mark: it counts as a simulator that nobody pinned,
    # and the vendor's revocation lists and documents do not belong to it.
    refused(
        state("pck-of-another-root"),
        ("pck-revocation", "crl_signature"),
        ("tcb-info", "tcb_info_chain"),
        ("qe-identity", "qe_identity_chain"),
    )
    refused(state("embedded-root-foreign"), NO_CHAIN)


def test_host_cannot_borrow_the_certificates_of_another_platform() -> None:
    refused(state("pck-of-another-platform"), ("qe-report", "qe_report_signature"))


@pytest.mark.usefixtures("vectors")
def test_host_cannot_borrow_the_real_certificates_of_another_platform() -> None:
    record, mine = real("tdx-v5-90c06f-google")
    _, other = real("dstack-quote-report")  # of the same processor family
    chain = take_apart(other.quote).chain
    assert take_apart(mine.quote).chain != chain
    forged = take_apart(mine.quote).but(chain=chain).quote()
    policy = load_policy("genuine")
    accepted(mine, policy=policy, now=record.now)
    refused(
        but(mine, quote=forged),
        ("qe-report", "qe_report_signature"),
        policy=policy,
        now=record.now,
    )


def test_host_cannot_go_on_with_a_revoked_certificate() -> None:
    check = only(refused(state("pck-revoked"), ("pck-revocation", "pck_revoked")))
    assert check.got is None  # the serial number would name the machine
    # The same list, one serial number off, revokes somebody else.
    collateral = state("pck-revoked").collateral
    assert collateral is not None
    neighbour = forge.crl(
        issuer=CA.subject,
        signer=forge.PCK_CA.key,
        revoked=[LEAF.serial_number + 1],
        extensions=[(x509.CRLNumber(2), False), forge.authority(forge.PCK_CA)],
    )
    accepted(but(state("pck-revoked"), collateral=collateral.replace(pck_crl=neighbour)))


def test_host_cannot_go_on_under_a_revoked_authority() -> None:
    refused(state("pck-ca-revoked"), ("pck-revocation", "pck_ca_revoked"))
    refused(state("root-revoked"), ("pck-revocation", "root_revoked"))
    refused(
        state("tcb-signing-revoked"),
        ("tcb-info", "tcb_signing_revoked"),
        ("qe-identity", "tcb_signing_revoked"),
    )


def test_host_gains_no_second_identity_by_bytes_behind_the_quote() -> None:
    honest = accepted(quote_only(HONEST.quote()))
    for tail in (b"\0", bytes(70), b"nobody signed this", HONEST.quote()):
        twin = accepted(quote_only(HONEST.quote() + tail))
        assert twin.subject == honest.subject
        assert twin.facts == honest.facts
        check = twin.check("quote-tail")
        assert check.state == ("not_checked" if any(tail) else "passed")
        assert str(len(tail)) in check.detail


def test_host_gains_no_second_identity_by_another_form_of_the_certificates() -> None:
    honest = accepted(quote_only(HONEST.quote()))
    leaf, ca, root = forge.pems(HONEST.chain)
    for chain in (
        HONEST.chain.replace(b"\n", b"\r\n"),
        HONEST.chain + b"\0" * 9,
        b" \n".join((leaf, ca, root)),
        leaf.replace(b"\n", b"\n", 1) + ca + root + b"\r\n\r\n",
    ):
        assert accepted(quote_only(HONEST.but(chain=chain).quote())).subject == honest.subject


@pytest.mark.parametrize(
    "chain",
    [
        pytest.param(HONEST.chain + b"text", id="text behind"),
        pytest.param(b"text\n" + HONEST.chain, id="text before"),
        pytest.param(HONEST.chain.replace(b"CERTIFICATE", b"X509 CERTIFICATE"), id="other label"),
        pytest.param(HONEST.chain.replace(b"\n", b""), id="one line"),
        pytest.param(HONEST.chain[:-20], id="cut off"),
        pytest.param(b"", id="none"),
        pytest.param(HONEST.chain * 3, id="nine"),
        pytest.param(b"-----BEGIN CERTIFICATE-----\n" + b"A\n" * 15000, id="many short lines"),
    ],
)
def test_host_cannot_wrap_certificates_in_anything_else(chain: bytes) -> None:
    refused(quote_only(HONEST.but(chain=chain).quote()), NO_CERTIFICATES)


def test_host_cannot_hide_anything_large_behind_the_quote() -> None:
    quote, limit = HONEST.quote(), 64 << 10
    accepted(quote_only(quote + b"\1" * (limit - len(quote))))
    for size in (limit + 1, 100_000 + len(quote)):
        with pytest.raises(TooLarge) as caught:
            accepted(quote_only(quote + b"\1" * (size - len(quote))))
        assert caught.value.exit_code == 2
        assert caught.value.got == f"{size} bytes"


def test_host_gains_no_second_proof_by_the_twin_of_the_quotes_signature() -> None:
    twin = HONEST.but(signature=forge.twin(HONEST.signature))
    assert twin.quote() != HONEST.quote()
    honest, copy = accepted(quote_only(HONEST.quote())), accepted(quote_only(twin.quote()))
    assert copy.subject == honest.subject
    assert copy.facts == honest.facts
    inner = HONEST.but(qe_signature=forge.twin(HONEST.qe_signature))
    assert accepted(quote_only(inner.quote())).subject == honest.subject
    # One more than the twin is nobody's signature.
    s = int.from_bytes(twin.signature[32:], "big") + 1
    off = HONEST.but(signature=HONEST.signature[:32] + s.to_bytes(32, "big"))
    refused(quote_only(off.quote()), ("quote-signature", "quote_signature"))


@pytest.mark.parametrize("position", [0, 1, 2])
def test_host_gains_no_second_proof_by_the_twin_of_a_certificates_signature(position: int) -> None:
    chain = [LEAF, CA, ROOT]
    ders = [forge.der_of(certificate) for certificate in chain]
    ders[position] = forge.twin_certificate(ders[position])
    twin = HONEST.but(chain=b"".join(map(pem, ders)))
    assert twin.chain != HONEST.chain
    honest = accepted(quote_only(HONEST.quote()))
    assert accepted(quote_only(twin.quote())).subject == honest.subject


@pytest.mark.usefixtures("vectors")
@pytest.mark.parametrize("name", ["dstack-quote-report", "tdx-v5-90c06f-google"])
def test_host_gains_no_second_proof_by_twins_in_real_evidence(name: str) -> None:
    record, given = real(name)
    parts, policy = take_apart(given.quote), load_policy("genuine")
    honest = accepted(given, policy=policy, now=record.now)
    leaf, *rest = forge.pems(parts.chain)
    der = b64decode(b"".join(leaf.splitlines()[1:-1]))
    for twin in (
        parts.but(signature=forge.twin(parts.signature)),
        parts.but(chain=pem(forge.twin_certificate(der)) + b"".join(rest)),
        parts.but(trailing=b"nobody signed this"),
    ):
        assert twin.quote() != given.quote
        verdict = accepted(but(given, quote=twin.quote()), policy=policy, now=record.now)
        assert verdict.subject == honest.subject


def test_operator_cannot_present_a_root_that_calls_itself_intels() -> None:
    pinned = Policy()  # Intel's root
    for policy in (pinned, None, load_policy("genuine")):
        verdict = refused(state("impostor-root"), ("root", "root_not_pinned"), policy=policy)
        assert verdict.level is None
        assert verdict.facts == {}


def test_operator_cannot_present_a_simulator_where_nobody_asked_for_one() -> None:
    expected = ("simulated-root", "simulated_root_not_accepted")
    for policy in (Policy(), load_policy("genuine")):
        verdict = refused(state("up-to-date"), expected, exit_code=4, policy=policy)
        assert verdict.level == "simulated"
        assert not verdict.confidential
    stranger = state("simulator-of-another-machine")
    refused(stranger, expected, exit_code=4)
    verdict = accepted(state("up-to-date"))
    assert (verdict.level, verdict.confidential) == ("simulated", False)


def test_operator_cannot_have_a_simulator_pinned_as_hardware() -> None:
    wrong = Policy(roots=(PLATFORM.root_fingerprint,))
    expected = ("simulated-root", "simulated_root_not_accepted")
    verdict = refused(state("up-to-date"), expected, exit_code=4, policy=wrong)
    assert verdict.level == "simulated"


def test_operator_who_holds_the_roots_name_but_not_its_key_gets_nowhere() -> None:
    mark = next(e for e in ROOT.extensions if e.oid.dotted_string.startswith("1.3.6.1.4.1.32473"))
    usual: dict[str, Any] = {"subject": ROOT.subject, "issuer": ROOT.subject, "ca": True}
    # The pinned key in a certificate that its owner never signed.
    unsigned = mint(
        **usual,
        key=forge.ROOT.key,
        signer=forge.STRANGER,
        sign_certificates=True,
        extensions=[(mark.value, False)],
    )
    refused(quote_only(_with(LEAF, CA, unsigned).quote()), ("pck-chain", "root_certificate"))
    # The name and the mark around a key of the operator's own.
    own = mint(
        **usual, signer=forge.STRANGER, sign_certificates=True, extensions=[(mark.value, False)]
    )
    refused(quote_only(_with(LEAF, CA, own).quote()), NO_CHAIN)


_UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
_NAMES = x509.NameConstraints([x509.DNSName("invalid")], None)
_SUBORDINATE = mint(
    subject=CA.subject,
    issuer=CA.subject,
    signer=forge.PCK_CA.key,
    ca=True,
    sign_certificates=True,
)


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        pytest.param((LEAF, LEAF, ROOT), NO_CHAIN, id="two leaves"),
        pytest.param((LEAF, CA, ROOT, ROOT), WRONG_LENGTH, id="a root twice"),
        pytest.param((LEAF, LEAF, CA, ROOT), WRONG_LENGTH, id="a leaf twice"),
        pytest.param((LEAF, CA), WRONG_LENGTH, id="no root"),
        pytest.param((CA, LEAF, ROOT), NO_EXTENSION, id="leaf second"),
        pytest.param((ROOT, CA, LEAF), NO_EXTENSION, id="reversed"),
        pytest.param((SIGNER, CA, ROOT), NO_EXTENSION, id="the signer of documents as leaf"),
        pytest.param((LEAF, _SUBORDINATE, CA, ROOT), WRONG_LENGTH, id="an authority more"),
        pytest.param((LEAF, _SUBORDINATE, ROOT), NO_CHAIN, id="an authority of the authority"),
        pytest.param(
            (_leaf(issuer=LEAF.subject, signer=forge.PCK.key), LEAF, ROOT),
            NO_CHAIN,
            id="a leaf as authority",
        ),
        pytest.param(
            (_leaf(issuer=SIGNER.subject, signer=forge.SIGNER.key), SIGNER, ROOT),
            NO_CHAIN,
            id="the signer of documents as authority",
        ),
        pytest.param(
            (_leaf(ca=True, sign_certificates=True), CA, ROOT), NO_LEAF, id="an authority as leaf"
        ),
        pytest.param((_leaf(subject="SGX TCB Signing"), CA, ROOT), NO_LEAF, id="another purpose"),
        pytest.param((_leaf(subject=x509.Name([])), CA, ROOT), NO_LEAF, id="no name"),
        pytest.param((_leaf(extensions=[]), CA, ROOT), NO_EXTENSION, id="no platform"),
        pytest.param((_leaf(signer=forge.STRANGER), CA, ROOT), NO_CHAIN, id="another's signature"),
        pytest.param((_leaf(issuer=ROOT.subject), CA, ROOT), NO_CHAIN, id="another's name"),
        pytest.param(
            (_leaf(extensions=[sgx(), (_UNKNOWN, True)]), CA, ROOT),
            NO_CERTIFICATES,
            id="a critical extension that nobody knows",
        ),
        pytest.param(
            (_leaf(extensions=[sgx(), (_NAMES, True)]), CA, ROOT),
            NO_CERTIFICATES,
            id="name constraints",
        ),
        pytest.param((_leaf(algorithm=hashes.SHA384()), CA, ROOT), NO_CERTIFICATES, id="SHA-384"),
        pytest.param(
            (_leaf(algorithm=hashes.SHA3_256()), CA, ROOT), NO_CERTIFICATES, id="SHA3-256"
        ),
        pytest.param(
            (_leaf(key=ec.generate_private_key(ec.SECP384R1())), CA, ROOT),
            NO_CERTIFICATES,
            id="a key on P-384",
        ),
        pytest.param(
            (_leaf(key=ec.generate_private_key(ec.SECP256K1())), CA, ROOT),
            NO_CERTIFICATES,
            id="a key on secp256k1",
        ),
        pytest.param(
            (_leaf(key=rsa.generate_private_key(65537, 2048)), CA, ROOT),
            NO_CERTIFICATES,
            id="an RSA key",
        ),
        pytest.param(
            (_leaf(key=ed25519.Ed25519PrivateKey.generate()), CA, ROOT),
            NO_CERTIFICATES,
            id="an Ed25519 key",
        ),
        pytest.param(
            (_leaf(ends=NOW - timedelta(seconds=1)), CA, ROOT),
            ("certificate-dates", "certificate_expired"),
            id="expired",
        ),
        pytest.param(
            (_leaf(begins=NOW + timedelta(seconds=1)), CA, ROOT),
            ("certificate-dates", "certificate_not_yet_valid"),
            id="not yet valid",
        ),
    ],
)
def test_host_cannot_play_tricks_with_certificates(
    chain: tuple[x509.Certificate, ...], expected: tuple[str, str]
) -> None:
    refused(quote_only(_with(*chain).quote()), expected)


def test_host_cannot_use_a_certificate_that_was_signed_over_sha_1() -> None:
    chain = pem(forge.with_sha1(_leaf(), forge.PCK_CA.key)) + chain_of(CA, ROOT)
    refused(quote_only(HONEST.but(chain=chain).quote()), NO_CERTIFICATES)


def test_vendor_authority_that_may_not_sign_certificates_signs_none() -> None:
    powerless = mint(
        subject=CA.subject,
        issuer=ROOT.subject,
        signer=forge.ROOT.key,
        key=forge.PCK_CA.key,
        ca=True,
        sign_certificates=False,
    )
    refused(quote_only(_with(LEAF, powerless, ROOT).quote()), NO_CHAIN)


def test_vendor_leaf_that_calls_itself_an_authority_is_no_leaf() -> None:
    # dcap-qvl refuses it (CaUsedAsEndEntity), so that only our path alone would accept.
    refused(quote_only(_with(_leaf(ca=True), CA, ROOT).quote()), NO_LEAF)


_EDGES = {"zero": 0, "the order": ORDER, "the order and one": ORDER + 1, "all ones": 2**256 - 1}


@pytest.mark.parametrize("value", _EDGES.values(), ids=_EDGES)
@pytest.mark.parametrize("field", ["signature", "qe_signature"])
@pytest.mark.parametrize("half", ["r", "s", "both"])
def test_host_cannot_pass_a_signature_at_the_edge_of_the_curve(
    value: int, field: str, half: str
) -> None:
    edge, true = value.to_bytes(32, "big"), getattr(HONEST, field)
    forged = {"r": edge + true[32:], "s": true[:32] + edge, "both": edge + edge}[half]
    expected = {
        "signature": ("quote-signature", "quote_signature"),
        "qe_signature": ("qe-report", "qe_report_signature"),
    }[field]
    refused(quote_only(HONEST.but(**{field: forged}).quote()), expected)


@pytest.mark.parametrize(
    "point",
    [
        pytest.param(bytes(64), id="zero"),
        pytest.param(flipped(raw_public_key(forge.STRANGER), 63), id="off the curve"),
        pytest.param(b"\xff" * 64, id="beyond the field"),
        pytest.param(bytes(32) + b"\1".rjust(32, b"\0"), id="of another curve"),
    ],
)
def test_host_cannot_attest_with_a_key_that_is_no_point(point: bytes) -> None:
    # Even where the quoting enclave vouches for it.
    report = HONEST.qe_report[:320] + sha256(point, HONEST.auth_data) + HONEST.qe_report[352:]
    forged = HONEST.but(
        attestation_key=point, qe_report=report, qe_signature=sign_raw(forge.PCK.key, report)
    )
    refused(quote_only(forged.quote()), ("attestation-key", "key_malformed"))


@pytest.mark.parametrize("field", ["outer_type", "inner_type"])
@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4, 7, 255])
def test_host_cannot_pass_certification_data_of_another_type(field: str, kind: int) -> None:
    with pytest.raises(Malformed) as caught:
        accepted(quote_only(HONEST.but(**{field: kind}).quote()))
    assert caught.value.code == "quote_malformed"
