"""What came along and no judge of this kind of evidence reads: the verdict says so of each part.

Trusts: nothing; it only tells.  Does not trust: whoever put the pieces together.
"""

from __future__ import annotations

from teeproof.evidence.recognise import Kind
from teeproof.evidence.record import Evidence
from teeproof.evidence.verdict import Check, not_checked

__all__ = ["unread"]

_WITH_DOCUMENTS: frozenset[Kind] = frozenset({"tdx", "sev-snp"})
_WITH_CERTIFICATES: frozenset[Kind] = frozenset({"sev-snp", "azure-snp"})


def unread(evidence: Evidence, kind: Kind) -> list[Check]:
    """Return a check that was not made for each part that nothing ties to this kind of evidence."""
    found = []
    if kind not in _WITH_DOCUMENTS:
        found += _documents(evidence)
    if evidence.certificates is not None and kind not in _WITH_CERTIFICATES:
        why = "AMD's certificates came along, and were not read: no key of AMD's signed this"
        found.append(not_checked("vek-certificates", why))
    if (evidence.manifests or evidence.ocsp) and evidence.gpus is None and kind != "nvidia":
        why = (
            "NVIDIA's word about GPUs came along, and the evidence of none: nothing was read of it"
        )
        found.append(not_checked("gpu-evidence", why))
    return found


def _documents(evidence: Evidence) -> list[Check]:
    found = []
    if evidence.event_log is not None:
        why = "nothing ties an event log to this kind of evidence: it was not read"
        found.append(not_checked("event-log-replay", why))
    if evidence.compose is not None:
        why = "nothing ties a compose file to this kind of evidence: it was not read"
        found.append(not_checked("compose", why))
    if evidence.mr_config is not None:
        why = "nothing ties a MrConfigV3 document to this kind of evidence: it was not read"
        found.append(not_checked("mrconfigid", why))
    return found
