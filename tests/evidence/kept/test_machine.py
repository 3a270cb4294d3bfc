"""A vendor's report inside another's document is found, and served from the archive like any."""

from __future__ import annotations

from pathlib import Path

import pytest

from teeproof.core.errors import Malformed
from teeproof.evidence.azure import document
from teeproof.evidence.fetch.asking import Asking
from teeproof.evidence.fetch.services import Services
from teeproof.evidence.fetch.wanted import fetch_for
from teeproof.evidence.fetch.web import NotServed, Web
from teeproof.evidence.files.fitting import platform_of
from teeproof.evidence.kept.amd import above
from teeproof.evidence.kept.machine import amd_part, intel_quote
from teeproof.evidence.kept.records import Records
from teeproof.evidence.kept.serving import supply
from teeproof.evidence.record import Evidence
from teeproof.evidence.sev_snp import report, verify
from teeproof.evidence.sev_snp.certificates import parse_blocks, parse_certificates
from tests.evidence.fetch.amd_scene import alone
from tests.evidence.scenes import evidence
from tests.sim.vendors import vendors as running

SNP = "snp/milan-azure-hcl-vtpm"


@pytest.fixture
def snp(vectors) -> Evidence:
    return Evidence(quote=(vectors / SNP / "evidence-v1.json").read_bytes())


@pytest.fixture
def chain(snp, vectors):
    """Key, authority and root of the real machine; AMD signed the key's certificate anew since."""
    pem = (vectors / SNP / "vcek_and_chain.pem").read_bytes()
    part = amd_part(snp)
    assert part is not None
    (leaf,) = parse_certificates(parse_blocks(part.beside or b"")[0])
    path = above(leaf, parse_certificates(parse_blocks(pem)[0]))
    assert path is not None
    return leaf, *path


def test_the_report_inside_azures_document_is_found_with_its_certificate(snp, vectors, chain):
    part = amd_part(snp)
    assert part is not None
    assert (vectors / SNP / "evidence-v1.json").read_bytes() == snp.quote
    assert report.parse(part.report).body.version == 3
    assert parse_blocks(part.beside)[0] == [chain[0].der]
    assert intel_quote(snp) is None


def test_the_quote_inside_azures_document_is_found(vectors):
    given = Evidence(quote=(vectors / "other/azure-tdx-vtpm/evidence-v1.json").read_bytes())
    quote = intel_quote(given)
    assert quote == document.parse(given.quote).td_quote
    assert platform_of(quote or b"").tee == "TDX"
    assert amd_part(given) is None


def test_what_is_a_vendors_own_is_taken_as_it_is():
    assert amd_part(alone()) == (alone().quote, None)
    assert intel_quote(evidence()) == evidence().quote
    assert (intel_quote(alone()), amd_part(evidence())) == (None, None)


def test_host_a_document_that_is_none_is_an_error_of_ours():
    for data in (b'{"hcl_report":1}', b'{"hcl_report":"', b' {"hcl_report":"","tpm_quote":{}}'):
        for look in (amd_part, intel_quote):
            with pytest.raises(Malformed):
                look(Evidence(quote=data))
    broken = Evidence(quote=b'{"hcl_report":1}')
    assert supply(broken, Records(Path("/nowhere")), at=0).evidence == broken


def test_an_azure_machine_is_served_with_those_above_its_own_certificate(snp, chain, tmp_path):
    records = Records(tmp_path)
    leaf, authority, root = chain
    at = leaf.window[0]
    assert supply(snp, records, at=at).records == ()
    parts = {"key": leaf.der, "authority": authority.der, "root": root.der}
    record = records.add("amd-key", parts)
    supplied = supply(snp, records, at=at)
    assert [each.id for each in supplied.records] == [record.id]
    part = amd_part(snp)
    assert part is not None
    found = verify.verify(
        report.parse(part.report),
        certificates=supplied.evidence.certificates,
        roots=frozenset({record.root}),
        now=at,
    )
    assert found.facts is not None


def test_an_azure_machine_is_fetched_for_by_the_certificates_above_its_own(snp, chain, tmp_path):
    from teeproof.evidence.der import armoured

    leaf, authority, root = chain
    with running() as vendors:
        pem = armoured(authority.der) + armoured(root.der)
        vendors.serve("/vcek/v1/Milan/cert_chain", pem)
        web = Web(Services(kds=vendors.url), sleep=lambda _: None)
        asking = Asking(directory=tmp_path, web=web, now=leaf.window[0])
        got = []
        with pytest.raises(NotServed, match="revocation list of Milan"):
            got.extend(fetch_for(snp, asking))
        assert [each.source for each in got] == ["fetched"]
        assert vendors.asked == ["/vcek/v1/Milan/cert_chain", "/vcek/v1/Milan/crl"]
