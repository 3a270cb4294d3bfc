"""The report, claim by claim: what of ours answers each, what we found, and how to see it.

claims      the claims and figures, as data
figures     what is computed of them, from the report's own numbers and the paper's tables
"""
