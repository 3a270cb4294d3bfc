"""What a machine will measure when it boots these files, computed before it has booted.

    steps     what extends a register, in order, each with the bytes that are hashed
    pe        PE/COFF programs: their sections, and the digest that firmware measures
    kernel    Linux kernels, and what QEMU writes into their header
    ovmf      the table at the end of an OVMF image, and the sections that it lists
    tdx       MRTD, RTMR1, RTMR2 and what can be said of RTMR0
    snp       the launch digest of an SEV-SNP guest
    tpm       PCR 0 to 9, and 11 of a unified kernel image

Trusts: the files that it is given, the sources that its constants name.
Does not trust: any length, offset or count in these files.
"""
