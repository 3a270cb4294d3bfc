"""TDX and SEV-SNP in software: real formats and signatures under roots made on this machine.

It exists so that people can try everything without the hardware, and so that every way in which
evidence can be wrong can be made on demand. Nothing here is evidence of anything: the level of what
it makes is ``simulated``. Only ``evidence/collect/simulated.py`` imports this package.

Trusts: whoever holds the simulator's seed.  Does not trust: nothing comes from outside.
"""
