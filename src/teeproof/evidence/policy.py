"""What a relying party expects, as a plain record: one field per expectation.

What is not set is not checked, and the verdict says so. An unknown key is an error: a policy with a
spelling mistake must never become a weaker policy.

Trusts: whoever wrote the policy.  Does not trust: the evidence; nothing here comes from it.
"""

from __future__ import annotations

import tomllib
from datetime import date
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

import msgspec

from teeproof.core import strictjson
from teeproof.core.digests import named, sha256
from teeproof.core.errors import TooLarge, Usage

__all__ = ["BUILT_IN", "INTEL_ROOT", "Floor", "Policy", "TcbStatus", "load_policy", "parse_policy"]

MAX_POLICY_BYTES = 256 << 10

# SHA-256 of the SubjectPublicKeyInfo of "Intel SGX Root CA" (valid 2018-05-21 to 2049-12-31), the
# root of every SGX and TDX certificate; certificate: Intel PCS, Intel_SGX_Provisioning_Certification_RootCA.
INTEL_ROOT = "sha256:a0af031289f5d5d4132f9186068a7fc13628633ba235777472e29b6b6c67a49e"

TcbStatus = Literal[
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
    "TDRelaunchAdvised",
    "TDRelaunchAdvisedConfigurationNeeded",
]
"""Statuses that a policy may allow. ``Revoked`` is not among them: nobody can allow it."""


class Floor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """From this day on, collateral must carry at least this evaluation number."""

    since: date
    number: int


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Expectations about one piece of evidence; a field that is None (or empty) is not checked.

    Digests and measurements are lower-case hex. A tuple means "any of these".

    Attributes:
        name: what the verdict calls this policy.
        description: one sentence for people.
        roots: fingerprints (``sha256:…`` of the SubjectPublicKeyInfo) of trusted vendor roots.
        simulated_roots: fingerprints of simulators' roots that are accepted, as simulated.
        tcb_statuses: platform statuses that are allowed.
        tcb_grace_days: per status, for how many days after the date of the platform's TCB level the
            status is still allowed although ``tcb_statuses`` does not list it.
        denied_advisories: advisories (``INTEL-SA-…``) that may not apply to the platform.
        tcb_evaluation_floor: the least ``tcbEvaluationDataNumber`` that collateral must carry at T.
        max_collateral_age_days: the oldest accepted issue date of TCB info, counted back from T.
        second_path: True: a second verifier must have run and agreed.
        debug: whether the domain must (True) or must not (False) be debuggable.
        migration: the same for migratable domains.
        service_td: the same for a bound service TD.
        sept_ve_disable: True: the host may not inject memory faults (Linux guests rely on it).
        dynamic_platform: expectation about multi-package platforms (PCK extension).
        cached_keys: expectation about platform keys cached by Intel (PCK extension).
        smt: expectation about simultaneous multithreading (PCK extension).
        mrtd: any of these initial measurements.
        mrseam: any of these TDX modules.
        rtmr0: any of these values; likewise ``rtmr1``, ``rtmr2``, ``rtmr3``.
        mrconfigid: any of these values; likewise ``mrowner``, ``mrownerconfig``.
        event_log: True: an event log must be given and replay to all four RTMRs.
        compose_hash: any of these dstack app-compose digests.
        compose_images_pinned: True: every image of the compose file is named by digest.
        app_id: any of these dstack application ids.
        instance_id: any of these dstack instance ids.
        os_image_hash: any of these dstack OS images; development images are simply not listed.
        key_provider: any of ``kms``, ``local-sgx``, ``tpm``, ``none``.
        key_provider_id: any of these providers (for a KMS, its public key).
        mr_system: any of these dstack system digests.
        mr_aggregated: any of these dstack aggregate digests.
        report_data: exactly these 64 bytes.
        nonce: the verifier's own nonce; report_data must be the binding of it and ``keyset_digest``.
        keyset_digest: ``sha256:…`` of the workload's keyset, which its key document determines.
        nonce_issued_at: when the verifier issued the nonce, RFC 3339.
        max_age_seconds: the greatest age of the evidence, known through the nonce.
        allowed_platforms: any of these platform ids (``sha256:…`` of the PPID).
        blocked_platforms: none of these platform ids.
    """

    name: str = "unnamed"
    description: str = ""
    roots: tuple[str, ...] = (INTEL_ROOT,)
    simulated_roots: tuple[str, ...] = ()
    tcb_statuses: tuple[TcbStatus, ...] | None = None
    tcb_grace_days: dict[TcbStatus, int] | None = None
    denied_advisories: tuple[str, ...] | None = None
    tcb_evaluation_floor: tuple[Floor, ...] | None = None
    max_collateral_age_days: int | None = None
    second_path: Literal[True] | None = None
    debug: bool | None = None
    migration: bool | None = None
    service_td: bool | None = None
    sept_ve_disable: bool | None = None
    dynamic_platform: bool | None = None
    cached_keys: bool | None = None
    smt: bool | None = None
    mrtd: tuple[str, ...] | None = None
    mrseam: tuple[str, ...] | None = None
    rtmr0: tuple[str, ...] | None = None
    rtmr1: tuple[str, ...] | None = None
    rtmr2: tuple[str, ...] | None = None
    rtmr3: tuple[str, ...] | None = None
    mrconfigid: tuple[str, ...] | None = None
    mrowner: tuple[str, ...] | None = None
    mrownerconfig: tuple[str, ...] | None = None
    event_log: Literal[True] | None = None
    compose_hash: tuple[str, ...] | None = None
    compose_images_pinned: Literal[True] | None = None
    app_id: tuple[str, ...] | None = None
    instance_id: tuple[str, ...] | None = None
    os_image_hash: tuple[str, ...] | None = None
    key_provider: tuple[str, ...] | None = None
    key_provider_id: tuple[str, ...] | None = None
    mr_system: tuple[str, ...] | None = None
    mr_aggregated: tuple[str, ...] | None = None
    report_data: str | None = None
    nonce: str | None = None
    keyset_digest: str | None = None
    nonce_issued_at: str | None = None
    max_age_seconds: int | None = None
    allowed_platforms: tuple[str, ...] | None = None
    blocked_platforms: tuple[str, ...] | None = None

