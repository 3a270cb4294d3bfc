"""States of an Arm CCA realm: in order, signed by others, on a platform that somebody debugs.

Trusts: nothing; it only describes.  Does not trust: nothing comes from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from teeproof.evidence.record import Evidence
from teeproof.evidence.simulated.cca import SimulatedCca
from teeproof.evidence.simulated.states.state import Make, Outcome, Scene, State

__all__ = ["STATES"]

Token = Callable[[SimulatedCca, SimulatedCca, bytes], bytes]


def _made(token: Token) -> Make:
    def make(scene: Scene) -> Evidence:
        platform, stranger = scene.platform.cca, scene.stranger().cca
        return Evidence(
            quote=token(platform, stranger, scene.report_data), platform_key=platform.platform_key()
        )

    return make


def _unknown(scene: Scene) -> Evidence:
    other = scene.stranger().cca
    return Evidence(quote=other.token(scene.report_data), platform_key=other.platform_key())


def _missing(scene: Scene) -> Evidence:
    return Evidence(quote=scene.platform.cca.token(scene.report_data))


def _state(name: str, sentence: str, outcome: Outcome, make: Make) -> State:
    return State(name, sentence, outcome, make, status=None, kind="cca")


STATES = (
    _state("cca-in-order", "A realm in order, on a platform in order.", "accepted",
           _made(lambda ours, _, data: ours.token(data))),
    _state("cca-key-missing", "The platform's key did not come along.", "unavailable", _missing),
    _state("cca-key-of-another", "The key that came along is another platform's.", "not-authentic",
           _unknown),
    _state("cca-platform-forged", "Another key signed the platform's token.", "not-authentic",
           _made(lambda ours, other, data: ours.token(data, cpak=other.cpak))),
    _state("cca-realm-forged", "Another key signed the realm's token.", "not-authentic",
           _made(lambda ours, other, data: ours.token(data, rak=other.rak))),
    _state("cca-tokens-of-two", "Platform and realm do not belong together.", "not-authentic",
           _made(lambda ours, _, data: ours.token(data, platform={10: sha256(b"").digest()}))),
    _state("cca-profile-unknown", "The platform follows a profile that nobody knows.",
           "not-authentic",
           _made(lambda ours, _, data: ours.token(data, platform={265: "tag:example,2026:x"}))),
    _state("cca-rim-too-long", "The realm's measurement is longer than its hash.", "not-authentic",
           _made(lambda ours, _, data: ours.token(data, realm={44238: bytes(64)}))),
    _state("cca-debug", "The platform is being debugged.", "not-allowed",
           _made(lambda ours, _, data: ours.token(data, platform={2395: 0x5000}))),
    _state("cca-another-realm", "The realm was started with something else.", "not-allowed",
           _made(lambda ours, _, data: ours.token(data, realm={44238: bytes(32)}))),
)  # fmt: skip
