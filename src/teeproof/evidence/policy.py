"""What a relying party expects, as a plain record: one field per expectation.

What is not set is not checked, and the verdict says so. An unknown key is an error: a policy with a
spelling mistake must never become a weaker policy.

Trusts: whoever wrote the policy.  Does not trust: the evidence; nothing here comes from it.
"""

from __future__ import annotations

from datetime import datetime
from importlib import resources
from typing import Any, Literal, get_args

import msgspec

from teeproof.core import stricttoml
from teeproof.core.errors import Malformed, TooLarge, Usage
from teeproof.evidence.policy_digests import digest_of, roots_digest_of
from teeproof.evidence.policy_forms import (
    check_forms,
    check_together,
    check_written,
    in_words,
    wrong,
)
from teeproof.evidence.policy_tables import (
    BootPolicy,
    CcaPolicy,
    GpuPolicy,
    TpmPolicy,
    check_tables,
    written,
)
from teeproof.evidence.policy_values import INTEL_ROOT, Floor, MinimumTcb, TcbStatus, Tee
from teeproof.evidence.sev_snp.tcb import Product

__all__ = [
    "BUILT_IN", "INTEL_ROOT", "Floor", "Policy", "TcbStatus", "load_policy",
    "parse_policy", "policy_text",
]  # fmt: skip

MAX_POLICY_BYTES = 64 << 10

_TOLD_BY_GUEST = (
    "compose_hash", "compose_images_pinned", "app_id", "instance_id", "os_image_hash",
    "key_provider", "key_provider_id",
)  # fmt: skip


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Expectations about one piece of evidence; a field that is None is not checked.

    Digests and measurements are lower-case hex. A tuple means "any of these"; an empty one allows
    nothing, or denies nothing.

    Attributes:
        name: what the verdict calls this policy.
        description: one sentence for people.
        tee: which kind of machine it must be: ``tdx``, ``sgx``, ``sev-snp``, ``nitro``, ``nvidia``,
            ``tpm``, ``azure-tdx``, ``azure-snp`` or ``cca``.
        roots: fingerprints (``sha256:…`` of the SubjectPublicKeyInfo) of trusted vendor roots.
        simulated_roots: fingerprints of simulators' roots that are accepted, as simulated.
        tcb_statuses: platform statuses that are allowed.
        tcb_grace_days: per status, for how many days after the date of the platform's TCB level the
            status is still allowed although ``tcb_statuses`` does not list it.
        denied_advisories: advisories (``INTEL-SA-…``) that may not apply to the platform.
        tcb_evaluation_floor: the least ``tcbEvaluationDataNumber`` that collateral must carry at T.
        max_collateral_age_days: the greatest age of TCB info, or of AMD's revocation list, at T.
        products: any of these AMD processors: ``Milan``, ``Genoa``, ``Turin``.
        minimum_tcb: per AMD product, the least security versions of its firmware; AMD publishes no
            signed list of what is up to date, so only a policy can say.
        revocation_list: true if AMD's revocation list must have come along and hold.
        vlek: false if only the chip's own key (VCEK) may sign, and none that a cloud was lent.
        masked_chip_id: false if the host may not hide which chip it is.
        ciphertext_hiding: true if the host may not even read the encrypted memory.
        second_path: true if a second verifier must have run and found every signature good.
        debug: false if the host may not be able to look into the domain.
        migration: false if the domain may not be able to move to another machine.
        service_td: false if no service TD may be bound to the domain.
        sept_ve_disable: true if the host may not inject memory faults; Linux guests rely on it.
        dynamic_platform: false if processors may not be added to the platform.
        cached_keys: false if Intel may not keep a copy of the platform's root keys.
        smt: false if two threads may not share a core.
        single_socket: true if the guest may run on one socket only.
        vmpl: any of these privilege levels of whoever asked for the report; 0 is the highest.
        minimum_guest_svn: the least security version of the guest, by its ID block.
        measurement: any of these digests of an SEV-SNP guest's initial memory.
        host_data: any of these 32 bytes, set by the host at launch.
        family_id: any of these 16 bytes of the guest's ID block; likewise ``image_id``.
        id_key_digest: any of these SHA-384 digests of the key that signed the guest's ID block.
        author_key_digest: any of these SHA-384 digests of the key that certified that ID key.
        mrtd: any of these initial measurements.
        mrseam: any of these TDX modules.
        mrenclave: any of these SGX enclaves.
        mrsigner: any of these signers of SGX enclaves.
        pcr0: any of these images of a Nitro enclave.
        pcr1: any of these kernels, with their boot ramdisk, of a Nitro enclave.
        pcr2: any of these applications of a Nitro enclave.
        pcr3: any of these roles of the instance beside a Nitro enclave.
        pcr4: any of these instances beside a Nitro enclave.
        pcr8: any of these signers of a Nitro enclave's image.
        rtmr0: any of these values; likewise ``rtmr1``, ``rtmr2``, ``rtmr3``.
        mrconfigid: any of these values; likewise ``mrowner``, ``mrownerconfig``.
        event_log: true if an event log must be given and replay to all four RTMRs.
        compose_hash: any of these dstack app-compose digests. This and the following, up to
            ``key_provider_id``, are the guest's own word: they need its image pinned (``mrtd``,
            ``rtmr1`` and ``rtmr2``, or ``mr_system``, or ``mr_aggregated``).
        compose_images_pinned: true if every image of the compose file must be named by digest.
        app_id: any of these dstack application ids.
        instance_id: any of these dstack instance ids.
        os_image_hash: any of these dstack OS images; development images are simply not listed.
        key_provider: any of ``kms``, ``local-sgx``, ``tpm``, ``none``.
        key_provider_id: any of these providers (for a KMS, its public key).
        mr_system: any of these dstack system digests.
        mr_aggregated: any of these dstack aggregate digests.
        report_data: exactly these 64 bytes.
        user_data: exactly these bytes of a Nitro document, hex.
        nonce: the verifier's own; report_data must be the binding of it and ``keyset_digest``. A
            Nitro document must carry it, and bind both in its user data if a keyset is expected.
        keyset_digest: ``sha256:…`` of the workload's keyset, which its key document determines.
        nonce_issued_at: when the verifier issued the nonce, RFC 3339.
        max_age_seconds: the greatest age, by the nonce or by a Nitro document's own time.
        allowed_platforms: any of these platform ids: ``sha256:…`` of the PPID, or of AMD's chip id.
        blocked_platforms: none of these platform ids.
        gpu: what is expected of NVIDIA GPUs and switches, a table of its own.
        tpm: what is expected of a TPM, likewise.
        boot: what is expected of the boot, by a firmware's log, likewise.
        cca: what is expected of an Arm CCA realm and its platform, likewise.
    """

    name: str = "unnamed"
    description: str = ""
    tee: Tee | None = None
    roots: tuple[str, ...] = (INTEL_ROOT,)
    simulated_roots: tuple[str, ...] = ()
    tcb_statuses: tuple[TcbStatus, ...] | None = None
    tcb_grace_days: tuple[tuple[TcbStatus, int], ...] | None = None
    denied_advisories: tuple[str, ...] | None = None
    tcb_evaluation_floor: tuple[Floor, ...] | None = None
    max_collateral_age_days: int | None = None
    products: tuple[Product, ...] | None = None
    minimum_tcb: tuple[MinimumTcb, ...] | None = None
    revocation_list: Literal[True] | None = None
    vlek: bool | None = None
    masked_chip_id: bool | None = None
    ciphertext_hiding: bool | None = None
    second_path: Literal[True] | None = None
    debug: bool | None = None
    migration: bool | None = None
    service_td: bool | None = None
    sept_ve_disable: bool | None = None
    dynamic_platform: bool | None = None
    cached_keys: bool | None = None
    smt: bool | None = None
    single_socket: bool | None = None
    vmpl: tuple[int, ...] | None = None
    minimum_guest_svn: int | None = None
    measurement: tuple[str, ...] | None = None
    host_data: tuple[str, ...] | None = None
    family_id: tuple[str, ...] | None = None
    image_id: tuple[str, ...] | None = None
    id_key_digest: tuple[str, ...] | None = None
    author_key_digest: tuple[str, ...] | None = None
    mrtd: tuple[str, ...] | None = None
    mrseam: tuple[str, ...] | None = None
    mrenclave: tuple[str, ...] | None = None
    mrsigner: tuple[str, ...] | None = None
    pcr0: tuple[str, ...] | None = None
    pcr1: tuple[str, ...] | None = None
    pcr2: tuple[str, ...] | None = None
    pcr3: tuple[str, ...] | None = None
    pcr4: tuple[str, ...] | None = None
    pcr8: tuple[str, ...] | None = None
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
    user_data: str | None = None
    nonce: str | None = None
    keyset_digest: str | None = None
    nonce_issued_at: datetime | None = None
    max_age_seconds: int | None = None
    allowed_platforms: tuple[str, ...] | None = None
    blocked_platforms: tuple[str, ...] | None = None
    gpu: GpuPolicy | None = None
    tpm: TpmPolicy | None = None
    boot: BootPolicy | None = None
    cca: CcaPolicy | None = None

    def __post_init__(self) -> None:
        """Check forms, however the policy was made; Usage names the field."""
        check_forms(self)
        check_together(self)

    @property
    def digest(self) -> str:
        """``sha256:…`` of the canonical form: the same expectations always have the same digest."""
        return digest_of(self)

    @property
    def roots_digest(self) -> str:
        """``sha256:…`` of all root fingerprints that the policy pins."""
        return roots_digest_of(self)

    @property
    def told_by_guest(self) -> tuple[str, ...]:
        """The fields that are set and that only the guest's own event log can answer."""
        return tuple(name for name in _TOLD_BY_GUEST if getattr(self, name) is not None)

    @property
    def pins_guest(self) -> bool:
        """Whether the policy knows the guest's image: firmware, kernel, command line and initrd."""
        parts = self.mrtd and self.rtmr1 and self.rtmr2
        return bool(parts or self.mr_system or self.mr_aggregated)

    def to_json(self) -> dict[str, Any]:
        """Return the fields that are set."""
        return written(self)

    def with_(self, **changes: Any) -> Policy:
        """Return a copy with some expectations changed, checked like a new policy."""
        return _checked(self.to_json() | changes)


def parse_policy(text: str | bytes) -> Policy:
    """Return the policy in a TOML document.

    Raises:
        Usage: not TOML, an unknown key, or a value of the wrong form.
        TooLarge: more than ``MAX_POLICY_BYTES``.
    """
    try:
        value = stricttoml.loads(text, limit=MAX_POLICY_BYTES, what="policy")
    except TooLarge:
        raise
    except Malformed as error:
        raise wrong(f"not a TOML document: {error.got}") from None
    return _checked(value)


def load_policy(name: str) -> Policy:
    """Return a built-in policy.

    Raises:
        Usage: there is none of this name.
    """
    if name not in BUILT_IN:
        raise Usage(
            "there is no built-in policy of this name: name one, or a TOML file",
            code="policy_unknown",
            expected=", ".join(BUILT_IN),
            got=name[:100],
        )
    return parse_policy(policy_text(name))


def policy_text(name: str) -> str:
    """Return the TOML text of a built-in policy, comments included."""
    return (resources.files("teeproof.evidence") / "policies" / f"{name}.toml").read_text()


def _checked(value: dict[str, Any]) -> Policy:
    grace = value.get("tcb_grace_days")
    if isinstance(grace, dict):
        value = value | {"tcb_grace_days": sorted(grace.items())}
    check_written(value, kinds=Policy.__annotations__, statuses=get_args(TcbStatus))
    check_tables(value)
    try:
        policy = msgspec.convert(value, Policy, strict=True)
    except msgspec.ValidationError as error:
        raise wrong(in_words(str(error))) from None
    return policy


BUILT_IN = (
    "standard", "strict", "dstack", "azure", "sgx", "sev-snp", "nitro", "nvidia", "tpm",
    "azure-tdx", "azure-snp", "cca", "genuine",
)  # fmt: skip
"""Names of the built-in policies; ``recognise.USUAL_POLICY`` says which is the default of what."""
