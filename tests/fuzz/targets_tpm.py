"""Fuzz targets for TPM quotes, firmware logs and the reports of Azure's paravisor."""

from __future__ import annotations

import json
from contextlib import suppress

from teeproof.core.errors import Error, Malformed
from teeproof.evidence.azure import document as azure_document
from teeproof.evidence.azure import hcl
from teeproof.evidence.eventlog.firmware import parse as parse_log
from teeproof.evidence.eventlog.firmware import verify_tpm
from teeproof.evidence.tpm import certificates, document, public, quote, signature
from teeproof.evidence.tpm.verify import verify
from teeproof.evidence.tpm.wire import HASHES, SHA256
from tests.evidence.azure import hcl_reports
from tests.evidence.eventlog import tcglogs
from tests.evidence.tpm import forge
from tests.vectors import directory

_REGISTERS = tcglogs.registers(tcglogs.BOOT)
_TRUE = forge.evidence()


def fuzz_tpm_quote(data: bytes) -> None:
    """What is accepted selects each bank once, and no more than 32 registers of it."""
    with suppress(Malformed):
        parsed = quote.parse(data)
        assert parsed.raw == data
        banks = [one.bank for one in parsed.selections]
        assert len(set(banks)) == len(banks) <= 16
        assert all(len(one.registers) <= 32 for one in parsed.selections)
        assert len(parsed.extra_data) <= 66


def fuzz_tpm_quote_of_a_machine(data: bytes) -> None:
    """No signed bytes but the true ones give facts."""
    with suppress(Malformed):
        given = document.TpmEvidence(data, _TRUE.signature, _TRUE.public, None, _TRUE.pcrs)
        found = verify(given, roots=frozenset(), now=forge.NOW, voucher=forge.voucher())
        assert found.facts is None or data == _TRUE.quote


def fuzz_tpm_signature(data: bytes) -> None:
    """What is accepted has a scheme that we can check."""
    with suppress(Malformed):
        assert signature.parse(data).scheme in signature.SCHEMES


def fuzz_tpm_public(data: bytes) -> None:
    """What is accepted has a name as long as its hash's digests, and an ordinary form."""
    with suppress(Malformed):
        parsed = public.parse(data)
        assert len(parsed.name) == 2 + HASHES[int.from_bytes(parsed.name[:2], "big")]
        assert parsed.spki[0] == 0x30


def fuzz_tpm_document(data: bytes) -> None:
    """What is accepted is written as a document that reads back the same."""
    with suppress(Malformed):
        parsed = document.parse(data)
        assert document.parse(parsed.to_bytes()) == parsed


def fuzz_tpm_certificates(data: bytes) -> None:
    """What is accepted has a key, and is refused or accepted without another error."""
    with suppress(Error):
        chain = certificates.parse_chain(data)
        assert chain.spki[0] == 0x30
        certificates.require_leaf(chain, chain.spki)
        certificates.require_chain(chain)


def fuzz_firmware_log(data: bytes) -> None:
    """What is accepted has digests of its banks alone; held against a machine it never crashes."""
    with suppress(Malformed):
        log = parse_log(data)
        for event in log.events[1:]:
            assert {bank: len(value) for bank, value in event.digests.items()} == dict(log.banks)
    checks, facts = verify_tpm(data, banks={SHA256: _REGISTERS})
    assert len(checks) == 4
    assert facts is None or facts.secure_boot in (True, None)


def fuzz_hcl_report(data: bytes) -> None:
    """What is accepted holds a report of its kind's length and a key."""
    with suppress(Malformed):
        report = hcl.parse(data)
        assert len(report.report) == {"sev-snp": 1184, "tdx": 1024}[report.kind]
        assert report.ak[0] == 0x30


def fuzz_azure_document(data: bytes) -> None:
    """What is accepted has a report and a quote as bytes."""
    with suppress(Malformed):
        parsed = azure_document.parse(data)
        assert isinstance(parsed.hcl_report, bytes)
        assert isinstance(parsed.tpm.quote, bytes)


def _real(*names: str) -> list[bytes]:
    folder = directory()
    return [] if folder is None else [(folder / name).read_bytes() for name in names]


def _logs() -> list[bytes]:
    made = [tcglogs.whole(), tcglogs.old(tcglogs.BOOT), tcglogs.whole(banks=(SHA256,))]
    located = tcglogs.agile([tcglogs.locality(3), *tcglogs.BOOT[:2]], (SHA256,))
    return [*made, located, *_real("dstack/fixtures/ccel.bin")]


def _documents() -> list[bytes]:
    return [_TRUE.to_bytes(), *_real("other/tpm-quote/tpm_evidence.json")]


def _azure() -> list[bytes]:
    tpm = {"message": _TRUE.quote.hex(), "signature": "00", "pcrs": ["00" * 32] * 24}
    made = {"version": 1, "hcl_report": "SENMQQ", "tpm_quote": tpm, "vcek": "AA"}
    real = ("snp/milan-azure-hcl-vtpm/evidence-v1.json", "other/azure-tdx-vtpm/evidence-v1.json")
    return [json.dumps(made).encode(), *_real(*real)]


SEEDS = {
    "fuzz_tpm_quote": lambda: [_TRUE.quote, *_real("other/tpm-quote/tpm_quote_sample.bin")],
    "fuzz_tpm_quote_of_a_machine": lambda: [_TRUE.quote],
    "fuzz_tpm_signature": lambda: [
        _TRUE.signature,
        forge.sign(forge.rsa_key(), b""),
        forge.sign(forge.rsa_key(), b"", pss=True),
    ],
    "fuzz_tpm_public": lambda: [
        forge.public(forge.ec_key()),
        forge.public(forge.rsa_key(), scheme=(0x10,)),
    ],
    "fuzz_tpm_document": _documents,
    "fuzz_tpm_certificates": lambda: [forge.Authority().chain(forge.ec_key())],
    "fuzz_firmware_log": _logs,
    "fuzz_hcl_report": lambda: [
        hcl_reports.report(),
        hcl_reports.report(kind=hcl_reports.TDX),
        *_real("other/azure-tdx-vtpm/hcl-report.bin"),
    ],
    "fuzz_azure_document": _azure,
}
