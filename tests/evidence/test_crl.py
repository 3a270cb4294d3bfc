"""Revocation lists: only a whole list of the issuer's own certificates says who is not revoked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from teeproof.core.errors import Malformed
from teeproof.evidence.crl import parse_crl
from tests.evidence.attacks import forge
from tests.evidence.scenes import NOW, PLATFORM, REPORT_DATA, collateral, evidence, failures, judge

WHERE = x509.IssuingDistributionPoint(
    full_name=[x509.UniformResourceIdentifier("https://example.com/some.crl")],
    relative_name=None,
    only_contains_user_certs=True,
    only_contains_ca_certs=False,
    only_some_reasons=None,
    indirect_crl=False,
    only_contains_attribute_certs=False,
)
PARTS = [x509.DeltaCRLIndicator(2), WHERE]
OTHER = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0")
ISSUER = x509.CertificateIssuer([x509.DirectoryName(forge.ROOT.certificate.subject)])


def made(
    extension: x509.ExtensionType | None = None,
    *,
    critical: bool = False,
    entry: x509.ExtensionType | None = None,
) -> bytes:
    """Return the PCK CA's list, with one extension of the list or of its one entry."""
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=forge.PCK_CA.certificate.subject,
        last_update=NOW - timedelta(days=1),
        next_update=NOW + timedelta(days=29),
    ).add_extension(x509.CRLNumber(3), critical=False)
    if extension is not None:
        builder = builder.add_extension(extension, critical=critical)
    revoked = x509.RevokedCertificateBuilder(7, NOW)
    if entry is not None:
        revoked = revoked.add_extension(entry, critical=critical)
    builder = builder.add_revoked_certificate(revoked.build())
    return builder.sign(forge.PCK_CA.key, hashes.SHA256()).public_bytes(Encoding.DER)


def codes(crl: bytes) -> list[tuple[str, str | None]]:
    quote = PLATFORM.machine().quote(REPORT_DATA)
    return failures(judge(quote, endorsements=collateral().replace(pck_crl=crl)))


def test_a_whole_list_counts_whatever_else_it_says_that_is_not_critical() -> None:
    assert evidence().collateral
    for crl in (
        made(),
        made(OTHER),
        made(entry=x509.CRLReason(x509.ReasonFlags.key_compromise)),
        made(entry=OTHER),
    ):
        assert parse_crl(crl, what="PCK revocation list").revokes  # it is read
        assert codes(crl) == []


@pytest.mark.parametrize("critical", [True, False])
@pytest.mark.parametrize("part", PARTS, ids=["changes", "some certificates"])
def test_host_hands_over_a_part_of_the_list_for_the_whole(
    part: x509.ExtensionType, critical: bool
) -> None:
    crl = made(part, critical=critical)
    with pytest.raises(Malformed, match="not the complete list") as caught:
        parse_crl(crl, what="PCK revocation list")
    assert caught.value.code == "certificates_malformed"
    assert ("pck-revocation", "certificates_malformed") in codes(crl)


def test_host_hands_over_a_list_with_a_critical_extension_that_nobody_knows() -> None:
    with pytest.raises(Malformed, match="not the complete list"):
        parse_crl(made(OTHER, critical=True), what="PCK revocation list")


@pytest.mark.parametrize("entry", [ISSUER, OTHER], ids=["another issuer", "unknown"])
def test_host_hands_over_a_list_of_other_issuers_certificates(entry: x509.ExtensionType) -> None:
    with pytest.raises(Malformed, match="not the issuer's own"):
        parse_crl(made(entry=entry, critical=True), what="PCK revocation list")
