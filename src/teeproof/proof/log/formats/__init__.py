"""C2SP's formats, and our entry: bytes to objects and back, proofs and policies. No I/O here.

Trusts: keys that the relying party names.  Does not trust: logs, witnesses, whoever sends bytes.
"""
