"""Intel's rules for the question "how well patched is this platform?".

The numbers in comments are the steps of Intel's SGX and TDX DCAP quote verification library,
``sgx_ql_verify``: 4.1.2.4.11 (TDX module), 4.1.2.4.15 (quoting enclave), 4.1.2.4.17 (levels).

Trusts: TCB info and QE identity, whose signatures were verified before.
Does not trust: the quote's version numbers beyond what the signatures cover.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from teeproof.core.errors import NotAuthentic
from teeproof.evidence.tdx.documents import ModuleIdentity, QeIdentity, SvnLevel, TcbInfo, TcbLevel
from teeproof.evidence.tdx.layout import TdReport10, TdReport15
from teeproof.evidence.tdx.pck import PckExtension

__all__ = ["Tcb", "assess", "check_module", "match_qe_level"]

UP_TO_DATE = "UpToDate"
OUT_OF_DATE = "OutOfDate"
REVOKED = "Revoked"
_HARDENING = "SWHardeningNeeded"
_CONFIGURATION = "ConfigurationNeeded"
_BOTH = "ConfigurationAndSWHardeningNeeded"
_OUT_OF_DATE_CONFIGURATION = "OutOfDateConfigurationNeeded"
_RELAUNCH = "TDRelaunchAdvised"
_RELAUNCH_CONFIGURATION = "TDRelaunchAdvisedConfigurationNeeded"
_NEEDS_CONFIGURATION = {_CONFIGURATION, _BOTH, _OUT_OF_DATE_CONFIGURATION, _RELAUNCH_CONFIGURATION}


class Tcb(msgspec.Struct, frozen=True, kw_only=True):
    """Intel's judgement of a platform at one evaluation number.

    Attributes:
        status: the one word that sums up the next three.
        platform_status: of CPU microcode, PCE, TDX loader and module together.
        module_status: of the TDX module alone; None for module version 0, which levels cover.
        qe_status: of the quoting enclave.
        date: the TCB date of the matched platform level, or of the module's if that is earlier.
        qe_date: the TCB date of the matched QE level.
        advisories: Intel's advisories that apply, sorted.
    """

    status: str
    platform_status: str
    module_status: str | None
    qe_status: str
    date: datetime
    qe_date: datetime
    advisories: tuple[str, ...]


def assess(body: TdReport10, *, info: TcbInfo, pck: PckExtension, qe: SvnLevel) -> Tcb:
    """Return the platform's TCB.

    Args:
        body: the TD report.
        info: TCB info whose FMSPC and PCEID are the platform's.
        pck: the platform's PCK extension.
        qe: the level that ``match_qe_level`` found.

    Raises:
        NotAuthentic: no level fits: Intel does not vouch for such a platform.
    """
    sgx_level, tdx_level = _match_levels(body.tee_tcb_svn, info, pck)
    module = _match_module_level(body.tee_tcb_svn, info)
    platform: str = tdx_level.tcb_status
    if module is not None:
        platform = _worsen(platform, module.tcb_status)
    if isinstance(body, TdReport15) and _relaunch_helps(
        body,
        info,
        sgx=sgx_level.tcb_status,
        platform=platform,
        module=module.tcb_status if module else None,
        qe=qe.tcb_status,
    ):
        platform = _relaunch_status(sgx_level.tcb_status, platform)
    advisories = {
        *tdx_level.advisory_ids,
        *qe.advisory_ids,
        *(module.advisory_ids if module else ()),
    }
    return Tcb(
        status=_worsen(platform, qe.tcb_status),
        platform_status=platform,
        module_status=module.tcb_status if module else None,
        qe_status=qe.tcb_status,
        date=min(tdx_level.tcb_date, module.tcb_date) if module else tdx_level.tcb_date,
        qe_date=qe.tcb_date,
        advisories=tuple(sorted(advisories)),
    )


def _match_levels(svn: bytes, info: TcbInfo, pck: PckExtension) -> tuple[TcbLevel, TcbLevel]:
    """Return the first level that fits CPU and PCE, and the first that also fits the TDX SVNs."""
    sgx_level: TcbLevel | None = None
    for level in info.tcb_levels:
        # 4.1.2.4.17.1-2: every CPU component and the PCE must reach the level.
        if pck.pce_svn < level.tcb.pcesvn or _below(pck.components, level.sgx):
            continue
        sgx_level = sgx_level or level
        # 4.1.2.4.17.3: bytes 0 and 1 are the module's own SVN and version; where the version is
        # not 0, the module's identity judges them instead.
        first = 2 if svn[1] > 0 else 0
        if not _below(svn[first:], level.tdx[first:]):
            return sgx_level, level
    short = min((_shortfalls(level, svn, pck) for level in info.tcb_levels), key=len)
    raise NotAuthentic(
        "the platform is below every TCB level that the vendor lists, so nobody vouches for it: "
        "its owner must update firmware and microcode",
        code="tcb_level_none",
        expected="for the nearest level, "
        + ", ".join(f"{what} at least {n}" for what, n, _ in short),
        got=", ".join(f"{what} is {have}" for what, _, have in short),
    )


def _shortfalls(level: TcbLevel, svn: bytes, pck: PckExtension) -> list[tuple[str, int, int]]:
    """Return what keeps a platform from a level: (part, needed, there)."""
    first = 2 if svn[1] > 0 else 0
    parts = [
        *((f"CPU component {i + 1}", need, pck.components[i]) for i, need in enumerate(level.sgx)),
        ("PCE", level.tcb.pcesvn, pck.pce_svn),
        *((f"TDX component {i + 1}", level.tdx[i], svn[i]) for i in range(first, len(svn))),
    ]
    return [(what, need, have) for what, need, have in parts if have < need]


def _below(have: tuple[int, ...] | bytes, need: tuple[int, ...]) -> bool:
    return any(a < b for a, b in zip(have, need, strict=True))


def check_module(body: TdReport10, info: TcbInfo) -> str:
    """Check who signed the TDX module and how it runs (4.1.2.4.11); return one sentence.

    Raises:
        NotAuthentic: an unknown module version, another signer, or attributes that are not zero.
    """
    identity = _identity(body.tee_tcb_svn[1], info)
    module = identity or info.tdx_module
    if module is None:
        raise NotAuthentic("TCB info says nothing about TDX modules", code="tdx_module_unknown")
    if body.mrsignerseam.hex() != module.mrsigner.lower():
        raise NotAuthentic(
            "the TDX module is not signed by the vendor",
            code="tdx_module_signer",
            expected=module.mrsigner.lower(),
            got=body.mrsignerseam.hex(),
        )
    # 4.1.2.4.11.2: production modules have no attributes, whatever the mask would let through.
    if any(body.seamattributes) or bytes.fromhex(module.attributes) != body.seamattributes:
        raise NotAuthentic(
            "the TDX module runs with attributes that no production module has",
            code="tdx_module_attributes",
            expected=module.attributes.lower(),
            got=body.seamattributes.hex(),
        )
    return f"the vendor's module {identity.id}" if identity else "the vendor's module, version 0"


def _identity(version: int, info: TcbInfo) -> ModuleIdentity | None:
    if version == 0:
        return None
    wanted = f"TDX_{version:02X}"
    for identity in info.tdx_module_identities:
        if identity.id.upper() == wanted:
            return identity
    raise NotAuthentic(
        "the vendor lists no TDX module of this version",
        code="tdx_module_unknown",
        expected=", ".join(identity.id for identity in info.tdx_module_identities)
        or "no version above 0",
        got=wanted,
    )


def _match_module_level(svn: bytes, info: TcbInfo) -> SvnLevel | None:
    identity = _identity(svn[1], info)
    if identity is None:
        return None
    for level in _descending(identity.tcb_levels):
        if svn[0] >= level.tcb.isvsvn:
            return level
    raise NotAuthentic(
        f"the TDX module is older than every level that the vendor lists for {identity.id}",
        code="tdx_module_level_none",
        expected=f"at least SVN {min((x.tcb.isvsvn for x in identity.tcb_levels), default=0)}",
        got=f"SVN {svn[0]}",
    )


def match_qe_level(isv_svn: int, identity: QeIdentity) -> SvnLevel:
    """Return the level of a quoting enclave with this ISVSVN (4.1.2.4.15).

    Raises:
        NotAuthentic: it is older than every level that Intel lists.
    """
    for level in _descending(identity.tcb_levels):
        if isv_svn >= level.tcb.isvsvn:
            return level
    raise NotAuthentic(
        "the quoting enclave is older than every level that the vendor lists",
        code="qe_level_none",
        expected=f"at least SVN {min((x.tcb.isvsvn for x in identity.tcb_levels), default=0)}",
        got=f"SVN {isv_svn}",
    )


def _descending(levels: tuple[SvnLevel, ...]) -> list[SvnLevel]:
    return sorted(levels, key=lambda level: level.tcb.isvsvn, reverse=True)


def _worsen(status: str, part: str) -> str:
    """Return ``status`` after a module or quoting enclave with status ``part`` is counted in."""
    if part == REVOKED:
        return REVOKED
    if part == OUT_OF_DATE:
        if status in (UP_TO_DATE, _HARDENING):
            return OUT_OF_DATE
        if status in (_CONFIGURATION, _BOTH):
            return _OUT_OF_DATE_CONFIGURATION
    return status


def _relaunch_helps(
    body: TdReport15, info: TcbInfo, *, sgx: str, platform: str, module: str | None, qe: str
) -> bool:
    """Whether only the launch is old (4.1.2.4.17.4.3): TDX was updated under the running domain."""
    if qe in (OUT_OF_DATE, REVOKED) or sgx not in (UP_TO_DATE, _HARDENING, _CONFIGURATION, _BOTH):
        return False
    if platform not in (OUT_OF_DATE, _OUT_OF_DATE_CONFIGURATION) or module != OUT_OF_DATE:
        return False
    now, latest = body.tee_tcb_svn2, info.tcb_levels[0].tdx
    identity = _identity(now[1], info)
    newest = _descending(identity.tcb_levels)[0].tcb.isvsvn if identity else latest[0]
    return now[0] >= newest and now[2] >= latest[2]


def _relaunch_status(sgx: str, platform: str) -> str:
    configuration = sgx in _NEEDS_CONFIGURATION or platform in _NEEDS_CONFIGURATION
    return _RELAUNCH_CONFIGURATION if configuration else _RELAUNCH
