"""Say something from inside a TEE; let anyone check for ever who said it, and no later than when.

    keys, keyset, keyring   public keys by role, what hardware commits to, and the secrets
    identity, workload      a key document and its evidence; booting, sealing, rotating
    statement, envelope     what a workload says, and the signatures around it; receipt, links
    log                     an append-only Merkle tree: formats, storage, http
    witness, monitor        who cosigns a log, and who convicts it
    file, graph             one statement with all it rests on; statements joined by digests
    anchor                  a checkpoint in a block of a public chain
    verify                  from a proof to a verdict, without I/O

Trusts: nothing by itself; roots, policies, log and witness keys come from the relying party.
Does not trust: host, network, log operator, the file that is checked.
"""
