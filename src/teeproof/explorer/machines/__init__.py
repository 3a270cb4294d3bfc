"""Machines: an identity and its evidence, the code that it ran, what is beside it; a node."""
