"""States of a Nitro enclave: in order, forged, late, and open to the instance beside it.

Trusts: nothing; it only describes.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from dataclasses import replace

from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.nitro import Enclave
from teeproof.evidence.simulated.states.enclaves import NITRO_STATES, NitroState
from teeproof.evidence.simulated.states.state import Make, Outcome, Scene, State

__all__ = ["STATES"]


def _made(state: NitroState) -> Make:
    def make(scene: Scene) -> Evidence:
        enclave = replace(Enclave(), user_data=scene.report_data)
        return Evidence(quote=state.make(scene.platform.nitro, enclave, scene.now))

    return make


def _outcome(state: NitroState) -> Outcome:
    if state.check is None:
        return "accepted"
    return "not-allowed" if state.check == "debug" else "not-authentic"


STATES = tuple(
    State(name, state.about, _outcome(state), _made(state), status=None, kind="nitro")
    for name, state in NITRO_STATES.items()
)
