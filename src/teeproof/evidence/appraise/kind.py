"""Hold the kind of evidence against a policy: what a kind cannot show is not met, never ignored.

Each kind of evidence answers some fields of a policy. A policy that sets another field was written
for another kind: to pass over that field would make the policy weaker.

Trusts: the policy.  Does not trust: nothing else comes in.
"""

from __future__ import annotations

from typing import NamedTuple

from teeproof.evidence.policy import Policy
from teeproof.evidence.recognise import Kind
from teeproof.evidence.verdict import Check, failed, not_checked, passed

__all__ = ["ANSWERED", "check_kind"]

_EVERY = frozenset({
    "name", "description", "tee", "roots", "simulated_roots", "debug", "report_data", "nonce",
    "keyset_digest", "nonce_issued_at", "max_age_seconds",
    "gpu",  # of what comes beside a machine's evidence
})  # fmt: skip
_TDX_MACHINE = frozenset({
    "tcb_statuses", "tcb_grace_days", "denied_advisories", "tcb_evaluation_floor",
    "max_collateral_age_days", "second_path", "migration", "service_td", "sept_ve_disable",
    "dynamic_platform", "cached_keys", "smt", "mrtd", "mrseam", "rtmr0", "rtmr1", "rtmr2", "rtmr3",
    "mrconfigid", "mrowner", "mrownerconfig", "allowed_platforms", "blocked_platforms",
})  # fmt: skip
_SNP_MACHINE = frozenset({
    "products", "minimum_tcb", "revocation_list", "max_collateral_age_days", "vlek",
    "masked_chip_id", "ciphertext_hiding", "migration", "smt", "single_socket", "vmpl",
    "minimum_guest_svn", "measurement", "host_data", "family_id", "image_id", "id_key_digest",
    "author_key_digest", "allowed_platforms", "blocked_platforms",
})  # fmt: skip
_BOOT = frozenset({"tpm", "boot"})
ANSWERED: dict[Kind, frozenset[str]] = {
    "tdx": _EVERY | _TDX_MACHINE | _BOOT | {
        "event_log", "compose_hash", "compose_images_pinned", "app_id", "instance_id",
        "os_image_hash", "key_provider", "key_provider_id", "mr_system", "mr_aggregated",
        "mrenclave", "mrsigner",  # it has none, and its own checks say so
    },
    "sgx": _EVERY | {"tcb_statuses", "denied_advisories", "mrenclave", "mrsigner"},
    "sev-snp": _EVERY | _SNP_MACHINE,
    "nitro": _EVERY - {"report_data"} | {
        "pcr0", "pcr1", "pcr2", "pcr3", "pcr4", "pcr8", "user_data",
    },
    "nvidia": _EVERY - {"debug"},
    "tpm": _EVERY - {"debug"} | _BOOT,  # a machine has no debug mode that its TPM would tell of
    "azure-tdx": _EVERY | _TDX_MACHINE | _BOOT,
    "azure-snp": _EVERY | _SNP_MACHINE | _BOOT,
    "cca": _EVERY - {"debug"} | {"cca", "allowed_platforms", "blocked_platforms"},
}  # fmt: skip
"""The fields of a policy that each kind of evidence can answer."""


class _Words(NamedTuple):
    """A kind of evidence in words: its vendor's name for it, and what one piece of it is."""

    name: str
    piece: str


_WORDS: dict[Kind, _Words] = {
    "tdx": _Words("TDX", "a TDX trust domain"),
    "sgx": _Words("SGX", "an SGX enclave"),
    "sev-snp": _Words("SEV-SNP", "an SEV-SNP guest"),
    "nitro": _Words("Nitro", "a Nitro enclave"),
    "nvidia": _Words("NVIDIA", "the evidence of NVIDIA GPUs or switches"),
    "tpm": _Words("TPM", "a machine with a TPM"),
    "azure-tdx": _Words("Azure TDX", "an Azure machine on TDX"),
    "azure-snp": _Words("Azure SEV-SNP", "an Azure machine on SEV-SNP"),
    "cca": _Words("Arm CCA", "an Arm CCA realm"),
}


def check_kind(kind: Kind, policy: Policy) -> Check:
    """Return the check that the policy was written for this kind of evidence."""
    asked = [
        field
        for field in policy.__struct_fields__
        if field not in ANSWERED[kind] and getattr(policy, field) is not None
    ]
    if asked or policy.tee not in (None, kind):
        meant = policy.tee if policy.tee not in (None, kind) else _owner(asked[0])
        return failed(
            "tee",
            *_another(meant or kind, _WORDS[kind].name),
            "policy",
            expected=", ".join(asked) or policy.tee,
            got=kind,
        )
    if policy.tee is None:
        return not_checked(
            "tee", "the policy does not say which kind of machine", "policy", got=kind
        )
    return passed("tee", f"{_WORDS[kind].piece}, as the policy expects", "policy", got=kind)


def _owner(field: str) -> Kind:
    return next(kind for kind, fields in ANSWERED.items() if field in fields)


def _another(meant: Kind, given: str) -> tuple[str, str]:  # noqa: PLR0911  one for each kind
    """Return code and sentence for a policy that was written for another kind."""
    rest = f"and expects what no {given} evidence shows, or looks at little of it"
    if meant == "sgx":
        return "policy_for_sgx", f"the policy is for SGX, {rest}: use one for {given}"
    if meant == "sev-snp":
        return "policy_for_sev_snp", f"the policy is for SEV-SNP, {rest}: use one for {given}"
    if meant == "nitro":
        return "policy_for_nitro", f"the policy is for Nitro, {rest}: use one for {given}"
    if meant == "nvidia":
        return "policy_for_nvidia", f"the policy is for GPUs alone, {rest}: use one for {given}"
    if meant == "tpm":
        return "policy_for_tpm", f"the policy is for TPMs, {rest}: use one for {given}"
    if meant == "azure-tdx":
        return "policy_for_azure_tdx", f"the policy is for Azure TDX, {rest}: use one for {given}"
    if meant == "azure-snp":
        return "policy_for_azure_snp", f"the policy is for Azure SNP, {rest}: use one for {given}"
    if meant == "cca":
        return "policy_for_cca", f"the policy is for Arm CCA, {rest}: use one for {given}"
    return "policy_for_tdx", f"the policy is for TDX, {rest}: use one for {given}"
