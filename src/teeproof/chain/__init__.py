"""The chain: real contracts on a real EVM, on this machine or on any network that speaks JSON-RPC.

The report (Phala Network, 2025) rests on a ledger in each chapter: contributors are paid on it,
agents hold their funds on it, and what happened is published on it. This chapter promises that

    local     an Ethereum chain (Osaka rules) that one process owns, that survives ``kill -9``, and
              that any Ethereum client can use unmodified; its time proves nothing, and it says so
    client    calls, transactions, events and deployments on this or any other chain
    account   a key that pays for transactions
    outbox    transactions that are sent once, whatever happens to the sender
    anchors   a log's checkpoint written to a chain, and the proof that it stands there
    contracts what is deployed, with its compiled form in ``artifacts``

Nothing heavy is imported here: the EVM takes a second to load, and most commands need none.
"""

from __future__ import annotations

__all__: list[str] = []
