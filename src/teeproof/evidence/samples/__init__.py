"""Real evidence that others published: what there is, and how to get it by commit and SHA-256.

    table     the samples, each with its sources and digests
    formats   what the publishers' files have to be rewritten to
    fetch     download, check, store, find again

Trusts: the digests in ``table``.  Does not trust: publishers, network.
"""
