"""Real SEV-SNP reports with the certificates that lie beside them."""

from __future__ import annotations

from datetime import UTC, datetime

from teeproof.evidence.der import armoured
from teeproof.evidence.record import Evidence
from tests.vectors import Record, records

MOMENT = datetime(2025, 8, 1, tzinfo=UTC)  # all keys but one were certified by then
LATER = datetime(2026, 8, 1, tzinfo=UTC)  # that one too; the VLEK had expired


def record_of(name: str) -> Record:
    """Return one record by its name."""
    return next(record for record in records("snp") if record.id == name)


def certificates_of(record: Record) -> bytes:
    """Return all certificates in a record's folder as PEM; the dstack guest's root is another's."""
    found = b""
    for path in sorted(record.path.iterdir()):
        if path.suffix == ".pem":
            found += path.read_bytes()
        elif path.suffix == ".der":
            found += armoured(path.read_bytes())
    if record.id == "milan-dstack-live":
        found += record_of("milan-virtee").read("chain.pem")
    return found


def evidence_of(record: Record) -> Evidence:
    """Return report and certificates."""
    return Evidence(
        quote=record.read("report.bin"), certificates=certificates_of(record), name=record.id
    )
