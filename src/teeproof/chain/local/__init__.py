"""A chain on this machine: Osaka's rules, one owner process, one SQLite file.

    osaka      what a transaction does (py-evm, and what it lacks)
    store      what is kept: state nodes, blocks, transactions, receipts, events
    admission  which transactions are taken
    blocks     transactions -> block
    chain      LocalChain: open, submit, call, estimate, look up, reorganise
    inputs     what a client may ask, from JSON
    views      what it gets, as JSON
    methods    the methods of Ethereum's JSON-RPC
    rpc        one request or a batch -> answer
    app        the same over HTTP, for this machine only
    serve      the process:  python -m teeproof.chain.local.serve DIRECTORY
    process    starts that process, and waits until it answers

Who runs the process decides what the chain says and what its clock shows: nothing here is evidence
of time, and the proofs that rest on it say so (``public=False``).
"""

from __future__ import annotations

__all__: list[str] = []
