"""An append-only Merkle tree in C2SP's formats: who said what, no later than when, for all to see.

Trusts: keys that the relying party names.  Does not trust: the log's operator, the network.
"""
