"""Every state by name: what an unmodified verifier says of it, and what it leaves to others."""

from __future__ import annotations

import json
import tomllib

import dcap_qvl
import pytest

from teeproof.core.errors import Error, Usage
from teeproof.evidence.collect.simulated import (
    SimulatedPlatform,
    opt_in_policy,
    reference_policy,
    simulate,
    states,
)
from teeproof.evidence.policy import parse_policy
from teeproof.evidence.verify import verify
from tests.evidence.simulated.judge import (
    NOW,
    REPORT_DATA,
    SEED,
    ask,
    ask_about,
    registers,
    replayed,
)

PLATFORM = SimulatedPlatform(SEED)
STATES = states()

# What dcap-qvl 0.7.0 refuses, and a fragment of its reason.
REFUSED = {
    "revoked": "TCB status is invalid: Revoked",
    "tdx-module-revoked": "TCB status is invalid: Revoked",
    "qe-revoked": "TCB status is invalid: Revoked",
    "no-tcb-level": "No matching TCB level found",
    "pce-too-old": "No matching TCB level found",
    "tdx-module-no-level": "TDX module ISVSVN 1 is below minimum",
    "tdx-module-unknown": "No TDX module identity with id TDX_05",
    "tdx-module-signer": "TDX module MRSIGNER mismatch",
    "tdx-module-attributes": "TDX module SEAMATTRIBUTES mismatch",
    "qe-no-level": "QE ISVSVN 1 is below minimum required 2",
    "qe-signer": "QE MRSIGNER mismatch",
    "qe-product": "QE ISVPRODID mismatch",
    "qe-debug": "QE report validation failed",
    "qe-vendor": "Unknown QE vendor ID",
    "debug": "Debug mode is enabled",
    "profiling": "TD profiling is enabled",
    "service-extension": "SERVTD_EXT is enabled",
    "attributes-reserved": "Reserved bits in TD attributes are set",
    "migratable": "TD migration is enabled",
    "service-td": "Invalid MR service TD",
    "sept-ve-disable-off": "SEPT_VE_DISABLE is not enabled",
    "pck-revoked": "CertRevoked",
    "pck-ca-revoked": "CertRevoked",
    "tcb-signing-revoked": "CertRevoked",
    "root-revoked": "CertRevoked",
    "root-crl-expired": "CrlExpired",
    "pck-crl-expired": "CrlExpired",
    "tcb-info-expired": "TCBInfo expired",
    "qe-identity-expired": "QE Identity expired",
    "tcb-info-from-the-future": "TCBInfo issue date is in the future",
    "qe-identity-from-the-future": "QE Identity issue date is in the future",
    "tcb-info-of-another-fmspc": "Fmspc mismatch",
    "sgx-collateral": "Unsupported QE Identity id/version",
    "qe-identity-of-another-enclave": "Unsupported QE Identity id/version",
    "tcb-info-edited": "Signature is invalid for tcb_info",
    "qe-identity-edited": "Signature is invalid for qe_identity",
    "collateral-of-another-root": "InvalidSignatureForPublicKey",
    "crl-of-another-ca": "InvalidCrlSignatureForPublicKey",
    "quote-body-flipped": "ISV enclave report signature is invalid",
    "quote-signature-flipped": "ISV enclave report signature is invalid",
    "qe-report-flipped": "Signature is invalid for qe_report",
    "attestation-key-unvouched": "QE report hash mismatch",
    "pck-of-another-root": "InvalidSignatureForPublicKey",
    "pck-of-another-platform": "Signature is invalid for qe_report",
    "impostor-root": "InvalidCrlSignatureForPublicKey",
    "simulator-of-another-machine": "InvalidCrlSignatureForPublicKey",
    "section-length-huge": "Data length exceeds maximum",
    "quote-truncated": "Not enough data to fill buffer",
}
# What is not authentic although dcap-qvl finds nothing wrong: it does not look there.
OVERLOOKED = {
    "crl-from-the-future",
    "tcb-info-of-another-pceid",
    "embedded-root-foreign",
}
ADVISORIES = {
    "advisory": ["INTEL-SA-01397"],
    "sw-hardening-needed": ["INTEL-SA-00615"],
    "configuration-needed": ["INTEL-SA-00161"],
    "configuration-and-sw-hardening-needed": ["INTEL-SA-00161", "INTEL-SA-00615"],
    "out-of-date": ["INTEL-SA-00960", "INTEL-SA-00982"],
    "out-of-date-configuration-needed": ["INTEL-SA-00161", "INTEL-SA-00960"],
    "tdx-module-out-of-date": ["INTEL-SA-01036"],
    "td-relaunch-advised": ["INTEL-SA-01036"],
    "td-relaunch-advised-configuration-needed": ["INTEL-SA-00161", "INTEL-SA-01036"],
    "qe-out-of-date": ["INTEL-SA-01010"],
}
# The quote is fine in these; what lies beside it is not.
BESIDE_THE_QUOTE = {
    name
    for name, state in STATES.items()
    if state.outcome == "not-authentic"
    and name.startswith(("log-", "event", "compose-", "mr-config-", "gpus-"))
}
INTELS = {name for name, state in STATES.items() if state.kind == "tdx"}
QUOTED = sorted(INTELS - set(REFUSED) - {"collateral-missing"})


def _evidence(name):
    return simulate(name, REPORT_DATA, platform=PLATFORM, now=NOW)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_an_unmodified_verifier_refuses_it_for_this_reason(name):
    with pytest.raises(ValueError, match=REFUSED[name]):
        ask_about(_evidence(name), PLATFORM)


@pytest.mark.parametrize("name", QUOTED)
def test_an_unmodified_verifier_finds_this_status(name):
    state = STATES[name]
    status = state.status or "UpToDate"
    assert ask_about(_evidence(name), PLATFORM) == (status, ADVISORIES.get(name, []))
    if state.status is None:
        assert name in OVERLOOKED | BESIDE_THE_QUOTE


def test_every_tcb_status_of_intels_can_be_made():
    assert {state.status for state in STATES.values()} == {
        None,
        "UpToDate",
        "SWHardeningNeeded",
        "ConfigurationNeeded",
        "ConfigurationAndSWHardeningNeeded",
        "OutOfDate",
        "OutOfDateConfigurationNeeded",
        "Revoked",
        "TDRelaunchAdvised",
        "TDRelaunchAdvisedConfigurationNeeded",
    }


@pytest.mark.parametrize("name", sorted(STATES))
def test_each_state_has_the_outcome_that_it_states(name):
    kind = STATES[name].kind
    policy = parse_policy(reference_policy(PLATFORM, report_data=REPORT_DATA, kind=kind))
    try:
        exit_code = verify(_evidence(name), policy=policy, now=NOW).exit_code
    except Error as error:
        exit_code = error.exit_code
    assert exit_code == STATES[name].exit_code


@pytest.mark.parametrize("name", sorted(n for n in INTELS if STATES[n].outcome == "accepted"))
def test_a_log_in_order_replays_to_the_quotes_registers(name):
    evidence = _evidence(name)
    assert replayed(evidence.event_log, trusting_digests=False) == registers(evidence.quote)


def test_host_edits_a_payload_and_a_verifier_that_trusts_digests_is_fooled():
    forged, honest = _evidence("log-payload-forged"), _evidence("up-to-date")
    assert replayed(forged.event_log, trusting_digests=True) == registers(forged.quote)
    assert replayed(forged.event_log, trusting_digests=False) != registers(forged.quote)
    assert _payload(forged, "compose-hash") == _payload(honest, "compose-hash")
    assert registers(forged.quote)[3] != registers(honest.quote)[3]


def test_host_cuts_an_event_at_another_colon_and_every_digest_still_fits():
    forged = _evidence("log-event-split-elsewhere")
    assert replayed(forged.event_log, trusting_digests=False) == registers(forged.quote)
    names = [event["event"] for event in json.loads(forged.event_log)]
    assert 'key-provider:{"name"' in names
    assert "key-provider" not in names


def test_host_names_a_firmware_event_and_every_digest_still_fits():
    forged = _evidence("log-boot-event-named")
    assert replayed(forged.event_log, trusting_digests=False) == registers(forged.quote)
    assert json.loads(forged.event_log)[0]["event"] == "compose-hash"


@pytest.mark.parametrize("name", ["event-twice", "event-in-another-register"])
def test_application_claims_another_identity_in_a_log_that_replays(name):
    forged = _evidence(name)
    assert replayed(forged.event_log, trusting_digests=False) == registers(forged.quote)
    payloads = [e["event_payload"] for e in _events(forged) if e["event"] == "compose-hash"]
    assert len(set(payloads)) == 2
    assert _payload(_evidence("up-to-date"), "compose-hash") in payloads


@pytest.mark.parametrize("name", ["log-event-removed", "log-events-swapped", "log-event-renamed"])
def test_host_rearranges_the_log_and_it_no_longer_replays(name):
    forged = _evidence(name)
    assert replayed(forged.event_log, trusting_digests=False)[3] != registers(forged.quote)[3]
    assert replayed(forged.event_log, trusting_digests=False)[:3] == registers(forged.quote)[:3]


@pytest.mark.parametrize("name", ["event-missing", "events-reordered"])
def test_operator_boots_a_guest_that_measures_other_steps_and_the_log_replays(name):
    made = _evidence(name)
    assert replayed(made.event_log, trusting_digests=False) == registers(made.quote)


@pytest.mark.parametrize(
    "name",
    [
        "trailing-bytes",
        "twin-quote-signature",
        "twin-certificate-signature",
        "certificates-reformatted",
    ],
)
def test_client_makes_another_file_of_the_same_evidence(name):
    twin, honest = _evidence(name), _evidence("up-to-date")
    assert twin.quote != honest.quote
    assert twin.quote[:632] == honest.quote[:632]  # header and report: what is signed
    policy = parse_policy(reference_policy(PLATFORM))
    subjects = {verify(e, policy=policy, now=NOW).subject for e in (twin, honest)}
    assert len(subjects) == 1


def test_a_rolled_back_edition_is_old_and_has_not_expired():
    old = _evidence("evaluation-rolled-back").collateral
    info = json.loads(old.tcb_info)
    fresh = json.loads(_evidence("up-to-date").collateral.tcb_info)
    assert info["tcbEvaluationDataNumber"] < fresh["tcbEvaluationDataNumber"]
    assert info["issueDate"] < fresh["issueDate"] < info["nextUpdate"]


def test_an_impostor_bears_intels_names_and_no_mark():
    evidence = _evidence("impostor-root")
    chain = dcap_qvl.parse_quote(evidence.quote).cert_chain_pem_bytes()
    from cryptography import x509

    names = [c.subject.rfc4514_string() for c in x509.load_pem_x509_certificates(bytes(chain))]
    assert "CN=Intel SGX Root CA" in names[2]
    assert not any("SIMULATED" in name for name in names)
    root = x509.load_pem_x509_certificates(bytes(chain))[2]
    assert not [e for e in root.extensions if "32473" in e.oid.dotted_string]


def test_an_impostor_is_consistent_under_its_own_root():
    evidence = _evidence("impostor-root")
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    chain = bytes(dcap_qvl.parse_quote(evidence.quote).cert_chain_pem_bytes())
    root = x509.load_pem_x509_certificates(chain)[2].public_bytes(Encoding.DER)
    theirs = dcap_qvl.QuoteCollateralV3.from_json(json.dumps(evidence.collateral.to_json()))
    report = dcap_qvl.verify_with_root_ca(evidence.quote, theirs, root, int(NOW.timestamp()))
    assert report.status == "UpToDate"


def test_compose_reformatted_is_the_same_json():
    forged, honest = _evidence("compose-reformatted"), _evidence("up-to-date")
    assert json.loads(forged.compose) == json.loads(honest.compose)
    assert forged.compose != honest.compose


def test_names_are_kebab_case_and_sentences_end():
    for name, state in STATES.items():
        assert name == state.name
        assert not name.strip("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert state.sentence[0].isupper()
        assert state.sentence.endswith(".")
    assert len({state.sentence for state in STATES.values()}) == len(STATES)


def test_a_state_binds_the_report_data_that_was_asked_for():
    for name in ("up-to-date", "out-of-date", "trailing-bytes"):
        quote = simulate(name, b"\7" * 64, platform=PLATFORM, now=NOW).quote
        assert dcap_qvl.parse_quote(quote).report.report_data == b"\7" * 64
    zero = simulate("report-data-zero", b"\7" * 64, platform=PLATFORM, now=NOW).quote
    assert dcap_qvl.parse_quote(zero).report.report_data == bytes(64)


def test_an_unknown_state_is_refused_with_the_list():
    with pytest.raises(Usage) as refusal:
        simulate("up-to-data", REPORT_DATA, platform=PLATFORM, now=NOW)
    assert "up-to-date" in (refusal.value.expected or "")


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(Usage, match="zone"):
        simulate("up-to-date", REPORT_DATA, platform=PLATFORM, now=NOW.replace(tzinfo=None))


def test_the_opt_in_policy_pins_this_root_and_no_vendor():
    policy = tomllib.loads(opt_in_policy(PLATFORM))
    assert policy["roots"] == []
    roots = [PLATFORM.root_fingerprint, PLATFORM.tpm.root_fingerprint]  # of a TPM beside it too
    assert policy["simulated_roots"] == roots
    verdict = verify(_evidence("up-to-date"), policy=parse_policy(opt_in_policy(PLATFORM)), now=NOW)
    assert (verdict.exit_code, verdict.level, verdict.confidential) == (0, "simulated", False)


def test_without_an_opt_in_simulated_evidence_is_not_allowed():
    verdict = verify(_evidence("up-to-date"), now=NOW)
    assert (verdict.exit_code, verdict.level) == (4, "simulated")


def test_the_opt_in_to_one_simulator_lets_no_other_in():
    other = SimulatedPlatform(b"\2" * 32)
    verdict = verify(_evidence("up-to-date"), policy=parse_policy(opt_in_policy(other)), now=NOW)
    assert verdict.exit_code == 4


def test_collateral_of_one_day_serves_a_quote_of_another_machine():
    collateral = PLATFORM.collateral(NOW)
    quote = _evidence("another-platform").quote
    assert ask(quote, collateral, PLATFORM) == ("UpToDate", [])


def _events(evidence):
    return json.loads(evidence.event_log)


def _payload(evidence, name):
    return next(e["event_payload"] for e in _events(evidence) if e["event"] == name)
