"""How fast a TDX quote becomes a verdict: beside the signatures that it cannot do without.

Warm quotes are made by the simulator, each different, all from one platform under one collateral.
The cold quote is a real one where ``TEEPROOF_VECTORS`` or ``../shared/vectors`` has it.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

import dcap_qvl
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from bench.measure import Row, beside, commands
from teeproof.evidence import eventlog, second_path
from teeproof.evidence.collect.simulated import SimulatedPlatform, open_platform
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.policy import INTEL_ROOT, load_policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.tdx import quote as tdx_quote
from teeproof.evidence.tdx import verify as tdx
from teeproof.evidence.verify import verify

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SHA256 = ec.ECDSA(hashes.SHA256())
REAL = "dcap/dstack-quote-report"


def rows() -> Iterator[Row]:
    """Yield the rows."""
    platform = open_platform(Path(tempfile.mkdtemp()))
    yield from _warm(platform)
    yield from _cold()
    yield _log(platform)
    yield from _processes(platform)


def _warm(platform: SimulatedPlatform) -> Iterator[Row]:
    machine = platform.machine()
    policy = load_policy("standard").with_(simulated_roots=[platform.root_fingerprint])
    many = [machine.evidence(secrets.token_bytes(64), now=NOW) for _ in range(64)]
    collateral = many[0].collateral
    raw, logs, seconds = cycle([e.quote for e in many]), cycle(many), int(NOW.timestamp())
    roots = frozenset(policy.roots)

    def facts() -> None:
        quote = tdx_quote.parse(next(raw))
        found = tdx.verify(quote, collateral=collateral, roots=roots, now=seconds)
        assert found.facts is not None

    def verdict() -> None:
        found = verify(next(raw), now=NOW, policy=policy, collateral=collateral, both_paths=False)
        assert found.authentic

    def everything() -> None:
        assert verify(next(logs), now=NOW, policy=policy, both_paths=False).authentic

    two = _verifies(many[0].quote, 2)
    ours, limit = beside(facts, two)
    yield Row("TDX quote to facts, warm", ours, limit, "2 P-256 verifies", goal=0.7)
    ours, limit = beside(verdict, two)
    yield Row("TDX quote to verdict, warm", ours, limit, "2 P-256 verifies")
    ours, limit = beside(everything, two)
    yield Row("the same with event log and compose file", ours, limit, "2 P-256 verifies")


def _cold() -> Iterator[Row]:
    evidence, now, name = _real()
    collateral, quote = evidence.collateral, evidence.quote
    assert collateral is not None
    seconds, roots = int(now.timestamp()), frozenset([INTEL_ROOT])

    def ours_alone() -> None:
        tdx.clear_caches()
        tdx.verify(tdx_quote.parse(quote), collateral=collateral, roots=roots, now=seconds)

    text = json.dumps(collateral.to_json())

    def theirs() -> None:
        dcap_qvl.verify(quote, dcap_qvl.QuoteCollateralV3.from_json(text), seconds)

    def both() -> None:
        tdx.clear_caches()
        second_path.clear_caches()
        verdict = verify(evidence, now=now)
        assert verdict.check("second-path-signatures").state == "passed"

    what = "its 9 signatures, X.509, CRLs, JSON with cryptography"
    ours, limit = beside(ours_alone, _library(quote, collateral))
    yield Row(f"TDX quote to facts, cold ({name})", ours, limit, what, goal=0.7)
    ours, limit = beside(ours_alone, _floor(quote, collateral))
    yield Row("the same", ours, limit, "the same parsing, 9 verifies by one prepared key")
    ours, limit = beside(ours_alone, theirs)
    yield Row("the same", ours, limit, "dcap-qvl 0.7.0 (Rust), which caches nothing")
    ours, limit = beside(both, theirs)
    yield Row("verdict, cold, both paths", ours, limit, "dcap-qvl 0.7.0 alone", goal=1 / 3)


def _log(platform: SimulatedPlatform) -> Row:
    evidence = platform.machine().evidence(bytes(64), now=NOW)
    log, body = evidence.event_log, tdx_quote.parse(evidence.quote).body
    assert log is not None
    events = eventlog.parse(log)

    def ours() -> None:
        checks, facts = eventlog.check_log(log, rtmrs=body.rtmrs)
        assert facts is not None, checks

    def floor() -> None:
        json.loads(log)
        eventlog.replay(events)

    mine, limit = beside(ours, floor)
    what = f"json.loads and {len(events)} SHA-384 extensions"
    return Row(f"event log of {len(events)} events, checked", mine, limit, what)


def _processes(platform: SimulatedPlatform) -> Iterator[Row]:
    """Yield what a whole command takes: start, read, verify by both paths, print."""
    folder = Path(tempfile.mkdtemp())
    evidence = platform.machine().evidence(bytes(64), now=NOW)
    assert evidence.collateral is not None
    (folder / "quote.bin").write_bytes(evidence.quote)
    (folder / "collateral.json").write_text(json.dumps(evidence.collateral.to_json()))
    program = Path(sys.executable).with_name("teeproof")
    line = [program, "verify", folder, "--at", NOW.isoformat(), "--json"]
    nothing, found = commands([[sys.executable, "-c", "pass"], line], codes=(0, 4))
    bare = "python -c pass"
    yield Row("teeproof verify, the whole command", found.cpu, nothing.cpu, bare, at_most=0.3)
    yield Row("peak memory of it", found.memory, nothing.memory, bare, unit="B")


def _real() -> tuple[Evidence, datetime, str]:
    """Return real evidence and the time at which it verifies; else simulated, named so."""
    root = Path(os.environ.get("TEEPROOF_VECTORS") or "../shared/vectors")
    folder = root / REAL
    if folder.is_dir():
        record = next(
            v
            for v in json.loads((root / "manifest.json").read_text())["vectors"]
            if v["path"] == REAL
        )
        evidence = Evidence(
            quote=(folder / "quote.bin").read_bytes(),
            collateral=Collateral.parse((folder / "collateral.json").read_bytes()),
        )
        return evidence, datetime.fromisoformat(record["now"].replace("Z", "+00:00")), "real"
    platform = open_platform(Path(tempfile.mkdtemp()))
    return platform.machine().evidence(bytes(64), now=NOW), NOW, "simulated: no vectors here"


def _verifies(quote: bytes, count: int) -> Callable[[], None]:
    """Return a function that checks the quote's own signature ``count`` times."""
    parsed = tdx_quote.parse(quote)
    key = ec.EllipticCurvePublicKey.from_encoded_point(
        ec.SECP256R1(), b"\x04" + parsed.signature.attestation_key
    )
    r, s = parsed.signature.quote_signature[:32], parsed.signature.quote_signature[32:]
    signature = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))

    def work() -> None:
        for _ in range(count):
            key.verify(signature, parsed.signed, SHA256)

    return work


def _library(quote: bytes, collateral: Collateral) -> Callable[[], None]:
    """Return a function that checks all nine signatures through the library, and nothing else."""
    section = tdx_quote.parse(quote).signature
    signed = tdx_quote.parse(quote).signed
    pck_chain = section.pck_chain.rstrip(b"\0")

    def raw(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> None:
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        key.verify(encode_dss_signature(r, s), message, SHA256)

    def key_of(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
        key = certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        return key

    def work() -> None:
        leaf, authority, root = x509.load_pem_x509_certificates(pck_chain)
        signer = x509.load_pem_x509_certificates(collateral.tcb_info_issuer_chain)[0]
        for certificate, issuer in ((leaf, authority), (authority, root), (signer, root)):
            certificate.verify_directly_issued_by(issuer)
            list(certificate.extensions)
        for der, issuer in ((collateral.root_ca_crl, root), (collateral.pck_crl, authority)):
            crl = x509.load_der_x509_crl(der)
            assert crl.is_signature_valid(key_of(issuer))
            assert crl.get_revoked_certificate_by_serial_number(leaf.serial_number) is None
        for document, signature in (
            (collateral.tcb_info, collateral.tcb_info_signature),
            (collateral.qe_identity, collateral.qe_identity_signature),
        ):
            raw(key_of(signer), signature, document)
            json.loads(document)
        raw(key_of(leaf), section.qe_report_signature, section.qe_report)
        point = b"\x04" + section.attestation_key
        attestation = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        raw(attestation, section.quote_signature, signed)

    return work


def _floor(quote: bytes, collateral: Collateral) -> Callable[[], None]:
    """Return a function that parses the same, and checks nine signatures by one prepared key."""
    nine = _verifies(quote, 9)
    chains = (
        tdx_quote.parse(quote).signature.pck_chain.rstrip(b"\0"),
        collateral.tcb_info_issuer_chain,
        collateral.qe_identity_issuer_chain,
    )

    def work() -> None:
        nine()
        for pem in chains:
            for certificate in x509.load_pem_x509_certificates(pem):
                certificate.public_key()
                list(certificate.extensions)
        x509.load_der_x509_crl(collateral.root_ca_crl)
        x509.load_der_x509_crl(collateral.pck_crl)
        json.loads(collateral.tcb_info)
        json.loads(collateral.qe_identity)

    return work
