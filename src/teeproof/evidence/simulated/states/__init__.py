"""Every state that evidence can be in, by name: right, wrong, and unwelcome.

Trusts: nothing; it only describes.  Does not trust: nothing comes from outside.
"""

from teeproof.evidence.simulated.states import (
    domain,
    forgery,
    guest,
    log,
    nitro,
    nvidia,
    snp,
    tcb,
    vendor,
)
from teeproof.evidence.simulated.states.guest import LISTED
from teeproof.evidence.simulated.states.state import Outcome, State

__all__ = ["LISTED", "STATES", "Outcome", "State"]

STATES: dict[str, State] = {
    state.name: state
    for module in (guest, tcb, domain, vendor, forgery, log, snp, nitro, nvidia)
    for state in module.STATES
}
