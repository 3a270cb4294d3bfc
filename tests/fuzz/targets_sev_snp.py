"""Fuzz targets for SEV-SNP: reports, AMD's certificates and lists, and whole verdicts."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from functools import cache

from teeproof.core.errors import Error, Malformed
from teeproof.evidence.collect.simulated import SimulatedPlatform, SnpMachine, simulate
from teeproof.evidence.policy import Policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.sev_snp import certificates, certtable, crl, report, vek
from teeproof.evidence.verify import verify
from tests.sim.tsm import table

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@cache
def _platform() -> SimulatedPlatform:
    return SimulatedPlatform(b"fuzz".ljust(32, b"\0"))


@cache
def _state(name: str) -> Evidence:
    return simulate(f"snp-{name}", bytes(range(64)), platform=_platform(), now=NOW)


@cache
def _opt_in() -> Policy:
    return Policy(roots=(), simulated_roots=(_platform().snp.root_fingerprint,))


def _parts() -> tuple[list[bytes], list[bytes]]:
    return certificates.parse_blocks(_state("not-revoked").certificates or b"")


def fuzz_snp_report(data: bytes) -> None:
    """What is accepted is its signed part, two numbers, and zeros: it can be written again."""
    with suppress(Malformed):
        found = report.parse(data)
        again = found.signed + found.r.to_bytes(72, "little") + found.s.to_bytes(72, "little")
        assert again + bytes(368) == data
        assert all(isinstance(words, str) for words in found.body.reserved)
        assert found.body.product in (None, "Milan", "Genoa", "Turin")


def fuzz_snp_certificate_table(data: bytes) -> None:
    """What a host's table lists is part of it, once, and reads as PEM."""
    with suppress(Malformed):
        found = certtable.parse(data)
        assert len(found) <= certtable.MAX_ROWS
        assert all(data.count(one.content) >= 1 and one.content for one in found)
        assert sum(len(one.content) for one in found) <= len(data)
        assert certtable.to_pem(data).count(b"-----BEGIN") == len(found)


def fuzz_snp_verdict(data: bytes) -> None:
    """A report under honest certificates gives a verdict or an error of ours; one alone is good."""
    honest = _state("not-revoked")
    with suppress(Error):
        given = Evidence(quote=data, certificates=honest.certificates)
        verdict = verify(given, now=NOW, policy=_opt_in())
        assert verdict.level != "hardware"
        assert verdict.ok is (data[:672] == honest.quote[:672] and verdict.authentic)


def fuzz_amd_certificates(data: bytes) -> None:
    """A report under any certificates gives a verdict, and none of them makes it hardware."""
    given = Evidence(quote=_state("not-revoked").quote, certificates=data)
    verdict = verify(given, now=NOW, policy=_opt_in())
    assert verdict.level != "hardware"


def fuzz_amd_certificate(data: bytes) -> None:
    """What is accepted has a window, and says whose key it is or that it does not."""
    with suppress(Malformed):
        (found,) = certificates.parse_certificates([data])
        assert found.tbs in data
        assert found.serial >= 0
        vek.parse_vek(found)


def fuzz_amd_revocation_list(data: bytes) -> None:
    """What is accepted was signed over bytes that stand in it."""
    with suppress(Malformed):
        found = crl.parse_crl(data)
        assert found.tbs in data


SEEDS = {
    "fuzz_snp_report": lambda: [_state(name).quote for name in ("up-to-date", "turin", "vlek")],
    "fuzz_snp_certificate_table": lambda: [
        table(SnpMachine(_platform().snp).key.chain),
        bytes(24),
    ],
    "fuzz_snp_verdict": lambda: [_state("not-revoked").quote],
    "fuzz_amd_certificates": lambda: [_state("not-revoked").certificates],
    "fuzz_amd_certificate": lambda: _parts()[0],
    "fuzz_amd_revocation_list": lambda: _parts()[1],
}
