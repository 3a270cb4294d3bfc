"""How fast evidence becomes facts or a verdict, beside the signatures that it cannot do without.

Warm is the next piece of a machine, or of an instance, whose certificates were seen before; each
piece is another. Cold is the first of all, with every cache empty; TDX has a file of its own.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

import dcap_qvl

from bench.limits import Work, forget, p256, p384, rsa_2048, rsa_pss_4096, together
from bench.measure import Row, beside
from teeproof.core.clock import to_epoch
from teeproof.evidence.azure import verify as azure
from teeproof.evidence.collect.simulated import (
    SimulatedPlatform,
    SnpGuest,
    SnpMachine,
    open_platform,
)
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.eventlog.firmware import verify_tpm
from teeproof.evidence.eventlog.firmware.parse import parse as parse_log
from teeproof.evidence.policy import Policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.sev_snp import report as snp_report
from teeproof.evidence.sev_snp import verify as sev_snp
from teeproof.evidence.simulated.nitro import Enclave
from teeproof.evidence.verify import verify
from tests.evidence.azure import hcl_reports
from tests.evidence.cca import scenes as cca
from tests.evidence.eventlog import tcglogs
from tests.evidence.tpm import forge
from tests.vectors import records

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PIECES = 32


def rows() -> Iterator[Row]:
    """Yield the rows."""
    platform = open_platform(Path(tempfile.mkdtemp()))
    yield from _snp(platform)
    yield from _nitro(platform)
    yield from _sgx()
    yield from _tpm()
    yield _azure()
    yield _cca()
    yield _log()


def _snp(platform: SimulatedPlatform) -> Iterator[Row]:
    pki = platform.snp
    policy = Policy(roots=(), simulated_roots=(pki.root_fingerprint,))
    own, lent = SnpMachine(pki), SnpMachine(pki, guest=SnpGuest(signing_key=1))
    first = own.evidence(secrets.token_bytes(64))
    reports = cycle([own.report(secrets.token_bytes(64)) for _ in range(PIECES)])

    def facts() -> None:
        found = sev_snp.verify(
            snp_report.parse(next(reports)),
            certificates=first.certificates, roots=frozenset(), now=to_epoch(NOW),
        )  # fmt: skip
        assert found.facts is not None

    one = p384(size=0x2A0)
    yield _row("SEV-SNP report to facts, warm", facts, one, "1 P-384 verify", goal=0.5)
    many = [own.evidence(secrets.token_bytes(64)) for _ in range(PIECES)]
    verdict = _verdicts(many, policy)
    yield _row("SEV-SNP report to verdict, warm (VCEK)", verdict, one, "1 P-384 verify")
    vlek = _verdicts([lent.evidence(secrets.token_bytes(64)) for _ in range(PIECES)], policy)
    yield _row("the same (VLEK)", vlek, one, "1 P-384 verify")
    all_four, what = together(one, rsa_pss_4096(3)), "1 P-384 verify, 3 RSA-4096 PSS verifies"
    yield _row("the same, cold (VCEK)", _cold(verdict), all_four, what)


def _nitro(platform: SimulatedPlatform) -> Iterator[Row]:
    nitro = platform.nitro
    policy = Policy(roots=(), simulated_roots=(nitro.root_fingerprint,))
    many = [
        Evidence(
            quote=nitro.document(replace(Enclave(), user_data=secrets.token_bytes(64)), now=NOW)
        )
        for _ in range(PIECES)
    ]
    verdict, size = _verdicts(many, policy), len(many[0].quote)
    one = p384(size=size)
    yield _row("Nitro document to verdict, warm", verdict, one, "1 P-384 verify (COSE)")
    six = together(one, p384(5))
    what = "6 P-384 verifies: root, 3 authorities, leaf, COSE"
    yield _row("the same, cold", _cold(verdict), six, what)


def _sgx() -> Iterator[Row]:
    """Yield a row on real evidence; none where there is none, for nothing here makes a quote."""
    for record in records("dcap"):
        quote = record.read("quote.bin")
        if quote[:2] != b"\3\0":
            continue
        collateral = Collateral.parse(record.read("collateral.json"))
        text = (record.path / "collateral.json").read_text()
        now = record.now
        given = Evidence(quote=quote, collateral=collateral)

        def ours(given: Evidence = given, now: datetime = now) -> None:
            assert verify(given, now=now).facts

        def theirs(quote: bytes = quote, text: str = text, now: datetime = now) -> None:
            dcap_qvl.verify(quote, dcap_qvl.QuoteCollateralV3.from_json(text), to_epoch(now))

        try:
            ours()
        except AssertionError:
            continue
        yield _row("SGX quote to verdict (real)", ours, theirs, "dcap-qvl 0.7.0 alone", goal=0.4)
        return


def _tpm() -> Iterator[Row]:
    given, by, authority = forge.evidence(), forge.voucher(), forge.Authority()
    chain = authority.chain(forge.ec_key())

    def vouched() -> None:
        assert forge.judge(given, by=by).facts is not None

    def certified() -> None:
        found = forge.judge(given, certificates=chain, roots=authority.roots)
        assert found.facts is not None

    yield _row("TPM quote to facts, a vouched key", vouched, p256(), "1 P-256 verify")
    yield _row("the same, a certified key, warm", certified, p256(), "1 P-256 verify")
    count = chain.count(b"BEGIN") + 1
    yield _row("the same, cold", _cold(certified), p256(count), f"{count} P-256 verifies")


def _azure() -> Row:
    given = hcl_reports.evidence()

    def facts() -> None:
        found = azure.verify(
            given, hardware=hcl_reports.established, now=forge.NOW, expected_data=forge.D
        )
        assert found.facts is not None

    what = "1 RSA-2048 verify; the hardware's report is a row of its own"
    return _row("Azure's HCL report and TPM quote to facts", facts, rsa_2048(), what)


def _cca() -> Row:
    tokens = [cca.token(realm={"c10": secrets.token_bytes(64)}) for _ in range(PIECES)]
    many = cycle(tokens)

    def facts() -> None:
        assert cca.found(next(many)).facts is not None

    what = "2 P-384 verifies: platform, realm"
    return _row("CCA token to facts", facts, p384(2, size=len(tokens[0]) // 2), what, goal=0.5)


def _log() -> Row:
    log, registers = tcglogs.whole(), tcglogs.registers(tcglogs.BOOT)

    def ours() -> None:
        _, facts = verify_tpm(log, banks={tcglogs.SHA256: registers})
        assert facts is not None

    def floor() -> None:
        parse_log(log)

    events = len(tcglogs.BOOT)
    return _row(f"firmware log of {events} events, replayed", ours, floor, "the same, parsed alone")


def _verdicts(many: Sequence[Evidence], policy: Policy) -> Callable[[], None]:
    pieces = cycle(many)

    def work() -> None:
        assert verify(next(pieces), now=NOW, policy=policy).ok

    return work


def _cold(work: Work) -> Work:
    return together(forget, work)


def _row(what: str, ours: Work, limit: Work, limit_is: str, goal: float | None = None) -> Row:
    mine, least = beside(ours, limit)
    return Row(what, mine, least, limit_is, goal=goal)
