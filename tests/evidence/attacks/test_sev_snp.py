"""Whoever has an SEV-SNP machine, or none, tries to pass for a guest that nobody can look into."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

import pytest

from teeproof.core.errors import Malformed, TooLarge
from teeproof.evidence.binding import report_data_for
from teeproof.evidence.collect import simulated
from teeproof.evidence.collect.simulated import SimulatedPlatform, SnpGuest, SnpMachine
from teeproof.evidence.dates import Window, check_dates
from teeproof.evidence.der import armoured
from teeproof.evidence.files.kinds import identify
from teeproof.evidence.policy import Policy, load_policy, parse_policy
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.snp.machine import write_body, write_report
from teeproof.evidence.simulated.snp.pki import ORDER, Chip, SnpPki
from teeproof.evidence.simulated.states.snp import GENOA, OLD
from teeproof.evidence.verdict import Verdict
from teeproof.evidence.verify import verify
from tests.evidence.attacks.court import but
from tests.evidence.scenes import NOW, PLATFORM, REPORT_DATA, failures, state

CHECKLIST = {
    41: (
        "test_host_opens_the_guest_to_itself_and_is_refused_by_name",
        "test_host_lowers_the_reported_firmware_to_match_no_key",
    ),
    42: (
        "test_host_gives_the_key_of_another_chip",
        "test_host_signs_with_the_key_of_another_kind",
    ),
    43: (
        "test_network_makes_a_root_that_calls_itself_amds",
        "test_network_puts_another_root_behind_an_honest_chain",
    ),
}
PKI = PLATFORM.snp
REFERENCE = parse_policy(
    simulated.reference_policy(PLATFORM, report_data=REPORT_DATA, kind="sev-snp")
)
OPT_IN = Policy(roots=(), simulated_roots=(PKI.root_fingerprint,))
KEYSET = "sha256:" + "11" * 32


def judge(given: Evidence, policy: Policy = REFERENCE) -> Verdict:
    return verify(given, policy=policy, now=NOW)


def test_an_honest_guest_is_accepted_as_simulated_and_never_as_hardware():
    verdict = judge(state("snp-up-to-date"))
    assert (verdict.exit_code, verdict.level, verdict.confidential) == (0, "simulated", False)
    assert judge(state("snp-up-to-date"), load_policy("sev-snp")).exit_code == 4
    as_vendor = Policy(roots=(PKI.root_fingerprint,))
    assert judge(state("snp-up-to-date"), as_vendor).level == "simulated"


@pytest.mark.parametrize(
    ("name", "failure"),
    [
        ("snp-debug", ("debug", "debug_on")),
        ("snp-vmpl-1", ("vmpl", "vmpl_mismatch")),
        ("snp-migration-agent", ("migration", "migration_on")),
        ("snp-migration-allowed", ("migration", "migration_on")),
        ("snp-masked-chip-id", ("masked-chip-id", "masked_chip_id_on")),
        ("snp-vlek", ("vlek", "vlek_on")),
        ("snp-reserved-bits", ("reserved-bits", "reserved_bits_set")),
    ],
)
def test_host_opens_the_guest_to_itself_and_is_refused_by_name(name, failure):
    verdict = judge(state(name))
    assert failures(verdict) == [failure]
    assert (verdict.authentic, verdict.exit_code) == (True, 4)


def test_host_lowers_the_reported_firmware_to_match_no_key():
    assert failures(judge(state("snp-vek-of-another-tcb"))) == [("vek-tcb", "vek_tcb")]


@pytest.mark.parametrize("part", range(8))
def test_host_changes_any_byte_of_the_reported_firmware_and_no_key_matches(part):
    tcb = bytearray(Chip().tcb)
    tcb[part] ^= 1
    guest = SnpGuest(reported_tcb=bytes(tcb))
    given = SnpMachine(PKI, guest=guest).evidence(REPORT_DATA)
    assert ("vek-tcb", "vek_tcb") in failures(judge(given))


def test_host_gives_the_key_of_another_chip():
    assert failures(judge(state("snp-vek-of-another-chip"))) == [
        ("report-signature", "report_signature"),
        ("vek-chip", "vek_chip"),
    ]


def test_host_signs_with_the_key_of_another_kind():
    assert ("signing-key", "signing_key_kind") in failures(judge(state("snp-vek-of-another-kind")))
    guest = SnpGuest(signing_key=1)
    given = SnpMachine(PKI, guest=guest).evidence(REPORT_DATA, chain=PKI.vcek(Chip()).chain)
    assert ("signing-key", "signing_key_kind") in failures(judge(given, OPT_IN))


@pytest.mark.parametrize("key", [2, 6, 7])
def test_host_says_that_no_known_key_signed(key):
    given = SnpMachine(PKI, guest=SnpGuest(signing_key=key)).evidence(REPORT_DATA)
    assert failures(judge(given, OPT_IN)) == [("signing-key", "signing_key_kind")]


def test_network_makes_a_root_that_calls_itself_amds():
    given = state("snp-ark-not-pinned")
    for policy in (REFERENCE, OPT_IN, load_policy("sev-snp")):
        verdict = judge(given, policy)
        assert failures(verdict) == [("root", "root_not_pinned")]
        assert (verdict.level, verdict.facts) == (None, {})


def test_network_puts_another_root_behind_an_honest_chain():
    assert failures(judge(state("snp-ark-of-another-root"))) == [
        ("vek-chain", "vek_chain_signature")
    ]


def test_network_gives_a_root_of_the_same_name_beside_the_honest_one():
    honest = state("snp-up-to-date")
    rogue = SimulatedPlatform(b"\7" * 32).snp
    strangers = armoured(rogue.root) + armoured(rogue.authority("VCEK"))
    for mixed in (strangers + honest.certificates, honest.certificates + strangers):
        assert judge(but(honest, certificates=mixed)).exit_code == 0


GENOAS = tuple(map(armoured, PKI.vcek(GENOA).chain))


def test_host_lays_the_certificates_of_other_machines_beside_the_right_ones():
    honest = state("snp-up-to-date")
    chips = [Chip(name=f"chip {number}") for number in (2, 3)]
    others = [armoured(PKI.vcek(chip).der) for chip in chips]
    others.append(armoured(PKI.vcek(Chip(), tcb=OLD.tcb).der))  # the same chip, before an update
    others += [armoured(PKI.vlek(Chip()).der), armoured(PKI.authority("VLEK")), *GENOAS]
    for mixed in (b"".join(others) + honest.certificates, honest.certificates + b"".join(others)):
        verdict = judge(but(honest, certificates=mixed))
        assert (verdict.exit_code, verdict.facts) == (0, judge(honest).facts)


def test_host_has_none_of_several_keys_that_is_this_report_s():
    honest = state("snp-up-to-date")
    for chips in ([Chip(name="chip 2"), Chip(name="chip 3")], [OLD, GENOA]):
        ders = [PKI.vcek(chip).der for chip in chips] + [PKI.authority("VCEK"), PKI.root]
        given = but(honest, certificates=b"".join(map(armoured, ders)))
        assert failures(judge(given)) == [("vek-certificates", "vek_several")]


def test_network_gives_a_key_of_its_own_the_name_of_the_chip_beside_the_honest_one():
    rogue = SnpPki(b"\7" * 32).vcek(Chip())
    honest = state("snp-up-to-date")
    for mixed in (
        armoured(rogue.der) + honest.certificates,
        honest.certificates + armoured(rogue.der),
    ):
        assert judge(but(honest, certificates=mixed)).exit_code == 0
    two = b"".join(map(armoured, (*rogue.chain, *PKI.vcek(Chip()).chain)))
    assert failures(judge(but(honest, certificates=two))) == [("vek-certificates", "vek_several")]


class _Confused(SnpPki):
    """A vendor that issues under the names of another product."""

    def _name(self, name: str) -> bytes:
        return super()._name(self.names.get(name, name))

    names: ClassVar[dict[str, str]] = {}


@pytest.mark.parametrize(
    "names",
    [
        {"ARK-Milan": "ARK-Genoa"},
        {"SEV-Milan": "SEV-Genoa"},
        {"ARK-Milan": "ARK-Genoa", "SEV-Milan": "SEV-Genoa"},
        {"SEV-Milan": "SEV-VLEK-Milan"},
        {"SEV-VCEK": "SEV-VLEK"},
        {"SEV-Milan": "SEV-Milano"},
    ],
)
def test_host_hangs_a_key_under_the_authorities_of_another_product(names):
    class Pki(_Confused):
        pass

    Pki.names = names
    verdict = judge(SnpMachine(Pki(PKI.seed)).evidence(REPORT_DATA))
    assert failures(verdict) == [("vek-chain", "vek_chain_names")]
    assert (
        verdict.check("vek-chain").expected
        == "SIMULATED SEV-VCEK, SIMULATED SEV-Milan, SIMULATED ARK-Milan"
    )
    Pki.names = {}
    assert judge(SnpMachine(Pki(PKI.seed)).evidence(REPORT_DATA)).exit_code == 0


def test_network_has_the_root_sign_a_key_without_an_authority():
    class Short(SnpPki):
        def _issue(self, subject, issuer, spki, **more):
            above = issuer if subject != "SEV-VCEK" else ("ARK-Milan", "ARK")
            return super()._issue(subject, above, spki, **more)

    leaf = Short(PKI.seed).vcek(Chip()).der
    given = SnpMachine(PKI).evidence(REPORT_DATA, chain=(leaf, PKI.root))
    assert failures(judge(given)) == [("vek-chain", "vek_chain_leaf")]


def test_network_certifies_a_key_of_its_own_with_a_chip_s_key():
    # The chip's certificate is put where an authority belongs: it may sign nothing.
    leaf, authority, root = PKI.vcek(Chip()).chain
    given = SnpMachine(PKI).evidence(REPORT_DATA, chain=(root, authority))
    assert judge(given).check("vek-certificates").code == "certificates_missing"
    given = SnpMachine(PKI).evidence(REPORT_DATA, chain=(leaf, leaf, root))
    assert judge(given).check("vek-certificates").code == "certificates_missing"


def test_network_passes_a_cloud_s_key_off_as_a_chip_s_by_the_wrong_authority():
    class Mixed(SnpPki):
        def authority(self, kind: str, product: str = "Milan") -> bytes:
            return super().authority("VLEK" if kind == "VCEK" else "VCEK", product)

    chain = Mixed(PKI.seed).vcek(Chip()).chain
    given = SnpMachine(PKI).evidence(REPORT_DATA, chain=chain)
    assert judge(given).exit_code in (2, 3)


def test_vendor_revokes_the_authority_and_the_host_may_not_use_an_old_list():
    assert failures(judge(state("snp-authority-revoked"))) == [("vek-revocation", "vek_ca_revoked")]
    assert failures(judge(state("snp-root-revoked"))) == [("vek-revocation", "ark_revoked")]
    assert failures(judge(state("snp-list-expired"))) == [("collateral-dates", "crl_expired")]
    assert failures(judge(state("snp-list-of-another-root"))) == [
        ("vek-revocation", "crl_signature")
    ]


def test_host_leaves_the_revocation_list_out_and_the_verdict_says_so():
    check = judge(state("snp-up-to-date")).check("vek-revocation")
    assert check.state == "not_checked"
    assert judge(state("snp-not-revoked")).check("vek-revocation").state == "passed"


def _list(*revoked: int, days: int = 1, product: str = "Milan", pki: SnpPki = PKI) -> bytes:
    issued = NOW.replace(microsecond=0) - timedelta(days=days)
    return armoured(pki.crl(revoked=revoked, issued=issued, product=product))


def _with_lists(*lists: bytes) -> Evidence:
    honest = state("snp-up-to-date")
    return but(honest, certificates=honest.certificates + b"".join(lists))


def test_host_lays_lists_of_other_products_beside_the_right_one():
    for mixed in ((_list(), _list(product="Genoa")), (_list(product="Turin"), _list())):
        assert judge(_with_lists(*mixed)).check("vek-revocation").state == "passed"
    # One of another product does not stand in for the right one, nor does it revoke here.
    check = judge(_with_lists(_list(65537, product="Genoa"))).check("vek-revocation")
    assert (check.state, check.detail) == ("not_checked", "only lists of other products came along")


def test_network_lays_a_list_of_its_own_beside_vendor_s_and_hides_nothing():
    rogue = SnpPki(b"\7" * 32)
    stranger = _list(65537, pki=rogue)
    assert judge(_with_lists(stranger, _list())).exit_code == 0
    for mixed in ((_list(pki=rogue), _list(65537)), (_list(65537), _list(days=0))):
        assert failures(judge(_with_lists(*mixed))) == [("vek-revocation", "vek_ca_revoked")]
    assert failures(judge(_with_lists(stranger))) == [("vek-revocation", "crl_signature")]


def test_host_leaves_out_the_list_that_the_policy_asks_for_or_gives_an_old_one():
    asks, bounds = OPT_IN.with_(revocation_list=True), OPT_IN.with_(max_collateral_age_days=10)
    given, fresh, old = _with_lists(), _with_lists(_list()), _with_lists(_list(days=11))
    other = _with_lists(_list(product="Genoa"))
    for lacking in (given, other):
        assert failures(judge(lacking, asks)) == [("revocation-list", "revocation_list_missing")]
        assert failures(judge(lacking, bounds)) == [("collateral-age", "collateral_age_unknown")]
    assert failures(judge(old, bounds)) == [("collateral-age", "collateral_too_old")]
    assert judge(old, asks).exit_code == 0
    assert judge(fresh, asks.with_(max_collateral_age_days=10)).exit_code == 0
    # An old one beside a fresh one is no harm, and the other way round no help.
    assert judge(_with_lists(_list(days=11), _list()), bounds).exit_code == 0


def test_network_hands_over_a_twin_as_new_evidence():
    honest, twin = judge(state("snp-up-to-date")), judge(state("snp-twin-signature"))
    assert (twin.exit_code, twin.subject) == (0, honest.subject)
    again = verify(state("snp-twin-signature"), policy=REFERENCE, now=NOW, seen={REPORT_DATA})
    assert failures(again) == [("replay", "report_data_reused")]


@pytest.mark.parametrize("number", [0, ORDER, ORDER + 1, 2**384 - 1])
@pytest.mark.parametrize("at", [0x2A0, 0x2A0 + 72])
def test_network_gives_a_signature_whose_numbers_are_out_of_range(number, at):
    honest = state("snp-up-to-date")
    forged = honest.quote[:at] + number.to_bytes(72, "little") + honest.quote[at + 72 :]
    verdict = judge(but(honest, quote=forged))
    assert failures(verdict) == [("report-signature", "report_signature_range")]


def test_network_appends_and_hides_bytes_in_a_report():
    honest = state("snp-up-to-date")
    with pytest.raises(Malformed):
        judge(but(honest, quote=honest.quote + b"\0"))
    with pytest.raises(Malformed):
        judge(state("snp-unsigned-bytes"))


def test_network_sends_too_much():
    honest = state("snp-up-to-date")
    flood = honest.certificates + b"\n" * (1 << 20)
    assert failures(judge(but(honest, certificates=flood))) == [
        ("vek-certificates", "certificates_malformed")
    ]
    with pytest.raises((TooLarge, Malformed)):
        identify(honest.quote * 10_000)


def test_workload_binds_nothing_or_another_nonce():
    zero = SnpMachine(PKI).evidence(bytes(64))
    check = judge(zero, OPT_IN).check("report-data")
    assert (check.state, "bound to nothing" in check.detail or "all zero" in check.detail) == (
        "not_checked",
        True,
    )
    bound = SnpMachine(PKI).evidence(report_data_for(KEYSET, nonce="mine"))
    mine = OPT_IN.with_(nonce="mine", keyset_digest=KEYSET)
    assert judge(bound, mine).exit_code == 0
    assert failures(judge(bound, mine.with_(nonce="another"))) == [
        ("report-data", "report_data_mismatch")
    ]
    assert judge(zero, mine).exit_code == 4


def test_client_holds_a_policy_for_tdx_against_a_guest_and_it_is_no_weaker():
    given = state("snp-up-to-date")
    roots = [PKI.root_fingerprint]
    for name in ("standard", "strict", "dstack", "azure", "sgx"):
        policy = load_policy(name).with_(roots=[], simulated_roots=roots)
        assert "tee" in [check for check, _ in failures(judge(given, policy))]
    ours = OPT_IN.with_(simulated_roots=[PLATFORM.root_fingerprint], measurement=["00" * 48])
    assert failures(judge(state("up-to-date"), ours)) == [("tee", "policy_for_sev_snp")]


def test_operator_pins_a_product_that_has_no_minimum():
    policy = OPT_IN.with_(minimum_tcb=[{"product": "Genoa", "snp": 1}])
    assert failures(judge(state("snp-up-to-date"), policy)) == [
        ("minimum-tcb", "minimum_tcb_unset")
    ]


def test_host_is_known_by_its_chip_and_blocked():
    platform = judge(state("snp-up-to-date")).facts["platform"]["id"]
    blocked = OPT_IN.with_(blocked_platforms=[platform])
    assert failures(judge(state("snp-up-to-date"), blocked)) == [
        ("platform-lists", "platform_blocked")
    ]
    listed = OPT_IN.with_(allowed_platforms=[platform])
    assert judge(state("snp-up-to-date"), listed).exit_code == 0
    assert failures(judge(state("snp-masked-chip-id"), listed)) == [
        ("platform-lists", "platform_not_allowed")
    ]


@pytest.mark.parametrize(
    ("at", "which"), [(0x38, "current"), (0x1E0, "committed"), (0x1F0, "launch")]
)
def test_host_launches_the_guest_on_old_firmware_and_updates_it_before_the_report(at, which):
    """The reported firmware is new; what ran at launch, or can be put back, is not."""
    body = bytearray(write_body(Chip(), SnpGuest(), REPORT_DATA))
    body[at : at + 8] = bytes(8)
    honest = state("snp-up-to-date")
    report = write_report(bytes(body), PKI.vcek(Chip()).key)
    verdict = judge(Evidence(quote=report, certificates=honest.certificates))
    assert failures(verdict) == [("minimum-tcb", "minimum_tcb_below")]
    assert f"{which} firmware" in verdict.check("minimum-tcb").detail


def test_vendor_writes_a_certificate_that_never_ends():
    for seconds in (253_402_300_799, 1 << 40):
        window = Window("certificate", "certificate", 0, seconds)
        assert check_dates("certificate-dates", [window], 1_800_000_000).state == "passed"
