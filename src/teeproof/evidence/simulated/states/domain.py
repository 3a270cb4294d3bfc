"""States of trust domain, TDX module, quoting enclave and processor: signed, true and unwelcome.

Trusts: nothing; it only describes.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from dataclasses import replace

from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.hardware import Domain, Processor, QuotingEnclave, measurement
from teeproof.evidence.simulated.states.state import Scene, Setup, booted, table

__all__ = ["STATES"]

# Bits of the attributes (Intel TDX Module Base Architecture Specification, ATTRIBUTES)
_DEBUG, _PROFILING, _SERVICE_EXTENSION = 1 << 0, 1 << 4, 1 << 17
_SEPT_VE_DISABLE, _MIGRATABLE, _RESERVED = 1 << 28, 1 << 29, 1 << 40


def _attributes(bits: int) -> Setup:
    return Setup(domain=Domain(tdattributes=bits.to_bytes(8, "little")))


def _debug_enclave() -> QuotingEnclave:
    honest = QuotingEnclave()
    return replace(honest, attributes=bytes([honest.attributes[0] | 0x02]) + honest.attributes[1:])


def _zero_report_data(scene: Scene) -> Evidence:
    return replace(scene, report_data=bytes(64)).evidence()


STATES = (
    *table(
        "not-allowed",
        (
            "debug",
            "The host may read the domain's memory.",
            booted(_attributes(_DEBUG | _SEPT_VE_DISABLE)),
        ),
        (
            "profiling",
            "The host may observe the domain through performance counters.",
            booted(_attributes(_SEPT_VE_DISABLE | _PROFILING)),
        ),
        (
            "service-extension",
            "The domain is set up for the extended binding to a service domain.",
            booted(_attributes(_SEPT_VE_DISABLE | _SERVICE_EXTENSION)),
        ),
        (
            "migratable",
            "The domain may be moved to another machine.",
            booted(_attributes(_SEPT_VE_DISABLE | _MIGRATABLE)),
        ),
        (
            "service-td",
            "A service domain, which may migrate this one, is bound to it.",
            booted(Setup(domain=Domain(mrservicetd=measurement("service TD")), version=5)),
        ),
        (
            "sept-ve-disable-off",
            "The host may inject faults on the domain's memory.",
            booted(_attributes(0)),
        ),
        (
            "attributes-reserved",
            "An attribute is set that no specification knows.",
            booted(_attributes(_SEPT_VE_DISABLE | _RESERVED)),
        ),
        (
            "another-firmware",
            "The domain started from firmware that the policy does not list.",
            booted(Setup(domain=Domain(mrtd=measurement("another firmware")))),
        ),
        (
            "report-data-zero",
            "The quote binds nothing: its report_data is zero.",
            _zero_report_data,
        ),
        (
            "dynamic-platform",
            "Packages may be added to the platform while it runs.",
            booted(Setup(processor=Processor(dynamic=True))),
        ),
        (
            "cached-keys",
            "Intel keeps a copy of the platform's keys.",
            booted(Setup(processor=Processor(cached_keys=True))),
        ),
        (
            "smt",
            "Simultaneous multithreading is on.",
            booted(Setup(processor=Processor(smt=True))),
        ),
        (
            "another-platform",
            "The machine is not among those whose owner is known.",
            booted(Setup(processor=Processor(name="machine 2"))),
        ),
    ),
    *table(
        "not-authentic",
        (
            "tdx-module-signer",
            "The TDX module is signed by somebody else than Intel.",
            booted(Setup(domain=Domain(mrsignerseam=measurement("another signer")))),
        ),
        (
            "tdx-module-attributes",
            "The TDX module runs with attributes that no production module has.",
            booted(Setup(domain=Domain(seamattributes=b"\1" + bytes(7)))),
        ),
        (
            "qe-signer",
            "The quoting enclave is signed by somebody else.",
            booted(Setup(enclave=QuotingEnclave(mrsigner=bytes(32)))),
        ),
        (
            "qe-product",
            "The quoting enclave is another product of its signer.",
            booted(Setup(enclave=QuotingEnclave(isvprodid=1))),
        ),
        (
            "qe-debug",
            "The quoting enclave runs in debug mode.",
            booted(Setup(enclave=_debug_enclave())),
        ),
        (
            "qe-vendor",
            "The quote's header names another vendor's quoting enclave.",
            booted(Setup(enclave=QuotingEnclave(vendor=bytes(16)))),
        ),
    ),
)
