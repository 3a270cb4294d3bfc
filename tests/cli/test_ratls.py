"""``teeproof verify`` on RA-TLS certificates: the quote inside must name the key outside."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.cli.conftest import AT
from tests.evidence.test_ratls import KEY, OTHER_KEY, certificate, octets, ratls_data


@pytest.fixture
def files(teeproof, simulated):
    """Return simulated evidence whose report_data names ``KEY``."""
    return simulated("up-to-date", "--report-data", ratls_data(KEY).hex())


def written(folder, tmp_path, *, key=KEY, encoding=Encoding.PEM):
    quote, log = ((folder / name).read_bytes() for name in ("quote.bin", "event_log.json"))
    file = tmp_path / "peer.crt"
    made = certificate({1: octets(quote), 2: octets(log)}, key=key)
    file.write_bytes(made.public_bytes(encoding))
    return file


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_certificate_is_verified_by_the_quote_that_it_carries(
    teeproof, files, tmp_path, encoding
):
    file = written(files, tmp_path, encoding=encoding)
    policy = ("--policy", files / "policy.toml", "--at", AT)
    answer = teeproof(
        "verify", file, files / "collateral.json", files / "app-compose.json", *policy
    )
    assert answer.code == 0, answer.out
    assert "✓ ratls-key " in answer.out
    assert "– ratls-channel " in answer.out
    assert "✓ event-log-replay" in answer.out


def test_network_cannot_put_a_genuine_quote_into_a_certificate_of_its_own(
    teeproof, files, tmp_path
):
    file = written(files, tmp_path, key=OTHER_KEY)
    policy = ("--policy", files / "policy.toml", "--at", AT)
    answer = teeproof(
        "verify", file, files / "collateral.json", files / "app-compose.json", *policy
    )
    assert answer.code == 2
    assert "✗ ratls-key " in answer.out
    assert "NOT AUTHENTIC" in answer.out
    twin = teeproof("verify", file, files / "collateral.json", *policy, "--json").json
    assert (twin["ok"], twin["exit_code"]) == (False, 2)


def test_what_a_certificate_claims_is_shown(teeproof, files, tmp_path):
    answer = teeproof("show", written(files, tmp_path))
    assert answer.out.startswith("RA-TLS certificate")
    assert "the quote names the certificate's key" in answer.out
    other = teeproof("show", written(files, tmp_path, key=OTHER_KEY))
    assert "does not name the certificate's key" in other.out
