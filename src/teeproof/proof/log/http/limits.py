"""How much may be sent to a log at once; server and client agree on it here.

Trusts: nothing.  Does not trust: whoever sends.
"""

from __future__ import annotations

from teeproof.proof.log.admission import MAX_BYTES

__all__ = ["MAX_BATCH", "MAX_BATCH_BYTES", "MAX_BLOB_BYTES", "MAX_RECORD_BYTES", "NDJSON"]

MAX_RECORD_BYTES = MAX_BYTES
MAX_BATCH = 256  # records in one request; a group commit has as many
MAX_BATCH_BYTES = 4 << 20
MAX_BLOB_BYTES = 16 << 20  # a quote with its collateral has some 100 KiB, a model does not fit
NDJSON = "application/x-ndjson"
