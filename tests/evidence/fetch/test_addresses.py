"""Whom a fetcher speaks to follows from the configuration, whatever addresses evidence holds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from teeproof.core.errors import Error
from teeproof.evidence.fetch.asking import Asking
from teeproof.evidence.fetch.services import Services
from teeproof.evidence.fetch.wanted import fetch_for
from teeproof.evidence.fetch.web import Web
from teeproof.evidence.record import Evidence
from tests.evidence.attacks import forge
from tests.evidence.attacks.forge import chain_of, mint, sgx, take_apart
from tests.evidence.fetch import nvidia_scene
from tests.evidence.fetch.amd_scene import alone as snp_alone
from tests.evidence.fetch.amd_scene import serve as serve_amd
from tests.evidence.scenes import NOW, PLATFORM, REPORT_DATA, collateral
from tests.sim.vendors import Vendors
from tests.sim.vendors import vendors as running

AT = int(NOW.timestamp())


@pytest.fixture
def host():
    """A server of the host's, which notes who calls."""
    with running() as made:
        yield made


def _quote_that_points_to(address: str) -> bytes:
    """Return a good quote whose PCK certificate names an address wherever it can."""
    where = x509.UniformResourceIdentifier(f"{address}/crl")
    access = x509.AuthorityInformationAccess(
        [
            x509.AccessDescription(oid, where)
            for oid in (
                AuthorityInformationAccessOID.OCSP,
                AuthorityInformationAccessOID.CA_ISSUERS,
            )
        ]
    )
    points = x509.CRLDistributionPoints([x509.DistributionPoint([where], None, None, None)])
    leaf = mint(
        subject="SIMULATED SGX PCK Certificate",
        issuer=forge.PCK_CA.certificate.subject,
        signer=forge.PCK_CA.key,
        key=forge.PCK.key,
        extensions=[sgx(), (access, False), (points, False)],
    )
    honest = take_apart(PLATFORM.machine().quote(REPORT_DATA))
    chain = chain_of(leaf, forge.PCK_CA.certificate, forge.ROOT.certificate)
    return honest.but(chain=chain).quote()


def _asking(tmp_path, vendors: Vendors) -> Asking:
    return Asking(directory=tmp_path / "archive", web=Web(vendors.services()), now=AT)


def test_host_points_the_verifier_at_its_own_server(host, vendors, tmp_path):
    vendors.publish(collateral())
    evidence = Evidence(quote=_quote_that_points_to(host.url))
    got = list(fetch_for(evidence, _asking(tmp_path, vendors)))
    assert [each.source for each in got] == ["fetched"]
    assert host.asked == []
    assert len(vendors.asked) == 4


def test_host_points_to_a_server_and_the_configured_one_has_nothing(host, vendors, tmp_path):
    # What cannot be had from the configured server is had from nobody.
    with pytest.raises(Error):
        list(fetch_for(Evidence(quote=_quote_that_points_to(host.url)), _asking(tmp_path, vendors)))
    assert host.asked == []


def test_each_vendor_is_asked_at_its_own_server_alone(host, vendors, tmp_path):
    vendors.publish(collateral())
    serve_amd(vendors)
    nvidia_scene.serve(vendors)
    nobody = host.services()
    for evidence, names, now in (
        (Evidence(quote=PLATFORM.machine().quote(REPORT_DATA)), ("pcs", "pcs_certificates"), AT),
        (snp_alone(), ("kds",), AT),
        (nvidia_scene.alone(), ("rim", "ocsp"), int(nvidia_scene.NOW.timestamp())),
    ):
        own = {name: getattr(vendors.services(), name) for name in names}
        others = {n: getattr(nobody, n) for n in ("pcs", "pcs_certificates", "kds", "rim", "ocsp")}
        asking = _asking(tmp_path, vendors)
        web = Web(Services(**others | own))
        assert list(fetch_for(evidence, replace(asking, web=web, now=now, fresh=True)))
    assert host.asked == []
