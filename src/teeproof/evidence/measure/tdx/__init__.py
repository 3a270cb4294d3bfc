"""MRTD and RTMR0 to RTMR3 of a TD, from its images.

Trusts: the files that it is given.  Does not trust: any length, offset or count in them.
"""
