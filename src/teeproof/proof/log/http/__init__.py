"""A log over HTTP: the server, and a client that believes none of its answers until proved.

Trusts: of a server, its own disk; of a client, the log's key.  Does not trust: the network.
"""
