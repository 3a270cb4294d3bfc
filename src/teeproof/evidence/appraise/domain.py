"""Hold a trust domain against a policy: who can look inside, and what was started in it.

Trusts: facts of a verified quote.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

from teeproof.evidence.appraise.expect import any_of, flag
from teeproof.evidence.appraise.kind import check_kind
from teeproof.evidence.policy import Policy
from teeproof.evidence.recognise import Kind
from teeproof.evidence.tdx.facts import TdxFacts
from teeproof.evidence.tdx.layout import TdReport15
from teeproof.evidence.verdict import Check, failed, passed

__all__ = ["checks"]


def checks(facts: TdxFacts, policy: Policy, *, kind: Kind = "tdx") -> list[Check]:
    """Return the checks of attributes and measurements; ``kind`` is that of the evidence."""
    attributes, body = facts.attributes, facts.body
    rtmrs = body.rtmrs
    return [
        check_kind(kind, policy),
        _unknown_attributes(facts),
        flag(
            "debug",
            policy.debug,
            attributes.debug,
            on="the host can read and change the domain's memory",
            off="the host cannot look into the domain",
        ),
        flag(
            "migration",
            policy.migration,
            attributes.migratable,
            on="the domain can be moved to another machine",
            off="the domain cannot leave its machine",
        ),
        flag(
            "service-td",
            policy.service_td,
            facts.service_td,
            on="a service TD is bound to the domain, or may be, and shares its secrets",
            off="no service TD is bound to the domain"
            if isinstance(body, TdReport15)
            else "a TD report 1.0 has no place for a service TD; it could only migrate the domain",
        ),
        flag(
            "sept-ve-disable",
            policy.sept_ve_disable,
            attributes.sept_ve_disable,
            on="the host cannot inject memory faults into the guest",
            off="the host can inject memory faults into the guest, unless a paravisor takes them",
        ),
        any_of("mrtd", policy.mrtd, body.mrtd.hex(), what="firmware (MRTD)"),
        any_of("mrseam", policy.mrseam, body.mrseam.hex(), what="TDX module (MRSEAM)"),
        any_of("rtmr0", policy.rtmr0, rtmrs[0].hex(), what="virtual hardware (RTMR0)"),
        any_of("rtmr1", policy.rtmr1, rtmrs[1].hex(), what="kernel (RTMR1)"),
        any_of(
            "rtmr2", policy.rtmr2, rtmrs[2].hex(), what="kernel command line and initrd (RTMR2)"
        ),
        any_of("rtmr3", policy.rtmr3, rtmrs[3].hex(), what="application (RTMR3)"),
        any_of("mrconfigid-value", policy.mrconfigid, body.mrconfigid.hex(), what="MRCONFIGID"),
        any_of("mrowner", policy.mrowner, body.mrowner.hex(), what="MROWNER"),
        any_of(
            "mrownerconfig", policy.mrownerconfig, body.mrownerconfig.hex(), what="MROWNERCONFIG"
        ),
        *_enclave(policy),
    ]


def _enclave(policy: Policy) -> list[Check]:
    """A trust domain is no enclave: what a policy for SGX expects, it cannot meet."""
    asked = {"mrenclave": policy.mrenclave, "mrsigner": policy.mrsigner}
    return [
        any_of(name, allowed, None, what=f"enclave ({name.upper()})")
        for name, allowed in asked.items()
        if allowed is not None
    ]


def _unknown_attributes(facts: TdxFacts) -> Check:
    unknown = facts.attributes.unknown
    if unknown:
        return failed(
            "td-attributes",
            "td_attributes_unknown",
            "the domain has attributes that no specification known to this version defines, so "
            "nobody can say what they open: update teeproof",
            "policy",
            expected="no reserved bit",
            got=f"{unknown:#018x}",
        )
    names = ", ".join(facts.attributes.names) or "none"
    return passed("td-attributes", f"every attribute that is set is known: {names}", "policy")
