"""Documents with any levels, and Intel's rules for them, written down a second time.

``intel`` follows the C++ of Intel's quote verification library (TcbLevelCheck.cpp,
TdxModuleCheck.cpp, TDRelaunchCheck.cpp) step by step and shares nothing with the code under test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from teeproof.evidence.tdx.documents import PartStatus, PlatformStatus

PLATFORM_STATUSES: tuple[str, ...] = get_args(PlatformStatus)
PART_STATUSES: tuple[str, ...] = get_args(PartStatus)

_DAY = "2025-01-0{}T00:00:00Z"
_OUT_OF_DATE = ("OutOfDate", "OutOfDateConfigurationNeeded")


@dataclass(frozen=True, kw_only=True)
class Level:
    """A platform level; of the 16 components each, only those that differ are given."""

    cpu: int = 0
    pce: int = 0
    tdx: tuple[int, int, int] = (0, 0, 0)
    status: str = "UpToDate"
    advisories: tuple[str, ...] = ()
    day: int = 1

    def to_json(self) -> dict[str, Any]:
        """Return the level as it stands in TCB info."""
        tdx = [{"svn": svn} for svn in (*self.tdx, *[0] * 13)]
        cpu = [{"svn": svn} for svn in (self.cpu, *[0] * 15)]
        tcb = {"sgxtcbcomponents": cpu, "pcesvn": self.pce, "tdxtcbcomponents": tdx}
        return _dated(tcb, self.status, self.advisories, self.day)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A level of a TDX module or of a quoting enclave."""

    svn: int = 0
    status: str = "UpToDate"
    advisories: tuple[str, ...] = ()
    day: int = 1

    def to_json(self) -> dict[str, Any]:
        """Return the level as it stands in either document."""
        return _dated({"isvsvn": self.svn}, self.status, self.advisories, self.day)


def _dated(
    tcb: dict[str, Any], status: str, advisories: tuple[str, ...], day: int
) -> dict[str, Any]:
    return {
        "tcb": tcb,
        "tcbDate": _DAY.format(day),
        "tcbStatus": status,
        "advisoryIDs": list(advisories),
    }


@dataclass(frozen=True, kw_only=True)
class Case:
    """A platform, and what the vendor publishes about it.

    ``svn`` and ``svn2`` are the first three bytes of TEE_TCB_SVN at launch and as of now; without
    ``svn2`` the report is a TD report 1.0.
    """

    levels: tuple[Level, ...] = (Level(),)
    modules: Mapping[int, tuple[Part, ...]] = field(default_factory=dict)
    enclave: tuple[Part, ...] = (Part(),)
    cpu: int = 0
    pce: int = 0
    qe: int = 0
    svn: tuple[int, int, int] = (0, 0, 0)
    svn2: tuple[int, int, int] | None = None

    def change_tcb_info(self, document: dict[str, Any]) -> None:
        """Write levels and modules into a TCB info."""
        signer = document["tdxModule"]
        document["tcbLevels"] = [level.to_json() for level in self.levels]
        document["tdxModuleIdentities"] = [
            {
                "id": f"TDX_{version:02X}",
                **signer,
                "tcbLevels": [part.to_json() for part in parts],
            }
            for version, parts in self.modules.items()
        ]

    def change_qe_identity(self, document: dict[str, Any]) -> None:
        """Write the enclave's levels into a QE identity."""
        document["tcbLevels"] = [part.to_json() for part in self.enclave]


Answer = str | tuple[str, frozenset[str]]
"""A code of refusal, or status and advisories."""


def intel(case: Case) -> Answer:
    """Return what Intel's verifier answers; for refusals, our code."""
    enclave = _part(case.enclave, case.qe)
    module = _module(case, case.svn)
    if module == "tdx_module_unknown":
        return module
    if enclave is None:
        return "qe_level_none"
    ordered = sorted(case.levels, key=lambda x: (x.cpu, x.pce, x.tdx), reverse=True)
    reached = [x for x in ordered if case.cpu >= x.cpu and case.pce >= x.pce]
    tdx = next((x for x in reached if _tdx_reached(case.svn, x)), None)
    if tdx is None:
        return "tcb_level_none"
    if isinstance(module, str):
        return module
    platform = _converge(tdx.status, module.status) if module else tdx.status
    if platform != "Revoked" and case.svn2 is not None:
        platform = _relaunch(case, ordered[0], reached[0].status, platform, module, enclave.status)
    if platform == "tdx_module_unknown":
        return platform
    final = _converge(platform, enclave.status)
    advisories = {*tdx.advisories, *enclave.advisories, *(module.advisories if module else ())}
    return final, frozenset(advisories)


def current(case: Case) -> Answer:
    """Return what the domain's TCB as of now would be judged to be, had it been launched with it.

    Intel's verifier does not ask this, dcap-qvl does.
    """
    assert case.svn2 is not None
    launched = Case(
        levels=case.levels, modules=case.modules, cpu=case.cpu, pce=case.pce, svn=case.svn2
    )
    return intel(launched)


def _tdx_reached(svn: tuple[int, int, int], level: Level) -> bool:
    first = 2 if svn[1] > 0 else 0
    return all(have >= need for have, need in zip(svn[first:], level.tdx[first:], strict=True))


def _part(parts: Iterable[Part], svn: int) -> Part | None:
    ordered = sorted(parts, key=lambda part: part.svn, reverse=True)
    return next((part for part in ordered if svn >= part.svn), None)


def _module(case: Case, svn: tuple[int, int, int]) -> Part | str | None:
    if svn[1] == 0:
        return None
    if svn[1] not in case.modules:
        return "tdx_module_unknown"
    return _part(case.modules[svn[1]], svn[0]) or "tdx_module_level_none"


def _converge(status: str, part: str) -> str:
    worse = {
        "UpToDate": "OutOfDate",
        "SWHardeningNeeded": "OutOfDate",
        "ConfigurationNeeded": "OutOfDateConfigurationNeeded",
        "ConfigurationAndSWHardeningNeeded": "OutOfDateConfigurationNeeded",
    }
    if part == "Revoked":
        return "Revoked"
    return worse.get(status, status) if part == "OutOfDate" else status


def _relaunch(
    case: Case, newest: Level, cpu_status: str, platform: str, module: Part | None, qe: str
) -> str:
    assert case.svn2 is not None
    if qe in ("OutOfDate", "Revoked") or platform not in _OUT_OF_DATE:
        return platform
    if cpu_status in (*_OUT_OF_DATE, "Revoked") or module is None or module.status != "OutOfDate":
        return platform
    loaded, version, microcode = case.svn2
    if version and version not in case.modules:
        return "tdx_module_unknown"
    wanted = max(part.svn for part in case.modules[version]) if version else newest.tdx[0]
    if loaded < wanted or microcode < newest.tdx[2]:
        return platform
    if "Configuration" in cpu_status or "Configuration" in platform:
        return "TDRelaunchAdvisedConfigurationNeeded"
    return "TDRelaunchAdvised"
