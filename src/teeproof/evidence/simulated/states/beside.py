"""States of a TDX machine beside whose quote a firmware's log or a TPM's evidence lies.

Trusts: nothing; it only describes.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from teeproof.core.digests import sha256
from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.firmware import ccel
from teeproof.evidence.simulated.guest import Guest
from teeproof.evidence.simulated.states.state import Make, Outcome, Scene, State

__all__ = ["STATES"]

_BOOT = Guest().events()


def _logged(log: bytes) -> Make:
    return lambda scene: _beside(scene.evidence(), firmware_log=log)


def _quoted(*, certified: bool = True, named: bool = True) -> Make:
    def make(scene: Scene) -> Evidence:
        honest = scene.evidence()
        data = sha256(honest.quote if named else b"another quote")
        tpm = scene.platform.tpm.evidence(data, now=scene.now, certified=certified)
        return _beside(honest, tpm=tpm.to_bytes())

    return make


def _beside(
    honest: Evidence, *, firmware_log: bytes | None = None, tpm: bytes | None = None
) -> Evidence:
    return Evidence(
        quote=honest.quote,
        event_log=honest.event_log,
        compose=honest.compose,
        mr_config=honest.mr_config,
        collateral=honest.collateral,
        firmware_log=firmware_log,
        tpm=tpm,
    )


def _state(name: str, sentence: str, outcome: Outcome, make: Make) -> State:
    return State(name, sentence, outcome, make, "UpToDate")


STATES = (
    _state("tdx-firmware-log", "The firmware's log lies beside the quote.", "accepted",
           _logged(ccel(_BOOT))),
    _state("tdx-firmware-log-shortened", "The firmware's log leaves out an event.",
           "not-authentic", _logged(ccel(_BOOT[1:]))),
    _state("tdx-with-tpm", "A TPM quoted the digest of the quote.", "accepted", _quoted()),
    _state("tdx-with-another-tpm", "A TPM quoted another machine's quote.", "not-authentic",
           _quoted(named=False)),
    _state("tdx-with-unbound-tpm", "Nobody vouches for the TPM's key.", "not-authentic",
           _quoted(certified=False)),
)  # fmt: skip
