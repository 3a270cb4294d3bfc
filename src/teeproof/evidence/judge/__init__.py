"""One judge for each kind of evidence: from what was asked to checks and facts.

Each module has one function, ``judge(asked) -> Judged``: it parses, verifies, and holds the facts
against the policy. ``evidence.verify`` chooses the judge and makes the verdict of what it found.

Trusts: the policy's roots, this code.  Does not trust: the evidence.
"""
