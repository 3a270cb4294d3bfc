"""The mark that a simulator's root certificate carries, for those who look whether it is there.

The mark is a courtesy of an honest simulator, not a defence: a forger leaves it out. What keeps
simulated evidence from passing as real is that its root is not among the pinned ones.

Trusts: nothing; it only names.  Does not trust: a certificate without the mark.
"""

from __future__ import annotations

__all__ = ["SIMULATED_MAKER", "SIMULATED_ROOT_OID", "SIMULATED_ROOT_TEXT"]

# RFC 5612 reserves this enterprise number for examples, so no real vendor's certificate has it. An
# arc below 2.25 would need 128 bits, one below 2.999 two leading octets: dcap-qvl 0.7.0 parses
# neither.
SIMULATED_ROOT_OID = "1.3.6.1.4.1.32473.84.69.69"
SIMULATED_ROOT_TEXT = "teeproof simulated root"
SIMULATED_MAKER = "SIMULATED "  # precedes a vendor's names in certificates below such a root
