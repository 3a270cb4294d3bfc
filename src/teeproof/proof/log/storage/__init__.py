"""A log on disk: one journal that is durable first, and tiles, checkpoints and index made of it.

Trusts: the disk to keep what it said it has.  Does not trust: crashes, power, callers.
"""
