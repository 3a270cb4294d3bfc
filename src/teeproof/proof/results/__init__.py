"""Verdicts for those who do not know teeproof's words: as an EAR, as a VSA, as dstack-verifier.

    ar4si      a verdict in the eight claims of AR4SI, and the tier that follows
    jws        signatures around JSON, in JOSE's compact form
    ear        an EAT Attestation Result: a signed JWT
    vsa        an in-toto verification summary, in a DSSE envelope
    dstack     the JSON that dstack-verifier answers with; nobody signs it
    keyfile    the key that signs verdicts, in a file

What was not checked is never said to be good, and of simulated evidence nothing is: who reads only
one word of an export must not take a simulator for hardware.

Trusts: whoever holds the verdict key, to have verified what it signs.
Does not trust: a result that someone else hands over, before its signature holds.
"""
