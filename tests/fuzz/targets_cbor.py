"""Fuzz targets for evidence in CBOR: the reader, COSE, Nitro documents and CCA tokens."""

from __future__ import annotations

from contextlib import suppress

from cryptography import x509

from teeproof.core.errors import Malformed
from teeproof.evidence import cbor, cose
from teeproof.evidence.cca import keys, token
from teeproof.evidence.cca import verify as cca
from teeproof.evidence.cca.keys import load_point
from teeproof.evidence.eventlog.attestation import parse_attestation
from teeproof.evidence.nitro import certificates, document
from teeproof.evidence.nitro import verify as nitro
from teeproof.evidence.simulated import cose as writer
from tests.evidence.cca.scenes import CCA, KEY
from tests.evidence.cca.scenes import token as made_token
from tests.evidence.nitro.scenes import AWS, NOW, OPT_IN, T, made
from tests.evidence.nitro.test_attestation import pack_nitro, scale_nitro
from tests.vectors import records


def fuzz_cbor(data: bytes) -> None:
    """What is accepted in its shortest form is what the other writer makes of its value."""
    with suppress(Malformed):
        value = cbor.loads(data, limit=1 << 16, what="thing")
        assert writer.cbor(value) == data
        assert cbor.loads(data, limit=1 << 16, what="thing", shortest=False) == value


def fuzz_cose_sign1(data: bytes) -> None:
    """What is accepted is its four parts, written again."""
    with suppress(Malformed):
        message = cose.parse_sign1(data, limit=1 << 16, what="thing")
        parts = [message.protected, message.unprotected, message.payload, message.signature]
        assert (b"\xd2" if message.tagged else b"") + writer.cbor(parts) == data
        assert message.signed.endswith(message.payload)


def fuzz_nitro_document(data: bytes) -> None:
    """What is accepted keeps within AWS's bounds, and verification gives checks and no error."""
    with suppress(Malformed):
        parsed = document.parse(data)
        assert 0 in parsed.pcrs
        assert parsed.cabundle
        found = nitro.verify(parsed, roots=frozenset(OPT_IN.roots), now=T)
        assert found.checks
        held = not any(check.state == "failed" for check in found.checks)
        assert (found.facts is not None) == held


def fuzz_nitro_certificate(data: bytes) -> None:
    """What is accepted says the same as the library says of the same bytes."""
    with suppress(Malformed):
        parsed = certificates.parse(data, what="certificate")
        try:
            theirs = x509.load_der_x509_certificate(data)
        except ValueError:  # what is in a name, it reads, and we compare by its bytes
            return
        assert parsed.tbs == theirs.tbs_certificate_bytes
        assert parsed.signature == theirs.signature
        certificates.issued(parsed, parsed)


def fuzz_nitro_attestation(data: bytes) -> None:
    """What is accepted carries a document, in as many bytes as stand there, and no log."""
    with suppress(Malformed):
        found = parse_attestation(data)
        assert (found.version, found.event_log is None) == (1, True) or found.quote in data
        assert len(found.report_data) == 64


def fuzz_cca_platform_key(data: bytes) -> None:
    """What is accepted is a point on a curve, in the one form that its coordinates have."""
    with suppress(Malformed):
        key = keys.parse_platform_key(data)
        assert load_point(key.point)
        assert key.fingerprint.startswith("sha256:")


def fuzz_cca_token(data: bytes) -> None:
    """What is accepted has every claim, and verification gives checks and no error."""
    with suppress(Malformed):
        parsed = token.parse(data)
        assert len(parsed.realm.challenge) == 64
        found = cca.verify(parsed, platform_keys=(KEY,))
        held = not any(check.state == "failed" for check in found.checks)
        assert (found.facts is not None) == held


def _values() -> list[bytes]:
    deep = {1: [b"a", {"b": None, -5: True}], "c": 1 << 40}
    return [writer.cbor(deep), writer.cbor([0] * 30), *_tokens()]


def _documents() -> list[bytes]:
    return [made(), *(parse_attestation(data).quote for data in _attestations()[2:])]


def _attestations() -> list[bytes]:
    real = [record.read("document.bin") for record in records("nitro")]
    return [scale_nitro(made()), pack_nitro(made()), *real]


def _certificates() -> list[bytes]:
    return [each.der for each in AWS.authorities(NOW)]


def _tokens() -> list[bytes]:
    real = [r.read("cca-example-token.cbor") for r in records("other") if r.id == "cca-token"]
    return [made_token(), *real]


SEEDS = {
    "fuzz_cbor": _values,
    "fuzz_cose_sign1": _documents,
    "fuzz_nitro_document": _documents,
    "fuzz_nitro_certificate": _certificates,
    "fuzz_nitro_attestation": _attestations,
    "fuzz_cca_token": _tokens,
    "fuzz_cca_platform_key": lambda: [CCA.platform_key()],
}
