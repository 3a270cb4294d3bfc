"""Say something from inside a TEE; let anyone check for ever who said it, and no later than when.

    keys       a workload's public keys by role, and the keyset that hardware commits to
    identity   a key document, and the evidence that commits to it
    statement  what a workload says, with its author and its inputs inside
    envelope   the signatures around it
    log        an append-only Merkle tree, witnessed by others
    file       one statement and everything that is needed to check it
    graph      statements joined by digests
    verify     from bytes to a verdict, without I/O

Trusts: nothing by itself; roots, policies, log and witness keys come from the relying party.
Does not trust: host, network, log operator, the file that is checked.
"""
