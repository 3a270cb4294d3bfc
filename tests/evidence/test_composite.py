"""A machine, its GPUs and the keys of its workload: one verdict, as weak as its weakest part."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import msgspec
import pytest

from teeproof.core.errors import Malformed, NotAuthentic, TooLarge
from teeproof.evidence.binding import report_data_for
from teeproof.evidence.judge import composite
from teeproof.evidence.judge.nvidia import devices
from teeproof.evidence.naming import name_evidence
from teeproof.evidence.nvidia import bundle, revocation
from teeproof.evidence.nvidia.nonce import gpu_nonce
from teeproof.evidence.policy import Policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.nvidia_scene import GpuScene
from teeproof.evidence.verdict import Verdict
from teeproof.evidence.verify import verify
from tests.evidence.scenes import NOW, PLATFORM, REPORT_DATA, failures, flipped, opt_in, state

replace = msgspec.structs.replace

ROOTS = [PLATFORM.gpus.device_root.fingerprint, PLATFORM.gpus.rim_root.fingerprint]
MACHINES = [
    PLATFORM.root_fingerprint,
    PLATFORM.snp.root_fingerprint,
    PLATFORM.nitro.root_fingerprint,
]
KEYSET, OTHER_KEYSET = "sha256:" + "11" * 32, "sha256:" + "22" * 32
NONCE = "9b" * 32


def policy(**gpu: Any) -> Policy:
    """Return a policy that accepts the simulator's machines and GPUs, and expects this of GPUs."""
    return Policy(roots=()).with_(simulated_roots=MACHINES, gpu={"simulated_roots": ROOTS} | gpu)


def gpus(nonce: bytes, *, count: int = 2) -> bytes:
    scene = GpuScene(PLATFORM.gpus, nonce, NOW)
    return scene.evidence(scene.gpus()[:count]).document()


@cache
def bound(report_data: bytes = REPORT_DATA, *, quote: str = "up-to-date") -> Evidence:
    """Return a machine whose GPUs answer the nonce that its report_data determines."""
    machine = (
        PLATFORM.machine().evidence(report_data, now=NOW) if quote == "up-to-date" else state(quote)
    )
    return replace(machine, gpus=gpus(gpu_nonce(report_data[:32])))


def judge(given: Evidence, expected: Policy | None = None) -> Verdict:
    return verify(given, policy=expected or policy(), now=NOW, both_paths=False)


# The machine's GPUs -----------------------------------------------------------------------------


@pytest.mark.parametrize("quote", ["up-to-date", "snp-up-to-date", "nitro-in-order"])
def test_a_machine_and_its_gpus_have_one_verdict_that_says_how_they_belong_together(
    quote: str,
) -> None:
    verdict = judge(bound(quote=quote))
    assert failures(verdict) == []
    assert verdict.check("gpu-nonce").detail.endswith("this machine's report_data determines")
    assert verdict.check("gpu-host").state == verdict.check("gpu-mode").state == "not_checked"
    assert verdict.facts["gpus"]["gpus"] == 2
    names = [check.name for check in verdict.checks]
    first = next(place for place, name in enumerate(names) if name.startswith("gpu-"))
    assert all(name.startswith("gpu-") for name in names[first:])
    assert len(set(names)) == len(names)


def test_host_puts_another_machines_gpus_beside_its_own_quote() -> None:
    stranger = replace(bound(), gpus=gpus(gpu_nonce(bytes(32))))
    verdict = judge(stranger)
    assert failures(verdict) == [("gpu-nonce", "gpu_nonce_mismatch")]
    assert verdict.exit_code == 4
    assert verdict.check("gpu-nonce").expected == gpu_nonce(REPORT_DATA[:32]).hex()


def test_host_asks_gpus_with_the_second_half_of_report_data_and_gains_nothing() -> None:
    verdict = judge(replace(bound(), gpus=gpus(gpu_nonce(REPORT_DATA[32:]))))
    assert failures(verdict) == [("gpu-nonce", "gpu_nonce_mismatch")]


def test_gpus_that_the_relying_party_asked_itself_are_fresh_and_tied_to_no_machine() -> None:
    raw = bytes.fromhex(NONCE)
    given = replace(bound(), gpus=gpus(raw))
    for expected in (policy(nonce=NONCE), policy().with_(nonce=NONCE, keyset_digest=KEYSET)):
        check = judge(given, expected).check("gpu-nonce")
        assert (check.state, check.got) == ("passed", NONCE)
        assert "nothing ties them to this machine" in check.detail
    assert failures(judge(given)) == [("gpu-nonce", "gpu_nonce_mismatch")]


def test_who_named_the_gpus_nonce_is_not_given_what_the_machine_determines() -> None:
    assert failures(judge(bound(), policy(nonce=NONCE))) == [("gpu-nonce", "gpu_nonce_mismatch")]
    own = gpu_nonce(REPORT_DATA[:32]).hex()
    check = judge(bound(), policy(nonce=own)).check("gpu-nonce")
    assert check.detail.endswith("this machine's report_data determines")


def test_a_machine_that_binds_nothing_ties_no_gpus_to_itself() -> None:
    verdict = judge(bound(bytes(64)))
    assert verdict.check("gpu-nonce").state == "not_checked"
    assert "is all zero" in verdict.check("gpu-nonce").detail
    assert verdict.check("report-data").state == "not_checked"


def test_a_policy_that_expects_gpus_is_not_met_by_a_machine_that_shows_none() -> None:
    alone = replace(bound(), gpus=None)
    assert failures(judge(alone, policy(min_gpus=1))) == [("gpu-evidence", "gpu_evidence_missing")]
    assert judge(alone, policy(min_gpus=1)).exit_code == 4
    assert failures(judge(alone)) == []
    assert "gpu-evidence" not in [check.name for check in judge(alone).checks]


def test_operator_claims_more_gpus_than_report() -> None:
    assert failures(judge(bound(), policy(min_gpus=2))) == []
    assert failures(judge(bound(), policy(min_gpus=3))) == [("gpu-count", "gpu_count_too_low")]


def test_a_missing_manifest_and_unknown_revocation_fail_only_where_the_policy_asks() -> None:
    verdict = judge(bound())
    assert verdict.exit_code == 0
    for name in ("gpu-driver-rim", "gpu-vbios-rim", "gpu-measurements", "gpu-revocation"):
        assert verdict.check(name).state == "not_checked"
    asked = judge(bound(), policy(rims=True, revocation=True))
    assert failures(asked) == [
        ("gpu-measured", "gpu_rims_missing"),
        ("gpu-unrevoked", "gpu_revocation_unknown"),
    ]
    assert asked.exit_code == 3
    whole = judge(state("gpus-beside"), policy(rims=True, revocation=True))
    assert failures(whole) == []


# As weak as the weakest part --------------------------------------------------------------------


def test_nothing_is_established_where_one_part_does_not_hold() -> None:
    for given in (
        replace(bound(), quote=flipped(bound().quote, 600)),
        state("gpus-beside-changed"),
        state("gpus-beside-counted-twice"),
    ):
        verdict = judge(given)
        assert (verdict.exit_code, verdict.level, verdict.facts) == (2, None, {})
        assert not verdict.authentic


def test_gpus_beside_a_machine_that_does_not_hold_are_still_looked_at() -> None:
    verdict = judge(replace(bound(), quote=flipped(bound().quote, 600)))
    assert verdict.check("gpu-signature").state == "passed"
    assert verdict.check("gpu-nonce").state == "not_checked"
    assert "the machine's evidence does not hold" in verdict.check("gpu-nonce").detail


def test_a_policy_is_not_held_against_gpus_that_do_not_hold() -> None:
    verdict = judge(state("gpus-beside-changed"))
    assert verdict.check("gpu-policy").state == "not_checked"
    assert verdict.check("debug").name == "debug"


def test_no_machine_with_gpus_is_called_confidential() -> None:
    assert judge(replace(bound(), gpus=None)).confidential is False  # simulated: never
    machine = composite.Judged(
        subject=KEYSET, checks=(), facts={"a": 1}, level="hardware", confidential=True
    )
    found = devices(_asked(bound()), bound().gpus or b"", report_data=REPORT_DATA)
    joined = composite._joined(machine, found)
    assert (joined.level, joined.confidential) == ("simulated", False)
    assert composite._told(machine).confidential is True


def _asked(given: Evidence) -> Any:
    return composite.Asked(
        evidence=given, policy=policy(), collateral=None, now=int(NOW.timestamp()),
        both_paths=False, seen=None, expected_spki=None,
    )  # fmt: skip


def test_simulated_gpus_beside_a_machine_must_be_accepted_as_such() -> None:
    verdict = judge(bound(), opt_in())
    assert failures(verdict) == [("gpu-simulated-root", "gpu_simulated_root_not_accepted")]
    assert (verdict.level, verdict.authentic, verdict.exit_code) == ("simulated", False, 4)
    assert judge(bound()).authentic is True


# GPUs alone -------------------------------------------------------------------------------------


def test_gpus_alone_say_that_no_machine_is_known() -> None:
    alone = Evidence(quote=bound().gpus or b"")
    verdict = judge(alone, policy())
    assert (verdict.kind, verdict.exit_code, verdict.confidential) == ("nvidia", 0, False)
    assert verdict.check("gpu-machine").state == "not_checked"
    assert "no machine is known" in verdict.check("gpu-machine").detail
    assert verdict.check("gpu-nonce").state == "not_checked"


def test_gpus_alone_answer_what_the_policy_expects_of_their_workload() -> None:
    data = report_data_for(KEYSET, nonce="mine")
    alone = Evidence(quote=gpus(gpu_nonce(data[:32])))
    mine = {"keyset_digest": KEYSET, "nonce": "mine"}
    assert judge(alone, policy().with_(**mine)).check("gpu-nonce").state == "passed"
    assert judge(alone, policy().with_(report_data=data.hex())).exit_code == 0
    theirs = judge(alone, policy().with_(**mine | {"nonce": "theirs"}))
    assert failures(theirs) == [("gpu-nonce", "gpu_nonce_mismatch")]


def test_gpus_alone_are_as_old_as_the_nonce_that_they_answer() -> None:
    alone = Evidence(quote=gpus(bytes.fromhex(NONCE)))
    issued = {"nonce": NONCE, "keyset_digest": KEYSET, "nonce_issued_at": "2026-03-01T11:00:00Z"}
    assert judge(alone, policy().with_(**issued, max_age_seconds=3600)).exit_code == 0
    late = judge(alone, policy().with_(**issued, max_age_seconds=3599))
    assert failures(late) == [("age", "too_old")]


def test_network_replays_reports_that_were_accepted_before() -> None:
    raw = bytes.fromhex(NONCE)
    alone = Evidence(quote=gpus(raw))
    seen = frozenset({raw.ljust(64, b"\0")})
    verdict = verify(alone, policy=policy(), now=NOW, seen=seen)
    assert failures(verdict) == [("replay", "report_data_reused")]


def test_a_policy_of_a_machine_is_not_met_by_gpus_alone_and_the_other_way_round() -> None:
    alone = Evidence(quote=bound().gpus or b"")
    assert failures(judge(alone, policy().with_(debug=False))) == [("tee", "policy_for_tdx")]
    assert failures(judge(bound(), policy().with_(tee="nvidia"))) == [("tee", "policy_for_nvidia")]


def test_network_hands_over_gpus_where_a_channel_is_to_be_bound() -> None:
    alone = Evidence(quote=bound().gpus or b"")
    verdict = verify(alone, policy=policy(), now=NOW, expected_spki=b"a key")
    assert [code for _, code in failures(verdict)] == ["ratls_certificate_missing"]


# The key document -------------------------------------------------------------------------------


def keyed(nonce: str | None, *, said: str | None, keyset: str = KEYSET) -> Evidence:
    data = report_data_for(KEYSET, nonce=nonce)
    return replace(bound(data), keyset_digest=keyset, nonce=said)


@pytest.mark.parametrize(
    ("nonce", "said", "changes", "words"),
    [
        ("mine", None, {"nonce": "mine", "keyset_digest": KEYSET}, "the policy's nonce"),
        ("mine", "mine", {}, "shows no freshness"),
        (None, None, {}, "may be of any time"),
    ],
)
def test_a_machine_commits_to_the_key_document_beside_it(
    nonce: str | None, said: str | None, changes: dict[str, Any], words: str
) -> None:
    verdict = judge(keyed(nonce, said=said), policy().with_(**changes))
    assert failures(verdict) == []
    check = verdict.check("keyset")
    assert (check.state, check.got) == ("passed", KEYSET)
    assert words in check.detail


@pytest.mark.parametrize(
    ("given", "changes"),
    [
        (keyed("mine", said="mine", keyset=OTHER_KEYSET), {}),
        (keyed("mine", said="theirs"), {}),
        (keyed("mine", said="mine"), {"nonce": "yours", "keyset_digest": KEYSET}),
    ],
    ids=["other keys", "other hint", "the policy's nonce comes before the hint"],
)
def test_network_puts_keys_beside_evidence_that_does_not_commit_to_them(
    given: Evidence, changes: dict[str, Any]
) -> None:
    verdict = judge(given, policy().with_(**changes))
    assert ("keyset", "keyset_not_in_quote") in failures(verdict)
    assert (verdict.exit_code, verdict.level, verdict.facts) == (2, None, {})


def test_a_key_document_whose_nonce_nobody_knows_is_not_checked() -> None:
    verdict = judge(keyed("mine", said=None))
    assert verdict.check("keyset").state == "not_checked"
    assert verdict.exit_code == 0


def test_gpus_alone_commit_to_no_key_document() -> None:
    alone = Evidence(quote=bound().gpus or b"", keyset_digest=KEYSET)
    assert judge(alone).check("keyset").state == "not_checked"


# Names, digests, bounds -------------------------------------------------------------------------


def test_a_machine_with_gpus_has_a_name_of_its_own() -> None:
    given = bound()
    verdict = judge(given)
    assert name_evidence(given) == ("tdx", verdict.subject)
    names = {name_evidence(each)[1] for each in (
        given, replace(given, gpus=None), Evidence(quote=given.gpus or b""),
        replace(given, gpus=gpus(bytes(32))),
    )}  # fmt: skip
    assert len(names) == 4


def test_a_name_depends_on_no_order_of_the_gpus() -> None:
    given = bound()
    turned = json.dumps(json.loads(given.gpus or b"")[::-1]).encode()
    assert name_evidence(replace(given, gpus=turned)) == name_evidence(given)


def test_each_part_has_its_place_in_the_key_that_a_verdict_is_kept_under() -> None:
    given = state("gpus-beside")
    changes: list[dict[str, Any]] = [
        {}, {"gpus": None}, {"manifests": ()}, {"manifests": given.manifests[::-1]}, {"ocsp": ()},
        {"manifests": (), "ocsp": given.manifests[:0] + given.ocsp[:1]}, {"nonce": "n"},
        {"keyset_digest": KEYSET}, {"keyset_digest": KEYSET, "nonce": "n"},
        {"certificates": b""},
    ]  # fmt: skip
    keys = [judge(replace(given, **change)).key for change in changes]
    assert len(set(keys)) == len(changes)
    assert None not in keys


def test_gpus_given_twice_are_refused() -> None:
    document = bound().gpus or b""
    with pytest.raises(Malformed, match="twice"):
        judge(Evidence(quote=document, gpus=document))


@pytest.mark.parametrize("where", ["quote", "gpus"])
def test_a_verification_services_tokens_are_refused_beside_a_machine_too(where: str) -> None:
    tokens = b'{"evidence": "eyJhbGciOiJub25lIn0.eyJ4IjoxfQ.", "certificate": ""}'
    with pytest.raises(NotAuthentic) as caught:
        judge(replace(bound(), gpus=tokens) if where == "gpus" else Evidence(quote=tokens))
    assert caught.value.code == "gpu_token_unsigned"


def test_host_gives_more_than_anyone_has() -> None:
    given = bound()
    with pytest.raises(TooLarge):
        judge(replace(given, manifests=(b"<x/>",) * 65))
    with pytest.raises(TooLarge):
        judge(replace(given, ocsp=(b"0",) * 129))
    with pytest.raises(TooLarge):
        judge(replace(given, gpus=b" " * (bundle.MAX_BUNDLE_BYTES + 1)))


def test_each_ocsp_answer_is_verified_once_for_all_gpus() -> None:
    given = state("gpus-beside")
    revocation._signer.cache_clear()
    assert judge(given).check("gpu-revocation").state == "passed"
    assert revocation._signer.cache_info().misses == len(given.ocsp)
