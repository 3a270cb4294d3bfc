"""States of the platform's trusted computing base: how well patched it is, in Intel's words.

Trusts: nothing; it only describes.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from dataclasses import replace

from teeproof.evidence.simulated.collateral import rung
from teeproof.evidence.simulated.hardware import Domain, QuotingEnclave, patched
from teeproof.evidence.simulated.states.state import Setup, State, booted

__all__ = ["STATES"]


def _module(svn: int, version: int = 1) -> Domain:
    tcb = bytes([svn, version, 3]) + bytes(13)
    return Domain(tee_tcb_svn=tcb, tee_tcb_svn2=tcb)


_UPDATED = replace(_module(4), tee_tcb_svn2=Domain().tee_tcb_svn2)

_LEVELS = (
    ("sw-hardening-needed", "SWHardeningNeeded", "software must work around a flaw of the CPU"),
    ("configuration-needed", "ConfigurationNeeded", "a BIOS setting leaves a flaw open"),
    (
        "configuration-and-sw-hardening-needed",
        "ConfigurationAndSWHardeningNeeded",
        "a BIOS setting and the software must change",
    ),
    ("out-of-date", "OutOfDate", "microcode updates are missing"),
    (
        "out-of-date-configuration-needed",
        "OutOfDateConfigurationNeeded",
        "microcode updates are missing and a BIOS setting must change",
    ),
)

STATES = (
    State(
        "tdx-module-version-3",
        "The TDX module's version counts from a low number again, which is not held against it.",
        "accepted",
        booted(Setup(domain=_module(3, version=3))),
    ),
    State(
        "tdx-module-version-0",
        "The TDX module has version 0, which the platform's levels cover.",
        "accepted",
        booted(Setup(domain=_module(5, version=0))),
    ),
    *(
        State(
            name,
            f"The platform's TCB status is {status}: {why}.",
            "not-allowed",
            booted(Setup(processor=patched(rung(status)))),
            status,
        )
        for name, status, why in _LEVELS
    ),
    State(
        "revoked",
        "The platform's TCB status is Revoked: Intel vouches for nothing that it says.",
        "not-authentic",
        booted(Setup(processor=patched(rung("Revoked")))),
        "Revoked",
    ),
    State(
        "advisory",
        "The platform is up to date, and an advisory that the policy denies applies to it.",
        "not-allowed",
        booted(Setup(processor=patched(9))),
    ),
    State(
        "no-tcb-level",
        "The microcode is older than every level that Intel lists.",
        "not-authentic",
        booted(Setup(processor=patched(1))),
        None,
    ),
    State(
        "pce-too-old",
        "The provisioning enclave is older than every level that Intel lists.",
        "not-authentic",
        booted(Setup(processor=patched(10, pce_svn=5))),
        None,
    ),
    State(
        "tdx-module-out-of-date",
        "The TDX module is out of date.",
        "not-allowed",
        booted(Setup(domain=_module(4))),
        "OutOfDate",
    ),
    State(
        "tdx-module-revoked",
        "The TDX module's version is revoked.",
        "not-authentic",
        booted(Setup(domain=_module(2))),
        "Revoked",
    ),
    State(
        "tdx-module-no-level",
        "The TDX module is older than every level that Intel lists for it.",
        "not-authentic",
        booted(Setup(domain=_module(1))),
        None,
    ),
    State(
        "tdx-module-unknown",
        "The TDX module has a version that Intel does not list.",
        "not-authentic",
        booted(Setup(domain=_module(6, version=5))),
        None,
    ),
    State(
        "td-relaunch-advised",
        "The TDX module was updated under the running domain, which still carries its old start.",
        "not-allowed",
        booted(Setup(domain=_UPDATED, version=5)),
        "TDRelaunchAdvised",
    ),
    State(
        "td-relaunch-advised-configuration-needed",
        "The TDX module was updated under the running domain, and a BIOS setting must change.",
        "not-allowed",
        booted(
            Setup(
                processor=patched(rung("ConfigurationNeeded")),
                domain=_UPDATED,
                version=5,
            )
        ),
        "TDRelaunchAdvisedConfigurationNeeded",
    ),
    State(
        "qe-out-of-date",
        "The quoting enclave is out of date.",
        "not-allowed",
        booted(Setup(enclave=QuotingEnclave(isvsvn=4))),
        "OutOfDate",
    ),
    State(
        "qe-revoked",
        "The quoting enclave's version is revoked.",
        "not-authentic",
        booted(Setup(enclave=QuotingEnclave(isvsvn=2))),
        "Revoked",
    ),
    State(
        "qe-no-level",
        "The quoting enclave is older than every level that Intel lists.",
        "not-authentic",
        booted(Setup(enclave=QuotingEnclave(isvsvn=1))),
        None,
    ),
)
