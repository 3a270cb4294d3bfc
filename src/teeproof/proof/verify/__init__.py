"""Check a proof: bytes, trust and time in; a verdict out.

    closure      what is in the file, and who signed it
    logs         inclusion, checkpoints, witnesses, time; anchors, forks
    identities   keys, possession, binding, the machine
    statements   author, signatures, expiry, inputs
    structure    order, cycles, paths; whole, faults
    record       the verdict

Trusts: the relying party's ``Trust``, this code.
Does not trust: the proof, whoever made it, the logs' operators, the machines' hosts.
"""

from teeproof.proof.verify.record import (
    Fault,
    IdentityVerdict,
    LogVerdict,
    ProofVerdict,
    StatementVerdict,
)
from teeproof.proof.verify.trust import Trust
from teeproof.proof.verify.verify import verify_proof

__all__ = [
    "Fault",
    "IdentityVerdict",
    "LogVerdict",
    "ProofVerdict",
    "StatementVerdict",
    "Trust",
    "verify_proof",
]
