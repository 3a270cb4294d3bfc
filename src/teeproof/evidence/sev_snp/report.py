"""Parse an SEV-SNP report: bytes to fields, every unsigned byte accounted for. No keys, no clock.

What nobody signed must be zero: the signature's two numbers fill 48 of 72 bytes each, and what
follows them is reserved. Otherwise one report would have many files.

Trusts: nothing; it only reads.  Does not trust: lengths and versions in the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from teeproof.core.errors import Malformed
from teeproof.evidence.sev_snp.layout import BODY_BYTES, REPORT_BYTES, ReportBody

__all__ = ["VERSIONS", "SnpReport", "looks_like", "parse"]

VERSIONS = (2, 3, 4, 5)
ECDSA_P384_SHA384 = 1
_NUMBER = 72  # bytes that r and s have room for; P-384 fills 48


@dataclass(frozen=True, slots=True)
class SnpReport:
    """An SEV-SNP attestation report.

    Attributes:
        raw: the bytes as they came.
        body: its fields.
        r: the signature's first number.
        s: its second.
    """

    raw: bytes
    body: ReportBody
    r: int
    s: int

    @property
    def signed(self) -> bytes:
        """The bytes that the endorsement key signed."""
        return self.body.raw


def looks_like(raw: bytes) -> bool:
    """Whether these bytes have a report's length, and a version that this program reads."""
    return len(raw) == REPORT_BYTES and int.from_bytes(raw[:4], "little") in VERSIONS


def parse(raw: bytes) -> SnpReport:
    """Return the report in ``raw``.

    Raises:
        Malformed: not a report of version 2 to 5, another signature algorithm, or something behind
            the signed part that is not a P-384 signature and zeros.
    """
    if len(raw) != REPORT_BYTES:
        raise _malformed("length", f"{REPORT_BYTES} bytes", f"{len(raw)} bytes")
    body = ReportBody(raw[:BODY_BYTES])
    if body.version not in VERSIONS:
        raise _malformed("version", "2, 3, 4 or 5", str(body.version))
    if body.signature_algorithm != ECDSA_P384_SHA384:
        raise _malformed(
            "signature algorithm",
            f"{ECDSA_P384_SHA384} (ECDSA P-384 with SHA-384)",
            str(body.signature_algorithm),
        )
    section = raw[BODY_BYTES:]
    r, s, rest = section[:_NUMBER], section[_NUMBER : 2 * _NUMBER], section[2 * _NUMBER :]
    if any(r[48:]) or any(s[48:]) or any(rest):
        raise _malformed("signature", "two numbers of 48 bytes, then zeros", "other bytes set")
    return SnpReport(raw, body, int.from_bytes(r, "little"), int.from_bytes(s, "little"))


def _malformed(what: str, expected: str, got: str) -> Malformed:
    return Malformed(
        f"the SEV-SNP report's {what} is malformed: expected {expected}, got {got}",
        code="report_malformed",
        expected=expected,
        got=got,
    )
