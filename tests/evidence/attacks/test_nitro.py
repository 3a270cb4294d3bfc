"""Attacks on documents of Nitro enclaves: by the instance beside the enclave, and by who relays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from teeproof.evidence.naming import report_data_of
from teeproof.evidence.nitro.document import parse
from teeproof.evidence.policy import Policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.cose import cbor, sign1
from teeproof.evidence.simulated.nitro import Enclave, SimulatedNitro
from teeproof.evidence.simulated.states.enclaves import simulate_nitro
from teeproof.evidence.verify import verify
from tests.evidence.nitro.scenes import AWS, NOW, T, expecting, failures, genuine, judge, made
from tests.evidence.test_cose import KEY
from tests.vectors import Record, each

CHECKLIST = {
    51: (
        "test_operator_cannot_pass_a_debug_enclave_off_as_measured",
        "test_host_cannot_swap_the_root_of_the_bundle",
        "test_host_cannot_sign_with_a_leaf_that_had_expired",
        "test_host_cannot_swap_the_root_of_a_real_bundle",
        "test_host_cannot_hang_its_own_authorities_under_the_real_root",
    )
}
Change = Callable[[x509.CertificateBuilder], x509.CertificateBuilder]


def state(name: str) -> list[tuple[str, str | None]]:
    return failures(judge(simulate_nitro(name, platform=AWS, now=NOW)))


def test_operator_cannot_pass_a_debug_enclave_off_as_measured() -> None:
    assert state("nitro-debug") == [("debug", "debug_on")]


def test_host_cannot_swap_the_root_of_the_bundle() -> None:
    assert state("nitro-root-swapped") == [("root", "root_not_pinned")]
    marked = SimulatedNitro(b"\x09" * 32)
    bundle = [marked.root.der, *(each.der for each in AWS.authorities(NOW)[1:])]
    swapped = AWS.document(Enclave(), now=NOW, cabundle=bundle)
    assert failures(judge(swapped)) == [("nitro-chain", "nitro_chain_signature")]


def test_host_cannot_sign_with_a_leaf_that_had_expired() -> None:
    codes = state("nitro-leaf-expired")
    assert codes == [
        ("certificate-dates", "certificate_expired"),
        ("nitro-time", "nitro_time_outside"),
    ]
    # With a T at which the leaf was in force, the document's own time still gives it away.
    late = replace(Enclave(), age=timedelta(hours=4))
    document = AWS.document(late, now=NOW)
    codes = failures(judge(document, now=T - 2 * 3600))
    assert codes == [("nitro-time", "nitro_time_outside")]


def test_host_cannot_date_a_document_ahead() -> None:
    assert state("nitro-clock-ahead") == [("nitro-time", "nitro_time_after")]


@pytest.mark.parametrize("record", each("nitro"))
def test_host_cannot_swap_the_root_of_a_real_bundle(record: Record) -> None:
    document = genuine(record)
    impostor = SimulatedNitro(b"\x08" * 32, marked=False)
    swapped = replace(document, cabundle=(impostor.root_der, *document.cabundle[1:]))
    codes = failures(judge(swapped, expecting(), now=document.seconds))
    assert codes == [("root", "root_not_pinned")]


@pytest.mark.parametrize("record", each("nitro"))
def test_host_cannot_hang_its_own_authorities_under_the_real_root(record: Record) -> None:
    root = genuine(record).cabundle[0]
    own = SimulatedNitro(b"\x08" * 32, marked=False)
    bundle = [root, *(each.der for each in own.authorities(NOW)[1:])]
    document = own.document(Enclave(), now=NOW, cabundle=bundle)
    codes = failures(judge(document, expecting()))
    assert codes == [("nitro-chain", "nitro_chain_signature")]
    alone = own.document(Enclave(), now=NOW, cabundle=[root])
    assert failures(judge(alone, expecting())) == [("nitro-chain", "nitro_chain_signature")]


def test_host_cannot_reorder_shorten_or_lengthen_the_bundle() -> None:
    ders = [each.der for each in AWS.authorities(NOW)]
    for bundle in (ders[:3], [ders[0], *ders[2:]], [*ders, ders[3]]):
        codes = failures(judge(AWS.document(Enclave(), now=NOW, cabundle=bundle)))
        assert codes in (
            [("nitro-chain", "nitro_chain_signature")],
            [("nitro-chain", "nitro_chain_length")],
        )
    backwards = failures(judge(AWS.document(Enclave(), now=NOW, cabundle=ders[::-1])))
    assert backwards == [("root", "root_not_pinned")]


def _issue(change: Change) -> tuple[bytes, bytes]:
    """Return a certificate that the last authority signs, and a document that its key signs."""
    issuer = AWS.authorities(NOW)[-1]
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer.certificate.subject)
        .public_key(KEY.public_key())
        .serial_number(7)
        .not_valid_before(NOW - timedelta(hours=1))
        .not_valid_after(NOW + timedelta(hours=1))
    )
    der = change(builder).sign(issuer.key, hashes.SHA384()).public_bytes(Encoding.DER)
    fields = {
        "module_id": "m",
        "digest": "SHA384",
        "timestamp": T * 1000,
        "pcrs": dict(Enclave().pcrs),
        "certificate": der,
        "cabundle": [each.der for each in AWS.authorities(NOW)],
    }
    return der, sign1(KEY, cbor(fields))


def _usage(**bits: bool) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**(dict.fromkeys(names, False) | bits))


SIGNS = _usage(digital_signature=True)
LEAF = x509.BasicConstraints(ca=False, path_length=None)


def test_a_leaf_in_order_made_by_hand_holds() -> None:
    _, document = _issue(
        lambda b: b.add_extension(LEAF, critical=True).add_extension(SIGNS, critical=False)
    )
    assert failures(judge(document)) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b.add_extension(LEAF, critical=True),
        lambda b: b.add_extension(_usage(key_agreement=True), critical=True),
        lambda b: b.add_extension(
            _usage(digital_signature=True, key_cert_sign=True), critical=True
        ),
        lambda b: b.add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        ).add_extension(SIGNS, critical=True),
    ],
    ids=["no usage", "another usage", "signs certificates", "authority"],
)
def test_host_cannot_use_a_certificate_that_was_made_for_something_else(change: Change) -> None:
    _, document = _issue(change)
    assert failures(judge(document)) == [("nitro-chain", "nitro_chain_leaf")]


def test_host_cannot_hide_an_extension_that_nobody_understands() -> None:
    strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.32473.1"), b"\5\0")
    _, document = _issue(
        lambda b: b.add_extension(SIGNS, critical=True).add_extension(strange, critical=True)
    )
    assert failures(judge(document)) == [("nitro-certificates", "certificates_malformed")]


def test_host_cannot_make_an_extension_critical_that_others_understand() -> None:
    named = x509.SubjectKeyIdentifier(bytes(20))
    for critical, codes in (
        (True, [("nitro-certificates", "certificates_malformed")]),
        (False, []),
    ):
        _, document = _issue(
            lambda b, critical=critical: (
                b.add_extension(LEAF, critical=True)
                .add_extension(SIGNS, critical=False)
                .add_extension(named, critical=critical)
            )
        )
        assert failures(judge(document)) == codes


def test_host_cannot_use_that_a_chain_was_good_before() -> None:
    """What is remembered of certificates is remembered by all of their bytes."""
    assert failures(judge(made())) == []
    ders = [each.der for each in AWS.authorities(NOW)]
    for place in range(1, len(ders)):
        der = ders[place]
        for at in (len(der) - 1, len(der) // 2):
            changed = der[:at] + bytes([der[at] ^ 1]) + der[at + 1 :]
            bundle = [*ders[:place], changed, *ders[place + 1 :]]
            codes = failures(judge(AWS.document(Enclave(), now=NOW, cabundle=bundle)))
            assert codes[0][0] in ("nitro-certificates", "nitro-chain"), (place, at)
    assert failures(judge(made())) == []
    # Nor does it outlive the pin, or the dates.
    assert failures(judge(made(), expecting()))[0][0] == "simulated-root"
    assert ("certificate-dates", "certificate_expired") in failures(judge(made(), now=T + 86400))


def test_workload_cannot_issue_certificates_with_its_documents_key() -> None:
    leaf, _ = _issue(
        lambda b: b.add_extension(LEAF, critical=True).add_extension(SIGNS, critical=False)
    )
    mine = ec.derive_private_key(11, ec.SECP384R1())
    child = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(mine.public_key())
        .serial_number(8)
        .not_valid_before(NOW - timedelta(hours=1))
        .not_valid_after(NOW + timedelta(hours=1))
        .add_extension(SIGNS, critical=True)
        .sign(KEY, hashes.SHA384())
        .public_bytes(Encoding.DER)
    )
    bundle = [*(each.der for each in AWS.authorities(NOW)), leaf]
    fields = parse(made())
    payload = {
        "module_id": "m",
        "digest": "SHA384",
        "timestamp": T * 1000,
        "pcrs": dict(fields.pcrs),
        "certificate": child,
        "cabundle": bundle,
    }
    codes = failures(judge(sign1(mine, cbor(payload))))
    assert len(codes) == 1
    assert codes[0][1] in ("nitro_chain_authority", "nitro_chain_length")


def test_host_cannot_change_a_register_after_signing() -> None:
    assert state("nitro-edited") == [("nitro-signature", "nitro_signature")]


def test_host_cannot_give_the_pinned_key_another_certificate() -> None:
    """A certificate over the pinned root's key that this key did not sign."""
    own = SimulatedNitro(b"\x0b" * 32, marked=False)
    name = own.root.certificate.subject
    forged = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(own.root.key.public_key())
        .serial_number(9)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(key_cert_sign=True), critical=True)
        .sign(KEY, hashes.SHA384())
        .public_bytes(Encoding.DER)
    )
    bundle = [forged, *(each.der for each in own.authorities(NOW)[1:])]
    pinned = expecting(roots=(own.root_fingerprint,))
    document = own.document(Enclave(), now=NOW, cabundle=bundle)
    assert failures(judge(document, pinned)) == [("nitro-chain", "root_certificate")]


def test_client_replays_a_document_whose_user_data_was_kept_with_zeros_behind():
    binding = bytes(range(32))
    enclave = Enclave(user_data=binding)
    document = AWS.document(enclave, now=NOW)
    policy = Policy(roots=(), simulated_roots=(AWS.root_fingerprint,))
    evidence = Evidence(quote=document)
    assert verify(evidence, now=NOW, policy=policy, seen=set()).ok
    for kept in (binding, binding.ljust(64, b"\0"), report_data_of(evidence)):
        verdict = verify(evidence, now=NOW, policy=policy, seen={kept})
        assert verdict.check("replay").code == "report_data_reused"
