"""A dstack attestation of a Nitro enclave, in both versions: the document, and nothing believed."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from teeproof.core.errors import Malformed
from teeproof.evidence.eventlog.attestation import parse_attestation
from teeproof.evidence.files.bundles import bundle
from teeproof.evidence.files.kinds import identify
from teeproof.evidence.simulated.nitro import Enclave
from teeproof.evidence.verify import verify
from tests.evidence.eventlog.test_attestation import compact, octets
from tests.evidence.nitro.scenes import NOW, OPT_IN, genuine, made
from tests.evidence.scenes import flipped
from tests.vectors import Record, each

BOUND = bytes(range(64))
DOCUMENT = made(replace(Enclave(), user_data=BOUND))


def scale_nitro(document: bytes, *, kind: int = 2, report_data: bytes = BOUND) -> bytes:
    """Return an attestation of version 0."""
    return bytes([0, kind]) + octets(document) + compact(0) + report_data + octets(b"{}")


def pack_nitro(document: bytes, *, report_data: bytes = BOUND, **data: object) -> bytes:
    """Return an attestation of version 1."""
    return msgspec.msgpack.encode(
        {
            "version": 1,
            "platform": {
                "kind": "nitro-enclave",
                "data": {"nsm_quote": list(document)} | data,
            },
            "stack": {
                "kind": "dstack",
                "data": {"report_data": list(report_data), "runtime_events": [], "config": "{}"},
            },
        }
    )


both = pytest.mark.parametrize("write", [scale_nitro, pack_nitro])


@both
def test_both_versions_carry_the_document(write):
    found = parse_attestation(write(DOCUMENT))
    assert (found.quote, found.report_data) == (DOCUMENT, BOUND)
    assert found.event_log is found.certificates is found.mr_config is None


@both
def test_an_attestation_is_recognised_by_its_bytes_and_verifies(write):
    made = bundle([identify(write(DOCUMENT), name="attestation")], name="enclave")
    assert made.remarks == ()
    assert verify(made.evidence, now=NOW, policy=OPT_IN).exit_code == 0


@both
def test_host_changes_the_copy_of_report_data_and_is_not_believed(write):
    data = write(DOCUMENT, report_data=bytes(64))
    made = bundle([identify(data, name="attestation")], name="enclave")
    (remark,) = made.remarks
    assert "another report_data beside the quote" in remark
    assert verify(made.evidence, now=NOW, policy=OPT_IN).facts["report_data"] == BOUND.hex()


@pytest.mark.parametrize("record", each("nitro"))
def test_a_real_document_in_version_1_is_the_same_as_in_version_0(record: Record):
    given = parse_attestation(record.read("document.bin"))
    packed = pack_nitro(given.quote, report_data=given.report_data)
    assert parse_attestation(packed).quote == given.quote == genuine(record).raw


@pytest.mark.parametrize(
    "data",
    [
        scale_nitro(DOCUMENT) + b"\0",
        scale_nitro(DOCUMENT)[:-1],
        scale_nitro(DOCUMENT, kind=0),
        scale_nitro(DOCUMENT, kind=1),
        scale_nitro(DOCUMENT, kind=4),
        scale_nitro(DOCUMENT, report_data=BOUND[:-1]),
        scale_nitro(DOCUMENT, report_data=BOUND + b"\0"),
        b"\1" + scale_nitro(DOCUMENT)[1:],
        pack_nitro(DOCUMENT) + b"\0",
        pack_nitro(DOCUMENT)[:-1],
        pack_nitro(DOCUMENT, report_data=BOUND[:-1]),
        pack_nitro(DOCUMENT, nsm_quote="text"),
        pack_nitro(DOCUMENT, nsm_quote=[256]),
        pack_nitro(DOCUMENT, nsm_quote=[-1]),
        pack_nitro(DOCUMENT, nsm_quote=[True]),
        pack_nitro(DOCUMENT, nsm_quote=None),
        pack_nitro(DOCUMENT, report=[]),
    ],
)
def test_host_sends_what_is_no_attestation_of_an_enclave(data):
    with pytest.raises(Malformed) as refused:
        parse_attestation(data)
    assert refused.value.code == "attestation_malformed"


@both
def test_host_flips_any_bit_and_gains_nothing(write):
    data = write(DOCUMENT)
    for at in {*range(48), *range(48, len(data), 13), *range(len(data) - 90, len(data))}:
        try:
            found = parse_attestation(flipped(data, at, mask=1 << at % 8))
        except Malformed:
            continue
        if found.quote == DOCUMENT:
            continue
        try:
            verdict = verify(found.quote, now=NOW, policy=OPT_IN)
        except Malformed:
            continue
        assert verdict.exit_code == 2, at
