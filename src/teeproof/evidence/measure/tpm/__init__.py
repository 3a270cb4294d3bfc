"""PCR 0 to 9 and 11 of a measured boot, from its images.

Trusts: the files that it is given.  Does not trust: any length, offset or count in them.
"""
