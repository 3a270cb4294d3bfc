"""What evidence is called, and what it binds, read without verifying it."""

from __future__ import annotations

import pytest

from teeproof.core.errors import Malformed
from teeproof.evidence.naming import name_evidence, report_data_of
from teeproof.evidence.record import Evidence
from teeproof.evidence.verify import verify
from tests.evidence.test_sgx import SGX, _given, _made, real
from tests.vectors import Record, each


@real
def test_an_sgx_quote_is_called_what_its_verdict_calls_it(record: Record) -> None:
    given = _given(record)
    verdict = verify(given, now=record.now)
    assert record in SGX or verdict.kind == "tdx"
    assert name_evidence(given) == (verdict.kind, verdict.subject)
    assert report_data_of(given).hex() == verdict.facts["report_data"]


@pytest.mark.parametrize("record", each("dcap")[:12])
def test_a_quote_is_called_what_its_verdict_calls_it(record: Record) -> None:
    given = _given(record)
    verdict = verify(given, now=record.now)
    if "report_data" in verdict.facts:
        assert name_evidence(given) == (verdict.kind, verdict.subject)
        assert report_data_of(given).hex() == verdict.facts["report_data"]


def test_what_an_enclave_binds_stands_at_the_end_of_its_report() -> None:
    quote = bytearray(_made())
    quote[48 + 320 : 48 + 384] = bytes(range(64))
    assert report_data_of(Evidence(quote=bytes(quote))) == bytes(range(64))


@pytest.mark.parametrize(
    "data", [b"", b"\3\0", b"\4\0" + bytes(700), b"junk", b"\3\0" + bytes(999)]
)
def test_host_gives_what_is_no_quote(data: bytes) -> None:
    for read in (name_evidence, report_data_of):
        with pytest.raises(Malformed):
            read(Evidence(quote=data))  # type: ignore[operator]
