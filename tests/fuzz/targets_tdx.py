"""Fuzz targets for TDX: quotes, collateral and saved verdicts."""

from __future__ import annotations

import json
import struct
from contextlib import suppress

from teeproof.core.errors import Malformed
from teeproof.evidence.endorsements import FIELDS, Collateral
from teeproof.evidence.tdx import layout, quote
from teeproof.evidence.verdict import Provenance, Verdict, failed, not_checked, passed
from tests.vectors import records

MOST = 4  # real vectors per target: more of them add time and no new shape


def fuzz_quote(data: bytes) -> None:
    """What is accepted consists of its parts, and nothing of it is outside them."""
    with suppress(Malformed):
        parsed = quote.parse(data)
        section = parsed.signature
        size = struct.pack("<I", len(section.quote_signature + section.endorsed))
        rebuilt = parsed.signed + size + section.quote_signature + section.endorsed
        assert rebuilt + parsed.trailing == data == parsed.raw
        assert parsed.signed.startswith(parsed.header.raw)
        assert parsed.signed.endswith(parsed.body.raw)
        assert len(parsed.body.report_data) == 64
        assert [len(rtmr) for rtmr in parsed.body.rtmrs] == [48] * 4


def fuzz_collateral(data: bytes) -> None:
    """What is accepted is written as a document that reads back the same."""
    with suppress(Malformed):
        collateral = Collateral.parse(data)
        again = Collateral.parse(json.dumps(collateral.to_json()))
        assert again == collateral


def fuzz_verdict(data: bytes) -> None:
    """What is accepted is written as a document that reads back the same."""
    with suppress(Malformed):
        verdict = Verdict.from_json(data)
        assert verdict.exit_code in (0, 2, 4)
        assert Verdict.from_json(json.dumps(verdict.to_json())) == verdict


def _section() -> bytes:
    chain = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
    inner = bytes(384) + bytes(64) + struct.pack("<H", 4) + b"auth"
    inner += struct.pack("<HI", layout.CERT_DATA_PCK_CHAIN, len(chain)) + chain
    outer = struct.pack("<HI", layout.CERT_DATA_QE_REPORT, len(inner)) + inner
    section = bytes(64) + bytes(64) + outer
    return struct.pack("<I", len(section)) + section


def _quotes() -> list[bytes]:
    header = struct.pack("<HHI", 4, 2, layout.TEE_TDX).ljust(layout.HEADER_BYTES, b"\0")
    header5 = b"\x05" + header[1:]
    section = _section()
    made = [
        header + bytes(layout.TD10_BYTES) + section,
        header5 + struct.pack("<HI", 2, layout.TD10_BYTES) + bytes(layout.TD10_BYTES) + section,
        header5 + struct.pack("<HI", 3, layout.TD15_BYTES) + bytes(layout.TD15_BYTES) + section,
    ]
    return made + [record.read("quote.bin") for record in records("dcap")[:MOST]]


def _collateral() -> list[bytes]:
    hexadecimal = ("root_ca_crl", "pck_crl", "tcb_info_signature", "qe_identity_signature")
    made = {name: "00ff" if name in hexadecimal else '{"a": 1}' for name in FIELDS}
    return [json.dumps(made).encode()] + [r.read("collateral.json") for r in records("dcap")[:1]]


def _verdicts() -> list[bytes]:
    how = Provenance(
        verifier="teeproof 0.1.0",
        second_path=None,
        policy="default",
        policy_digest="sha256:00",
        roots_digest="sha256:00",
        endorsements_digest=None,
        tcb_evaluation_number=17,
        inputs_digest="sha256:00",
        replay_memory=False,
        time="2026-02-25T12:00:00Z",
    )
    checks = (
        passed("quote-signature", "The attestation key signed this quote."),
        failed("tcb-status", "tcb_out_of_date", "Too old.", "policy", expected="a", got="b"),
        not_checked("report-data", "No expectation was given.", "policy"),
    )
    verdict = Verdict(
        subject="sha256:00",
        kind="tdx",
        ok=False,
        level="hardware",
        confidential=True,
        checks=checks,
        facts={"tcb": {"status": "OutOfDate"}},
        provenance=how,
    )
    return [json.dumps(verdict.to_json()).encode()]


SEEDS = {"fuzz_quote": _quotes, "fuzz_collateral": _collateral, "fuzz_verdict": _verdicts}
