"""The proof file ``*.proof``: statements and everything that they rest on, in one file.

    export      a source's statements, and all that they rest on -> a file
    ProofFile   a file -> a source, and the proofs of logs
    merge       several files -> one
    Union       several sources -> one, to export from
    tlog_proof  one statement's log proof as a text that any C2SP client reads

The same content has exactly one form, and no member that its roots do not need: see
``docs/reference/proof-file.md``.

Trusts: nothing; a file brings no trust with it, and has no place for any.
Does not trust: whoever wrote the file.
"""

from __future__ import annotations

from teeproof.proof.file.closure import Edge
from teeproof.proof.file.export import Exported, Progress, export
from teeproof.proof.file.logpart import Anchor, EntryRef, LogPart, leaf
from teeproof.proof.file.merge import merge
from teeproof.proof.file.reader import ProofFile
from teeproof.proof.file.text import tlog_proof
from teeproof.proof.file.union import Union

__all__ = [
    "Anchor",
    "Edge",
    "EntryRef",
    "Exported",
    "LogPart",
    "Progress",
    "ProofFile",
    "Union",
    "export",
    "leaf",
    "merge",
    "tlog_proof",
]
