"""Every kind of attester: its name, whether this machine has it, and how it is opened.

The order is that in which one is chosen where nobody names any. Three kinds are never chosen
silently: a TPM, which proves no encrypted memory; the guest of an Azure machine, since that takes
asking its TPM; and the simulator.

Trusts: the environment's variables.  Does not trust: whoever answers at a socket or a device.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from teeproof.core.errors import Error
from teeproof.evidence.collect.guest_socket import silence_at
from teeproof.evidence.collect.presence import Presence, missing

if TYPE_CHECKING:  # each of these takes 60 ms to import, and one of them is needed
    from teeproof.evidence.collect import Attester

__all__ = ["KINDS", "LIBRARY_VARIABLE", "TPM_VARIABLE", "TSM_VARIABLE", "Here", "Kind", "look"]

TSM_VARIABLE = "TEEPROOF_TSM"
TPM_VARIABLE = "TEEPROOF_TPM"
LIBRARY_VARIABLE = "TEEPROOF_NVML"
_PATIENCE = 0.5  # seconds for one answer: a look is to be quick


class Here(NamedTuple):
    """The machine that is looked at.

    Attributes:
        environment: the process's variables.
        exists: whether there is something at a path.
    """

    environment: Mapping[str, str]
    exists: Callable[[str], bool] = os.path.exists

    @property
    def tsm(self) -> str:
        """Where report instances are made: ``TEEPROOF_TSM``, or the kernel's usual place."""
        return self.environment.get(TSM_VARIABLE) or "/sys/kernel/config/tsm/report"

    @property
    def tpm(self) -> str:
        """Where the TPM is: ``TEEPROOF_TPM``, or Linux's device."""
        return self.environment.get(TPM_VARIABLE) or "/dev/tpmrm0"

    def agent(self, name: str) -> str | None:
        """Return where a guest agent (``dstack`` or ``tappd``) should listen, if anywhere."""
        from teeproof.evidence.collect.dstack import endpoint_of  # noqa: PLC0415

        return endpoint_of(name, self.environment, exists=self.exists)


class Kind(NamedTuple):
    """One kind of attester.

    Attributes:
        name: what ``TEEPROOF_ATTESTER`` and ``--attester`` call it.
        sign: whether something here says that it may be chosen silently; None where it never is.
        probe: look whether it is here, and why not.
        make: open it, without looking.
    """

    name: str
    sign: Callable[[Here], bool] | None
    probe: Callable[[Here], Presence]
    make: Callable[[Here], Attester | None]


def look(here: Here) -> tuple[Presence, ...]:
    """Return what this machine has, and lacks, of every kind; nothing is attested."""
    found = [kind.probe(here) for kind in KINDS.values()]
    return (*found[:-1], _probe_nvidia(here), found[-1])


def _agent(name: str, words: str) -> Kind:
    what = f"{words}, which gives TDX quotes of a dstack guest"

    def make(here: Here) -> Attester | None:
        from teeproof.evidence.collect.dstack import DstackAttester  # noqa: PLC0415

        endpoint = here.agent(name)
        return None if endpoint is None else DstackAttester(endpoint)

    def probe(here: Here) -> Presence:
        endpoint = here.agent(name)
        if endpoint is None:
            return missing(
                name, what, f"no socket: nothing is at /var/run/{name}.sock or its other places",
                f"run inside a dstack guest, and mount its socket: /var/run/{name}.sock",
            )  # fmt: skip
        if "://" in endpoint:
            return Presence(name, what, present=True, detail=f"named: {endpoint}, not asked")
        why = silence_at(endpoint, timeout=_PATIENCE)
        if why is not None:
            return missing(name, what, f"{endpoint}: {why[0]}", why[1])
        return Presence(name, what, present=True, detail=f"listens at {endpoint}")

    return Kind(name, lambda here: here.agent(name) is not None, probe, make)


def _make_tsm(here: Here) -> Attester:
    from teeproof.evidence.collect.tsm import TsmAttester  # noqa: PLC0415

    return TsmAttester(Path(here.tsm))


def _probe_tsm(here: Here) -> Presence:
    from teeproof.evidence.collect.tsm_probe import probe  # noqa: PLC0415

    return probe(Path(here.tsm))


_AZURE = "Azure's confidential machine: the paravisor's report, quoted by its TPM"
_TPM = "TPM 2.0: measured boot, and no encrypted memory"


def _make_azure(here: Here) -> Attester:
    from teeproof.evidence.collect.azure import AzureAttester  # noqa: PLC0415

    return AzureAttester(here.tpm)


def _probe_azure(here: Here) -> Presence:
    from teeproof.evidence.collect.azure import REPORT_INDEX  # noqa: PLC0415
    from teeproof.evidence.collect.tpm import open_tpm  # noqa: PLC0415

    run = "run on a confidential machine of Azure's"
    if not here.exists(here.tpm):
        return missing("azure", _AZURE, f"no TPM at {here.tpm}", run)
    try:
        with open_tpm(here.tpm, timeout=_PATIENCE) as tpm:
            tpm.read_nv(REPORT_INDEX)
    except Error as error:
        if error.code == "tpm_error":
            return missing("azure", _AZURE, f"the TPM at {here.tpm} keeps no such report", run)
        return missing("azure", _AZURE, *_reason(error))
    return Presence("azure", _AZURE, present=True, detail=f"its report is in {here.tpm}")


def _make_tpm(here: Here) -> Attester:
    from teeproof.evidence.collect.tpm import TpmAttester  # noqa: PLC0415

    return TpmAttester(here.tpm)


def _probe_tpm(here: Here) -> Presence:
    from teeproof.evidence.collect.tpm import open_tpm  # noqa: PLC0415

    if "/" not in here.tpm:
        return Presence("tpm", _TPM, present=True, detail=f"named: {here.tpm}, not asked")
    if not here.exists(here.tpm):
        return missing(
            "tpm", _TPM, f"no device: {here.tpm} is absent",
            f"give the machine a TPM 2.0, or name a software TPM's socket in {TPM_VARIABLE}",
        )  # fmt: skip
    try:
        with open_tpm(here.tpm, timeout=_PATIENCE) as tpm:
            banks = sum(bool(bank.registers) for bank in tpm.banks())
    except Error as error:
        return missing("tpm", _TPM, *_reason(error))
    return Presence("tpm", _TPM, present=True, detail=f"{here.tpm}, banks of registers: {banks}")


def _probe_nvidia(here: Here) -> Presence:
    """GPUs attest beside a machine (``--gpus``), and are no attester of their own."""
    from teeproof.evidence.collect.nvml import LIBRARY, probe  # noqa: PLC0415

    return probe(here.environment.get(LIBRARY_VARIABLE) or LIBRARY)


def _reason(error: Error) -> tuple[str, str]:
    """Return why and what to do of an error whose detail says both, with a colon between."""
    why, _, remedy = error.detail.partition(": ")
    return why, remedy or "ask again"


def _probe_simulator(_here: Here) -> Presence:
    return Presence(
        "simulated", "simulator: real formats, and no hardware", present=True,
        detail="part of teeproof; taken only where it is named, and marked everywhere",
    )  # fmt: skip


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        _agent("dstack", "dstack's guest agent"),
        _agent("tappd", "dstack's older guest agent, before 0.4.2"),
        Kind("tsm", lambda here: here.exists(here.tsm), _probe_tsm, _make_tsm),
        Kind("azure", None, _probe_azure, _make_azure),
        Kind("tpm", None, _probe_tpm, _make_tpm),
        # It is made by collect.simulated alone, which choose_attester imports where it is named.
        Kind("simulated", None, _probe_simulator, lambda _here: None),
    )
}
"""Every kind by its name."""
