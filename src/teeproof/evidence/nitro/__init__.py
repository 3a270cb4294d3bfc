"""AWS Nitro Enclaves: the attestation document that the Nitro hypervisor signs.

document      bytes -> NitroDocument              CBOR in COSE_Sign1
verify        document + roots + T -> facts       certificates, chain
facts         what is established, before anyone's opinion
appraise      facts + expectations -> checks

The level is ``hardware`` where the chain ends in a pinned root that carries no simulator's mark,
and ``simulated`` where the root carries it. What the hypervisor signs is AWS's word: an enclave is
closed to the instance that started it and to its owner, and not to AWS. A debug enclave (PCR0 all
zero) is open to its instance.

Trusts: pinned roots, AWS behind them.  Does not trust: the parent instance, network, operator.
"""
