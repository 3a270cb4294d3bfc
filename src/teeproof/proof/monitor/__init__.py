"""A monitor: it follows a log, remembers its tree, and proves where the log contradicts itself.

    fork       a fork.proof: what it holds, and what makes it a proof
    evidence   find where two trees of one log differ, and say it as a fork.proof
    source     where a log is read from: a directory, or a URL
    levels     a Merkle tree on disk
    store      that tree, and what is verified and what in doubt, on disk
    again      which older entries are read again
    report     what one look at a log found
    monitor    one look: fetch, verify, compare, remember
    telling    tell others: a file, a webhook

Trusts: the log's keys, its own disk.  Does not trust: the log, the network, other monitors.
"""
