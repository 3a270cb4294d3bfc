"""Read the key document that lies beside evidence: what the machine must have committed to.

It comes as itself, or in a workload's identity record, which says too which nonce went in beside
the keys. Neither is signed by the machine; the verifier holds them against its ``report_data``.
"""

from __future__ import annotations

import msgspec

from teeproof.core.errors import Usage
from teeproof.evidence.files.bundles import Bundle
from teeproof.evidence.files.kinds import Piece

__all__ = ["keyset_of_piece", "with_keys"]


def with_keys(bundle: Bundle) -> Bundle:
    """Return the bundle whose evidence names the keyset of the key document beside it.

    Raises:
        Usage: two files tell of different keys, or of different nonces.
        Malformed: a file is not what it looks like.
    """
    digest, nonce = None, None
    for piece in bundle.keys:
        keys, said = keyset_of_piece(piece)
        if digest not in (None, keys) or (nonce is not None and said not in (None, nonce)):
            raise Usage(
                f"{piece.name} tells of other keys than the file before it: name the one to use",
                code="pieces_differ",
                expected="one key document per quote",
                got=piece.name,
            )
        digest, nonce = keys, said if nonce is None else nonce
    if digest is None:
        return bundle
    evidence = msgspec.structs.replace(bundle.evidence, keyset_digest=digest, nonce=nonce)
    return msgspec.structs.replace(bundle, evidence=evidence)


def keyset_of_piece(piece: Piece) -> tuple[str, str | None]:
    """Return ``sha256:…`` of the keyset, and the nonce that the file says went in beside it."""
    if piece.kind == "identity-record":
        from teeproof.proof.identity import IdentityRecord  # noqa: PLC0415  few bundles have keys

        record = IdentityRecord.parse(piece.data)
        return record.keyset_digest, record.claim.nonce
    from teeproof.proof.keys import KeyDocument  # noqa: PLC0415  few bundles have keys
    from teeproof.proof.keyset import keyset_of  # noqa: PLC0415

    return keyset_of(KeyDocument.parse(piece.data)).digest, None
