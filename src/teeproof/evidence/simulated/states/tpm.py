"""States of a machine with a TPM: in order, forged, by nobody's key, started otherwise.

Trusts: nothing; it only describes.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.firmware import (
    BOOT,
    Measured,
    secure_boot,
    started,
    write_log,
)
from teeproof.evidence.simulated.states.state import Make, Outcome, Scene, State
from teeproof.evidence.simulated.tpm import (
    ATTRIBUTES,
    RESTRICTED,
    SimulatedTpm,
    TpmMachine,
    attest,
)
from teeproof.evidence.tpm.document import TpmEvidence

__all__ = ["STATES"]

_SHA256 = 0xB
_EXPIRED = TpmMachine(lifetime=timedelta(days=20))
_LOOSE = TpmMachine(attributes=ATTRIBUTES & ~RESTRICTED)
_OFF = TpmMachine(boot=secure_boot(BOOT, on=False))
_OTHER = TpmMachine(boot=tuple(started("other") if e.register == 4 and e.what else e for e in BOOT))
_FAILED = TpmMachine(boot=(*BOOT[:4], Measured(7, 0x4, b"\1\0\0\0"), *BOOT[4:]))


def _made(machine: TpmMachine | None = None, *, certified: bool = True) -> Make:
    def make(scene: Scene) -> Evidence:
        tpm = scene.platform.tpm
        given = tpm.evidence(scene.report_data, now=scene.now, machine=machine, certified=certified)
        return Evidence(quote=given.to_bytes())

    return make


def _changed(change: Callable[[SimulatedTpm, TpmEvidence], TpmEvidence]) -> Make:
    def make(scene: Scene) -> Evidence:
        tpm = scene.platform.tpm
        honest = tpm.evidence(scene.report_data, now=scene.now)
        return Evidence(quote=change(tpm, honest).to_bytes())

    return make


def _by(authority: Callable[[Scene], SimulatedTpm]) -> Make:
    def make(scene: Scene) -> Evidence:
        given = authority(scene).evidence(scene.report_data, now=scene.now)
        return Evidence(quote=given.to_bytes())

    return make


def _edited(_: SimulatedTpm, given: TpmEvidence) -> TpmEvidence:
    at = len(given.quote) - 1
    return replace(given, quote=given.quote[:at] + bytes([given.quote[at] ^ 1]))


def _registers(_: SimulatedTpm, given: TpmEvidence) -> TpmEvidence:
    values = dict((given.pcrs or {})[_SHA256])
    return replace(given, pcrs={_SHA256: values | {7: bytes(32)}})


def _shortened(_: SimulatedTpm, given: TpmEvidence) -> TpmEvidence:
    boot = tuple(each for each in BOOT if each.what is None)
    return replace(given, event_log=write_log(boot))


def _twice(tpm: SimulatedTpm, given: TpmEvidence) -> TpmEvidence:
    quote = attest(b"", signer=b"", registers=TpmMachine().registers, banks=(_SHA256, _SHA256))
    return replace(given, quote=quote, signature=tpm.sign(quote))


def _impostor(scene: Scene) -> SimulatedTpm:
    return SimulatedTpm(scene.stranger().pki.seed, marked=False)


def _state(name: str, sentence: str, outcome: Outcome, make: Make) -> State:
    return State(name, sentence, outcome, make, status=None, kind="tpm")


STATES = (
    _state("tpm-in-order", "The TPM quoted a boot in order.", "accepted", _made()),
    _state(
        "tpm-key-unbound",
        "Nobody vouches for the key that signed.",
        "not-authentic",
        _made(certified=False),
    ),
    _state("tpm-impostor", "The root has no mark, and a cloud's place.", "not-authentic",
           _by(_impostor)),
    _state("tpm-of-another-root", "Another simulator certified the key.", "not-authentic",
           _by(lambda scene: scene.stranger().tpm)),
    _state("tpm-certificate-expired", "The key's certificate had ended.", "not-authentic",
           _made(_EXPIRED)),
    _state("tpm-key-unrestricted", "The key signs whatever it is given.", "not-authentic",
           _made(_LOOSE)),
    _state("tpm-quote-edited", "The quote was changed after signing.", "not-authentic",
           _changed(_edited)),
    _state("tpm-registers-edited", "Another value lies beside the quote than was quoted.",
           "not-authentic", _changed(_registers)),
    _state("tpm-bank-twice", "The quote names a bank twice, to burn a verifier's time.",
           "not-authentic", _changed(_twice)),
    _state("tpm-log-shortened", "The log leaves out what was started.", "not-authentic",
           _changed(_shortened)),
    _state("tpm-boot-failed", "The firmware marked an error.", "not-authentic", _made(_FAILED)),
    _state("tpm-secure-boot-off", "Secure Boot was off.", "not-allowed", _made(_OFF)),
    _state("tpm-other-boot-loader", "Another boot loader was started.", "not-allowed",
           _made(_OTHER)),
)  # fmt: skip
