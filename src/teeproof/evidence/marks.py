"""The mark that a simulator's root certificate carries, for those who look whether it is there.

The mark is a courtesy of an honest simulator, not a defence: a forger leaves it out. What keeps
simulated evidence from passing as real is that its root is not among the pinned ones.

Trusts: nothing; it only names.  Does not trust: a certificate without the mark.
"""

from __future__ import annotations

__all__ = ["SIMULATED_ROOT_OID", "SIMULATED_ROOT_TEXT"]

# ITU-T X.667: the arc 2.25 followed by a UUID as an integer needs no registration.
SIMULATED_ROOT_OID = "2.25.282114334608103969120553534572985872478"
SIMULATED_ROOT_TEXT = "teeproof simulated root"
