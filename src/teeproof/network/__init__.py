"""The network (the report's chapter 1): machines of many owners, rented by what they can prove.

"Users need assurance that their submitted workloads are executed as expected without tampering and
that their shared data remains confidential. […] This means users can train models and host
inference services within GPU TEEs, creating verifiable execution environments for both providers
and users."

What this chapter promises: a node is admitted by evidence and not by its word, and a claim that
nobody can check is refused by name. An order gets the cheapest node that meets it, and a reason for
every other. A lease pays only for time that the node has proved, and ends with one reason and a
refund. All of that is said in statements that a stranger can check. In reading order:

    forms        how amounts, names and labels are written
    terms        what a market admits, and how it pays: measured
    claim        what a node says of itself
    admission    what its evidence makes of that
    orders       what a renter needs
    offers       admitted nodes by price, then time
    matching     the cheapest that fits, and why not the others
    escrow       what a lease has earned: arithmetic
    leases       what was agreed, and how it ended
    heartbeats   what a node signs while it works
    statements   what is said of all this in the log
    events, ledger, state   every change, on disk before anyone is told
    market       the state, the clock, the word
    gate, rules  who may come in
    node_desk, renter_desk, answers, service, workload   the market, as it is asked
    client, node                                         who asks
    verify, checking   what a stranger can check of one decision, from its proof
    audit        and of all of them, from the log: that no offer was left out
"""
