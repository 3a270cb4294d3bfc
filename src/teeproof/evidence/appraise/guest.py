"""Hold an SEV-SNP guest and the machine below it against a policy.

Trusts: facts of a verified report.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

from teeproof.evidence.appraise import revocation
from teeproof.evidence.appraise.expect import any_of, flag
from teeproof.evidence.appraise.kind import check_kind
from teeproof.evidence.appraise.platform import listed, simulated_root
from teeproof.evidence.policy import Policy
from teeproof.evidence.recognise import Kind
from teeproof.evidence.sev_snp.facts import TCBS, SnpFacts
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["checks"]


def checks(facts: SnpFacts, policy: Policy, *, now: int, kind: Kind = "sev-snp") -> list[Check]:
    """Return the checks of machine and guest.

    Args:
        facts: of a verified report.
        policy: expectations.
        now: the T of the verdict, since 1970.
        kind: of the evidence that the report came in.
    """
    machine = _machine(facts, policy, now)
    return [*machine, *_guest(facts, policy, kind), *_identity(facts, policy)]


def _machine(facts: SnpFacts, policy: Policy, now: int) -> list[Check]:
    vek = facts.vek
    return [
        *simulated_root(facts.level, facts.root, policy),
        _minimum_tcb(facts, policy),
        *revocation.checks(facts.list_issued, policy, now=now),
        flag(
            "smt",
            policy.smt,
            facts.smt,
            on="two threads share each core",
            off="each core runs one thread",
        ),
        listed(facts.platform_id, policy),
        any_of("product", policy.products, vek.product, what="AMD processor"),
        flag(
            "masked-chip-id",
            policy.masked_chip_id,
            facts.body.masked,
            on="the host hides which chip it is",
            off="the report names the chip",
        ),
        flag(
            "ciphertext-hiding",
            policy.ciphertext_hiding,
            facts.ciphertext_hiding,
            on="the host cannot even read the encrypted memory",
            off="the host can read the encrypted memory, and watch it change",
        ),
        flag(
            "vlek",
            policy.vlek,
            vek.kind == "VLEK",
            on="signed by a key that AMD lent to a cloud, which could sign for any of its machines",
            off="signed by the chip's own key",
        ),
    ]


def _guest(facts: SnpFacts, policy: Policy, kind: Kind) -> list[Check]:
    return [
        check_kind(kind, policy),
        _reserved(facts),
        flag(
            "debug",
            policy.debug,
            facts.debug,
            on="the host can read and change the guest's memory",
            off="the host cannot look into the guest",
        ),
        flag(
            "migration",
            policy.migration,
            facts.migratable,
            on="a migration agent can move the guest, with its memory, to another machine",
            off="the guest cannot leave its machine",
        ),
        flag(
            "single-socket",
            policy.single_socket,
            facts.single_socket,
            on="the guest runs on one socket only",
            off="the guest may run on several sockets",
        ),
        _vmpl(facts, policy),
        _guest_svn(facts, policy),
    ]


def _identity(facts: SnpFacts, policy: Policy) -> list[Check]:
    body = facts.body
    return [
        any_of("measurement", policy.measurement, body.measurement.hex(), what="initial memory"),
        any_of("host-data", policy.host_data, body.host_data.hex(), what="HOST_DATA"),
        any_of("family-id", policy.family_id, body.family_id.hex(), what="FAMILY_ID"),
        any_of("image-id", policy.image_id, body.image_id.hex(), what="IMAGE_ID"),
        any_of(
            "id-key-digest",
            policy.id_key_digest,
            body.id_key_digest.hex(),
            what="key that signed the guest's ID block",
        ),
        any_of(
            "author-key-digest",
            policy.author_key_digest,
            body.author_key_digest.hex(),
            what="author of the guest's ID block",
        ),
    ]


def _minimum_tcb(facts: SnpFacts, policy: Policy) -> Check:
    reported = facts.tcb("reported")
    if policy.minimum_tcb is None:
        return not_checked(
            "minimum-tcb",
            "AMD publishes no signed list of which firmware is up to date, and the policy sets no"
            " minimum: nobody says whether known flaws are open on this machine",
            "policy",
            got=str(reported),
        )
    least = next((m.parts for m in policy.minimum_tcb if m.product == reported.product), None)
    if least is None:
        return failed(
            "minimum-tcb",
            "minimum_tcb_unset",
            f"the policy sets a minimum for other products, and none for {reported.product}",
            "policy",
            expected=" or ".join(m.product for m in policy.minimum_tcb) or "no product",
            got=reported.product,
        )
    for which in TCBS:  # of old firmware that ran at launch, or may come back, nothing else tells
        found = facts.tcb(which)
        below = [part for part, number in least.items() if found.parts[part] < number]
        if below:
            return failed(
                "minimum-tcb",
                "minimum_tcb_below",
                f"the machine's {which} firmware is older than the policy allows"
                f" ({', '.join(below)}): its owner must update it, and start the guest anew",
                "policy",
                expected="at least " + ", ".join(f"{part} {least[part]}" for part in least),
                got=str(found),
            )
    return passed(
        "minimum-tcb", "no part is below the policy's minimum", "policy", got=str(reported)
    )


def _reserved(facts: SnpFacts) -> Check:
    if facts.reserved:
        return failed(
            "reserved-bits",
            "reserved_bits_set",
            "the report sets what no specification known to this version defines, so nobody can"
            " say what it opens: update teeproof",
            "policy",
            expected="zero where the specification reserves",
            got="; ".join(facts.reserved),
        )
    return passed("reserved-bits", "nothing is set that the specification reserves", "policy")


def _vmpl(facts: SnpFacts, policy: Policy) -> Check:
    level = facts.body.vmpl
    if policy.vmpl is None:
        why = "the policy does not say which privilege level may ask"
        return not_checked("vmpl", why, "policy", got=str(level))
    if level not in policy.vmpl:
        return failed(
            "vmpl",
            "vmpl_mismatch",
            f"software at privilege level {level} asked for this report, and what it says of itself"
            " may differ from what the levels above it know",
            "policy",
            expected=" or ".join(map(str, policy.vmpl)) or "nothing: the policy's list is empty",
            got=str(level),
        )
    return passed("vmpl", f"asked for at privilege level {level}", "policy", got=str(level))


def _guest_svn(facts: SnpFacts, policy: Policy) -> Check:
    number = facts.body.guest_svn
    if policy.minimum_guest_svn is None:
        return not_checked("guest-svn", "the policy sets no minimum", "policy", got=str(number))
    if number < policy.minimum_guest_svn:
        return failed(
            "guest-svn",
            "guest_svn_below",
            "the guest is an older version than the policy allows: its owner must update it",
            "policy",
            expected=f"at least {policy.minimum_guest_svn}",
            got=str(number),
        )
    return passed("guest-svn", "at least the policy's minimum", "policy", got=str(number))
