"""Make one proof file of several: all roots, all that they rest on, each thing once.

The result does not depend on the order of the files, and a file merged with itself stays as it is.
Of one statement in two envelopes, all signatures are kept. Of two records of one identity, the one
with more attachments is kept. Of checkpoints that show the same entry, the earliest is kept; a
later one only if others signed it, or it is anchored, or another entry needs it.

Nothing is verified: merge with files that you have verified.

Trusts: nothing.  Does not trust: who wrote the files; files that contradict each other are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from teeproof.core.errors import Malformed, Usage
from teeproof.proof.file.export import Exported, Progress, export
from teeproof.proof.file.reader import ProofFile
from teeproof.proof.file.union import Union

__all__ = ["merge"]


def merge(
    files: Sequence[ProofFile], target: Path | BinaryIO, *, progress: Progress | None = None
) -> Exported:
    """Write the proof of all that several files prove.

    Args:
        files: open ones; they stay open.
        target: a path, which may be that of one of the files, or a stream.
        progress: see ``Progress``.

    Raises:
        Usage: no files.
        NotAuthentic: ``log_forked``: two files show two histories of one log;
            ``nodes_mismatch``: a file's own nodes do not lead to its checkpoints.
        Malformed: ``statement_conflict``: one receipt or identity with different signatures, or
            one identity with different evidence.
        TooLarge: more than a proof file can hold.
    """
    if not files:
        raise Usage("there is nothing to merge: name proof files", code="roots_missing")
    union = Union(files)
    roots = sorted({root for file in files for root in file.roots})
    here = {digest for file in files for digest in file.blob_digests}
    try:
        return export(union, roots, target, allow_missing=True, progress=progress, attach=here)
    except Usage as error:
        if error.code != "attachment_unnamed":
            raise
        # Each blob is named in its own file: by a record that gave way to another one.
        raise Malformed(
            "the files hold one identity with different evidence: verify each, and leave one out",
            code="statement_conflict",
            got=error.got,
        ) from None
