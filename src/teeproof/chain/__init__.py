"""The chain: real contracts on a real EVM, on this machine or on any network that speaks JSON-RPC.

"These proofs and fingerprints can be submitted to the blockchain for further verification. This
process enables users to verify the model's integrity by checking the proof and fingerprint
on-chain." And of agents: "Can we trust these AI agents as we trust smart contracts?" (the report's
chapters 3 and 5)

What this chapter promises: what the other chapters put on a chain stands there once, under rules
that nobody can bend afterwards, and whoever trusts a block can check offline what it holds. A chain
of one's own is an Ethereum chain in every respect but one: its time proves nothing, and each proof
that rests on it says so. In reading order:

    account     a key that pays for transactions
    abi         a contract's interface: calls, results, events
    revert      why a contract said no
    endpoint    a node's JSON-RPC
    answers     what its answers say
    client      calls, transactions, events and deployments over any node
    outbox      transactions that are sent once, whatever happens to the sender (outboxfile)
    anchors     a log's checkpoint written to a chain, and the proof that it stands there
    artifacts   the contracts of ``contracts/``, compiled beforehand
    typed       what an account signs so that a stranger may carry it (EIP-712)
    merkle      the tree whose root a payment publishes
    token, pool, fund, payments   the contracts, as Python calls them
    standing    what a node says of a fund, in one block and within bounds
    seen        what our contracts left, wherever they stand; a transaction
    local       an Ethereum chain (Osaka's rules) that one process owns

Nothing heavy is imported here: the EVM takes a second to load, and most commands need none.

Trusts: the node that a client is pointed at.  Does not trust: it where a proof can be had.
"""

from __future__ import annotations

__all__: list[str] = []
