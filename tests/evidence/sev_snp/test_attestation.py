"""A dstack attestation of an SEV-SNP guest, in both versions: report, chain, configuration."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from teeproof.core.errors import Malformed
from teeproof.evidence.collect.simulated import Chip
from teeproof.evidence.der import armoured
from teeproof.evidence.eventlog.attestation import parse_attestation
from teeproof.evidence.eventlog.hostdata import check_host_data
from teeproof.evidence.files.bundles import bundle
from teeproof.evidence.files.kinds import identify
from tests.evidence.scenes import PLATFORM, REPORT_DATA, state

REPORT = state("snp-up-to-date").quote
CHAIN = PLATFORM.snp.vcek(Chip()).chain
COMPOSE = b'{"docker_compose_file": "", "manifest_version": 2, "name": "x", "runner": "none"}'
DOCUMENT = (
    b'{"app_id":"%s","compose_hash":"%s","key_provider":"none","version":3}'
    % (b"ab" * 20, hashlib.sha256(COMPOSE).hexdigest().encode())
)  # fmt: skip
HOST_DATA = hashlib.sha256(b"dstack-mr-config-v3:\0" + DOCUMENT).digest()


def compact(size: int) -> bytes:
    """Return a length as SCALE writes it."""
    if size < 64:
        return bytes([size << 2])
    if size < 1 << 14:
        return (size << 2 | 1).to_bytes(2, "little")
    return (size << 2 | 2).to_bytes(4, "little")


def scale(*, chain=(), document=DOCUMENT, report=REPORT) -> bytes:
    """Return an attestation of version 0."""

    def octets(data: bytes) -> bytes:
        return compact(len(data)) + data

    events = compact(1) + octets(b"app-id") + octets(b"\xab")
    certificates = compact(len(chain)) + b"".join(map(octets, chain))
    return (
        b"\0\3" + octets(report) + certificates + octets(document)
        + events + REPORT_DATA + octets(b"{}")
    )  # fmt: skip


def packed(*, chain=(), kind="sev-snp") -> bytes:
    """Return an attestation of version 1, bytes as lists of numbers like rmp-serde's."""
    return msgspec.msgpack.encode(
        {
            "version": 1,
            "platform": {
                "kind": kind,
                "data": {
                    "report": list(REPORT),
                    "cert_chain": [list(der) for der in chain],
                    "mr_config": DOCUMENT.decode(),
                },
            },
            "stack": {
                "kind": "dstack",
                "data": {"report_data": list(REPORT_DATA), "runtime_events": [], "config": "{}"},
            },
        }
    )


@pytest.mark.parametrize("write", [scale, packed])
@pytest.mark.parametrize("form", [bytes, armoured])
def test_both_versions_carry_report_certificates_and_configuration(write, form):
    found = parse_attestation(write(chain=[form(der) for der in CHAIN]))
    assert (found.quote, found.report_data, found.event_log) == (REPORT, REPORT_DATA, None)
    assert found.mr_config == DOCUMENT
    assert found.certificates == b"".join(map(armoured, CHAIN))
    assert parse_attestation(write()).certificates is None


@pytest.mark.parametrize("write", [scale, packed])
def test_an_attestation_is_recognised_by_its_bytes(write):
    made = bundle([identify(write(chain=CHAIN), name="attestation")], name="guest")
    assert made.evidence.quote == REPORT
    assert made.evidence.certificates == b"".join(map(armoured, CHAIN))


@pytest.mark.parametrize(
    "data",
    [
        scale()[:-1],
        scale() + b"\0",
        scale(chain=[b"x"] * 13),
        b"\0\4" + scale()[2:],
        packed(kind="nitro-enclave"),  # whose data is another's
        packed(kind="aws-nitro-tpm"),
        packed(chain=[b"x"] * 13),
    ],
)
def test_another_platform_or_length_is_refused(data):
    with pytest.raises(Malformed) as refused:
        parse_attestation(data)
    assert refused.value.code == "attestation_malformed"


def judged(host_data=HOST_DATA, **given):
    parts = {"document": DOCUMENT, "compose": None, "event_log": None} | given
    checks, facts = check_host_data(host_data, **parts)
    return [(check.name, check.state, check.code) for check in checks], facts


def test_host_data_commits_to_the_document_and_through_it_to_the_compose_file():
    checks, facts = judged(compose=COMPOSE)
    assert checks == [("compose", "passed", None), ("host-data-config", "passed", None)]
    assert facts["compose_hash"] == hashlib.sha256(COMPOSE).hexdigest()
    assert facts["told_by"] == "host"


def test_host_hands_over_another_document_or_compose_file():
    assert judged(bytes(32)) == (
        [("host-data-config", "failed", "host_data_config_mismatch")],
        None,
    )
    checks, _ = judged(compose=COMPOSE + b" ")
    assert checks[0] == ("compose", "failed", "compose_mismatch")
    checks, _ = judged(document=None, compose=COMPOSE)
    assert [state for _, state, _ in checks] == ["not_checked", "not_checked"]


def test_an_event_log_beside_a_report_is_said_not_to_be_read():
    checks, _ = judged(event_log=b"[]")
    assert checks[0] == ("event-log-replay", "not_checked", None)


def test_a_document_that_is_committed_to_and_is_none_is_refused():
    digest = hashlib.sha256(b"dstack-mr-config-v3:\0{}").digest()
    checks, facts = judged(digest, document=b"{}")
    assert (checks, facts) == ([("host-data-config", "failed", "mrconfig_malformed")], None)
