"""A witness: it remembers how far each log had grown, and signs that the log only grew.

    request    the body of add-checkpoint, c2sp.org/tlog-witness
    signed     whether a checkpoint bears its log's signature, where a log may have several keys
    keyfile    the witness's secret key on disk
    state      the last cosigned checkpoint of each log on disk, durable before it leaves
    witness    compare, remember, cosign: one step that nothing can come between
    app        the same over HTTP (ASGI)
    client     ask witnesses for cosignatures, one or many

Trusts: its own disk, its own clock as far as it does not run backwards, the log keys it is given.
Does not trust: logs, whoever asks, the network.
"""
