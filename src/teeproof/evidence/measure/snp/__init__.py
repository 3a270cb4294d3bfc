"""The launch digest of an SEV-SNP guest, from its images.

Trusts: the files that it is given.  Does not trust: any length, offset or count in them.
"""
