"""An SEV-SNP platform in software: AMD's formats and signatures under a root made on this machine.

Nothing here is evidence of anything: the level of what it makes is ``simulated``.

Trusts: whoever holds the simulator's seed.  Does not trust: nothing comes from outside.
"""
