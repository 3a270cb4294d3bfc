"""The report, claim by claim: what of ours answers each, what we found, and how to see it.

claims      the claims and figures, as data
figures     what is computed of the report's own numbers
overheads   and of the paper's tables
telling     the sentence on all of them, the table by chapter, the object for programs
"""
