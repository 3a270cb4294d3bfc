"""Hold facts against a policy: one module per question, one check per expectation.

Trusts: facts that were verified, the relying party's policy.  Does not trust: anything unverified.
"""
