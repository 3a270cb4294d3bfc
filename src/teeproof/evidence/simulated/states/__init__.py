"""Every state that evidence can be in, by name: right, wrong, and unwelcome.

Trusts: nothing; it only describes.  Does not trust: nothing comes from outside.
"""

from teeproof.evidence.simulated.states import (
    azure,
    beside,
    cca,
    domain,
    forgery,
    guest,
    log,
    nitro,
    nvidia,
    snp,
    tcb,
    tpm,
    vendor,
)
from teeproof.evidence.simulated.states.guest import LISTED
from teeproof.evidence.simulated.states.state import Outcome, State

__all__ = ["LISTED", "STATES", "Outcome", "State"]

_MODULES = (
    guest, tcb, domain, vendor, forgery, log, beside, snp, nitro, nvidia, tpm, azure, cca,
)  # fmt: skip
STATES: dict[str, State] = {state.name: state for module in _MODULES for state in module.STATES}
