"""Attacks on what a quote is bound to: a nonce, a moment, a key, a channel, a KMS."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from coincurve import PrivateKey
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from teeproof.core.digests import keccak256, named, sha256
from teeproof.core.errors import Error, NotAuthentic
from teeproof.evidence import binding, ratls
from teeproof.evidence.dstack_keys import verify_key_chain
from teeproof.evidence.policy import Policy, load_policy
from teeproof.evidence.record import Evidence
from tests.evidence.attacks import forge
from tests.evidence.attacks.court import (
    accepted,
    but,
    flagged,
    quote_only,
    real,
    reference,
    refused,
)
from tests.evidence.scenes import NOW, PLATFORM, REPORT_DATA, collateral, opt_in, state

CHECKLIST = {
    26: (
        "test_host_cannot_use_a_quote_twice",
        "test_host_cannot_use_a_quote_that_binds_nothing",
        "test_host_quote_that_binds_nothing_is_shown_in_real_evidence",
    ),
    27: (
        "test_network_cannot_answer_with_a_stale_nonce",
        "test_network_cannot_answer_with_the_nonce_of_another_verifier",
    ),
    28: (
        "test_workload_cannot_bind_a_part_of_a_hash",
        "test_workload_cannot_use_a_quote_for_another_purpose",
    ),
    38: ("test_operator_cannot_bring_keys_of_another_kms",),
    39: ("test_network_cannot_put_a_quote_into_a_certificate_of_its_own",),
    40: ("test_network_cannot_relay_the_certificate_of_another_channel",),
}

KEYSET = named(sha256(b"the workload's keyset"))
MISMATCH = ("report-data", "report_data_mismatch")


def _quoted(report_data: bytes) -> Evidence:
    return quote_only(PLATFORM.machine().quote(report_data))


def _asking(nonce: str, **more: Any) -> Policy:
    return opt_in().with_(nonce=nonce, keyset_digest=KEYSET, **more)


def _bound(nonce: str | None) -> Evidence:
    return _quoted(binding.report_data_for(KEYSET, nonce=nonce))


def test_host_cannot_use_a_quote_twice() -> None:
    given = state("up-to-date")
    refused(given, ("replay", "report_data_reused"), exit_code=4, seen={REPORT_DATA})
    # Nor a twin of it, nor the same 64 bytes in another quote.
    twin = but(given, quote=given.quote + b"\1")
    refused(twin, ("replay", "report_data_reused"), exit_code=4, seen={REPORT_DATA})
    again = quote_only(PLATFORM.machine().quote(REPORT_DATA, version=5))
    refused(again, ("replay", "report_data_reused"), exit_code=4, seen={REPORT_DATA})
    accepted(given, seen={REPORT_DATA[:-1] + b"\0"})


def test_host_cannot_use_a_quote_that_binds_nothing() -> None:
    given = state("report-data-zero")
    verdict = accepted(given, seen={bytes(64)})
    flagged(verdict, "report-data", "nothing binds this quote")
    flagged(verdict, "replay", "two quotes cannot be told apart")
    refused(given, MISMATCH, exit_code=4, policy=reference())
    refused(given, MISMATCH, exit_code=4, policy=_asking("n"))


@pytest.mark.usefixtures("vectors")
def test_host_quote_that_binds_nothing_is_shown_in_real_evidence() -> None:
    record, given = real("tdx-v4-00806f05-gcp-cos113")
    verdict = accepted(given, policy=load_policy("genuine"), now=record.now)
    flagged(verdict, "report-data", "nothing binds this quote")
    asked = load_policy("genuine").with_(report_data="01" + "00" * 63)
    refused(given, MISMATCH, exit_code=4, policy=asked, now=record.now)


def test_network_cannot_answer_with_a_stale_nonce() -> None:
    given = _bound("nonce")
    issued = NOW - timedelta(seconds=61)
    fresh = {"nonce_issued_at": issued.isoformat(), "max_age_seconds": 61}
    accepted(given, policy=_asking("nonce", **fresh))
    stale = fresh | {"max_age_seconds": 60}
    refused(given, ("age", "too_old"), exit_code=4, policy=_asking("nonce", **stale))
    early = fresh | {"nonce_issued_at": (NOW + timedelta(seconds=1)).isoformat()}
    expected = ("age", "nonce_from_the_future")
    refused(given, expected, exit_code=4, policy=_asking("nonce", **early))
    unbound = (MISMATCH, ("age", "age_unknown"))
    refused(given, *unbound, exit_code=4, policy=_asking("another nonce", **fresh))


@pytest.mark.parametrize("other", ["nonce ", "Nonce", "nonc", '","purpose":"x', "\u006eonce\u0301"])
def test_network_cannot_answer_with_the_nonce_of_another_verifier(other: str) -> None:
    accepted(_bound("nonce"), policy=_asking("nonce"))
    refused(_bound(other), MISMATCH, exit_code=4, policy=_asking("nonce"))
    refused(_bound(None), MISMATCH, exit_code=4, policy=_asking("nonce"))


def test_network_cannot_answer_for_another_job_with_the_same_nonce() -> None:
    jobs = [binding.job_nonce(sha256(job), nonce=b"nonce") for job in (b"mine", b"another's")]
    accepted(_bound(jobs[0]), policy=_asking(jobs[0]))
    refused(_bound(jobs[1]), MISMATCH, exit_code=4, policy=_asking(jobs[0]))


def test_workload_cannot_answer_for_another_keyset() -> None:
    other = named(sha256(b"another keyset"))
    given = _quoted(binding.report_data_for(other, nonce="nonce"))
    refused(given, MISMATCH, exit_code=4, policy=_asking("nonce"))


_D = binding.binding(KEYSET, nonce="nonce")


@pytest.mark.parametrize(
    "report_data",
    [
        pytest.param(_D[:31] + bytes(33), id="31 bytes of it"),
        pytest.param(_D[:16] + bytes(48), id="half of it"),
        pytest.param(bytes(32) + _D, id="behind the zeros"),
        pytest.param(_D + _D, id="twice"),
        pytest.param(_D + bytes(31) + b"\1", id="with something behind"),
        pytest.param(_D[::-1] + bytes(32), id="reversed"),
        pytest.param(_D.hex().encode(), id="its digits"),
    ],
)
def test_workload_cannot_bind_a_part_of_a_hash(report_data: bytes) -> None:
    refused(_quoted(report_data), MISMATCH, exit_code=4, policy=_asking("nonce"))
    accepted(_quoted(_D + bytes(32)), policy=_asking("nonce"))


@pytest.mark.parametrize("tag", ["app-data", "kms-root-ca", "", "ratls-cert:"])
def test_workload_cannot_use_a_quote_for_another_purpose(tag: str) -> None:
    content = b"what is bound"
    wanted = binding.dstack(content, tag="ratls-cert")
    policy = opt_in().with_(report_data=wanted.report_data.hex())
    accepted(_quoted(wanted.report_data), policy=policy)
    other = binding.dstack(content, tag=tag).report_data
    refused(_quoted(other), MISMATCH, exit_code=4, policy=policy)
    statement = binding.statement(KEYSET, nonce="nonce")
    loose = binding.dstack(statement, algorithm="sha256", tag=tag).report_data
    refused(_quoted(loose), MISMATCH, exit_code=4, policy=_asking("nonce"))


APP_ID = bytes(range(20))
KMS, OTHER_KMS, APP, KEY = (PrivateKey.from_int(n) for n in (0xB001, 0xB002, 0xB003, 0xB004))


def _public(key: PrivateKey) -> bytes:
    raw: bytes = key.public_key.format()
    return raw


def _chain(kms: PrivateKey = KMS, app: PrivateKey = APP, purpose: str = "sign") -> list[bytes]:
    words = f"{purpose}:{_public(KEY).hex()}".encode()
    return [
        app.sign_recoverable(keccak256(words), hasher=None),
        kms.sign_recoverable(keccak256(b"dstack-kms-issued:", APP_ID, _public(app)), hasher=None),
    ]


def _checked(chain: list[bytes], **changes: Any) -> None:
    expected: dict[str, Any] = {
        "public_key": _public(KEY),
        "purpose": "sign",
        "app_id": APP_ID,
        "expected_root": _public(KMS),
    }
    verify_key_chain(chain, **(expected | changes))


@pytest.mark.parametrize(
    ("chain", "changes"),
    [
        pytest.param(_chain(OTHER_KMS), {}, id="another KMS"),
        pytest.param(_chain(APP), {}, id="the application itself"),
        pytest.param(_chain(), {"app_id": bytes(20)}, id="another application"),
        pytest.param(_chain(), {"purpose": "encrypt"}, id="another purpose"),
        pytest.param(_chain(), {"public_key": _public(APP)}, id="another key"),
        pytest.param([_chain()[0], _chain(OTHER_KMS)[1]], {}, id="one of each"),
        pytest.param([_chain(app=KMS)[0], _chain()[1]], {}, id="another application's key"),
        pytest.param(list(reversed(_chain())), {}, id="reversed"),
    ],
)
def test_operator_cannot_bring_keys_of_another_kms(
    chain: list[bytes], changes: dict[str, Any]
) -> None:
    _checked(_chain())
    with pytest.raises(NotAuthentic) as caught:
        _checked(chain, **changes)
    assert caught.value.code == "kms_root_mismatch"
    assert caught.value.exit_code == 2


CHANNEL, OTHER = (ec.derive_private_key(n, ec.SECP256R1()) for n in (0xC1, 0xC2))
_QUOTE_OID = x509.ObjectIdentifier("1.3.6.1.4.1.62397.1.1")


def _spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _certificate(
    key: ec.EllipticCurvePrivateKey, *, binds: ec.EllipticCurvePrivateKey, tag: str = "ratls-cert"
) -> Evidence:
    """Return what an RA-TLS certificate of one key carries whose quote binds another."""
    quote = PLATFORM.machine().quote(binding.dstack(_spki(binds), tag=tag).report_data)
    value = b"\x04\x82" + len(quote).to_bytes(2, "big") + quote
    made = forge.mint(
        subject="guest",
        issuer=forge.name_of("guest"),
        signer=key,
        key=key,
        extensions=[(x509.UnrecognizedExtension(_QUOTE_OID, value), False)],
    )
    carried = ratls.parse(forge.der_of(made)).evidence
    return but(carried, collateral=collateral())


NO_KEY = ("ratls-key", "ratls_key_not_in_quote")


def test_network_cannot_put_a_quote_into_a_certificate_of_its_own() -> None:
    verdict = accepted(_certificate(CHANNEL, binds=CHANNEL))
    assert verdict.check("ratls-key").state == "passed"
    flagged(verdict, "ratls-channel", "may be relayed")
    refused(_certificate(OTHER, binds=CHANNEL), NO_KEY)
    # A quote that some application asked for over the same bytes has another tag.
    refused(_certificate(CHANNEL, binds=CHANNEL, tag="app-data"), NO_KEY)
    zero = but(_certificate(CHANNEL, binds=CHANNEL), quote=PLATFORM.machine().quote(bytes(64)))
    refused(zero, ("ratls-key", "ratls_other_quote"))


def test_network_cannot_relay_the_certificate_of_another_channel() -> None:
    given = _certificate(CHANNEL, binds=CHANNEL)
    verdict = accepted(given, expected_spki=_spki(CHANNEL))
    assert verdict.check("ratls-channel").state == "passed"
    refused(given, ("ratls-channel", "ratls_relayed"), expected_spki=_spki(OTHER))
    # To leave the certificate out is no way around it.
    missing = ("ratls-channel", "ratls_certificate_missing")
    refused(but(given, certificate=None), missing, exit_code=3, expected_spki=_spki(CHANNEL))


def test_network_cannot_give_two_quotes_in_one_certificate() -> None:
    quote = PLATFORM.machine().quote(bytes(64))
    value = b"\x04\x82" + len(quote).to_bytes(2, "big") + quote
    extension = (x509.UnrecognizedExtension(_QUOTE_OID, value), False)
    made = forge.mint(
        subject="x", issuer=forge.name_of("x"), signer=CHANNEL, key=CHANNEL, extensions=[extension]
    )
    der = forge.der_of(made)
    other = bytes.fromhex("2b0601040183e73d0103")  # the app id's extension
    assert der.count(bytes.fromhex("2b0601040183e73d0101")) == 1
    ratls.parse(der)
    with pytest.raises(Error):
        ratls.parse(der.replace(bytes.fromhex("2b0601040183e73d0101"), other))
