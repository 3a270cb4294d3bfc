"""Fuzz targets for what vendors and policy makers write: certificates, lists, documents, TOML."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from functools import cache

from cryptography import x509 as library

from teeproof.core.errors import Error, Malformed, Usage
from teeproof.evidence import crl, der, entries, sgx, x509
from teeproof.evidence.collect.simulated import SimulatedPlatform
from teeproof.evidence.policy import BUILT_IN, parse_policy, policy_text
from teeproof.evidence.record import Evidence
from teeproof.evidence.tdx import documents, pck, quote
from teeproof.evidence.verify import verify
from tests.vectors import records

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@cache
def _platform() -> SimulatedPlatform:
    return SimulatedPlatform(b"fuzz".ljust(32, b"\0"))


@cache
def _evidence() -> Evidence:
    return _platform().machine().evidence(bytes(64), now=NOW)


def fuzz_der(data: bytes) -> None:
    """What is accepted is its elements, written again."""
    with suppress(ValueError):
        found = der.elements(data)
        assert b"".join(der.encode(tag, value) for tag, value in found) == data


def fuzz_certificate_chain(data: bytes) -> None:
    """What is accepted says the same as the library says of the same bytes."""
    with suppress(Malformed):
        for certificate in x509.parse_chain(data, what="chain"):
            theirs = library.load_der_x509_certificate(certificate.der)
            assert certificate.tbs == theirs.tbs_certificate_bytes
            assert certificate.serial == theirs.serial_number
            assert certificate.signature == theirs.signature
            with suppress(Malformed):
                pck.parse_pck(certificate)


def fuzz_revocation_list(data: bytes) -> None:
    """What is accepted was signed over the bytes that the library would verify."""
    with suppress(Malformed):
        parsed = crl.parse_crl(data, what="list")
        assert parsed.tbs == parsed.x509.tbs_certlist_bytes
        assert parsed.this_update <= parsed.next_update or parsed.this_update > 0


def fuzz_tcb_info(data: bytes) -> None:
    """What is accepted has levels in order, each of its full size."""
    with suppress(Malformed):
        info = documents.parse_tcb_info(data)
        orders = [level.order for level in info.tcb_levels]
        assert orders == sorted(orders, reverse=True)
        assert all(len(level.sgx) == 16 for level in info.tcb_levels)


def fuzz_qe_identity(data: bytes) -> None:
    """What is accepted has a window that begins before it ends."""
    with suppress(Malformed):
        begins, ends = documents.parse_qe_identity(data).window
        assert begins < ends


def fuzz_sgx_quote(data: bytes) -> None:
    """What is accepted begins with what was signed."""
    with suppress(Malformed):
        parsed = sgx.parse(data)
        assert data.startswith(parsed.signed)
        assert data.endswith(parsed.pck_chain + parsed.trailing)


def fuzz_policy(data: bytes) -> None:
    """What is accepted is a policy that reads back the same, with the same digest."""
    with suppress(Usage, Malformed):
        policy = parse_policy(data)
        assert policy.with_() == policy
        assert policy.with_().digest == policy.digest


def fuzz_archive_description(data: bytes) -> None:
    """A set whose TCB info is strange is described or refused."""
    collateral = _evidence().collateral
    assert collateral is not None
    with suppress(Malformed):
        entry = entries.describe(collateral.replace(tcb_info=data))
        assert entry.begins <= entry.ends or entry.begins > 0


def fuzz_whole_verdict(data: bytes) -> None:
    """A quote under real collateral gives a verdict or an error of ours, and is never hardware."""
    with suppress(Error):
        verdict = verify(
            Evidence(quote=data, collateral=_evidence().collateral), now=NOW, both_paths=False
        )
        assert verdict.level != "hardware"
        assert not verdict.ok


def _quote() -> quote.TdxQuote:
    return quote.parse(_evidence().quote)


def _collateral_part(name: str) -> list[bytes]:
    collateral = _evidence().collateral
    return [getattr(collateral, name)]


def _elements() -> list[bytes]:
    chain = x509.parse_chain(_quote().signature.pck_chain, what="chain")
    return [certificate.der for certificate in chain]


SEEDS = {
    "fuzz_der": _elements,
    "fuzz_certificate_chain": lambda: [_quote().signature.pck_chain],
    "fuzz_revocation_list": lambda: [
        *_collateral_part("pck_crl"),
        *_collateral_part("root_ca_crl"),
    ],
    "fuzz_tcb_info": lambda: _collateral_part("tcb_info"),
    "fuzz_qe_identity": lambda: _collateral_part("qe_identity"),
    "fuzz_sgx_quote": lambda: [
        *[r.read("quote.bin") for r in records("dcap") if r.id.startswith("sgx")][:1],
        b"\x03\x00\x02\x00".ljust(1200, b"\0"),
    ],
    "fuzz_policy": lambda: [policy_text(name).encode() for name in BUILT_IN],
    "fuzz_archive_description": lambda: _collateral_part("tcb_info"),
    "fuzz_whole_verdict": lambda: [_evidence().quote],
}
