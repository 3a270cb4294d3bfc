"""Hardware evidence: parse it, verify it, and hold it against a policy.

parse   bytes -> object                 no keys, clock or network
collect machine -> evidence             the only code that touches devices
verify  evidence + endorsements -> facts
appraise facts + policy -> verdict
"""
