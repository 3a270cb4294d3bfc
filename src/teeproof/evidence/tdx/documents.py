"""Intel's two signed JSON documents: TCB info (how patched is safe) and QE identity.

Intel PCS API v4, "TCB Info" and "Enclave Identity". Call these parsers only with bytes whose
signature has been verified: the JSON comes from Intel, so a fast typed decoder is enough.

Trusts: Intel, whose signature the bytes bear.  Does not trust: their form; every field is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Annotated, Literal, TypeVar, get_args

import msgspec

from teeproof.core import strictjson
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
_Number = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
_Hex2 = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Fa-f]{4}\Z")]
_Hex4 = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Fa-f]{8}\Z")]
_Hex6 = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Fa-f]{12}\Z")]
_Hex8 = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Fa-f]{16}\Z")]
_Hex16 = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Fa-f]{32}\Z")]
_Hex32 = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Fa-f]{64}\Z")]
_Hex48 = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Fa-f]{96}\Z")]

# Intel's verifier refuses a document that uses another word anywhere (TcbStatus.h,
# VALID_TCB_INFO_STATUSES and VALID_MODULE_TCB_STATUSES; EnclaveIdentityV2.cpp).
PlatformStatus = Literal[
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
    "Revoked",
]
PartStatus = Literal["UpToDate", "OutOfDate", "Revoked"]


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
    tcb_status: PlatformStatus
    advisory_ids: tuple[str, ...] = msgspec.field(default=(), name="advisoryIDs")

    @property
    def order(self) -> tuple[tuple[int, ...], int, tuple[int, ...]]:
        """Intel's order of levels: CPU components, then PCE, then TDX components."""
        return self.sgx, self.tcb.pcesvn, self.tdx

    @property
    def sgx(self) -> tuple[int, ...]:
        """The 16 CPU component SVNs."""
        return tuple([component.svn for component in self.tcb.sgxtcbcomponents])

    @property
    def tdx(self) -> tuple[int, ...]:
        """The 16 TDX component SVNs."""
        return tuple([component.svn for component in self.tcb.tdxtcbcomponents])


class _SvnTcb(msgspec.Struct, frozen=True):
    isvsvn: _Svn16


class SvnLevel(msgspec.Struct, frozen=True, rename="camel"):
    """A level of a TDX module or of a quoting enclave: at least this ISVSVN."""

    tcb: _SvnTcb
    tcb_date: _Time
    tcb_status: PartStatus
    advisory_ids: tuple[str, ...] = msgspec.field(default=(), name="advisoryIDs")


_SvnLevels = Annotated[tuple[SvnLevel, ...], msgspec.Meta(min_length=1)]


class TdxModule(msgspec.Struct, frozen=True, rename="camel"):
    """What the TDX module of version 0 must look like; hex."""

    mrsigner: _Hex48
    attributes: _Hex8
    attributes_mask: _Hex8


class ModuleIdentity(msgspec.Struct, frozen=True, rename="camel"):
    """What the TDX module of the version in ``id`` (``TDX_03``) must look like, and its levels."""

    id: str
    mrsigner: _Hex48
    attributes: _Hex8
    attributes_mask: _Hex8
    tcb_levels: _SvnLevels


class TcbInfo(msgspec.Struct, frozen=True, rename="camel"):
    """TCB info, version 3."""

    id: str
    version: int
    issue_date: _Time
    next_update: _Time
    fmspc: _Hex6
    pce_id: _Hex2
    tcb_type: Literal[0]
    tcb_evaluation_data_number: _Number
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
    tcb_evaluation_data_number: _Number
    miscselect: _Hex4
    miscselect_mask: _Hex4
    attributes: _Hex16
    attributes_mask: _Hex16
    mrsigner: _Hex32
    isvprodid: _Svn16
    tcb_levels: _SvnLevels

    @property
    def window(self) -> tuple[int, int]:
        """Issue date and next update, seconds since 1970."""
        return to_epoch(self.issue_date), to_epoch(self.next_update)


_Document = TypeVar("_Document", TcbInfo, QeIdentity)


@lru_cache(maxsize=64)
def parse_tcb_info(data: bytes) -> TcbInfo:
    """Return TCB info; levels come out in Intel's order, best first.

    Raises:
        Malformed: a field is missing or of the wrong form, one level stands there twice, or a
            status is none of Intel's.
    """
    info = _decode(data, TcbInfo, "TCB info")
    ordered = sorted(((x.order, x) for x in info.tcb_levels), key=itemgetter(0), reverse=True)
    orders = [order for order, _ in ordered]
    sizes = {len(order[0]) for order in orders} | (
        {len(o[2]) for o in orders} if info.id == "TDX" else set()
    )
    if sizes != {16} or len(set(orders)) != len(orders):
        raise _malformed("TCB info", "the levels are not distinct, or not of 16 components each")
    if (info.id == "TDX") != (info.tdx_module is not None):
        raise _malformed("TCB info", "tdxModule belongs to TDX, and to nothing else")
    return msgspec.structs.replace(info, tcb_levels=tuple(level for _, level in ordered))


@lru_cache(maxsize=64)
def parse_qe_identity(data: bytes) -> QeIdentity:
    """Return the QE identity.

    Raises:
        Malformed: a field is missing or of the wrong form, or a status is none of Intel's.
    """
    return _decode(data, QeIdentity, "QE identity")


def clear_caches() -> None:
    """Forget every parsed document (for measurements of cold runs)."""
    parse_tcb_info.cache_clear()
    parse_qe_identity.cache_clear()


def _decode(data: bytes, kind: type[_Document], what: str) -> _Document:
    try:
        # As text, because the decoder does not look at the bytes of fields that it skips.
        text = data.decode()
        if strictjson.is_too_deep(text):
            raise _malformed(what, "it nests too deeply")
        value = msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if "enum" in str(error) and "tcbStatus" in str(error):
            raise _unknown_status(what, str(error)) from None
        raise _malformed(what, str(error)[:200]) from None
    # Intel writes UTC, and what lies outside these years overflows somewhere.
    if any(time.utcoffset() or not 1970 <= time.year < 9000 for time in _times(value)):
        raise _malformed(what, "a date that is not in UTC, or in no sensible year")
    issued, expires = value.window
    if issued >= expires:
        raise _malformed(what, "the issue date is not before the next update")
    return value


def _times(document: TcbInfo | QeIdentity) -> Iterator[datetime]:
    yield document.issue_date
    yield document.next_update
    yield from (level.tcb_date for level in document.tcb_levels)
    if isinstance(document, TcbInfo):
        for identity in document.tdx_module_identities:
            yield from (level.tcb_date for level in identity.tcb_levels)


def _unknown_status(what: str, why: str) -> Malformed:
    return Malformed(
        f"Intel's {what} uses a status that this version does not know: update teeproof",
        code="tcb_status_unknown",
        expected=", ".join(get_args(PlatformStatus)),
        got=why[:200],
    )


def _malformed(what: str, why: str) -> Malformed:
    return Malformed(f"Intel's {what} is malformed: {why}", code="collateral_malformed", got=why)
