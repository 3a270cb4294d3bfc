"""SGX quotes: parsed by us, verified by dcap-qvl alone, and every verdict says so."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

import dcap_qvl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from teeproof.core.errors import Malformed, TooLarge
from teeproof.evidence import sgx
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.policy import Policy, load_policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.verdict import Verdict
from teeproof.evidence.verify import verify
from tests.evidence.scenes import evidence, failures, flipped
from tests.vectors import Record, each, records

SIGNED = 48 + 384


def _made(*, auth: bytes = bytes(32), chain: bytes = b"pem", tail: bytes = b"") -> bytes:
    """Return a quote of version 3 that nobody signed."""
    section = bytes(range(64)) + b"k" * 64 + b"q" * 384 + bytes(64)
    section += struct.pack("<H", len(auth)) + auth + struct.pack("<HI", 5, len(chain)) + chain
    header = struct.pack("<HHI", 3, 2, 0) + bytes(40)
    return header + b"r" * 384 + struct.pack("<I", len(section)) + section + tail


SGX = [record for record in records("dcap") if record.read("quote.bin")[:1] == b"\3"]
real = pytest.mark.parametrize(
    "record",
    [pytest.param(record, id=record.id) for record in SGX] or each("dcap")[:1],
)


def _given(record: Record) -> Evidence:
    collateral = Collateral.parse(record.read("collateral.json"))
    return Evidence(quote=record.read("quote.bin"), collateral=collateral)


def _judge(record: Record, policy: Policy | None = None) -> Verdict:
    return verify(_given(record), policy=policy, now=record.now)


def test_a_quote_is_read_into_its_parts() -> None:
    read = sgx.parse(_made(tail=b"more"))
    assert read.signed == read.raw[:SIGNED]
    assert read.report == b"r" * 384
    assert read.attestation_key == b"k" * 64
    assert read.pck_chain == b"pem"
    assert read.trailing == b"more"


@real
def test_every_field_of_a_real_quote_is_what_dcap_qvl_reads(record: Record) -> None:
    ours, theirs = (
        sgx.parse(record.read("quote.bin")),
        dcap_qvl.parse_quote(record.read("quote.bin")),
    )
    assert ours.header.version == theirs.header.version == 3
    assert ours.header.qe_vendor == theirs.header.qe_vendor_id
    assert ours.pck_chain.rstrip(b"\0") == theirs.cert_chain_pem_bytes()
    report, facts = theirs.report, _judge(record, load_policy("genuine")).facts
    assert facts["mrenclave"] == report.mr_enclave.hex()
    assert facts["mrsigner"] == report.mr_signer.hex()
    assert facts["report_data"] == report.report_data.hex()
    assert facts["attributes"] == report.attributes.hex()


def test_host_a_quote_that_is_cut_anywhere_is_malformed() -> None:
    quote = _made()
    for size in range(len(quote)):
        with pytest.raises(Malformed):
            sgx.parse(quote[:size])


@pytest.mark.parametrize(
    ("at", "size"), [(SIGNED, 4), (SIGNED + 4 + 576, 2), (SIGNED + 4 + 612, 4)]
)
@pytest.mark.parametrize("value", [0, 1, 0xFF, 0xFFFF, -1])
def test_host_a_length_that_does_not_add_up_is_malformed(at: int, size: int, value: int) -> None:
    quote = _made()
    written = (value % (1 << 8 * size)).to_bytes(size, "little")
    with pytest.raises(Malformed) as caught:
        sgx.parse(quote[:at] + written + quote[at + size :])
    assert caught.value.code == "quote_malformed"


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4, 6])
def test_certification_data_other_than_a_pem_chain_is_malformed(kind: int) -> None:
    at = SIGNED + 4 + 610
    quote = _made()
    assert quote[at : at + 2] == b"\5\0"
    with pytest.raises(Malformed, match="PCK chain"):
        sgx.parse(quote[:at] + bytes([kind]) + quote[at + 1 :])


def test_a_quote_of_another_version_or_tee_is_malformed() -> None:
    for header in (struct.pack("<HHI", 4, 2, 0), struct.pack("<HHI", 3, 2, 0x81)):
        with pytest.raises(Malformed):
            sgx.parse(header + _made()[8:])
    with pytest.raises(Malformed):
        sgx.parse(evidence().quote)


def test_host_100_megabytes_are_refused() -> None:
    with pytest.raises(TooLarge):
        sgx.parse(_made(tail=bytes(100 << 20)))
    with pytest.raises(TooLarge):
        verify(_made(tail=bytes(100 << 20)), now=datetime(2026, 1, 1, tzinfo=UTC))


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: _made()[:800] + tail))
def test_whatever_is_read_nothing_but_our_errors_come(raw: bytes) -> None:
    try:
        sgx.parse(raw)
    except Malformed:
        return
    assert raw.startswith(b"\3\0")


# Verdicts -----------------------------------------------------------------------------------------


@real
def test_every_verdict_says_that_there_is_no_second_path(record: Record) -> None:
    verdict = _judge(record, load_policy("genuine"))
    for part in ("signatures", "tcb"):
        check = verdict.check(f"second-path-{part}")
        assert check.state == "not_checked"
        assert "alone" in check.detail
    assert verdict.kind == "sgx"
    assert verdict.subject is not None


@real
def test_a_policy_that_asks_for_two_paths_refuses(record: Record) -> None:
    asked = load_policy("genuine").with_(second_path=True)
    verdict = _judge(record, asked)
    assert ("tee", "policy_for_tdx") in failures(verdict)
    assert verdict.exit_code == 4
    assert verdict.check("tee").expected == "second_path"


@real
@pytest.mark.parametrize("name", ["standard", "strict", "dstack", "azure"])
def test_a_policy_that_was_written_for_tdx_refuses_and_names_why(record: Record, name: str) -> None:
    verdict = _judge(record, load_policy(name))
    check = verdict.check("tee")
    assert (check.state, check.code, check.got) == ("failed", "policy_for_tdx", "sgx")
    assert "service_td" in str(check.expected)
    assert verdict.exit_code == 4


@real
def test_host_a_debug_enclave_is_refused_unless_the_policy_asks_for_one(record: Record) -> None:
    debug = bool(record.read("quote.bin")[48 + 48] & 2)
    genuine = load_policy("genuine")
    for policy in (None, genuine, genuine.with_(debug=False), genuine.with_(debug=True)):
        verdict = _judge(record, policy)
        wanted = policy is not None and policy.debug is True
        assert verdict.check("debug").state == ("passed" if wanted is debug else "failed")
        assert verdict.exit_code == (0 if wanted is debug else 4)
        assert verdict.confidential is not debug
        assert verdict.facts["debug"] is debug


@real
def test_host_one_flipped_bit_is_refused(record: Record) -> None:
    given_ = _given(record)
    section = SIGNED + 4
    for at in (60, 48 + 64, SIGNED - 1, section, section + 64, section + 128, section + 512):
        verdict = verify(
            Evidence(quote=flipped(given_.quote, at), collateral=given_.collateral), now=record.now
        )
        assert verdict.exit_code == 2, at
        assert verdict.check("signatures").state == "failed"
        assert verdict.facts == {}


@real
def test_trailing_bytes_leave_the_identity_and_are_pointed_out(record: Record) -> None:
    given_ = _given(record)
    tailed = Evidence(quote=given_.quote + b"tail", collateral=given_.collateral)
    verdict = verify(tailed, policy=load_policy("genuine"), now=record.now)
    assert verdict.check("quote-tail").state == "not_checked"
    assert verdict.subject == _judge(record, load_policy("genuine")).subject


@real
def test_without_endorsements_or_intels_root_nothing_is_established(record: Record) -> None:
    alone = verify(record.read("quote.bin"), now=record.now)
    assert (alone.exit_code, alone.facts) == (3, {})
    other = load_policy("genuine").with_(roots=["sha256:" + "00" * 32])
    unrooted = _judge(record, other)
    assert (unrooted.exit_code, unrooted.level) == (2, None)
    assert ("root", "root_not_pinned") in failures(unrooted)


@real
def test_a_date_outside_the_endorsements_is_refused_by_name(record: Record) -> None:
    for now in (datetime(2001, 1, 1, tzinfo=UTC), datetime(2049, 1, 1, tzinfo=UTC)):
        verdict = verify(_given(record), now=now)
        assert verdict.exit_code == 2
        assert verdict.check("collateral-dates").state == "failed"


def test_a_chain_that_cannot_be_read_is_a_verdict_and_no_crash() -> None:
    verdict = verify(_made(), now=datetime(2026, 1, 1, tzinfo=UTC))
    assert failures(verdict) == [("pck-certificates", "certificates_malformed")]
    assert (verdict.subject, verdict.exit_code) == (None, 2)
