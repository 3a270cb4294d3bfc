"""Collect evidence from Linux's configfs-tsm: of a TDX or SEV-SNP guest, or of an Arm CCA realm.

One interface for all, since Linux 6.7 (6.13 for realms): 64 bytes are written, a report is read.
The kernel counts writes, so that a report which somebody else asked for between them is noticed;
and whatever is read must carry the bytes that were asked for. SEV-SNP reports bring the host's
certificates, if it has any, TDX quotes the firmware's log, if there is one; what else a verifier
needs (collateral, revocations, a platform's key) comes from elsewhere.

Source: Linux, Documentation/ABI/testing/configfs-tsm-report.

Trusts: nothing; it carries what a verifier checks.  Does not trust: host, other processes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from teeproof.core.errors import Malformed, NotAuthentic, Unavailable, Usage
from teeproof.evidence.cca import token as cca_token
from teeproof.evidence.collect.tsm_entry import REPORTS, Entry, opened
from teeproof.evidence.record import MAX_EVENT_LOG_BYTES, Evidence
from teeproof.evidence.sev_snp import certtable
from teeproof.evidence.sev_snp import report as snp_report
from teeproof.evidence.tdx import quote as tdx_quote

__all__ = ["PROVIDERS", "TsmAttester", "provider_of"]

PROVIDERS = {
    "tdx_guest": "Intel TDX",
    "sev_guest": "AMD SEV-SNP",
    "arm_cca_guest": "Arm CCA",
}
"""What the kernel calls those whose reports are read here, and what they are."""

EVENT_LOG = Path("/sys/firmware/acpi/tables/data/CCEL")  # ACPI 6.5, 5.2.34
_REPORT_DATA_BYTES = 64
_LEVELS = range(4)  # VMPL 0 to 3


class TsmAttester:
    """The TDX or SEV-SNP guest, or Arm CCA realm, that this is.

    Attributes:
        place: where the kernel lets report instances be made.
    """

    def __init__(
        self,
        place: Path = REPORTS,
        *,
        privilege_level: int | None = None,
        event_log: Path | None = EVENT_LOG,
        timeout: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Remember the place; nothing is asked yet.

        Args:
            place: the directory of report instances.
            privilege_level: of SEV-SNP, the VMPL to report, 0 to 3; without one, the kernel's own.
            event_log: of TDX, the firmware's log, handed over where there is one.
            timeout: seconds to wait where others keep the device busy.
            clock: a clock that only goes forward, in seconds.
            sleep: how to wait.

        Raises:
            Usage: there is no such privilege level.
        """
        if privilege_level is not None and privilege_level not in _LEVELS:
            raise Usage(
                "SEV-SNP has no such privilege level",
                code="privilege_level",
                expected="0 to 3",
                got=str(privilege_level),
            )
        self.place = place
        self._level, self._log, self._timeout = privilege_level, event_log, timeout
        self._clock, self._sleep = clock, sleep

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return f"configfs-tsm at {self.place}"

    def attest(self, report_data: bytes) -> Evidence:
        """Return fresh evidence that binds these 64 bytes.

        Raises:
            Usage: another length, or a privilege level where the provider has none.
            NotAuthentic: what was read is for other bytes, or of another privilege level.
            Unavailable: there is no such interface, it is busy, refuses, was interfered with, or
                gives what cannot be used.
        """
        if len(report_data) != _REPORT_DATA_BYTES:
            raise Usage(
                "report_data is not 64 bytes long: hash what you want to bind",
                code="report_data_size",
                expected=f"{_REPORT_DATA_BYTES} bytes",
                got=f"{len(report_data)} bytes",
            )
        with opened(
            self.place, timeout=self._timeout, clock=self._clock, sleep=self._sleep
        ) as entry:
            provider = provider_of(entry)
            outblob, auxblob = self._ask(entry, provider, report_data)
        return self.evidence(provider, outblob, auxblob, report_data)

    def evidence(
        self, provider: str, outblob: bytes, auxblob: bytes, report_data: bytes
    ) -> Evidence:
        """Return what a provider's answer is, if it is one to these 64 bytes.

        Raises:
            NotAuthentic: it is for other bytes, or of another privilege level.
            Unavailable: it cannot be used.
        """
        try:
            return self._evidence(provider, outblob, auxblob, report_data)
        except Malformed as error:
            raise Unavailable(
                f"what {provider} gave cannot be used: {error.detail}",
                code="tsm_malformed",
                expected=error.expected,
                got=error.got,
            ) from None

    def _ask(self, entry: Entry, provider: str, report_data: bytes) -> tuple[bytes, bytes]:
        """Return report and auxiliary data, if nobody else wrote into the instance meanwhile."""
        before = entry.generation()
        if self._level is not None:
            if not entry.has("privlevel"):
                raise Usage(
                    f"{provider} has no privilege levels: name none", code="privilege_level"
                )
            entry.write("privlevel", b"%d" % self._level)
        entry.write("inblob", report_data)
        _require_untouched(entry, before, provider)
        outblob = entry.read("outblob", most=tdx_quote.MAX_QUOTE_BYTES)
        certificates = provider == "sev_guest" and entry.has("auxblob")
        most = certtable.MAX_TABLE_BYTES
        auxblob = entry.read("auxblob", most=most) if certificates else b""
        now = provider_of(entry)
        _require_untouched(entry, before, provider)
        if now != provider:
            raise _interfered(f"its provider changed from {provider} to {now}")
        return outblob, auxblob

    def _evidence(
        self, provider: str, outblob: bytes, auxblob: bytes, report_data: bytes
    ) -> Evidence:
        if provider == "arm_cca_guest":
            token = cca_token.parse(outblob)
            _require_asked("token", report_data, token.realm.challenge)
            return Evidence(quote=outblob, name=self.name)
        if provider == "sev_guest":
            report = snp_report.parse(outblob)
            _require_asked("report", report_data, report.body.report_data)
            if self._level is not None and report.body.vmpl != self._level:
                raise NotAuthentic(
                    "the report is of another privilege level than was asked for",
                    code="tsm_privilege_level",
                    expected=str(self._level),
                    got=str(report.body.vmpl),
                )
            certificates = certtable.to_pem(auxblob) or None
            return Evidence(quote=outblob, certificates=certificates, name=self.name)
        quote = tdx_quote.parse(outblob)
        _require_asked("quote", report_data, quote.body.report_data)
        if any(quote.trailing):
            raise Malformed(
                "bytes follow the quote that nobody signed", expected="zeros", got="other bytes"
            )
        raw = outblob[: len(outblob) - len(quote.trailing)]
        return Evidence(quote=raw, firmware_log=_read_log(self._log), name=self.name)


def _read_log(path: Path | None) -> bytes | None:
    """Return the firmware's log; None where there is none that may be read. A quote needs none."""
    try:
        with open(path or os.devnull, "rb") as file:
            log = file.read(MAX_EVENT_LOG_BYTES + 1)
    except OSError:
        return None
    return log if 0 < len(log) <= MAX_EVENT_LOG_BYTES else None


def provider_of(entry: Entry) -> str:
    """Return the name of an instance's provider; Unavailable unless it is one of ``PROVIDERS``."""
    found = entry.text("provider")
    if found not in PROVIDERS:
        raise Unavailable(
            "configfs-tsm has a provider whose reports are not read here",
            code="tsm_provider",
            expected=" or ".join(PROVIDERS),
            got=found[:40] or "no name",
        )
    return found


def _require_untouched(entry: Entry, before: int, provider: str) -> None:
    expected, found = before + entry.writes, entry.generation()
    if found == before:
        raise Unavailable(
            f"{provider} did not take the request: the kernel counts no write",
            code="tsm_not_taken",
            expected=f"generation {expected}",
            got=f"generation {found}",
        )
    if found != expected:
        raise _interfered(f"the kernel counts {found} writes, and {expected} were made")


def _interfered(how: str) -> Unavailable:
    return Unavailable(
        f"somebody else used this report instance meanwhile ({how}): nothing of it is used, ask"
        " again",
        code="tsm_interfered",
        expected="nobody else",
        got=how,
    )


def _require_asked(what: str, asked: bytes, got: bytes) -> None:
    if asked != got:
        raise NotAuthentic(
            f"the kernel gave a {what} for other data, stale or somebody else's: ask again",
            code="tsm_report_data",
            expected=asked.hex(),
            got=got.hex(),
        )
