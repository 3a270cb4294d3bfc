"""Intel's two signed JSON documents: TCB info (how patched is safe) and QE identity.

Intel PCS API v4, "TCB Info" and "Enclave Identity". Call these parsers only with bytes whose
signature has been verified: the JSON comes from Intel, so a fast typed decoder is enough.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Annotated, TypeVar

import msgspec

from teeproof.core.clock import to_epoch
from teeproof.core.errors import Malformed

__all__ = [
    "ModuleIdentity",
    "QeIdentity",
    "TcbInfo",
    "TcbLevel",
    "parse_qe_identity",
    "parse_tcb_info",
]

_Svn = Annotated[int, msgspec.Meta(ge=0, le=255)]
_Time = Annotated[datetime, msgspec.Meta(tz=True)]
_Svn16 = Annotated[int, msgspec.Meta(ge=0, le=65535)]


class _Component(msgspec.Struct, frozen=True):
    svn: _Svn


class _Tcb(msgspec.Struct, frozen=True):
    sgxtcbcomponents: tuple[_Component, ...]
    pcesvn: _Svn16
    tdxtcbcomponents: tuple[_Component, ...] = ()


class TcbLevel(msgspec.Struct, frozen=True, rename="camel"):
    """One row of TCB info: a platform at least this patched has this status."""

    tcb: _Tcb
    tcb_date: _Time
    tcb_status: str
    advisory_ids: tuple[str, ...] = msgspec.field(default=(), name="advisoryIDs")

    @property
    def order(self) -> tuple[tuple[int, ...], int, tuple[int, ...]]:
        """Intel's order of levels: CPU components, then PCE, then TDX components."""
        return self.sgx, self.tcb.pcesvn, self.tdx

    @property
    def sgx(self) -> tuple[int, ...]:
        """The 16 CPU component SVNs."""
        return tuple(component.svn for component in self.tcb.sgxtcbcomponents)

    @property
    def tdx(self) -> tuple[int, ...]:
        """The 16 TDX component SVNs."""
        return tuple(component.svn for component in self.tcb.tdxtcbcomponents)


class _SvnTcb(msgspec.Struct, frozen=True):
    isvsvn: _Svn16


class SvnLevel(msgspec.Struct, frozen=True, rename="camel"):
    """A level of a TDX module or of a quoting enclave: at least this ISVSVN."""

    tcb: _SvnTcb
    tcb_date: _Time
    tcb_status: str
    advisory_ids: tuple[str, ...] = msgspec.field(default=(), name="advisoryIDs")


class TdxModule(msgspec.Struct, frozen=True, rename="camel"):
    """What the TDX module of version 0 must look like; hex."""

    mrsigner: str
    attributes: str
    attributes_mask: str


class ModuleIdentity(msgspec.Struct, frozen=True, rename="camel"):
    """What the TDX module of the version in ``id`` (``TDX_03``) must look like, and its levels."""

    id: str
    mrsigner: str
    attributes: str
    attributes_mask: str
    tcb_levels: tuple[SvnLevel, ...]


class TcbInfo(msgspec.Struct, frozen=True, rename="camel"):
    """TCB info, version 3."""

    id: str
    version: int
    issue_date: _Time
    next_update: _Time
    fmspc: str
    pce_id: str
    tcb_evaluation_data_number: int
    tcb_levels: tuple[TcbLevel, ...]
    tdx_module: TdxModule | None = None
    tdx_module_identities: tuple[ModuleIdentity, ...] = ()

    @property
    def window(self) -> tuple[int, int]:
        """Issue date and next update, seconds since 1970."""
        return to_epoch(self.issue_date), to_epoch(self.next_update)


class QeIdentity(msgspec.Struct, frozen=True, rename="camel"):
    """Enclave identity, version 2: what Intel's quoting enclave must look like; hex."""

    id: str
    version: int
    issue_date: _Time
    next_update: _Time
    tcb_evaluation_data_number: int
    miscselect: str
    miscselect_mask: str
    attributes: str
    attributes_mask: str
    mrsigner: str
    isvprodid: _Svn16
    tcb_levels: tuple[SvnLevel, ...]

    @property
    def window(self) -> tuple[int, int]:
        """Issue date and next update, seconds since 1970."""
        return to_epoch(self.issue_date), to_epoch(self.next_update)


_Document = TypeVar("_Document", TcbInfo, QeIdentity)


@lru_cache(maxsize=64)
def parse_tcb_info(data: bytes) -> TcbInfo:
    """Return TCB info; levels come out in Intel's order, best first.

    Raises:
        Malformed: a field is missing or of the wrong form, or one level stands there twice.
    """
    info = _decode(data, TcbInfo, "TCB info")
    levels = sorted(info.tcb_levels, key=lambda level: level.order, reverse=True)
    orders = [level.order for level in levels]
    sizes = {len(order[0]) for order in orders} | (
        {len(o[2]) for o in orders} if info.id == "TDX" else set()
    )
    if sizes != {16} or len(set(orders)) != len(orders):
        raise _malformed("TCB info", "distinct levels of 16 components each")
    return msgspec.structs.replace(info, tcb_levels=tuple(levels))


@lru_cache(maxsize=64)
def parse_qe_identity(data: bytes) -> QeIdentity:
    """Return the QE identity.

    Raises:
        Malformed: a field is missing or of the wrong form.
    """
    return _decode(data, QeIdentity, "QE identity")


def clear_caches() -> None:
    """Forget every parsed document (for measurements of cold runs)."""
    parse_tcb_info.cache_clear()
    parse_qe_identity.cache_clear()


def _decode(data: bytes, kind: type[_Document], what: str) -> _Document:
    try:
        value = msgspec.json.decode(data, type=kind)
        issued, expires = value.window
        if issued >= expires:
            raise _malformed(what, "an issue date before the next update")
        return value
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise _malformed(what, str(error)[:200]) from None


def _malformed(what: str, why: str) -> Malformed:
    return Malformed(f"Intel's {what} is malformed: {why}", code="collateral_malformed", got=why)
