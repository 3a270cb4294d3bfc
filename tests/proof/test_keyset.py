"""ACI's published vectors, and the keyset of a key document."""

from __future__ import annotations

import json

import pytest

from teeproof.core.digests import sha256
from teeproof.core.errors import Malformed
from teeproof.evidence.binding import report_data_for
from teeproof.proof.keyring import Keyring
from teeproof.proof.keys import KeyDocument
from teeproof.proof.keyset import E2EE_ALGORITHM, E2eeKey, Keyset, ReceiptKey, TlsKey, keyset_of
from teeproof.proof.points import p256_spki

# Source: private-ai-gateway, spec/test-vectors.md, sections 1 and 2.
RECEIPT_KEY = "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394"
E2EE_KEY = "5dfedd3b6bd47f6fa28ee15d969d5bb0ea53774d488bdaf9df1c6e0124b3ef22"
DIGEST = "sha256:53a5cd44b30dcc51999754c719f2628a041f174ecbf9662a6f8e898a10cd9371"
NONCE = bytes(range(32)).hex()
ACI = Keyset(
    subject="dstack-app://example-app",
    not_after=1800000000,
    receipt_signing_keys=(ReceiptKey("receipt-1", "ed25519", RECEIPT_KEY),),
    e2ee_public_keys=(E2eeKey("e2ee-1", E2EE_ALGORITHM, E2EE_KEY),),
    tls_public_keys=(TlsKey("c0" * 32, "api.example.com"),),
)


def test_the_published_keyset_has_its_published_digest() -> None:
    assert ACI.digest == DIGEST
    assert Keyset.parse(ACI.encode()) == ACI


@pytest.mark.parametrize(
    ("nonce", "expected"),
    [
        (NONCE, "df2174d28130852b413646a3786927b93e94c11d770268b65def8bdba45cb49e"),
        (None, "0633919ca3f00e97bafaa3304278eb22420cc3ff0d19f87dfca2d3f7508150bc"),
    ],
)
def test_the_published_report_data_comes_out(nonce: str | None, expected: str) -> None:
    assert report_data_for(ACI.digest, nonce=nonce).hex() == expected + "00" * 32


def test_a_keyset_is_read_in_any_encoding_and_has_one_digest() -> None:
    pretty = json.dumps(json.loads(ACI.encode()), indent=2).encode()
    assert Keyset.parse(pretty).digest == DIGEST


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"{}",
        ACI.encode().replace(b'"subject"', b'"subjects"'),
        ACI.encode().replace(b'"not_after":1800000000', b'"not_after":1.5'),
        ACI.encode()[:-1] + b',"extra":1}',
        ACI.encode()[:-1] + b',"extra":1.5}',
        ACI.encode()[:-1] + b',"extra":"' + b"x" * 60_000 + b'"}',
        ACI.encode().replace(b"1800000000", b"%d" % 2**60),
        ACI.encode().replace(b'"key_id":"receipt-1"', b'"key_id":"receipt-1","note":"x"'),
    ],
)
def test_operator_adds_what_no_verifier_looks_at(data: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        Keyset.parse(data)
    assert refused.value.code == "keyset_malformed"
    assert len(refused.value.got or "") < 500


def test_a_key_document_determines_its_keyset() -> None:
    ring = Keyring.new(["statement", "receipt", "e2ee", "tls", ("seal", "x25519"), "chain"])
    document = KeyDocument.of(ring.public(domain="a.example"), not_before=1, not_after=2)
    keyset = keyset_of(document)
    assert keyset == keyset_of(KeyDocument.parse(document.encode()))
    assert keyset.subject == f"urn:teeproof:keys:sha256:{document.digest.hex()}"
    assert keyset.not_after == 2
    assert [key.public_key for key in keyset.receipt_signing_keys] == [
        document.key("receipt").public_key  # type: ignore[union-attr]
    ]
    assert [key.algo for key in keyset.e2ee_public_keys] == [E2EE_ALGORITHM]
    spki = sha256(p256_spki(document.key("tls").raw)).hex()  # type: ignore[union-attr]
    assert keyset.tls_public_keys == (TlsKey(spki, "a.example"),)


def test_two_documents_never_share_a_keyset() -> None:
    ring = Keyring.new(["statement"])
    one = KeyDocument.of(ring.public(), not_before=1, not_after=3)
    other = KeyDocument.of(ring.public(), not_before=2, not_after=3)
    assert keyset_of(one).digest != keyset_of(other).digest
