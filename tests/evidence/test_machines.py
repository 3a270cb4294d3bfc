"""TPMs, Azure machines and Arm CCA realms through the one verifier: each for the right reason."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

import msgspec
import pytest

from teeproof.core.digests import named, sha256
from teeproof.core.errors import Malformed, Usage
from teeproof.evidence.azure import document as azure_document
from teeproof.evidence.cca.keys import parse_platform_key
from teeproof.evidence.collect import simulated
from teeproof.evidence.endorsements import Collateral
from teeproof.evidence.files.bundles import gather
from teeproof.evidence.naming import name_evidence, report_data_of
from teeproof.evidence.policy import Policy, load_policy, parse_policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.firmware import ccel, signed_boot
from teeproof.evidence.simulated.guest import Guest
from teeproof.evidence.simulated.states import STATES
from teeproof.evidence.tpm import document
from teeproof.evidence.verify import verify
from tests.evidence.scenes import (
    NOW,
    PLATFORM,
    REPORT_DATA,
    collateral,
    failures,
    flipped,
    judge,
    opt_in,
    state,
)

AT = datetime.fromisoformat("2025-07-20T00:00:00Z")
CHALLENGE = b"challenge".ljust(64, b"\0").hex()
OURS = [
    name
    for name, each in STATES.items()
    if each.kind in ("tpm", "azure-tdx", "azure-snp", "cca")
    or name.startswith(("tdx-with", "tdx-firmware"))
]


UNREADABLE = {"tpm-bank-twice", "cca-profile-unknown", "cca-rim-too-long"}  # so no verdict


def reference(name):
    text = simulated.reference_policy(PLATFORM, report_data=REPORT_DATA, kind=STATES[name].kind)
    return parse_policy(text)


@pytest.mark.parametrize("name", OURS)
def test_each_state_gets_the_answer_that_it_states(name):
    expected = STATES[name]
    if name in UNREADABLE:
        with pytest.raises(Malformed) as refused:
            judge(state(name), policy=reference(name))
        assert refused.value.exit_code == expected.exit_code == 2
        return
    verdict = judge(state(name), policy=reference(name))
    assert verdict.exit_code == expected.exit_code, failures(verdict)
    assert verdict.level in ("simulated", None)
    assert not verdict.confidential


@pytest.mark.parametrize("name", ["tpm-in-order", "azure-tdx-in-order", "cca-in-order"])
def test_a_verdicts_subject_is_the_evidences_name_and_it_binds_what_was_asked(name):
    given = state(name)
    verdict = judge(given, policy=reference(name))
    assert name_evidence(given) == (verdict.kind, verdict.subject)
    assert report_data_of(given) == REPORT_DATA
    again = verify(given, policy=reference(name), now=NOW, seen={REPORT_DATA})
    assert failures(again) == [("replay", "report_data_reused")]


def test_a_quote_with_a_tpm_has_another_name_than_the_quote_alone():
    given = state("tdx-with-tpm")
    alone = msgspec.structs.replace(given, tpm=None)
    assert name_evidence(given)[1] == judge(given, policy=reference("up-to-date")).subject
    assert name_evidence(given)[1] != name_evidence(alone)[1]


def test_what_nothing_ties_to_the_evidence_is_refused_and_not_passed_over():
    log = state("tdx-firmware-log").firmware_log
    tpm = state("tpm-in-order").quote
    key = state("cca-in-order").platform_key
    for changes in ({"firmware_log": log}, {"tpm": tpm}, {"platform_key": key}):
        given = msgspec.structs.replace(state("snp-up-to-date"), **changes)
        with pytest.raises(Usage, match="nothing ties"):
            verify(given, policy=opt_in(), now=NOW)


# Firmware logs ---------------------------------------------------------------------------------


def logged(**boot):
    """Return the verdict on a machine whose firmware says that Secure Boot was on."""
    events = signed_boot(Guest().events())
    honest = PLATFORM.machine(events=events).evidence(REPORT_DATA, now=NOW)
    given = msgspec.structs.replace(honest, firmware_log=ccel(events))
    return judge(given, policy=opt_in().with_(boot=boot), endorsements=collateral())


def test_a_log_beside_a_quote_shows_secure_boot_and_what_was_started():
    verdict = logged(log=True, secure_boot=True)
    assert failures(verdict) == []
    boot = verdict.facts["boot"]
    assert boot["secure_boot"] is True
    assert len(boot["images"]) == 1
    assert failures(logged(images=boot["images"])) == []
    assert failures(logged(images=["00" * 48])) == [("boot-images", "boot_images_mismatch")]
    assert failures(logged(authorities=["00" * 48])) == [
        ("boot-authorities", "boot_authorities_mismatch")
    ]
    assert failures(logged(secure_boot=False)) == [("secure-boot", "secure_boot_on")]


def test_host_withholds_the_log_and_meets_no_expectation_of_the_boot():
    expected = {"log": True, "secure_boot": True, "images": ["00" * 48], "authorities": []}
    verdict = judge(policy=opt_in().with_(boot=expected))
    assert failures(verdict) == [
        ("firmware-log", "firmware_log_missing"),
        ("secure-boot", "secure_boot_unknown"),
        ("boot-images", "boot_images_unknown"),
        ("boot-authorities", "boot_authorities_unknown"),
    ]
    assert verdict.exit_code == 4


def test_a_real_log_beside_a_real_quote_gives_its_facts(vectors):
    (made,) = gather([vectors / "dcap" / "tdx-v4-00806f05-gcp-cos113"])
    for asked, expected in (({"secure_boot": False}, []), ({"secure_boot": True}, ["secure-boot"])):
        policy = load_policy("standard").with_(boot=asked | {"log": True})
        verdict = verify(made.evidence, policy=policy, now=AT)
        assert (verdict.level, verdict.confidential) == ("hardware", True)
        assert [name for name, _ in failures(verdict)] == expected


# TPMs ------------------------------------------------------------------------------------------


def test_host_withholds_the_tpm_that_the_policy_expects_beside_a_quote():
    pcrs = [{"bank": "sha256", "pcr": 7, "values": ["00" * 32]}]
    verdict = judge(policy=opt_in().with_(tpm={"pcrs": pcrs}))
    assert failures(verdict) == [("tpm-pcr-values", "tpm_pcr_unknown")]


def test_host_puts_a_simulated_tpm_that_nobody_accepts_beside_a_quote():
    verdict = judge(state("tdx-with-tpm"), policy=opt_in())
    assert failures(verdict) == [("ak-root", "ak_root_not_pinned")]
    assert (verdict.level, verdict.facts) == (None, {})


def test_a_root_that_is_pinned_as_a_simulators_gives_no_more_though_it_has_no_mark():
    given = state("tpm-impostor")
    chain = document.parse(given.quote)
    from teeproof.evidence.tpm.certificates import parse_chain

    root = parse_chain(chain.certificates).root
    as_simulated = judge(given, policy=Policy(roots=(), simulated_roots=(root,)))
    assert (as_simulated.level, as_simulated.exit_code) == ("simulated", 0)
    as_real = judge(given, policy=Policy(roots=(root,)))
    assert (as_real.level, as_real.confidential, as_real.exit_code) == ("measured", False, 0)
    both = judge(given, policy=Policy(roots=(root,), simulated_roots=(root,)))
    assert both.level == "simulated"


def test_a_simulators_root_among_the_real_ones_is_simulated_and_not_accepted():
    policy = Policy(roots=(PLATFORM.tpm.root_fingerprint,))
    verdict = judge(state("tpm-in-order"), policy=policy)
    assert failures(verdict) == [("simulated-root", "simulated_root_not_accepted")]
    assert (verdict.level, verdict.authentic) == ("simulated", False)


def test_a_key_that_the_relying_party_enrolled_needs_no_certificate():
    given = state("tpm-key-unbound")
    key = PLATFORM.tpm.ak_fingerprint
    enrolled = judge(given, policy=Policy(roots=(), tpm=load_tpm(keys=[key])))
    assert (enrolled.level, enrolled.confidential, enrolled.exit_code) == ("measured", False, 0)
    other = judge(given, policy=Policy(roots=(), tpm=load_tpm(keys=["sha256:" + "00" * 32])))
    assert failures(other) == [("ak-binding", "ak_not_bound")]


def load_tpm(**fields):
    return parse_policy("roots = []").with_(tpm=fields).tpm


def test_the_real_tpm_is_measured_for_whoever_enrolled_its_key_and_refused_for_others(vectors):
    data = (vectors / "other/tpm-quote/tpm_evidence.json").read_bytes()
    key = named(sha256(document.parse(data).spki))
    policy = load_policy("tpm").with_(tpm={"keys": [key]})
    verdict = verify(data, policy=policy, now=AT)
    assert (verdict.kind, verdict.level, verdict.exit_code) == ("tpm", "measured", 0)
    assert not verdict.confidential
    assert failures(verify(data, now=AT)) == [("ak-binding", "ak_not_bound")]


def test_host_flips_bytes_of_tpm_evidence_and_nothing_else_is_established():
    given = state("tpm-in-order")
    honest = judge(given, policy=reference("tpm-in-order"))
    for at in range(0, len(given.quote), 97):
        try:
            verdict = judge(
                Evidence(quote=flipped(given.quote, at, mask=4)), policy=reference("tpm-in-order")
            )
        except Malformed:
            continue
        assert verdict.exit_code != 0 or verdict.facts == honest.facts, at


# Azure -----------------------------------------------------------------------------------------


@pytest.fixture
def azure_tdx(vectors):
    folder = vectors / "dcap" / "tdx-v4-00806f05-azure"
    return Evidence(
        quote=(vectors / "other/azure-tdx-vtpm/evidence-v1.json").read_bytes(),
        collateral=Collateral.parse((folder / "collateral.json").read_bytes()),
    )


def test_a_real_azure_machine_on_tdx_is_out_of_date_and_measured(azure_tdx):
    verdict = verify(azure_tdx, now=AT)
    assert failures(verdict) == [("tcb-status", "tcb_status")]
    assert (verdict.kind, verdict.level, verdict.confidential) == ("azure-tdx", "measured", False)
    allowing = load_policy("azure-tdx").with_(tcb_statuses=["OutOfDate"], report_data=CHALLENGE)
    assert verify(azure_tdx, policy=allowing, now=AT).exit_code == 0


def test_whoever_lists_the_paravisor_of_a_real_machine_gets_hardware(azure_tdx):
    mrtd = verify(azure_tdx, now=AT).facts["paravisor"]["measurement"]
    policy = load_policy("azure-tdx").with_(tcb_statuses=["OutOfDate"], mrtd=[mrtd])
    verdict = verify(azure_tdx, policy=policy, now=AT)
    assert verdict.check("hcl-paravisor").state == "passed"
    assert (verdict.level, verdict.confidential, verdict.exit_code) == ("hardware", True, 0)
    other = verify(azure_tdx, policy=policy.with_(mrtd=["00" * 48]), now=AT)
    assert failures(other) == [("mrtd", "mrtd_mismatch")]
    assert (other.level, other.confidential) == ("measured", False)


def test_a_real_azure_machine_on_snp_is_accepted_with_amds_authorities_beside_it(vectors):
    folder = vectors / "snp" / "milan-azure-hcl-vtpm"
    (made,) = gather([folder / "evidence-v1.json", folder / "vcek_and_chain.pem"])
    verdict = verify(made.evidence, now=AT)
    assert (verdict.kind, verdict.level, verdict.exit_code) == ("azure-snp", "measured", 0)
    measurement = verdict.facts["paravisor"]["measurement"]
    listing = load_policy("azure-snp").with_(measurement=[measurement])
    assert verify(made.evidence, policy=listing, now=AT).level == "hardware"
    alone = verify((folder / "evidence-v1.json").read_bytes(), now=AT)
    assert failures(alone) == [("vek-certificates", "certificates_missing")]
    assert alone.exit_code == 3


def test_host_gives_azures_evidence_out_for_the_other_kind_of_machine():
    on_snp = azure_document.parse(state("azure-snp-in-order").quote)
    on_tdx = azure_document.parse(state("azure-tdx-in-order").quote)
    mixed = replace(on_snp, td_quote=on_tdx.td_quote, vcek=None)
    verdict = judge(Evidence(quote=mixed.to_bytes()), policy=reference("azure-tdx-in-order"))
    assert verdict.exit_code == 2
    assert failures(verdict) == [("ak-binding", "ak_not_bound")]
    bare = replace(on_tdx, td_quote=None)
    verdict = judge(Evidence(quote=bare.to_bytes()), policy=reference("azure-snp-in-order"))
    assert verdict.exit_code == 2
    assert verdict.facts == {}


def test_the_archives_question_for_an_azure_machine_is_that_of_its_quote(azure_tdx):
    from teeproof.evidence.files.fitting import platform_of

    inner = azure_document.parse(azure_tdx.quote).td_quote
    assert platform_of(azure_tdx.quote) == platform_of(inner)


# Arm CCA ---------------------------------------------------------------------------------------


def test_the_sample_token_is_accepted_with_its_platforms_key_pinned(vectors):
    folder = vectors / "other" / "cca-token"
    (made,) = gather([folder / "cca-example-token.cbor", folder / "cpak-pub.json"])
    fingerprint = parse_platform_key(made.evidence.platform_key).fingerprint
    policy = load_policy("cca").with_(roots=[fingerprint])
    verdict = verify(made.evidence, policy=policy, now=AT)
    assert (verdict.kind, verdict.level, verdict.exit_code) == ("cca", "hardware", 0)
    assert verdict.confidential
    simulated_key = load_policy("cca").with_(simulated_roots=[fingerprint])
    assert verify(made.evidence, policy=simulated_key, now=AT).level == "simulated"
    assert failures(verify(made.evidence, now=AT)) == [("cca-platform-key", "platform_key_unknown")]


def test_host_hands_over_a_platform_key_that_is_none():
    given = state("cca-in-order")
    key = json.loads(given.platform_key)
    for changes in ({"x": key["y"]}, {"d": "AA"}, {"crv": "P-521"}, {"x": key["x"] + "!"}):
        broken = msgspec.structs.replace(given, platform_key=json.dumps(key | changes).encode())
        with pytest.raises(Malformed):
            judge(broken, policy=reference("cca-in-order"))


def test_a_platform_of_cca_is_known_by_the_digest_of_its_instance_id():
    given = state("cca-in-order")
    platform = named(sha256(PLATFORM.cca.instance_id))
    policy = reference("cca-in-order")
    assert failures(judge(given, policy=policy.with_(allowed_platforms=[platform]))) == []
    blocked = judge(given, policy=policy.with_(blocked_platforms=[platform]))
    assert failures(blocked) == [("platform-lists", "platform_blocked")]
    assert PLATFORM.cca.instance_id.hex() not in json.dumps(blocked.to_json())


# Files -----------------------------------------------------------------------------------------


def test_a_loose_tpm_goes_to_the_quote_that_it_names_and_else_stands_alone(tmp_path):
    paired = state("tdx-with-tpm")
    (tmp_path / "quote.bin").write_bytes(paired.quote)
    (tmp_path / "tpm.json").write_bytes(paired.tpm)
    (tmp_path / "other.json").write_bytes(state("tpm-in-order").quote)
    files = [tmp_path / name for name in ("quote.bin", "tpm.json", "other.json")]
    with_tpm, alone = gather(files)
    assert with_tpm.evidence.tpm == paired.tpm
    assert (alone.evidence.quote, alone.evidence.tpm) == (state("tpm-in-order").quote, None)


def test_a_tpm_in_the_folder_of_a_machine_that_is_no_tdx_is_refused(tmp_path):
    (tmp_path / "report.bin").write_bytes(state("snp-up-to-date").quote)
    (tmp_path / "tpm.json").write_bytes(state("tpm-in-order").quote)
    with pytest.raises(Usage, match=r"nothing ties one to report\.bin"):
        gather([tmp_path])
