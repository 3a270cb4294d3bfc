"""A verifier as a service: evidence comes in over HTTP, verdicts go out.

    requests   what clients ask, bounded and strict; also as they ask dstack-verifier
    bodies     how much is held of what they send
    policies   what they may have it held against
    workers    processes that verify, each with its own memory and its own time
    judging    what a worker is asked, and what it answers
    kept       verdicts that were given, by what was asked and by their keys
    service    the routes

It fetches nothing: endorsements come with the evidence or from this machine's archive, and an
address that a client sends is never asked.

Trusts: its operator, who names policies and keeps the archive.
Does not trust: clients; what they send is verified in a process that can be ended.
"""
