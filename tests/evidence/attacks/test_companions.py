"""Attacks by what is put beside evidence: parts of another kind, others' certificates, dates."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from teeproof.core.digests import sha256
from teeproof.core.errors import Malformed
from teeproof.evidence.collect import simulated
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.files.bundles import gather
from teeproof.evidence.nvidia.policy import GpuPolicy
from teeproof.evidence.policy import Policy, load_policy, parse_policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.tpm import document
from teeproof.evidence.verdict import Verdict
from tests.evidence.scenes import NOW, PLATFORM, REPORT_DATA, collateral, failures, judge, state
from tests.evidence.tpm import forge
from tests.vectors import Record, each

KINDS = {
    "nitro": "nitro-in-order",
    "nvidia": "gpu-good",
    "tpm": "tpm-in-order",
    "azure-tdx": "azure-tdx-in-order",
    "azure-snp": "azure-snp-in-order",
    "cca": "cca-in-order",
}
DOCUMENTS = {"event_log": "event-log-replay", "compose": "compose", "mr_config": "mrconfigid"}


def expected(kind: str) -> Policy:
    return parse_policy(
        simulated.reference_policy(PLATFORM, report_data=REPORT_DATA, kind=kind)  # type: ignore[arg-type]
    )


def beside(kind: str, **parts: object) -> tuple[Evidence, Verdict]:
    given = msgspec.structs.replace(state(KINDS[kind]), **parts)
    return given, judge(given, policy=expected(kind))


def said(verdict: Verdict) -> dict[str, str]:
    return {check.name: check.state for check in verdict.checks}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", DOCUMENTS)
def test_host_cannot_make_a_document_look_verified_that_no_evidence_of_this_kind_commits_to(
    kind: str, part: str
) -> None:
    _, without = beside(kind)
    _, verdict = beside(kind, **{part: b"whatever the host likes"})
    assert DOCUMENTS[part] not in said(without)
    assert said(verdict)[DOCUMENTS[part]] == "not_checked"


@pytest.mark.parametrize("kind", ["nitro", "nvidia", "tpm", "azure-tdx", "cca"])
def test_host_cannot_make_amds_certificates_look_verified_beside_anothers_evidence(
    kind: str,
) -> None:
    _, verdict = beside(kind, certificates=b"whatever the host likes")
    assert said(verdict)["vek-certificates"] == "not_checked"


def test_host_cannot_make_gpus_look_verified_by_their_vendors_word_alone() -> None:
    for parts in ({"manifests": (b"<x/>",)}, {"ocsp": (b"0",)}):
        verdict = judge(msgspec.structs.replace(state("up-to-date"), **parts))
        assert said(verdict)["gpu-evidence"] == "not_checked"
    assert "gpu-evidence" not in said(judge(state("gpus-beside")))


@pytest.mark.parametrize("kind", ["nitro", "nvidia", "tpm", "azure-snp", "cca"])
def test_host_cannot_have_collateral_named_that_nobody_looked_at(kind: str) -> None:
    _, verdict = beside(kind, collateral=collateral())
    assert verdict.provenance.endorsements_digest is None


def test_what_is_read_is_not_said_to_be_unread() -> None:
    whole = state("snp-up-to-date")
    assert whole.certificates is not None
    verdict = judge(whole, policy=expected("sev-snp"))
    assert verdict.ok
    assert said(verdict)["vek-certificates"] == "passed"
    names = [check.name for check in judge(state("up-to-date")).checks]
    assert len(names) == len(set(names))


def test_host_cannot_date_gpus_by_a_nonce_that_they_were_not_asked_with() -> None:
    policy = expected("nvidia")
    given = state("gpu-good")
    old = judge(given, policy=policy).facts["nonce"]
    dated = {"nonce_issued_at": (NOW - timedelta(seconds=5)), "max_age_seconds": 60}
    gpu = policy.gpu or GpuPolicy()
    # The relying party dates another question than the one that the GPUs answer.
    other = msgspec.structs.replace(
        policy, report_data="ab" * 64, gpu=msgspec.structs.replace(gpu, nonce=old), **dated
    )
    assert failures(judge(given, policy=other)) == [("age", "age_unknown")]
    same = msgspec.structs.replace(policy, report_data=REPORT_DATA.hex(), **dated)
    assert failures(judge(given, policy=same)) == []


def test_host_cannot_show_the_certificate_of_another_key_beside_an_enrolled_one() -> None:
    authority, key = forge.Authority(), forge.ec_key()
    own, others = authority.chain(key), authority.chain(forge.ec_key(2))
    held = forge.judge(certificates=own, roots=authority.roots, by=forge.voucher())
    assert forge.failures(held) == []
    assert held.facts is not None
    borrowed = forge.judge(certificates=others, roots=authority.roots, by=forge.voucher())
    assert forge.failures(borrowed) == [("ak-binding", "ak_other_key")]
    assert borrowed.facts is None


@pytest.mark.parametrize("record", each("dcap"))
def test_host_cannot_have_a_simulated_tpm_counted_among_what_keeps_memory_confidential(
    record: Record,
) -> None:
    quote = record.read("quote.bin")
    real = Evidence(quote=quote, collateral=Collateral.parse(record.read("collateral.json")))
    policy = msgspec.structs.replace(load_policy("genuine"), tee=None)
    alone = judge(real, policy=policy, now=record.now)
    if alone.kind != "tdx" or not alone.confidential:
        return  # of an SGX enclave, a domain in debug mode, or evidence that does not hold
    tpm = PLATFORM.tpm.evidence(sha256(quote), now=record.now, certified=True)
    lenient = msgspec.structs.replace(policy, simulated_roots=(PLATFORM.tpm.root_fingerprint,))
    both = judge(msgspec.structs.replace(real, tpm=tpm.to_bytes()), policy=lenient, now=record.now)
    assert (alone.level, both.level) == ("hardware", "simulated")
    assert not both.confidential


def test_host_cannot_make_a_second_firmware_log_look_read() -> None:
    whole = document.parse(state("tpm-in-order").quote)
    assert whole.event_log is not None
    _, same = beside("tpm", firmware_log=whole.event_log)
    assert same.ok
    assert "tpm-log" not in said(same)
    other = replace(whole, event_log=b"whatever the host likes").to_bytes()
    _, both = beside("tpm", quote=other, firmware_log=whole.event_log)
    assert said(both)["tpm-log"] == "not_checked"
    _, empty = beside("tpm", firmware_log=b"")
    assert said(empty)["tcg-log-format"] == "failed"


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("tpm.json", "tdx-with-tpm"),
        ("firmware_log.bin", "tdx-firmware-log"),
        ("platform_key.json", "cca-in-order"),
    ],
)
def test_host_cannot_hide_what_lies_beside_a_quote_by_spoiling_its_file(
    name: str, of: str, tmp_path: Path
) -> None:
    given = state(of)
    good: bytes = getattr(given, name.partition(".")[0])
    (tmp_path / "quote.bin").write_bytes(given.quote)
    (tmp_path / name).write_bytes(good)
    (found,) = gather([tmp_path])
    assert getattr(found.evidence, name.partition(".")[0]) == good
    # Without its TPM such a machine would be called hardware, and with it no more than measured.
    (tmp_path / name).write_bytes(b"spoilt")
    with pytest.raises(Malformed):
        gather([tmp_path])
