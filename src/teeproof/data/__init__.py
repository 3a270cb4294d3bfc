"""Data (the report's chapter 2): people contribute, keep control, and earn by what they gave.

"To facilitate monetized data collection, it is necessary to introduce a verifiable data
contribution layer that can accurately measure and compute the data provided by contributors. […]
Users retain ownership of their data, exercising full control over its application and receiving
rewards based on verifiable contribution records." Of validators it says: "These validators operate
within a Trusted Execution Environment (TEE), ensuring that data can be validated securely and
privately."

What this chapter promises: a contribution is sealed on its owner's machine and opened only by the
code that the pool's terms name; what it weighs is measured, never a constant, and anyone can
compute the weight again from what was measured; a copy earns nothing; one bad line refuses a file
as a whole, with its line; the owner can take it back, and is told what already used it. In reading
order:

    terms               what a pool takes, who may open it, how what it earns is shared
    orders              the record type: a typed order
    said, meaning       does a text say what its order says
    records             a file of records, every fault with its line
    consent             an owner lets one pool use one file, for one account
    submission          what a contributor sends
    novelty             which records are new
    value               what they are worth
    factors, weights    novelty, value and evidence in one number
    statements          what a pool says in the log
    parts, snapshot     Merkle trees over salted records
    validation          from a sealed file to a decision
    journal, history    what a pool remembers, sealed at rest
    vault               sealed files on the host's disk
    saying, pool        the order of arrival, decisions, datasets, withdrawals
    heldout, keys       what the KMS releases to a pool
    service, workload   the pool in its TEE, and its only door
    client, contribute  the contributor's side
    usage               what already used a contribution
    verify, continuity  what a stranger can check; what two statements show
    samples             orders for demonstrations, tests and benchmarks

What it does not promise: a pool's near-duplicate counts tell a contributor who sends guesses
whether somebody sent them before; and whoever knows the held-out set can write to it.
"""
